"""Holes in candles that a response spans, with candles on both sides. Touches no files.

A market that is closed at night and at weekends has as many holes as days, and each crosses several pages. A request
without a start goes back from its end until the response is full: one that ends where the market opens again returns
the candles on both sides of a hole, often of several. So holes that a page leaves are first looked up in the responses
that other pages received, then requested in this way, newest first and one after another, of routes that did not
respond about them yet. Longer candles only say where to ask: the absence itself is confirmed by candles of the
requested interval, of two routes if there are two.
"""

from __future__ import annotations

import bisect
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from bgresearch.core.clock import Clock
from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, Grid, Interval
from bgresearch.core.spans import Span, subtract, union
from bgresearch.errors import (
    AddressRejected,
    AuthenticationError,
    BadResponse,
    BgresearchError,
    ExchangeUnavailable,
    NetworkError,
    PermissionDenied,
    RateLimited,
)
from bgresearch.market.candles.plan import CandleSeries, Route, routes
from bgresearch.store.candle_checks import CONFIRMED, Checked, Odd
from bgresearch.store.coverage import NEVER_MS
from bgresearch.store.parquet_file import within

_LEVELS = ("4h", "1h", "15m", "5m")  # coarse ones first: one response of theirs spans the most
_MOST_SHORTER = 60  # candles in a longer one: so many newer ones may fill a response before it gets to the hole
_ENCLOSED = CONFIRMED - 1  # evidence of a response with candles on both sides of a hole, which has its own as well
_LONG_MS = 5 * DAY_MS  # a weekend with a holiday is shorter
_FINISHED_MS = HOUR_MS  # a longer candle may take this long to appear
_ROUTES_NEEDED = 2  # that have to confirm an absence, if so many go back that far
_PATIENCE = 3  # responses in a row that do not go back beyond their limit, until a route is not asked for it again
_BUCKET = 100  # candles: holes are looked up by where they are

Ask = Callable[[Route, Span, Grid, int], Checked]
Opens = np.ndarray[Any, np.dtype[np.int64]]
_Key = tuple[Interval, Span, str]


class Hole(NamedTuple):
    """A span for which no valid candle has been received so far.

    Attributes
    ----------
    span : Span
        Where.
    evidence : int
        How much evidence there is that it is absent; `CONFIRMED` is enough.
    asked : frozenset of str
        The endpoints that could have had it and responded without it.
    blanks : tuple of str
        The endpoint of every blank response.
    spanned : frozenset of str
        The endpoints whose evidence includes a response that spans it.
    odd : tuple of Odd
        What came instead, once per response.
    """

    span: Span
    evidence: int = 0
    asked: frozenset[str] = frozenset()
    blanks: tuple[str, ...] = ()
    spanned: frozenset[str] = frozenset()
    odd: tuple[Odd, ...] = ()


class _Between(NamedTuple):
    """A hole between two candles of one response."""

    span: Span
    endpoint: str
    response: Opens  # of which it is a part: no response counts twice for a hole


