"""One page of candles, requested until every candle was received or is confirmed absent. Touches no file.

A response that is empty, short or odd is requested again, in smaller parts and by the other routes, before a gap is
confirmed. Pages share what they learn: which routes failed, how far back they serve, when the symbol was listed.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from bgresearch.catalogue import load
from bgresearch.catalogue.response import rows_of
from bgresearch.core.clock import Clock
from bgresearch.core.intervals import DAY_MS, Grid
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
from bgresearch.frames import CANDLE_SCHEMA, candle_table
from bgresearch.http.confirming_sender import plain
from bgresearch.http.sender import Sender
from bgresearch.market.candles.listing_dates import Lives, agreeing, find_lives
from bgresearch.market.candles.longer_candles import Hole, Outline
from bgresearch.market.candles.lookback import Lookbacks
from bgresearch.market.candles.plan import CandleSeries, Page, Route
from bgresearch.store.candle_checks import CONFIRMED, Checked, check_page, weight
from bgresearch.store.coverage import Cause
from bgresearch.store.parquet_file import within

_ATTEMPTS = 30  # rounds of requests for one page before it is given up
_SMALLER = {2: 1, 4: 2, 6: 3}  # these attempts halve the page so often: requests of 700 were seen empty, of 600 not
_SMALL = 100  # the smallest page of any route: attempts do not ask for less
_AGREED = 3  # responses with the same odd candle, at least one of every open route, until it is taken as it is
_OWN = 3  # blank responses that an absence needs of its own, and of a route that shows nothing else about it
_MAINTENANCE_LISTED_MS = 7 * DAY_MS  # the exchange lists a maintenance while it lasts: nothing explains older absences
_ROUTES_NEEDED = 2  # that have to confirm an absence, if so many go back that far
_PATIENCE = 3  # failures in a row before an endpoint is not asked again
_NEVER_MS = 2**53


class PageRequester:
    """Requests pages of candles; safe to share between threads.

    Parameters
    ----------
    sender : Sender
        Sends the requests.
    clock : Clock
        Candles that are not closed yet are not requested as neighbours.
    requests : Counter, optional
        Counts the requests per endpoint; retries by the sender are not counted.

    Attributes
    ----------
    seen : callable
        Called with every response, before it is checked.
    """

    def __init__(self, sender: Sender, clock: Clock, requests: Counter[str] | None = None) -> None:
        self._requests = Counter[str]() if requests is None else requests
        self.seen: Callable[[pa.Table, Grid], None] = lambda _table, _grid: None
        self._sender, self._clock = plain(sender), clock  # absent candles are confirmed by rules of their own
        self._lock = threading.Lock()

    def ask(self, route: Route, span: Span, grid: Grid, neighbours: int = 1) -> Checked:
        """Return the checked response to one request.

        Parameters
        ----------
        route : Route
            The endpoint to ask.
        span : Span
            What is wanted.
        grid : Grid
            Where candles may open.
        neighbours : int
            Candles to request on both sides of it as well, as far as one request can hold them.

        Raises
        ------
        BgresearchError
            Whatever the sender and the decoding raise.
        """
        endpoint, spare = load()[route.endpoint], (route.rows + route.spare - grid.count(span)) // 2
        wide, rows = grid.asked(span, max(0, min(neighbours, spare)), self._clock.now_ms())
        with self._lock:
            self._requests[route.endpoint] += 1
        reply = self._sender.send(endpoint, route.params(wide, rows))
        table = candle_table(endpoint, rows_of(endpoint, reply.data))
        self.seen(table, grid)
        return check_page(table, span, grid, wide)


class Failure(NamedTuple):
    """A span that could not be fetched, and why."""

    span: Span
    error: BgresearchError | None
    words: str


@dataclass
class Fetched:
    """The result of one page: its rows, confirmed gaps, failures, the endpoints that served it, where it is saved.

    ``contradictory`` spans are those for which every response is invalid or another one; ``skipped`` gaps were not
    requested, as daily candles show them.
    """

    page: Page
    tables: list[pa.Table] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    contradictory: list[Span] = field(default_factory=list)
    skipped: list[Span] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    endpoints: set[str] = field(default_factory=set)
    blanks: list[tuple[str, Span]] = field(default_factory=list)
    kept: Path | None = None


class _Doubt(NamedTuple):
    error: BgresearchError | None
    words: str


class Fetcher:
    """Fetches pages of one series; safe to share between threads.

    Parameters
    ----------
    requester : PageRequester
        Sends the requests.
    clock : Clock
        The clock.
    what : CandleSeries
        Which candles.
    start_ms : int
        Where the first page begins; the listing is searched from there on.
    lookbacks : Lookbacks, optional
        Learned look-backs; updated by every response.
    unknown_symbol : callable, optional
        Called once if nothing at all is found: returns an error if the exchange does not list the symbol.
    maintained : callable, optional
        Called once if something recent is absent: returns when the maintenance began that the exchange reports.
    kept : callable, optional
        Called once if something is absent: returns the spans of the series that the store has.

    Attributes
    ----------
    lookbacks : Lookbacks
        How far back the routes serve candles.
    lives : Lives or None
        Between which days there are candles, once that was needed.
    unknown : BgresearchError or None
        Set once the exchange was found not to list the symbol.
    """

    def __init__(
        self, requester: PageRequester, clock: Clock, what: CandleSeries, start_ms: int,
        *, unknown_symbol: Callable[[], BgresearchError | None] = lambda: None, lookbacks: Lookbacks | None = None,
        maintained: Callable[[], int | None] = lambda: None, kept: Callable[[], Sequence[Span]] = tuple,
    ) -> None:  # fmt: skip
        self.lives: Lives | None = None
        self.unknown: BgresearchError | None = None
        self._requester, self._clock, self._what, self._start_ms = requester, clock, what, start_ms
        self._unknown_symbol, self._maintained, self._grid = unknown_symbol, cache(maintained), what.grid
        self._kept, self._outline = cache(kept), Outline(what, requester.ask, clock)
        self.lookbacks = lookbacks or Lookbacks()
        self._surveying, self._stop, self._surveys = threading.Lock(), threading.Event(), 0
        self._refused: dict[str, ExchangeError] = {}
        self._lost: defaultdict[str, list[BgresearchError]] = defaultdict(list)
        self._nothing_before: list[int] = []
        self._days: set[int] = set()  # with candles
        self._oldest_ms, self._newest_ms = _NEVER_MS, -_NEVER_MS

    def stop(self) -> None:
        """Send no further request; pages on their way end as failed."""
        self._stop.set()

    def fetch(self, page: Page) -> Fetched:
        """Return one page, requested by its first route, then by the others until gaps are filled or confirmed.

        Raises
        ------
        ExchangeError
            If the exchange refuses the request itself, or the key.
        """
        result = Fetched(page)
        holes = [Hole(page.span)]
        doubt = _Doubt(None, "the download was stopped")
        for attempt in range(_ATTEMPTS):
            if attempt:
                with self._surveying:  # what another page is finding out may spare this one the next request
                    pass
            holes = self._without_long_holes(holes, result)
            if attempt:
                holes = self._outline.with_evidence(map(self._with_lookback, holes))
                if self._outline.is_long(page.span):
                    self._survey()
                    holes = self._without_long_holes(holes, result)
            routes = self._open_routes(page)
            holes = self._settled(holes, len(routes), result)
            if all(self._is_confirmed(hole, routes) for hole in holes) or not routes or self._stop.is_set():
                break
            holes, found = self._ask_next_route(routes, holes, attempt, result)
            if not holes:
                break
            doubt = found or doubt
            if attempt and union(hole.span for hole in holes) == (page.span,) and not found:
                self._survey()
        holes = self._settled(holes, 0, result)
        routes = self._open_routes(page)
        confirmed = union(hole.span for hole in holes if self._is_confirmed(hole, routes))
        result.gaps += confirmed
        failed = subtract([hole.span for hole in holes], confirmed)
        result.failed += [Failure(span, *self._reason(page, doubt)) for span in failed]
        self._learn(result)
        return result

    def _learn(self, result: Fetched) -> None:
        """Note which routes were blank where others had rows."""
        now_ms = self._clock.now_ms()
        for endpoint, span in result.blanks:
            opens = [within(table, "open_time", span) for table in result.tables]
            newest = max((table.column("open_time")[-1].value for table in opens if table.num_rows), default=None)
            if newest is not None:
                self.lookbacks.missed(endpoint, self._what.interval.name, now_ms - newest, now_ms)

    def may_explore(self, endpoint: str) -> bool:
        """Return whether a route may be tried beyond its known look-back."""
        is_open = endpoint not in self._refused and len(self._lost[endpoint]) < _PATIENCE
        return is_open and self.lookbacks.may_extend(
            endpoint, self._what.interval.name, self._clock.now_ms()
        )  # fmt: skip

    def cause(self, hole: Span) -> Cause:
        """Return the cause of a gap; call it when all pages of a partition were received."""
        cause = self._cause(hole)
        return "maintenance" if cause != "before listing" and self._in_maintenance(hole) else cause

    def _in_maintenance(self, hole: Span) -> bool:
        """Return whether the exchange reports a maintenance that began where candles end."""
        if hole.end_ms < self._clock.now_ms() - _MAINTENANCE_LISTED_MS or self._stop.is_set():
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
        """Return the skipped spans that have to be requested after all: candles were found in the same hole since."""
        return subtract(skipped, self.lives.skipped(self._grid)) if self.lives else ()

    def first_ms(self) -> int | None:
        """Return when the symbol was first listed, if that is known: nothing before it has to be requested."""
        if self.lives is None or not (skipped := self.lives.skipped(self._grid)):
            return None
        return skipped[0].end_ms if skipped[0].start_ms == self.lives.looked.start_ms else None

    def _ask_next_route(
        self, routes: Sequence[Route], holes: list[Hole], attempt: int, result: Fetched
    ) -> tuple[list[Hole], _Doubt | None]:
        """Ask the next route for the holes; return what is still absent with its evidence, and a doubt if any."""
        route = routes[attempt % len(routes)]
        left = [hole for hole in holes if self._is_confirmed(hole, routes)]
        asked = [hole for hole in holes if not self._is_confirmed(hole, routes)]
        if not asked:  # another thread's responses have settled them meanwhile
            return sorted(left), None
        rows = min(route.rows, result.page.rows)
        rows = max(min(rows, _SMALL), rows >> _SMALLER.get(attempt, 0))
        doubt: _Doubt | None = None
        whole = Span(asked[0].span.start_ms, asked[-1].span.end_ms)
        shared = attempt == 1 and route.rows > result.page.rows and self._outline.shares
        for piece in self._outline.chunks(route, whole) if shared else self._grid.cut(whole, rows):
            parts = [hole._replace(span=part) for hole in asked if (part := hole.span.intersect(piece))]
            if not parts:
                continue
            tight = Span(parts[0].span.start_ms, parts[-1].span.end_ms)
            alone = partial(self._ask_alone, route, tight, 1 + attempt)
            ask = partial(self._outline.around, route, tight) if shared else alone
            checked = self._asked(route, tight, ask, result) if self._is_open(route) else doubt
            if isinstance(checked, Checked):
                absent = _still_absent(parts, checked, route)
                shown = not absent or route.shows_absence(tight, self._clock.now_ms())
                left += [hole if shown or hole.odd else _before(hole, parts) for hole in absent]
            else:
                left, doubt = left + parts, checked or doubt
        return sorted(left), doubt

    def _ask_alone(self, route: Route, span: Span, neighbours: int) -> Checked:
        return self._requester.ask(route, span, self._grid, neighbours)

    def _asked(self, route: Route, span: Span, ask: Callable[[], Checked], result: Fetched) -> Checked | _Doubt:
        """Ask one route for one span; a route that keeps failing or refuses the request is not asked again."""
        lost = self._lost[route.endpoint]
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
            self._refused.setdefault(route.endpoint, error)
            return _Doubt(error, str(error))
        if checked.fault:
            return _Doubt(None, checked.fault)
        lost.clear()
        self._accept(checked, route, span, result)
        return checked

    def _open_routes(self, page: Page) -> list[Route]:
        """Return the routes in the order to ask: the page's own, those with the largest pages, doubted ones last."""
        now_ms, own = self._clock.now_ms(), page.routes[0]
        routes = [route for route in page.routes if self._is_open(route)]
        return sorted(routes, key=lambda one: (one != own, not one.covers(page.span.start_ms, now_ms), -one.rows))

    def _is_open(self, route: Route) -> bool:
        return route.endpoint not in self._refused and len(self._lost[route.endpoint]) < _PATIENCE

    def _reason(self, page: Page, doubt: _Doubt) -> _Doubt:
        """Return why a page failed; raise where its first route refuses the request and no other one responds."""
        first = page.routes[0].endpoint
        if self._stop.is_set() or any(self._is_open(route) for route in page.routes):
            return doubt
        if first in self._refused and all(route.endpoint in self._refused for route in page.routes):
            raise self._refused[first]
        lost = next((self._lost[route.endpoint] for route in page.routes if self._lost[route.endpoint]), [])
        return _Doubt(lost[0], str(lost[0])) if lost else doubt

    def _accept(self, checked: Checked, route: Route, span: Span, result: Fetched) -> None:
        result.endpoints.add(route.endpoint)
        if checked.seen is None:
            if not route.starts and route.shows_absence(span, self._clock.now_ms()):
                self._nothing_before.append(span.end_ms)
            result.blanks.append((route.endpoint, span))
            return
        self.lookbacks.saw(route.endpoint, self._what.interval.name, self._clock.now_ms() - checked.seen.start_ms)
        self._oldest_ms = min(self._oldest_ms, checked.seen.start_ms)
        self._newest_ms = max(self._newest_ms, checked.seen.end_ms)
        self._days |= {int(day) for day in np.unique(checked.times // DAY_MS)}
        if self.lives is not None:
            self.lives = self._unrefuted(self.lives)
        if checked.table.num_rows:
            result.tables.append(checked.table)
            self._grid = self._grid.learned(checked.table.column("open_time")[0].value)

    def _with_lookback(self, hole: Hole) -> Hole:
        """Return a hole with blank responses counted for those routes that have served rows as old as it."""
        age_ms, name = self._clock.now_ms() - hole.span.start_ms, self._what.interval.name
        serving = {endpoint for endpoint in hole.blanks if self.lookbacks.has_answered(endpoint, name, age_ms)}
        return hole._replace(asked=hole.asked | serving)

    def _settled(self, holes: list[Hole], open_count: int, result: Fetched) -> list[Hole]:
        """Return the holes without those whose odd candle every open route returns: taken as it is, or reported."""
        left = []
        for hole in holes:
            asked_enough = len(hole.odd) >= max(_AGREED, open_count)
            others_lack_it = bool(hole.odd) and hole.evidence >= CONFIRMED
            if not asked_enough and not others_lack_it:
                left.append(hole)
            elif asked_enough and (table := _taken(hole)) is not None:
                result.tables.append(table)
            else:
                result.contradictory.append(hole.span)
        return left

    def _is_confirmed(self, hole: Hole, routes: Sequence[Route]) -> bool:
        """Return whether there is enough evidence for an absence: what one route lacks, another one may have.

        A route without a start parameter returns the newest rows before an end. So its blank response is evidence for
        everything older, as long as no older row was received.
        """
        if hole.odd or hole.evidence < _OWN:  # a row was received, or there are too few responses
            return False
        now_ms = self._clock.now_ms()
        able = {route.endpoint for route in routes if route.shows_absence(hole.span, now_ms)}
        lacking = hole.asked | {endpoint for endpoint in hole.blanks if hole.blanks.count(endpoint) >= _OWN}
        if len(lacking & able) < min(_ROUTES_NEEDED, len(able)):
            return False
        if hole.evidence >= CONFIRMED:
            return True
        blank = sum(hole.span.end_ms <= end <= self._oldest_ms for end in self._nothing_before)
        return blank >= CONFIRMED

    def _survey(self) -> None:
        """Find out between which days there are candles at all, after a whole page was empty."""
        with self._surveying:
            if self.lives is not None or self._surveys >= _PATIENCE:
                return
            self._surveys += 1
            try:
                lives = find_lives(self._what, self._start_ms, self._requester.ask, self._clock.now_ms())
                if not lives.never:
                    lives = agreeing(lives, self._what, self._grid, self._requester.ask)
                    for span in self._kept():
                        lives = lives.without(span)
                    self.lives = self._unrefuted(lives)
            except ExchangeError as error:
                if isinstance(error, RateLimited | ExchangeUnavailable):
                    return
                self._surveys = _PATIENCE  # there are no daily candles: only the pages themselves can show it
            except NetworkError:
                return  # the same, only more slowly
            if self.lives is None and self._oldest_ms == _NEVER_MS:
                self.unknown = self._unknown_symbol()

    def _unrefuted(self, lives: Lives) -> Lives:
        """Return the listing dates without the holes in which candles were received."""
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
        """Return whether the routes with larger pages than the history route have responded: they may have more."""
        now_ms = self._clock.now_ms()
        history = max((route.rows for route in page.routes if route.lookback_ms is None), default=0)
        return all(
            route.endpoint in hole.asked or route.endpoint in hole.blanks
            for route in page.routes
            if route.rows > history and self._is_open(route) and route.shows_absence(hole.span, now_ms)
        )


def _before(hole: Hole, parts: list[Hole]) -> Hole:
    """Return the rest of a part with its evidence unchanged."""
    return next(
        hole._replace(evidence=part.evidence, asked=part.asked, blanks=part.blanks)
        for part in parts
        if part.span.intersect(hole.span)
    )


def _still_absent(parts: list[Hole], checked: Checked, route: Route) -> list[Hole]:
    """Return the parts that a response left absent, with the evidence it adds; odd candles are parts of their own."""
    odd = [
        part._replace(span=one.span, odd=(*part.odd, one))
        for part in parts for one in checked.odd if one.span.intersect(part.span)
    ]  # fmt: skip
    plain = [(run, whole) for whole in checked.absent for run in subtract([whole], [hole.span for hole in odd])]
    found = []
    for part in parts:
        for run, whole in plain:
            if left := run.intersect(part.span):
                more = weight(checked, whole, obeys_start=route.starts)
                answered = not checked.blank and (more > 1 or not checked.cut_off)  # else it may have ended before
                asked = part.asked | ({route.endpoint} if answered else frozenset())
                blanks = (*part.blanks, route.endpoint) if checked.blank else part.blanks
                found.append(part._replace(span=left, evidence=part.evidence + more, asked=asked, blanks=blanks))
    return odd + found


def _taken(hole: Hole) -> pa.Table | None:
    """Return an odd candle as the exchange sent it, if all responses have the same one; else None."""
    row = hole.odd[-1].row
    if row is None or any(one.row != row for one in hole.odd):
        return None
    return pa.Table.from_pydict(
        dict(zip(CANDLE_SCHEMA.names, ([value] for value in (hole.span.start_ms, *row)), strict=True)), CANDLE_SCHEMA
    )
