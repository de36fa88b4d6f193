"""Own orders and plan orders from the three endpoint families, as rows of one shape. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bgresearch.account.kinds.fills import POSITIONS, SIDES, fee_of, paid_of, traded_side
from bgresearch.account.record_type import RecordKind, RecordRoute, by_market
from bgresearch.catalogue.answer_row import AnswerRow
from bgresearch.core.symbols import FUTURES, category, product
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import Mode

_PLANS = ("normal_plan", "track_plan", "profit_loss")
_STATUS = {"live": "open", "new": "open", "init": "open", "canceled": "cancelled"}
_OPEN = frozenset({"open", "partially_filled"})
_KNOWN = (*_STATUS, "partially_filled", "filled", "cancelled")
_TYPES = ("limit", "market")
_WAITING = frozenset({"live", "not_trigger", "executing", "pending", "submitting"})

ORDER_FIELDS = fields("""
    time time when it was placed
    updated time when it last changed
    order_id text of the order
    client_id text chosen by the client
    market category spot or one of the futures markets
    symbol category as the exchange spells it
    side category buy or sell, the side of the trade: closing a long position is a sell
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
    profit number quote coin, realised by closing futures; classic accounts only
    cancel_reason category as the exchange names it; missing in classic futures
""")

_SOURCES = ("spot.trade_history_orders", "futures.order_orders_history", "uta.trade_history_orders")
_OPEN_SOURCES = ("spot.trade_unfilled_orders", "futures.order_orders_pending", "uta.trade_unfilled_orders")
OPEN_ORDERS = Shape("account.open_orders", ORDER_FIELDS, _OPEN_SOURCES, index="time")


def _routes(sources: tuple[str, ...], mode: Mode, market: str) -> tuple[RecordRoute, ...]:
    spot, futures, unified = sources
    if mode == "unified":
        return (RecordRoute(unified, partial(_order, market, _unified), category(market)),)
    if market == "spot":
        return (RecordRoute(spot, partial(_order, market, _spot)),)
    return (RecordRoute(futures, partial(_order, market, _futures), product(market)),)


ORDERS = RecordKind(
    "orders", "own orders", Shape("account.orders", ORDER_FIELDS, _SOURCES, index="time"), "order_id", "market",
    by_market(), partial(_routes, _SOURCES), open=partial(_routes, _OPEN_SOURCES), changing=_OPEN, many=True,
)  # fmt: skip


def _order(market: str, family: Callable[[AnswerRow], Row], row: AnswerRow) -> Row:
    status = row.one_of(_KNOWN, "status", "orderStatus", needed=True) or ""
    order: Row = {
        "order_id": row.key("orderId"), "client_id": row.text("clientOid"), "market": market,
        "symbol": row.code("symbol", needed=True), "type": row.one_of(_TYPES, "orderType"),
        "status": _STATUS.get(status, status) or None,
        "cancel_reason": row.text("cancelReason"), **family(row),
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


def _spot(row: AnswerRow) -> Row:
    is_open = "basePrice" in row  # open orders call the limit price priceAvg, and the average price so far basePrice
    size = row.number("size")
    return {
        "time": row.time("cTime", needed=True), "updated": row.time("uTime"), "side": row.must_be(SIDES, "side"),
        "price": row.number("priceAvg" if is_open else "price"), "amount": size, "cost": size,
        "filled": row.number("baseVolume"), "filled_value": row.number("quoteVolume"),
        "average_price": row.number("basePrice" if is_open else "priceAvg"), **_spot_fee(row),
    }  # fmt: skip


def _spot_fee(row: AnswerRow) -> Row:
    """Return the fee of a spot order: JSON inside a text, by coin, next to a sum without a coin."""
    detail = row.fields("feeDetail")
    for key, part in detail.items():
        if key != "newFees" and not part.text("feeCoinCode"):
            part.problems.add(f"{part.name}: feeCoinCode is missing")
    named = [(part.code("feeCoinCode"), part) for part in detail.values() if part.text("feeCoinCode")]
    if not named:
        total = detail["newFees"].decimal("t") if "newFees" in detail else None
        return {"fee": None if total is None else float(-total) + 0.0, "fee_coin": None}
    coin = named[0][0]
    paid = [(name, paid_of(part, "totalFee", paid_is_negative=True)) for name, part in named]
    _note_others(row, ", ".join(f"{fee:f} {name}" for name, fee in paid if name != coin and fee))
    return {"fee": float(sum(fee for name, fee in paid if name == coin and fee is not None)) + 0.0, "fee_coin": coin}


def _note_others(row: AnswerRow, others: str | None) -> None:
    """Report fees in further coins, for which an order has no column."""
    if others:
        row.problems.note(f"{row.name}: it has fees in further coins, {others}; account.fills has them as other_fees")


def _futures(row: AnswerRow) -> Row:
    fee = row.number("fee")
    return {
        "time": row.time("cTime", needed=True), "updated": row.time("uTime"), "side": traded_side(row),
        "position": _side_of(row), "reduce_only": row.flag("reduceOnly"), "price": row.number("price"),
        "amount": row.number("size"), "cost": None, "filled": row.number("baseVolume"),
        "filled_value": row.number("quoteVolume"), "average_price": row.number("priceAvg"),
        "fee": None if fee is None else -fee + 0.0, "fee_coin": row.code("marginCoin"),
        "profit": row.number("totalProfits"),
    }  # fmt: skip


def _unified(row: AnswerRow) -> Row:
    fees = fee_of(row, "fee", paid_is_negative=False)
    _note_others(row, fees.pop("other_fees"))
    return {
        "time": row.time("createdTime", needed=True), "updated": row.time("updatedTime"),
        "side": row.must_be(SIDES, "side"),
        "position": _side_of(row), "reduce_only": row.flag("reduceOnly"), "price": row.number("price"),
        "amount": row.number("qty"), "cost": row.number("amount"), "filled": row.number("cumExecQty"),
        "filled_value": row.number("cumExecValue"), "average_price": row.number("avgPrice"),
        "profit": None, **fees,
    }  # fmt: skip


def _side_of(row: AnswerRow) -> str | None:
    """Return long or short; one-way mode has neither."""
    side = row.one_of(POSITIONS, "posSide")
    return None if side == "net" else side


_PLAN_FIELDS = fields("""
    time time when it was made
    updated time when it last changed
    order_id text of the plan
    client_id text chosen by the client
    executed_order_id text of the order that it became; classic futures only
    market category spot or one of the futures markets
    symbol category as the exchange spells it
    side category buy or sell, the side of the trade; classic accounts only
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


