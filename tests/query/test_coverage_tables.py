"""Gaps and coverage, read from the footers, agree with the client's own reports."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from bgresearch.core.spans import Span
from bgresearch.errors import StoreError
from bgresearch.store import Gap
from bgresearch.store.coverage import Cause
from tests.query.stores import DAY_MS, HOUR_MS, JAN_MS, keep, offline


def test_gaps_are_those_that_the_client_reports(tmp_path: Path) -> None:
    hole = Span(JAN_MS + 31 * DAY_MS - 2 * HOUR_MS, JAN_MS + 31 * DAY_MS + 3 * HOUR_MS)  # over the end of a month
    absent = tuple(range(31 * 1440 - 120, 31 * 1440 + 180))
    before = Gap(Span(0, JAN_MS), "before listing", JAN_MS + 50 * DAY_MS)
    gaps = (before, Gap(hole, "exchange has none", JAN_MS + 40 * DAY_MS, JAN_MS + 47 * DAY_MS))
    span = keep(tmp_path, "BTCUSDT", rows=40 * 1440, absent=absent, gaps=gaps)
    client = offline(tmp_path)
    reported = client.candles("BTCUSDT", "1m", *span).attrs["bgresearch"]["gaps"]
    result = client.lens.sql("SELECT * FROM gaps ORDER BY start")
    assert result.cause.tolist() == ["before listing", "exchange has none"]
    (inside,) = result[result.cause != "before listing"].to_dict("records")
    assert reported == [{
        "start": _iso(inside["start"]), "end": _iso(inside["end"]), "cause": inside["cause"],
        "noticed": _iso(inside["noticed"]), "again": _iso(inside["again"]),
    }]  # fmt: skip
    assert (inside["series"], inside["market"], inside["symbol"], inside["interval"]) == (
        "candles",
        "spot",
        "BTCUSDT",
        "1m",
    )
    assert result.again.isna().tolist() == [True, False]  # what lies before a listing is never looked at again
    assert result.equals(
        client.lens.polars().gaps().collect().to_pandas().sort_values("start").astype(result.dtypes.to_dict())
    )


@pytest.mark.parametrize("cause", ["before listing", "delisted", "unknown"])
def test_a_hole_between_rows_is_called_one_whatever_was_noted(tmp_path: Path, cause: Cause) -> None:
    absent = tuple(range(20 * 1440, 20 * 1440 + 300))
    hole = Span(JAN_MS + 20 * DAY_MS, JAN_MS + 20 * DAY_MS + 5 * HOUR_MS)
    gaps = (Gap(hole, cause, JAN_MS + 50 * DAY_MS),)
    span = keep(tmp_path, "BTCUSDT", rows=40 * 1440, absent=absent, gaps=gaps)
    client = offline(tmp_path)
    [reported] = client.candles("BTCUSDT", "1m", *span).attrs["bgresearch"]["gaps"]
    for result in (client.lens.sql("SELECT * FROM gaps"), client.lens.polars().gaps().collect().to_pandas()):
        assert result.cause.tolist() == [reported["cause"]] == ["exchange has none"]


def _iso(time: pd.Timestamp) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_coverage_counts_what_is_there(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT", rows=40 * 1440, absent=(0, 7))
    keep(tmp_path, "ETHUSDT", "1M", 1, price="last")
    client = offline(tmp_path)
    result = client.lens.sql("SELECT * FROM coverage ORDER BY symbol")
    counted = client.lens.sql(
        "SELECT symbol, interval, count(*) AS rows, min(open_time) AS first, max(open_time) AS last "
        "FROM candles GROUP BY ALL ORDER BY symbol"
    )
    assert result[counted.columns].equals(counted)
    assert result.files.tolist() == [2, 1]
    assert result.bytes.sum() == sum(file.stat().st_size for file in tmp_path.glob("candles/**/*.parquet"))
    assert result.interval.tolist() == ["1m", "1M"]


def test_only_footers_are_read(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT", rows=1_000)
    (file,) = tmp_path.glob("candles/**/*.parquet")
    data = bytearray(file.read_bytes())
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    data[4:footer] = bytes(footer - 4)
    file.write_bytes(data)
    assert offline(tmp_path).lens.sql("SELECT rows FROM coverage").rows.tolist() == [1_000]


@pytest.mark.parametrize("lens", ["sql", "polars", "duckdb"])
@pytest.mark.parametrize("table", ["gaps", "coverage"])
def test_a_damaged_footer_is_an_error_that_names_the_file(tmp_path: Path, table: str, lens: str) -> None:
    keep(tmp_path, "BTCUSDT")
    keep(tmp_path, "ETHUSDT")
    file = next(tmp_path.glob("candles/*/*/symbol=BTCUSDT/*/*.parquet"))
    parquet = pq.read_table(file, partitioning=None)
    pq.write_table(parquet.replace_schema_metadata(None), file)
    client = offline(tmp_path)
    asks = {
        "sql": lambda: client.lens.sql(f"SELECT * FROM {table}"),  # noqa: S608
        "polars": lambda: getattr(client.lens.polars(), table)().collect(),
        "duckdb": lambda: client.lens.duckdb().sql(f"SELECT * FROM {table}").fetchall(),  # noqa: S608
    }
    with pytest.raises(StoreError, match=r"2026-01\.parquet is damaged"):
        asks[lens]()
    assert file.exists()
