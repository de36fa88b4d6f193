"""What the market rows answer: documented columns, prices that agree, pages that end."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bgresearch.catalogue import Endpoint, load
from bgresearch.core.intervals import DAY_MS, HOUR_MS
from bgresearch.sandbox.call import Refusal
from bgresearch.sandbox.responders import RESPONDERS
from bgresearch.sandbox.responders.sentiment import MOOD_RESPONDERS
from bgresearch.sandbox.responders.service import SERVICE_RESPONDERS

from .conftest import NOW_MS, Ask

GIVEN = {
    "symbol": "BTCUSDT", "productType": "USDT-FUTURES", "category": "USDT-FUTURES", "coin": "USDT",
    "marginCoin": "USDT", "interval": "1m", "businessType": "mix", "startTime": NOW_MS - 29 * DAY_MS, "endTime": NOW_MS,
    "type": "paid",
}  # fmt: skip
OURS = [name for name in RESPONDERS if name not in SERVICE_RESPONDERS and load()[name].response != "array-rows"]
RECORDED_ONLY = {"futures.position_history_position": {"cTime", "uTime"}}  # the table says so, every recording ctime


def answered(ask: Ask, endpoint: Endpoint) -> Any:
    asked = {p.name: GIVEN[p.name] for p in endpoint.params if p.required}
    if endpoint.private:
        span = endpoint.max_span_days or 29
        asked |= {"startTime": NOW_MS - min(span, 29) * DAY_MS, "endTime": NOW_MS}
    if endpoint.id == "futures.position_single_position":
        asked["symbol"] = ask("futures.position_all_position", productType="USDT-FUTURES")[0]["symbol"]
    if endpoint.id == "uta.cash_dividend_records":
        asked["symbol"] = "NVDAUSDT"
    if endpoint.id == "uta.account_financial_records":
        asked["category"] = "SPOT"
    return ask(endpoint.id, **asked)


@pytest.mark.parametrize("name", OURS)
def test_rows_have_exactly_the_documented_columns(ask: Ask, name: str) -> None:
    endpoint = load()[name]
    data = answered(ask, endpoint)
    if isinstance(data, dict):
        assert set(data) == {column.path for column in endpoint.columns if "." not in column.path}
    inside = f"{endpoint.rows_at}." if isinstance(data, dict) and endpoint.rows_at else ""
    rows = data[endpoint.rows_at] if inside else data
    if not isinstance(rows, list):
        return
    assert rows, "an answer without rows proves nothing"
    documented = {c.path.removeprefix(inside) for c in endpoint.columns if c.path.startswith(inside)}
    documented = {path for path in documented if "." not in path} - RECORDED_ONLY.get(name, set())
    for row in rows:
        assert set(row) == documented


@pytest.mark.parametrize("name", OURS)
def test_enumerated_columns_hold_listed_values(ask: Ask, name: str) -> None:
    endpoint = load()[name]
    data = answered(ask, endpoint)
    rows = data[endpoint.rows_at] if isinstance(data, dict) and endpoint.rows_at else data
    for column in endpoint.columns:
        if column.enum and isinstance(rows, list):
            assert {row[column.name] for row in rows if row.get(column.name)} <= set(column.enum), column.path


def test_a_ticker_is_the_close_of_the_forming_candle(ask: Ask) -> None:
    for symbol in ("BTCUSDT", "PEPEUSDT", "STILLUSDT"):
        ticker = ask("spot.tickers", symbol=symbol)[0]
        assert ticker["lastPr"] == ask("spot.candles", symbol=symbol, granularity="1min", limit=1)[-1][4]
        assert float(ticker["bidPr"]) < float(ticker["lastPr"]) < float(ticker["askPr"])
    asked = {"symbol": "ETHUSDT", "productType": "USDT-FUTURES"}
    ticker = ask("futures.ticker", **asked)[0]
    price = ask("futures.symbol_price", **asked)[0]
    for column, kind, other in (
        ("lastPr", "MARKET", "price"),
        ("markPrice", "MARK", "markPrice"),
        ("indexPrice", "INDEX", "indexPrice"),
    ):
        close = ask("futures.candles", **asked, granularity="1m", kLineType=kind, limit=1)[-1][4]
        assert ticker[column] == close == price[other]


def test_a_ticker_sums_up_its_last_24_hours(ask: Ask) -> None:
    ticker = ask("spot.tickers", symbol="SOLUSDT")[0]
    start = NOW_MS - DAY_MS
    minutes = []
    for first in (start, start + DAY_MS // 2):
        minutes += ask(
            "spot.candles",
            symbol="SOLUSDT",
            granularity="1min",
            startTime=first,
            endTime=first + DAY_MS // 2,
            limit=721,
        )
    minutes += ask("spot.candles", symbol="SOLUSDT", granularity="1min", limit=1)
    unique = {row[0]: row for row in minutes}.values()
    assert float(ticker["high24h"]) == max(float(row[2]) for row in unique)
    assert float(ticker["low24h"]) == min(float(row[3]) for row in unique)
    assert float(ticker["baseVolume"]) == pytest.approx(sum(float(row[5]) for row in unique), rel=1e-12)


def test_lists_follow_the_clock(ask: Ask) -> None:
    later = NOW_MS + 40 * DAY_MS
    names = {
        time: {row["symbol"] for row in ask("futures.contracts", productType="USDT-FUTURES", now_ms=time)}
        for time in (NOW_MS, later)
    }
    assert "JUNEUSDT" in names[later] - names[NOW_MS]
    assert "GONEUSDT" not in names[NOW_MS]
    early = NOW_MS - 120 * DAY_MS
    assert "GONEUSDT" in {row["symbol"] for row in ask("futures.contracts", productType="USDT-FUTURES", now_ms=early)}
    status = {row["symbol"]: row["status"] for row in ask("spot.symbols")}
    assert status["GONEUSDT"] == "offline"
    assert status["龙USDT"] == status["$ALTUSDT"] == "online"
    assert "GONEUSDT" not in {row["symbol"] for row in ask("spot.tickers")}


def test_every_listed_symbol_has_a_ticker_and_candles(ask: Ask) -> None:
    for product in ("USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES"):
        listed = {row["symbol"] for row in ask("futures.contracts", productType=product)}
        assert listed == {row["symbol"] for row in ask("futures.tickers", productType=product)}
        assert listed == {row["symbol"] for row in ask("uta.instruments", category=product)}
        for symbol in listed:
            assert ask("futures.candles", symbol=symbol, productType=product, granularity="1H", limit=2)


def test_books_are_sorted_around_the_last_price(ask: Ask) -> None:
    ticker = ask("spot.tickers", symbol="ETHUSDT")[0]
    book = ask("spot.orderbook", symbol="ETHUSDT", limit=20)
    asks, bids = ([float(price) for price, _ in book[side]] for side in ("asks", "bids"))
    assert asks == sorted(asks)
    assert bids == sorted(bids, reverse=True)
    assert [book["bids"][0], book["asks"][0]] == [
        [ticker["bidPr"], ticker["bidSz"]],
        [ticker["askPr"], ticker["askSz"]],
    ]
    assert len(ask("uta.orderbook", symbol="ETHUSDT", category="SPOT")["a"]) == 5
    depth = ask("futures.merge_depth", symbol="ETHUSDT", productType="USDT-FUTURES", precision="scale2", limit=15)
    assert len(depth["asks"]) <= 15
    assert depth["scale"] == "1.00"
    assert all(isinstance(price, float) for price, _ in depth["bids"])


def test_recent_trades_are_newest_first_and_in_the_past(ask: Ask) -> None:
    rows = ask("spot.fills", symbol="BTCUSDT")
    times = [int(row["ts"]) for row in rows]
    assert len(rows) == 100
    assert times == sorted(times, reverse=True)
    assert NOW_MS - HOUR_MS < times[-1] <= times[0] <= NOW_MS
    assert rows[0]["price"] == ask("spot.tickers", symbol="BTCUSDT")[0]["lastPr"]


def test_past_trades_page_by_id_without_repeats_or_holes(ask: Ask, world, market) -> None:
    start = NOW_MS - 3 * HOUR_MS
    expected = [str(t.trade_id) for t in world.trades(market("BTCUSDT"), start, NOW_MS + 1)]
    seen: list[str] = []
    asked = {"symbol": "BTCUSDT", "startTime": start, "endTime": NOW_MS, "limit": 250}
    while rows := ask("spot.fills_history", **asked):
        assert not seen or int(rows[0]["tradeId"]) < int(seen[-1])
        seen += [row["tradeId"] for row in rows]
        assert all(int(row["ts"]) % 1000 == 0 for row in rows)
        asked["idLessThan"] = rows[-1]["tradeId"]
    assert seen == expected


def test_the_limit_wins_over_start_time_for_past_contract_trades(ask: Ask) -> None:
    asked = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "startTime": NOW_MS - 60_000, "endTime": NOW_MS}
    rows = ask("futures.fills_history", **asked)
    assert len(rows) == 500
    assert int(rows[-1]["ts"]) < NOW_MS - 60_000
    assert {row["side"] for row in rows} == {"Buy", "Sell"}
    without_start = ask(
        "futures.fills_history", **{k: v for k, v in asked.items() if k != "startTime"} | {"endTime": NOW_MS - DAY_MS}
    )
    assert without_start == rows


def test_past_trades_reach_ninety_days_back(ask: Ask) -> None:
    edge = NOW_MS - 90 * DAY_MS
    old = {"symbol": "ETHUSDT", "startTime": edge - DAY_MS, "endTime": edge - HOUR_MS}
    assert ask("spot.fills_history", **old) == []
    assert ask("spot.fills_history", **old | {"endTime": edge + HOUR_MS})


def test_funding_comes_every_eight_hours_and_page_by_page(ask: Ask) -> None:
    asked = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "pageSize": 100}
    rows = [row for page in (1, 2, 3) for row in ask("futures.history_fund_rate", **asked, pageNo=page)]
    times = [int(row["fundingTime"]) for row in rows]
    assert times[0] <= NOW_MS < times[0] + 8 * HOUR_MS
    assert times == [times[0] - at * 8 * HOUR_MS for at in range(300)]
    assert ask("futures.history_fund_rate", **asked, pageNo=500) == []
    unified = ask("uta.history_fund_rate", symbol="BTCUSDT", category="USDT-FUTURES", cursor=2, limit=100)["resultList"]
    assert [row["fundingRate"] for row in unified] == [row["fundingRate"] for row in rows[100:200]]
    current = ask("futures.current_fund_rate", symbol="BTCUSDT", productType="USDT-FUTURES")[0]
    later = ask("futures.history_fund_rate", **asked, now_ms=NOW_MS + 8 * HOUR_MS)[0]
    assert (current["fundingRate"], current["nextUpdate"]) == (later["fundingRate"], later["fundingTime"])


def test_tiers_join_up_and_lose_leverage(ask: Ask) -> None:
    rows = ask("futures.query_position_lever", symbol="BTCUSDT", productType="USDT-FUTURES")
    assert [row["startUnit"] for row in rows[1:]] == [row["endUnit"] for row in rows[:-1]]
    levers = [int(row["leverage"]) for row in rows]
    assert levers == sorted(levers, reverse=True)
    assert levers[0] == 125


@pytest.mark.parametrize(
    ("route", "code"), [("spot.tickers", "40034"), ("spot.fills", "40034"), ("spot.symbols", "40034")]
)
def test_unknown_symbols_are_refused_everywhere(ask: Ask, route: str, code: str) -> None:
    with pytest.raises(Refusal) as caught:
        ask(route, symbol="NOPEUSDT")
    assert caught.value.code == code


def test_shares_of_longs_and_shorts_and_of_flows_add_up(ask: Ask) -> None:
    for name in ("data.futures_long_short", "data.futures_account_long_short", "data.futures_position_long_short"):
        rows = ask(name, symbol="BTCUSDT", period="1h")
        for row in rows:
            *shares, ratio, _ts = (float(value) for value in row.values())
            assert sum(shares) == pytest.approx(1)
            assert ratio == pytest.approx(shares[0] / shares[1], abs=1e-4)
        assert {int(b["ts"]) - int(a["ts"]) for a, b in itertools.pairwise(rows)} == {3_600_000}
    flow = ask("data.spot_fund_flow", symbol="BTCUSDT", period="1h")
    assert sum(float(flow[f"{size}BuyRatio"]) for size in ("whale", "dolphin", "fish")) == pytest.approx(1, abs=1e-5)


def test_series_of_a_symbol_that_nobody_knows_are_refused(ask: Ask) -> None:
    for name in load():
        if name.id in MOOD_RESPONDERS:
            with pytest.raises(Refusal, match="40034"):
                ask(name.id, symbol="NOPEUSDT", period="1h")


def test_an_insurance_fund_changes_by_what_it_says(ask: Ask) -> None:
    rows = ask("uta.risk_reserve", symbol="BTCUSDT", category="USDT-FUTURES")["riskReserveRecords"]
    for newer, older in itertools.pairwise(rows):
        assert int(newer["balance"]) == int(older["balance"]) + int(newer["amount"])


def test_better_levels_pay_less(ask: Ask) -> None:
    for name in ("spot.vip_fee_rate", "futures.vip_fee_rate"):
        rows = ask(name)
        assert [int(row["level"]) for row in rows] == list(range(len(rows)))
        for cheaper, dearer in zip(rows[1:], rows, strict=False):
            assert float(cheaper["takerFeeRate"]) <= float(dearer["takerFeeRate"])
    assert ask("common.trade_rate", symbol="BTCUSDT", businessType="mix")["takerFeeRate"] == rows[0]["takerFeeRate"]
