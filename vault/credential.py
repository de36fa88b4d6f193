"""A key that signs requests and never reveals its secrets.

A credential has two exits: `Credential.headers`, which knows one method, GET, and `Credential.login`, the login message
of a private WebSocket. What is signed is the text before percent-encoding, exactly as the exchange documents it:
timestamp, method, path, ``?`` and query, body.
Nothing here opens a connection; the caller sends the headers to ``credential.host`` and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Callable
from typing import NoReturn

from vault.entries import HMAC_KIND, RSA_KIND, Slot
from vault.errors import InvalidField, ReadOnlyRefusal
from vault.hidden import Hidden, NoCopies, without_frames
from vault.rsa import rsa_signature

MAX_TARGET_CHARACTERS = 8192
MAX_TIMESTAMP_MS = 10**14 - 1

LOGIN_TARGET = "/user/verify"  # what the login of a WebSocket signs

_PATH = re.compile(r"/api(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_UNSENDABLE = {"Cc": "a control character", "Zl": "a line separator", "Zp": "a paragraph separator"}
_UNSENDABLE["Cs"] = "half a character (a surrogate)"


def prehash(timestamp: int, method: str, target: str, body: str) -> str:
    """Return the text that the exchange wants signed; ``target`` is ``path?query`` before percent-encoding."""
    return f"{timestamp}{method.upper()}{target}{body}"


def hmac_signature(secret: str, text: str) -> str:
    """Return the base64 HMAC-SHA256 of a prehash text."""
    signed = hmac.new(secret.encode("utf-8"), text.encode("utf-8"), hashlib.sha256)
    return base64.b64encode(signed.digest()).decode("ascii")


SIGNATURES = {HMAC_KIND: hmac_signature, RSA_KIND: rsa_signature}


class SignedHeaders(NoCopies, dict[str, str]):
    """Headers of one signed request: a plain mapping to use, with a repr that shows the names alone."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<SignedHeaders {', '.join(self)}>"

    def __str__(self) -> str:
        return repr(self)


class Credential(NoCopies):
    """One key, bound to the host it was added for; `Vault.get` makes it.

    Attributes
    ----------
    name : str
        The key's label.
    host : str
        The only address its headers may be sent to.
    demo : bool
        Whether the key belongs to the exchange's demo environment.
    fingerprint : str
        Hash prefix of the API key: distinguishes keys and reveals none.

    Examples
    --------
    >>> credential = vault.get("research")                                     # doctest: +SKIP
    >>> sorted(credential.headers("GET", "/api/v2/spot/account/info"))         # doctest: +SKIP
    ['ACCESS-KEY', 'ACCESS-PASSPHRASE', 'ACCESS-SIGN', 'ACCESS-TIMESTAMP', 'Content-Type']
    """

    __slots__ = ("__now_ms", "__slot", "__weakref__")
    __slot: Slot
    __now_ms: Callable[[], int]

    def __init__(self, slot: Slot, now_ms: Callable[[], int]) -> None:
        object.__setattr__(self, "_Credential__slot", slot)
        object.__setattr__(self, "_Credential__now_ms", now_ms)

    @property
    def name(self) -> str:
        return self.__slot.name

    @property
    def host(self) -> str:
        return self.__slot.host

    @property
    def demo(self) -> bool:
        return self.__slot.demo

    @property
    def fingerprint(self) -> str:
        return self.__slot.fingerprint

    def headers(self, method: str, target: str, body: str = "", timestamp_ms: int | None = None) -> dict[str, str]:
        """Return the signed headers of one read request.

        Parameters
        ----------
        method : str
            ``"GET"``; nothing else is signed, as this toolkit only reads.
        target : str
            Path and query before percent-encoding, for example ``"/api/v2/spot/account/assets?coin=BTC"``.
            Send the same text, percent-encoded, to `host`.
        body : str
            Always empty.
        timestamp_ms : int, optional
            Exchange time in milliseconds; the machine's clock if not given. The exchange takes 30 s either way.

        Returns
        -------
        dict
            ACCESS-KEY, ACCESS-SIGN, ACCESS-TIMESTAMP, ACCESS-PASSPHRASE and Content-Type. The dictionary does not
            print its values.

        Raises
        ------
        ReadOnlyRefusal
            Another method, a body, or a target that is not a plain path of the exchange's API.
        InvalidField
            A timestamp that is no plausible number of milliseconds.
        """
        _refuse_writes(method, body)
        _refuse_odd_target(target)
        at_ms = _checked_timestamp(self.__now_ms() if timestamp_ms is None else timestamp_ms)
        return _signed(self.__slot, at_ms, target)

    def login(self, timestamp_ms: int | None = None) -> Hidden[str]:
        """Return the login message of a private WebSocket; it has the API key and the passphrase, so it stays wrapped.

        Parameters
        ----------
        timestamp_ms : int, optional
            As of `headers`; the message names whole seconds.

        Returns
        -------
        Hidden
            The text, to be sent over TLS to `host`'s own WebSocket address and nowhere else.

        Raises
        ------
        InvalidField
            A timestamp that is no plausible number of milliseconds.
        """
        at_ms = _checked_timestamp(self.__now_ms() if timestamp_ms is None else timestamp_ms)
        return _login(self.__slot, at_ms // 1000)

    def __repr__(self) -> str:
        environment = "demo" if self.demo else "live"
        return f"<Credential {self.name!r} for {self.host}, {environment}, fingerprint {self.fingerprint}>"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __dir__(self) -> list[str]:
        return ["demo", "fingerprint", "headers", "host", "login", "name"]

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a credential cannot be changed: it is bound to the host it was added for")

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)


