"""Is a page of candles believable? Pure. What is plainly harmless is put right, everything else is asked again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.paging import Grid
from bgresearch.spans import Span, iso

_PRICES = ("open", "high", "low", "close")
_VOLUMES = ("volume", "quote_volume")

BELIEVED = 12  # an absence is believed from so much evidence on; `weight` says what an answer adds to it
_BETWEEN, _BESIDE, _BLANK = 6, 4, 1
_CAP = 100  # the smallest page of any candle route: a shorter answer was not cut short


@dataclass(frozen=True)
class Checked:
    """What a page is worth.

    Attributes
    ----------
    table : pyarrow.Table
        Its believable rows within the asked span, ascending and unique; none if there is a fault.
    fault : str
        Why it is not believed, or "".
    absent : tuple of Span
        Where a candle was asked for and none came.
    seen : Span or None
        Opens of the oldest and of the newest row that came, asked for or not.
    rows : int
        How many came.
    """

    table: pa.Table
    fault: str
    absent: tuple[Span, ...]
    seen: Span | None = None
    rows: int = 0

    @property
    def blank(self) -> bool:
        """Whether no row came at all, not even a neighbour: then nothing shows that anybody looked."""
        return self.seen is None


def weight(checked: Checked, hole: Span, *, obeys_start: bool) -> int:
    """Return how much an answer says for the absence of a hole in it, on the way to `BELIEVED`.

    Most between two candles that came; less beside one; least if the answer is blank, as false blanks are the
    commonest fault. What lies beyond the rows of a full answer may have been cut off and is not shown to be absent.

    Parameters
    ----------
    checked : Checked
        The answer.
    hole : Span
        What did not come in it.
    obeys_start : bool
        Whether a start was asked for, too; without one, an answer reaches back from its end until it is full.
    """
    if checked.seen is None:
        return _BLANK
    older, newer = checked.seen.start_ms < hole.start_ms, checked.seen.end_ms >= hole.end_ms
    if older and newer:
        return _BETWEEN
    if checked.rows < _CAP:
        return _BESIDE
    if older:
        return _BLANK if obeys_start else _BESIDE
    return 0


def check_page(table: pa.Table, span: Span, grid: Grid, wide: Span | None = None) -> Checked:
    """Return what a page is worth.

    Parameters
    ----------
    table : pyarrow.Table
        Candles as they came.
    span : Span
        What is wanted. Other rows are dropped: most routes fill a page up with older ones, and obey no start.
    grid : Grid
        Where candles may open.
    wide : Span, optional
        What was asked for, if that is more than what is wanted.
    """
    ordered, fault = _ordered(table)
    times = _times(ordered)
    if not fault:
        fault = _fault_of_times(times, wide or span, grid)
    if fault:
        return Checked(table.slice(0, 0), fault, (span,))
    if len(times):
        grid = grid.learned(int(times[0]))
    start, end = np.searchsorted(times, [span.start_ms, span.end_ms])
    inside = ordered.slice(int(start), int(end - start))
    if fault := _fault_of_values(inside):
        return Checked(table.slice(0, 0), fault, (span,))
    absent = tuple(grid.absent(span, [int(at) for at in times[start:end]]))
    seen = Span(int(times[0]), int(times[-1])) if len(times) else None
    return Checked(inside, "", absent, seen, len(times))


def _ordered(table: pa.Table) -> tuple[pa.Table, str]:
    """Sort, and drop rows that are identical to another one."""
    if table.column("open_time").null_count:
        return table, "a row without a time"
    times = _times(table)
    if len(times) > 1 and not np.all(times[1:] > times[:-1]):
        table = table.sort_by("open_time").combine_chunks()
        times = _times(table)
    twin = np.flatnonzero(times[1:] == times[:-1])
    if not len(twin):
        return table, ""
    for name in table.column_names:
        values = table.column(name).to_numpy()
        left, right = values[twin], values[twin + 1]
        if not np.all((left == right) | ((left != left) & (right != right))):  # noqa: PLR0124 - NaN is unlike itself
            return table, f"two different candles open at {iso(int(times[twin[0]]))}"
    keep = np.ones(len(times), dtype=bool)
    keep[twin + 1] = False
    return table.filter(pa.array(keep)), ""


def _fault_of_times(times: np.ndarray[Any, np.dtype[np.int64]], span: Span, grid: Grid) -> str:
    if not len(times):
        return ""
    if times[0] > span.end_ms:  # whether the end is included is not documented
        return f"it begins at {iso(int(times[0]))}, after everything that was asked for"
    grid = grid.learned(int(times[0])) if grid.holds(int(times[0])) else grid
    stray = _stray(times, grid)
    return f"a candle opens at {iso(stray)}, between two boundaries" if stray is not None else ""


def _stray(times: np.ndarray[Any, np.dtype[np.int64]], grid: Grid) -> int | None:
    length = grid.interval.length_ms
    if length is not None and grid.holds(int(times[0])):
        off = np.flatnonzero((times - times[0]) % length)
        return int(times[off[0]]) if len(off) else None
    return next((int(at) for at in times if not grid.holds(int(at))), None)


def _fault_of_values(table: pa.Table) -> str:
    if not table.num_rows:
        return ""
    columns = {name: table.column(name).to_numpy() for name in (*_PRICES, *_VOLUMES)}
    opened, high, low, close = (columns[name] for name in _PRICES)
    bad = ~np.isfinite(opened) | ~np.isfinite(high) | ~np.isfinite(low) | ~np.isfinite(close)
    bad |= (high < np.maximum(opened, close)) | (low > np.minimum(opened, close)) | (low < 0)
    for name in _VOLUMES:
        bad |= columns[name] < 0
    if not bad.any():
        return ""
    at = iso(int(_times(table)[np.flatnonzero(bad)[0]]))
    return f"the candle of {at} contradicts itself (prices not finite, or outside its own high and low)"


def _times(table: pa.Table) -> np.ndarray[Any, np.dtype[np.int64]]:
    numbers: np.ndarray[Any, np.dtype[np.int64]] = pc.cast(table.column("open_time"), pa.int64()).to_numpy()
    return numbers
