"""What longer candles say about absence: where not even an hour has a candle, no minute of it has one. No files.

A market that is closed at night and at weekends has as many holes as days. One request for hours shows those of weeks,
where minutes would have to be asked a second time day by day. It never replaces the answer about the asked candles
themselves: it only confirms it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from bgresearch.checks import BELIEVED, Checked, Odd, weight
from bgresearch.clock import Clock
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
from bgresearch.intervals import DAY_MS, HOUR_MS, INTERVALS, Interval
from bgresearch.paging import Grid
from bgresearch.planning import Route, Subject, routes
from bgresearch.spans import Span, subtract

_LEVELS = ("4h", "1h", "15m", "5m")  # coarse ones first: their answers reach furthest
_ANSWERS = 2  # about the same candles; the hole has its own answer as well
_LONG_MS = 5 * DAY_MS  # a weekend with a holiday is shorter
_FINISHED_MS = HOUR_MS  # a longer candle may take so long to appear

Ask = Callable[[Route, Span, Grid, int], Checked]


class Hole(NamedTuple):
    """A span in which no believable candle came so far.

    Attributes
    ----------
    span : Span
        Where.
    evidence : int
        How much speaks for its absence, on the way to `BELIEVED`.
    asked : bool
        Whether an answer that could have held it came without it.
    blank_by : str
        The endpoint whose answer to it was blank, if it was not clear then that it goes back so far.
    outlined : bool
        Whether what longer candles say is in the evidence.
    odd : tuple of Odd
        What came instead, once per answer.
    """

    span: Span
    evidence: int = 0
    asked: bool = False
    blank_by: str = ""
    outlined: bool = False
    odd: tuple[Odd, ...] = ()


class Outline:
    """Longer candles of the same market and price, asked when something is absent; safe to share between threads.

    Parameters
    ----------
    what : Subject
        Which candles are absent.
    ask : callable
        Asks one route for one span, with so many neighbours.
    clock : Clock
        Only finished candles are asked for.
    """

    def __init__(self, what: Subject, ask: Ask, clock: Clock) -> None:
        self._ask, self._clock, length = ask, clock, what.interval.nominal_ms
        longer = [] if what.interval.anchored else [INTERVALS[name] for name in _LEVELS]
        self._levels = [one for one in longer if one.nominal_ms > length and not one.nominal_ms % length]
        self._subjects = {one: replace(what, interval=one, anchor="utc") for one in longer}
        self._answers: dict[tuple[Interval, Span, int], tuple[Route, Checked] | None] = {}
        self._locks: defaultdict[tuple[Interval, Span, int], threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    def confirmed(self, holes: Iterable[Hole], asked: Span) -> list[Hole]:
        """Return the holes with what longer candles add to their evidence, cut where those end.

        Parameters
        ----------
        holes : iterable of Hole
            What was absent in an answer about the asked candles themselves.
        asked : Span
            What that answer was about. A longer candle counts if it lies whole in a hole, or beyond this span.
        """
        return sorted(part for hole in holes for part in self._confirmed(hole, asked))

    def seen(self) -> Span | None:
        """Return from the end of the first to the open of the last longer candle that came; None if that is nothing."""
        came = [
            (level.next_open(answer[1].seen.start_ms), answer[1].seen.end_ms)
            for (level, _chunk, _turn), answer in list(self._answers.items()) if answer and answer[1].seen
        ]  # fmt: skip
        return Span(min(first for first, _ in came), max(last for _, last in came)) if came else None

    def is_long(self, span: Span) -> bool:
        """Return whether no longer candle came for days around a span: then it is no night and no weekend."""
        runs = (run for answer in list(self._answers.values()) if answer for run in answer[1].absent)
        return any(run.duration_ms >= _LONG_MS and run.intersect(span) == span for run in runs)

    def _confirmed(self, hole: Hole, asked: Span) -> list[Hole]:
        if not hole.asked or hole.outlined or hole.odd:
            return [hole]
        parts = [hole._replace(outlined=True)]
        for level in tuple(self._levels):
            parts = [part for one in parts for part in self._weighed(level, one, asked)]
            if self._is_blank(level, _inner(level, hole.span, asked)):
                break  # nothing for weeks: shorter candles would say the same
        return parts

    def _is_blank(self, level: Interval, inner: Span) -> bool:
        """Return whether not one candle came in what was asked of a level about a hole."""
        keys = [(level, chunk, 0) for chunk in self._chunks(level, inner)]
        answers = [self._answers[key] for key in keys if key in self._answers]
        return bool(answers) and all(answer is not None and answer[1].blank for answer in answers)

    def _weighed(self, level: Interval, hole: Hole, asked: Span, turn: int = 0) -> list[Hole]:
        inner = _inner(level, hole.span, asked)
        done = hole.evidence >= BELIEVED or turn == _ANSWERS or inner.start_ms >= inner.end_ms
        if done or level not in self._levels:
            return [hole]
        found: list[Hole] = []
        for chunk in self._chunks(level, inner):
            answer = self._answer(level, chunk, turn)
            if answer is None:
                continue
            route, checked = answer
            for run in subtract(checked.absent, [odd.span for odd in checked.odd]):
                reached = checked.seen is not None and checked.seen.start_ms < run.start_ms
                within = run.intersect(inner) if reached else None  # else it may not go back so far
                if within and (part := within.intersect(hole.span)):
                    more = weight(checked, run, obeys_start=route.starts)
                    found.append(hole._replace(span=part, evidence=hole.evidence + more))
        left = [hole._replace(span=part) for part in subtract([hole.span], [one.span for one in found])]
        return left + [part for one in found for part in self._weighed(level, one, asked, turn + 1)]

    def _chunks(self, level: Interval, inner: Span) -> Iterator[Span]:
        """Yield the spans to ask for, the same ones for every hole in them."""
        now, at = self._clock.now_ms(), inner.start_ms
        finished = level.floor(now - _FINISHED_MS)
        while at < min(inner.end_ms, finished):
            chunk = next(chunk for route in self._routes(level, at) if (chunk := self._chunk(route, level, at)))
            yield Span(chunk.start_ms, min(chunk.end_ms, finished))
            at = chunk.end_ms

    def _chunk(self, route: Route, level: Interval, at: int) -> Span | None:
        """Return what to ask a route for about an instant, None if it does not reach so far back."""
        rows = route.rows * 3 // 4
        if route.reach_ms is not None:
            rows = min(rows, route.reach_ms // 4 // level.nominal_ms)
        start = at // (rows * level.nominal_ms) * rows * level.nominal_ms if rows else 0
        reached = rows and route.reaches(start, self._clock.now_ms())
        return Span(start, start + rows * level.nominal_ms) if reached else None

    def _routes(self, level: Interval, start_ms: int) -> list[Route]:
        """Return the routes that reach so far back, those with the largest pages first."""
        now = self._clock.now_ms()
        reaching = [route for route in routes(self._subjects[level]) if route.reaches(start_ms, now)]
        return sorted(reaching, key=lambda route: -route.rows)

    def _answer(self, level: Interval, chunk: Span, turn: int) -> tuple[Route, Checked] | None:
        """Return the answer about a chunk, the first or the second one; None if there is none to be had."""
        key = level, chunk, turn
        with self._lock:
            alone = self._locks[key]
        with alone:
            if key not in self._answers:
                self._answers[key] = self._asked(level, chunk, turn)
            return self._answers[key]

    def _asked(self, level: Interval, chunk: Span, turn: int) -> tuple[Route, Checked] | None:
        grid = Grid(level)
        fitting = [route for route in self._routes(level, chunk.start_ms) if route.rows >= grid.count(chunk)]
        if not fitting:
            return None
        route = fitting[turn % len(fitting)]
        try:
            checked = self._ask(route, chunk, grid, route.rows // 8)  # what is closed over a weekend has an edge
        except (AuthenticationError, PermissionDenied, AddressRejected):
            raise
        except (BadResponse, NetworkError, RateLimited, ExchangeUnavailable):
            return None
        except BgresearchError:  # there are no candles of this length
            self._levels = [one for one in self._levels if one != level]
            return None
        return None if checked.fault else (route, checked)


def _inner(level: Interval, hole: Span, asked: Span) -> Span:
    """Return the longer candles that lie whole in a hole; where it reaches the end of what was asked, beyond it."""
    start = level.floor(hole.start_ms) if hole.start_ms == asked.start_ms else level.ceil(hole.start_ms)
    end = level.ceil(hole.end_ms) if hole.end_ms == asked.end_ms else level.floor(hole.end_ms)
    return Span(start, end)
