"""A list inside a row that has nulls, or nothing: the row stays, and what is missing is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bgresearch.catalogue.answer_row import Problems, Row, read_rows
from bgresearch.core.symbols import Named
from bgresearch.errors import BadResponse, UndocumentedData
from bgresearch.http.sender import Sender
from bgresearch.market.fees_and_tiers import discount_rates, risk_reserve
from bgresearch.market.listings import coins
from tests.verbs.scripted_answers import ScriptedSender

Ask = Callable[[Sender], list[Row]]
TIER = {"tierStartValue": "0", "discountRate": "0.9", "tier": "1", "minAmount": "0", "maxAmount": "5"}
CHAIN = {"chain": "BTC", "withdrawFee": "0.1"}
RESERVE = {"ts": "1760000000000", "amount": "1", "balance": "2"}
ENTRIES: dict[str, tuple[Ask, str, dict[str, Any], Callable[[Any], Any]]] = {
    "discounts of unified accounts": (
        lambda sender: discount_rates(sender, "unified"), "list", TIER,
        lambda tiers: [{"coin": "BTC", "list": tiers}, {"coin": "ETH", "list": [TIER]}],
    ),
    "discounts of futures accounts": (
        lambda sender: discount_rates(sender, "futures"), "discountRateList", TIER,
        lambda tiers: [{"coin": "BTC", "discountRateList": tiers}, {"coin": "ETH", "discountRateList": [TIER]}],
    ),
    "networks of coins": (
        lambda sender: coins(sender, None), "chains", CHAIN,
        lambda chains: [{"coin": "BTC", "chains": chains}, {"coin": "ETH", "chains": [CHAIN]}],
    ),
}  # fmt: skip
NULLS = [[None], [None, None], "[null]", "[null, null]"]


def asked(entry: str, inside: Any) -> list[Row]:
    ask, _field, _one, data = ENTRIES[entry]
    return ask(ScriptedSender(lambda _id, _params: data(inside)))


@pytest.mark.parametrize("inside", NULLS, ids=json.dumps)
@pytest.mark.parametrize("entry", ENTRIES)
def test_a_list_of_nulls_leaves_the_row_and_is_named(entry: str, inside: Any) -> None:
    with pytest.warns(UndocumentedData, match=rf"row 1 \(coin BTC\): .* of {ENTRIES[entry][1]} are null"):
        rows = asked(entry, inside)
    assert [row["coin"] for row in rows] == ["BTC", "ETH"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_null_among_others_is_named_and_the_others_are_given(entry: str) -> None:
    one = ENTRIES[entry][2]
    with pytest.warns(UndocumentedData, match="1 of 3 places of"):
        rows = asked(entry, [one, None, one | {"tier": "2", "tierStartValue": "1", "chain": "LN"}])
    assert [row["coin"] for row in rows] == ["BTC", "BTC", "ETH"]


@pytest.mark.parametrize("inside", [None, [], "", "[]"], ids=json.dumps)
@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.startswith("discounts")])
def test_a_coin_without_tiers_is_there_and_named(entry: str, inside: Any) -> None:
    with pytest.warns(UndocumentedData, match=r"coin BTC.* has no tiers"):
        rows = asked(entry, inside)
    assert [row["coin"] for row in rows] == ["BTC", "ETH"]


@pytest.mark.parametrize("inside", [[None], [RESERVE, None]], ids=json.dumps)
def test_a_fund_of_nulls_is_named(inside: Any) -> None:
    sender = ScriptedSender(lambda _id, _params: {"coin": "USDT", "riskReserveRecords": inside, "list": inside})
    with pytest.warns(UndocumentedData, match="are null"):
        risk_reserve(sender, Named("BTCUSDT", "usdt-futures"))


def test_in_account_records_a_null_among_others_is_an_error() -> None:
    def read(row: Any) -> Row:
        return {"parts": len(row.nested("feeDetail"))}

    problems = Problems("spot.trade_fills", money=True)
    assert read_rows(read, [{"tradeId": "1", "feeDetail": [None]}], problems) == [{"parts": 0}]
    with pytest.raises(BadResponse, match=r"tradeId 2.*1 of 2 places of feeDetail are null"):
        read_rows(read, [{"tradeId": "2", "feeDetail": [{"fee": "1"}, None]}], problems)
