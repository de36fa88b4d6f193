"""Long and short shares, taker volumes, money flows: series that the exchange computes, one request a second each.

The exchange states neither how many rows it returns nor how far back they go; `bgresearch record` stores them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bgresearch.catalogue import load
from bgresearch.catalogue.answer_row import AnswerRow
from bgresearch.errors import ExchangeError, InvalidInput
from bgresearch.http.rows import rows_from, shaped
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import ABSENT

_SIDES = ("trades", "accounts", "positions", "margin")
_LONG_SHORT_ROWS = {
    "trades": ("data.futures_long_short", ("longRatio", "shortRatio", "longShortRatio")),
    "accounts": (
        "data.futures_account_long_short", ("longAccountRatio", "shortAccountRatio", "longShortAccountRatio"),
    ),
    "positions": (
        "data.futures_position_long_short", ("longPositionRatio", "shortPositionRatio", "longShortPositionRatio"),
    ),
    "margin": ("data.margin_long_short_ratio", ("", "", "longShortRatio")),
}  # fmt: skip

LONG_SHORT = Shape(
    "long_short",
    fields("""
        time time of the row
        long number ratio; NaN for margin
        short number ratio; NaN for margin
        ratio number long over short
    """),
    tuple(row_id for row_id, _ in _LONG_SHORT_ROWS.values()),
    index="time",
)
TAKER_VOLUME = Shape(
    "taker_volume",
    fields("""
        time time of the row
        buy number base coin that takers bought
        sell number base coin that takers sold
    """),
    ("data.futures_taker_buy_sell",),
    index="time",
)
FUND_FLOW = Shape(
    "fund_flow",
    fields("""
        size category whale, dolphin or fish: size of the orders
        buy number volume bought in the period
        sell number volume sold in the period
        buy_ratio number ratio of all
        sell_ratio number ratio of all
    """),
    ("data.spot_fund_flow",),
)
NET_FLOW = Shape(
    "net_flow",
    fields("""
        time time of the row
        net_flow number volume; positive came in
    """),
    ("data.spot_fund_net_flow", "data.spot_whale_net_flow"),
    index="time",
)
MARGIN_SERIES = Shape(
    "margin_series",
    fields("""
        time time of the row
        loan_growth number ratio; how much more is borrowed, crossed margin
        borrow_rate number ratio; what of isolated margin is borrowed
    """),
    ("data.margin_loan_growth", "data.margin_isolated_borrow_rate", "data.futures_isolated_borrow_rate"),
    index="time",
)


def long_short(sender: Sender, symbol: str, period: str, of: str) -> list[Row]:
    """Return the ratio of longs to shorts."""
    if of not in _SIDES:
        raise InvalidInput.unknown("of", of, _SIDES)
    row_id, names = _LONG_SHORT_ROWS[of]
    columns = dict(zip(("long", "short", "ratio"), names, strict=True))
    return _series(sender, row_id, _of(row_id, symbol, period), columns)


def taker_volume(sender: Sender, symbol: str, period: str) -> list[Row]:
    """Return what takers bought and sold."""
    columns = {"buy": "buyVolume", "sell": "sellVolume"}
    row_id = "data.futures_taker_buy_sell"
    return _series(sender, row_id, _of(row_id, symbol, period), columns)


def fund_flow(sender: Sender, symbol: str, period: str) -> list[Row]:
    """Return what large, middle and small orders bought and sold."""
    row_id = "data.spot_fund_flow"
    return shaped(row_id, _flows, rows_from(sender, row_id, _of(row_id, symbol, period)))


def net_flow(sender: Sender, symbol: str, *, whales: bool) -> list[Row]:
    """Return what came in less what went out."""
    row_id, column = ("data.spot_whale_net_flow", "volume") if whales else ("data.spot_fund_net_flow", "netFlow")
    return _series(sender, row_id, {"symbol": symbol}, {"net_flow": column})


def margin_series(sender: Sender, symbol: str, period: str) -> list[Row]:
    """Return how borrowing on margin develops: two series, joined by time."""
    joined: dict[int | None, Row] = {}
    for row_ids, column, theirs in (
        (("data.margin_loan_growth",), "loan_growth", "growthRate"),
        (("data.margin_isolated_borrow_rate", "data.futures_isolated_borrow_rate"), "borrow_rate", "borrowRate"),
    ):
        for row in _first_there(sender, row_ids, symbol, period, {column: theirs}):
            joined.setdefault(row["time"], {}).update(row)
    return [joined[time] for time in sorted(joined, key=lambda time: time or 0)]


def _first_there(
    sender: Sender, row_ids: Sequence[str], symbol: str, period: str, columns: Mapping[str, str]
) -> list[Row]:
    """Return a series by the first of several paths that the exchange has: some were moved."""
    for row_id in row_ids[:-1]:
        try:
            return _series(sender, row_id, _of(row_id, symbol, period), columns)
        except ExchangeError as error:
            if error.code not in ABSENT:
                raise
    return _series(sender, row_ids[-1], _of(row_ids[-1], symbol, period), columns)


def _series(
    sender: Sender, row_id: str, params: Mapping[str, str], columns: Mapping[str, str]
) -> list[Row]:  # fmt: skip
    def row_of(row: AnswerRow) -> Row:
        values = {name: row.number(theirs, needed=True) if theirs else None for name, theirs in columns.items()}
        return {"time": row.time("ts", "date", needed=True), **values}

    rows = shaped(row_id, row_of, rows_from(sender, row_id, params))
    return sorted(rows, key=lambda row: row["time"] or 0)


def _of(row_id: str, symbol: str, period: str) -> dict[str, str]:
    """Return the parameters; of periods one list says 1Dutc where the others say 1d."""
    param = load()[row_id].param("period")
    allowed = param.enum if param else ()
    spelled = {name.removesuffix("utc").lower(): name for name in allowed}
    if not isinstance(period, str) or period.lower() not in spelled:
        raise InvalidInput.unknown("period", period, spelled)
    return {"symbol": symbol, "period": spelled[period.lower()]}


def _flows(row: AnswerRow) -> list[Row]:
    return [
        {
            "size": size, "buy": row.number(f"{size}BuyVolume", needed=True),
            "sell": row.number(f"{size}SellVolume", needed=True),
            "buy_ratio": row.number(f"{size}BuyRatio", needed=True),
            "sell_ratio": row.number(f"{size}SellRatio", needed=True),
        }
        for size in ("whale", "dolphin", "fish")
    ]  # fmt: skip
