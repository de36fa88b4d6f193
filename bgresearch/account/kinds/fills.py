"""Own trades from the three endpoint families, as rows of one shape. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from functools import partial

from bgresearch.account.record_type import RecordKind, RecordRoute, by_market
from bgresearch.catalogue.answer_row import AnswerRow, spelled
from bgresearch.core.symbols import category, product
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import Mode

_DIGITS = 80  # as many as `research.pnl.decimals` keeps
_NEEDED = ("price", "amount")
SIDES = ("buy", "sell")
POSITIONS = ("long", "short", "net")
_OTHER = {"buy": "sell", "sell": "buy"}
_MODES = ("hedge_mode", "one_way_mode")
_ROLES = ("maker", "taker")
_POSITION = re.compile(r"(?:long|short)$")

_SHAPE = Shape(
    "account.fills",
    fields("""
        time time when it was traded
        fill_id text of the trade
        order_id text of the order that was filled
        market category spot or one of the futures markets
        symbol category as the exchange spells it
        side category buy or sell, the side of the trade: closing a long position is a sell
        role category maker or taker
        price number quote coin
        amount number base coin
        value number quote coin
        fee number fee_coin; positive is paid
        fee_coin category coin of the fee
        other_fees text fees in further coins, as sent by the exchange: "0.001 BGB"; missing if there are none
        profit number margin coin, realised by closing futures; NaN in spot
        position category long or short in futures of hedge mode; missing in one-way mode and in spot
    """),
    ("spot.trade_fills", "futures.order_fills", "uta.trade_fills"),
    index="time",
)


def _routes(mode: Mode, market: str) -> tuple[RecordRoute, ...]:
    shape = partial(_fill, market)
    if mode == "unified":
        return (RecordRoute("uta.trade_fills", partial(shape, _unified), category(market)),)
    if market == "spot":
        return (RecordRoute("spot.trade_fills", partial(shape, _spot)),)
    return (RecordRoute("futures.order_fills", partial(shape, _futures), product(market)),)


FILLS = RecordKind("fills", "own trades", _SHAPE, "fill_id", "market", by_market(), _routes, many=True)


def _fill(market: str, family: Callable[[AnswerRow], Row], row: AnswerRow) -> Row:
    fill: Row = {"market": market, **family(row)}
    if market == "spot":
        fill["profit"] = None  # classic accounts get none, unified ones get 0
    else:
        fill["position"] = position_of(row)
    return fill


def _spot(row: AnswerRow) -> Row:
    numbers = {"price": "priceAvg", "amount": "size", "value": "amount"}
    return _row(row, "tradeId", "cTime", numbers) | fee_of(row, "totalFee", paid_is_negative=True)


def _futures(row: AnswerRow) -> Row:
    numbers = {"price": "price", "amount": "baseVolume", "value": "quoteVolume", "profit": "profit"}
    fee = fee_of(row, "totalFee", paid_is_negative=True)
    return _row(row, "tradeId", "cTime", numbers) | fee | {"side": traded_side(row)}


def traded_side(row: AnswerRow) -> str:
    """Return the side of the trade: v2 rows of hedge mode name the side of the position instead.

    There, closing a long position is side buy with tradeSide close. Forced closings name the position, too:
    burst_close_long. In one-way mode, ``side`` is the side of the trade.
    """
    side, trade = row.must_be(SIDES, "side"), row.word("tradeSide") or ""
    if trade.endswith(("close_long", "open_short")):
        return "sell"
    if trade.endswith(("close_short", "open_long")):
        return "buy"
    return _OTHER[side] if trade == "close" and _is_hedged(row) else side


def position_of(row: AnswerRow) -> str | None:
    """Return the position that a futures trade opened or closed: long or short; None in one-way mode.

    Rows of v3 and forced closings of v2 name it: open_long, burst_close_short. In hedge mode, other v2 rows have open
    or close and the side of the position: buy is the long one.
    """
    trade = row.word("tradeSide") or ""
    if named := _POSITION.search(trade):
        return named[0]
    if trade not in ("open", "close"):
        if trade and "single" not in trade:  # buy_single, dte_sys_adl_buy_in_single_side_mode: one-way mode
            row.problems.note(f"{row.name}: tradeSide {trade} names no position")
        return None
    if not _is_hedged(row):
        return None
    return "long" if row.must_be(SIDES, "side") == "buy" else "short"


def _is_hedged(row: AnswerRow) -> bool:
    """Return whether an account holds long and short positions of one contract; its mode decides what a side means."""
    return not row.text("posMode") or row.must_be(_MODES, "posMode") == "hedge_mode"


def _unified(row: AnswerRow) -> Row:
    numbers = {"price": "execPrice", "amount": "execQty", "value": "execValue", "profit": "execPnl"}
    return _row(row, "execId", "createdTime", numbers) | fee_of(row, "fee", paid_is_negative=False)


def _row(row: AnswerRow, fill_id: str, time: str, numbers: Mapping[str, str]) -> Row:
    return {
        "time": row.time(time, needed=True), "fill_id": row.key(fill_id), "order_id": row.key("orderId"),
        "symbol": spelled(row.key("symbol")), "side": row.must_be(SIDES, "side"),
        "role": row.one_of(_ROLES, "tradeScope") or "",
        **{name: row.number(theirs, needed=name in _NEEDED) for name, theirs in numbers.items()},
    }  # fmt: skip


def fee_of(row: AnswerRow, field: str, *, paid_is_negative: bool) -> Row:
    """Return fee (positive if paid), fee_coin and other_fees of a row with ``feeDetail``.

    Parts in one coin are added up as decimals: added as floats, 0.1 and 0.2 would be 0.30000000000000004.
    """
    sums: dict[str, Decimal] = {}
    for part in row.nested("feeDetail"):
        coin, paid = part.code("feeCoin") or "", paid_of(part, field, paid_is_negative=paid_is_negative)
        if not coin and field not in part:
            part.problems.add(f"{part.name}: it has neither feeCoin nor {field}")
        if paid is not None and (coin or paid):  # a trade without a fee may have a part without a coin
            with localcontext(prec=_DIGITS):
                sums[coin] = sums[coin] + paid if coin in sums else paid
    if not sums:
        return {"fee": None, "fee_coin": None, "other_fees": None}
    (coin, fee), *others = sums.items()
    further = ", ".join(f"{amount:f} {name}" for name, amount in others if amount)
    return {"fee": float(fee) + 0.0, "fee_coin": coin, "other_fees": further or None}


def paid_of(part: AnswerRow, field: str, *, paid_is_negative: bool) -> Decimal | None:
    """Return what was paid, None if the field is empty: v2 counts what leaves as negative, v3 as positive.

    With ``deduction`` yes the fee was taken from the balance of another coin (BGB), and v2 shows it as a positive
    number although it was paid. Seen in live rows (ccxt, pull request 21530); the exchange's pages do not say it, and
    it was not checked against a live account. Without a deduction a positive number is a rebate.
    """
    amount = part.decimal(field)
    if amount is None:
        return None
    if part.flag("deduction", fatal=True):  # it decides the sign
        return amount.copy_abs()
    return amount.copy_negate() if paid_is_negative and amount else amount
