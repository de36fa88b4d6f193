"""Where a hole in candles ends, from longer candles, and one response that spans all of it. Touches no files.

A market that is closed at night and at weekends has as many holes as days, and each crosses several pages. Hourly
candles show where it opens again. One request that ends there, by the route that goes back until its response is
full, returns the candles on both sides. Longer candles only say where to ask: the absence itself is confirmed by
candles of the requested interval.
"""

from __future__ import annotations

import bisect
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from bgresearch.core.clock import Clock
from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, Grid, Interval
from bgresearch.core.spans import Span, subtract
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

Ask = Callable[[Route, Span, Grid, int], Checked]
_Key = tuple[Interval, Span]


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
    outlined : bool
        Whether the evidence includes a response that spans it.
    odd : tuple of Odd
        What came instead, once per response.
    """

    span: Span
    evidence: int = 0
    asked: frozenset[str] = frozenset()
    blanks: tuple[str, ...] = ()
    outlined: bool = False
    odd: tuple[Odd, ...] = ()


class Outline:
    """Longer candles of the same market and price, requested when candles are absent; safe to share between threads.

    Parameters
    ----------
    what : CandleSeries
        Which candles are absent.
    ask : callable
        Requests one span from one route, with that many neighbours.
    clock : Clock
        Only finished candles are requested.
    """

    def __init__(self, what: CandleSeries, ask: Ask, clock: Clock) -> None:
        self._ask, self._clock, self._grid, length = ask, clock, what.grid, what.interval.nominal_ms
        longer = [] if what.interval.anchored else [INTERVALS[name] for name in _LEVELS]
        self._levels = [one for one in longer if length < one.nominal_ms <= _MOST_SHORTER * length]
        self._levels = [one for one in self._levels if not one.nominal_ms % length]
        self._subjects = {one: replace(what, interval=one, anchor="utc") for one in self._levels}
        self._back = next((one for one in routes(what) if not one.starts and one.lookback_ms is None), None)
        self._answers: dict[_Key, Checked | None] = {}
        self.shares = not what.interval.anchored  # pages are cut where candles open, whatever the size of a request
        self.oldest_ms = NEVER_MS  # of the candles received
        self._wide: dict[tuple[Span, str], Checked] = {}
        self._locks: defaultdict[object, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def with_evidence(self, holes: Iterable[Hole]) -> list[Hole]:
        """Return the holes with the evidence of responses that span them, cut where those end."""
        return sorted(part for hole in holes for part in self._with_evidence(hole))

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
        longer = [answer for (level, _), answer in list(self._answers.items()) if answer and level in self._subjects]
        return any(run.duration_ms >= _LONG_MS and run.intersect(span) == span for one in longer for run in one.absent)

    def _with_evidence(self, hole: Hole) -> list[Hole]:
        if not (hole.asked or hole.blanks) or hole.outlined or hole.odd or self._back is None:
            return [hole]
        parts = [hole._replace(outlined=bool(hole.asked))]
        for level in tuple(self._levels if hole.asked else self._levels[:1]):  # after a blank: it may be before listing
            parts = [part for one in parts for part in self._weighed(level, one)]
        return parts

    def _weighed(self, level: Interval, hole: Hole) -> list[Hole]:
        """Return a hole in parts; those between two candles of a response have its evidence."""
        back = self._back
        if hole.evidence >= CONFIRMED or back is None:
            return [hole]
        end_ms = self._next_open(level, hole.span.end_ms)
        answer = None if end_ms is None else self._over(back, end_ms + level.nominal_ms)
        if answer is None or answer.seen is None:
            return [hole]
        opens = answer.opens()
        came = self._grid.runs(opens)
        between = subtract([Span(came[0].end_ms, came[-1].start_ms)], came) if len(came) > 1 else ()
        found = [
            hole._replace(
                span=part, evidence=hole.evidence + _ENCLOSED, asked=hole.asked | {back.endpoint}
            )
            for run in between if (part := run.intersect(hole.span))
        ]  # fmt: skip
        return [hole._replace(span=part) for part in subtract([hole.span], [one.span for one in found])] + found

    def _over(self, back: Route, end_ms: int) -> Checked | None:
        """Return the newest candles before an instant, as many as a response holds, however far back they go."""
        end_ms = min(end_ms, self._grid.closed_before(self._clock.now_ms()))
        newest = Span(end_ms - back.rows * self._grid.interval.nominal_ms, end_ms)
        answer = self._once((self._grid.interval, newest), back, self._grid)
        if answer and answer.seen:
            self.oldest_ms = min(self.oldest_ms, answer.seen.start_ms)
        return answer

    def _next_open(self, level: Interval, end_ms: int) -> int | None:
        """Return when the first longer candle opens that ends after an instant; None if that is not known."""
        start_ms = level.floor(end_ms)
        finished = level.floor(self._clock.now_ms() - _FINISHED_MS)
        chunk = self._chunk(level, start_ms, finished)
        if chunk is None:
            return None
        route, span = chunk
        answer = self._once((level, span), route, Grid(level))
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
