"""The order in which a ledger's lines were booked: each balance is the one before plus the line's change. Pure.

The exchange returns lines of one instant in no certain order: among them, the one that fits the balance so far is next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from bgresearch.research.pnl.decimals import ZERO
from bgresearch.research.pnl.postings import LedgerLine


class Link(NamedTuple):
    """One line in the order of booking.

    Attributes
    ----------
    place : int
        Of the line among all.
    line : LedgerLine
        The line.
    before : Decimal
        The balance before it: that of the line before, or of the first line its balance less its change.
    gap : Decimal
        Its balance less what it should be; normally 0.
    doubt : Decimal
        How large a gap can be for lack of digits in floats.
    """

    place: int
    line: LedgerLine
    before: Decimal
    gap: Decimal
    doubt: Decimal


def booked_in_order(lines: Sequence[LedgerLine]) -> dict[tuple[str, str], list[Link]]:
    """Return the lines of each account and coin in the order in which they were booked."""
    books: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place, line in enumerate(lines):
        books[line.account, line.coin].append(place)
    return {book: _linked(lines, places) for book, places in sorted(books.items())}


def _linked(lines: Sequence[LedgerLine], places: Sequence[int]) -> list[Link]:
    ordered = sorted(places, key=lambda at: (lines[at].time_ms, _number(lines[at].bill_id), lines[at].bill_id))
    links: list[Link] = []
    for _, group in groupby(ordered, key=lambda at: lines[at].time_ms):
        waiting = list(group)
        while waiting:
            before = links[-1].line.balance if links else None
            place = waiting.pop(_next([lines[at] for at in waiting], before))
            line = lines[place]
            so_far = line.balance - line.net if before is None else before
            unsure = line.doubt + (links[-1].line.doubt if links else ZERO)
            links.append(Link(place, line, so_far, line.balance - so_far - line.net, unsure))
    return links


def _next(waiting: Sequence[LedgerLine], before: Decimal | None) -> int:
    """Return which line is next: the first one that fits; at the very start, one that follows no other."""
    if before is None:
        after = [line.balance for line in waiting]
        fits = [line.balance - line.net not in after[:at] + after[at + 1 :] for at, line in enumerate(waiting)]
    else:
        fits = [before + line.net == line.balance for line in waiting]
    return fits.index(True) if True in fits else 0


def _number(bill_id: str) -> int:
    return int(bill_id) if bill_id.isdigit() else 0
