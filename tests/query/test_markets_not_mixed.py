"""Prices of different kinds and markets are never mixed without a word, whichever lens is asked."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from bgresearch.client.client import Client
from bgresearch.errors import BgresearchError, InvalidInput
from tests.query.stores import keep, offline

ROWS = 744
VOLATILITY = """SELECT stddev(r) * sqrt(8760) AS volatility, count(*) AS n FROM (
    SELECT ln(close / lag(close) OVER (ORDER BY open_time)) AS r FROM {}
    WHERE symbol = 'BTCUSDT' AND interval = '1h')"""
Kept = tuple[float, int]


def by_sql(client: Client, family: str, **_: str) -> Kept:
    found = client.lens.sql(VOLATILITY.format(family))
    return float(found.volatility[0]), int(found.n[0])


def by_connection(client: Client, family: str, **_: str) -> Kept:
    [row] = client.lens.duckdb().execute(VOLATILITY.format(family)).fetchall()
    return float(row[0]), int(row[1])


def by_polars(client: Client, family: str, **market: str) -> Kept:
    scan = client.lens.polars().scan(family, **market).filter(symbol="BTCUSDT", interval="1h").sort("open_time")
    frame = scan.select((pl.col("close") / pl.col("close").shift()).log()).collect()
    return float(frame["close"].std()) * 8760**0.5, frame.height  # type: ignore[arg-type]


def by_dask(client: Client, family: str, **market: str) -> Kept:
    lazy = client.lens.dask(family, symbols="BTCUSDT", interval="1h", **market)
    frame = lazy.compute(scheduler="synchronous").sort_index()
    return float(np.log(frame.close / frame.close.shift()).std()) * 8760**0.5, len(frame)


ENTRIES = [by_sql, by_connection, by_polars, by_dask]


def expected(client: Client, **options: str) -> Kept:
    frame = client.candles("BTCUSDT", "1h", "2026-01-01", "2026-02-01", **options)  # type: ignore[arg-type]
    return float(np.log(frame.close / frame.close.shift()).std()) * 8760**0.5, len(frame)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    for seed, price in enumerate(("last", "mark", "index")):
        keep(tmp_path, "BTCUSDT", "1h", ROWS, market="usdt-futures", price=price, seed=seed)
        keep(tmp_path, "BTCUSDT", "12h", ROWS // 12, market="usdt-futures", price=price, anchor="exchange")
    return offline(tmp_path)


@pytest.mark.quick_cases(6)
@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("price", ["last", "mark", "index"])
def test_a_table_of_candles_has_one_kind_of_price(client: Client, entry: Callable[..., Kept], price: str) -> None:
    family = "candles" if price == "last" else f"candles_{price}"
    volatility, rows = entry(client, family)
    reported, count = expected(client, market="usdt-futures", price=price)
    assert (rows, count) == (ROWS, ROWS)
    assert volatility == pytest.approx(reported, rel=1e-9)


def test_the_same_holds_of_bars_that_open_on_utc8_boundaries(client: Client) -> None:
    lens = client.lens
    for name in ("candles_utc8", "candles_utc8_mark", "candles_utc8_index"):
        assert lens.sql(f"SELECT count(*) AS n FROM {name}").n.tolist() == [ROWS // 12]  # noqa: S608
        assert lens.polars().scan(name).collect().height == ROWS // 12
        assert len(lens.dask(name)) == ROWS // 12


def test_dask_takes_the_kind_of_price_as_an_argument(client: Client) -> None:
    marks = client.lens.dask(price="mark", interval="1h").compute(scheduler="synchronous")
    assert set(marks.price) == {"mark"}
    assert len(marks) == ROWS
    with pytest.raises(InvalidInput, match=r"candles_mark has mark prices alone"):
        client.lens.dask("candles_mark", price="last")


@pytest.mark.parametrize(
    "condition",
    [
        "price = 'mark'", "'mark' = price", "price IN ('last', 'mark')", "price <> 'last'", "NOT price = 'last'",
        "price NOT IN ('last')", "PRICE = 'index'", "price IS DISTINCT FROM 'last'", "candles.price = 'mark'",
    ],
)  # fmt: skip
def test_a_price_that_a_table_has_not_is_refused_and_not_answered_with_no_rows(client: Client, condition: str) -> None:
    with pytest.raises(InvalidInput, match=r"candles has last prices alone.*Read candles_(mark|index)"):
        client.lens.sql(f"SELECT count(*) FROM candles WHERE {condition}")  # noqa: S608


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) AS n FROM candles WHERE price = 'last' AND interval = '1h'",
        "SELECT count(*) AS n FROM candles_mark WHERE price = 'mark' AND interval = '1h'",
        """WITH m AS (SELECT *, 'mark' AS kind FROM candles_mark) SELECT count(*) AS n FROM m
           JOIN candles USING (open_time, interval) WHERE interval = '1h' AND kind = 'mark'""",
        "SELECT max(rows) AS n FROM coverage, candles WHERE coverage.price = 'mark'",
    ],
)
def test_a_price_that_a_table_has_is_answered(client: Client, query: str) -> None:
    assert client.lens.sql(query).n.tolist() == [ROWS]


@pytest.fixture
def both(tmp_path: Path) -> Client:
    for seed, market in enumerate(("spot", "usdt-futures")):
        keep(tmp_path, "BTCUSDT", "1h", ROWS, market=market, seed=seed)
    keep(tmp_path, "ETHUSDT", "1h", ROWS)
    return offline(tmp_path)


@pytest.mark.parametrize("entry", [by_sql, by_polars, by_dask])
def test_a_symbol_of_two_markets_is_refused_until_one_is_named(both: Client, entry: Callable[..., Kept]) -> None:
    with pytest.raises(InvalidInput, match=r"BTCUSDT is kept in several markets, spot and usdt-futures.*market"):
        entry(both, "candles")


@pytest.mark.parametrize("entry", [by_polars, by_dask])
def test_one_market_is_named_with_an_argument(both: Client, entry: Callable[..., Kept]) -> None:
    volatility, rows = entry(both, "candles", market="usdt-futures")
    assert rows == ROWS
    assert volatility == pytest.approx(expected(both, market="usdt-futures")[0], rel=1e-9)


def test_several_markets_are_named_with_a_list(both: Client) -> None:
    markets = ["spot", "usdt-futures"]
    assert both.lens.polars().candles(market=markets).collect().height == 3 * ROWS
    assert len(both.lens.dask(market=markets)) == 3 * ROWS
    assert len(both.lens.dask(symbols="ETHUSDT")) == ROWS


@pytest.mark.quick_cases(11)
@pytest.mark.parametrize(
    ("query", "mixes"),
    [
        ("SELECT count(*) FROM candles", True),
        ("SELECT stddev(close) FROM Candles WHERE symbol = 'BTCUSDT'", True),
        ("SELECT max(a.close) FROM candles a JOIN candles b USING (symbol, open_time)", True),
        ("WITH c AS (SELECT * FROM candles) SELECT sum(close) FROM c", True),
        ("SELECT count(*) FROM (FROM candles)", True),
        ("SELECT (SELECT sum(volume) FROM candles) AS v", True),
        ("SELECT 'spot' AS market, sum(close) FROM candles", True),
        ("SELECT * FROM candles", False),
        ("FROM candles LIMIT 1", False),
        ("SELECT sum(close) FROM candles WHERE market = 'spot'", False),
        ("SELECT market, sum(close) FROM candles GROUP BY ALL", False),
        ("SELECT max(a.close) FROM candles a JOIN candles b USING (symbol, open_time, market)", False),
        ("SELECT sum(rows) FROM coverage", False),
        ("DESCRIBE candles", False),
        ("SELECT 1", False),
        ("SELECT count(*) FROM candles_mark", False),
    ],
)
def test_a_query_that_never_looks_at_the_market_is_refused(both: Client, query: str, mixes: bool) -> None:
    if mixes:
        with pytest.raises(InvalidInput, match="kept in several markets"):
            both.lens.sql(query)
    else:
        both.lens.sql(query)


def test_a_store_of_last_prices_of_one_market_answers_what_it_always_did(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT", "1h", ROWS)
    client = offline(tmp_path)
    for condition, rows in {"price = 'last'": ROWS, "price <> 'mark'": ROWS, "price = 'mark'": 0, "true": ROWS}.items():
        reported = client.lens.sql(f"SELECT count(*) AS n FROM candles WHERE {condition}")  # noqa: S608
        assert reported.n.tolist() == [rows]
    assert client.lens.polars().candles().collect().height == len(client.lens.dask()) == ROWS


QUERIES: list[Any] = [
    "UPDATE EXTENSIONS", "SELECT 'a\udc80'", "SELECT '\x00'", "", ";", "SELECT", "x" * 10, "SELECT 1; SELECT 2",
    "PRAGMA version", "CHECKPOINT", "BEGIN", "PREPARE x AS SELECT 1", "EXECUTE x", "CALL pragma_version()",
    "PIVOT candles ON symbol",
    "SELECT ?", "SELECT $a", "SELECT 5::bignum AS x", "SELECT union_value(a := 1) AS x", "SELECT INTERVAL 1 MONTH",
    "SELECT '101'::bit", "SELECT {'a': 1}", "SELECT map {'a': 1}", "SELECT 'infinity'::timestamp",
    "SELECT 1 AS a, 2 AS a",
    "SELECT DATE '5000-01-01'", "SELECT TIMESTAMPTZ '294246-01-01'", "SELECT error('x')", "SELECT 'a'::variant",
    "SELECT * FROM query", "EXPLAIN SELECT 1", 5, None, b"SELECT 1",
]  # fmt: skip


@pytest.mark.quick_cases(13)
@pytest.mark.parametrize("query", QUERIES, ids=ascii)
def test_no_query_raises_another_error_than_this_package_s(tmp_path: Path, query: Any) -> None:
    keep(tmp_path, "BTCUSDT")
    with contextlib.suppress(BgresearchError):
        assert isinstance(offline(tmp_path).lens.sql(query), pd.DataFrame)


WRONG: dict[str, Callable[[Client], object]] = {
    "a frame that is none": lambda client: client.lens.sql("SELECT 1", mine=5),  # type: ignore[arg-type]
    "a frame of complex numbers": lambda client: client.lens.sql("FROM mine", mine=pd.DataFrame({"x": [1j]})),
    "a frame without columns": lambda client: client.lens.sql("FROM mine", mine=pd.DataFrame()),
    "a frame whose name is no Unicode": lambda client: client.lens.sql("SELECT 1", **{"a\ud800": pd.DataFrame()}),
    "a place for what does not fit": lambda client: client.lens.duckdb(spill=5),  # type: ignore[arg-type]
    "a family of dask": lambda client: client.lens.dask(5),  # type: ignore[arg-type]
    "symbols": lambda client: client.lens.dask(symbols=5),  # type: ignore[arg-type]
    "a market of dask": lambda client: client.lens.dask(market=5),  # type: ignore[arg-type]
    "a time": lambda client: client.lens.dask(start="garbage"),
    "a family of polars": lambda client: client.lens.polars().scan(["x"]),  # type: ignore[arg-type]
    "a period": lambda client: client.lens.polars().candles(5),
    "a market of polars": lambda client: client.lens.polars().candles(market=dt.date(2026, 1, 1)),
    "a market where there is none": lambda client: client.lens.polars().scan("fills", market="spot"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_no_argument_raises_another_error_than_this_package_s(
    tmp_path: Path, wrong: Callable[[Client], object]
) -> None:
    keep(tmp_path, "BTCUSDT")
    with pytest.raises(BgresearchError):
        wrong(offline(tmp_path))
