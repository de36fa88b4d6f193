"""Futures positions, open and closed, of v2 and v3, as rows of one shape. Pure."""

from __future__ import annotations

from functools import partial

from bgresearch.account.kinds.fills import POSITIONS
from bgresearch.account.record_type import RecordKind, RecordRoute, by_market
from bgresearch.catalogue.answer_row import AnswerRow
from bgresearch.core.symbols import FUTURES, category, product
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import Mode

_CLOSED = ("futures.position_history_position", "uta.position_history_position")
_OPEN_POSITIONS = ("futures.position_all_position", "uta.position_current_position")

_MARGINS = ("crossed", "cross", "isolated")

_CLOSED_SHAPE = Shape(
    "account.closed_positions",
    fields("""
        time time when it was opened
        closed time when it was closed
        position_id text of the position
        market category futures market
        symbol category as the exchange spells it
        side category long or short
        margin_coin category coin of margin and profit
        margin_mode category crossed or isolated
        amount number base coin that was opened
        closed_amount number base coin that was closed
        open_price number quote coin, average
        close_price number quote coin, average
        profit number margin coin, before fees and funding
        fee number margin coin, of opening and closing; positive is paid
        funding number margin coin; positive is received
        net_profit number margin coin, after fees and funding
    """),
    _CLOSED,
    index="time",
)

OPEN_POSITIONS = Shape(
    "account.positions",
    fields("""
        time time when it was opened
        market category futures market
        symbol category as the exchange spells it
        side category long or short; net in one-way mode
        margin_coin category coin of margin and profit
        margin_mode category crossed or isolated
        leverage number times
        amount number base coin
        available number base coin that can be closed
        open_price number quote coin, average
        mark_price number quote coin
        break_even_price number quote coin
        liquidation_price number quote coin; NaN if there is none
        margin number margin coin
        unrealised_profit number margin coin
        realised_profit number margin coin, of what was closed so far
        fee number margin coin, so far; positive is paid
        funding number margin coin, so far; positive is received
        maintenance_rate number ratio, of the position's value
    """),
    _OPEN_POSITIONS,
    index="time",
)


def _closed_routes(mode: Mode, market: str) -> tuple[RecordRoute, ...]:
    if mode == "unified":
        return (RecordRoute(_CLOSED[1], partial(_closed_v3, market), category(market)),)
    return (RecordRoute(_CLOSED[0], partial(_closed_v2, market), product(market)),)


def open_position_routes(mode: Mode, market: str) -> tuple[RecordRoute, ...]:
    """Return the lists of the open positions of a market."""
    if mode == "unified":
        return (RecordRoute(_OPEN_POSITIONS[1], partial(_open_v3, market), category(market)),)
    return (RecordRoute(_OPEN_POSITIONS[0], partial(_open_v2, market), product(market)),)


CLOSED_POSITIONS = RecordKind(
    "closed_positions", "closed positions", _CLOSED_SHAPE, "position_id", "market", by_market(FUTURES), _closed_routes,
    open=open_position_routes, late=True,
)  # fmt: skip


def _closed_v2(market: str, row: AnswerRow) -> Row:
    fees = _negated(row, "openFee", "closeFee")
    opened, closed = row.time("ctime", "cTime"), row.time("utime", "uTime")
    return {
        **_named(market, row, "holdSide"), "time": opened, "closed": closed,
        "position_id": _id(row, "holdSide", opened), "open_price": row.number("openAvgPrice"),
        "close_price": row.number("closeAvgPrice"), "amount": row.number("openTotalPos"),
        "closed_amount": row.number("closeTotalPos"), "profit": row.number("pnl"), "fee": fees,
        "funding": row.number("totalFunding"), "net_profit": row.number("netProfit"),
    }  # fmt: skip


def _closed_v3(market: str, row: AnswerRow) -> Row:
    fees = _negated(row, "openFeeTotal", "closeFeeTotal")
    opened = row.time("createdTime", needed=True)
    return {
        **_named(market, row, "posSide"), "time": opened, "closed": row.time("updatedTime"),
        "position_id": _id(row, "posSide", opened), "open_price": row.number("openPriceAvg"),
        "close_price": row.number("closePriceAvg"), "amount": row.number("openTotalPos"),
        "closed_amount": row.number("closeTotalPos"), "profit": row.number("cumRealisedPnl"), "fee": fees,
        "funding": row.number("totalFunding"), "net_profit": row.number("netProfit"),
    }  # fmt: skip


def _open_v2(market: str, row: AnswerRow) -> Row:
    opened = row.time("cTime", needed=True)
    return {
        **_named(market, row, "holdSide"), "time": opened, "position_id": _id(row, "holdSide", opened),
        "leverage": row.number("leverage"), "amount": row.number("total"),
        "available": row.number("available"), "open_price": row.number("openPriceAvg"),
        "mark_price": row.number("markPrice"), "break_even_price": row.number("breakEvenPrice"),
        "liquidation_price": _positive(row.number("liquidationPrice")), "margin": row.number("marginSize"),
        "unrealised_profit": row.number("unrealizedPL"), "realised_profit": row.number("achievedProfits"),
        "fee": row.number("deductedFee"), "funding": row.number("totalFee"),
        "maintenance_rate": row.number("keepMarginRate"),
    }  # fmt: skip


def _open_v3(market: str, row: AnswerRow) -> Row:
    opened = row.time("createdTime", needed=True)
    return {
        **_named(market, row, "posSide"), "time": opened, "position_id": _id(row, "posSide", opened),
        "leverage": row.number("leverage"), "amount": row.number("total"),
        "available": row.number("available"), "open_price": row.number("avgPrice"),
        "mark_price": row.number("markPrice"), "break_even_price": row.number("breakEvenPrice"),
        "liquidation_price": _positive(row.number("liquidationPrice")), "margin": row.number("positionBalance"),
        "unrealised_profit": row.number("unrealisedPnl"), "realised_profit": row.number("curRealisedPnl"),
        "fee": _negated(row, "openFeeTotal", "closeFeeTotal"), "funding": row.number("totalFunding"),
        "maintenance_rate": row.number("mmr"),
    }  # fmt: skip


def _named(market: str, row: AnswerRow, side: str) -> Row:
    mode = row.one_of(_MARGINS, "marginMode")
    return {
        "market": market, "symbol": row.code("symbol", needed=True), "side": row.one_of(POSITIONS, side, needed=True),
        "margin_coin": row.code("marginCoin"),
        "margin_mode": "crossed" if mode == "cross" else mode,
    }  # fmt: skip


def _id(row: AnswerRow, side: str, opened: int | None) -> str:
    """Return the position's id; without one, symbol, side and opening time identify it."""
    return row.text("positionId") or f"{row.key('symbol')}-{row.key(side)}-{opened}"


def _negated(row: AnswerRow, *names: str) -> float | None:
    """Return what was paid as a positive sum, to the digits that the exchange writes; None if the field is empty."""
    paid = [part for part in map(row.number, names) if part is not None]
    return round(-sum(paid), 12) + 0.0 if paid else None


def _positive(price: float | None) -> float | None:
    """Return a price; zero or less means none."""
    return price if price is not None and price > 0 else None
