"""Who may come in: headers, clock, signature, passphrase, environment, address, account mode, permission.

The signature is computed here, with the standard library alone: the exchange must not share a bug with the signer
it judges. Order and codes follow the documentation's error pages; what only threads report is marked in the code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from bgresearch.catalogue import Endpoint
from bgresearch.sandbox.call import Refusal
from bgresearch.sandbox.messages import Request
from bgresearch.sandbox.traders.keys import SandboxKey

CLOCK_TOLERANCE_MS = 30_000  # common/signature-samaple/interaction

_RSA_EXPONENT = 65537
_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2, note 1
_API_KEY = re.compile(r"bg_[0-9a-f]{32}")
_TIMESTAMP = re.compile(r"[1-9][0-9]{12}")  # milliseconds; seconds are refused
_SECONDS = re.compile(r"[1-9][0-9]{9}")  # of a socket's login
_LOGIN = Request("GET", "/user/verify", {}, "")  # what a socket's login signs
_LEGACY_READING = {"readonly", "trade"}
_WRITING_TWIN = {"p2pr": ("p2p",)}  # the one code whose twin does not end in w


class KeyRing:
    """The keys an exchange knows, by API key.

    Parameters
    ----------
    keys : iterable of SandboxKey
        The triples.
    """

    def __init__(self, keys: Iterable[SandboxKey]) -> None:
        self._by_api_key = {key.api_key: key for key in keys}

    def authenticate(self, request: Request, headers: Mapping[str, str], now_ms: int) -> SandboxKey:
        """Return the key that signed this request.

        Parameters
        ----------
        request : Request
            As it came over the wire.
        headers : mapping of str to str
            Its headers with names in lower case.
        now_ms : int
            The exchange's clock.

        Raises
        ------
        Refusal
            With the exchange's code for the first check that fails.
        """
        _check_presence(headers)
        _check_content_type(headers)
        timestamp = headers["access-timestamp"]
        if not _TIMESTAMP.fullmatch(timestamp):
            raise Refusal("40005", "Invalid ACCESS_TIMESTAMP")
        if abs(int(timestamp) - now_ms) > CLOCK_TOLERANCE_MS:
            raise Refusal("40008", "Request timestamp expired")
        if not _API_KEY.fullmatch(headers["access-key"]):
            raise Refusal("40006", "Invalid ACCESS_KEY")
        key = self._by_api_key.get(headers["access-key"])
        if key is None:
            raise Refusal("40037", "Apikey does not exist")
        if not _is_signed(key, timestamp, request, headers["access-sign"]):
            raise Refusal("40009", "sign signature error")
        if not hmac.compare_digest(key.passphrase.encode(), headers["access-passphrase"].encode(errors="replace")):
            raise Refusal("40012", "apikey/password is incorrect")
        return key

    def log_in(self, given: Mapping[str, object], now_ms: int, *, address: str, demo: bool) -> SandboxKey:
        """Return the key that a socket's login message is signed with.

        Parameters
        ----------
        given : mapping
            The message's argument: apiKey, passphrase, timestamp in seconds, sign.
        now_ms : int
            The exchange's clock.
        address : str
            Where the connection came from.
        demo : bool
            Whether it came in through the demo environment.

        Raises
        ------
        Refusal
            30011 to 30015 for what is wrong with the argument; 40099 or 40018 for environment or address.
        """
        api_key, passphrase, timestamp, sign = (
            str(given.get(name) or "") for name in ("apiKey", "passphrase", "timestamp", "sign")
        )
        if not _SECONDS.fullmatch(timestamp):
            raise Refusal("30013", "Invalid ACCESS_TIMESTAMP")
        if abs(int(timestamp) * 1000 - now_ms) > CLOCK_TOLERANCE_MS:
            raise Refusal("30014", "Request timestamp expired")
        key = self._by_api_key.get(api_key)
        if key is None:
            raise Refusal("30011", "Invalid ACCESS_KEY")
        if not _is_signed(key, timestamp, _LOGIN, sign):
            raise Refusal("30015", "Invalid sign")
        if not hmac.compare_digest(key.passphrase.encode(), passphrase.encode(errors="replace")):
            raise Refusal("30012", "Invalid ACCESS_PASSPHRASE")
        if key.demo is not demo:
            raise Refusal("40099", "exchange environment is incorrect")
        if key.addresses and address not in key.addresses:
            raise Refusal("40018", "Invalid IP")
        return key


def signature(secret_key: str, timestamp: str, request: Request) -> str:
    """Return the ACCESS-SIGN that this request must carry.

    It covers timestamp, METHOD, path, ``?`` and the query **before** percent-encoding in the order sent, and the body.
    A signer that signs the encoded text differs as soon as there is anything to encode (``$``, spaces, non-ASCII).
    """
    digest = hmac.new(secret_key.encode(), _signed_text(timestamp, request), hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")


def has_rsa_signature(modulus: int, given: str, timestamp: str, request: Request) -> bool:
    """Return whether this ACCESS-SIGN is the SHA256withRSA signature (PKCS#1 v1.5, RFC 8017, 8.2.2) of the request."""
    try:
        signed = base64.b64decode(given, validate=True)
    except ValueError:
        return False
    size = (modulus.bit_length() + 7) // 8
    number = int.from_bytes(signed, "big")
    if len(signed) != size or number >= modulus:
        return False
    hashed = _SHA256_PREFIX + hashlib.sha256(_signed_text(timestamp, request)).digest()
    padded = b"\x00\x01" + b"\xff" * (size - len(hashed) - 3) + b"\x00" + hashed
    return pow(number, _RSA_EXPONENT, modulus).to_bytes(size, "big") == padded


def _is_signed(key: SandboxKey, timestamp: str, request: Request, given: str) -> bool:
    if key.rsa_modulus:
        return has_rsa_signature(key.rsa_modulus, given, timestamp, request)
    expected = signature(key.secret_key, timestamp, request)
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))


