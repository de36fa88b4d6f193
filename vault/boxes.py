"""How a sealed box and a reply to it are made of bytes: parameters, keys, what they are bound to. See intake.py.

Every parameter is one that WebCrypto has; docs/security.md lists them for other sealers.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vault.errors import BoxRefused
from vault.hidden import Hidden, without_frames

VERSION = 1
SALT = b"bgresearch sealed box v1: salt"
INFO = b"bgresearch sealed box v1: AES-256-GCM key"
REPLY_INFO = b"bgresearch sealed box v1: reply key"
KEY_BYTES = 32  # AES-256, and a raw X25519 key
NONCE_BYTES = 16
IV_BYTES = 12
MAX_CIPHERTEXT_CHARACTERS = 16 * 1024  # base64; a key triple needs far less
OFFER_NAMES = {"version", "public_key", "nonce", "label", "fields", "expires_ms"}
BOX_NAMES = {"version", "nonce", "public_key", "iv", "ciphertext"}
REPLY_NAMES = {"version", "iv", "ciphertext"}
BOX_LINE, REPLY_LINE = f"bgresearch sealed box v{VERSION}", f"bgresearch sealed reply v{VERSION}"


@dataclass(frozen=True, slots=True)
class Parts:
    """A box as bytes; a reply has no public key."""

    public_key: bytes
    iv: bytes
    ciphertext: bytes


def parsed_box(box: object) -> Parts:
    """Return the bytes of a box, or raise `BoxRefused`."""
    if not isinstance(box, Mapping) or set(box) != BOX_NAMES or type(box["version"]) is not int:
        raise BoxRefused("this is not a sealed box: it has missing or unknown fields")
    if box["version"] != VERSION:
        raise BoxRefused(f"this box is not of version {VERSION}; update the older side")
    decoded(box["nonce"], NONCE_BYTES)
    return Parts(decoded(box["public_key"], KEY_BYTES), decoded(box["iv"], IV_BYTES), decoded(box["ciphertext"]))


def parsed_reply(reply: object) -> Parts:
    """Return the bytes of a reply, or raise `BoxRefused`."""
    if not isinstance(reply, Mapping) or set(reply) != REPLY_NAMES or type(reply["version"]) is not int:
        raise BoxRefused("this is not a sealed reply: it has missing or unknown fields")
    if reply["version"] != VERSION:
        raise BoxRefused(f"this reply is not of version {VERSION}; update the older side")
    return Parts(b"", decoded(reply["iv"], IV_BYTES), decoded(reply["ciphertext"]))


def associated_data(offer: Mapping[str, Any], sender: str, *, first: str = BOX_LINE) -> bytes:
    """Return what a box is bound to: lines of text; a label has no line break, so there is one reading."""
    fields = ",".join(offer["fields"])
    lines = (offer["public_key"], sender, offer["nonce"], str(offer["expires_ms"]), fields, offer["label"])
    return "\n".join((first, *lines)).encode("utf-8")


@without_frames
def shared_key(own: Hidden[X25519PrivateKey], other: bytes, info: bytes = INFO) -> Hidden[bytes] | None:
    """Return what both sides derive, None for a point of low order."""
    try:
        agreed = Hidden(own.value.exchange(X25519PublicKey.from_public_bytes(other)))
    except ValueError:  # a point of low order: the result would be all zeros
        return None
    return Hidden(HKDF(SHA256(), KEY_BYTES, salt=SALT, info=info).derive(agreed.value))


@without_frames
def sealed_reply(key: Hidden[bytes], fields: Mapping[str, Hidden[str]], bound: bytes, iv: bytes) -> dict[str, Any]:
    """Return the reply with these texts."""
    content = Hidden(json.dumps({name: text.value for name, text in fields.items()}, ensure_ascii=False).encode())
    ciphertext = AESGCM(key.value).encrypt(iv, content.value, bound)
    return {"version": VERSION, "iv": encoded(iv), "ciphertext": encoded(ciphertext)}


@without_frames
def content_of(fields: Hidden[Mapping[str, str]]) -> Hidden[bytes] | None:
    """Return the texts as JSON, or None; never raises, as the error would carry them."""
    try:
        return Hidden(json.dumps(dict(fields.value), ensure_ascii=False).encode("utf-8"))
    except UnicodeEncodeError:
        return None


def decrypted(
    key: Hidden[X25519PrivateKey], parts: Parts, bound: bytes, fields: Sequence[str]
) -> dict[str, Hidden[str]] | None:
    """Return the texts, or None; never raises, as a JSON error would carry them."""
    shared = shared_key(key, parts.public_key)
    opened = None if shared is None else texts_in(shared, parts, bound)
    return opened if opened is not None and set(opened) == set(fields) else None


@without_frames
def texts_in(shared: Hidden[bytes], parts: Parts, bound: bytes) -> dict[str, Hidden[str]] | None:
    """Return the texts in a box or a reply, or None; never raises, as a JSON error would carry them."""
    try:
        content = Hidden(json.loads(AESGCM(shared.value).decrypt(parts.iv, parts.ciphertext, bound)))
    except (InvalidTag, ValueError, RecursionError):
        return None
    if not isinstance(content.value, dict) or not all(isinstance(text, str) for text in content.value.values()):
        return None
    return {name: Hidden(text) for name, text in content.value.items()}


def encoded(data: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def decoded(text: object, length: int | None = None) -> bytes:
    """Return base64url without padding as bytes; one spelling only."""
    if isinstance(text, str) and len(text) <= MAX_CIPHERTEXT_CHARACTERS and text.isascii():
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            data = b""
        if data and encoded(data) == text and length in {None, len(data)}:
            return data
    raise BoxRefused("a part of the sealed box is malformed")
