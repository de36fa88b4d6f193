"""Events of contracts: splits and dividends of the stocks behind them, and liquidations."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from bgresearch.catalogue import load
from bgresearch.catalogue.answer_row import AnswerRow, Problems
from bgresearch.core import exact_json
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import Span, iso
from bgresearch.errors import BadResponse, IncompleteData
from bgresearch.http.pagination.paged_list import PagedList
from bgresearch.http.rows import all_rows, rows_from, shaped
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row, Shape, fields

_SPLITS, _DIVIDENDS, _LIQUIDATIONS = "uta.split_records", "uta.cash_dividend_records", "uta.liquidations"
_DIGITS_OF_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")

SPLITS = Shape(
    "splits",
    fields("""
        symbol text contract on the stock
        time time when trading goes on, in new shares
        halted time when trading stops before
        kind category split or reverse_split
        status category pending, ongoing or completed
        ratio number new shares for one old share: 4 for four for one, 0.1 for one for ten
        ex_date text date in New York, YYYY-MM-DD
    """),
    (_SPLITS,),
)
DIVIDENDS = Shape(
    "dividends",
    fields("""
        symbol text contract on the stock
        time time when it is or was paid
        status category pending or paid
        amount number USDT per share
        ex_date text date in New York, YYYY-MM-DD
    """),
    (_DIVIDENDS,),
)
LIQUIDATIONS = Shape(
    "liquidations",
    fields("""
        time time when the position was liquidated
        symbol text as the exchange spells it
        side category buy: a long position was liquidated; sell: a short one
        price number quote coin
        amount number base coin
    """),
    (_LIQUIDATIONS,),
    index="time",
)


class SplitStep(NamedTuple):
    """One split that has taken effect: from ``time_ms`` on, one share is what ``1 / ratio`` was before."""

    time_ms: int
    ratio: Decimal


def splits(sender: Sender, symbol: str | None) -> list[Row]:
    """Return the splits of all contracts on stocks, or of one, oldest first."""
    rows = shaped(_SPLITS, _split, rows_from(sender, _SPLITS))
    return sorted((row for row in rows if symbol in (None, row["symbol"])), key=_by_time)


def split_steps(sender: Sender, symbol: str, now_ms: int) -> list[SplitStep]:
    """Return the splits of a contract that have taken effect, oldest first.

    Raises
    ------
    BadResponse
        A split of this contract cannot be read: without it, prices would be adjusted wrongly.
    """
    steps: dict[int, SplitStep] = {}
    problems = Problems(_SPLITS, money=True)
    for place, values in enumerate(rows_from(sender, _SPLITS), start=1):
        row = AnswerRow(values if isinstance(values, dict) else {}, problems, f"row {place}")
        if row.text("symbol", needed=True) != symbol or row.word("status") == "pending":
            continue
        time, ratio = row.time("tradingHaltEndTime", needed=True), row.decimal("adjustmentRatio")
        if time is None or ratio is None or ratio <= 0:
            raise BadResponse(_SPLITS, f"{row.name}: adjustmentRatio is not the ratio of a split.")
        if steps.setdefault(time, SplitStep(time, ratio)).ratio != ratio:
            raise BadResponse(_SPLITS, f"{row.name}: there are two ratios for the split of {iso(time)}.")
    return [step for time, step in sorted(steps.items()) if time <= now_ms]


def dividends(sender: Sender, symbol: str) -> list[Row]:
    """Return the cash dividends of the stock behind a contract, paid and announced, oldest first."""
    rows = []
    for status in ("paid", "pending"):
        page = all_rows(sender, _DIVIDENDS, {"symbol": symbol, "type": status})
        rows += [row | {"status": status} for row in shaped(_DIVIDENDS, _dividend, page)]
    return sorted(rows, key=_by_time)


def liquidations(sender: Sender, market: str, symbol: str | None, span: Span, now_ms: int) -> list[Row]:
    """Return the liquidations of a market or of one contract in a span, oldest first.

    Raises
    ------
    IncompleteData
        The exchange no longer serves all of the span.
    """
    endpoint, first_ms = load()[_LIQUIDATIONS], liquidations_from_ms(now_ms)
    if span.start_ms < first_ms:
        gone = Span(span.start_ms, min(span.end_ms, first_ms))
        said = f"the exchange serves liquidations {endpoint.lookback_days} days back; {gone} is older."
        raise IncompleteData(said, missing=[gone], hint=f"Ask from {iso(first_ms)} on.")
    params = {"category": market.upper()} | ({} if symbol is None else {"symbol": symbol})
    paged = PagedList(sender, endpoint, params, list, lambda row: exact_json.dumps(row, sort_keys=True))
    found: list[Row] = []
    for page in paged.pages():
        rows = shaped(_LIQUIDATIONS, _liquidation, page)
        found += rows
        if rows and all((row["time"] or 0) < span.start_ms for row in rows):
            break
    inside = (row for row in found if row["time"] is not None and span.start_ms <= row["time"] < span.end_ms)
    return sorted(inside, key=_by_time)


def liquidations_from_ms(now_ms: int) -> int:
    """Return the oldest instant whose liquidations the exchange serves."""
    return now_ms - (load()[_LIQUIDATIONS].lookback_days or 0) * DAY_MS


def _split(row: AnswerRow) -> Row:
    return {
        "symbol": row.key("symbol"), "time": row.time("tradingHaltEndTime", needed=True),
        "halted": row.time("tradingHaltStartTime"), "kind": row.word("type"), "status": row.word("status"),
        "ratio": row.number("adjustmentRatio", needed=True), "ex_date": _date(row),
    }  # fmt: skip


def _dividend(row: AnswerRow) -> Row:
    return {
        "symbol": row.key("symbol"), "time": row.time("cashDividendTimestamp"),
        "amount": row.number("cashDividendPerShare", needed=True), "ex_date": _date(row),
    }  # fmt: skip


def _liquidation(row: AnswerRow) -> Row:
    return {
        "symbol": row.key("symbol"), "time": row.time("ts", needed=True), "side": row.word("side"),
        "price": row.number("price", needed=True), "amount": row.number("amount", needed=True),
    }  # fmt: skip


def _date(row: AnswerRow) -> str | None:
    """Return the ex-date: the exchange writes 20260715, its documentation 2026-07-15."""
    text = row.text("exDividendDate")
    digits = _DIGITS_OF_DATE.fullmatch(text) if text else None
    if digits is None:
        return text
    try:
        return date(*map(int, digits.groups())).isoformat()
    except ValueError:
        return text


def _by_time(row: Row) -> tuple[int, str]:
    return row["time"] or 0, row["symbol"]
