"""Own orders and plan orders as the three families of endpoints tell them, as rows of one shape. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from bgresearch.account.kinds.fills import fee_of, traded_side
from bgresearch.account.records import FUTURES, RecordKind, Road, by_market, category, product
from bgresearch.identity import Mode
from bgresearch.tables import Row, Shape, code, fields, flag, instant, number, text, word

_PLANS = ("normal_plan", "track_plan", "profit_loss")
_STATUS = {"live": "open", "new": "open", "init": "open", "canceled": "cancelled"}
_OPEN = frozenset({"open", "partially_filled"})
_WAITING = frozenset({"live", "not_trigger", "executing", "pending", "submitting"})

ORDER_FIELDS = fields("""
    time time when it was placed
    updated time when it last changed
    order_id text of the order
    client_id text as its maker named it
    market category spot or one of the futures markets
    symbol category as the exchange spells it
    side category buy or sell, as is done in the market: closing a long position is a sell
    position category long or short in futures of hedge mode
    reduce_only flag whether it only closes; missing in spot
    type category limit or market
    status category open, partially_filled, filled, cancelled
    price number quote coin, limit price; NaN for market orders
    amount number base coin ordered; NaN for market buys in spot, which are sized by cost
    cost number quote coin ordered by market buys in spot
    filled number base coin
    filled_value number quote coin
    average_price number quote coin, NaN before the first fill
    fee number fee_coin; positive is paid
    fee_coin category coin of the fee
    profit number quote coin, realised by closing futures; classic accounts alone are told
    cancel_reason category as the exchange names it; classic futures are not told
""")

_SOURCES = ("spot.trade_history_orders", "futures.order_orders_history", "uta.trade_history_orders")
_OPEN_SOURCES = ("spot.trade_unfilled_orders", "futures.order_orders_pending", "uta.trade_unfilled_orders")
OPEN_ORDERS = Shape("account.open_orders", ORDER_FIELDS, _OPEN_SOURCES, index="time")


def _roads(sources: tuple[str, ...], mode: Mode, market: str) -> tuple[Road, ...]:
    spot, futures, unified = sources
    if mode == "unified":
        return (Road(unified, partial(_order, market, _unified), category(market)),)
    if market == "spot":
        return (Road(spot, partial(_order, market, _spot)),)
    return (Road(futures, partial(_order, market, _futures), product(market)),)


ORDERS = RecordKind(
    "orders", "own orders", Shape("account.orders", ORDER_FIELDS, _SOURCES, index="time"), "order_id", "market",
    by_market(), partial(_roads, _SOURCES), open=partial(_roads, _OPEN_SOURCES), changing=_OPEN, many=True,
)  # fmt: skip


def _order(market: str, family: Any, row: Mapping[str, Any]) -> Row:
    status = str(word(row.get("status") or row.get("orderStatus")))
    order: Row = {
        "order_id": str(row["orderId"]), "client_id": text(row.get("clientOid")), "market": market,
        "symbol": code(row["symbol"]), "type": word(row.get("orderType")), "status": _STATUS.get(status, status),
        "cancel_reason": text(row.get("cancelReason")), **family(row),
    }  # fmt: skip
    if not order["filled"]:
        order |= {"fee": None, "fee_coin": None, "average_price": None, "filled": order["filled"] or 0.0}
    if order["type"] == "market":
        order["price"] = None
    by_cost = market == "spot" and order["type"] == "market" and order["side"] == "buy"
    order |= {"amount": None} if by_cost else {"cost": None}
    if market == "spot":
        order |= {"position": None, "reduce_only": None, "profit": None}
    return order


def _spot(row: Mapping[str, Any]) -> Row:
    standing = "basePrice" in row  # open orders name the limit priceAvg, and what was paid so far basePrice
    size = number(row.get("size"))
    return {
        "time": instant(row["cTime"]), "updated": instant(row.get("uTime")), "side": word(row["side"]),
        "price": number(row.get("priceAvg" if standing else "price")), "amount": size, "cost": size,
        "filled": number(row.get("baseVolume")), "filled_value": number(row.get("quoteVolume")),
        "average_price": number(row.get("basePrice" if standing else "priceAvg")), **_spot_fee(row),
    }  # fmt: skip


def _spot_fee(row: Mapping[str, Any]) -> Row:
    """Return the fee of a spot order: JSON inside a text, by coin, beside a sum that names no coin."""
    detail = row.get("feeDetail") or {}
    if isinstance(detail, str):
        detail = json.loads(detail)
    named = [part for part in detail.values() if isinstance(part, dict) and part.get("feeCoinCode")]
    if not named:
        total = number((detail.get("newFees") or {}).get("t"))
        return {"fee": None if total is None else -total + 0.0, "fee_coin": None}
    coin = str(named[0]["feeCoinCode"])
    fees = [number(part.get("totalFee")) or 0.0 for part in named if part["feeCoinCode"] == coin]
    return {"fee": -sum(fees) + 0.0, "fee_coin": coin.upper()}


def _futures(row: Mapping[str, Any]) -> Row:
    fee = number(row.get("fee"))
    return {
        "time": instant(row["cTime"]), "updated": instant(row.get("uTime")), "side": traded_side(row),
        "position": _side_of(row), "reduce_only": flag(row.get("reduceOnly")), "price": number(row.get("price")),
        "amount": number(row.get("size")), "cost": None, "filled": number(row.get("baseVolume")),
        "filled_value": number(row.get("quoteVolume")), "average_price": number(row.get("priceAvg")),
        "fee": None if fee is None else -fee + 0.0, "fee_coin": code(row.get("marginCoin")),
        "profit": number(row.get("totalProfits")),
    }  # fmt: skip


def _unified(row: Mapping[str, Any]) -> Row:
    return {
        "time": instant(row["createdTime"]), "updated": instant(row.get("updatedTime")), "side": word(row["side"]),
        "position": _side_of(row), "reduce_only": flag(row.get("reduceOnly")), "price": number(row.get("price")),
        "amount": number(row.get("qty")), "cost": number(row.get("amount")), "filled": number(row.get("cumExecQty")),
        "filled_value": number(row.get("cumExecValue")), "average_price": number(row.get("avgPrice")),
        "profit": None, **fee_of(row, "fee", paid_is_negative=False),
    }  # fmt: skip


def _side_of(row: Mapping[str, Any]) -> str | None:
    """Return long or short; one-way mode has neither."""
    side = word(row.get("posSide"))
    return side if side in ("long", "short") else None


_PLAN_FIELDS = fields("""
    time time when it was made
    updated time when it last changed
    order_id text of the plan
    client_id text as its maker named it
    executed_order_id text of the order that it became; classic futures alone are told
    market category spot or one of the futures markets
    symbol category as the exchange spells it
    side category buy or sell, as is done in the market; unified accounts are not told
    position category long or short
    plan category normal_plan, track_plan, profit_loss, tpsl ..., as the exchange names it
    status category as the exchange names it
    amount number base coin
    trigger_price number quote coin
    trigger_by category which price triggers it
    type category limit or market
    price number quote coin, of the order that it becomes
    take_profit number quote coin
    stop_loss number quote coin
