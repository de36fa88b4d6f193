"""The search for the vault's own secrets: every form is found, nothing is reported."""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from vault import Searcher, Vault

CHANCE = random.Random(3)  # noqa: S311 -- fills files
NOISE = bytes(CHANCE.randrange(256) for _ in range(5000))
ODD = {"api_key": "bg_odd/key+1", "secret_key": 'a"b/c+d\\e=f&g', "passphrase": "Orchard Lane / 42"}


def escaped(text: str) -> bytes:
    return json.dumps(text)[1:-1].encode()


FORMS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "UTF-16 little-endian": lambda text: text.encode("utf-16-le"),
    "UTF-16 big-endian": lambda text: text.encode("utf-16-be"),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 one behind": lambda text: base64.b64encode(b"x" + text.encode() + b"yz"),
    "base64 two behind": lambda text: base64.b64encode(b"{'" + text.encode() + b"'}"),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(b"%%" + text.encode()),
    "base64 of a header": lambda text: base64.b64encode(f"user:{text}".encode()),
    "URL-encoded": lambda text: quote(text, safe="").encode(),
    "url-encoded": lambda text: re.sub("%..", lambda at: at[0].lower(), quote(text, safe="")).encode(),
    "JSON": escaped,
    "JSON slashes": lambda text: escaped(text).replace(b"/", b"\\/"),
    "split string": lambda text: f'"{text[:5]}" \\\n    "{text[5:]}"'.encode(),
    "list of letters": lambda text: repr(list(text)).encode(),
}


@pytest.fixture
def searcher(vault: Vault) -> Searcher:
    vault.add("odd", **ODD)
    return vault.searcher()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", ["api_key", "secret_key", "passphrase"])
def test_every_form_is_found_wherever_it_lies(
    searcher: Searcher, triple: dict[str, str], form: str, field: str
) -> None:
    for label, texts in (("demo", {**triple, "api_key": f"bg_{1:032x}"}), ("odd", ODD)):
        if label == "odd" and form in {"split string", "list of letters"} and field != "passphrase":
            continue  # fewer letters and digits than can be distinguished from accident
        data = FORMS[form](texts[field])
        for at in (0, 1, 2, 3, 5, 7, 4096, len(NOISE)):
            found = searcher.find(NOISE[:at] + b" " + data + b" " + NOISE[at:])
            assert (label, field) in {(leak.label, leak.field) for leak in found}, (label, at)
        assert searcher.find(data)


def test_a_place_is_reported_and_never_the_text(searcher: Searcher, triple: dict[str, str]) -> None:
    found = searcher.find(b"line one\n" + triple["secret_key"].encode())
    assert {(leak.label, leak.field, leak.form, leak.offset) for leak in found} == {
        ("demo", "secret_key", "plain", 9), ("research", "secret_key", "plain", 9),
    }  # fmt: skip
    assert not any(text in repr((found, searcher)) for text in (*triple.values(), *ODD.values()))


def test_clean_data_and_near_misses_are_clean(searcher: Searcher, triple: dict[str, str]) -> None:
    secret = triple["secret_key"]
    near = [secret[:-1], secret[1:], secret.upper(), secret[::-1], secret.replace("a", "b", 1)]
    for data in (b"", b"x", NOISE, NOISE * 20, json.dumps(near).encode(), b"bg_", b"passphrase"):
        assert searcher.find(data) == []


def test_a_text_too_short_to_look_for_is_said(vault: Vault) -> None:
    vault.add("short", api_key="bg_short_one", secret_key="long-enough-secret", passphrase="abc")
    assert vault.searcher().too_short == (("short", "passphrase"),)
    assert vault.searcher().find(b"abc abc abc") == []


def test_a_private_rsa_key_is_found_whole_in_part_and_rewrapped(vault: Vault) -> None:
    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
    pems = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode() for key in keys]
    vault.add("rsa", api_key="bg_rsa_key_1", secret_key=pems[0], passphrase="Orchard Lane")
    searcher = vault.searcher()
    body = "".join(pems[0].splitlines()[1:-1])
    rewrapped = "\n".join(body[at : at + 50] for at in range(0, len(body), 50))
    for text in (pems[0], json.dumps(pems[0]), pems[0].splitlines()[7], rewrapped, body):
        assert {(leak.label, leak.field) for leak in searcher.find(text.encode())} == {("rsa", "secret_key")}
    assert searcher.find(pems[1].encode()) == []