@without_frames
def _signed(slot: Slot, timestamp_ms: int, target: str) -> SignedHeaders:
    triple = slot.triple
    return SignedHeaders(
        {
            "ACCESS-KEY": triple.api_key.value,
            "ACCESS-SIGN": SIGNATURES[slot.kind](triple.secret_key.value, prehash(timestamp_ms, "GET", target, "")),
            "ACCESS-TIMESTAMP": str(timestamp_ms),
            "ACCESS-PASSPHRASE": triple.passphrase.value,
            "Content-Type": "application/json",
        }
    )


@without_frames
def _login(slot: Slot, timestamp_s: int) -> Hidden[str]:
    triple = slot.triple
    return Hidden(
        json.dumps(
            {
                "op": "login",
                "args": [
                    {
                        "apiKey": triple.api_key.value,
                        "passphrase": triple.passphrase.value,
                        "timestamp": str(timestamp_s),
                        "sign": SIGNATURES[slot.kind](
                            triple.secret_key.value, prehash(timestamp_s, "GET", LOGIN_TARGET, "")
                        ),
                    }
                ],
            }
        )
    )


def _refuse_writes(method: object, body: object) -> None:
    if method != "GET":
        shown = f"{method[:16]!r}" if isinstance(method, str) else f"a method of type {type(method).__name__}"
        raise ReadOnlyRefusal(
            f"{shown} is not signed: this toolkit only reads, and signs GET requests alone; "
            "no code path of it can send an order or a transfer"
        )
    if body != "":
        raise ReadOnlyRefusal(
            "a GET request has no body, so one with a body is not signed; put parameters in the query"
        )


def _refuse_odd_target(target: object) -> None:
    if not isinstance(target, str):
        raise ReadOnlyRefusal(f"the target must be text such as '/api/v2/...', not {type(target).__name__}")
    if len(target) > MAX_TARGET_CHARACTERS:
        raise ReadOnlyRefusal(f"the target is longer than {MAX_TARGET_CHARACTERS} characters; ask for less at once")
    path, _, query = target.partition("?")
    if not _PATH.fullmatch(path) or ".." in path:
        raise ReadOnlyRefusal(
            f"the path {path[:80]!r} is not signed: it must start with '/api/' and be made of letters, digits and "
            ". _ ~ - alone (no scheme or host, no '..', no '//', no '%', no '#', no spaces)"
        )
    for position, character in enumerate(query, start=1):
        if kind := _UNSENDABLE.get(unicodedata.category(character)):
            raise ReadOnlyRefusal(f"the query has {kind} at position {position}; remove it")


def _checked_timestamp(timestamp_ms: int) -> int:
    if type(timestamp_ms) is not int or not 0 < timestamp_ms <= MAX_TIMESTAMP_MS:
        raise InvalidField("timestamp_ms must be a whole number of milliseconds since 1970", field="timestamp_ms")
    return timestamp_ms
