"""Sealed boxes: what a person types in a browser, encrypted there for the one process that may read it.

X25519 between a fresh key of the sender and the key of this intake, HKDF-SHA256, AES-256-GCM. What the box is for
(label, names of the fields, expiry, one-time nonce, both public keys) is its associated data, so a box opens once,
in time, and for that alone. Every parameter is one that WebCrypto has; docs/security.md lists them for other sealers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.contents import Surroundings
from vault.entries import SECRET_FIELDS
from vault.errors import BoxRefused, InvalidField
from vault.fields import checked_name
from vault.hidden import Hidden, NoCopies, without_frames

VERSION = 1
SALT = b"bgresearch sealed box v1: salt"
INFO = b"bgresearch sealed box v1: AES-256-GCM key"
REPLY_INFO = b"bgresearch sealed box v1: reply key"
KEY_BYTES = 32  # AES-256, and a raw X25519 key
NONCE_BYTES = 16
IV_BYTES = 12
MAX_TTL_S = 900
MAX_OPEN_OFFERS = 64
MAX_CIPHERTEXT_CHARACTERS = 16 * 1024  # base64; a key triple needs far less

Offer = dict[str, Any]
Box = dict[str, Any]

_OFFER_NAMES = {"version", "public_key", "nonce", "label", "fields", "expires_ms"}
_BOX_NAMES = {"version", "nonce", "public_key", "iv", "ciphertext"}
_REPLY_NAMES = {"version", "iv", "ciphertext"}
_BOX_LINE, _REPLY_LINE = f"bgresearch sealed box v{VERSION}", f"bgresearch sealed reply v{VERSION}"


class Intake(NoCopies):
    """The receiving side: gives out offers, opens each one's box once; its key lives as long as the object.

    Parameters
    ----------
    surroundings : Surroundings, optional
        Clock and randomness for tests.

    Attributes
    ----------
    fingerprint : str
        Hash of its public key in five groups of four hex digits, to be compared by eye with what the form shows.

    Examples
    --------
    >>> intake = Intake()
    >>> offer = intake.offer("research", 300)
    >>> box = seal_box(offer, {"api_key": "k", "secret_key": "s", "passphrase": "p"})   # in the browser, usually
    >>> sorted(intake.open(box))
    ['api_key', 'passphrase', 'secret_key']
    """

    __slots__ = ("__key", "__offers", "__surroundings", "__weakref__")

    def __init__(self, surroundings: Surroundings | None = None) -> None:
        self.__surroundings = surroundings or Surroundings()
        self.__key = Hidden(X25519PrivateKey.from_private_bytes(self.__surroundings.random_bytes(KEY_BYTES)))
        self.__offers: dict[str, Offer] = {}

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(_encoded(self.__public_key()))

    def offer(self, label: str, ttl_s: int, *, fields: tuple[str, ...] = SECRET_FIELDS) -> Offer:
        """Return what a sealer needs, ready for JSON; nothing in it is secret.

        Parameters
        ----------
        label : str
            What is being asked for, for example the name of the new key.
        ttl_s : int
            How long the box is accepted, 1 to 900 s.
        fields : tuple of str
            The texts that the box must hold, no more and no fewer.

        Raises
        ------
        InvalidField
            A label, a lifetime or field names that cannot be accepted.
        BoxRefused
            Too many offers are open; wait until one expires.
        """
        if type(ttl_s) is not int or not 1 <= ttl_s <= MAX_TTL_S:
            raise InvalidField(f"ttl_s must be a whole number of seconds from 1 to {MAX_TTL_S}", field="ttl_s")
        if not fields or not all(name.isidentifier() and name.isascii() for name in fields):
            raise InvalidField("fields must be names such as 'api_key'", field="fields")
        now_ms = self.__surroundings.now_ms()
        self.__offers = {nonce: one for nonce, one in self.__offers.items() if one["expires_ms"] > now_ms}
        if len(self.__offers) >= MAX_OPEN_OFFERS:
            raise BoxRefused(f"{MAX_OPEN_OFFERS} offers are open already; use one, or wait until they expire")
        nonce = _encoded(self.__surroundings.random_bytes(NONCE_BYTES))
        self.__offers[nonce] = {
            "version": VERSION,
            "public_key": _encoded(self.__public_key()),
            "nonce": nonce,
            "label": checked_name(label),
            "fields": list(fields),
            "expires_ms": now_ms + ttl_s * 1000,
        }
        return {**self.__offers[nonce], "fields": list(fields)}

    def withdraw(self, nonce: str) -> None:
        """Take an offer back; one that is gone already is no error."""
        self.__offers.pop(nonce, None)

    def open(self, box: Mapping[str, Any]) -> dict[str, Hidden[str]]:
        """Return the texts in a box by field, each hidden; its nonce is used up by trying.

        Raises
        ------
        BoxRefused
            Malformed, expired, opened or tried before, sealed for another intake, another label or other fields.
        """
        return self.open_to_reply(box)[0]

    def open_to_reply(self, box: Mapping[str, Any]) -> tuple[dict[str, Hidden[str]], Reply]:
        """Return the same as `open`, and what seals a reply for the sender of the box alone."""
        parts = _parsed_box(box)
        offer = self.__offers.pop(box["nonce"], None)
        if offer is None:
            raise BoxRefused(
                "this box answers no open offer: it was used already, or the process that made the offer has ended; "
                "ask for a new one and type the texts again"
            )
        if self.__surroundings.now_ms() >= offer["expires_ms"]:
            raise BoxRefused("this box came too late: its offer has expired; ask for a new one")
        opened = _decrypted(self.__key, parts, _associated_data(offer, box["public_key"]), offer["fields"])
        if opened is None:
            raise BoxRefused(
                "this box does not open: it was sealed for another process, another label or other fields, or was "
                "changed on its way; ask for a new offer"
            )
        bound = _associated_data(offer, box["public_key"], first=_REPLY_LINE)
        return opened, Reply(_shared_key(self.__key, parts.public_key, REPLY_INFO), bound, self.__surroundings)

    def __repr__(self) -> str:
        return f"<Intake {self.fingerprint}, open offers: {len(self.__offers)}>"

    def __public_key(self) -> bytes:
        return self.__key.value.public_key().public_bytes_raw()


class Reply(NoCopies):
    """Seals one reply for the sender of a box, who still has its one-time key; `Intake.open_to_reply` makes it."""

    __slots__ = ("__bound", "__key", "__surroundings")

    def __init__(self, key: Hidden[bytes] | None, bound: bytes, surroundings: Surroundings) -> None:
        self.__key, self.__bound, self.__surroundings = key, bound, surroundings

    def seal(self, fields: Mapping[str, Hidden[str]]) -> Box:
        """Return the box with these texts; works once, as the key is gone then."""
        key, self.__key = self.__key, None
        if key is None:
            raise BoxRefused("a reply was sealed already; have the box typed and sealed again")
        return _sealed_reply(key, fields, self.__bound, self.__surroundings.random_bytes(IV_BYTES))

    def __repr__(self) -> str:
        return "<Reply>"


def fingerprint_of(public_key: str) -> str:
    """Return the fingerprint of an offer's public key, for the sealing side."""
    hexadecimal = hashlib.sha256(b"bgresearch intake " + _decoded(public_key, KEY_BYTES)).hexdigest()
    return "-".join(hexadecimal[at : at + 4] for at in range(0, 20, 4))


