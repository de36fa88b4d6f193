"""A key that signs with RSA: the exchange has its public half alone."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bgresearch.sandbox import SANDBOX_KEYS, Exchange, Request
from vault import Credential, loopback_credential

TARGET = "/api/v2/spot/account/assets?coin=BTC"
READONLY = SANDBOX_KEYS["readonly"]


@pytest.fixture(scope="module")
def credential_and_exchange() -> tuple[Credential, Exchange]:
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    modulus = private_key.public_key().public_numbers().n
    key = dataclasses.replace(READONLY, secret_key="", rsa_modulus=modulus)
    exchange = Exchange(keys=[key])
    credential = loopback_credential(
        "rsa", api_key=key.api_key, secret_key=pem, passphrase=key.passphrase, host="http://127.0.0.1:1",
        now_ms=exchange.clock.now_ms,
    )  # fmt: skip
    return credential, exchange


def code(exchange: Exchange, headers: dict[str, str], target: str = TARGET) -> int:
    request = Request("GET", target, headers, address="127.0.0.1", body=b"")
    return exchange.handle(request).status


def test_an_rsa_signature_opens_a_private_row(credential_and_exchange: tuple[Credential, Exchange]) -> None:
    credential, exchange = credential_and_exchange
    assert code(exchange, dict(credential.headers("GET", TARGET))) == 200


def test_any_other_signature_does_not(credential_and_exchange: tuple[Credential, Exchange]) -> None:
    credential, exchange = credential_and_exchange
    right = dict(credential.headers("GET", TARGET))
    signed = bytearray(base64.b64decode(right["ACCESS-SIGN"]))
    signed[7] ^= 1
    for wrong in (base64.b64encode(signed).decode(), right["ACCESS-SIGN"][:-4], "AAAA", "no base64", "/" * 344):
        assert code(exchange, {**right, "ACCESS-SIGN": wrong}) == 400
    assert code(exchange, right, TARGET.replace("BTC", "ETH")) == 400
