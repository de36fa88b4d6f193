"""An account's records against its ledger, to the last digit: every mismatch is reported, row by row. Pure.

For each account and coin: opening + the changes that the records imply = closing, and each line's balance is the one
before plus the line's change. Opening is the first line's balance less its own change; nothing before it is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

import pandas as pd

from bgresearch.core.spans import Span
from bgresearch.research.pnl.decimals import ZERO, exactly, plain
from bgresearch.research.pnl.postings import (
    Fees,
    LedgerLine,
    Posting,
    fill_postings,
    funding_postings,
    lines_of,
    movement_postings,
    pairs_of,
    transfer_postings,
)  # fmt: skip
from bgresearch.research.pnl.reconciliation_case import (
    Case,
    coin_table,
    doubled_line,
    doubled_records,
    misfits,
    problem_table,
    row_table,
)

_Row = TypeVar("_Row", bound=LedgerLine | Posting)
_MOST_SHOWN = 8


@dataclass(frozen=True, repr=False)
class Reconciliation:
    """The result of comparing an account's records with its ledger.

    Attributes
    ----------
    coins : DataFrame
        One row per account and coin, amounts as decimals in the coin: account, coin, opening, trading, fees, funding,
        transfers, deposits, withdrawals, other, closing, unexplained, digits. ``unexplained`` is closing less opening
        less all causes; ``digits`` is the part beyond the precision of floats, 0 unless amounts have over 15 digits.
    rows : DataFrame
        One row per line of the ledger in the order of booking: time (UTC), bill_id, account, coin, kind, before,
        change, balance, gap (0 where balance = before + change), cause, record and record_id (of its record).
    problems : DataFrame
        One row per mismatch: what, time, account, coin, record, record_id, bill_id, told (the record's amount), booked
        (the ledger's amount), words.
    """

    coins: pd.DataFrame
    rows: pd.DataFrame
    problems: pd.DataFrame

    @property
    def ok(self) -> bool:
        """Whether every line is explained, every record booked, and nothing is left over."""
        return self.problems.empty and not self.unexplained

    @property
    def unexplained(self) -> dict[tuple[str, str], Decimal]:
        """What is left over, by account and coin; empty if nothing is."""
        left = zip(self.coins["account"], self.coins["coin"], self.coins["unexplained"], strict=True)
        return {(account, coin): amount for account, coin, amount in left if amount}

    def __repr__(self) -> str:
        head = f"{_counted(len(self.rows), 'line')} of the ledger in {_counted(len(self.coins), 'balance')}: "
        if self.ok:
            short = ", but for digits that floats are too short for" if any(self.coins["digits"]) else ""
            return f"{head}all explained, difference 0{short}."
        left = [f"{plain(amount)} {coin} in {account}" for (account, coin), amount in self.unexplained.items()]
        parts = [_counted(len(self.problems), "problem"), f"unexplained {', '.join(left) or 'nothing'}"]
        shown = [str(words) for words in self.problems["words"].head(_MOST_SHOWN)]
        more = len(self.problems) - len(shown)
        return "\n".join([f"{head}{'; '.join(parts)}.", *shown, *([f"... and {more} more."] if more else [])])


@exactly
def reconcile(
    fills: pd.DataFrame, bills: pd.DataFrame, *, funding: pd.DataFrame | None = None,
    transfers: pd.DataFrame | None = None, deposits: pd.DataFrame | None = None,
    withdrawals: pd.DataFrame | None = None, symbols: pd.DataFrame | None = None, fees: Fees = "beside",
    span: Span | None = None,
) -> Reconciliation:  # fmt: skip
    """Compare an account's records with its ledger.

    Parameters
    ----------
    fills, bills : DataFrame
        What ``client.account.fills(start, end, market=None)`` and ``client.account.bills(start, end)`` returned: of the
        same span, of all markets and all books.
    funding : DataFrame, optional
        Fundings from another source than the ledger: time, market, symbol, coin, amount (positive is received). The
        exchange has them nowhere else; without it the ledger's own lines count.
    transfers, deposits, withdrawals : DataFrame, optional
        What the verbs of these names returned. Where one is left out, the ledger's own lines count.
    symbols : DataFrame, optional
        What ``client.symbols()`` returned: which coins a symbol is made of. By default derived from its name.
    fees : "beside" or "within"
        Whether a balance changes by amount less fee (which is how the ledger is read by default), or by amount alone.
    span : Span, optional
        That of the ledger. Deposits and withdrawals from before it may be given then, as they may have been booked in
        it; what may have been booked outside it is no problem.

    Returns
    -------
    Reconciliation
        ``.ok``, ``.coins``, ``.rows``, ``.problems``; as text a sentence, and one more for each problem.

    Raises
    ------
    InvalidInput
        An amount is no finite number, or the coins of a symbol are not known.

    Notes
    -----
    Sends and stores nothing. What only the ledger has (rewards, interest, conversions) is in ``other``. A difference
    below the precision of float64, possible only for more than 15 digits, is no problem; it is in ``digits``.

    Examples
    --------
    >>> month = client.now - pd.Timedelta(days=30)                        # doctest: +SKIP
    >>> client.statement(month).reconciled.ok                             # doctest: +SKIP
    True
    """
    lines, doubled = _once(lines_of(bills, fees=fees), lambda line: (line.account, line.bill_id))
    lines, repeated = _once(lines, _content)
    unified = any(line.account == "unified" for line in lines)
    given = [*fill_postings(fills, pairs_of(fills, symbols), unified=unified)]
    given += funding_postings(funding, unified=unified) if funding is not None else ()
    for name, moved in (("deposit", deposits), ("withdrawal", withdrawals)):
        given += movement_postings(name, moved, unified=unified, span=span) if moved is not None else ()
    given += transfer_postings(transfers) if transfers is not None else ()
    postings, again = _once(given, lambda one: one._replace(amount=ZERO, fee=ZERO, time_ms=0, doubt=ZERO, long=False))
    silent = {"funding"} if funding is None else set()
    silent |= {"moved"} if any(moved is None for moved in (transfers, deposits, withdrawals)) else set()
    case = Case.of(postings, lines, silent)
    named = [doubled_line(line) for line in (*doubled, *repeated)] + doubled_records(again) + misfits(case)
    return Reconciliation(coin_table(case), row_table(case), problem_table(named))


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _once(rows: Iterable[_Row], key: Callable[[_Row], Hashable | None]) -> tuple[list[_Row], list[_Row]]:
    """Return rows with different keys, and duplicates of them; a row without a key has no duplicate."""
    seen: set[Hashable] = set()
    first: list[_Row] = []
    again: list[_Row] = []
    for row in rows:
        named = key(row)
        (again if named is not None and named in seen else first).append(row)
        seen.add(named)
    return first, again


def _content(line: LedgerLine) -> Hashable | None:
    """Return what identifies a line: a change cannot lead to the same balance twice at one instant."""
    return line._replace(bill_id="") if line.net else None
