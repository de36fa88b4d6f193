"""The vault's format as docs/security.md has it: a reader made from its table alone, without this package."""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from vault import FLOOR, Vault, new_code


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def read(raw: bytes, secret: str, kind: str = "password") -> list[dict[str, object]]:
    """Return the keys in a vault file."""
    file = json.loads(raw)
    header, checksum = file["header"], file.pop("checksum")
    assert checksum == hashlib.sha256(canonical(file)).hexdigest()
    (wrap,) = [wrap for wrap in header["wraps"] if wrap["kind"] == kind]
    given = unicodedata.normalize("NFC", secret).encode()
    if kind != "password":
        letters = secret.replace("-", "").translate(str.maketrans("OIL", "011"))
        number = int("".join(f"{'0123456789ABCDEFGHJKMNPQRSTVWXYZ'.index(letter):05b}" for letter in letters), 2)
        given = number.to_bytes(20, "big")[:17]
    kdf = wrap["kdf"]
    costs = {"iterations": kdf["passes"], "lanes": kdf["lanes"], "memory_cost": kdf["memory_kib"]}
    key = Argon2id(salt=bytes.fromhex(kdf["salt"]), length=32, **costs).derive(given)
    inner = json.loads(Fernet(base64.urlsafe_b64encode(key)).decrypt(wrap["token"]))
    described = {name: header[name] for name in ("format", "version", "vault_id")} | {"kind": kind, "kdf": kdf}
    assert inner["binding"] == hashlib.sha256(canonical(described)).hexdigest()
    body = json.loads(Fernet(base64.urlsafe_b64encode(bytes.fromhex(inner["data_key"]))).decrypt(file["body"]))
    assert body["header_sha256"] == hashlib.sha256(canonical(header)).hexdigest()
    assert (body["vault_id"], body["generation"]) == (header["vault_id"], header["generation"])
    return list(body["keys"])


@pytest.mark.slow
def test_a_reader_made_from_the_table_alone_reads_every_way_to_unlock(folder: Path, triple: dict[str, str]) -> None:
    path, password, codes = folder / "vault", "pa\u0308sswörd of some length", [new_code().value for _ in range(2)]
    vault = Vault.create(path, password, profile=FLOOR)
    vault.add("research", **triple, note="kept for reading", account="main")
    vault.set_recovery(password, codes[0])
    vault.set_keyring(password, codes[1])
    raw = path.read_bytes()
    for secret, kind in ((password, "password"), (codes[0], "recovery"), (codes[1], "keyring")):
        (key,) = read(raw, secret, kind)
        assert {name: key[name] for name in triple} == triple
        assert (key["name"], key["kind"], key["note"], key["account"], key["demo"]) == (
            "research", "hmac", "kept for reading", "main", False,
        )  # fmt: skip
    with pytest.raises(InvalidToken):
        read(raw, "another password")


def test_it_reads_kept_generations_as_well(vault: Vault, path: Path, password: str) -> None:
    vault.remove("demo")
    kept = next(path.parent.glob("*.kept"))
    assert sorted(str(key["name"]) for key in read(kept.read_bytes(), password)) == ["demo", "research"]


NAMES = ["password", "recovery", "keyring", "argon2id", "bgresearch-vault", "131,072", "65,536"]


@pytest.mark.parametrize("name", NAMES)
def test_the_table_names_what_the_file_holds(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    section = page.split("## The vault file")[1].split("\n## ")[0]
    assert name in section
