"""Own trades as the three families of endpoints tell them, as rows of one shape. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from bgresearch.account.records import RecordKind, Road, by_market, category, product
from bgresearch.identity import Mode
from bgresearch.tables import Row, Shape, fields, number

_OTHER = {"buy": "sell", "sell": "buy"}
_POSITION = re.compile(r"(?:long|short)$")

_SHAPE = Shape(
    "account.fills",
    fields("""
        time time when it was traded
        fill_id text of the trade
        order_id text of the order that was filled
        market category spot or one of the futures markets
        symbol category as the exchange spells it
        side category buy or sell, as was done in the market: closing a long position is a sell
        role category maker or taker
        price number quote coin
        amount number base coin
        value number quote coin
        fee number fee_coin; positive is paid
        fee_coin category coin of the fee
        other_fees text fees in further coins, as they were sent: "0.001 BGB"; missing if there are none
        profit number margin coin, realised by closing futures; NaN in spot
        position category long or short in futures of hedge mode; missing in one-way mode and in spot
    """),
    ("spot.trade_fills", "futures.order_fills", "uta.trade_fills"),
    index="time",
)


def _roads(mode: Mode, market: str) -> tuple[Road, ...]:
    shape = partial(_fill, market)
    if mode == "unified":
        return (Road("uta.trade_fills", partial(shape, _unified), category(market)),)
    if market == "spot":
        return (Road("spot.trade_fills", partial(shape, _spot)),)
    return (Road("futures.order_fills", partial(shape, _futures), product(market)),)


FILLS = RecordKind("fills", "own trades", _SHAPE, "fill_id", "market", by_market(), _roads, many=True)


def _fill(market: str, family: Any, row: Mapping[str, Any]) -> Row:
    fill: Row = {"market": market, **family(row)}
    if market == "spot":
        fill["profit"] = None  # classic accounts are not told any, unified ones are told 0
    else:
        fill["position"] = position_of(row)
    return fill


def _spot(row: Mapping[str, Any]) -> Row:
    numbers = {"price": "priceAvg", "amount": "size", "value": "amount"}
    return _row(row, "tradeId", "cTime", numbers) | fee_of(row, "totalFee", paid_is_negative=True)


def _futures(row: Mapping[str, Any]) -> Row:
    numbers = {"price": "price", "amount": "baseVolume", "value": "quoteVolume", "profit": "profit"}
    fee = fee_of(row, "totalFee", paid_is_negative=True)
    return _row(row, "tradeId", "cTime", numbers) | fee | {"side": traded_side(row)}


def traded_side(row: Mapping[str, Any]) -> str:
    """Return what was done in the market: v2 rows of hedge mode name the side of the position instead.

    There, closing a long position is side buy with tradeSide close. Forced closings name the position, too:
    burst_close_long. In one-way mode, side is the trade's own.
    """
    side, trade = str(row["side"]).lower(), str(row.get("tradeSide") or "").lower()
    if trade.endswith(("close_long", "open_short")):
        return "sell"
    if trade.endswith(("close_short", "open_long")):
        return "buy"
    hedged = str(row.get("posMode") or "hedge_mode").lower() == "hedge_mode"
    return _OTHER.get(side, side) if trade == "close" and hedged else side


def position_of(row: Mapping[str, Any]) -> str | None:
    """Return which position a futures trade opened or closed: long or short; None in one-way mode.

    Rows of v3 and forced closings of v2 name it: open_long, burst_close_short. In hedge mode, other v2 rows have open
    or close and the side of the position: buy is the long one.
    """
    trade = str(row.get("tradeSide") or "").lower()
    if named := _POSITION.search(trade):
        return named[0]
    hedged = str(row.get("posMode") or "hedge_mode").lower() == "hedge_mode"
    if trade not in ("open", "close") or not hedged:
        return None
    return "long" if str(row["side"]).lower() == "buy" else "short"


def _unified(row: Mapping[str, Any]) -> Row:
    numbers = {"price": "execPrice", "amount": "execQty", "value": "execValue", "profit": "execPnl"}
    return _row(row, "execId", "createdTime", numbers) | fee_of(row, "fee", paid_is_negative=False)


def _row(row: Mapping[str, Any], fill_id: str, time: str, numbers: Mapping[str, str]) -> Row:
    return {
        "time": int(row[time]), "fill_id": str(row[fill_id]), "order_id": str(row["orderId"]),
        "symbol": str(row["symbol"]).upper(), "side": str(row["side"]).lower(),
        "role": str(row.get("tradeScope") or "").lower(),
        **{name: number(row.get(theirs)) for name, theirs in numbers.items()},
    }  # fmt: skip


def fee_of(row: Mapping[str, Any], field: str, *, paid_is_negative: bool) -> Row:
    """Return fee (positive if paid), fee_coin and other_fees: v2 counts what leaves as negative, v3 as positive.

    Parts in one coin are added up as decimals: added as floats, 0.1 and 0.2 would be 0.30000000000000004.
    """
    detail = row.get("feeDetail") or []
    if isinstance(detail, str):
        detail = json.loads(detail)
    sums: dict[str, Decimal] = {}
    for part in detail if isinstance(detail, list) else [detail]:
        coin, told = str(part.get("feeCoin") or "").upper(), part.get(field)
        paid = Decimal(0) if told in (None, "") else Decimal(str(told))
        if coin or paid:  # a trade that was free may tell of a part without a coin
            sums[coin] = sums.get(coin, Decimal(0)) + (-paid if paid_is_negative else paid)
    if not sums:
        return {"fee": None, "fee_coin": None, "other_fees": None}
    (coin, fee), *others = sums.items()
    further = ", ".join(f"{amount:f} {name}" for name, amount in others if amount)
    return {"fee": float(fee) + 0.0, "fee_coin": coin, "other_fees": further or None}
