"""A pin keeps what was there, bit for bit, whatever happens to the store afterwards."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bgresearch as bg
from bgresearch.client.client import Client
from bgresearch.errors import ConfigurationError, InvalidInput, OfflineError, StoreError
from bgresearch.sandbox import Exchange
from bgresearch.store import pins

SPAN = ("2026-08-28", "2026-09-03")
NOW_MS = 1_795_165_230_000


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(seed=7)


@pytest.fixture
def client(tmp_path: Path, exchange: Exchange) -> Client:
    client = bg.connect(sandbox=exchange, data_dir=tmp_path, progress=False)
    client.candles("BTCUSDT", "1m", *SPAN)
    return client


@pytest.mark.slow
def test_a_pin_is_read_bit_for_bit_after_the_store_has_changed(client: Client, tmp_path: Path) -> None:
    before = client.candles("BTCUSDT", "1m", *SPAN)
    digest = pins.create(tmp_path, "paper-v1", NOW_MS).digest
    client.candles("BTCUSDT", "1m", "2026-08-20", "2026-09-10")
    shutil.rmtree(tmp_path / "candles")
    pinned = bg.connect(pin="paper-v1", data_dir=tmp_path)
    again = pinned.candles("BTCUSDT", "1m", *SPAN)
    assert again.equals(before)
    assert again.attrs["bgresearch"]["pin"] == f"paper-v1 {digest}"
    with pytest.raises(OfflineError):
        pinned.candles("BTCUSDT", "1m", "2026-08-20", "2026-09-10")


def test_a_pin_takes_no_room_of_its_own(client: Client, tmp_path: Path) -> None:
    pin = pins.create(tmp_path, "one", NOW_MS)
    for one in pin.files:
        assert (tmp_path / one.path).samefile(pin.folder / one.path)


def test_the_same_data_has_the_same_digest_anywhere(exchange: Exchange, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    bg.connect(sandbox=exchange, data_dir=folders[0], progress=False).candles("BTCUSDT", "1m", *SPAN)
    shutil.copytree(folders[0], folders[1])
    first, second = (pins.create(folder, "x", now) for folder, now in zip(folders, (1, 2), strict=True))
    assert first.digest == second.digest


@pytest.mark.slow
def test_the_difference_names_what_was_added_removed_and_changed(client: Client, tmp_path: Path) -> None:
    pin = pins.create(tmp_path, "x", NOW_MS)
    assert pins.diff(tmp_path, pin) == []
    client.candles("BTCUSDT", "1m", "2026-09-03", "2026-09-04")
    client.candles("ETHUSDT", "1h", *SPAN)
    (tmp_path / "candles/market=spot/price=last/symbol=BTCUSDT/interval=1m/2026-08.parquet").unlink()
    found = {Path(one.path).name: one for one in pins.diff(tmp_path, pin)}
    assert {name: one.kind for name, one in found.items()} == {
        "2026-08.parquet": "removed", "2026-09.parquet": "changed", "2026.parquet": "added",
    }  # fmt: skip
    changed = found["2026-09.parquet"]
    assert (changed.rows_added, changed.rows_removed, changed.rows_changed) == (1440, 0, 0)
    assert changed.first == "2026-09-03T00:00:00Z"
    assert found["2026-08.parquet"].rows_removed == 4 * 1440


def test_a_name_is_taken_once_and_checked(client: Client, tmp_path: Path) -> None:
    pins.create(tmp_path, "x", NOW_MS)
    for name in ("x", "", "..", "a/b", "diff", ".hidden", "x" * 65):
        with pytest.raises(InvalidInput):
            pins.create(tmp_path, name, NOW_MS)
    assert pins.names(tmp_path) == ["x"]


def test_an_unknown_pin_names_those_there_are(client: Client, tmp_path: Path) -> None:
    pins.create(tmp_path, "paper-v1", NOW_MS)
    with pytest.raises(InvalidInput, match="paper-v1"):
        bg.connect(pin="paper", data_dir=tmp_path)


@pytest.mark.parametrize("given", [{"key": "main"}, {"sandbox": True}, {"vault": {}}], ids=["key", "sandbox", "vault"])
def test_a_pin_is_asked_nobody_about(client: Client, tmp_path: Path, given: dict[str, Any]) -> None:
    pins.create(tmp_path, "x", NOW_MS)
    with pytest.raises(ConfigurationError, match="Leave key=, vault=, sandbox= out"):
        bg.connect(pin="x", data_dir=tmp_path, **given)


READS: dict[str, Callable[[Client], Any]] = {
    "candles": lambda client: client.candles("BTCUSDT", "1m", *SPAN),
    "sql": lambda client: client.lens.sql("SELECT count(*) FROM candles"),
    "coverage": lambda client: client.lens.sql("SELECT * FROM coverage"),
}


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize(
    ("read", "where"), [("candles", 100), ("sql", 100), ("candles", -2), ("sql", -2), ("coverage", -2)]
)
def test_what_is_said_of_a_damaged_pin_can_be_done(client: Client, tmp_path: Path, read: str, where: int) -> None:
    pin = pins.create(tmp_path, "x", NOW_MS)
    for one in pin.files:
        path = pin.folder / one.path
        whole = bytearray(path.read_bytes())
        whole[where] ^= 1
        path.unlink()
        path.write_bytes(whole)
    with pytest.raises(StoreError) as raised:
        READS[read](bg.connect(pin="x", data_dir=tmp_path))
    assert "A pin is never repaired" in str(raised.value)
    assert "repair=" not in str(raised.value)
    assert "--repair" not in str(raised.value)


@pytest.mark.slow
def test_account_data_is_frozen_only_when_asked_for(client: Client, tmp_path: Path) -> None:
    client.account.fills("2026-11-01")
    assert not any(one.path.startswith("account/") for one in pins.create(tmp_path, "open", NOW_MS).files)
    assert any(one.path.startswith("account/") for one in pins.create(tmp_path, "own", NOW_MS, private=True).files)


def test_nothing_to_freeze_and_a_damaged_file_leave_no_pin_behind(client: Client, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing to freeze"):
        pins.create(tmp_path / "empty", "x", NOW_MS)
    next(tmp_path.rglob("*.parquet")).write_bytes(b"nothing")
    with pytest.raises(StoreError, match="damaged"):
        pins.create(tmp_path, "x", NOW_MS)
    assert pins.names(tmp_path) == []
    assert list((tmp_path / ".pins").iterdir()) == []


def test_what_was_changed_behind_its_back_is_found(client: Client, tmp_path: Path) -> None:
    pin = pins.create(tmp_path, "x", NOW_MS)
    path = pin.folder / pin.files[0].path
    whole = bytearray(path.read_bytes())
    whole[100] ^= 1
    path.write_bytes(whole)
    assert pins.changed(pin) == [pin.files[0].path]
    frozen = bg.connect(pin="x", data_dir=tmp_path)
    with pytest.raises(StoreError, match="of this pin is damaged"):
        frozen.candles("BTCUSDT", "1m", *SPAN)
    assert path.exists()  # a pin is never healed
    path.unlink()
    with pytest.raises(StoreError, match="gone"):
        pins.load(tmp_path, "x")


def test_a_changed_manifest_is_refused(client: Client, tmp_path: Path) -> None:
    pin = pins.create(tmp_path, "x", NOW_MS)
    manifest = pin.folder / pins.MANIFEST
    reported = json.loads(manifest.read_text())
    reported["files"] = reported["files"][1:]
    manifest.write_text(json.dumps(reported))
    with pytest.raises(StoreError, match="manifest"):
        pins.load(tmp_path, "x")


def test_without_links_files_are_copied(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refused)  # a file system without links cannot be mounted in a test
    pin = pins.create(tmp_path, "x", NOW_MS)
    assert pins.changed(pin) == []
    assert not (tmp_path / pin.files[0].path).samefile(pin.folder / pin.files[0].path)


def test_removing_a_pin_leaves_the_store_alone(client: Client, tmp_path: Path) -> None:
    pins.create(tmp_path, "x", NOW_MS)
    pins.remove(tmp_path, "x")
    assert pins.names(tmp_path) == []
    assert client.verify().sound
