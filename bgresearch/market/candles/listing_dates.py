"""Between which days a symbol has candles: requests for daily ones, however long the span. No files.

A symbol may have several lives: it is delisted and listed again, or its name is given to another coin. Every part of
the span is asked for; that there are candles in one says nothing about the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bgresearch.core.grid import Grid, windows
from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS
from bgresearch.core.spans import Span, subtract, union
from bgresearch.errors import BadResponse, ExchangeError, ExchangeUnavailable, RateLimited
from bgresearch.market.candles.plan import CandleSeries, Route, routes
from bgresearch.store.candle_checks import Checked

_EVIDENCE = 6  # an empty part is believed after so many blank answers, or a third as many with rows elsewhere
_OWN = 3  # blank answers that a part needs of its own, however many there were for newer ones
_EDGE_EVIDENCE = 6  # blank answers beside an edge, or one with rows
_TURNS = 18  # questions before the search is given up
_ENDED_AFTER_MS = 3 * DAY_MS  # no daily candle for longer than any maintenance
_LONG_MS = 7 * DAY_MS  # shorter holes are not skipped: asking about their edges would cost as much
_BEFORE_MS = 30 * DAY_MS  # so far before the start is looked as well: it may be in the middle of a life
_SPLITS = 4  # candles found in a hole before it is not believed at all

_LATE_MS = HOUR_MS  # a finished day may take so long to appear

Ask = Callable[[Route, Span, Grid], Checked]


@dataclass(frozen=True)
class Lives:
    """Between which days there are candles.

    Attributes
    ----------
    looked : Span
        Where was looked: whole, finished days, some before the start. Nothing is known outside.
    days : tuple of Span
        The days with candles.
    holes : tuple of Span
        Where there is no candle, before the first day, after the last one of a symbol that is gone, or in between for
        long enough to be skipped. Everything else has to be asked for.
    ended : bool
        Whether the last life is over.
    """

    looked: Span
    days: tuple[Span, ...]
    holes: tuple[Span, ...]
    ended: bool = False

    @property
    def never(self) -> bool:
        """Whether there are no candles at all where was looked."""
        return not self.days

    def skipped(self, grid: Grid) -> tuple[Span, ...]:
        """Return the holes, rounded inwards to where candles open."""
        rounded = ((self._closed_from(hole, grid), self._open_of(hole, grid)) for hole in self.holes)
        return tuple(Span(start, end) for start, end in rounded if start < end)

    def without(self, span: Span) -> Lives:
        """Return the lives without the holes that a span touches: candles came there."""
        return replace(self, holes=tuple(hole for hole in self.holes if not hole.intersect(span)))

    def _closed_from(self, hole: Span, grid: Grid) -> int:
        return hole.start_ms if hole.start_ms == self.looked.start_ms else grid.edge(hole.start_ms)

    def _open_of(self, hole: Span, grid: Grid) -> int:
        """Return the open of the candle that holds the first instant after a hole."""
        earlier = Span(hole.end_ms - grid.interval.nominal_ms, hole.end_ms + 1)
        return min([hole.end_ms, *grid.opens(earlier)[-1:]])


def find_lives(what: CandleSeries, start_ms: int, ask: Ask, now_ms: int) -> Lives:
    """Return between which days since the start there are candles.

    Parameters
    ----------
    what : Subject
        Which candles; daily ones of the same symbol and price are asked for.
    start_ms : int
        Where to begin.
    ask : callable
        Asks one route for one span.
    now_ms : int
        Epoch milliseconds.

    Notes
    -----
    Costs a request per part with candles (88 days of futures, 198 of spot), 3 to 6 per part without.
    """
    daily = replace(what, interval=INTERVALS["1d"], anchor="utc")
    today = (now_ms - _LATE_MS) // DAY_MS * DAY_MS  # history knows finished days only
    whole = Span(min(start_ms, today) // DAY_MS * DAY_MS - _BEFORE_MS, today)
    roads = sorted(routes(daily), key=lambda road: road.reach_ms is not None)  # the one without an end first
    found: list[Span] = []
    blank = 0  # answers in a row, from the newest part on, in which nothing came at all
    for part in reversed(list(windows(whole, roads[0].rows * DAY_MS))):
        reaching = [road for road in roads if road.reaches(part.start_ms, now_ms)]
        opens, blank = _days(reaching, part, daily.grid, ask, blank)
        found += [Span(at, at + DAY_MS) for at in opens]
    days = union(found)
    ended = bool(days) and days[-1].end_ms <= now_ms - _ENDED_AFTER_MS
    alive = union([*days, Span(days[-1].end_ms, whole.end_ms)]) if days and not ended else days
    holes = subtract([whole], alive)
    return Lives(whole, days, tuple(hole for hole in holes if _is_long(hole, whole)), ended)


def agreeing(lives: Lives, what: CandleSeries, grid: Grid, ask: Ask) -> Lives:
    """Return the lives with only those holes that candles of the asked length do not contradict.

    On the day of a listing there need be no daily candle. A hole in which a candle turns up ends before that day, and
    what is left of it on both sides is looked at in turn.
    """
    road = next(road for road in routes(what) if road.reach_ms is None)
    todo, believed, splits = list(lives.holes), [], 0
    while todo:
        hole = todo.pop()
        try:
            stray = _stray(hole, lives, road, grid, ask)
        except _Unclear:
            continue
        if stray is None:
            believed.append(hole)
        elif splits < _SPLITS:
            splits += 1
            day = Span(stray // DAY_MS * DAY_MS, stray // DAY_MS * DAY_MS + max(DAY_MS, grid.interval.nominal_ms))
            todo += [part for part in subtract([hole], [day]) if _is_long(part, lives.looked)]
    return replace(lives, holes=union(believed))


def _stray(hole: Span, lives: Lives, road: Route, grid: Grid, ask: Ask) -> int | None:
    """Return when a candle opens within a hole, asked for at both of its edges; None if there is none.

    Raises
    ------
    _Unclear
        An answer is none to the question.
    """
    [inner] = replace(lives, holes=(hole,)).skipped(grid) or [hole]
    reach_ms = road.rows * grid.interval.nominal_ms
    after_rows = hole.start_ms > lives.looked.start_ms
    edges = [Span(grid.edge(max(0, inner.end_ms - reach_ms)), inner.end_ms)]
    if after_rows:
        edges.append(Span(inner.start_ms, grid.edge(min(inner.start_ms + reach_ms, lives.looked.end_ms))))
    elif hole.end_ms == lives.looked.end_ms:
        edges = []
    for place, span in enumerate(edges):
        checked = _shown(road, span, grid, ask)
        inside = [at for at in checked.opens() if inner.start_ms <= at < inner.end_ms]
        if inside:
            return inside[-1]
        if after_rows and place == 0 and not (checked.seen and checked.seen.start_ms < inner.start_ms):
            raise _Unclear  # no answer reaches over all of it: what daily candles lack may be there
    return None


def _shown(road: Route, span: Span, grid: Grid, ask: Ask) -> Checked:
    """Return the first answer about an edge in which anything came, else the last one."""
    for _ in range(_EDGE_EVIDENCE):
        checked = ask(road, span, grid)
        if checked.fault:
            raise _Unclear
        if not checked.blank:
            break
    return checked


def _is_long(hole: Span, looked: Span) -> bool:
    """Return whether a hole is to be skipped: at an edge any, between candles a long one."""
    outer = hole.start_ms == looked.start_ms or hole.end_ms == looked.end_ms
    return outer or hole.duration_ms >= _LONG_MS


class _Unclear(Exception):
    """Nothing can be said about a hole."""


def _days(roads: Sequence[Route], part: Span, grid: Grid, ask: Ask, blank: int) -> tuple[list[int], int]:
    """Return the days with candles in one part, and how many blank answers in a row there were by then."""
    evidence, words, open_roads = 0, "", list(roads)
    for turn in range(_TURNS):
        road = open_roads[turn % len(open_roads)]
        try:
            checked = ask(road, part, grid)
        except BadResponse as error:
            words = str(error)
            continue
        except ExchangeError as error:
            if isinstance(error, RateLimited | ExchangeUnavailable) or road is roads[0]:
                raise
            open_roads.remove(road)
            continue
        if checked.fault:
            words = checked.fault
            continue
        opens = [at for at in checked.opens() if part.start_ms <= at < part.end_ms]
        if opens:
            return opens, 0
        evidence += 1 if checked.blank else 3
        blank = blank + 1 if checked.blank else 0
        if evidence >= _EVIDENCE or (evidence >= _OWN and blank >= _EVIDENCE):
            return [], blank
    raise BadResponse(roads[0].endpoint, f"{_TURNS} answers, and none to be believed ({words}).")
