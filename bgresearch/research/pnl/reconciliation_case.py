"""Records and ledger lines matched with each other, and a report of what does not match. Pure."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from bgresearch.research.pnl.decimals import ZERO, plain, with_amounts
from bgresearch.research.pnl.ledger_order import Link, booked_in_order
from bgresearch.research.pnl.matching import Matched, matched, sort_of, time_tolerance_ms, wanted_of
from bgresearch.research.pnl.postings import LedgerLine, Posting

CAUSES = ("trading", "fees", "funding", "transfers", "deposits", "withdrawals", "other")
_LEDGER_ONLY = {"funding": "funding", "moved": "transfers"}  # causes of lines that need no record
_ROW = (
    "time", "bill_id", "account", "coin", "kind", "before", "change", "balance", "gap", "cause", "record", "record_id",
)  # fmt: skip
_PROBLEM = ("what", "time", "account", "coin", "record", "record_id", "bill_id", "told", "booked", "words")

Problem = dict[str, Any]
Book = tuple[str, str]


@dataclass
class Case:
    """The records and the ledger of an account, matched.

    Attributes
    ----------
    postings, lines : sequence
        The records' postings and the ledger's lines, without duplicates.
    found : Matched
        Which postings belong to which lines, and those without a match.
    links : dict
        The lines of each account and coin in their order, with the gaps between them.
    alone : set of int
        Lines that need no record.
    """

    postings: Sequence[Posting]
    lines: Sequence[LedgerLine]
    found: Matched
    links: dict[Book, list[Link]]
    alone: set[int]

    @classmethod
    def of(cls, postings: Sequence[Posting], lines: Sequence[LedgerLine], silent: set[str]) -> Case:
        """Match postings and lines; ``silent`` names sorts of lines for which records were not given."""
        long = {one.coin for one in postings if one.long} | {line.coin for line in lines if line.long}
        postings = [one if one.coin in long else one._replace(doubt=ZERO) for one in postings]
        lines = [line if line.coin in long else line._replace(doubt=ZERO) for line in lines]
        postings = _without_double_records(postings, lines)
        found = matched(postings, lines)
        outside = {place for place in found.postings if not postings[place].sure}
        if outside:
            postings = [one for place, one in enumerate(postings) if place not in outside]
            found = matched(postings, lines)
        recorded = {"trade", "funding", "moved"} - silent
        alone = {place for place in found.lines if sort_of(lines[place].kind) not in recorded}
        found.lines = [place for place in found.lines if place not in alone and lines[place].net]
        found.postings = [place for place in found.postings if postings[place].net]
        return cls(postings, lines, found, booked_in_order(lines), alone)


def misfits(case: Case) -> list[Problem]:
    """Return the mismatches, described in words; differences below the precision of floats count as matches."""
    problems: list[Problem] = []
    gaps = {link.place: link for links in case.links.values() for link in links if abs(link.gap) > link.doubt}
    problems += _other_fees(case)
    left = _Left(case)
    for place in list(case.found.postings):
        posting = case.postings[place]
        nearest = left.nearest(posting)
        if nearest is None:
            problems.append(_missing_line(posting))
            continue
        line = case.lines[nearest]
        left.taken.add(nearest)
        case.found.pairs[nearest] = (place,)
        if abs(posting.net - line.net) > posting.doubt + line.doubt:
            problems.append(_differs(posting, line, broken=nearest in gaps))
            gaps.pop(nearest, None)
    paired = {place for places in case.found.pairs.values() for place in places}
    case.found.postings = [place for place in case.found.postings if place not in paired]
    case.found.lines = [place for place in case.found.lines if place not in left.taken]
    problems += [_missing_record(case.lines[place]) for place in case.found.lines]
    return problems + _breaks(case, gaps)


def coin_table(case: Case) -> pd.DataFrame:
    """Return the opening, the changes by cause and the closing of each balance."""
    sums: defaultdict[Book, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    doubts: defaultdict[Book, Decimal] = defaultdict(lambda: ZERO)
    where = {at: place for place, places in case.found.pairs.items() for at in places}
    for at, posting in enumerate(case.postings):
        book = _book(case, posting, where.get(at))
        sums[book][posting.cause] += posting.amount
        sums[book]["fees"] -= posting.fee
        doubts[book] += posting.doubt
    for place in case.alone:
        line = case.lines[place]
        book = line.account, line.coin
        sums[book][_LEDGER_ONLY.get(sort_of(line.kind), "other")] += line.amount
        sums[book]["fees"] += line.net - line.amount
    rows = []
    for book in sorted({*case.links, *sums}):
        links = case.links.get(book, [])
        opening, closing = (links[0].before, links[-1].line.balance) if links else (ZERO, ZERO)
        left = closing - opening - sum(sums[book].values(), ZERO)
        unsure = doubts[book] + sum((link.line.doubt for link in links), ZERO)
        digits = left if abs(left) <= unsure else ZERO
        causes = {cause: sums[book][cause] or ZERO for cause in CAUSES}
        row: dict[str, Any] = {"account": book[0], "coin": book[1], "opening": opening} | causes
        rows.append(row | {"closing": closing, "unexplained": left - digits or ZERO, "digits": digits or ZERO})
    columns = ["account", "coin", "opening", *CAUSES, "closing", "unexplained", "digits"]
    return with_amounts(pd.DataFrame(rows, columns=columns))


def row_table(case: Case) -> pd.DataFrame:
    """Return every line in the order of booking, with its record."""
    rows = []
    for links in case.links.values():
        for link in links:
            line, postings = link.line, [case.postings[at] for at in case.found.pairs.get(link.place, ())]
            cause = postings[0].cause if postings else "unexplained"
            if link.place in case.alone:
                cause = _LEDGER_ONLY.get(sort_of(line.kind), "other")
            rows.append({
                "time": line.time_ms, "bill_id": line.bill_id, "account": line.account, "coin": line.coin,
                "kind": line.kind, "before": link.before, "change": line.net, "balance": line.balance, "gap": link.gap,
                "cause": cause, "record": postings[0].record if postings else "",
                "record_id": ", ".join(dict.fromkeys(posting.record_id for posting in postings)),
            })  # fmt: skip
    return _timed(pd.DataFrame(rows, columns=list(_ROW)))


def problem_table(problems: Iterable[Problem]) -> pd.DataFrame:
    """Return the mismatches as a table, by time."""
    return _timed(pd.DataFrame(list(problems), columns=list(_PROBLEM)).sort_values("time", ignore_index=True))


def doubled_line(line: LedgerLine) -> Problem:
    """Return the problem of a line that the ledger has twice."""
    known = _line(line) | {"what": "doubled line", "booked": line.net}
    return known | {"words": f"The ledger has {_named_line(line)} twice."}


def doubled_records(postings: Sequence[Posting]) -> list[Problem]:
    """Return the problems of records that were given twice."""
    first = {(one.record, one.record_id): one for one in reversed(postings)}
    return [
        _record(one) | {"what": f"doubled {one.record}", "words": f"{one.record} {one.record_id} is there twice."}
        for one in first.values()
    ]


def _without_double_records(postings: Sequence[Posting], lines: Sequence[LedgerLine]) -> list[Posting]:
    """Leave out transfers that are only lines of a unified ledger, where a deposit or withdrawal matches the line."""
    booked = {line.bill_id: place for place, line in enumerate(lines)}
    doubtful = {at for at, one in enumerate(postings) if one.record == "transfer" and one.record_id in booked}
    if not doubtful:
        return list(postings)
    others = [one for at, one in enumerate(postings) if at not in doubtful]
    taken = matched(others, lines).pairs
    return [one for at, one in enumerate(postings) if at not in doubtful or booked[one.record_id] not in taken]


def _other_fees(case: Case) -> list[Problem]:
    """Return records with another fee than their line, though amount less fee is the same."""
    problems = []
    times = Counter(at for places in case.found.pairs.values() for at in places)
    for place, places in case.found.pairs.items():
        posting, line = case.postings[places[0]], case.lines[place]
        alone = len(places) == 1 == times[places[0]]
        if alone and line.fee and abs(posting.fee - line.fee) > posting.doubt + line.doubt:
            known = _record(posting) | _line(line) | {"what": "changed record", "told": posting.fee, "booked": line.fee}
            both = f"{posting.record} {posting.record_id} and {_named_line(line)}"
            same = f"{both} are {plain(posting.net)} {posting.coin} each"
            words = f"{same}, but the fee is {plain(posting.fee)} in the record and {plain(line.fee)} in the line."
            problems.append(known | {"words": words})
    return problems


class _Left:
    """Finds, among the lines without a match, the one that may belong to a posting although its amount differs."""

    def __init__(self, case: Case) -> None:
        self.taken: set[int] = set()
        self._lines = case.lines
        self._by_sort: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        for place in case.found.lines:
            line = case.lines[place]
            self._by_sort[line.coin, sort_of(line.kind)].append((line.time_ms, place))
        for rows in self._by_sort.values():
            rows.sort()

    def nearest(self, posting: Posting) -> int | None:
        """Return the nearest in time, then in amount."""
        rows, tolerance_ms = self._by_sort.get((posting.coin, wanted_of(posting)), []), time_tolerance_ms(posting)
        start = bisect.bisect_left(rows, (posting.time_ms - tolerance_ms, -1))
        best: tuple[int, bool, Decimal, int] | None = None
        for time_ms, place in rows[start:]:
            if time_ms > posting.time_ms + tolerance_ms:
                break
            line = self._lines[place]
            if place not in self.taken and _may_be(line, posting):
                away = abs(time_ms - posting.time_ms)
                fit = (away, not _same_way(line, posting), abs(line.net - posting.net), place)
                best = fit if best is None else min(best, fit)
        return None if best is None else best[-1]


def _may_be(line: LedgerLine, posting: Posting) -> bool:
    if posting.accounts and line.account not in posting.accounts:
        return False
    if line.symbol and posting.symbol and line.symbol != posting.symbol:
        return False
    return _same_way(line, posting) or line.time_ms == posting.time_ms


def _same_way(line: LedgerLine, posting: Posting) -> bool:
    return (line.net > 0) == (posting.net > 0)


def _breaks(case: Case, gaps: dict[int, Link]) -> list[Problem]:
    """Return gaps between balances that no other problem explains."""
    missing: defaultdict[Book, list[Posting]] = defaultdict(list)
    for place in case.found.postings:
        missing[_book(case, case.postings[place], None)].append(case.postings[place])
    problems = []
    for book, links in case.links.items():
        for at, link in enumerate(links):
            if link.place not in gaps:
                continue
            after = links[at + 1] if at + 1 < len(links) else None
            lost = [one for one in missing[book] if one.time_ms <= link.line.time_ms]
            if lost and sum((one.net for one in lost), ZERO) == link.gap:
                missing[book] = [one for one in missing[book] if one not in lost]
                continue
            alone = after is not None and after.place in gaps and after.gap == -link.gap
            if alone and after is not None:
                gaps.pop(after.place)
            problems.append(_broken(link, links[at - 1].line, wrong=alone))
            gaps.pop(link.place)
    return problems


def _broken(link: Link, before: LedgerLine, *, wrong: bool) -> Problem:
    should = link.before + link.line.net
    known = _line(link.line) | {"told": should, "booked": link.line.balance}
    if wrong:
        words = (
            f"The balance after {_named_line(link.line)} is {plain(link.line.balance)}, and should be {plain(should)}."
        )
        return known | {"what": "changed balance", "words": words}
    between = f"Between {_named_line(before)} and {_named_line(link.line)}"
    words = f"{between} the balance changes by {plain(link.gap)} for which there is no line."
    return known | {"what": "missing line", "words": words}


def _missing_line(posting: Posting) -> Problem:
    words = f"{posting.record} {posting.record_id} ({plain(posting.net)} {posting.coin}) is not in the ledger."
    return _record(posting) | {"what": "missing line", "words": words}


def _missing_record(line: LedgerLine) -> Problem:
    words = f"{_named_line(line)} is {plain(line.net)} {line.coin}, and has no record."
    return _line(line) | {"what": "missing record", "booked": line.net, "words": words}


def _differs(posting: Posting, line: LedgerLine, *, broken: bool) -> Problem:
    wrong = "the line does not fit its balance" if broken else "the line fits its balance"
    words = f"{_named_posting(posting)}, but {_named_line(line)} is {plain(line.net)}; {wrong}."
    what = "changed line" if broken else "changed record"
    return _record(posting) | _line(line) | {"what": what, "booked": line.net, "words": words}


def _record(posting: Posting) -> Problem:
    account = posting.accounts[0] if posting.accounts else ""
    return {
        "time": posting.time_ms, "account": account, "coin": posting.coin, "record": posting.record,
        "record_id": posting.record_id, "told": posting.net,
    }  # fmt: skip


def _line(line: LedgerLine) -> Problem:
    return {"time": line.time_ms, "account": line.account, "coin": line.coin, "bill_id": line.bill_id}


def _named_posting(posting: Posting) -> str:
    return f"{posting.record} {posting.record_id} is {plain(posting.net)} {posting.coin}"


def _named_line(line: LedgerLine) -> str:
    return f"line {line.bill_id} ({line.account}, {line.kind})"


def _book(case: Case, posting: Posting, place: int | None) -> Book:
    """Return which balance a posting changes: that of its line, else that of its account."""
    if place is not None:
        return case.lines[place].account, case.lines[place].coin
    if posting.accounts:
        return posting.accounts[0], posting.coin
    return next((book for book in case.links if book[1] == posting.coin), ("", posting.coin))


def _timed(frame: pd.DataFrame) -> pd.DataFrame:
    frame["time"] = pd.to_datetime(frame["time"].astype("int64"), unit="ms", utc=True).dt.as_unit("ms")
    return with_amounts(frame)