def _plan_routes(sources: tuple[str, ...], mode: Mode, market: str) -> tuple[RecordRoute, ...]:
    spot, futures, unified = sources
    if mode == "unified":
        return (RecordRoute(unified, partial(_unified_plan, market), category(market) | {"type": "tpsl"}),)
    shape = partial(_plan, market)
    if market == "spot":
        return (RecordRoute(spot, shape),)
    return tuple(RecordRoute(futures, shape, product(market) | {"planType": plan}) for plan in _PLANS)


PLAN_ORDERS = RecordKind(
    "plan_orders", "plan orders", Shape("account.plan_orders", _PLAN_FIELDS, _PLAN_SOURCES, index="time"), "order_id",
    "market", {"classic": ("spot", *FUTURES), "unified": FUTURES}, partial(_plan_routes, _PLAN_SOURCES),
    open=partial(_plan_routes, _OPEN_PLAN_SOURCES), changing=_WAITING,
)  # fmt: skip


def _plan(market: str, row: AnswerRow) -> Row:
    return {
        "time": row.time("cTime", needed=True), "updated": row.time("uTime"), "order_id": row.key("orderId"),
        "client_id": row.text("clientOid"), "executed_order_id": row.text("executeOrderId"),
        "market": market, "symbol": row.code("symbol", needed=True),
        "side": row.must_be(SIDES, "side") if market == "spot" else traded_side(row), "position": _side_of(row),
        "plan": row.word("planType"), "status": row.word("status", "planStatus"),
        "amount": row.number("size"), "trigger_price": row.number("triggerPrice"),
        "trigger_by": row.word("triggerType"), "type": row.word("orderType"),
        "price": row.number("executePrice", "price"),
        "take_profit": row.number("stopSurplusTriggerPrice"), "stop_loss": row.number("stopLossTriggerPrice"),
    }  # fmt: skip


def _unified_plan(market: str, row: AnswerRow) -> Row:
    return {
        "time": row.time("createdTime", needed=True), "updated": row.time("updatedTime"),
        "order_id": row.key("orderId"), "client_id": row.text("clientOid"), "executed_order_id": None,
        "market": market, "symbol": row.code("symbol", needed=True), "side": None, "position": _side_of(row),
        "plan": row.word("triggerType") or "tpsl", "status": row.word("status"),
        "amount": row.number("qty"), "trigger_price": row.number("triggerPrice"),
        "trigger_by": row.word("triggerBy", "tpTriggerBy", "slTriggerBy"),
        "type": row.word("triggerOrderType", "tpOrderType"),
        "price": row.number("triggerOrderPrice", "tpLimitPrice"),
        "take_profit": row.number("takeProfit"), "stop_loss": row.number("stopLoss"),
    }  # fmt: skip
