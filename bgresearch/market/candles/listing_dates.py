"""Between which days a symbol has candles, found from daily candles. Touches no files.

A symbol may be listed several times: it is delisted and listed again, or its name is given to another coin. So every
part of the span is requested: candles in one part prove nothing about the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, Grid, windows
from bgresearch.core.spans import Span, subtract, union
from bgresearch.errors import BadResponse, ExchangeError, ExchangeUnavailable, RateLimited
from bgresearch.market.candles.plan import CandleSeries, Route, routes
from bgresearch.store.candle_checks import Checked

_EVIDENCE = 6  # an empty part is confirmed after so many blank responses, or a third as many with rows elsewhere
_OWN = 3  # blank responses that a part needs of its own, however many there were for newer ones
_EDGE_EVIDENCE = 6  # blank responses at an edge, or one with rows
_ATTEMPTS = 18  # requests before the search is given up
_ENDED_AFTER_MS = 3 * DAY_MS  # no daily candle for longer than any maintenance
_LONG_MS = 7 * DAY_MS  # shorter holes are not skipped: requests for their edges would cost as much
_BEFORE_MS = 30 * DAY_MS  # searched before the start as well: the start may be in the middle of a listing
_SPLITS = 4  # candles found in a hole before it is given up as one

_LATE_MS = HOUR_MS  # a finished day may take this long to appear

Ask = Callable[[Route, Span, Grid], Checked]


@dataclass(frozen=True)
class Lives:
    """Between which days there are candles.

    Attributes
    ----------
    looked : Span
        What was searched: whole, finished days, some before the start. Nothing is known outside.
    days : tuple of Span
        The days with candles.
    holes : tuple of Span
        Where there is no candle, before the first day, after the last one of a delisted symbol, or in between for
        long enough to be skipped. Everything else has to be requested.
    ended : bool
        Whether the symbol is no longer listed.
    """

    looked: Span
    days: tuple[Span, ...]
    holes: tuple[Span, ...]
    ended: bool = False

    @property
    def never(self) -> bool:
        """Whether the searched span has no candles at all."""
        return not self.days

    def skipped(self, grid: Grid) -> tuple[Span, ...]:
        """Return the holes, rounded inwards to where candles open."""
        rounded = ((self._closed_from(hole, grid), self._open_of(hole, grid)) for hole in self.holes)
        return tuple(Span(start, end) for start, end in rounded if start < end)

    def without(self, span: Span) -> Lives:
        """Return a copy without the holes that overlap a span, as candles were received there."""
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
    what : CandleSeries
        Which candles; daily ones of the same symbol and price are requested.
    start_ms : int
        Where to begin.
    ask : callable
        Requests one span from one route.
    now_ms : int
        Epoch milliseconds.

    Notes
    -----
    Costs a request per part with candles (88 days of futures, 198 of spot), 3 to 6 per part without.
    """
    daily = replace(what, interval=INTERVALS["1d"], anchor="utc")
    today = (now_ms - _LATE_MS) // DAY_MS * DAY_MS  # history knows finished days only
    whole = Span(min(start_ms, today) // DAY_MS * DAY_MS - _BEFORE_MS, today)
    ordered = sorted(routes(daily), key=lambda route: route.lookback_ms is not None)  # unlimited look-back first
    found: list[Span] = []
    blank = 0  # responses in a row, from the newest part on, without any row
    for part in reversed(list(windows(whole, ordered[0].rows * DAY_MS))):
        covering = [route for route in ordered if route.covers(part.start_ms, now_ms)]
        opens, blank = _days(covering, part, daily.grid, ask, blank)
        found += [Span(at, at + DAY_MS) for at in opens]
    days = union(found)
    ended = bool(days) and days[-1].end_ms <= now_ms - _ENDED_AFTER_MS
    alive = union([*days, Span(days[-1].end_ms, whole.end_ms)]) if days and not ended else days
    holes = subtract([whole], alive)
    return Lives(whole, days, tuple(hole for hole in holes if _is_long(hole, whole)), ended)


def agreeing(lives: Lives, what: CandleSeries, grid: Grid, ask: Ask) -> Lives:
    """Return a copy with only those holes that candles of the requested interval do not contradict.

    On the day of a listing there need be no daily candle. A hole in which a candle is found is split at that day, and
    both parts are checked in turn.
    """
    route = next(route for route in routes(what) if route.lookback_ms is None)
    todo, confirmed, splits = list(lives.holes), [], 0
    while todo:
        hole = todo.pop()
        try:
            stray = _stray(hole, lives, route, grid, ask)
        except _Unclear:
            continue
        if stray is None:
            confirmed.append(hole)
        elif splits < _SPLITS:
            splits += 1
            day = Span(stray // DAY_MS * DAY_MS, stray // DAY_MS * DAY_MS + max(DAY_MS, grid.interval.nominal_ms))
            todo += [part for part in subtract([hole], [day]) if _is_long(part, lives.looked)]
    return replace(lives, holes=union(confirmed))


def _stray(hole: Span, lives: Lives, route: Route, grid: Grid, ask: Ask) -> int | None:
    """Return when a candle opens within a hole, searched at both of its edges; None if there is none.

    Raises
    ------
    _Unclear
        A response has other rows than those requested.
    """
    [inner] = replace(lives, holes=(hole,)).skipped(grid) or [hole]
    lookback_ms = route.rows * grid.interval.nominal_ms
    after_rows = hole.start_ms > lives.looked.start_ms
    edges = [Span(grid.edge(max(0, inner.end_ms - lookback_ms)), inner.end_ms)]
    if after_rows:
        edges.append(Span(inner.start_ms, grid.edge(min(inner.start_ms + lookback_ms, lives.looked.end_ms))))
    elif hole.end_ms == lives.looked.end_ms:
        edges = []
    for place, span in enumerate(edges):
        checked = _shown(route, span, grid, ask)
        inside = [at for at in checked.opens() if inner.start_ms <= at < inner.end_ms]
        if inside:
            return inside[-1]
        if after_rows and place == 0 and not (checked.seen and checked.seen.start_ms < inner.start_ms):
            raise _Unclear  # no response spans all of it: it may have candles that the daily ones lack
    return None


def _shown(route: Route, span: Span, grid: Grid, ask: Ask) -> Checked:
    """Return the first response about an edge that has rows, else the last one."""
    for _ in range(_EDGE_EVIDENCE):
        checked = ask(route, span, grid)
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
    """The responses do not decide whether a hole has candles."""


def _days(candidates: Sequence[Route], part: Span, grid: Grid, ask: Ask, blank: int) -> tuple[list[int], int]:
    """Return the days with candles in one part, and how many blank responses in a row there were by then."""
    evidence, words, open_routes = 0, "", list(candidates)
    for attempt in range(_ATTEMPTS):
        route = open_routes[attempt % len(open_routes)]
        try:
            checked = ask(route, part, grid)
        except BadResponse as error:
            words = str(error)
            continue
        except ExchangeError as error:
            if isinstance(error, RateLimited | ExchangeUnavailable) or route is candidates[0]:
                raise
            open_routes.remove(route)
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
    raise BadResponse(candidates[0].endpoint, f"none of {_ATTEMPTS} responses can be trusted ({words}).")
