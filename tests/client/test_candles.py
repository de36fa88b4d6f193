"""Candles are exactly those of the world: every market, price and interval, over every border, once and for all."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import sys
from collections.abc import Callable

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import INTERVALS
from bgresearch.errors import OfflineError
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.world.markets import utc_ms

Truth = Callable[..., pd.DataFrame]
Connect = Callable[..., Client]

SYMBOLS = {"spot": "BTCUSDT", "usdt-futures": "BTCUSDT", "usdc-futures": "BTCPERP", "coin-futures": "BTCUSD"}
KINDS = [("spot", "last")]
KINDS += [(market, price) for market in list(SYMBOLS)[1:] for price in ("last", "mark", "index")]
STARTS = {
    "1m": "2026-10-20", "3m": "2026-10-15", "5m": "2026-10-10", "15m": "2026-09-01", "30m": "2026-09-01",
    "1h": "2026-08-01", "2h": "2026-07-01", "4h": "2026-03-01", "6h": "2025-10-01", "12h": "2025-08-01",
    "1d": "2025-06-01", "3d": "2025-01-01", "1w": "2024-01-01", "1M": "2023-01-01",
}  # fmt: skip


def same(got: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(got, expected, check_exact=True, check_freq=False)


@pytest.mark.quick_cases(16)
@pytest.mark.parametrize("interval", ["1m", "1h", "1d"])
@pytest.mark.parametrize(("market", "price"), KINDS)
def test_every_market_and_price_is_exact_up_to_the_last_closed_candle(
    client: Client, truth: Truth, market: str, price: str, interval: str
) -> None:
    start = {"1m": "2026-11-19T20:00", "1h": "2026-10-20", "1d": "2026-03-01"}[interval]
    asked = (SYMBOLS[market], interval, start, "2026-11-21")
    same(client.candles(*asked, market=market, price=price), truth(*asked, market=market, price=price))


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("interval", list(INTERVALS))
def test_every_interval_is_exact_across_the_border_of_recent_and_history(
    client: Client, truth: Truth, interval: str
) -> None:
    asked = ("ETHUSDT", interval, STARTS[interval], "2026-11-20")
    got = client.candles(*asked, market="usdt-futures")
    same(got, truth(*asked, market="usdt-futures"))
    assert len(got) > 10


@pytest.mark.parametrize("interval", [name for name, one in INTERVALS.items() if one.anchored])
@pytest.mark.parametrize("anchor", ["utc", "exchange"])
def test_both_anchors_are_exact_and_kept_apart(client: Client, truth: Truth, interval: str, anchor: str) -> None:
    asked = ("BTCUSDT", interval, "2025-11-10", "2026-11-10")
    client.candles(*asked, anchor={"utc": "exchange", "exchange": "utc"}[anchor])
    same(client.candles(*asked, anchor=anchor), truth(*asked, anchor=anchor))


def test_two_hours_of_spot_are_made_of_one_hour_candles_and_say_so(client: Client, truth: Truth) -> None:
    asked = ("BTCUSDT", "2h", "2026-03-10", "2026-03-13T01:00")
    got = client.candles(*asked)
    expected = truth(*asked)
    same(got[["open", "high", "low", "close"]], expected[["open", "high", "low", "close"]])
    pd.testing.assert_frame_equal(got, expected, rtol=1e-14)
    assert got.attrs["bgresearch"]["derived_from"] == "1h"
    assert client.candles("BTCUSDT", "1h", "2026-03-10", "2026-03-13").attrs["bgresearch"]["requests"] == {}


def test_an_hour_of_maintenance_is_absent_and_named(client: Client, truth: Truth) -> None:
    asked = ("BTCUSDT", "1m", "2026-03-11T04:00", "2026-03-11T09:00")
    got = client.candles(*asked)
    same(got, truth(*asked))
    assert len(got) == 4 * 60
    assert got.attrs["bgresearch"]["gaps"] == [
        {
            "start": "2026-03-11T06:00:00Z",
            "end": "2026-03-11T07:00:00Z",
            "cause": "exchange has none",
            "noticed": "2026-11-20T09:00:30Z",
            "again": "2026-11-21T09:00:30Z",
        }
    ]


@pytest.mark.parametrize(("symbol", "market"), [("BTCUSDT", "spot"), ("BTCUSDT", "usdt-futures")])
def test_while_the_exchange_tells_of_maintenance_that_is_the_cause_and_it_is_asked_again(
    exchange: Exchange, connect: Connect, symbol: str, market: str
) -> None:
    exchange.clock = ManualClock(utc_ms(2026, 3, 11, 6) + 40 * 60_000)
    asked = (symbol, "1m", "2026-03-11T05:00", "2026-03-11T06:30")
    with connect(clock=exchange.clock) as client:
        got = client.candles(*asked, market=market)
        assert len(got) == 60
        (gap,) = got.attrs["bgresearch"]["gaps"]
        assert (gap["start"], gap["end"], gap["cause"]) == (
            "2026-03-11T06:00:00Z", "2026-03-11T06:30:00Z", "maintenance",
        )  # fmt: skip
        assert gap["again"] == "2026-03-11T07:40:00Z"
        assert client.candles(*asked, market=market).attrs["bgresearch"]["requests"] == {}


def test_an_hour_of_maintenance_is_filled_only_on_demand_and_flagged_and_never_kept(client: Client) -> None:
    plain = client.candles("BTCUSDT", "1m", "2026-03-11T04:00", "2026-03-11T09:00")
    whole = client.candles("BTCUSDT", "1m", "2026-03-11T04:00", "2026-03-11T09:00", fill="ffill")
    assert whole["filled"].sum() == len(whole) - len(plain) > 0
    assert whole[~whole["filled"]].drop(columns="filled").equals(plain)
    assert (whole.loc[whole["filled"], "volume"] == 0).all()
    assert client.candles("BTCUSDT", "1m", "2026-03-11T04:00", "2026-03-11T09:00").equals(plain)


@pytest.mark.slow
def test_a_listing_in_mid_range_is_found_in_few_requests_and_remembered(client: Client, truth: Truth) -> None:
    asked = ("JUNEUSDT", "1m", "2019-01-01", "2026-06-16")
    got = client.candles(*asked)
    same(got, truth(*asked))
    report = got.attrs["bgresearch"]
    assert [gap | {"noticed": ""} for gap in report["gaps"]] == [
        {
            "start": "2019-01-01T00:00:00Z",
            "end": "2026-06-15T00:00:00Z",
            "cause": "before listing",
            "noticed": "",
            "again": None,
        }
    ]
    # 19,600 pages are before the listing; two bursts of a route are on their way before it is found
    assert sum(report["requests"].values()) < 100
    before = client.requests_sent
    assert client.candles("JUNEUSDT", "1m", "2020-01-01", "2021-01-01").empty
    assert client.requests_sent == before


def test_a_symbol_that_was_delisted_ends_there(client: Client, truth: Truth) -> None:
    asked = ("GONEUSDT", "5m", "2026-02-09", "2026-06-01")
    got = client.candles(*asked)
    same(got, truth(*asked))
    assert got.attrs["bgresearch"]["gaps"][-1]["cause"] == "delisted"
    # the search for the end takes some 30, and while it goes on each page on its way, at most 40, is asked for once
    assert sum(got.attrs["bgresearch"]["requests"].values()) < 80


def test_minutes_without_trades_are_there(client: Client, truth: Truth) -> None:
    asked = ("STILLUSDT", "1m", "2026-11-01", "2026-11-02")
    got = client.candles(*asked)
    same(got, truth(*asked))
    assert (got.volume == 0).mean() > 0.8


@pytest.mark.parametrize("symbol", ["$ALTUSDT", "龙USDT", "PEPEUSDT", "btcusdt"])
def test_awkward_symbols_and_tiny_prices_are_exact(client: Client, truth: Truth, symbol: str) -> None:
    asked = (symbol, "1h", "2026-11-01", "2026-11-05")
    same(client.candles(*asked), truth(*asked))
    assert client.candles(*asked).attrs["bgresearch"]["requests"] == {}


def test_what_was_loaded_once_is_never_asked_again(client: Client, connect: Connect) -> None:
    first = client.candles("BTCUSDT", "1m", "2026-03-10", "2026-03-12")
    for other in (client, connect(), connect(offline=True)):
        again = other.candles("BTCUSDT", "1m", "2026-03-10", "2026-03-12")
        same(again, first)
        assert again.attrs["bgresearch"]["requests"] == {}
        assert again.attrs["bgresearch"]["gaps"] == first.attrs["bgresearch"]["gaps"]


def test_only_what_is_missing_in_the_middle_is_fetched(client: Client, truth: Truth) -> None:
    client.candles("BTCUSDT", "1m", "2026-11-18", "2026-11-18T06:00")
    client.candles("BTCUSDT", "1m", "2026-11-18T12:00", "2026-11-18T18:00")
    got = client.candles("BTCUSDT", "1m", "2026-11-18", "2026-11-18T18:00")
    assert got.attrs["bgresearch"]["requests"] == {"spot.candles": 1}
    same(got, truth("BTCUSDT", "1m", "2026-11-18", "2026-11-18T18:00"))


def test_time_passing_costs_only_the_new_candles(client: Client, clock: ManualClock, truth: Truth) -> None:
    client.candles("BTCUSDT", "1m", "2026-11-20")
    clock.advance(600)
    got = client.candles("BTCUSDT", "1m", "2026-11-20")
    assert got.attrs["bgresearch"]["requests"] == {"spot.candles": 1}
    same(got, truth("BTCUSDT", "1m", "2026-11-20", "2026-11-21"))


@pytest.mark.parametrize(("price", "last"), [("last", "08:59"), ("mark", "08:58")])
def test_a_candle_counts_as_closed_only_after_its_margin(client: Client, price: str, last: str) -> None:
    got = client.candles("BTCUSDT", "1m", "2026-11-20T08:00", market="usdt-futures", price=price)
    assert got.index[-1] == pd.Timestamp(f"2026-11-20T{last}Z")


def test_the_open_candle_comes_on_request_and_is_not_kept(client: Client) -> None:
    asked = ("BTCUSDT", "1m", "2026-11-20T08:50")
    with_open = client.candles(*asked, include_open=True)
    assert with_open.index[-1] == pd.Timestamp("2026-11-20T09:00Z")
    assert client.candles(*asked).index[-1] == pd.Timestamp("2026-11-20T08:59Z")
    assert client.candles(*asked, include_open=True).attrs["bgresearch"]["requests"] == {"spot.candles": 1}


def test_a_span_without_a_closed_candle_is_an_empty_frame_of_the_same_shape(client: Client) -> None:
    got = client.candles("BTCUSDT", "1d", "2026-11-20")
    assert got.empty
    assert list(got.columns) == ["open", "high", "low", "close", "volume", "quote_volume"]
    assert str(got.index.dtype) == "datetime64[ms, UTC]"
    assert set(map(str, got.dtypes)) == {"float64"}


def test_spans_are_half_open_wherever_they_are_cut(client: Client) -> None:
    got = client.candles("BTCUSDT", "1h", "2026-11-01T00:30", "2026-11-01T03:00")
    assert [at.hour for at in got.index] == [1, 2]


def test_the_report_is_plain_and_survives_copies(client: Client) -> None:
    got = client.candles("BTCUSDT", "1h", "2026-11-01", "2026-11-02")
    report = got.attrs["bgresearch"]
    assert json.loads(json.dumps(report)) == report
    assert report["label"] == "readonly"
    assert report["closed"] == ["2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"]
    assert report["endpoints"] == ["spot.candles"]
    for twin in (copy.deepcopy(got), got.head(3), pickle.loads(pickle.dumps(got))):  # noqa: S301 - our own frame
        assert twin.attrs["bgresearch"] == report


def test_it_works_inside_a_running_event_loop(client: Client) -> None:
    async def cell() -> pd.DataFrame:
        return client.candles("BTCUSDT", "1h", "2026-11-01", "2026-11-02")

    assert len(asyncio.run(cell())) == 24


def test_offline_names_what_is_missing(client: Client, connect: Connect) -> None:
    client.candles("BTCUSDT", "1h", "2026-11-01", "2026-11-02")
    with pytest.raises(OfflineError, match=r"\[2026-11-02T00:00:00Z, 2026-11-03T00:00:00Z\) is missing") as caught:
        connect(offline=True).candles("BTCUSDT", "1h", "2026-11-01", "2026-11-03")
    assert [str(span) for span in caught.value.missing] == ["[2026-11-02T00:00:00Z, 2026-11-03T00:00:00Z)"]


def test_progress_counts_every_row_to_the_end(connect: Connect) -> None:
    reported: list[tuple[int, int]] = []
    connect(progress=lambda done, total: reported.append((done, total))).candles(
        "BTCUSDT", "1m", "2026-11-18", "2026-11-20"
    )
    assert reported[-1] == (2880, 2880)
    assert [done for done, _total in reported] == sorted(done for done, _total in reported)


def test_a_bar_is_drawn_where_it_is_wanted(
    client: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)  # a test before this one may have imported it
    client.candles("BTCUSDT", "1m", "2026-11-18", "2026-11-20", progress=True)
    assert "BTCUSDT 1m" in capsys.readouterr().err
    client.candles("ETHUSDT", "1m", "2026-11-18", "2026-11-20", progress="auto")
    assert capsys.readouterr().err == ""  # nobody is looking


def test_two_seeds_two_worlds(connect: Connect, clock: ManualClock, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = connect(sandbox=Exchange(seed=8, clock=clock), data_dir=tmp_path_factory.mktemp("other"))
    asked = ("BTCUSDT", "1h", "2026-11-01", "2026-11-02")
    assert not other.candles(*asked).equals(connect().candles(*asked))
