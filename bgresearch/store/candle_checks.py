"""Validates a page of candles. Pure. Harmless faults are corrected; everything else has to be requested again.

One odd candle does not invalidate the others: it is left out and reported, so that the caller can request it alone.
Only a response that does not match the request is rejected whole.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.core.intervals import Grid
from bgresearch.core.spans import Span, iso, subtract

_PRICES = ("open", "high", "low", "close")
_VOLUMES = ("volume", "quote_volume")

CONFIRMED = 12  # evidence from which on an absence is confirmed; `weight` says what a response adds to it
_BETWEEN, _AT_EDGE, _BLANK = 6, 4, 1
_OUTSIDE = "a price is outside its own high and low, or a number is negative"
_UNREADABLE = "a number is missing or infinite"
_TWINS = "two different candles open at the same time"
_OFF_GRID = "a candle opens between two boundaries"
_NO_TIME = "a row has no time"
_SOME = 2  # neighbours that a server may count in or not
_CAP = 100  # the smallest page of any candle route: a shorter response was not cut short


class Odd(NamedTuple):
    """A candle with impossible values.

    Attributes
    ----------
    span : Span
        Where on the grid it belongs: one candle.
    problem : str
        What is wrong with it.
    row : tuple of float or None
        Its numbers, if all of them can be read and no other row has the same time.
    """

    span: Span
    problem: str
    row: tuple[float, ...] | None


@dataclass(frozen=True)
class Checked:
    """A page after validation.

    Attributes
    ----------
    table : pyarrow.Table
        Its valid rows within the requested span, ascending and unique; none if there is a fault.
    fault : str
        Why the whole page is invalid, or "".
    absent : tuple of Span
        Where a candle was requested and no valid one received.
    seen : Span or None
        Opens of the oldest and of the newest row received, requested or not.
    rows : int
        How many were received.
    odd : tuple of Odd
        Absent candles that were received, but with impossible values.
    times : array of int64
        Opens of all rows received, requested or not, in order.
    """

    table: pa.Table
    fault: str
    absent: tuple[Span, ...]
    seen: Span | None = None
    rows: int = 0
    odd: tuple[Odd, ...] = ()
    times: np.ndarray[Any, np.dtype[np.int64]] = field(default_factory=lambda: np.empty(0, np.int64), compare=False)

    def opens(self) -> list[int]:
        """Return the opens of all rows received, requested or not, in order."""
        opens: list[int] = self.times.tolist()
        return opens

    @property
    def blank(self) -> bool:
        """Whether there is no row at all, not even a neighbour: then it may be an empty response by mistake."""
        return self.seen is None

    @property
    def cut_off(self) -> bool:
        """Whether rows may have been cut off: servers end their responses at a round number of rows."""
        return self.rows >= _CAP - _SOME and (self.rows + _SOME) % _CAP <= 2 * _SOME


def weight(checked: Checked, hole: Span, *, obeys_start: bool) -> int:
    """Return how much evidence a response is for the absence of a hole in it; `CONFIRMED` is enough.

    Most between two received candles; less next to one; least if the response is blank, as false blanks are the most
    common fault. Beyond the rows of a full response, candles may have been cut off: that is no evidence.

    Parameters
    ----------
    checked : Checked
        The response.
    hole : Span
        A span that is absent in it.
    obeys_start : bool
        Whether the route obeys a start; without one, a response goes back from its end until it is full.
    """
    if checked.seen is None:
        return _BLANK
    older, newer = checked.seen.start_ms < hole.start_ms, checked.seen.end_ms >= hole.end_ms
    if older and newer:
        return _BETWEEN
    if not checked.cut_off:
        return _AT_EDGE
    if older:
        return _BLANK if obeys_start else _AT_EDGE
    return 0


def check_page(table: pa.Table, span: Span, grid: Grid, wide: Span | None = None) -> Checked:
    """Return a page after validation.

    Parameters
    ----------
    table : pyarrow.Table
        Candles as received.
    span : Span
        The wanted span. Other rows are dropped: most routes fill a page up with older ones, and obey no start.
    grid : Grid
        Where candles may open.
    wide : Span, optional
        The requested span, if wider than the wanted one.
    """
    placed, nowhere = _placed(table)
    times = _times(placed)
    if fault := _fault_of_times(times, wide or span, grid):
        return Checked(table.slice(0, 0), fault, (span,))
    grid = _learned(grid, times)
    on_grid = _on_grid(times, grid)
    twins = np.isin(times, times[1:][times[1:] == times[:-1]])
    inside = (times >= span.start_ms) & (times < span.end_ms)
    valid = inside & on_grid & ~twins & ~_outside(placed) & ~_unreadable(placed)
    good = placed.filter(pa.array(valid)) if not valid.all() else placed
    present = _times(good).tolist()
    absent = tuple(grid.absent(span, present))
    odd = _odd(placed, np.flatnonzero(inside & ~valid), grid, span, present)
    if nowhere:
        odd += _without_time(absent, odd, grid, nowhere)
    seen = Span(int(times[on_grid][0]), int(times[on_grid][-1])) if on_grid.any() else None
    return Checked(good, "", absent, seen, len(times), tuple(sorted(odd, key=lambda one: one.span)), times[on_grid])


def contradictory(table: pa.Table) -> list[tuple[int, str]]:
    """Return the opens of the candles that contradict themselves, and how."""
    return [(int(at), _OUTSIDE) for at in _times(table)[_outside(table)]]


def _placed(table: pa.Table) -> tuple[pa.Table, int]:
    """Return the rows with a time, in order and without identical twins, and the number of those that have none."""
    nowhere = table.column("open_time").null_count
    if nowhere:
        table = table.filter(pc.is_valid(table.column("open_time")))
    times = _times(table)
    if len(times) > 1 and not np.all(times[1:] > times[:-1]):
        table = table.sort_by("open_time").combine_chunks()
        times = _times(table)
    again = np.flatnonzero(times[1:] == times[:-1])
    if not len(again):
        return table, nowhere
    keep = np.ones(len(times), dtype=bool)
    for at in again.tolist():
        keep[at + 1] = not table.slice(at, 1).equals(table.slice(at + 1, 1))
    return table.filter(pa.array(keep)), nowhere


def _fault_of_times(times: np.ndarray[Any, np.dtype[np.int64]], span: Span, grid: Grid) -> str:
    if not len(times):
        return ""
    if times[0] > span.end_ms:  # whether the end is included is not documented
        return f"it begins at {iso(int(times[0]))}, after the requested span"
    stray = times[~_on_grid(times, _learned(grid, times))]
    if 2 * len(stray) > len(times):  # a response to another request
        return f"candles open between two boundaries, the first at {iso(int(stray[0]))}"
    return ""


def _learned(grid: Grid, times: np.ndarray[Any, np.dtype[np.int64]]) -> Grid:
    """Return the grid on which most of the candles open, if that is to be learned."""
    phases = (
        Counter(grid.learned(at).phase_ms for at in times.tolist() if grid.holds(at)) if grid.phase_unknown else None
    )
    return replace(grid, phase_ms=phases.most_common(1)[0][0]) if phases else grid


def _on_grid(times: np.ndarray[Any, np.dtype[np.int64]], grid: Grid) -> np.ndarray[Any, np.dtype[np.bool_]]:
    length = grid.interval.length_ms
    if length is None or grid.unaligned:
        return np.fromiter(map(grid.holds, times.tolist()), bool, len(times))
    found: np.ndarray[Any, np.dtype[np.bool_]] = (times - grid.edge(0)) % length == 0
    return found


def _odd(
    placed: pa.Table, which: np.ndarray[Any, Any], grid: Grid, span: Span, present: Sequence[int]
) -> list[Odd]:  # fmt: skip
    """Return the invalid rows, each with the candle it belongs to; none for candles with a valid row as well."""
    found: dict[int, Odd] = {}
    if not len(which):
        return []
    times, opens, came = _times(placed), grid.opens(span), set(present)
    unreadable = _unreadable(placed)
    for index in which.tolist():
        at = int(times[index])
        place = bisect.bisect_right(opens, at) - 1
        if place < 0 or (slot := opens[place]) in came:
            continue
        problem = _OFF_GRID if slot != at else _UNREADABLE if unreadable[index] else _OUTSIDE
        row = None
        if slot in found:
            problem = _TWINS
        elif problem == _OUTSIDE:
            row = tuple(column[index].as_py() for column in placed.columns[1:])
        found[slot] = Odd(grid.runs([slot])[0], problem, row)
    return list(found.values())


def _without_time(absent: Sequence[Span], odd: Sequence[Odd], grid: Grid, nowhere: int) -> list[Odd]:
    """Return the absent candles that rows without a time may be; nothing if more are absent than rows have no time."""
    left = [at for part in subtract(absent, [one.span for one in odd]) for at in grid.opens(part)]
    return [Odd(grid.runs([at])[0], _NO_TIME, None) for at in left] if len(left) <= nowhere else []


def _outside(table: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which candles contradict themselves, though every number can be read."""
    opened, high, low, close, *volumes = (table.column(name).to_numpy() for name in (*_PRICES, *_VOLUMES))
    bad = (high < np.maximum(opened, close)) | (low > np.minimum(opened, close)) | (low < 0)
    for volume in volumes:
        bad |= volume < 0
    found: np.ndarray[Any, np.dtype[np.bool_]] = bad
    return found


def _unreadable(table: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    bad = np.zeros(table.num_rows, dtype=bool)
    for name in (*_PRICES, *_VOLUMES):
        bad |= ~np.isfinite(table.column(name).to_numpy())
    return bad


def _times(table: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    numbers: np.ndarray[Any, np.dtype[np.int64]] = pc.cast(table.column("open_time"), pa.int64()).to_numpy()
    return numbers
