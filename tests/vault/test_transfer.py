from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from vault import (
    FLOOR,
    DamagedVault,
    InvalidField,
    StorageFailed,
    Vault,
    WrongPassword,
    from_found,
    read_copy,
)
from vault.entries import Triple
from vault.hidden import Hidden
from vault.sources import Found, cleaned_file, from_environment, from_file, from_text, without_keys

COPY_PASSWORD = "a password for the copy"
KEY = {"api_key": "bg_aa11", "secret_key": "0a1b2c3d4e5f", "passphrase": "Orchard#Lane"}
DOTENV = """# settings
COLOUR=red
export BITGET_API_KEY=bg_aa11   # the key
BITGET_SECRET_KEY="0a1b2c3d4e5f"
BITGET_PASSPHRASE='Orchard#Lane'
BINANCE_API_KEY=other
LAST=1
"""
CCXT = {"binance": {"apiKey": "x", "secret": "y", "password": "z"}, "bitget": {
    "apiKey": "bg_aa11", "secret": "0a1b2c3d4e5f", "password": "Orchard#Lane", "enableRateLimit": True,
}}  # fmt: skip
FREQTRADE = {"stake": 1.50, "exchange": {
    "name": "bitget", "key": "bg_aa11", "secret": "0a1b2c3d4e5f", "password": "Orchard#Lane", "pair_whitelist": [],
}}  # fmt: skip


def shown(found: list[Found]) -> dict[str, dict[str, str]]:
    return {one.label: {field: text.value for field, text in one.triple.items()} for one in found}


def fingerprints(vault: Vault) -> dict[str, str]:
    return {info.label: info.fingerprint for info in vault.describe()}


@pytest.mark.slow
def test_a_copy_opens_with_its_own_password_and_comes_back_whole(
    vault: Vault, path: Path, tmp_path: Path, password: str
) -> None:
    vault.edit("demo", note="a note")
    copy = tmp_path / "copy"
    assert vault.export(copy, COPY_PASSWORD) == 2
    assert copy.stat().st_mode & 0o777 == 0o600
    with pytest.raises(WrongPassword):
        read_copy(copy, password)
    other = Vault.create(tmp_path / "second" / "vault", password)
    assert other.import_keys(read_copy(copy, COPY_PASSWORD)) == ["research", "demo"]
    assert [(a.label, a.note, a.host, a.demo, a.fingerprint, a.created) for a in other.describe()] == [
        (b.label, b.note, b.host, b.demo, b.fingerprint, b.created) for b in vault.describe()
    ]
    assert [event.event for event in vault.audit().events][-1] == "exported"
    assert [event.event for event in other.audit().events][-2:] == ["imported", "imported"]


