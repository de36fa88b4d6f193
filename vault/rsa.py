"""RSA keys: the exchange takes SHA256withRSA (PKCS#1 v1.5) in place of the HMAC; the private key is PKCS#8 PEM."""

from __future__ import annotations

import base64

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from vault.entries import HMAC_KIND, RSA_KIND, Triple
from vault.errors import InvalidField
from vault.fields import check_triple
from vault.hidden import Hidden, without_frames

MIN_BITS, MAX_BITS = 2048, 8192
MAX_PEM_CHARACTERS = 16 * 1024

_BEGIN = "-----BEGIN "


@without_frames
def accepted(triple: Triple) -> tuple[str, Triple]:
    """Return the kind of a key and its triple as it is kept, or refuse what was pasted wrongly.

    Raises
    ------
    InvalidField
        A field cannot be accepted; the message names it, never its value.
    """
    if not (isinstance(triple.secret_key.value, str) and triple.secret_key.value.lstrip().startswith(_BEGIN)):
        check_triple(triple)
        return HMAC_KIND, triple
    check_triple(Triple(triple.api_key, Hidden("-"), triple.passphrase))
    return RSA_KIND, Triple(triple.api_key, _checked_pem(triple.secret_key), triple.passphrase)


def rsa_signature(private_key: str, text: str) -> str:
    """Return the base64 SHA256withRSA signature of a prehash text; the key was validated when it was added."""
    loaded = Hidden(load_pem_private_key(private_key.encode("ascii"), None, unsafe_skip_rsa_key_validation=True))
    assert isinstance(loaded.value, RSAPrivateKey)  # noqa: S101 -- `accepted` lets no other kind into a vault
    return base64.b64encode(loaded.value.sign(text.encode("utf-8"), PKCS1v15(), SHA256())).decode("ascii")


def _checked_pem(pem: Hidden[str]) -> Hidden[str]:
    kept = _canonical_pem(pem)
    if kept is None:
        raise InvalidField(
            f"secret_key looks like PEM, but is no whole, unencrypted RSA private key of {MIN_BITS} to {MAX_BITS} bits;"
            " paste it with its BEGIN and END lines (PKCS#8: openssl pkcs8 -topk8 -nocrypt)",
            field="secret_key",
        )
    return kept


@without_frames
def _canonical_pem(pem: Hidden[str]) -> Hidden[str] | None:
    """Return the key as PKCS#8, or None; never raises, as it sees the key."""
    if len(pem.value) > MAX_PEM_CHARACTERS or not pem.value.isascii():
        return None
    try:
        loaded = Hidden(load_pem_private_key(pem.value.strip().encode("ascii"), None))
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        return None
    if not isinstance(loaded.value, RSAPrivateKey) or not MIN_BITS <= loaded.value.key_size <= MAX_BITS:
        return None
    return Hidden(loaded.value.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"))
