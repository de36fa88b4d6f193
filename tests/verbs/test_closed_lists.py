"""A word that is none of a closed list is never read as one of them, and is never missing without a warning."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pytest

from bgresearch.account.kinds import CLOSED_POSITIONS, FILLS, ORDERS, PLAN_ORDERS
from bgresearch.account.record_type import RecordKind, RecordRoute
from bgresearch.catalogue.answer_row import Problems, Row, read_rows
from bgresearch.errors import BadResponse, UndocumentedData
from bgresearch.http.rows import shaped
from bgresearch.market.history import _trade
from tests.verbs.test_fees import FUTURES_FILL, SPOT_FILL, SPOT_ORDER, TIME, UNIFIED_FILL, UNIFIED_ORDER

FUTURES_ORDER = SPOT_ORDER | {"tradeSide": "open", "posMode": "hedge_mode", "posSide": "long", "marginCoin": "USDT"}
PLAN = {"orderId": "2", "symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "planStatus": "executed",
        "cTime": TIME, "createdTime": TIME, "posSide": "long", "tradeSide": "open", "posMode": "hedge_mode",
        "tpOrderType": "market"}  # fmt: skip
POSITION = {"positionId": "7", "symbol": "BTCUSDT", "marginCoin": "USDT", "holdSide": "long", "posSide": "long",
            "marginMode": "crossed", "cTime": TIME, "createdTime": TIME}  # fmt: skip
ROWS: dict[str, tuple[RecordKind, bool, str, str, Mapping[str, str]]] = {
    "spot fills": (FILLS, False, "classic", "spot", SPOT_FILL),
    "futures fills": (FILLS, False, "classic", "usdt-futures", FUTURES_FILL),
    "unified spot fills": (FILLS, False, "unified", "spot", UNIFIED_FILL),
    "unified futures fills": (FILLS, False, "unified", "usdt-futures", UNIFIED_FILL),
    "spot orders": (ORDERS, False, "classic", "spot", SPOT_ORDER),
    "futures orders": (ORDERS, False, "classic", "coin-futures", FUTURES_ORDER),
    "unified orders": (ORDERS, False, "unified", "usdt-futures", UNIFIED_ORDER | {"posSide": "long"}),
    "open spot orders": (ORDERS, True, "classic", "spot", SPOT_ORDER),
    "open futures orders": (ORDERS, True, "classic", "usdt-futures", FUTURES_ORDER),
    "spot plans": (PLAN_ORDERS, False, "classic", "spot", PLAN),
    "futures plans": (PLAN_ORDERS, False, "classic", "usdt-futures", PLAN),
    "unified plans": (PLAN_ORDERS, False, "unified", "usdt-futures", PLAN),
    "closed positions": (CLOSED_POSITIONS, False, "classic", "usdt-futures", POSITION),
    "unified closed positions": (CLOSED_POSITIONS, False, "unified", "usdt-futures", POSITION),
    "positions": (CLOSED_POSITIONS, True, "classic", "usdt-futures", POSITION),
    "unified positions": (CLOSED_POSITIONS, True, "unified", "usdt-futures", POSITION),
}  # fmt: skip
DECIDES = [(name, field) for name in ROWS for field in ("side", "posMode")
           if field in ROWS[name][4] and name != "unified plans" and (name, field) != ("spot plans", "posMode")
           and (field == "side" or ROWS[name][4].get("tradeSide") == "open")]  # fmt: skip
SAYS = [
    ("spot fills", "tradeScope", "role"), ("futures fills", "tradeScope", "role"),
    ("futures fills", "tradeSide", "position"), ("unified futures fills", "tradeSide", "position"),
    ("spot orders", "orderType", "type"), ("spot orders", "status", "status"),
    ("futures orders", "posSide", "position"), ("unified orders", "posSide", "position"),
    ("unified orders", "orderStatus", "status"), ("open futures orders", "posSide", "position"),
    ("open spot orders", "orderType", "type"), ("futures plans", "posSide", "position"),
    ("unified plans", "posSide", "position"),
    ("closed positions", "holdSide", "side"), ("unified closed positions", "posSide", "side"),
    ("positions", "holdSide", "side"), ("unified positions", "posSide", "side"),
    ("positions", "marginMode", "margin_mode"), ("unified closed positions", "marginMode", "margin_mode"),
]  # fmt: skip


def read(name: str, change: Mapping[str, Any], *, money: bool = True) -> tuple[Row, list[str]]:
    kind, is_open, mode, market, row = ROWS[name]
    route: RecordRoute = (kind.open if is_open else kind.routes)(mode, market)[0]  # type: ignore[misc,arg-type]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (found,) = read_rows(route.shape, [{**row, **change}], Problems(route.endpoint, money=money))
    return found, [str(one.message) for one in caught if one.category is UndocumentedData]


@pytest.mark.parametrize("name", ROWS)
def test_the_rows_are_read_without_a_word(name: str) -> None:
    assert read(name, {})[1] == []


@pytest.mark.parametrize("wrong", ["BID", "liquidation-sell", "buysell", "2"])
@pytest.mark.parametrize(("name", "field"), DECIDES)
def test_a_word_that_decides_what_is_bought_or_sold_is_an_error(name: str, field: str, wrong: str) -> None:
    change = {field: wrong} | ({"tradeSide": "close"} if field == "posMode" else {})
    with pytest.raises(BadResponse, match=rf"orderId 2.*{field} .*is none of"):
        read(name, change)


@pytest.mark.parametrize("wrong", ["both", "cross-margin", "liquidity", "17"])
@pytest.mark.parametrize(("name", "field", "column"), SAYS)
def test_another_word_is_reported_with_field_and_value(name: str, field: str, column: str, wrong: str) -> None:
    row, said = read(name, {field: wrong})
    assert len(said) == 1
    assert field in said[0]
    assert wrong in said[0]
    assert row[column] == wrong or (field == "tradeSide" and row[column] is None)


@pytest.mark.parametrize("name", ["futures orders", "unified orders", "futures plans", "unified plans"])
@pytest.mark.parametrize("nothing", ["net", "", None])
def test_one_way_mode_has_no_position_and_nothing_is_said(name: str, nothing: str | None) -> None:
    assert read(name, {"posSide": nothing}) == (read(name, {"posSide": nothing})[0] | {"position": None}, [])


def test_the_side_of_a_public_trade_is_reported_too() -> None:
    row = {"ts": TIME, "tradeId": "1", "side": "Mid", "price": "1", "size": "1"}
    with pytest.warns(UndocumentedData, match="side Mid is none of buy, sell"):
        (found,) = shaped("spot.fills", _trade, [row])
    assert found["side"] == "mid"
