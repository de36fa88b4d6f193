"""What a lens sees while another process writes: every file as it was, or as it is, and never half of each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from bgresearch.store import pins
from tests.conftest import child
from tests.query.stores import JAN_MS, keep, offline

ROWS = 5_000
VERSIONS = 6  # a reader has seen enough once it saw so many
MOST_LOOKS = 5_000

WRITER = """
import itertools, sys
from pathlib import Path
import numpy as np
import pyarrow as pa
from tests.query.stores import HOST, JAN_MS, MINUTE_MS, bars
from bgresearch.market.candles.plan import subject
from bgresearch.core.spans import Span
from bgresearch.store import Store
store, series = Store(sys.argv[1], host=HOST), subject("BTCUSDT", "1m", "spot", "last", "utc").stored
span = Span(JAN_MS, JAN_MS + {rows} * MINUTE_MS)
table = bars(np.arange(span.start_ms, span.end_ms, MINUTE_MS))
for version in itertools.count(1):
    rows = {rows} - version % 7
    same = pa.array(np.full({rows}, float(version)))
    now = table.set_column(4, "close", same).set_column(1, "open", same).slice(0, rows)
    store.write(series, now.set_column(5, "volume", pa.array(np.full(rows, float(rows)))), [span])
    print(version, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A store that another process rewrites without a pause: each version has one price and a length of its own."""
    keep(tmp_path, "ETHUSDT")
    command = (sys.executable, "-c", WRITER.format(rows=ROWS), str(tmp_path))
    with child(*command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "1\n"
        yield tmp_path
        assert writer.poll() is None


_COLUMNS = ("min(open)", "max(open)", "min(close)", "max(close)", "min(volume)", "max(volume)", "count(*)")


_QUERY = f"SELECT {', '.join(_COLUMNS)} FROM candles WHERE symbol = 'BTCUSDT'"  # noqa: S608


def looked(seen: set[float], row: tuple[float, ...]) -> bool:
    """Take in one look, return whether enough versions were seen."""
    low, high, low_close, high_close, least, most, rows = row
    assert low == high == low_close == high_close
    assert least == most == rows
    seen.add(low)
    return len(seen) >= VERSIONS


def test_a_query_always_answers_and_sees_whole_files(folder: Path) -> None:
    client, seen = offline(folder), set[float]()
    assert any(looked(seen, tuple(client.lens.sql(_QUERY).iloc[0])) for _ in range(MOST_LOOKS))


@pytest.mark.slow
def test_a_connection_sees_whole_files_or_says_that_one_was_replaced(folder: Path) -> None:
    connection, seen = offline(folder).lens.duckdb(), set[float]()
    for look in range(MOST_LOOKS):
        try:
            row = connection.execute(_QUERY).fetchall()[0]
        except duckdb.Error:
            continue
        if looked(seen, row) and look >= 300:
            break
    assert len(seen) >= VERSIONS


@pytest.mark.slow
def test_a_pin_made_next_to_a_writer_stays_one_version_without_an_error(folder: Path) -> None:
    pins.create(folder, "now", JAN_MS)
    pinned, seen = offline(folder, pin="now"), set[float]()
    connection, frame = pinned.lens.duckdb(), pinned.lens.polars().candles().filter(pl.col("symbol") == "BTCUSDT")
    for _ in range(150):
        looked(seen, connection.execute(_QUERY).fetchall()[0])
        seen |= {*frame.select("close").unique().collect()["close"]}
    assert len(seen) == 1


def test_coverage_counts_one_version(folder: Path) -> None:
    connection = offline(folder).lens.duckdb()
    lengths = {
        connection.execute("SELECT rows FROM coverage WHERE symbol = 'BTCUSDT'").fetchall()[0][0] for _ in range(50)
    }
    assert lengths <= {ROWS - number for number in range(7)}


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("once", [False, True], ids=["made for each look", "made once"])
def test_a_lazy_frame_sees_whole_files(folder: Path, *, once: bool) -> None:
    scans = offline(folder).lens.polars()
    made = scans.candles()
    made.collect_schema()
    seen: set[float] = set()
    for _ in range(MOST_LOOKS):
        frame = made if once else scans.candles()
        found = frame.filter(pl.col("symbol") == "BTCUSDT").select("open", "close", "volume").collect()
        assert found["open"].n_unique() == found["volume"].n_unique() == 1
        assert found["open"].equals(found["close"], check_names=False)
        assert found["volume"][0] == len(found)
        seen.add(found["open"][0])
        if len(seen) >= VERSIONS:
            break
    assert len(seen) >= VERSIONS
