"""RSA keys: the exchange takes SHA256withRSA (PKCS#1 v1.5) in place of the HMAC; the private key is PKCS#8 PEM."""

from __future__ import annotations

import base64
import codecs
import re
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from vault.entries import HMAC_KIND, RSA_KIND, Triple
from vault.errors import InvalidField
from vault.fields import check_triple
from vault.hidden import Hidden, without_frames

MIN_BITS, MAX_BITS = 2048, 8192
MAX_PEM_CHARACTERS = 16 * 1024

_BEGIN = "-----BEGIN "
_PRIVATE_BLOCK = re.compile(r"-----BEGIN (?P<kind>[A-Z ]{0,20}PRIVATE KEY)-----.*?-----END (?P=kind)-----", re.DOTALL)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@without_frames
def accepted(triple: Triple) -> tuple[str, Triple]:
    """Return the kind of a key and its triple as it is stored, or refuse what was pasted wrongly.

    Raises
    ------
    InvalidField
        A field cannot be accepted; the message names it, never its value.
    """
    if not (isinstance(triple.secret_key.value, str) and _BEGIN in triple.secret_key.value):
        check_triple(triple)
        return HMAC_KIND, triple
    check_triple(Triple(triple.api_key, Hidden("-"), triple.passphrase))
    return RSA_KIND, Triple(triple.api_key, _checked_pem(triple.secret_key), triple.passphrase)


@without_frames
def private_key_file(path: Path) -> Hidden[str]:
    """Return the RSA private key in a file, as PKCS#8 PEM: PEM in UTF-8 or UTF-16, with or without a byte order mark
    and attributes before it, or DER.

    Raises
    ------
    InvalidField
        There is no unencrypted RSA private key in it; nothing of the file is in the message.
    """  # noqa: D205 - the formats are what the function is for
    if not stat.S_ISREG(path.stat().st_mode):
        raise InvalidField(f"{path} is not a regular file; give the file of the private key", field="secret_key")
    with path.open("rb") as file:
        raw = Hidden(file.read(MAX_PEM_CHARACTERS * 2 + 1))
    _refuse_several(_pem_text(raw), str(path))
    kept = _canonical_der(raw) or _canonical_pem(_pem_text(raw))
    if kept is None:
        raise InvalidField(
            f"{path} has no unencrypted RSA private key of {MIN_BITS} to {MAX_BITS} bits in it; convert it first: "
            f"openssl pkcs8 -topk8 -nocrypt -in {path.name}",
            field="secret_key",
        )
    return kept


def rsa_signature(private_key: str, text: str) -> str:
    """Return the base64 SHA256withRSA signature of a prehash text; the key was validated when it was added."""
    loaded = Hidden(load_pem_private_key(private_key.encode("ascii"), None, unsafe_skip_rsa_key_validation=True))
    assert isinstance(loaded.value, RSAPrivateKey)  # noqa: S101 -- `accepted` lets no other kind into a vault
    return base64.b64encode(loaded.value.sign(text.encode("utf-8"), PKCS1v15(), SHA256())).decode("ascii")


@without_frames
def _refuse_several(pem: Hidden[str], where: str) -> None:
    """Refuse a text with different private keys: which of them is meant is not guessed."""
    if len({match[0] for match in _PRIVATE_BLOCK.finditer(pem.value.replace("\\n", "\n"))}) > 1:
        raise InvalidField(f"{where} has more than one private key; give one alone", field="secret_key")


def _checked_pem(pem: Hidden[str]) -> Hidden[str]:
    _refuse_several(pem, "secret_key")
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
    if len(pem.value) > MAX_PEM_CHARACTERS:
        return None
    unfolded = Hidden(pem.value.replace("\\r", "").replace("\\n", "\n"))  # base64 has no backslash: these are line ends
    block = Hidden(_PRIVATE_BLOCK.search(unfolded.value))
    if block.value is None or not block.value[0].isascii():
        return None
    return _loaded(lambda: load_pem_private_key(block.value[0].encode("ascii"), None))  # type: ignore[index]


@without_frames
def _canonical_der(raw: Hidden[bytes]) -> Hidden[str] | None:
    return _loaded(lambda: load_der_private_key(raw.value, None)) if raw.value[:1] == b"\x30" else None


def _loaded(load: Callable[[], object]) -> Hidden[str] | None:
    try:
        loaded = Hidden(load())
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        return None
    if not isinstance(loaded.value, RSAPrivateKey) or not MIN_BITS <= loaded.value.key_size <= MAX_BITS:
        return None
    return Hidden(loaded.value.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"))


def _pem_text(raw: Hidden[bytes]) -> Hidden[str]:
    encoding = "utf-16" if raw.value.startswith(_UTF_16) else "utf-8-sig"
    return Hidden(raw.value.decode(encoding, errors="replace"))