def _signed_text(timestamp: str, request: Request) -> bytes:
    path, _, query = request.target.partition("?")
    text = f"{timestamp}{request.method}{path}".encode()
    if query:
        text += b"?" + unquote_to_bytes(query)
    return text + request.body


def admit(endpoint: Endpoint, key: SandboxKey, mode: str, *, address: str, demo_header: str | None) -> None:
    """Let an authenticated key through to this row, or refuse it.

    Parameters
    ----------
    endpoint : Endpoint
        A private row.
    key : SandboxKey
        Who signed.
    mode : {"classic", "unified"}
        The account's mode: v2 rows serve classic accounts, v3 rows unified ones.
    address : str
        Where the connection came from.
    demo_header : str or None
        Value of ``paptrading``; documented is ``1`` alone, so any other is refused.

    Raises
    ------
    Refusal
        40099, 40018, 40085, 40084 or 40014, in this order.
    """
    if demo_header != ("1" if key.demo else None):
        raise Refusal("40099", "exchange environment is incorrect")
    if key.addresses and address not in key.addresses:
        raise Refusal("40018", "Invalid IP")
    if endpoint.version == "v2" and mode == "unified":
        raise Refusal(
            "40085", "You are in Unified Account mode, and the Classic Account API is not supported at this time"
        )
    if endpoint.version == "v3" and mode == "classic":
        raise Refusal("40084", "You are in Classic Account mode, and the Unified Account API is not supported")
    if not permits(key, endpoint.permission):
        raise Refusal("40014", f"Incorrect permissions, need {endpoint.permission} permissions")


def permits(key: SandboxKey, permission: str) -> bool:
    """Return whether the key's authorities cover what a row asks for.

    v2: the reading code, its writing twin, or a legacy coarse code. v3: the named permission, and for
    ``:read_write`` a key of type read-and-write (two rows ask for that although they only read).
    """
    if permission in ("any", "public"):
        return True
    name, colon, access = permission.partition(":")
    if colon:
        return name in key.authorities and (access == "read" or key.perm_type == "read-and-write")
    twins = _WRITING_TWIN.get(name, (name[:-1] + "w",))
    return not {name, *twins, *_LEGACY_READING}.isdisjoint(key.authorities)


def _check_presence(headers: Mapping[str, str]) -> None:
    """Refuse missing headers one by one; no credentials at all is 40006 (seen in a thread, not documented)."""
    names = ("access-key", "access-sign", "access-timestamp", "access-passphrase")
    if not any(name in headers for name in names):
        raise Refusal("40006", "Invalid ACCESS_KEY")
    if not headers.get("access-key"):
        raise Refusal("40001", "ACCESS_KEY cannot be empty")
    if "access-sign" not in headers:
        raise Refusal("40002", "ACCESS_SIGN cannot be empty")
    if not headers["access-sign"]:
        raise Refusal("40003", "Signature cannot be empty")
    if not headers.get("access-timestamp"):
        raise Refusal("40005", "Invalid ACCESS_TIMESTAMP")
    if not headers.get("access-passphrase"):
        raise Refusal("40011", "ACCESS_PASSPHRASE cannot be empty")


def _check_content_type(headers: Mapping[str, str]) -> None:
    """Refuse another type than JSON; a GET without any passes (known clients send none with a GET)."""
    content_type = headers.get("content-type")
    if content_type is not None and content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refusal("40007", "Invalid Content_Type")
