"""The archive and REST tell of one world: what came from either is equal bit for bit, and is fetched once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.sandbox import Exchange
from bgresearch.store.coverage import ARCHIVE
from tests.archives.conftest import Served
from tests.conftest import NOW_MS, Connect

DAY_MS = 86_400_000
CANDLES = {  # across the three ways of naming, months and days, both containers, old headers, absent minutes
    "old names": ("spot", "BTCUSDT", "2023-12-30", "2024-01-02"),
    "second names": ("usdt-futures", "ETHUSDT", "2024-04-17", "2024-04-20"),
    "a month": ("usdc-futures", "BTCPERP", "2025-08-29", "2025-09-04"),
    "no trade for minutes": ("spot", "STILLUSDT", "2026-08-16", "2026-08-19"),
    "coin margined": ("coin-futures", "BTCUSD", "2026-08-17", "2026-08-20"),
}


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("kind", CANDLES)
def test_candles_are_equal_bit_for_bit(connect: Connect, tmp_path: Path, kind: str) -> None:
    market, symbol, start, end = CANDLES[kind]
    ours, theirs = connect(data_dir=tmp_path / "archive"), connect(data_dir=tmp_path / "rest")
    reported = ours.download(symbol, "1m", start, end, market=market, source="archive").attrs["bgresearch"]
    assert reported["archive"][symbol]["files"] > 0
    ours.download(symbol, "1m", start, end, market=market)  # what no file has: REST
    theirs.download(symbol, "1m", start, end, market=market, source="rest")
    sent = ours.requests_sent
    one, other = (client.candles(symbol, "1m", start, end, market=market) for client in (ours, theirs))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert len(one) > 4_000
    assert ours.requests_sent == sent
    assert one.attrs["bgresearch"]["archived"]
    assert ARCHIVE in one.attrs["bgresearch"]["endpoints"]
    assert "archived" not in other.attrs["bgresearch"]
    assert ours.verify().sound


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    ("market", "symbol", "start", "end"),
    [
        ("spot", "BTCUSDT", "2026-08-17", "2026-08-18T20:00"),
        ("usdt-futures", "ETHUSDT", "2024-04-17", "2024-04-18T20:00"),
    ],
)
def test_trades_are_equal_bit_for_bit(  # noqa: PLR0917 - fixtures and cases
    served: Served, model: Exchange, tmp_path: Path, market: str, symbol: str, start: str, end: str
) -> None:
    client = served()
    ours = client.trades(symbol, start, end, market=market)
    about = ours.attrs["bgresearch"]
    assert about["time_precision"] == "s"
    assert about["archive"]["files"] > 3  # parts
    assert about["archived"] == [[pd.Timestamp(one).strftime("%Y-%m-%dT%H:%M:%SZ") for one in (start, end)]]
    sent = client.requests_sent
    pd.testing.assert_frame_equal(client.trades(symbol, start, end, market=market), ours)
    assert client.requests_sent == sent
    then = ManualClock(int(pd.Timestamp(end, tz="UTC").timestamp() * 1000) + 5 * DAY_MS)  # when REST still reached it
    exchange = Exchange(clock=then)
    exchange.world = model.world
    earlier = served("rest", base_url=None, archive_url=None, sandbox=exchange, clock=then)
    theirs = earlier.trades(symbol, start, end, market=market, source="rest")
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    late = (ours["id_time"] - ours.index).dt.total_seconds()
    assert late.between(0, 1, inclusive="left").all()
    assert len(ours) > 5_000


@pytest.mark.slow
def test_what_rest_answers_and_what_only_the_archive_has_make_one_series(connect: Connect) -> None:
    client = connect()
    edge = pd.Timestamp(NOW_MS, unit="ms", tz="UTC") - pd.Timedelta(days=90)
    trades = client.trades("BTCUSDT", edge - pd.Timedelta(hours=3), edge + pd.Timedelta(hours=30))
    about = trades.attrs["bgresearch"]
    assert about["archived"]
    assert trades["trade_id"].is_unique
    assert trades.index.is_monotonic_increasing
    minutes = client.candles("BTCUSDT", "1m", trades.index[0].ceil("1min"), trades.index[-1].floor("1min"))
    sums = trades["amount"].groupby(trades.index.floor("1min")).sum().reindex(minutes.index)
    pd.testing.assert_series_equal(sums, minutes["volume"], check_names=False, check_freq=False)


def test_auto_takes_the_cheaper_source_and_rest_what_the_archive_lacks(connect: Connect) -> None:
    client = connect()
    short = client.plan("BTCUSDT", "1m", "2026-08-01", "2026-08-03")
    assert ARCHIVE not in short.requests
    long = client.plan("BTCUSDT", "1m", "2026-06-01", "2026-11-20")
    assert long.requests[ARCHIVE] > 4
    assert long.seconds < long.rest_seconds
    assert long.rows == client.plan("BTCUSDT", "1m", "2026-06-01", "2026-11-20", source="rest").rows
    frame = client.download("BTCUSDT", "1m", "2026-07-01", "2026-11-20")
    assert frame["gaps"].tolist() == [0]
    assert frame.attrs["bgresearch"]["archive"]["BTCUSDT"]["files"] == 4 + 18
    assert client.candles("BTCUSDT", "1m", "2026-11-18").shape[0] > 2 * 1440  # not published yet: over REST


def test_quotes_and_books_are_kept(served: Served) -> None:
    client = served()
    quotes = client.quotes("ETHUSDT", "2026-08-17T15:00", "2026-08-17T17:00", market="usdt-futures")
    books = client.books("BTCUSDT", "2026-09-01T12:00", "2026-09-01T20:00")
    assert len(quotes) > 500
    assert not quotes.reset_index().duplicated(["time", "place"]).any()
    assert books.groupby(["time", "place", "side"])["level"].max().min() == 500
    best = books[books["level"] == 1].pivot_table(index="time", columns="side", values="price", observed=True)
    assert (best["bid"] < best["ask"]).all()
    sent = client.requests_sent
    again = client.quotes("ETHUSDT", "2026-08-17T15:00", "2026-08-17T17:00", market="usdt-futures")
    pd.testing.assert_frame_equal(again, quotes)
    assert client.requests_sent == sent
    late = client.quotes("BTCUSDT", "2026-11-19", "2026-11-20")
    assert [gap["cause"] for gap in late.attrs["bgresearch"]["gaps"]] == ["not published in the archive yet"]
    assert client.verify().sound


FIVE = [
    ("spot", "BTCUSDT", 2019), ("spot", "ETHUSDT", 2019), ("usdt-futures", "BTCUSDT", 2021),
    ("usdc-futures", "BTCPERP", 2023), ("coin-futures", "BTCUSD", 2022),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("market", "symbol", "first"), FIVE)
def test_candles_of_every_year_are_equal_bit_for_bit(
    connect: Connect, tmp_path: Path, market: str, symbol: str, first: int
) -> None:
    ours, theirs = connect(data_dir=tmp_path / "archive"), connect(data_dir=tmp_path / "rest")
    days = [pd.Timestamp(f"{year}-{month:02}-27", tz="UTC") for year in range(first, 2027) for month in (4, 8)]
    compared = 0
    for start in days:  # four days over the end of a file's day, some over the end of a month
        end = start + pd.Timedelta(days=4)
        ours.download(symbol, "1m", start, end, market=market, source="archive")
        ours.download(symbol, "1m", start, end, market=market)  # what no file has: REST
        theirs.download(symbol, "1m", start, end, market=market, source="rest")
        sent = ours.requests_sent
        one, other = (client.candles(symbol, "1m", start, end, market=market) for client in (ours, theirs))
        assert one.attrs["bgresearch"]["archived"]
        assert ours.requests_sent == sent, "the second call sends no request"
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        compared += len(one)
    print(f"{compared} candles compared")
    assert ours.verify().sound


TEN_DAYS = [
    ("spot", "BTCUSDT", "2022-01-10"), ("spot", "BTCUSDT", "2024-04-18"), ("spot", "ETHUSDT", "2024-04-19"),
    ("usdt-futures", "BTCUSDT", "2022-01-10"), ("usdt-futures", "ETHUSDT", "2025-03-03"),
    ("usdc-futures", "BTCPERP", "2025-01-10"), ("coin-futures", "BTCUSD", "2025-01-10"),
    ("spot", "STILLUSDT", "2026-08-17"), ("spot", "BTCUSDT", "2026-08-18"), ("usdc-futures", "BTCPERP", "2026-09-01"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("market", "symbol", "day"), TEN_DAYS)
def test_trades_of_ten_days_are_equal_bit_for_bit(
    served: Served, model: Exchange, market: str, symbol: str, day: str
) -> None:
    start = pd.Timestamp(day, tz="UTC")
    end = start + pd.Timedelta(days=1)
    client = served()
    ours = client.trades(symbol, start, end, market=market, source="archive")
    sent = client.requests_sent
    pd.testing.assert_frame_equal(client.trades(symbol, start, end, market=market), ours)
    assert client.requests_sent == sent
    then = ManualClock(int(end.timestamp() * 1000) + 5 * DAY_MS)  # when REST still served it
    exchange = Exchange(clock=then)
    exchange.world = model.world
    earlier = served("rest", base_url=None, archive_url=None, sandbox=exchange, clock=then)
    theirs = earlier.trades(symbol, start, end, market=market, source="rest")
    columns = [name for name in ours if name != "id_time"]
    if start < pd.Timestamp("2024-01-01", tz="UTC"):  # only files have the milliseconds of these years
        assert (ours.index.floor("s") != ours.index).any()
        ours = ours.set_index(ours.index.floor("s"))
    pd.testing.assert_frame_equal(ours[columns], theirs[columns], check_exact=True)


def test_without_an_archive_the_wish_for_it_is_refused(served: Served) -> None:
    client = served(archive_url=None)
    with pytest.raises(ConfigurationError, match="archive_url"):
        client.download("BTCUSDT", "1m", "2026-08-01", "2026-08-03", source="archive")
    with pytest.raises(InvalidInput, match="source"):
        client.download("BTCUSDT", "1m", "2026-08-01", "2026-08-03", source="disk")
    with pytest.raises(InvalidInput, match="1m"):
        served().download("BTCUSDT", "1h", "2026-08-01", "2026-08-03", source="archive")


@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "XRPUSDT", "SOLUSDT", "GONEUSDT"])
def test_years_of_candles_are_equal_bit_for_bit(connect: Connect, tmp_path: Path, symbol: str) -> None:
    ours, theirs = connect(data_dir=tmp_path / "archive"), connect(data_dir=tmp_path / "rest")
    ours.download(symbol, "1m", "2019-01-01", "2026-11-18")
    theirs.download(symbol, "1m", "2019-01-01", "2026-11-18", source="rest")
    sent = ours.requests_sent
    for year in range(2019, 2027):
        span = (f"{year}-01-01", min(f"{year + 1}-01-01", "2026-11-18"))
        pd.testing.assert_frame_equal(*(one.candles(symbol, "1m", *span) for one in (ours, theirs)), check_exact=True)
    assert ours.requests_sent == sent
