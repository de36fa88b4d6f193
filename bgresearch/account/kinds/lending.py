"""Margin loans, repayments and interest of v2 and v3, as rows of one shape. Pure.

Isolated margin is fetched symbol by symbol: its lots are symbols, and ``crossed`` is the lot of cross margin. A unified
account has no lists of its own for this: the records are in its ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bgresearch.account.kinds.bills import UNIFIED_BOOKS
from bgresearch.account.record_type import RecordKind, RecordRoute
from bgresearch.catalogue.answer_row import AnswerRow
from bgresearch.schemas import Row, Shape, fields
from bgresearch.session.identity import Mode

_LEDGER = "uta.account_financial_records"
_COMMON = """
    time time when it happened
    updated time when it last changed
    {name}_id text of the record
    account category crossed, isolated or unified
    symbol category of isolated margin
    coin category the coin
    amount number coin
    word text what the exchange calls it
"""


def _kind(
    name: str, title: str, *, one: str, ledger_types: tuple[str, ...], shape: Callable[..., Row], also: str = ""
) -> RecordKind:  # fmt: skip
    """Return a kind of margin record.

    Parameters
    ----------
    name, title : str
        Name of the verb; title for messages.
    one : str
        The exchange's name for it: ``borrow``, ``repay``, ``interest``.
    ledger_types : tuple of str
        Its types in the unified ledger.
    shape : callable
        Makes the remaining columns of a record from a v2 row.
    also : str
        Columns in addition to the common ones.
    """

    def routes(mode: Mode, lot: str) -> tuple[RecordRoute, ...]:
        if mode == "unified":
            entry = partial(_ledger_entry, one)
            return tuple(
                RecordRoute(_LEDGER, entry, {"category": book.upper(), "type": ledger_type})
                for book in UNIFIED_BOOKS
                for ledger_type in ledger_types
            )
        if lot == "crossed":
            return (RecordRoute(f"margin.crossed_{one}_history", partial(_margin, one, shape, "crossed"), {}),)
        return (
            RecordRoute(f"margin.isolated_{one}_history", partial(_margin, one, shape, "isolated"), {"symbol": lot}),
        )

    sources = (f"margin.crossed_{one}_history", f"margin.isolated_{one}_history", _LEDGER)
    columns = fields(_COMMON.format(name=one) + also)
    return RecordKind(
        name, title, Shape(f"account.{name}", columns, sources, index="time"), f"{one}_id", "margin",
        {"classic": ("crossed",), "unified": ("unified",)}, routes, free=True,
    )  # fmt: skip


def _margin(one: str, shape: Callable[..., Row], account: str, row: AnswerRow) -> Row:
    id_field = {"borrow": "loanId", "repay": "repayId", "interest": "interestId"}[one]
    return {
        "time": row.time("cTime", needed=True), "updated": row.time("uTime"), f"{one}_id": row.key(id_field),
        "account": account, "symbol": row.code("symbol"), **shape(row),
    }  # fmt: skip


def _ledger_entry(one: str, row: AnswerRow) -> Row:
    amount = row.number("amount")
    return {
        "time": row.time("ts", needed=True), "updated": None, f"{one}_id": row.key("id"), "account": "unified",
        "symbol": row.code("symbol"), "coin": row.code("coin", needed=True),
        "amount": None if amount is None else abs(amount),
        "word": row.text("type", needed=True),
    }  # fmt: skip


def _borrowed(row: AnswerRow) -> Row:
    amount = row.number("borrowAmount", "amount")
    return {"coin": row.code("coin", needed=True), "amount": amount, "word": row.word("borrowType")}


def _repaid(row: AnswerRow) -> Row:
    return {
        "coin": row.code("coin", needed=True), "amount": row.number("repayAmount"), "word": row.word("repayType"),
        "principal": row.number("repayPrincipal"), "interest": row.number("repayInterest"),
    }  # fmt: skip


def _accrued(row: AnswerRow) -> Row:
    return {
        "coin": row.code("interestCoin"), "amount": row.number("interestAmount"),
        "word": row.word("interstType"), "loan_coin": row.code("loanCoin"),
        "daily_rate": row.number("dailyInterestRate"),
    }  # fmt: skip


LOANS = _kind("loans", "margin loans", one="borrow", ledger_types=("BORROW",), shape=_borrowed)
REPAYMENTS = _kind(
    "repayments", "repayments of margin loans", one="repay", ledger_types=("REPAYMENT", "INTEREST_REPAYMENT"),
    shape=_repaid,
    also="""principal number coin; classic accounts only
    interest number coin; classic accounts only""",
)  # fmt: skip
INTEREST = _kind(
    "interest", "interest on margin loans", one="interest", ledger_types=("INTEREST_SETTLEMENT_OUT",), shape=_accrued,
    also="""loan_coin category coin that was borrowed; classic accounts only
    daily_rate number ratio a day; classic accounts only""",
)  # fmt: skip
