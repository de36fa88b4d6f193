"""What a fee is: paid is positive, whichever family tells it, in whichever coin, deducted or not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from bgresearch.account.kinds import FILLS, ORDERS
from bgresearch.account.record_type import RecordKind
from bgresearch.client.statement import Statement
from bgresearch.errors import BadResponse
from bgresearch.research.pnl.tax_ledger import account_ledger, changes_of
from tests.conftest import Connect
from tests.verbs.rows import answer_row

TIME = "1760000000000"
SPOT_FILL = {
    "tradeId": "1", "orderId": "2", "symbol": "BTCUSDT", "side": "buy", "priceAvg": "60000", "size": "0.1",
    "amount": "6000", "tradeScope": "taker", "cTime": TIME,
}  # fmt: skip
FUTURES_FILL = {
    "tradeId": "1", "orderId": "2", "symbol": "BTCUSDT", "price": "60000", "baseVolume": "0.1", "quoteVolume": "6000",
    "profit": "0", "side": "buy", "tradeSide": "open", "posMode": "hedge_mode", "tradeScope": "taker", "cTime": TIME,
}  # fmt: skip
UNIFIED_FILL = {
    "execId": "1", "orderId": "2", "symbol": "BTCUSDT", "side": "buy", "tradeSide": "open_long", "createdTime": TIME,
    "execPrice": "60000", "execQty": "0.1", "execValue": "6000", "execPnl": "0",
}  # fmt: skip
SPOT_ORDER = {
    "orderId": "2", "symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "status": "filled", "size": "0.1",
    "price": "60000", "priceAvg": "60000", "baseVolume": "0.1", "quoteVolume": "6000", "cTime": TIME,
}  # fmt: skip
UNIFIED_ORDER = {
    "orderId": "2", "symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "orderStatus": "filled", "qty": "0.1",
    "price": "60000", "avgPrice": "60000", "cumExecQty": "0.1", "cumExecValue": "6000", "createdTime": TIME,
}  # fmt: skip

ENTRIES: dict[str, tuple[RecordKind, str, str, dict[str, str]]] = {
    "spot fill": (FILLS, "classic", "spot", SPOT_FILL),
    **{f"{market} fill": (FILLS, "classic", market, FUTURES_FILL)
       for market in ("usdt-futures", "usdc-futures", "coin-futures")},
    "unified spot fill": (FILLS, "unified", "spot", UNIFIED_FILL),
    "unified contract fill": (FILLS, "unified", "usdt-futures", UNIFIED_FILL),
    "spot order": (ORDERS, "classic", "spot", SPOT_ORDER),
    "unified order": (ORDERS, "unified", "usdt-futures", UNIFIED_ORDER),
}  # fmt: skip
"""Every list with ``feeDetail``: its kind, kind of account, market, and a row without it."""
V2 = [entry for entry in ENTRIES if not entry.startswith("unified")]


def read(entry: str, detail: Any) -> dict[str, Any]:
    kind, mode, market, row = ENTRIES[entry]
    (one_route,) = kind.routes(mode, market)  # type: ignore[arg-type]
    return dict(one_route.shape(answer_row({**row, "feeDetail": detail}, one_route.endpoint)))


def part(entry: str, coin: str, fee: str, deduction: str) -> Any:
    """Return ``feeDetail`` with one part as this list spells it."""
    if entry == "spot order":
        said = {"deduction": deduction == "yes", "feeCoinCode": coin, "totalDeductionFee": 0, "totalFee": float(fee)}
        return json.dumps({"newFees": {"t": float(fee)}, coin: said})
    if entry.startswith("unified"):
        return [{"feeCoin": coin, "fee": fee, "deduction": deduction}]
    one = {"feeCoin": coin, "totalFee": fee, "deduction": deduction, "totalDeductionFee": ""}
    return one if entry == "spot fill" else [one]


@pytest.mark.parametrize("entry", V2)
@pytest.mark.parametrize(
    ("deduction", "reported", "paid"),
    [
        ("yes", "0.0015", 0.0015), ("yes", "-0.0015", 0.0015), ("YES", "0.0015", 0.0015), ("no", "-0.0015", 0.0015),
        ("no", "0.0015", -0.0015), ("", "0.0015", -0.0015), ("yes", "0", 0.0),
    ],
)  # fmt: skip
def test_what_was_deducted_from_another_coin_was_paid_and_a_positive_fee_without_is_a_rebate(
    entry: str, deduction: str, reported: str, paid: float
) -> None:
    if entry == "spot order" and deduction == "YES":
        pytest.skip("spot orders say true and false")
    row = read(entry, part(entry, "BGB", reported, deduction))
    assert (row["fee"], row["fee_coin"]) == (paid, "BGB")


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry not in V2])
@pytest.mark.parametrize(("reported", "paid"), [("0.0015", 0.0015), ("-0.0015", -0.0015), ("0", 0.0)])
def test_unified_accounts_are_reported_what_was_paid(entry: str, reported: str, paid: float) -> None:
    row = read(entry, part(entry, "BGB", reported, "no"))
    assert (row["fee"], row["fee_coin"]) == (paid, "BGB")


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("detail", [None, "", "null", [], [None], {}, "[]", "[null]", "{}"], ids=json.dumps)
def test_no_fee_detail_is_no_fee(entry: str, detail: Any) -> None:
    row = read(entry, detail)
    assert row["fee"] is None
    assert row["fee_coin"] is None


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("detail", ["abc", 7, True, [7], "[7]", [[1]]], ids=json.dumps)
def test_a_fee_detail_that_cannot_be_read_is_an_error_that_names_record_and_field(entry: str, detail: Any) -> None:
    with pytest.raises(BadResponse, match=r"row 1 \(.*orderId 2.*feeDetail"):
        read(entry, detail)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("deduction", ["partly", "2", "BGB"])
def test_whether_a_fee_was_deducted_is_not_guessed(entry: str, deduction: str) -> None:
    detail = part(entry, "BGB", "0.0015", deduction)
    if entry == "spot order":
        detail = detail.replace('"deduction": false', f'"deduction": "{deduction}"')
    with pytest.raises(BadResponse, match=f"deduction {deduction} is not yes or no"):
        read(entry, detail)


def test_fees_of_an_order_in_further_coins_are_reported() -> None:
    two = [{"feeCoin": "BTC", "fee": "1"}, {"feeCoin": "BGB", "fee": "0.0015"}]
    row = answer_row({**UNIFIED_ORDER, "feeDetail": two}, "uta.trade_history_orders")
    (route,) = ORDERS.routes("unified", "usdt-futures")
    assert route.shape(row)["fee_coin"] == "BTC"
    assert "further coins, 0.0015 BGB" in row.problems.notes[0]
    both = {"BTC": {"feeCoinCode": "BTC", "totalFee": -1}, "BGB": {"feeCoinCode": "BGB", "totalFee": -0.0015}}
    row = answer_row({**SPOT_ORDER, "feeDetail": json.dumps(both)}, "spot.trade_history_orders")
    (route,) = ORDERS.routes("classic", "spot")
    assert route.shape(row)["fee"] == 1.0
    assert "further coins, 0.0015 BGB" in row.problems.notes[0]


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if "fill" in entry])
def test_fees_in_further_coins_keep_every_digit(entry: str) -> None:
    name, sign = ("fee", "") if entry not in V2 else ("totalFee", "-")
    long = "0.123456789012345678901234567890123456789"
    row = read(entry, [{"feeCoin": "USDT", name: f"{sign}1"}, {"feeCoin": "BGB", name: f"{sign}{long}"}])
    assert (row["fee"], row["other_fees"]) == (1.0, f"{long} BGB")


def deducted() -> pd.DataFrame:
    """Return a buy of 0.1 BTC whose fee of 0.0015 BGB was deducted."""
    row = read("spot fill", part("spot fill", "BGB", "0.0015", "yes"))
    return FILLS.shape.frame(FILLS.shape.table([row]))


def nothing(connect: Connect) -> Statement:
    return connect().statement("2026-11-20 08:59")


def test_the_ledger_for_tax_tools_books_a_deducted_fee_as_paid_and_never_as_a_reward(connect: Connect) -> None:
    empty = nothing(connect)
    ledger = account_ledger(
        deducted(), empty.bills.iloc[:0], transfers=empty.transfers.iloc[:0], deposits=empty.deposits.iloc[:0],
        withdrawals=empty.withdrawals.iloc[:0],
    )  # fmt: skip
    (row,) = ledger.to_dict("records")
    assert (row["kind"], row["fee"], row["fee_coin"]) == ("trade", Decimal("0.0015"), "BGB")
    assert "reward" not in set(ledger["label"])
    assert changes_of(ledger) == {"BGB": Decimal("-0.0015"), "BTC": Decimal("0.1"), "USDT": Decimal(-6000)}