def seal_box(offer: Mapping[str, Any], fields: Mapping[str, str], *, private_key: bytes | None = None) -> Box:
    """Return the box that answers an offer: what the browser's form does, for terminals and tests.

    Parameters
    ----------
    offer : mapping
        As `Intake.offer` gave it.
    fields : mapping of str to str
        Exactly the texts that the offer names.
    private_key : bytes, optional
        The sender's one-time key; random if not given. For test vectors.

    Raises
    ------
    BoxRefused
        The offer is malformed, or the texts are not those it names; no value is in the message.
    """
    held = Hidden(fields)
    del fields
    if set(offer) != _OFFER_NAMES or offer["version"] != VERSION or set(held.value) != set(offer["fields"]):
        raise BoxRefused("the offer is not one of this version, or names other fields than were given")
    content = Hidden(json.dumps(dict(held.value), ensure_ascii=False).encode("utf-8"))
    return sealed_content(offer, content, private_key or secrets.token_bytes(KEY_BYTES))


@without_frames
def open_reply(
    offer: Mapping[str, Any], reply: Mapping[str, Any], *, private_key: Hidden[bytes]
) -> dict[str, Hidden[str]]:
    """Return the texts in the reply to a box: what the browser's form does, for terminals and tests.

    Parameters
    ----------
    offer : mapping
        The one that the box answered.
    reply : mapping
        What came back.
    private_key : Hidden bytes
        The one-time key that the box was sealed with.

    Raises
    ------
    BoxRefused
        Malformed, or not the reply to that box.
    """
    if not isinstance(reply, Mapping) or set(reply) != _REPLY_NAMES or type(reply["version"]) is not int:
        raise BoxRefused("this is not a sealed reply: it has missing or unknown fields")
    if reply["version"] != VERSION:
        raise BoxRefused(f"this reply is not of version {VERSION}; update the older side")
    own = Hidden(X25519PrivateKey.from_private_bytes(private_key.value))
    sender = _encoded(own.value.public_key().public_bytes_raw())
    shared = _shared_key(own, _decoded(offer["public_key"], KEY_BYTES), REPLY_INFO)
    bound = _associated_data(offer, sender, first=_REPLY_LINE)
    parts = _Parts(b"", _decoded(reply["iv"], IV_BYTES), _decoded(reply["ciphertext"]))
    opened = None if shared is None else _texts_in(shared, parts, bound)
    if opened is None:
        raise BoxRefused("this reply does not open: it answers another box, or was changed on its way")
    return opened


