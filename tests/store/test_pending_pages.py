"""Pages that wait for their partition: moved into the store after a kill, ignored when damaged."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow as pa
import pytest

from bgresearch.core.spans import Span
from bgresearch.errors import StoreError
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.store import Series, Store
from bgresearch.store.pending_pages import FOLDER, PendingPages

MINUTE_MS = 60_000
KEYS = (("market", "spot"), ("price", "last"), ("symbol", "BTCUSDT"), ("interval", "1m"))
SERIES = Series("candles", KEYS, "open_time")


def page(first: int, rows: int) -> tuple[pa.Table, Span]:
    times = pa.array([(first + at) * MINUTE_MS for at in range(rows)], pa.timestamp("ms", "UTC"))
    values = pa.array([float(first + at) for at in range(rows)])
    span = Span(first * MINUTE_MS, (first + rows) * MINUTE_MS)
    return pa.Table.from_arrays([times, *[values] * 6], schema=CANDLE_SCHEMA), span


def test_what_waits_is_in_the_store_after_recovering_and_nowhere_else(tmp_path: Path) -> None:
    store = Store(tmp_path)
    spool = PendingPages(store, SERIES)
    for first in (0, 500, 200):
        table, span = page(first, 200)
        spool.keep(table, [span], "spot.candles")
    whole = Span(0, 700 * MINUTE_MS)
    assert store.missing(SERIES, whole) == (whole,)
    assert PendingPages(store, SERIES).recover() == 3
    assert store.missing(SERIES, whole) == (Span(400 * MINUTE_MS, 500 * MINUTE_MS),)
    kept = store.read(SERIES, whole)
    assert kept is not None
    assert kept.column("open").to_pylist() == [*map(float, range(400)), *map(float, range(500, 700))]
    assert not any((tmp_path / FOLDER).iterdir())
    assert PendingPages(store, SERIES).recover() == 0


def test_a_damaged_page_is_left_out_and_asked_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    spool = PendingPages(store, SERIES)
    table, span = page(0, 200)
    path = spool.keep(table, [span], "spot.candles")
    for damage in (b"", path.read_bytes()[:-1], path.read_bytes()[:-5] + b"12345"):
        path.write_bytes(damage)
        assert spool.recover() == 0
        assert store.missing(SERIES, span) == (span,)
        spool.keep(table, [span], "spot.candles").replace(path)


def test_what_a_killed_writer_left_half_written_is_swept_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    spool = PendingPages(Store(tmp_path), SERIES)
    table, span = page(0, 10)
    folder = spool.keep(table, [span], "x").parent
    dead, alive = folder / "a.999999999.tmp", folder / f"b.{os.getpid()}.tmp"
    for path in (dead, alive):
        path.write_bytes(b"half")
    spool.recover()
    assert (dead.exists(), alive.exists()) == (False, True)


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:100])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    spool = PendingPages(Store(tmp_path), SERIES)
    monkeypatch.setattr(Path, "write_bytes", full)
    table, span = page(0, 200)
    with pytest.raises(StoreError, match=r"cannot write .*: No space left.*free some space"):
        spool.keep(table, [span], "spot.candles")
    assert not [path for path in (tmp_path / FOLDER).rglob("*") if path.is_file()]
