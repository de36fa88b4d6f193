"""One page of candles, asked until every candle has come or its absence is believed. Touches no file.

An answer that is empty, short or odd is asked again, smaller and by the other roads, before a gap is believed. What
one page learns, the others know: which roads are closed, how far back candles were seen, when the symbol was listed.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from bgresearch.asking import Asker
from bgresearch.catalogue import load
from bgresearch.checks import BELIEVED, Checked, weight
from bgresearch.clock import Clock
from bgresearch.errors import (
    AddressRejected,
    AuthenticationError,
    BadResponse,
    BgresearchError,
    ExchangeError,
    ExchangeUnavailable,
    NetworkError,
    PermissionDenied,
    RateLimited,
)
from bgresearch.intervals import DAY_MS
from bgresearch.listing import Life, agrees, find_life
from bgresearch.planning import Page, Route, Subject
from bgresearch.reaches import Reaches
from bgresearch.spans import Span, subtract, union
from bgresearch.store.ledger import Cause
from bgresearch.store.partition import within

_TURNS = 30  # rounds of questions about one page before it is given up
_SMALLER = {2: 1, 4: 2, 6: 3}  # in these rounds less is asked for at a time: answers of 700 were seen empty, 600 not
_OWN = 3  # blank answers that an absence needs of its own, however many others speak for it
_TOLD_MS = 7 * DAY_MS  # the exchange tells of a maintenance while it lasts: of older absences it says nothing
_PATIENCE = 3  # questions in a row that an endpoint may leave without an answer before it is asked no more
_NEVER_MS = 2**53
_LEAST_IN_FLIGHT, _FIRST_IN_FLIGHT, _MOST_IN_FLIGHT = 4, 8, 40  # requests of one endpoint at a time
_SLACK = 8  # slots come free in bursts of a whole window; with few in flight, bursts are spread out more and more


class Failure(NamedTuple):
    """A span that could not be fetched, and why."""

    span: Span
    error: BgresearchError | None
    words: str


@dataclass
class Fetched:
    """What became of one page: its rows, where the exchange has none, what failed, who answered, where it is kept."""

    page: Page
    tables: list[pa.Table] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    roads: set[str] = field(default_factory=set)
    blanks: list[tuple[str, Span]] = field(default_factory=list)
    kept: Path | None = None


class _Hole(NamedTuple):
    """A span that is absent so far, and how much speaks for that."""

    span: Span
    evidence: int = 0


class _Doubt(NamedTuple):
    error: BgresearchError | None
    words: str


class Fetcher:
    """Fetches pages of one series; safe to share between threads.

    Parameters
    ----------
    asker : Asker
        Who asks the exchange.
    clock : Clock
        What time it is.
    what : Subject
        Which candles.
    start_ms : int
        Where the first page begins; the listing is searched from there on.
    reaches : Reaches, optional
        Told how far back roads answer.
    stranger : callable, optional
        Asked once if nothing at all is found: returns an error if the exchange does not know the symbol.
    maintained : callable, optional
        Asked once if something recent is absent: returns when the maintenance began that the exchange tells of.

    Attributes
    ----------
    reaches : Reaches
        How far back roads answer.
    life : Life or None
        Between which days there are candles, once that had to be found out.
    unknown : BgresearchError or None
        Set once the exchange turned out not to know the symbol.
    """

    def __init__(
        self, asker: Asker, clock: Clock, what: Subject, start_ms: int,
        *, stranger: Callable[[], BgresearchError | None] = lambda: None, reaches: Reaches | None = None,
        maintained: Callable[[], int | None] = lambda: None,
    ) -> None:  # fmt: skip
        self.life: Life | None = None
        self.unknown: BgresearchError | None = None
        self._asker, self._clock, self._what, self._start_ms = asker, clock, what, start_ms
        self._stranger, self._maintained, self._grid = stranger, cache(maintained), what.grid
        self.reaches = reaches or Reaches()
        self._surveying, self._stop, self._surveys = threading.Lock(), threading.Event(), 0
        self._refused: dict[str, ExchangeError] = {}
        self._lost: defaultdict[str, list[BgresearchError]] = defaultdict(list)
        self._nothing_before: list[int] = []
        self._oldest_ms, self._newest_ms = _NEVER_MS, -_NEVER_MS

    def in_flight(self, endpoint: str) -> int:
        """Return how many requests of an endpoint saturate its limit: rate times length of a trip (Little's law)."""
        limit, trip_s = load()[endpoint].limit, self._asker.trip_s.get(endpoint)
        if trip_s is None:
            return _FIRST_IN_FLIGHT
        return max(_LEAST_IN_FLIGHT, min(_MOST_IN_FLIGHT, math.ceil(limit.count / limit.seconds * trip_s * _SLACK)))

    def stop(self) -> None:
        """Ask nothing more; pages on their way end as failed."""
        self._stop.set()

    def fetch(self, page: Page) -> Fetched:
        """Return what became of one page, asked by its first road, then by whatever confirms or fills what is absent.

        Raises
        ------
        ExchangeError
            If the exchange refuses the question itself, or the key.
        """
        result = Fetched(page)
        holes = [_Hole(page.span)]
        doubt = _Doubt(None, "the download was stopped")
        for turn in range(_TURNS):
            if turn:
                with self._surveying:  # what another page is finding out may spare this one the next question
                    pass
            holes = self._cut_to_life(holes, result)
            roads = [road for road in page.routes if self._is_open(road)]
            if all(self._believed(hole) for hole in holes) or not roads or self._stop.is_set():
                break
            holes, found = self._turn(roads[turn % len(roads)], holes, turn, result)
            doubt = found or doubt
            if turn and union(hole.span for hole in holes) == (page.span,) and not found:
                self._survey()
        believed = union(hole.span for hole in holes if self._believed(hole))
        result.gaps += believed
        failed = subtract([hole.span for hole in holes], believed)
        result.failed += [Failure(span, *self._reason(page, doubt)) for span in failed]
        self._learn(result)
        return result

    def _learn(self, result: Fetched) -> None:
        """Note which roads were blank where others had rows."""
        now_ms = self._clock.now_ms()
        for endpoint, span in result.blanks:
            opens = [within(table, "open_time", span) for table in result.tables]
            newest = max((table.column("open_time")[-1].value for table in opens if table.num_rows), default=None)
            if newest is not None:
                self.reaches.missed(endpoint, self._what.interval.name, now_ms - newest, now_ms)

    def may_explore(self, endpoint: str) -> bool:
        """Return whether a road may be asked for more than it is known to answer."""
        open_road = endpoint not in self._refused and len(self._lost[endpoint]) < _PATIENCE
        return open_road and self.reaches.may_reach_further(
            endpoint, self._what.interval.name, self._clock.now_ms()
        )  # fmt: skip

    def cause(self, hole: Span) -> Cause:
        """Return why there is nothing; ask when all pages of a partition have come."""
        cause = self._cause(hole)
        return "maintenance" if cause != "before listing" and self._in_maintenance(hole) else cause

    def _in_maintenance(self, hole: Span) -> bool:
        """Return whether the exchange says that a maintenance began where candles end."""
        if hole.end_ms < self._clock.now_ms() - _TOLD_MS or self._stop.is_set():
            return False
        began_ms = self._maintained()
        return began_ms is not None and hole.start_ms - self._what.interval.nominal_ms < began_ms < hole.end_ms

    def _cause(self, hole: Span) -> Cause:
        if self.life is None or self.life.never:
            between = self._oldest_ms < hole.start_ms and hole.end_ms <= self._newest_ms
            return "exchange has none" if between else "unknown"
        alive = self.life.span(self._grid)
        on_the_day = hole.start_ms < self.life.first_ms + DAY_MS and hole.end_ms <= self._oldest_ms
        if hole.start_ms <= alive.start_ms or on_the_day:
            return "before listing"
        return "delisted" if hole.end_ms >= alive.end_ms else "exchange has none"

    def life_span(self) -> Span | None:
        """Return the life, rounded outwards to where candles open, if it is known."""
        return self.life.span(self._grid) if self.life else None

    def _turn(self, road: Route, holes: list[_Hole], turn: int, result: Fetched) -> tuple[list[_Hole], _Doubt | None]:
        """Ask one road about the holes; return what is still absent, with what speaks for it, and a doubt if any."""
        left = [hole for hole in holes if self._believed(hole)]
        asked = [hole for hole in holes if not self._believed(hole)]
        rows = max(1, min(road.rows, result.page.rows) >> _SMALLER.get(turn, 0))
        doubt: _Doubt | None = None
        for piece in self._grid.cut(Span(asked[0].span.start_ms, asked[-1].span.end_ms), rows):
            parts = [_Hole(part, hole.evidence) for hole in asked if (part := hole.span.intersect(piece))]
            if not parts:
                continue
            tight = Span(parts[0].span.start_ms, parts[-1].span.end_ms)
            checked = self._asked(road, tight, 1 + turn, result) if self._is_open(road) else doubt
            if isinstance(checked, Checked):
                absent = _still_absent(parts, checked, obeys_start=road.starts)
                shown = road.shows_absence(tight, self._clock.now_ms())
                left += absent if shown else [_before(hole, parts) for hole in absent]
            else:
                left, doubt = left + parts, checked or doubt
        return sorted(left), doubt

    def _asked(self, road: Route, span: Span, beside: int, result: Fetched) -> Checked | _Doubt:
        """Ask one road about one span; a road that keeps failing or does not know the question is left."""
        lost = self._lost[road.endpoint]
        try:
            checked = self._asker.ask(road, span, self._grid, beside)
        except (AuthenticationError, PermissionDenied, AddressRejected):
            raise
        except BadResponse as error:
            return _Doubt(error, str(error))
        except (NetworkError, RateLimited, ExchangeUnavailable) as error:
            lost.append(error)
            return _Doubt(error, str(error))
        except ExchangeError as error:
            self._refused.setdefault(road.endpoint, error)
            return _Doubt(error, str(error))
        if checked.fault:
            return _Doubt(None, checked.fault)
        lost.clear()
        self._accept(checked, road, span, result)
        return checked

    def _is_open(self, road: Route) -> bool:
        return road.endpoint not in self._refused and len(self._lost[road.endpoint]) < _PATIENCE

    def _reason(self, page: Page, doubt: _Doubt) -> _Doubt:
        """Return why a page failed; raise where its first road refuses the question and no other one answers."""
        first = page.routes[0].endpoint
        if self._stop.is_set() or any(self._is_open(road) for road in page.routes):
            return doubt
        if first in self._refused and all(road.endpoint in self._refused for road in page.routes):
            raise self._refused[first]
        lost = next((self._lost[road.endpoint] for road in page.routes if self._lost[road.endpoint]), [])
        return _Doubt(lost[0], str(lost[0])) if lost else doubt

    def _accept(self, checked: Checked, road: Route, span: Span, result: Fetched) -> None:
        result.roads.add(road.endpoint)
        if checked.seen is None:
            if not road.starts and road.shows_absence(span, self._clock.now_ms()):
                self._nothing_before.append(span.end_ms)
            result.blanks.append((road.endpoint, span))
            return
        self.reaches.saw(road.endpoint, self._what.interval.name, self._clock.now_ms() - checked.seen.start_ms)
        self._oldest_ms = min(self._oldest_ms, checked.seen.start_ms)
        self._newest_ms = max(self._newest_ms, checked.seen.end_ms)
        if checked.table.num_rows:
            result.tables.append(checked.table)
            self._grid = self._grid.learned(checked.table.column("open_time")[0].value)

    def _believed(self, hole: _Hole) -> bool:
        """Return whether enough speaks for an absence.

        A blank answer of a road that goes by its end alone speaks for everything older, as long as nothing older came.
        """
        if hole.evidence >= BELIEVED or hole.evidence < _OWN:
            return hole.evidence >= BELIEVED
        blank = sum(hole.span.end_ms <= end <= self._oldest_ms for end in self._nothing_before)
        return blank >= BELIEVED

    def _survey(self) -> None:
        """Find out between which days there are candles at all, once a whole page was empty."""
        with self._surveying:
            if self.life is not None or self._surveys >= _PATIENCE:
                return
            self._surveys += 1
            try:
                life = find_life(self._what, self._start_ms, self._asker.ask, self._clock.now_ms())
                self.life = None if life.never else self._true(life)
            except ExchangeError as error:
                if isinstance(error, RateLimited | ExchangeUnavailable):
                    return
                self._surveys = _PATIENCE  # there are no daily candles here: the pages themselves will tell
            except NetworkError:
                return  # the same, only more slowly
            if self.life is None and self._oldest_ms == _NEVER_MS:
                self.unknown = self._stranger()

    def _true(self, life: Life) -> Life | None:
        """Return the life if the asked candles agree with it; on the day of the listing there need be no daily one."""
        earlier = replace(life, first_ms=max(life.looked.start_ms, life.first_ms - DAY_MS))
        return next((one for one in (life, earlier) if agrees(one, self._what, self._grid, self._asker.ask)), None)

    def _cut_to_life(self, holes: list[_Hole], result: Fetched) -> list[_Hole]:
        if self.unknown is not None:
            raise self.unknown
        if self.life is None:
            return holes
        alive = self.life.span(self._grid)
        looked = [part for hole in holes if (part := hole.span.intersect(self.life.looked))]
        outside = subtract(looked, [alive])
        result.gaps += outside
        return [_Hole(part, hole.evidence) for hole in holes for part in subtract([hole.span], outside)]


def _before(hole: _Hole, parts: list[_Hole]) -> _Hole:
    """Return what is left of a part with no more to speak for its absence than before."""
    return next(hole._replace(evidence=part.evidence) for part in parts if part.span.intersect(hole.span))


def _still_absent(parts: list[_Hole], checked: Checked, *, obeys_start: bool) -> list[_Hole]:
    """Return what of the parts an answer left absent, with what it adds to the evidence."""
    absent = [(part, run) for part in parts for whole in checked.absent if (run := whole.intersect(part.span))]
    return [_Hole(run, part.evidence + weight(checked, run, obeys_start=obeys_start)) for part, run in absent]
