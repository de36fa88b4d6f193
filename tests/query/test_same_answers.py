"""The same questions asked of pandas, DuckDB and Polars, over stores of random shape: the same answers.

Counts and prices are equal to the last bit. Sums are added up in another order, and the logarithm is another library's:
they may differ by ``n`` roundings, which for the few thousand rows here is far below the tolerance of 1e-12.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.client.client import Client
from tests.query.stores import HOUR_MS, JAN_MS, keep, offline

TOLERANCE = 1e-12  # relative
WEEK = pd.Timedelta(days=7)
Question = Callable[[Client, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]

shapes = st.lists(
    st.tuples(
        st.sampled_from(["BTCUSDT", "ETHUSDT", "1INCHUSDT", "SOLUSDT"]),
        st.integers(-400, 400),  # hours from the end of the year at which the series begins
        st.integers(2, 900),  # bars of an hour
        st.sets(st.integers(1, 899), max_size=40),  # absent ones
    ),
    min_size=1, max_size=4, unique_by=lambda shape: shape[0],
)  # fmt: skip


def volume_by_day(client: Client, candles: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    day = candles.open_time.dt.floor("D").rename("day")
    expected = candles.groupby(["symbol", day]).quote_volume.sum().reset_index()
    query = """SELECT symbol, date_trunc('day', open_time) AS day, sum(quote_volume) AS quote_volume
               FROM candles GROUP BY ALL"""
    lazy = client.lens.polars().candles().group_by("symbol", pl.col("open_time").dt.truncate("1d").alias("day"))
    return expected, client.lens.sql(query), lazy.agg(pl.col("quote_volume").sum()).collect().to_pandas()


def rows_by_month(client: Client, candles: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    month = candles.open_time.dt.strftime("%Y-%m").rename("month")
    expected = candles.groupby(["symbol", month]).size().rename("n").reset_index()
    query = "SELECT symbol, strftime(open_time, '%Y-%m') AS month, count(*) AS n FROM candles GROUP BY ALL"
    lazy = client.lens.polars().candles().group_by("symbol", pl.col("open_time").dt.strftime("%Y-%m").alias("month"))
    return expected, client.lens.sql(query), lazy.len("n").collect().to_pandas()


def close_as_of(client: Client, candles: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    first = candles.open_time.min()
    asked = pd.DataFrame({"at": pd.date_range(first, first + 5 * WEEK, freq="11h37min", unit="ms")})
    asked = asked.merge(pd.DataFrame({"symbol": sorted(candles.symbol.unique())}), how="cross").sort_values("at")
    bars = candles.sort_values("open_time")[["symbol", "open_time", "close"]]
    expected = pd.merge_asof(asked, bars, left_on="at", right_on="open_time", by="symbol")[["symbol", "at", "close"]]
    query = """SELECT asked.symbol, asked."at", close FROM asked ASOF LEFT JOIN candles
               ON asked.symbol = candles.symbol AND asked."at" >= open_time"""
    scan = client.lens.polars().candles().select("symbol", "open_time", "close").sort("open_time")
    lazy = pl.from_pandas(asked).lazy().join_asof(scan, left_on="at", right_on="open_time", by="symbol")
    return expected, client.lens.sql(query, asked=asked), lazy.select("symbol", "at", "close").collect().to_pandas()


def realised_volatility(client: Client, candles: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    ordered = candles.sort_values(["symbol", "open_time"])
    returns = np.log(ordered.close / ordered.groupby("symbol").close.shift())
    squared = returns.pow(2).groupby(ordered.symbol).sum()
    expected = np.sqrt(squared).rename("volatility").reset_index()
    query = """WITH returns AS (SELECT symbol, ln(close / lag(close) OVER (PARTITION BY symbol ORDER BY open_time)) AS r
               FROM candles) SELECT symbol, coalesce(sqrt(sum(r * r)), 0) AS volatility FROM returns GROUP BY symbol"""
    squares = (pl.col("close") / pl.col("close").shift()).log().pow(2).over("symbol", order_by="open_time")
    lazy = client.lens.polars().candles().with_columns(squares.alias("squared")).group_by("symbol")
    return expected, client.lens.sql(query), lazy.agg(volatility=pl.col("squared").sum().sqrt()).collect().to_pandas()


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("question", [volume_by_day, rows_by_month, close_as_of, realised_volatility])
@settings(max_examples=12)
@given(shapes=shapes)
def test_pandas_duckdb_and_polars_agree(question: Question, shapes: list[tuple[str, int, int, set[int]]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        client, parts = offline(Path(name)), []
        for seed, (symbol, hours, rows, absent) in enumerate(shapes):
            gone = tuple(place for place in absent if place < rows)
            span = keep(Path(name), symbol, "1h", rows, start_ms=JAN_MS + hours * HOUR_MS, absent=gone, seed=seed)
            parts.append(client.candles(symbol, "1h", *span).reset_index().assign(symbol=symbol))
        candles = pd.concat(parts, ignore_index=True)
        expected, *answers = (_in_order(frame) for frame in question(client, candles))
        for answer in answers:
            pd.testing.assert_frame_equal(answer, expected, rtol=TOLERANCE, atol=0)
            for exact in {"close", "n"} & {*expected.columns}:
                assert answer[exact].equals(expected[exact])


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Return an answer in the order of its columns, in one spelling of types: millisecond times, plain integers."""
    times = dict.fromkeys(frame.select_dtypes("datetimetz").columns, "datetime64[ms, UTC]")
    counts = {name: "int64" for name in frame.columns if name == "n"}
    return frame.astype(times | counts).sort_values(list(frame.columns[:2]), ignore_index=True)
