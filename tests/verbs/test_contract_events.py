"""Splits, dividends and liquidations of contracts, and candles in shares of today."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import INTERVALS, Grid
from bgresearch.errors import BadResponse, IncompleteData, InvalidInput, OfflineError, UnknownSymbol
from bgresearch.market.candles.split_adjust import adjusted
from bgresearch.market.contract_events import SplitStep, split_steps
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.world.liquidations import liquidation
from bgresearch.sandbox.world.markets import find

PRICES = ["open", "high", "low", "close"]
STOCK, REVERSE = "NVDAUSDT", "SOXSUSDT"
CONTRACT = {"market": "usdt-futures"}
SPLITS = [("2026-06-15T08:00Z", Decimal(4)), ("2026-10-26T13:00Z", Decimal("1.5"))]


def by_hand(frame: pd.DataFrame, splits: list[tuple[str, Decimal]] = SPLITS) -> pd.DataFrame:
    """Return candles that no split is in the middle of in shares of today, value by value."""
    rows = frame.copy()
    for place, at in enumerate(frame.index):
        ratio = Decimal(1)
        for time, one in splits:
            ratio *= one if at < pd.Timestamp(time) else 1
        for name in PRICES:
            rows.iloc[place, rows.columns.get_loc(name)] = float(Decimal(repr(float(frame[name].iat[place]))) / ratio)
        rows.iloc[place, rows.columns.get_loc("volume")] = float(
            Decimal(repr(float(frame["volume"].iat[place]))) * ratio
        )
    return rows


def test_splits_are_listed_with_their_ratio_and_date(client: Client) -> None:
    frame = client.splits()
    assert frame["symbol"].tolist() == [STOCK, REVERSE, STOCK, STOCK]
    assert frame["ratio"].tolist() == [4.0, 0.1, 1.5, 2.0]
    assert frame["kind"].tolist() == ["split", "reverse_split", "split", "split"]
    assert frame["status"].tolist() == ["completed"] * 3 + ["pending"]
    assert frame["ex_date"].iat[0] == "2026-06-15"
    assert frame["time"].is_monotonic_increasing
    assert (frame["halted"] < frame["time"]).all()


def test_splits_of_one_contract_and_of_one_without(client: Client) -> None:
    assert client.splits("NVDA/USDT:USDT")["ratio"].tolist() == [4.0, 1.5, 2.0]
    assert client.splits("BTCUSDT").empty
    with pytest.raises(UnknownSymbol, match="NVDAUSDT"):
        client.splits("NVDAUSD")


def test_dividends_paid_and_announced(client: Client) -> None:
    frame = client.dividends(STOCK)
    assert frame["amount"].tolist() == [0.24, 0.06, 0.04]
    assert frame["status"].tolist() == ["paid", "paid", "pending"]
    assert frame["ex_date"].iat[0] == "2026-03-11"
    assert client.dividends("BTCUSDT").empty


@pytest.mark.parametrize(
    "window",
    [
        (STOCK, "1h", "2026-06-12T12", "2026-06-15T16"),
        (STOCK, "5m", "2026-10-25T19:00", "2026-10-26T14:00"),
        (STOCK, "1d", "2026-06-09", "2026-06-13"),
        (STOCK, "1h", "2026-10-30", "2026-10-31"),
        ("BTCUSDT", "1h", "2026-10-30", "2026-10-31"),
    ],
)
@pytest.mark.parametrize("price", ["last", "mark"])
def test_candles_are_in_shares_of_today(client: Client, window: tuple[str, ...], price: str) -> None:
    symbol, interval, start, end = window
    traded = client.candles(symbol, interval, start, end, price=price, **CONTRACT)
    frame = client.candles(symbol, interval, start, end, price=price, adjust="splits", **CONTRACT)
    expected = by_hand(traded, SPLITS if symbol == STOCK else [])
    pd.testing.assert_frame_equal(frame, expected, check_exact=True)
    assert (frame["quote_volume"] == traded["quote_volume"]).all()


def test_a_reverse_split_and_a_step_that_is_gone(client: Client) -> None:
    window = ("1h", "2026-07-14T12", "2026-07-15T18")
    traded = client.candles(REVERSE, *window, **CONTRACT)
    frame = client.candles(REVERSE, *window, adjust="splits", **CONTRACT)
    pd.testing.assert_frame_equal(frame, by_hand(traded, [("2026-07-15T08:00Z", Decimal("0.1"))]), check_exact=True)
    jumps = [abs(np.log(later / earlier)) for earlier, later in pairwise(traded["close"])]
    left = [abs(np.log(later / earlier)) for earlier, later in pairwise(frame["close"])]
    assert max(jumps) > 2
    assert max(left) < 0.5


@pytest.mark.parametrize(
    ("interval", "open_time", "shorter"),
    [("1d", "2026-10-26", "1h"), ("4h", "2026-10-26T12:00", "1h"), ("1w", "2026-06-15", "4h"),
     pytest.param("1M", "2026-06-01", "4h", marks=pytest.mark.slow),
     pytest.param("1M", "2026-10-01", "1h", marks=pytest.mark.slow)],
)  # fmt: skip
def test_a_candle_around_a_split_is_made_of_shorter_ones(
    client: Client, interval: str, open_time: str, shorter: str
) -> None:
    opens = pd.Timestamp(open_time, tz="UTC")
    frame = client.candles(STOCK, interval, opens, opens + pd.Timedelta("1min"), adjust="splits", **CONTRACT)
    length = {"1d": pd.DateOffset(days=1), "4h": pd.DateOffset(hours=4), "1w": pd.DateOffset(weeks=1)}
    closes = opens + length.get(interval, pd.DateOffset(months=1))
    parts = by_hand(client.candles(STOCK, shorter, opens, closes, **CONTRACT))
    assert frame[PRICES].iloc[0].tolist() == [
        parts["open"].iat[0], parts["high"].max(), parts["low"].min(), parts["close"].iat[-1],
    ]  # fmt: skip
    assert frame["volume"].iat[0] == pytest.approx(parts["volume"].sum(), rel=1e-12)
    words = frame.attrs["bgresearch"]
    assert words["made_of_shorter"] == [{"open_time": f"{opens:%Y-%m-%dT%H:%M:%S}Z", "interval": shorter}]


def test_a_candle_that_opens_while_trading_is_halted_is_in_new_shares(client: Client) -> None:
    window = ("12h", "2026-06-15", "2026-06-15T12:00")
    traded = client.candles(STOCK, *window, **CONTRACT)
    frame = client.candles(STOCK, *window, adjust="splits", **CONTRACT)
    assert frame["open"].iat[0] == float(Decimal(repr(float(traded["open"].iat[0]))) / Decimal("1.5"))


def test_attrs_name_the_splits_and_the_store_keeps_what_was_traded(client: Client) -> None:
    window = (STOCK, "1h", "2026-06-12", "2026-06-16")
    traded = client.candles(*window, **CONTRACT)
    frame = client.candles(*window, adjust="splits", **CONTRACT)
    words = frame.attrs["bgresearch"]
    assert words["adjust"] == "splits"
    assert words["splits"] == [
        {"time": "2026-06-15T08:00:00Z", "ratio": "4"}, {"time": "2026-10-26T13:00:00Z", "ratio": "1.5"},
    ]  # fmt: skip
    assert "splits" not in traded.attrs["bgresearch"]
    pd.testing.assert_frame_equal(client.candles(*window, **CONTRACT), traded)


def test_announced_splits_change_nothing_until_they_happen(client: Client, clock: ManualClock) -> None:
    window = (STOCK, "1h", "2026-11-18", "2026-11-19")
    before = client.candles(*window, adjust="splits", **CONTRACT)
    pd.testing.assert_frame_equal(before, client.candles(*window, **CONTRACT))
    clock.advance(30 * 86_400)
    after = client.candles(*window, adjust="splits", **CONTRACT)
    assert after["close"].tolist() == [float(Decimal(repr(one)) / 2) for one in before["close"].tolist()]


def test_rows_that_were_filled_in_are_adjusted_like_candles(client: Client) -> None:
    window = (STOCK, "1h", "2026-06-12T20", "2026-06-15T12")
    frame = client.candles(*window, fill="ffill", adjust="splits", **CONTRACT)
    assert frame["filled"].sum() == 56
    assert frame.loc[frame["filled"], "close"].nunique() == 1
    assert frame["close"].pct_change().abs().max() < 0.1


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"adjust": "dividends", **CONTRACT}, "none, splits"), ({"adjust": None, **CONTRACT}, "none, splits"),
     ({"adjust": "splits"}, "usdt-futures")],
)  # fmt: skip
def test_another_way_to_adjust_is_refused_without_a_request(client: Client, wrong: dict, named: str) -> None:
    sent = client._source.sender.sent
    for ask in (lambda: client.candles(STOCK, "1h", "2026-06-01", "2026-06-02", **wrong),
                lambda: client.panel([STOCK], "1h", "2026-06-01", "2026-06-02", **wrong)):  # fmt: skip
        with pytest.raises(InvalidInput, match=named):
            ask()
    assert client._source.sender.sent == sent


def test_a_panel_is_adjusted_symbol_by_symbol(client: Client) -> None:
    window = ("1h", "2026-07-14T12", "2026-07-15T18")
    fields = ["close", "volume", "mark"]
    panel = client.panel([STOCK, REVERSE, "BTCUSDT"], *window, fields=fields, adjust="splits", **CONTRACT)
    for symbol in (STOCK, REVERSE, "BTCUSDT"):
        alone = client.candles(symbol, *window, adjust="splits", **CONTRACT)
        there = panel["close"][symbol].dropna()
        assert there.tolist() == alone["close"].tolist()
        assert panel["volume"][symbol].dropna().tolist() == alone["volume"].tolist()
    assert set(panel.attrs["bgresearch"]["splits"]) == {STOCK, REVERSE}


def test_offline_the_kept_splits_are_used(client: Client, connect) -> None:
    window = (STOCK, "1h", "2026-06-12", "2026-06-13")
    traded = client.candles(*window, **CONTRACT)
    offline = connect(offline=True)
    with pytest.raises(OfflineError, match="splits"):
        offline.candles(*window, adjust="splits", **CONTRACT)
    client.splits()
    frame = offline.candles(*window, adjust="splits", **CONTRACT)
    assert frame["close"].tolist() == by_hand(traded)["close"].tolist()


class Answers:
    """A sender with one answer."""

    label, host, demo, sent, confirms = None, "", False, 0, True

    def __init__(self, client: Client, rows: list[object]) -> None:
        self._inner, self._rows = client._source.sender, rows

    def send(self, endpoint, params):
        return replace(self._inner.send(endpoint, params), data=self._rows)


ROW = {
    "symbol": STOCK, "type": "split", "status": "completed", "adjustmentRatio": "4", "exDividendDate": "20260615",
    "exDividendDateTimezone": "ET", "tradingHaltStartTime": "1781308800000", "tradingHaltEndTime": "1781510400000",
}  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [{"adjustmentRatio": "0"}, {"adjustmentRatio": "-4"}, {"adjustmentRatio": ""}, {"adjustmentRatio": "four"},
     {"tradingHaltEndTime": ""}, {"tradingHaltEndTime": "soon"}, {"adjustmentRatio": None}],
)  # fmt: skip
def test_a_split_that_cannot_be_read_is_an_error_not_a_wrong_price(client: Client, changed: dict) -> None:
    with pytest.raises(BadResponse, match="split_records"):
        split_steps(Answers(client, [ROW | changed]), STOCK, 2**42)


def test_two_ratios_for_one_split_are_an_error_and_one_twice_is_one(client: Client) -> None:
    assert len(split_steps(Answers(client, [ROW, dict(ROW)]), STOCK, 2**42)) == 1
    with pytest.raises(BadResponse, match="two ratios"):
        split_steps(Answers(client, [ROW, ROW | {"adjustmentRatio": "5"}]), STOCK, 2**42)
    assert split_steps(Answers(client, [ROW | {"symbol": "X", "adjustmentRatio": "?"}]), STOCK, 2**42) == []
    assert split_steps(Answers(client, [ROW | {"status": "pending"}]), STOCK, 2**42) == []


def test_prices_without_a_step_are_said(client: Client, caplog: pytest.LogCaptureFixture, exchange: Exchange) -> None:
    frame = client.candles("BTCUSDT", "1h", "2026-10-30", "2026-10-31", **CONTRACT)
    step = SplitStep(int(frame.index[5].timestamp() * 1000), Decimal(4))
    found = adjusted(frame, [step], Grid(INTERVALS["1h"]), lambda _name, _span: frame)
    assert found.attrs["bgresearch"]["splits"][0]["no_step"] is True
    assert "may have adjusted them itself" in caplog.text


def test_liquidations_of_a_market_and_of_one_contract(client: Client) -> None:
    everything = client.liquidations(last="3h")
    one = client.liquidations("BTC/USDT:USDT", last="3h")
    assert everything.index.is_monotonic_increasing
    assert set(everything["side"]) == {"buy", "sell"}
    assert everything["symbol"].nunique() > 10
    pd.testing.assert_frame_equal(everything[everything["symbol"] == "BTCUSDT"], one, check_categorical=False)
    assert (one.index >= pd.Timestamp("2026-11-20T06:00:30Z")).all()


def test_liquidations_are_read_page_by_page_without_gap_or_double(client: Client) -> None:
    whole = client.liquidations("ETHUSDT")
    parts = [client.liquidations("ETHUSDT", f"2026-11-{day}", f"2026-11-{day + 1}") for day in (18, 19, 20)]
    joined = pd.concat(parts)
    assert len(whole) > 200
    assert len(joined) == (whole.index >= "2026-11-18").sum()
    assert whole.reset_index().duplicated().sum() == 0


def test_liquidations_are_those_of_the_stream(client: Client, exchange: Exchange) -> None:
    frame = client.liquidations("BTCUSDT", last="2h")
    market = find("usdt-futures", "BTCUSDT")
    assert market is not None
    first = int(pd.Timestamp("2026-11-20T07:00Z").timestamp() * 1000)
    trades = [liquidation(exchange.world, market, first + minute * 60_000) for minute in range(120)]
    times = [trade.ts_ms for trade in trades if trade is not None]
    assert [at for at in times if at >= first + 30_000] == [int(at.timestamp() * 1000) for at in frame.index]


def test_older_liquidations_are_refused(client: Client) -> None:
    with pytest.raises(IncompleteData, match="3 days back") as caught:
        client.liquidations("BTCUSDT", "2026-11-10")
    assert caught.value.missing
    with pytest.raises(InvalidInput, match="spot"):
        client.liquidations(market="spot")
    with pytest.raises(UnknownSymbol, match="BTCUSDT"):
        client.liquidations("BTCUSDX")


def test_stocks_are_named_in_the_list_of_symbols(client: Client) -> None:
    frame = client.symbols("usdt-futures").set_index("symbol")
    assert frame.loc[[STOCK, REVERSE], "kind"].tolist() == ["stock", "stock"]
    assert frame.loc["BTCUSDT", "kind"] == "perpetual"