@pytest.mark.slow
def test_a_copy_overwrites_nothing_and_says_no_secret(vault: Vault, tmp_path: Path, triple: dict[str, str]) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link", "no/folder"):
        with pytest.raises(StorageFailed):
            vault.export(tmp_path / name, COPY_PASSWORD)
    with pytest.raises(InvalidField):
        vault.export(tmp_path / "short", "short")
    assert (tmp_path / "there").read_text() == "mine"
    vault.export(tmp_path / "copy", COPY_PASSWORD)
    text = (tmp_path / "copy").read_text()
    assert not any(secret in text for secret in triple.values())


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    "changed",
    [
        {"name": "\x1b[31mred"}, {"name": "a/b"}, {"note": "\x1b]0;title\x07"}, {"account": "x\u202ey"},
        {"verdict": "read-only\x1b[2J"}, {"host": "https://elsewhere.example"}, {"rotate_by": "soon"},
        {"created": "never"}, {"checked": "\x9b1m"}, {"used": "today"}, {"note": "my OrchardLane42"},
        {"triple": Triple(Hidden("bg_1\r\nx: y"), Hidden("s" * 9), Hidden("p" * 9))},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_a_copy_that_somebody_else_made_is_held_to_the_rules(
    vault: Vault, tmp_path: Path, changed: dict[str, Any]
) -> None:
    vault._change_slots(lambda slots: tuple(replace(slot, **changed) for slot in slots[:1]))
    vault.export(tmp_path / "copy", COPY_PASSWORD)
    incoming = read_copy(tmp_path / "copy", COPY_PASSWORD)
    other = Vault.create(tmp_path / "other" / "vault", COPY_PASSWORD, profile=FLOOR)
    (candidate,) = other.preview(incoming)
    assert candidate.problem
    assert all(text.isprintable() and "OrchardLane42" not in text for text in asdict(candidate).values())
    assert other.import_keys(incoming) == []


def test_a_label_of_a_plain_file_cannot_paint(vault: Vault) -> None:
    found = Found("\x1b[2Jkey", {field: Hidden(text) for field, text in KEY.items()}, {})
    (candidate,) = vault.preview(from_found([found]))
    assert candidate.problem
    assert candidate.label.isprintable()


def test_a_damaged_or_missing_copy_is_refused(vault: Vault, tmp_path: Path) -> None:
    vault.export(tmp_path / "copy", COPY_PASSWORD)
    cut = tmp_path / "cut"
    cut.write_bytes((tmp_path / "copy").read_bytes()[:-1])
    with pytest.raises(DamagedVault):
        read_copy(cut, COPY_PASSWORD)
    with pytest.raises(StorageFailed):
        read_copy(tmp_path / "nothing", COPY_PASSWORD)


def test_a_preview_names_what_cannot_come_in_and_saves_nothing(
    vault: Vault, path: Path, tmp_path: Path, another_triple: Callable[[int], dict[str, str]]
) -> None:
    vault.export(tmp_path / "copy", COPY_PASSWORD)
    vault.rename("demo", "renamed")
    vault.remove("research")
    before = path.read_bytes()
    incoming = read_copy(tmp_path / "copy", COPY_PASSWORD)
    assert [(one.label, bool(one.problem)) for one in vault.preview(incoming)] == [("research", False), ("demo", True)]
    assert "already, under the name 'renamed'" in vault.preview(incoming)[1].problem
    assert path.read_bytes() == before
    assert vault.import_keys(incoming) == ["research"]
    assert vault.import_keys(incoming) == []
    assert vault.names() == ["renamed", "research"]


@pytest.mark.parametrize(
    ("text", "label"),
    [(DOTENV, "bitget"), (json.dumps(CCXT), "bitget"), (json.dumps(FREQTRADE, indent=4), "freqtrade")],
)
def test_a_key_in_plain_text_is_found_saved_and_taken_out(vault: Vault, tmp_path: Path, text: str, label: str) -> None:
    source = tmp_path / "source"
    source.write_text(text, "utf-8")
    source.chmod(0o640)
    found = from_file(source)
    assert shown(found) == {label: KEY}
    assert not any(value in repr(found) for value in KEY.values())
    (candidate,) = vault.preview(from_found(found))
    assert (candidate.label, candidate.problem, candidate.environment) == (label, "", "live")
    assert vault.import_keys(from_found(found)) == [label]
    assert fingerprints(vault)[label] == candidate.fingerprint
    cleaned_file(source, found)
    after = source.read_text("utf-8")
    assert not any(value in after for value in KEY.values())
    assert from_file(source) == []
    assert source.stat().st_mode & 0o777 == 0o640
    assert [file.name for file in tmp_path.glob(".source*")] == []


def test_nothing_but_the_key_is_taken_out() -> None:
    found = from_text(Hidden(DOTENV))
    assert without_keys(Hidden(DOTENV), found).value == "# settings\nCOLOUR=red\nBINANCE_API_KEY=other\nLAST=1\n"
    text = json.dumps(FREQTRADE, indent=4).replace("1.5", "1.50")
    expected = text
    for value in KEY.values():
        expected = expected.replace(f'"{value}"', '""')
    assert without_keys(Hidden(text), from_text(Hidden(text))).value == expected


def test_a_key_that_cannot_be_taken_out_alone_leaves_the_file(tmp_path: Path) -> None:
    """The same text under the same name elsewhere would be emptied too."""
    twice = {"bitget": CCXT["bitget"], "copy": {"apiKey": "bg_aa11"}}
    source = tmp_path / "source"
    source.write_text(json.dumps(twice))
    with pytest.raises(InvalidField, match="by hand"):
        cleaned_file(source, from_file(source))
    assert json.loads(source.read_text()) == twice


@pytest.mark.parametrize(
    ("variables", "labels"),
    [
        (("BITGET_API_KEY", "BITGET_SECRET_KEY", "BITGET_PASSPHRASE"), ["bitget"]),
        (("BITGET_APIKEY", "BITGET_SECRET", "BITGET_PASSWORD"), ["bitget"]),
        (("BITGET_KEY", "BITGET_API_SECRET", "BITGET_API_PASSPHRASE"), ["bitget"]),
        (("bitget_api_key", "bitget_secret_key", "bitget_passphrase"), ["bitget"]),
        (("MAIN_BITGET_API_KEY", "MAIN_BITGET_SECRET_KEY", "MAIN_BITGET_PASSPHRASE"), ["main"]),
        (("BITGET_DEMO_API_KEY", "BITGET_DEMO_SECRET_KEY", "BITGET_DEMO_PASSPHRASE"), ["demo"]),
        (("FREQTRADE__EXCHANGE__KEY", "FREQTRADE__EXCHANGE__SECRET", "FREQTRADE__EXCHANGE__PASSWORD"), ["freqtrade"]),
        (("BITGET_API_KEY", "BITGET_SECRET_KEY"), []),
        (("OKX_API_KEY", "OKX_SECRET_KEY", "OKX_PASSPHRASE"), []),
    ],
)
def test_environment_variables_are_known_by_their_names(variables: tuple[str, ...], labels: list[str]) -> None:
    found = from_environment(dict(zip(variables, KEY.values(), strict=False)))
    assert shown(found) == dict.fromkeys(labels, KEY)


@pytest.mark.parametrize(
    "other",
    [{"okx": CCXT["bitget"]}, {"exchange": {**FREQTRADE["exchange"], "name": "okx"}}, {"a": {"apiKey": 7}}, []],  # type: ignore[dict-item]
)
def test_keys_of_other_exchanges_are_passed_by(other: Any) -> None:
    assert from_text(Hidden(json.dumps(other))) == []


def test_what_was_pasted_wrongly_is_named_and_the_rest_comes_in(vault: Vault) -> None:
    spoilt = {"bitget one": CCXT["bitget"], "bitget two": {**CCXT["bitget"], "secret": "0a1b\u200b2c"}}
    candidates = vault.preview(incoming := from_found(from_text(Hidden(json.dumps(spoilt)))))
    problems = {one.label: one.problem for one in candidates}
    assert problems["bitget one"] == ""
    assert "secret_key has an invisible character (U+200B) at position 5" in problems["bitget two"]
    assert vault.import_keys(incoming) == ["bitget one"]


@pytest.mark.parametrize("text", ['{"apiKey": ', "[" * 3000, '{"a": 1} trailing'])
def test_broken_json_is_said_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidField, match="cannot be read as JSON"):
        from_text(Hidden(text))


def test_a_source_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidField, match="no UTF-8 text"):
        from_file(tmp_path / "binary")


def test_a_disk_that_refuses_leaves_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.write_text(DOTENV)
    found = from_file(source)
    source.with_name(f".source.{os.getpid()}.new").mkdir()
    with pytest.raises((StorageFailed, OSError)):
        cleaned_file(source, found)
    assert source.read_text() == DOTENV
