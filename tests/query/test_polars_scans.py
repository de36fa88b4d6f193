"""Lazy frames over the store: the client's rows, the files they open, and what they leave alone."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from bgresearch.errors import ConfigurationError, InvalidInput, StoreError
from bgresearch.query.datasets import families
from bgresearch.store import pins
from tests.query.stores import DAY_MS, JAN_MS, SYMBOLS, keep, offline


def test_every_frame_of_an_empty_store_is_empty_and_typed(tmp_path: Path) -> None:
    client = offline(tmp_path / "nothing")
    scans = client.lens.polars()
    for name, family in families(client._source).items():
        frame = getattr(scans, name)().collect()
        assert (frame.columns, len(frame)) == (family.columns.names, 0)
    types = scans.candles().collect_schema()
    assert (types["open_time"], types["close"], types["symbol"]) == (pl.Datetime("ms", "UTC"), pl.Float64, pl.String)
    assert scans.gaps().collect().is_empty()
    assert scans.coverage().collect().is_empty()


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_candles_are_those_of_the_client_to_the_last_bit(tmp_path: Path, symbol: str) -> None:
    for other in SYMBOLS:
        keep(tmp_path, other, "1m", 2_000, start_ms=JAN_MS - 1_000 * 60_000, absent=(3, 1_500), seed=len(other))
    client = offline(tmp_path)
    expected = client.candles(symbol, "1m", JAN_MS - 1_000 * 60_000, JAN_MS + 1_000 * 60_000).reset_index()
    found = client.lens.polars().candles().filter(pl.col("symbol") == symbol).sort("open_time")
    pd.testing.assert_frame_equal(
        found.drop("market", "price", "symbol", "interval").collect().to_pandas(), expected, check_exact=True
    )


def test_months_are_spelled_as_users_do_and_found_so(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT", "1M", 1)
    keep(tmp_path, "BTCUSDT", "1m", 10)
    scans = offline(tmp_path).lens.polars()
    assert scans.candles().group_by("interval").len().sort("interval").collect().rows() == [("1M", 1), ("1m", 10)]
    assert scans.candles().filter(pl.col("interval") == "1M").collect().height == 1


def test_a_filter_on_keys_opens_no_other_file(tmp_path: Path) -> None:
    for symbol, interval in (("BTCUSDT", "1m"), ("1INCHUSDT", "1m"), ("ETHUSDT", "1m"), ("BTCUSDT", "1h")):
        keep(tmp_path, symbol, interval)
    for file in tmp_path.glob("candles/**/*.parquet"):
        if "symbol=BTCUSDT/interval=1m" not in file.as_posix():
            file.write_bytes(b"garbage")
    scan = offline(tmp_path).lens.polars(check=False).candles()
    wanted = scan.filter(pl.col("symbol") == "BTCUSDT", pl.col("interval") == "1m")
    assert wanted.select(pl.len(), pl.col("close").is_not_null().sum()).collect().rows() == [(100, 100)]
    with pytest.raises(pl.exceptions.PolarsError):
        scan.select(pl.col("close").sum()).collect()


def test_a_period_opens_the_files_of_that_month_alone(tmp_path: Path) -> None:
    for month in range(3):
        keep(tmp_path, "BTCUSDT", start_ms=JAN_MS + month * 31 * DAY_MS)
    for file in tmp_path.glob("candles/**/*.parquet"):
        if file.name != "2026-02.parquet":
            file.write_bytes(b"garbage")
    scans = offline(tmp_path).lens.polars()
    assert scans.candles(period="2026-02").select("open_time").collect().height == 100


def test_a_filter_on_time_reads_of_other_months_no_more_than_the_footer(tmp_path: Path) -> None:
    for month in range(3):
        keep(tmp_path, "BTCUSDT", rows=1_000, start_ms=JAN_MS + month * 31 * DAY_MS)
    for file in tmp_path.glob("candles/**/*.parquet"):
        if file.name != "2026-02.parquet":
            data = bytearray(file.read_bytes())
            footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
            data[4:footer] = b"\xff" * (footer - 4)
            file.write_bytes(data)
    scan = offline(tmp_path).lens.polars(check=False).candles()
    start, end = (dt.datetime(2026, month, 1, tzinfo=dt.UTC) for month in (2, 3))
    found = scan.filter(pl.col("open_time") >= start, pl.col("open_time") < end).collect()
    assert found.height == 1_000
    with pytest.raises(pl.exceptions.PolarsError):
        scan.collect()


def test_the_check_reads_the_markets_that_are_named_and_no_filter_spares_a_file(tmp_path: Path) -> None:
    for symbol, market in (("BTCUSDT", "spot"), ("ETHUSDT", "usdt-futures")):
        keep(tmp_path, symbol, market=market)
    [file] = tmp_path.glob("candles/**/symbol=ETHUSDT/**/*.parquet")
    file.write_bytes(b"garbage")
    scans = offline(tmp_path).lens.polars()
    assert scans.candles(market="spot").collect().height == 100
    for market in (None, "usdt-futures"):
        with pytest.raises(StoreError, match=r"symbol=ETHUSDT.*is damaged"):
            scans.candles(market=market)


def test_what_is_no_whole_partition_is_never_read(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT")
    file = next(tmp_path.glob("candles/**/*.parquet"))
    for name in (f"{file.name}.damaged-20260101T000000Z", f".{file.name}.1.abcd.tmp", "../other.parquet"):
        (file.parent / name).write_bytes(b"garbage")
    assert offline(tmp_path).lens.polars().candles().collect().height == 100


def test_a_new_call_sees_what_was_kept_since(tmp_path: Path) -> None:
    scans = offline(tmp_path).lens.polars()
    heights = [scans.candles().collect().height]
    for symbol in ("BTCUSDT", "ETHUSDT"):
        keep(tmp_path, symbol)
        heights.append(scans.candles().collect().height)
    assert heights == [0, 100, 200]


@pytest.mark.parametrize("name", ["a b", "100%", "x[1]", "star*", "who?", "env=prod", "Straße"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    keep(tmp_path / name, "BTCUSDT")
    scans = offline(tmp_path / name).lens.polars()
    assert scans.candles().collect().height == 100
    assert scans.recorded_open_interest().collect().is_empty()


def test_a_pinned_client_scans_what_was_frozen(tmp_path: Path) -> None:
    keep(tmp_path, "BTCUSDT")
    pins.create(tmp_path, "paper", JAN_MS)
    keep(tmp_path, "ETHUSDT")
    pinned = offline(tmp_path, pin="paper").lens.polars()
    assert pinned.candles().select("symbol").unique().collect().rows() == [("BTCUSDT",)]


def test_wrong_names_are_answered_in_words(tmp_path: Path) -> None:
    scans = offline(tmp_path).lens.polars()
    with pytest.raises(InvalidInput, match=r"'bars' is unknown.*candles"):
        scans.scan("bars")
    with pytest.raises(AttributeError, match="there is no 'bars'; there are candles"):
        scans.bars()
    with pytest.raises(InvalidInput, match="is no period"):
        scans.candles(period="../../x")
    assert {"candles", "trades", "coverage"} <= {*dir(scans)}


def test_without_polars_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'bgresearch\[polars\]'"):
        offline(tmp_path).lens.polars()