""")
_PLAN_SOURCES = ("spot.trade_history_plan_order", "futures.order_orders_plan_history",
                 "uta.trade_history_strategy_orders")  # fmt: skip
_OPEN_PLAN_SOURCES = ("spot.trade_current_plan_order", "futures.order_orders_plan_pending",
                      "uta.trade_unfilled_strategy_orders")  # fmt: skip
OPEN_PLAN_ORDERS = Shape("account.open_plan_orders", _PLAN_FIELDS, _OPEN_PLAN_SOURCES, index="time")


def _plan_roads(sources: tuple[str, ...], mode: Mode, market: str) -> tuple[Road, ...]:
    spot, futures, unified = sources
    if mode == "unified":
        return (Road(unified, partial(_unified_plan, market), category(market) | {"type": "tpsl"}),)
    shape = partial(_plan, market)
    if market == "spot":
        return (Road(spot, shape),)
    return tuple(Road(futures, shape, product(market) | {"planType": plan}) for plan in _PLANS)


PLAN_ORDERS = RecordKind(
    "plan_orders", "plan orders", Shape("account.plan_orders", _PLAN_FIELDS, _PLAN_SOURCES, index="time"), "order_id",
    "market", {"classic": ("spot", *FUTURES), "unified": FUTURES}, partial(_plan_roads, _PLAN_SOURCES),
    open=partial(_plan_roads, _OPEN_PLAN_SOURCES), changing=_WAITING,
)  # fmt: skip


def _plan(market: str, row: Mapping[str, Any]) -> Row:
    return {
        "time": instant(row["cTime"]), "updated": instant(row.get("uTime")), "order_id": str(row["orderId"]),
        "client_id": text(row.get("clientOid")), "executed_order_id": text(row.get("executeOrderId")),
        "market": market, "symbol": code(row["symbol"]),
        "side": word(row.get("side")) if market == "spot" else traded_side(row), "position": _side_of(row),
        "plan": word(row.get("planType")), "status": word(row.get("status") or row.get("planStatus")),
        "amount": number(row.get("size")), "trigger_price": number(row.get("triggerPrice")),
        "trigger_by": word(row.get("triggerType")), "type": word(row.get("orderType")),
        "price": number(row.get("executePrice") or row.get("price")),
        "take_profit": number(row.get("stopSurplusTriggerPrice")), "stop_loss": number(row.get("stopLossTriggerPrice")),
    }  # fmt: skip


def _unified_plan(market: str, row: Mapping[str, Any]) -> Row:
    return {
        "time": instant(row["createdTime"]), "updated": instant(row.get("updatedTime")),
        "order_id": str(row["orderId"]), "client_id": text(row.get("clientOid")), "executed_order_id": None,
        "market": market, "symbol": code(row["symbol"]), "side": None, "position": _side_of(row),
        "plan": word(row.get("triggerType")) or "tpsl", "status": word(row.get("status")),
        "amount": number(row.get("qty")), "trigger_price": number(row.get("triggerPrice")),
        "trigger_by": word(row.get("triggerBy") or row.get("tpTriggerBy") or row.get("slTriggerBy")),
        "type": word(row.get("triggerOrderType") or row.get("tpOrderType")),
        "price": number(row.get("triggerOrderPrice") or row.get("tpLimitPrice")),
        "take_profit": number(row.get("takeProfit")), "stop_loss": number(row.get("stopLoss")),
    }  # fmt: skip
