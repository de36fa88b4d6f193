"""When a symbol's candles begin and end: a few requests for daily candles, however long the span. No files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bgresearch.checks import Checked
from bgresearch.errors import BadResponse
from bgresearch.intervals import DAY_MS, HOUR_MS, INTERVALS
from bgresearch.paging import Grid, windows
from bgresearch.planning import Route, Subject, routes
from bgresearch.spans import Span

_EVIDENCE = 6  # an empty quarter of a year is believed after so many blank answers, or a third as many with older rows
_EDGE_EVIDENCE = 6  # blank answers beside an edge, or one with rows
_TURNS = 18  # questions before the search is given up
_DELISTED_AFTER_MS = 3 * DAY_MS  # no daily candle for longer than any maintenance

_LATE_MS = HOUR_MS  # a finished day may take so long to appear

Ask = Callable[[Route, Span, Grid], Checked]


@dataclass(frozen=True)
class Life:
    """Between which days there are candles.

    Attributes
    ----------
    looked : Span
        Where was looked: whole, finished days. Nothing is known outside.
    first_ms, last_ms : int
        Open of the first day with candles, end of the last one; where the symbol is alive, ``last_ms`` is the end of
        where was looked. Equal where no day has any.
    """

    looked: Span
    first_ms: int
    last_ms: int

    @property
    def never(self) -> bool:
        """Whether there are no candles at all where was looked."""
        return self.first_ms == self.last_ms

    def span(self, grid: Grid) -> Span:
        """Return the life, rounded outwards to where candles open."""
        earlier = Span(self.first_ms - grid.interval.nominal_ms, self.first_ms + 1)
        return Span(min([self.first_ms, *grid.opens(earlier)[-1:]]), grid.edge(self.last_ms))


def find_life(what: Subject, start_ms: int, ask: Ask, now_ms: int) -> Life:
    """Return between which days since the start there are candles, by bisection.

    Parameters
    ----------
    what : Subject
        Which candles; daily ones of the same symbol and price are asked for.
    start_ms : int
        Where to begin.
    ask : callable
        Asks one road for one span.
    now_ms : int
        Epoch milliseconds.

    Notes
    -----
    Bisection trusts that no gap within a life lasts as long as one request reaches (90 days of futures, 200 of spot).
    """
    daily = replace(what, interval=INTERVALS["1d"], anchor="utc")
    road = next(road for road in routes(daily) if road.reach_ms is None)
    today = (now_ms - _LATE_MS) // DAY_MS * DAY_MS  # history knows finished days only
    whole = Span(min(start_ms // DAY_MS * DAY_MS, today), today)
    parts = list(windows(whole, road.rows * DAY_MS))
    seen: dict[int, Span | None] = {}

    def days(index: int) -> Span | None:
        if index not in seen:
            seen[index] = _days(road, parts[index], daily.grid, ask)
        return seen[index]

    newest = next((index for index in range(len(parts) - 1, -1, -1) if days(index)), None)
    if newest is None:
        return Life(whole, whole.end_ms, whole.end_ms)
    low, high = 0, newest  # the oldest part with candles lies in low..high
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if days(middle) else (middle + 1, high)
    first, last = days(low) or whole, days(newest) or whole
    alive = last.end_ms > now_ms - _DELISTED_AFTER_MS
    return Life(whole, first.start_ms, whole.end_ms if alive else last.end_ms)


def agrees(life: Life, what: Subject, grid: Grid, ask: Ask) -> bool:
    """Return whether candles of the asked length do not contradict what the daily ones say."""
    alive = life.span(grid)
    road = next(road for road in routes(what) if road.reach_ms is None)
    reach_ms = road.rows * grid.interval.nominal_ms
    beyond: list[tuple[bool, Span]] = []
    if life.first_ms > life.looked.start_ms:
        beyond.append((True, Span(grid.edge(max(0, alive.start_ms - reach_ms)), alive.start_ms)))
    if alive.end_ms < life.looked.end_ms:
        end = grid.edge(min(alive.end_ms + reach_ms, life.looked.end_ms))
        beyond.append((False, Span(alive.end_ms, end)))
    for before, span in beyond:
        for _ in range(_EDGE_EVIDENCE):
            checked = ask(road, span, grid)
            stray = checked.seen is not None and before and checked.seen.start_ms < span.start_ms
            if checked.fault or checked.table.num_rows or stray:
                return False
            if not checked.blank:
                break
    return True


def _days(road: Route, part: Span, grid: Grid, ask: Ask) -> Span | None:
    """Return first open and last end of the days with candles in one part, or None if there are none."""
    evidence = 0
    words = ""
    for _ in range(_TURNS):
        try:
            checked = ask(road, part, grid)
        except BadResponse as error:
            words = str(error)
            continue
        if checked.fault:
            words = checked.fault
            continue
        if checked.table.num_rows:
            opens = checked.table.column("open_time")
            return Span(opens[0].value, opens[-1].value + DAY_MS)
        evidence += 1 if checked.blank else 3
        if evidence >= _EVIDENCE:
            return None
    raise BadResponse(road.endpoint, f"{_TURNS} answers, and none to be believed ({words}).")
