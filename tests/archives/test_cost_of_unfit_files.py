"""What files of trades turn out to be while they are written costs one more writing at most, however many they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bgresearch.archives.checks import Daily, Reference
from bgresearch.archives.fetcher import Delivered
from bgresearch.archives.file_names import file_of
from bgresearch.archives.importer import ArchiveImporter
from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import subtract, union
from bgresearch.core.symbols import Named
from bgresearch.http.file_host import FileInfo
from bgresearch.market.history import trades_series
from bgresearch.store import Series, Store
from tests.archives.conftest import TRADES, csv, packed
from tests.conftest import NOW_MS

DAYS, ROWS, DAY_MS = 12, 30, 86_400_000
FIRST_MS = 1_788_192_000_000  # 2026-08-31 16:00 UTC: the first file day of September
KEY = "trades/SPBL/BTCUSDT/BTCUSDT"
_Lines = list[str]


class CountingStore(Store):
    """Counts the rows of trades that are written."""

    rows_written = 0

    def write_in_order(self, series: Series, rows: Iterable[pa.Table], *args: Any, **options: Any) -> None:
        def counted() -> Iterator[pa.Table]:
            for table in rows:
                self.rows_written += table.num_rows
                yield table

        super().write_in_order(series, counted(), *args, **options)


def lines(day: int, part: int) -> _Lines:
    """Return the trades of one part of a day, two every second."""
    first = (day * 2 + part) * ROWS
    start_s = (FIRST_MS + day * DAY_MS) // 1000 + part * ROWS
    return [f"{first + at + 1},{start_s + at // 2}000,60000,buy,60000,1" for at in range(ROWS)]


def spoilt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        data[data.index(mark) + place] ^= 0xFF
    path.write_bytes(data)


def same(rows: _Lines) -> _Lines:
    return rows


UNFIT: dict[str, tuple[Callable[[_Lines], _Lines], Callable[[Path], object], float, int]] = {
    # what becomes of the last part, of its file, the volume of the day's candle, and how many of its rows are stored
    "last part full": (same, lambda _path: None, 0.0, ROWS * 2 - 2),
    "short of the volume": (lambda rows: rows[:-2], lambda _path: None, ROWS * 3.0, ROWS * 2 - 4),
    "in no order": (lambda rows: rows[-2::-1], lambda _path: None, 0.0, ROWS * 2 - 1),
    "of another instrument": (lambda rows: [row.replace("60000", "6") for row in rows], lambda _path: None, 1.0, 0),
    "no trade": (lambda rows: [row.replace("buy", "swap") for row in rows], lambda _path: None, 0.0, 0),
    "damaged": (same, spoilt, 0.0, 0),
}  # fmt: skip


def deliveries(folder: Path, kind: str) -> list[Delivered]:
    change, damage, _volume, _stored = UNFIT[kind]
    found = []
    for day in range(DAYS):
        paths = [
            packed(folder / f"{KEY}_202609{day + 1:02}_{part + 1:03}.zip", "x.csv", csv(TRADES, *rows))
            for part, rows in enumerate([lines(day, 0), change(lines(day, 1))])
        ]  # fmt: skip
        damage(paths[-1])
        file = file_of(paths[0])
        assert file is not None
        infos = [(FileInfo(str(path), path.stat().st_size, "", ""), path) for path in paths]
        found.append(Delivered(file.of_part(0), infos))
    return found


@pytest.mark.parametrize("kind", UNFIT)
def test_unfit_files_cost_one_more_writing_at_most(tmp_path: Path, kind: str) -> None:
    _change, _damage, volume, stored = UNFIT[kind]
    store = CountingStore(tmp_path / "data", clock=ManualClock(NOW_MS))
    files = deliveries(tmp_path / "files", kind)
    series = trades_series(Named("BTCUSDT", "spot"))
    daily = {one.file.span.start_ms: Daily(60_000, 60_000, volume) for one in files} if volume else {}
    spans = [one.file.span for one in files]
    importer = ArchiveImporter(store, ManualClock(NOW_MS), series, Reference(daily), spans, keep_files=True)
    result = importer.run(files)
    whole = union(spans)[0]
    table = store.read(series, whole)
    assert result.rows == (0 if table is None else table.num_rows) == stored * DAYS
    assert store.rows_written <= 2 * DAYS * ROWS * 2
    if kind in ("last part full", "short of the volume"):  # known before the last second of a day is written
        assert store.rows_written == result.rows
    assert union(span for span, _why in result.problems) == subtract([whole], store.kept(series, whole))
    assert [flaw for path in store.files() for flaw in store.inspected(path)] == []
