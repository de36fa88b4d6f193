"""Which record each line of a ledger comes from. Pure.

Lines name no record, so they are matched by account, coin, sort of cause and amount, and among equals by time. The
rest is matched as sums of what was booked together, since one record may be several lines and one line several
records. Nothing is matched twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bgresearch.core.intervals import DAY_MS, MINUTE_MS
from bgresearch.research.pnl.decimals import ZERO
from bgresearch.research.pnl.postings import LedgerLine, Posting

NEAR_MS = MINUTE_MS  # between a trade and its line
TOGETHER_MS = 1000  # between the parts of what is booked in several lines
FAR_MS = 7 * DAY_MS  # between requesting a withdrawal, or sending a deposit, and its line

_SORTS = {"trading": "trade", "fees": "trade", "funding": "funding"}  # of a record; the others move coins
_MOVED = ("transfer_in", "transfer_out")
_TRADED = ("trade", "fee", "liquidation", "delivery")


@dataclass
class Matched:
    """Postings and lines that belong together.

    Attributes
    ----------
    pairs : dict of int to tuple of int
        Place of a line to the places of its postings.
    postings, lines : list of int
        Places of those without a match.
    """

    pairs: dict[int, tuple[int, ...]] = field(default_factory=dict)
    postings: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def sort_of(kind: str) -> str:
    """Return the sort of record that a line can come from: trade, funding, moved; or its own kind if from none."""
    if kind in _MOVED:
        return "moved"
    return "trade" if kind in _TRADED or kind.startswith(("open_", "close_")) else kind


def own_moves(lines: Sequence[LedgerLine]) -> set[int]:
    """Return the places of lines that are the two ends of one transfer: out of one account and soon into another."""
    waiting: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    both: set[int] = set()
    moved = (place for place, line in enumerate(lines) if line.net and sort_of(line.kind) == "moved")
    for place in sorted(moved, key=lambda place: lines[place].time_ms):
        line = lines[place]
        ends = waiting[line.coin, -line.net]
        since = line.time_ms - NEAR_MS
        other = next((at for at in ends if lines[at].account != line.account and lines[at].time_ms >= since), None)
        if other is None:
            waiting[line.coin, line.net].append(place)
        else:
            ends.remove(other)
            both |= {place, other}
    return both


def matched(postings: Sequence[Posting], lines: Sequence[LedgerLine]) -> Matched:
    """Return which lines belong to which postings.

    Parameters
    ----------
    postings : sequence of Posting
        The changes of balances that records imply.
    lines : sequence of LedgerLine
        The ledger.
    """
    found = Matched(postings=list(range(len(postings))), lines=list(range(len(lines))))
    for timed in (True, False):
        _one_to_one(found, postings, lines, timed=timed)
    for gap_ms in (0, TOGETHER_MS):
        _in_sums(found, postings, lines, gap_ms)
    return found


def _one_to_one(found: Matched, postings: Sequence[Posting], lines: Sequence[LedgerLine], *, timed: bool) -> None:
    """Match equal amounts: those of the same instant, or the nearest ones."""
    waiting: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for place in found.lines:
        line = lines[place]
        for account in (line.account, ""):
            waiting[account, line.coin, sort_of(line.kind), line.net, line.time_ms if timed else 0].append(place)
    taken: set[int] = set()
    done: set[int] = set()
    for place in found.postings:
        best = _nearest(postings[place], lines, _candidates(postings[place], waiting, timed=timed), taken)
        if best is not None:
            taken.add(best)
            done.add(place)
            found.pairs[best] = (place,)
    found.postings = [place for place in found.postings if place not in done]
    found.lines = [place for place in found.lines if place not in taken]


def _candidates(posting: Posting, waiting: dict[tuple[object, ...], list[int]], *, timed: bool) -> Iterator[int]:
    when = posting.time_ms if timed else 0
    for account in posting.accounts or ("",):
        yield from waiting.get((account, posting.coin, wanted_of(posting), posting.net, when), ())


def _nearest(posting: Posting, lines: Sequence[LedgerLine], places: Iterable[int], taken: set[int]) -> int | None:
    best: tuple[int, int] | None = None
    for place in places:
        line = lines[place]
        if place in taken or (line.symbol and posting.symbol and line.symbol != posting.symbol):
            continue
        away = abs(posting.time_ms - line.time_ms)
        if away <= time_tolerance_ms(posting) and (best is None or (away, place) < best):
            best = (away, place)
    return None if best is None else best[1]


def wanted_of(posting: Posting) -> str:
    """Return the sort of line that a posting is booked as."""
    return _SORTS.get(posting.cause, "moved")


def time_tolerance_ms(posting: Posting) -> int:
    """Return how far apart in time a posting and its line may be."""
    return FAR_MS if posting.cause in ("deposits", "withdrawals") else NEAR_MS


def _in_sums(found: Matched, postings: Sequence[Posting], lines: Sequence[LedgerLine], gap_ms: int) -> None:
    """Match the rest as sums of rows that follow each other closely, in one account, coin and sort."""
    left: defaultdict[tuple[str, str, str], list[tuple[int, bool, int]]] = defaultdict(list)
    for place in found.postings:
        one = postings[place]
        if len(one.accounts) == 1:
            left[one.accounts[0], one.coin, wanted_of(one)].append((one.time_ms, False, place))
    for place in found.lines:
        line = lines[place]
        left[line.account, line.coin, sort_of(line.kind)].append((line.time_ms, True, place))
    done: set[int] = set()
    for rows in left.values():
        for cluster in _clusters(sorted(rows), gap_ms):
            posted = [place for _, is_line, place in cluster if not is_line]
            booked = [place for _, is_line, place in cluster if is_line]
            changed = sum((lines[place].net for place in booked), ZERO)
            parts = len(posted) != len(booked)  # equal numbers would have been matched one by one
            if posted and booked and parts and sum((postings[place].net for place in posted), ZERO) == changed:
                done.update(posted)
                found.pairs.update(dict.fromkeys(booked, tuple(posted)))
    found.postings = [place for place in found.postings if place not in done]
    found.lines = [place for place in found.lines if place not in found.pairs]


def _clusters(rows: Sequence[tuple[int, bool, int]], gap_ms: int) -> Iterator[list[tuple[int, bool, int]]]:
    """Yield rows in runs that are no farther apart than the gap."""
    run: list[tuple[int, bool, int]] = []
    for row in rows:
        if run and row[0] - run[-1][0] > gap_ms:
            yield run
            run = []
        run.append(row)
    if run:
        yield run