def sealed_content(offer: Mapping[str, Any], content: Hidden[bytes], private_key: bytes) -> Box:
    """Return the box around these bytes; the one-time private key also gives the IV, so it must never be used twice."""
    sender = Hidden(X25519PrivateKey.from_private_bytes(private_key))
    public_key = _encoded(sender.value.public_key().public_bytes_raw())
    iv = hashlib.sha256(b"bgresearch sealed box iv " + private_key).digest()[:IV_BYTES]
    del private_key
    shared = _shared_key(sender, _decoded(offer["public_key"], KEY_BYTES))
    if shared is None:
        raise BoxRefused("the offer's public key is not a usable one")
    ciphertext = AESGCM(shared.value).encrypt(iv, content.value, _associated_data(offer, public_key))
    named = {"version": VERSION, "nonce": offer["nonce"], "public_key": public_key}
    return {**named, "iv": _encoded(iv), "ciphertext": _encoded(ciphertext)}


@dataclass(frozen=True, slots=True)
class _Parts:
    public_key: bytes
    iv: bytes
    ciphertext: bytes


def _parsed_box(box: object) -> _Parts:
    if not isinstance(box, Mapping) or set(box) != _BOX_NAMES or type(box["version"]) is not int:
        raise BoxRefused("this is not a sealed box: it has missing or unknown fields")
    if box["version"] != VERSION:
        raise BoxRefused(f"this box is not of version {VERSION}; update the older side")
    _decoded(box["nonce"], NONCE_BYTES)
    return _Parts(_decoded(box["public_key"], KEY_BYTES), _decoded(box["iv"], IV_BYTES), _decoded(box["ciphertext"]))


def _associated_data(offer: Mapping[str, Any], sender: str, *, first: str = _BOX_LINE) -> bytes:
    """Return what a box is bound to: lines of text; a label has no line break, so there is one reading."""
    fields = ",".join(offer["fields"])
    lines = (offer["public_key"], sender, offer["nonce"], str(offer["expires_ms"]), fields, offer["label"])
    return "\n".join((first, *lines)).encode("utf-8")


@without_frames
def _shared_key(own: Hidden[X25519PrivateKey], other: bytes, info: bytes = INFO) -> Hidden[bytes] | None:
    try:
        agreed = Hidden(own.value.exchange(X25519PublicKey.from_public_bytes(other)))
    except ValueError:  # a point of low order: the result would be all zeros
        return None
    return Hidden(HKDF(SHA256(), KEY_BYTES, salt=SALT, info=info).derive(agreed.value))


@without_frames
def _sealed_reply(key: Hidden[bytes], fields: Mapping[str, Hidden[str]], bound: bytes, iv: bytes) -> Box:
    content = Hidden(json.dumps({name: text.value for name, text in fields.items()}, ensure_ascii=False).encode())
    ciphertext = AESGCM(key.value).encrypt(iv, content.value, bound)
    return {"version": VERSION, "iv": _encoded(iv), "ciphertext": _encoded(ciphertext)}


def _decrypted(
    key: Hidden[X25519PrivateKey], parts: _Parts, bound: bytes, fields: Sequence[str]
) -> dict[str, Hidden[str]] | None:
    """Return the texts, or None; never raises, as a JSON error would carry them."""
    shared = _shared_key(key, parts.public_key)
    opened = None if shared is None else _texts_in(shared, parts, bound)
    return opened if opened is not None and set(opened) == set(fields) else None


@without_frames
def _texts_in(shared: Hidden[bytes], parts: _Parts, bound: bytes) -> dict[str, Hidden[str]] | None:
    try:
        content = Hidden(json.loads(AESGCM(shared.value).decrypt(parts.iv, parts.ciphertext, bound)))
    except (InvalidTag, ValueError, RecursionError):
        return None
    if not isinstance(content.value, dict) or not all(isinstance(text, str) for text in content.value.values()):
        return None
    return {name: Hidden(text) for name, text in content.value.items()}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _decoded(text: object, length: int | None = None) -> bytes:
    """Return base64url without padding as bytes; one spelling only."""
    if isinstance(text, str) and len(text) <= MAX_CIPHERTEXT_CHARACTERS and text.isascii():
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            data = b""
        if data and _encoded(data) == text and length in {None, len(data)}:
            return data
    raise BoxRefused("a part of the sealed box is malformed")
