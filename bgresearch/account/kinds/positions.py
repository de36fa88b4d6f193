"""Positions in futures, open and closed, as v2 and v3 tell them, as rows of one shape. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from bgresearch.account.records import FUTURES, RecordKind, Road, by_market, category, product
from bgresearch.identity import Mode
from bgresearch.tables import Row, Shape, code, fields, instant, number, text, word

_CLOSED = ("futures.position_history_position", "uta.position_history_position")
_STANDING = ("futures.position_all_position", "uta.position_current_position")

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
    _STANDING,
    index="time",
)


def _closed_roads(mode: Mode, market: str) -> tuple[Road, ...]:
    if mode == "unified":
        return (Road(_CLOSED[1], partial(_closed_v3, market), category(market)),)
    return (Road(_CLOSED[0], partial(_closed_v2, market), product(market)),)


def standing_roads(mode: Mode, market: str) -> tuple[Road, ...]:
    """Return the lists of the open positions of a market."""
    if mode == "unified":
        return (Road(_STANDING[1], partial(_open_v3, market), category(market)),)
    return (Road(_STANDING[0], partial(_open_v2, market), product(market)),)


CLOSED_POSITIONS = RecordKind(
    "closed_positions", "closed positions", _CLOSED_SHAPE, "position_id", "market", by_market(FUTURES), _closed_roads,
    open=standing_roads, late=True,
)  # fmt: skip


def _closed_v2(market: str, row: Mapping[str, Any]) -> Row:
    fees = _negated(row.get("openFee"), row.get("closeFee"))
    opened, closed = instant(row.get("ctime") or row.get("cTime")), instant(row.get("utime") or row.get("uTime"))
    return {
        **_named(market, row, row["holdSide"]), "time": opened, "closed": closed,
        "position_id": _id(row, row["holdSide"], opened), "open_price": number(row.get("openAvgPrice")),
        "close_price": number(row.get("closeAvgPrice")), "amount": number(row.get("openTotalPos")),
        "closed_amount": number(row.get("closeTotalPos")), "profit": number(row.get("pnl")), "fee": fees,
        "funding": number(row.get("totalFunding")), "net_profit": number(row.get("netProfit")),
    }  # fmt: skip


def _closed_v3(market: str, row: Mapping[str, Any]) -> Row:
    fees = _negated(row.get("openFeeTotal"), row.get("closeFeeTotal"))
    opened = instant(row["createdTime"])
    return {
        **_named(market, row, row["posSide"]), "time": opened, "closed": instant(row.get("updatedTime")),
        "position_id": _id(row, row["posSide"], opened), "open_price": number(row.get("openPriceAvg")),
        "close_price": number(row.get("closePriceAvg")), "amount": number(row.get("openTotalPos")),
        "closed_amount": number(row.get("closeTotalPos")), "profit": number(row.get("cumRealisedPnl")), "fee": fees,
        "funding": number(row.get("totalFunding")), "net_profit": number(row.get("netProfit")),
    }  # fmt: skip


def _open_v2(market: str, row: Mapping[str, Any]) -> Row:
    opened = instant(row["cTime"])
    return {
        **_named(market, row, row["holdSide"]), "time": opened, "position_id": _id(row, row["holdSide"], opened),
        "leverage": number(row.get("leverage")), "amount": number(row.get("total")),
        "available": number(row.get("available")), "open_price": number(row.get("openPriceAvg")),
        "mark_price": number(row.get("markPrice")), "break_even_price": number(row.get("breakEvenPrice")),
        "liquidation_price": _positive(row.get("liquidationPrice")), "margin": number(row.get("marginSize")),
        "unrealised_profit": number(row.get("unrealizedPL")), "realised_profit": number(row.get("achievedProfits")),
        "fee": number(row.get("deductedFee")), "funding": number(row.get("totalFee")),
        "maintenance_rate": number(row.get("keepMarginRate")),
    }  # fmt: skip


def _open_v3(market: str, row: Mapping[str, Any]) -> Row:
    opened = instant(row["createdTime"])
    return {
        **_named(market, row, row["posSide"]), "time": opened, "position_id": _id(row, row["posSide"], opened),
        "leverage": number(row.get("leverage")), "amount": number(row.get("total")),
        "available": number(row.get("available")), "open_price": number(row.get("avgPrice")),
        "mark_price": number(row.get("markPrice")), "break_even_price": number(row.get("breakEvenPrice")),
        "liquidation_price": _positive(row.get("liquidationPrice")), "margin": number(row.get("positionBalance")),
        "unrealised_profit": number(row.get("unrealisedPnl")), "realised_profit": number(row.get("curRealisedPnl")),
        "fee": _negated(row.get("openFeeTotal"), row.get("closeFeeTotal")), "funding": number(row.get("totalFunding")),
        "maintenance_rate": number(row.get("mmr")),
    }  # fmt: skip


def _named(market: str, row: Mapping[str, Any], side: object) -> Row:
    return {
        "market": market, "symbol": code(row["symbol"]), "side": word(side), "margin_coin": code(row.get("marginCoin")),
        "margin_mode": {"cross": "crossed"}.get(str(word(row.get("marginMode"))), word(row.get("marginMode"))),
    }  # fmt: skip


def _id(row: Mapping[str, Any], side: object, opened: int | None) -> str:
    """Return the position's id; where none is told, one side of a symbol opens only once at an instant."""
    return text(row.get("positionId")) or f"{row['symbol']}-{side}-{opened}"


def _negated(*values: object) -> float | None:
    """Return what was paid as a positive sum, to the digits that the exchange writes; None if nothing was told."""
    paid = [part for part in map(number, values) if part is not None]
    return round(-sum(paid), 12) + 0.0 if paid else None


def _positive(value: object) -> float | None:
    """Return a price; zero and less mean none."""
    price = number(value)
    return price if price is not None and price > 0 else None