class SpannedHoles:
    """The holes between two candles of every response received; safe to share between threads.

    Parameters
    ----------
    length_ms : int
        Of a candle.
    """

    def __init__(self, length_ms: int) -> None:
        self._length_ms, self._bucket_ms = length_ms, _BUCKET * length_ms
        self._found: defaultdict[int, list[_Between]] = defaultdict(list)
        self._opened: list[int] = []  # where responses or the candles behind a hole begin, in order
        self._lock = threading.Lock()

    def note(self, endpoint: str, response: Opens) -> None:
        """Note the holes of a response."""
        ends = np.flatnonzero(np.diff(response) > self._length_ms)
        spans = [Span(int(response[at]) + self._length_ms, int(response[at + 1])) for at in ends]
        with self._lock:
            for at in (*response[:1].tolist(), *(span.end_ms for span in spans)):
                bisect.insort(self._opened, at)
            for span in spans:
                for bucket in self._buckets(span):
                    self._found[bucket].append(_Between(span, endpoint, response))

    def first_open(self, start_ms: int, end_ms: int) -> int | None:
        """Return the first known open within a span that follows a hole; None if there is none."""
        with self._lock:
            place = bisect.bisect_left(self._opened, start_ms)
            return next((at for at in self._opened[place : place + 1] if at < end_ms), None)

    def with_evidence(self, hole: Hole, able: Sequence[Route], own: Sequence[Opens]) -> list[Hole]:
        """Return a hole with the evidence of responses other than its page's own, cut where theirs end."""
        with self._lock:
            found = [one for bucket in self._buckets(hole.span) for one in self._found.get(bucket, ())]
        parts = [hole]
        for endpoint in sorted({one.endpoint for one in found} & _useful(hole, able)):
            others = (one for one in found if one.endpoint == endpoint)
            spans = union(one.span for one in others if not any(one.response is page for page in own))
            parts = [piece for part in parts for piece in _spanned(part, endpoint, spans)]
        return parts

    def _buckets(self, span: Span) -> range:
        return range(span.start_ms // self._bucket_ms, (span.end_ms - 1) // self._bucket_ms + 1)


def _spanned(hole: Hole, endpoint: str, spans: Sequence[Span]) -> list[Hole]:
    """Return a hole in parts: those within spans have the evidence of a response of this endpoint."""
    inside = [part for span in spans if (part := span.intersect(hole.span))]
    more = hole._replace(
        evidence=hole.evidence + _ENCLOSED, asked=hole.asked | {endpoint}, spanned=hole.spanned | {endpoint}
    )  # fmt: skip
    rest = [hole._replace(span=part) for part in subtract([hole.span], inside)]
    return rest + [more._replace(span=part) for part in inside]


class NewestFirst:
    """Lets one thread at a time make a request; of those that wait the one whose response is the newest.

    A response goes back, so the newest may span what the others wait for.
    """

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._busy, self._changed = False, threading.Condition()

    @contextmanager
    def at(self, end_ms: int) -> Iterator[None]:
        """Wait for the turn of a request that ends at an instant."""
        with self._changed:
            bisect.insort(self._waiting, end_ms)
            self._changed.wait_for(lambda: not self._busy and self._waiting[-1] == end_ms)
            self._waiting.pop()
            self._busy = True
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()


class Outline:
    """Requests around holes, and longer candles that show where to ask; safe to share between threads.

    Parameters
    ----------
    what : CandleSeries
        Which candles are absent.
    ask : callable
        Requests one span from one route, with that many neighbours.
    clock : Clock
        Only finished candles are requested.
    stop : Event
        Once it is set, nothing is requested.
    """

    def __init__(self, what: CandleSeries, ask: Ask, clock: Clock, stop: threading.Event) -> None:
        self._ask, self._clock, self._stop = ask, clock, stop
        self._grid, length = what.grid, what.interval.nominal_ms
        longer = [] if what.interval.anchored else [INTERVALS[name] for name in _LEVELS]
        self._levels = [one for one in longer if length < one.nominal_ms <= _MOST_SHORTER * length]
        self._levels = [one for one in self._levels if not one.nominal_ms % length]
        self._subjects = {one: replace(what, interval=one, anchor="utc") for one in self._levels}
        self._spanned, self._short = SpannedHoles(length), Counter[str]()
        self._turns = {route.endpoint: NewestFirst() for route in routes(what)}
        self._answers: dict[_Key, Checked | None] = {}
        self.shares = not what.interval.anchored  # pages are cut where candles open, whatever the size of a request
        self.oldest_ms = NEVER_MS  # of the candles received
        self._wide: dict[tuple[Span, str], Checked] = {}
        self._locks: defaultdict[object, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def note(self, endpoint: str, checked: Checked) -> None:
        """Note the holes of a response that a page received."""
        if self.shares and checked.seen is not None and not checked.odd:  # what came instead of a candle is no hole
            self._spanned.note(endpoint, checked.times)

    def with_evidence(self, holes: Iterable[Hole], able: Sequence[Route], own: Sequence[Opens]) -> list[Hole]:
        """Return the holes with the evidence of responses that span them, cut where those end.

        Parameters
        ----------
        holes : iterable of Hole
            What a page leaves absent.
        able : sequence of Route
            The routes that may have it.
        own : sequence
            The responses that the page has counted.
        """
        newest_first = sorted(holes, reverse=True)
        return sorted(part for hole in newest_first for part in self._with_evidence(hole, able, own))

    def chunks(self, route: Route, span: Span) -> Iterator[Span]:
        """Yield a span in parts, cut at the borders of the route's largest requests."""
        length = self._length(route)
        at = span.start_ms
        while at < span.end_ms:
            end_ms = min(span.end_ms, at // length * length + length)
            yield Span(at, end_ms)
            at = end_ms

    def around(self, route: Route, part: Span) -> Checked:
        """Return a route's response for one of `chunks`; all pages that share a chunk share one request."""
        length = self._length(route)
        start_ms = part.start_ms // length * length
        whole = Span(start_ms, min(start_ms + length, self._grid.closed_before(self._clock.now_ms())))
        with self._lock:
            alone = self._locks[whole, route.endpoint]
        with alone:
            if (whole, route.endpoint) not in self._wide:
                self._wide[whole, route.endpoint] = self._ask(route, whole, self._grid, 1)
            answer = self._wide[whole, route.endpoint]
        return replace(answer, table=within(answer.table, "open_time", part))

    def _length(self, route: Route) -> int:
        return route.rows * self._grid.interval.nominal_ms

    def is_long(self, span: Span) -> bool:
        """Return whether longer candles are absent for days around a span: then it is no night and no weekend."""
        longer = [answer for (level, *_), answer in list(self._answers.items()) if answer and level in self._subjects]
        return any(run.duration_ms >= _LONG_MS and run.intersect(span) == span for one in longer for run in one.absent)

    def _with_evidence(self, hole: Hole, able: Sequence[Route], own: Sequence[Opens]) -> list[Hole]:
        if not (hole.asked or hole.blanks) or hole.odd or not self.shares:
            return [hole]
        parts = self._spanned.with_evidence(hole, able, own)
        levels = self._levels if hole.asked else self._levels[:1]  # after a blank: it may be before listing
        for level in (None, *levels):
            for route in self._by_size(able, hole):
                parts = [more for part in parts for more in self._requested(route, level, part, able, own)]
        return parts

    def _by_size(self, able: Sequence[Route], hole: Hole) -> list[Route]:
        """Return the routes to request, without a start: those that did not respond about a hole, largest first."""
        now_ms = self._clock.now_ms()
        routes = [one for one in able if one.covers(hole.span.start_ms, now_ms)]
        return sorted(routes, key=lambda one: (one.endpoint in hole.asked, -one.rows))

    def _requested(
        self, route: Route, level: Interval | None, hole: Hole, able: Sequence[Route], own: Sequence[Opens]
    ) -> list[Hole]:
        """Return a hole with the evidence of a response that ends behind it, unless there is enough without."""
        short = self._short[route.endpoint] >= _PATIENCE
        if short or _is_enough(hole, able) or route.endpoint not in _useful(hole, able):
            return [hole]
        end_ms = self._end(level, hole.span.end_ms)
        if end_ms is None:
            return [hole]
        with self._turns[route.endpoint].at(end_ms):  # another page's response may span this hole as well
            parts = self._spanned.with_evidence(hole, able, own)
            if all(_is_enough(part, able) for part in parts):
                return parts
            known = self._end(level, hole.span.end_ms)  # other pages' responses may show more exactly where it ends
            self._over(replace(route, starts=False), known or end_ms)
        return self._spanned.with_evidence(hole, able, own)

    def _end(self, level: Interval | None, end_ms: int) -> int | None:
        """Return where to end a request so that it has a candle behind a hole; None if that is not known."""
        length = self._grid.interval.nominal_ms
        if level is None:
            known = self._spanned.first_open(end_ms, end_ms + 1)
            return None if known is None else known + 2 * length
        longer = self._next_open(level, end_ms)
        if longer is None:
            return None
        known = self._spanned.first_open(end_ms, longer + level.nominal_ms - length)
        return longer + level.nominal_ms if known is None else known + 2 * length

    def _over(self, back: Route, end_ms: int) -> None:
        """Request the newest candles before an instant, as many as a response holds, however far back they go."""
        end_ms = min(end_ms, self._grid.closed_before(self._clock.now_ms()))
        newest = Span(end_ms - back.rows * self._grid.interval.nominal_ms, end_ms)
        key = self._grid.interval, newest, back.endpoint
        if self._stop.is_set() or key in self._answers:
            return
        answer = self._once(key, back, self._grid)
        if answer is not None and answer.seen is not None:
            self.oldest_ms = min(self.oldest_ms, answer.seen.start_ms)
            self.note(back.endpoint, answer)
        full = answer is not None and answer.rows >= back.rows
        went_back = answer is not None and answer.seen is not None and answer.seen.start_ms < newest.start_ms
        self._short[back.endpoint] = 0 if full or went_back else self._short[back.endpoint] + 1

    def _next_open(self, level: Interval, end_ms: int) -> int | None:
        """Return when the first longer candle opens that ends after an instant; None if that is not known."""
        start_ms = level.floor(end_ms)
        finished = level.floor(self._clock.now_ms() - _FINISHED_MS)
        chunk = self._chunk(level, start_ms, finished)
        if chunk is None:
            return None
        route, span = chunk
        answer = self._once((level, span, route.endpoint), route, Grid(level))
        opens = answer.opens() if answer else []
        place = bisect.bisect_left(opens, start_ms)
        return opens[place] if place < len(opens) else None

    def _chunk(self, level: Interval, at: int, finished: int) -> tuple[Route, Span] | None:
        """Return the request to make for an instant, the same for every hole near it, and its route."""
        now = self._clock.now_ms()
        for route in sorted(routes(self._subjects[level]), key=lambda one: -one.rows):
            rows = route.rows * 3 // 4
            if route.lookback_ms is not None:
                rows = min(rows, route.lookback_ms // 4 // level.nominal_ms)
            length = rows * level.nominal_ms
            if not length or not route.covers(at // length * length, now):
                continue
            chunk = Span(at // length * length, min(at // length * length + length, finished))
            return (route, chunk) if chunk.start_ms < chunk.end_ms else None
        return None

    def _once(self, key: _Key, route: Route, grid: Grid) -> Checked | None:
        """Return the response for a span, requested once by the first thread to need it; None if there is none."""
        with self._lock:
            alone = self._locks[key]
        with alone:
            if key not in self._answers:
                self._answers[key] = self._asked(key, route, grid)
            return self._answers[key]

    def _asked(self, key: _Key, route: Route, grid: Grid) -> Checked | None:
        # With neighbours, a market that is closed over a weekend still has rows in the response.
        neighbours = route.rows // 8 if key[0] in self._subjects else 0
        try:
            checked = self._ask(route, key[1], grid, neighbours)
        except (AuthenticationError, PermissionDenied, AddressRejected):
            raise
        except (BadResponse, NetworkError, RateLimited, ExchangeUnavailable):
            return None
        except BgresearchError:  # there are no candles of this length
            self._levels = [one for one in self._levels if one != key[0]]
            return None
        return None if checked.fault else checked


def _lack_it(hole: Hole, able: Sequence[Route]) -> bool:
    """Return whether enough routes have responded without a hole."""
    lacking = hole.asked & {route.endpoint for route in able}
    return len(lacking) >= min(_ROUTES_NEEDED, len(able))


def _is_enough(hole: Hole, able: Sequence[Route]) -> bool:
    """Return whether an absence needs no further response."""
    return hole.evidence >= CONFIRMED and _lack_it(hole, able)


def _useful(hole: Hole, able: Sequence[Route]) -> set[str]:
    """Return the endpoints whose response counts for a hole: not twice the same route while another one may have it."""
    known = hole.spanned if _lack_it(hole, able) else hole.spanned | hole.asked
    return {route.endpoint for route in able} - known
