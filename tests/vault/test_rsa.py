from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from vault import Checked, InvalidField, Vault, loopback_credential
from vault.credential import prehash

TARGET = "/api/v2/spot/account/assets?coin=$ALT 币"


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any, form: PrivateFormat = PrivateFormat.PKCS8, encryption: Any = None) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())
    return text.decode()


def check_signature(private_key: rsa.RSAPrivateKey, headers: dict[str, str]) -> None:
    text = prehash(int(headers["ACCESS-TIMESTAMP"]), "GET", TARGET, "")
    signed = base64.b64decode(headers["ACCESS-SIGN"])
    private_key.public_key().verify(signed, text.encode(), PKCS1v15(), SHA256())


def test_an_rsa_key_signs_what_its_public_key_verifies(
    vault: Vault, private_key: rsa.RSAPrivateKey, opened: Callable[..., Vault], path: Path
) -> None:
    vault.add("rsa", api_key="bg_rsa", secret_key=pem(private_key), passphrase="Orchard Lane")
    credential = opened(path).get("rsa")
    check_signature(private_key, credential.headers("GET", TARGET))
    assert next(info.kind for info in vault.describe() if info.label == "rsa") == "rsa"
    assert "PRIVATE" not in repr(credential)


@pytest.mark.parametrize("around", ["{}", "\n\n{}\n", "{}\n\n"])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_the_usual_spellings_of_the_key_are_taken(
    vault: Vault, private_key: rsa.RSAPrivateKey, form: PrivateFormat, around: str
) -> None:
    text = around.format(pem(private_key, form).replace("\n", "\r\n" if "\n\n{" in around else "\n"))
    vault.add("rsa", api_key="bg_rsa", secret_key=text, passphrase="Orchard Lane")
    check_signature(private_key, vault.get("rsa").headers("GET", TARGET))


def test_what_is_no_whole_rsa_key_is_refused_and_not_shown(
    vault: Vault, private_key: rsa.RSAPrivateKey, path: Path
) -> None:
    whole = pem(private_key)
    lines = whole.splitlines(keepends=True)
    odd = {
        "cut": whole[:-200],
        "line missing": "".join(lines[:5] + lines[6:]),
        "public": private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "encrypted": pem(private_key, encryption=BestAvailableEncryption(b"x")),
        "small": pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505 -- refused
        "elliptic": pem(ec.generate_private_key(ec.SECP256R1())),
        "non-ASCII": whole.replace("\n", "\u00a0\n", 2),
        "huge": whole + " " * 20_000 + "x",
        "header alone": "-----BEGIN PRIVATE KEY-----",
    }
    before = path.read_bytes()
    for text in odd.values():
        with pytest.raises(InvalidField, match="secret_key looks like PEM") as refusal:
            vault.add("rsa", api_key="bg_rsa", secret_key=text, passphrase="Orchard Lane")
        assert (refusal.value.field, refusal.value.__cause__) == ("secret_key", None)
        assert lines[3].strip() not in str(refusal.value)
    assert path.read_bytes() == before


def test_a_key_rotates_from_hmac_to_rsa(vault: Vault, private_key: rsa.RSAPrivateKey) -> None:
    vault.rotate(
        "research", api_key="bg_rsa", secret_key=pem(private_key), passphrase="Orchard Lane",
        check=lambda credential: Checked("read-only") if check_signature(
            private_key, credential.headers("GET", TARGET)
        ) is None else Checked("wrong"),
    )  # fmt: skip
    assert next(info.kind for info in vault.describe() if info.label == "research") == "rsa"


def test_a_throw_away_credential_signs_with_rsa_too(private_key: rsa.RSAPrivateKey) -> None:
    credential = loopback_credential(
        "sandbox", api_key="bg", secret_key=pem(private_key), passphrase="p", host="http://localhost:1"
    )
    check_signature(private_key, credential.headers("GET", TARGET))
