"""One page of candles, asked until every candle has come or its absence is believed. Touches no file.

An answer that is empty, short or odd is asked again, smaller and by the other roads, before a gap is believed. What
one page learns, the others know: which roads are closed, how far back candles were seen, when the symbol was listed.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from bgresearch.core.clock import Clock
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import Span, subtract, union
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
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.market.candles.listing_dates import Lives, agreeing, find_lives
from bgresearch.market.candles.longer_candles import Hole, Outline
from bgresearch.market.candles.lookback import Lookbacks
from bgresearch.market.candles.page_request import PageRequester
from bgresearch.market.candles.plan import CandleSeries, Page, Route
from bgresearch.store.candle_checks import BELIEVED, Checked, weight
from bgresearch.store.coverage import Cause
from bgresearch.store.parquet_file import within

_TURNS = 30  # rounds of questions about one page before it is given up
_SMALLER = {2: 1, 4: 2, 6: 3}  # in these rounds less is asked for at a time: answers of 700 were seen empty, 600 not
_SMALL = 100  # the smallest page of any route: no less than that is asked for at a time, as far as there is so much
_AGREED = 3  # answers with the same odd candle, and at least one of every open road, until it is taken as it is
_OWN = 3  # blank answers that an absence needs of its own, and of a route that shows nothing else about it
_TOLD_MS = 7 * DAY_MS  # the exchange tells of a maintenance while it lasts: of older absences it says nothing
_ROUTES = 2  # that have to answer about an absence, if so many reach that far
_PATIENCE = 3  # questions in a row that an endpoint may leave without an answer before it is asked no more
_NEVER_MS = 2**53


class Failure(NamedTuple):
    """A span that could not be fetched, and why."""

    span: Span
    error: BgresearchError | None
    words: str


@dataclass
class Fetched:
    """What became of one page: its rows, where the exchange has none, what failed, who answered, where it is kept.

    ``contradictory`` is what the exchange answers, however it is asked, in a way that cannot be kept; ``skipped`` which
    gaps were not asked for, as daily candles show them.
    """

    page: Page
    tables: list[pa.Table] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    contradictory: list[Span] = field(default_factory=list)
    skipped: list[Span] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    roads: set[str] = field(default_factory=set)
    blanks: list[tuple[str, Span]] = field(default_factory=list)
    kept: Path | None = None


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
    kept : callable, optional
        Asked once if something is absent: returns where the store has candles of the series.

    Attributes
    ----------
    reaches : Reaches
        How far back roads answer.
    lives : Lives or None
        Between which days there are candles, once that had to be found out.
    unknown : BgresearchError or None
        Set once the exchange turned out not to know the symbol.
    """

    def __init__(
        self, asker: PageRequester, clock: Clock, what: CandleSeries, start_ms: int,
        *, stranger: Callable[[], BgresearchError | None] = lambda: None, reaches: Lookbacks | None = None,
        maintained: Callable[[], int | None] = lambda: None, kept: Callable[[], Sequence[Span]] = tuple,
    ) -> None:  # fmt: skip
        self.lives: Lives | None = None
        self.unknown: BgresearchError | None = None
        self._asker, self._clock, self._what, self._start_ms = asker, clock, what, start_ms
        self._stranger, self._maintained, self._grid = stranger, cache(maintained), what.grid
        self._kept, self._outline = cache(kept), Outline(what, asker.ask, clock)
        self.reaches = reaches or Lookbacks()
        self._surveying, self._stop, self._surveys = threading.Lock(), threading.Event(), 0
        self._refused: dict[str, ExchangeError] = {}
        self._lost: defaultdict[str, list[BgresearchError]] = defaultdict(list)
        self._nothing_before: list[int] = []
        self._days: set[int] = set()  # on which candles came
        self._oldest_ms, self._newest_ms = _NEVER_MS, -_NEVER_MS

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
        holes = [Hole(page.span)]
        doubt = _Doubt(None, "the download was stopped")
        for turn in range(_TURNS):
            if turn:
                with self._surveying:  # what another page is finding out may spare this one the next question
                    pass
            holes = self._without_long_holes(holes, result)
            if turn:
                holes = self._outline.confirmed(map(self._with_reach, holes))
                if self._outline.is_long(page.span):
                    self._survey()
                    holes = self._without_long_holes(holes, result)
            roads = self._open_roads(page)
            holes = self._settled(holes, len(roads), result)
            if all(self._believed(hole, roads) for hole in holes) or not roads or self._stop.is_set():
                break
            holes, found = self._turn(roads, holes, turn, result)
            doubt = found or doubt
            if turn and union(hole.span for hole in holes) == (page.span,) and not found:
                self._survey()
        holes = self._settled(holes, 0, result)
        roads = self._open_roads(page)
        believed = union(hole.span for hole in holes if self._believed(hole, roads))
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
        kept, lives = self._kept(), self.lives
        oldest = min([self._oldest_ms, self._outline.oldest_ms, *(part.start_ms for part in kept)])
        newest = max([self._newest_ms, *(part.end_ms - 1 for part in kept)])
        if lives is not None and not lives.never:
            oldest = min(oldest, lives.days[0].start_ms + DAY_MS)  # it may have been listed in the middle of that day
            newest = max(newest, lives.days[-1].end_ms - DAY_MS)
        if oldest < hole.start_ms and hole.end_ms <= newest:
            return "exchange has none"
        if lives is None or lives.never:
            return "unknown"
        if hole.end_ms <= max(oldest, lives.days[0].start_ms):
            return "before listing"
        return "delisted" if lives.ended and newest < lives.days[-1].end_ms else "unknown"

    def refuted(self, skipped: Iterable[Span]) -> tuple[Span, ...]:
        """Return what of the skipped spans has to be asked for all the same: candles came in the same hole since."""
        return subtract(skipped, self.lives.skipped(self._grid)) if self.lives else ()

    def first_ms(self) -> int | None:
        """Return where the first life begins, if that is known: nothing before it has to be asked for."""
        if self.lives is None or not (skipped := self.lives.skipped(self._grid)):
            return None
        return skipped[0].end_ms if skipped[0].start_ms == self.lives.looked.start_ms else None

    def _turn(
        self, roads: Sequence[Route], holes: list[Hole], turn: int, result: Fetched
    ) -> tuple[list[Hole], _Doubt | None]:
        """Ask the next road about the holes; return what is absent still, what speaks for it, and a doubt if any."""
        road = roads[turn % len(roads)]
        left = [hole for hole in holes if self._believed(hole, roads)]
        asked = [hole for hole in holes if not self._believed(hole, roads)]
        if not asked:  # another thread's answers have settled them meanwhile
            return sorted(left), None
        rows = min(road.rows, result.page.rows)
        rows = max(min(rows, _SMALL), rows >> _SMALLER.get(turn, 0))
        doubt: _Doubt | None = None
        whole = Span(asked[0].span.start_ms, asked[-1].span.end_ms)
        shared = turn == 1 and road.rows > result.page.rows and self._outline.shares
        for piece in self._outline.chunks(road, whole) if shared else self._grid.cut(whole, rows):
            parts = [hole._replace(span=part) for hole in asked if (part := hole.span.intersect(piece))]
            if not parts:
                continue
            tight = Span(parts[0].span.start_ms, parts[-1].span.end_ms)
            ask = partial(self._outline.around, road, tight) if shared else partial(self._alone, road, tight, 1 + turn)
            checked = self._asked(road, tight, ask, result) if self._is_open(road) else doubt
            if isinstance(checked, Checked):
                absent = _still_absent(parts, checked, road)
                shown = road.shows_absence(tight, self._clock.now_ms())
                left += [hole if shown or hole.odd else _before(hole, parts) for hole in absent]
            else:
                left, doubt = left + parts, checked or doubt
        return sorted(left), doubt

    def _alone(self, road: Route, span: Span, beside: int) -> Checked:
        return self._asker.ask(road, span, self._grid, beside)

    def _asked(self, road: Route, span: Span, ask: Callable[[], Checked], result: Fetched) -> Checked | _Doubt:
        """Ask one road about one span; a road that keeps failing or does not know the question is left."""
        lost = self._lost[road.endpoint]
        try:
            checked = ask()
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

    def _open_roads(self, page: Page) -> list[Route]:
        """Return the roads to ask in turn: the page's own, then those with the largest pages, doubted ones last."""
        now_ms, own = self._clock.now_ms(), page.routes[0]
        roads = [road for road in page.routes if self._is_open(road)]
        return sorted(roads, key=lambda one: (one != own, not one.reaches(page.span.start_ms, now_ms), -one.rows))

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
        self._days |= {int(day) for day in np.unique(checked.times // DAY_MS)}
        if self.lives is not None:
            self.lives = self._unrefuted(self.lives)
        if checked.table.num_rows:
            result.tables.append(checked.table)
            self._grid = self._grid.learned(checked.table.column("open_time")[0].value)

    def _with_reach(self, hole: Hole) -> Hole:
        """Return a hole that a blank answer counts for, once rows as old as it came by the same route."""
        age_ms, name = self._clock.now_ms() - hole.span.start_ms, self._what.interval.name
        reached = {endpoint for endpoint in hole.blanks if self.reaches.has_answered(endpoint, name, age_ms)}
        return hole._replace(asked=hole.asked | reached)

    def _settled(self, holes: list[Hole], roads: int, result: Fetched) -> list[Hole]:
        """Return the holes without those whose odd candle came from all roads: taken as it is, or named."""
        left = []
        for hole in holes:
            asked_enough = len(hole.odd) >= max(_AGREED, roads)
            others_lack_it = bool(hole.odd) and hole.evidence >= BELIEVED
            if not asked_enough and not others_lack_it:
                left.append(hole)
            elif asked_enough and (table := _taken(hole)) is not None:
                result.tables.append(table)
            else:
                result.contradictory.append(hole.span)
        return left

    def _believed(self, hole: Hole, roads: Sequence[Route]) -> bool:
        """Return whether enough speaks for an absence: what one route lacks, another one may have.

        A blank answer of a road that goes by its end alone speaks for everything older, as long as nothing older came.
        """
        if hole.odd:  # something came
            return False
        now_ms = self._clock.now_ms()
        able = {road.endpoint for road in roads if road.shows_absence(hole.span, now_ms)}
        lacking = hole.asked | {endpoint for endpoint in hole.blanks if hole.blanks.count(endpoint) >= _OWN}
        if len(lacking & able) < min(_ROUTES, len(able)):
            return False
        if hole.evidence >= BELIEVED or hole.evidence < _OWN:
            return hole.evidence >= BELIEVED
        blank = sum(hole.span.end_ms <= end <= self._oldest_ms for end in self._nothing_before)
        return blank >= BELIEVED

    def _survey(self) -> None:
        """Find out between which days there are candles at all, once a whole page was empty."""
        with self._surveying:
            if self.lives is not None or self._surveys >= _PATIENCE:
                return
            self._surveys += 1
            try:
                lives = find_lives(self._what, self._start_ms, self._asker.ask, self._clock.now_ms())
                if not lives.never:
                    lives = agreeing(lives, self._what, self._grid, self._asker.ask)
                    for span in self._kept():
                        lives = lives.without(span)
                    self.lives = self._unrefuted(lives)
            except ExchangeError as error:
                if isinstance(error, RateLimited | ExchangeUnavailable):
                    return
                self._surveys = _PATIENCE  # there are no daily candles here: the pages themselves will tell
            except NetworkError:
                return  # the same, only more slowly
            if self.lives is None and self._oldest_ms == _NEVER_MS:
                self.unknown = self._stranger()

    def _unrefuted(self, lives: Lives) -> Lives:
        """Return the lives without the holes in which candles came."""
        days = tuple(self._days)  # another thread may add one
        for hole in lives.skipped(self._grid):
            if any(hole.start_ms <= day * DAY_MS and (day + 1) * DAY_MS <= hole.end_ms for day in days):
                lives = lives.without(hole)
        return lives

    def _without_long_holes(self, holes: list[Hole], result: Fetched) -> list[Hole]:
        if self.unknown is not None:
            raise self.unknown
        if self.lives is None:
            return holes
        long = self.lives.skipped(self._grid)
        heard = [hole for hole in holes if self._was_asked(hole, result.page)]
        skipped = [part for hole in heard for one in long if (part := hole.span.intersect(one))]
        result.gaps += skipped
        result.skipped += skipped
        return [hole._replace(span=part) for hole in holes for part in subtract([hole.span], skipped)]

    def _was_asked(self, hole: Hole, page: Page) -> bool:
        """Return whether the routes with larger pages than history's have answered: they may have more."""
        now_ms = self._clock.now_ms()
        history = max((road.rows for road in page.routes if road.reach_ms is None), default=0)
        return all(
            road.endpoint in hole.asked or road.endpoint in hole.blanks
            for road in page.routes
            if road.rows > history and self._is_open(road) and road.shows_absence(hole.span, now_ms)
        )


def _before(hole: Hole, parts: list[Hole]) -> Hole:
    """Return what is left of a part with no more to speak for its absence than before."""
    return next(
        hole._replace(evidence=part.evidence, asked=part.asked, blanks=part.blanks)
        for part in parts
        if part.span.intersect(hole.span)
    )


def _still_absent(parts: list[Hole], checked: Checked, road: Route) -> list[Hole]:
    """Return what of the parts an answer left absent, with what it adds to the evidence; odd candles by themselves."""
    odd = [
        part._replace(span=one.span, odd=(*part.odd, one))
        for part in parts for one in checked.odd if one.span.intersect(part.span)
    ]  # fmt: skip
    plain = [(run, whole) for whole in checked.absent for run in subtract([whole], [hole.span for hole in odd])]
    found = []
    for part in parts:
        for run, whole in plain:
            if left := run.intersect(part.span):
                more = weight(checked, whole, obeys_start=road.starts)
                answered = not checked.blank and (more > 1 or not checked.cut_off)  # else it may have ended before
                asked = part.asked | ({road.endpoint} if answered else frozenset())
                blanks = (*part.blanks, road.endpoint) if checked.blank else part.blanks
                found.append(part._replace(span=left, evidence=part.evidence + more, asked=asked, blanks=blanks))
    return odd + found


def _taken(hole: Hole) -> pa.Table | None:
    """Return an odd candle as the exchange sent it, if all answers have the same one; None if there is none to take."""
    row = hole.odd[-1].row
    if row is None or any(one.row != row for one in hole.odd):
        return None
    return pa.Table.from_pydict(
        dict(zip(CANDLE_SCHEMA.names, ([value] for value in (hole.span.start_ms, *row)), strict=True)), CANDLE_SCHEMA
    )
