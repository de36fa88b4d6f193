"""What the account rows answer: pages, windows, cursors, and two spellings of one life."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from bgresearch.core.intervals import DAY_MS
from bgresearch.sandbox.world.markets import utc_ms

from .conftest import NOW_MS, Ask

WEEK = {"startTime": NOW_MS - 7 * DAY_MS, "endTime": NOW_MS}
USDT = {"productType": "USDT-FUTURES"}


class Walk(NamedTuple):
    """One route that is walked page by page."""

    endpoint_id: str
    at: str
    key: str
    time: str
    asked: dict[str, Any] = {}  # noqa: RUF012 - read only

    @property
    def cursor(self) -> str:
        return "cursor" if self.endpoint_id.startswith("uta") else "idLessThan"

    def page(self, ask: Ask, **more: object) -> list[dict[str, Any]]:
        data = ask(self.endpoint_id, **self.asked | more)
        return data[self.at] if self.at else data

    def all(self, ask: Ask, **more: object) -> list[dict[str, Any]]:
        """Ask page after page until one is empty."""
        rows: list[dict[str, Any]] = []
        asked = dict(self.asked | more)
        while True:
            data = ask(self.endpoint_id, **asked)
            page = data[self.at] if self.at else data
            if not page:
                return rows
            assert not rows or int(page[0][self.key]) < int(rows[-1][self.key])
            rows += page
            following = (data.get("endId") or data.get("cursor")) if self.at else page[-1][self.key]
            assert following == page[-1][self.key]
            asked[self.cursor] = following


SPOT_FILLS = Walk("spot.trade_fills", "", "tradeId", "cTime")
SPOT_ORDERS = Walk("spot.trade_history_orders", "", "orderId", "cTime")
SPOT_BILLS = Walk("spot.account_bills", "", "billId", "cTime")
FILLS = Walk("futures.order_fills", "fillList", "tradeId", "cTime", USDT)
FILL_HISTORY = Walk("futures.order_fill_history", "fillList", "tradeId", "cTime", USDT)
UTA_FILLS = Walk("uta.trade_fills", "list", "execId", "createdTime")
LEDGER = Walk("uta.account_financial_records", "list", "id", "ts", {"category": "SPOT"})
WALKS = [
    SPOT_FILLS,
    SPOT_ORDERS,
    SPOT_BILLS,
    FILLS,
    FILL_HISTORY,
    UTA_FILLS,
    LEDGER,
    Walk("futures.order_orders_history", "entrustedList", "orderId", "cTime", USDT),
    Walk("futures.account_bill", "bills", "billId", "cTime", USDT),
    Walk("futures.position_history_position", "list", "positionId", "ctime", USDT),
    Walk("uta.trade_history_orders", "list", "orderId", "createdTime", {"category": "USDT-FUTURES"}),
    Walk("uta.position_history_position", "list", "positionId", "createdTime", {"category": "USDT-FUTURES"}),
]
each_walk = pytest.mark.parametrize("walk", WALKS, ids=[walk.endpoint_id for walk in WALKS])


@each_walk
def test_every_walk_is_newest_first_and_page_size_changes_nothing(ask: Ask, walk: Walk) -> None:
    large = walk.all(ask, **WEEK, limit=100)
    ids = [int(row[walk.key]) for row in large]
    assert walk.all(ask, **WEEK, limit=7) == large
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) > 10
    assert all(WEEK["startTime"] <= int(row[walk.time]) <= NOW_MS for row in large)


@each_walk
def test_both_ends_of_a_window_belong_to_it(ask: Ask, walk: Walk) -> None:
    row = walk.page(ask, **WEEK)[3]
    assert row in walk.page(ask, startTime=row[walk.time], endTime=row[walk.time])
    assert row not in walk.page(ask, startTime=int(row[walk.time]) + 1, endTime=NOW_MS)


def test_a_missing_start_means_the_longest_span(ask: Ask) -> None:
    rows = FILL_HISTORY.all(ask)
    assert NOW_MS - 7 * DAY_MS <= int(rows[-1]["cTime"]) < NOW_MS - 6 * DAY_MS
    ledger = LEDGER.all(ask, category="USDT-FUTURES")
    assert NOW_MS - 30 * DAY_MS <= int(ledger[-1]["ts"]) < NOW_MS - 28 * DAY_MS


def test_what_is_older_than_the_look_back_is_gone(ask: Ask) -> None:
    old = {"startTime": NOW_MS - 120 * DAY_MS, "endTime": NOW_MS - 91 * DAY_MS}
    assert ask("spot.trade_fills", **old) == []
    assert ask("uta.trade_fills", **old)["list"] == []
    assert ask("spot.account_bills", **old)  # the spot ledger has a span and no look-back


def test_default_page_sizes_are_those_of_the_table(ask: Ask) -> None:
    assert len(ask("futures.account_bill", **USDT, **WEEK)["bills"]) == 20
    assert len(ask("spot.trade_fills", **WEEK)) == 100


def test_bills_end_at_the_assets(ask: Ask) -> None:
    assets = {row["coin"]: Decimal(row["available"]) + Decimal(row["frozen"]) for row in ask("spot.account_assets")}
    assert set(assets) == {"BGB", "BTC", "ETH", "SOL", "USDT"}
    for coin, total in assets.items():
        newest = ask("spot.account_bills", coin=coin, limit=1)[0]
        assert Decimal(newest["balance"]) == total
    wallet = ask("futures.account_accounts", **USDT)[0]
    newest = ask("futures.account_bill", **USDT, limit=1)["bills"][0]
    assert Decimal(newest["balance"]) == Decimal(wallet["available"]) + Decimal(wallet["locked"])
    unified = {row["coin"]: Decimal(row["balance"]) for row in ask("uta.account_assets")["assets"]}
    assert (
        Decimal(ask("uta.account_financial_records", category="SPOT", coin="BTC")["list"][0]["balance"])
        == unified["BTC"]
    )


@pytest.mark.parametrize("coin", ["USDT", "BTC"])
def test_every_bill_continues_the_balance_before_it(ask: Ask, coin: str) -> None:
    rows = SPOT_BILLS.all(ask, coin=coin, limit=500, **WEEK)[::-1]
    for before, row in pairwise(rows):
        assert Decimal(row["balance"]) == Decimal(before["balance"]) + Decimal(row["size"]) + Decimal(row["fees"])


def test_v3_ledgers_of_all_categories_together_are_one_balance(ask: Ask) -> None:
    rows = []
    for category in ("SPOT", "MARGIN", "USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES", "OTHER"):
        rows += LEDGER.all(ask, category=category, **WEEK)
    chains: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row["id"])):
        chains[row["coin"]].append(row)
    assert len(chains["USDT"]) > 200
    for chain in chains.values():
        for before, row in pairwise(chain):
            assert Decimal(row["balance"]) == Decimal(before["balance"]) + Decimal(row["amount"]) + Decimal(row["fee"])


def test_classic_and_unified_tell_the_same_fills(ask: Ask) -> None:
    v3 = UTA_FILLS.all(ask, **WEEK)
    spot = SPOT_FILLS.all(ask, **WEEK)
    contract = FILLS.all(ask, **WEEK)
    ours = {row["execId"]: (row["execPrice"], row["execQty"], row["execValue"], row["createdTime"]) for row in v3}
    theirs = {row["tradeId"]: (row["priceAvg"], row["size"], row["amount"], row["cTime"]) for row in spot}
    theirs |= {row["tradeId"]: (row["price"], row["baseVolume"], row["quoteVolume"], row["cTime"]) for row in contract}
    assert ours == theirs
    fees = {row["execId"]: Decimal(row["feeDetail"][0]["fee"]) for row in v3}
    for row in spot:
        sign = 1 if row["feeDetail"]["deduction"] == "yes" else -1
        assert Decimal(row["feeDetail"]["totalFee"]) == sign * fees[row["tradeId"]]
    assert {row["feeDetail"]["deduction"] for row in spot} == {"yes", "no"}
    for row in contract:
        assert Decimal(row["feeDetail"][0]["totalFee"]) == -fees[row["tradeId"]]


def test_v2_closes_with_the_side_of_the_position_and_v3_with_its_own(ask: Ask) -> None:
    v3 = {row["execId"]: row for row in UTA_FILLS.all(ask, category="USDT-FUTURES", **WEEK)}
    v2 = FILLS.all(ask, **WEEK)
    assert {row["tradeSide"] for row in v2} == {"open", "close"}
    for row in v2:
        other = v3[row["tradeId"]]
        assert other["tradeSide"] == f"{row['tradeSide']}_{'long' if row['side'] == 'buy' else 'short'}"
        assert (other["side"] == row["side"]) is (row["tradeSide"] == "open")


def test_fee_details_have_the_shape_of_their_route(ask: Ask) -> None:
    assert isinstance(ask("spot.trade_fills", **WEEK)[0]["feeDetail"], dict)
    assert isinstance(ask("futures.order_fills", **USDT, **WEEK)["fillList"][0]["feeDetail"], list)
    assert isinstance(ask("uta.trade_fills", **WEEK)["list"][0]["feeDetail"], list)
    detail = ask("spot.trade_history_orders", **WEEK)[0]["feeDetail"]
    assert json.loads(detail)["newFees"]["t"] < 0


def test_filters_narrow_by_symbol_order_and_product(ask: Ask) -> None:
    rows = ask("spot.trade_fills", symbol="ETHUSDT", **WEEK)
    assert {row["symbol"] for row in rows} == {"ETHUSDT"}
    one = ask("spot.trade_fills", orderId=rows[0]["orderId"], **WEEK)
    assert {row["orderId"] for row in one} == {rows[0]["orderId"]}
    assert ask("futures.order_fills", productType="COIN-FUTURES", **WEEK) == {"fillList": [], "endId": None}
    assert {row["category"] for row in ask("uta.trade_fills", category="SPOT", **WEEK)["list"]} == {"SPOT"}
    bought = ask("spot.account_bills", coin="BTC", businessType="BUY", **WEEK)
    assert {(row["coin"], row["businessType"]) for row in bought} == {("BTC", "BUY")}


def test_assets_hold_only_what_is_held_unless_all_are_asked_for(ask: Ask) -> None:
    everything = ask("spot.account_assets", assetType="all")
    assert len(everything) > 40
    assert next(row for row in everything if row["coin"] == "DOGE")["available"] == "0"
    assert ask("spot.account_assets", coin="btc")[0]["coin"] == "BTC"


def test_open_orders_stand_in_their_own_columns(ask: Ask) -> None:
    spot = ask("spot.trade_unfilled_orders", symbol="BTCUSDT")[-1]
    last = float(ask("spot.tickers", symbol="BTCUSDT")[0]["lastPr"])
    assert 0.3 * last < float(spot["priceAvg"]) < 0.7 * last
    assert (spot["basePrice"], spot["baseVolume"]) == ("0", "0.000000")
    contract = ask("futures.order_orders_pending", **USDT)["entrustedList"][-1]
    assert (contract["status"], contract["priceAvg"], contract["tradeSide"]) == ("live", "0", "open")
    unified = {row["orderId"] for row in ask("uta.trade_unfilled_orders")["list"]}
    assert {spot["orderId"], contract["orderId"]} <= unified


def test_market_buys_are_sized_in_quote_coin(ask: Ask) -> None:
    orders = SPOT_ORDERS.all(ask, **WEEK)
    buys = [row for row in orders if (row["orderType"], row["side"]) == ("market", "buy")]
    assert buys
    assert all(row["size"] == row["quoteVolume"] for row in buys)


def test_positions_are_valued_at_the_mark_price(ask: Ask) -> None:
    rows = ask("futures.position_all_position", **USDT)
    unified = {
        (row["symbol"], row["posSide"]): row
        for row in ask("uta.position_current_position", category="USDT-FUTURES")["list"]
    }
    assert rows
    assert len(unified) == len(rows)
    total = Decimal(0)
    for row in rows:
        mark = ask("futures.symbol_price", symbol=row["symbol"], **USDT)[0]["markPrice"]
        sign = 1 if row["holdSide"] == "long" else -1
        profit = sign * (Decimal(mark) - Decimal(row["openPriceAvg"])) * Decimal(row["total"])
        assert float(row["unrealizedPL"]) == pytest.approx(float(profit), abs=1e-6)
        assert unified[row["symbol"], row["holdSide"]]["unrealisedPnl"] == row["unrealizedPL"]
        total += Decimal(row["unrealizedPL"])
    wallet = ask("futures.account_accounts", **USDT)[0]
    assert Decimal(wallet["unrealizedPL"]) == total
    assert Decimal(wallet["accountEquity"]) == Decimal(wallet["available"]) + Decimal(wallet["locked"]) + total


def test_closed_positions_net_out_fees_and_funding(ask: Ask) -> None:
    for row in ask("futures.position_history_position", limit=100)["list"]:
        parts = sum(Decimal(row[name]) for name in ("pnl", "totalFunding", "openFee", "closeFee"))
        assert Decimal(row["netProfit"]) == parts
        assert int(row["ctime"]) < int(row["utime"]) <= NOW_MS


def test_deposits_withdrawals_and_transfers_follow_the_calendar(ask: Ask) -> None:
    spring = {"startTime": utc_ms(2026, 3, 1), "endTime": utc_ms(2026, 5, 28)}
    deposits = ask("spot.wallet_deposit_records", **spring)
    assert [row["size"] for row in deposits] == ["2500"] * 3
    withdrawals = ask("spot.wallet_withdrawal_records", **spring)
    assert [(row["size"], row["fee"]) for row in withdrawals] == [("200", "-1")] * 3
    transfers = ask("spot.account_transfer_records", coin="USDT", **spring)
    assert {(row["fromType"], row["toType"]) for row in transfers} == {
        ("spot", "usdt_futures"), ("usdt_futures", "spot"), ("spot", "p2p"),
    }  # fmt: skip
    assert len(transfers) == 9
    assert ask("spot.account_transfer_records", coin="USDT", pageNum=2, limit=5, **spring) == transfers[5:]
    assert ask("spot.account_transfer_records", coin="BTC", **spring) == []
    v3 = ask("uta.account_deposit_records", **spring)
    assert [(row["orderId"], row["createdTime"]) for row in v3] == [(row["orderId"], row["cTime"]) for row in deposits]


def test_wallets_together_are_the_overview(ask: Ask) -> None:
    overview = {row["accountType"]: Decimal(row["usdtBalance"]) for row in ask("common.account_all_account_balance")}
    assert overview["futures"] == Decimal(ask("futures.account_accounts", **USDT)[0]["accountEquity"])
    assert overview["funding"] == Decimal(ask("common.account_funding_assets")[0]["usdtValue"])
    worth = Decimal(0)
    for row in ask("spot.account_assets"):
        price = 1 if row["coin"] == "USDT" else Decimal(ask("spot.tickers", symbol=f"{row['coin']}USDT")[0]["lastPr"])
        worth += (Decimal(row["available"]) + Decimal(row["frozen"])) * price
    assert float(overview["spot"]) == pytest.approx(float(worth), abs=1e-6)
    equity = Decimal(ask("uta.account_assets")["usdtEquity"])
    assert float(equity) == pytest.approx(float(overview["spot"] + overview["futures"]), abs=1e-6)


def test_a_demo_account_lived_another_life(ask: Ask) -> None:
    ours = {row["tradeId"] for row in ask("spot.trade_fills", **WEEK)}
    theirs = {row["tradeId"] for row in ask("spot.trade_fills", account="demo", **WEEK)}
    assert theirs
    assert not ours & theirs
