"""Sealed boxes: what a person types in a browser, encrypted there for the one process that may read it.

X25519 between a fresh key of the sender and the key of this intake, HKDF-SHA256, AES-256-GCM. What the box is for
(label, names of the fields, expiry, one-time nonce, both public keys) is its associated data, so a box opens once,
in time, and for that alone. Every parameter is one that WebCrypto has; docs/security.md lists them for other sealers.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.boxes import (
    IV_BYTES,
    KEY_BYTES,
    NONCE_BYTES,
    OFFER_NAMES,
    REPLY_INFO,
    REPLY_LINE,
    VERSION,
    associated_data,
    content_of,
    decoded,
    decrypted,
    encoded,
    parsed_box,
    parsed_reply,
    sealed_reply,
    shared_key,
    texts_in,
)
from vault.contents import Surroundings
from vault.entries import SECRET_FIELDS
from vault.errors import BoxRefused, InvalidField
from vault.fields import checked_name
from vault.hidden import Hidden, NoCopies, without_frames

MAX_TTL_S = 900
MAX_OPEN_OFFERS = 64

Offer = dict[str, Any]
Box = dict[str, Any]


class Intake(NoCopies):
    """The receiving side: issues offers, opens each one's box once; its key lives as long as the object.

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
        return fingerprint_of(encoded(self.__public_key()))

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
        nonce = encoded(self.__surroundings.random_bytes(NONCE_BYTES))
        self.__offers[nonce] = {
            "version": VERSION,
            "public_key": encoded(self.__public_key()),
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
        parts = parsed_box(box)
        offer = self.__offers.pop(box["nonce"], None)
        if offer is None:
            raise BoxRefused(
                "this box answers no open offer: it was used already, or the process that made the offer has ended; "
                "ask for a new one and type the texts again"
            )
        if self.__surroundings.now_ms() >= offer["expires_ms"]:
            raise BoxRefused("this box arrived too late: its offer has expired; ask for a new one")
        opened = decrypted(self.__key, parts, associated_data(offer, box["public_key"]), offer["fields"])
        if opened is None:
            raise BoxRefused(
                "this box does not open: it was sealed for another process, another label or other fields, or was "
                "changed on its way; ask for a new offer"
            )
        bound = associated_data(offer, box["public_key"], first=REPLY_LINE)
        return opened, Reply(shared_key(self.__key, parts.public_key, REPLY_INFO), bound, self.__surroundings)

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
        return sealed_reply(key, fields, self.__bound, self.__surroundings.random_bytes(IV_BYTES))

    def __repr__(self) -> str:
        return "<Reply>"


def fingerprint_of(public_key: str) -> str:
    """Return the fingerprint of an offer's public key, for the sealing side."""
    hexadecimal = hashlib.sha256(b"bgresearch intake " + decoded(public_key, KEY_BYTES)).hexdigest()
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
    held, key = Hidden(fields), Hidden(private_key or secrets.token_bytes(KEY_BYTES))
    del fields, private_key
    if set(offer) != OFFER_NAMES or offer["version"] != VERSION or set(held.value) != set(offer["fields"]):
        raise BoxRefused("the offer is not one of this version, or names other fields than were given")
    content = content_of(held)
    if content is None:
        raise BoxRefused("a text has half a character (a surrogate) in it; type it again")
    return sealed_content(offer, content, key)


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
        The reply that was received.
    private_key : Hidden bytes
        The one-time key that the box was sealed with.

    Raises
    ------
    BoxRefused
        Malformed, or not the reply to that box.
    """
    parts = parsed_reply(reply)
    own = Hidden(X25519PrivateKey.from_private_bytes(private_key.value))
    sender = encoded(own.value.public_key().public_bytes_raw())
    shared = shared_key(own, decoded(offer["public_key"], KEY_BYTES), REPLY_INFO)
    bound = associated_data(offer, sender, first=REPLY_LINE)
    opened = None if shared is None else texts_in(shared, parts, bound)
    if opened is None:
        raise BoxRefused("this reply does not open: it answers another box, or was changed on its way")
    return opened


@without_frames
def sealed_content(offer: Mapping[str, Any], content: Hidden[bytes], private_key: Hidden[bytes]) -> Box:
    """Return the box around these bytes; the one-time private key also gives the IV, so it must never be used twice."""
    sender = Hidden(X25519PrivateKey.from_private_bytes(private_key.value))
    public_key = encoded(sender.value.public_key().public_bytes_raw())
    iv = hashlib.sha256(b"bgresearch sealed box iv " + private_key.value).digest()[:IV_BYTES]
    shared = shared_key(sender, decoded(offer["public_key"], KEY_BYTES))
    if shared is None:
        raise BoxRefused("the offer's public key is not a usable one")
    ciphertext = AESGCM(shared.value).encrypt(iv, content.value, associated_data(offer, public_key))
    named = {"version": VERSION, "nonce": offer["nonce"], "public_key": public_key}
    return {**named, "iv": encoded(iv), "ciphertext": encoded(ciphertext)}
