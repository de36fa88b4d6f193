"""One set of candles at several lengths, so that every view is drawn with few bars. Pure.

A level is what a chart shows at one candle length, as columns per trace. A view of it is a slice of each column.
The page's script and the widget choose and cut in the same way: `chosen`, `cut`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bgresearch.charts.overlays import gathered
from bgresearch.core.intervals import DAY_MS, INTERVALS, Anchor, Interval
from bgresearch.research.quality.provenance import PRICES, anchor_of, interval_of, milliseconds
from bgresearch.research.resample import FLUID_BARS, fold, opens_of

Columns = dict[str, Any]  # attribute of a trace, as plotly calls it, to an array; x in epoch milliseconds, ascending

_LEFT_OUT = ("3m",)  # too close to its neighbours to be visible
_SIDES = ("buy", "sell")
_POINTS = 30  # between hover points of a band; the cursor finds one within 20 pixels
_FEWEST = 250  # bars of the longest level, for a small picture


@dataclass(frozen=True)
class Level:
    """What is shown at one candle length.

    Attributes
    ----------
    name : str
        The interval.
    length_ms : int
        Its length; 31 days for a month.
    traces : mapping of str to Columns
        By what is drawn: candles, volume, gaps, buy, sell, and the lines by ``line <name>``.
    """

    name: str
    length_ms: int
    traces: Mapping[str, Columns]

    @property
    def bars(self) -> int:
        """How many candles there are."""
        return len(self.traces["candles"]["x"])


def levels(
    candles: pd.DataFrame, lines: Mapping[str, pd.Series], marks: pd.DataFrame, gaps: pd.DataFrame, *,
    max_bars: int = FLUID_BARS,
) -> tuple[Level, ...]:  # fmt: skip
    """Return the candles as they are and at increasing lengths, until few bars are left."""
    own, anchor = interval_of(candles), anchor_of(candles)
    made, folded = [_level(candles, own, lines, marks, gaps)], [(own, candles)]
    for target in INTERVALS.values():
        if made[-1].bars <= min(_FEWEST, max_bars):
            break
        if target.nominal_ms <= own.nominal_ms or target.name in _LEFT_OUT or not _divides(own, target):
            continue
        source = next(bars for length, bars in reversed(folded) if _divides(length, target))
        folded.append((target, bars := fold(source, target, anchor)))
        made.append(_level(bars, target, _last(lines, target, anchor), _thinned(marks, target, anchor), gaps))
    return tuple(made)


def whole(found: Sequence[Level], *, max_bars: int = FLUID_BARS) -> Level:
    """Return the finest level that may be drawn as a whole."""
    return next((level for level in found if level.bars <= max_bars), found[-1])


def chosen(found: Sequence[Level], from_ms: float, to_ms: float, *, max_bars: int = FLUID_BARS) -> int:
    """Return the number of the finest level that shows a view and half of it on each side within ``max_bars``."""
    for number, level in enumerate(found):
        if 2 * (to_ms - from_ms) / level.length_ms <= max_bars or level.bars <= max_bars:
            return number
    return len(found) - 1


def cut(columns: Columns, from_ms: float, to_ms: float) -> Columns:
    """Return the part of a trace that a view needs, and one more point on the left, which may extend into it."""
    first, last = np.searchsorted(columns["x"], [from_ms, to_ms])
    return {name: column[max(0, first - 1) : last + 1] for name, column in columns.items()}


def _divides(own: Interval, target: Interval) -> bool:
    whole = DAY_MS if target.length_ms is None else target.length_ms
    return own.length_ms is not None and whole % own.length_ms == 0


def _level(
    bars: pd.DataFrame, length: Interval, lines: Mapping[str, pd.Series], marks: pd.DataFrame, gaps: pd.DataFrame
) -> Level:  # fmt: skip
    x = milliseconds(pd.DatetimeIndex(bars.index))
    traces: dict[str, Columns] = {"candles": {"x": x, **{name: _floats(bars[name]) for name in PRICES}}}
    if "volume" in bars.columns:
        rising = (bars["close"] >= bars["open"]).to_numpy()
        traces["volume"] = {"x": x, "y": _floats(bars["volume"]), "marker.color": rising.astype("int64")}
    traces |= {f"line {name}": _broken(line, gaps, length) for name, line in lines.items()}
    if len(gaps):
        traces["gaps"] = _bands(gaps, length)
    for side in _SIDES:
        own = marks[marks["side"] == side]
        if len(own):
            when = milliseconds(pd.DatetimeIndex(own.index))
            traces[side] = {"x": when, "y": _floats(own["price"]), "text": own["text"].to_numpy(dtype=object)}
    return Level(length.name, length.nominal_ms, traces)


def _last(lines: Mapping[str, pd.Series], target: Interval, anchor: Anchor) -> dict[str, pd.Series]:
    """Lines with one value per bar, the last one in it; short lines stay as they are."""
    return {
        name: line.groupby(opens_of(pd.DatetimeIndex(line.index), target, anchor)).last()
        if len(line) > FLUID_BARS
        else line
        for name, line in lines.items()
    }


def _thinned(marks: pd.DataFrame, target: Interval, anchor: Anchor) -> pd.DataFrame:
    if not len(marks):
        return marks
    return gathered(marks, opens_of(pd.DatetimeIndex(marks.index), target, anchor))


def _broken(line: pd.Series, gaps: pd.DataFrame, length: Interval) -> Columns:
    """A line broken at every gap that is longer than its own steps."""
    x, y = milliseconds(pd.DatetimeIndex(line.index)), _floats(line)
    if len(gaps) and len(x) > 1:
        starts, ends = (milliseconds(pd.DatetimeIndex(gaps[name])) for name in ("start", "end"))
        step = max(length.nominal_ms, int(np.median(np.diff(x))))
        # a longer bar that opens in the gap may contain a candle after it
        crossed = (ends - starts >= step) & (np.searchsorted(x, starts) == np.searchsorted(x, ends - step + 1))
        at = np.searchsorted(x, starts[crossed])
        x, y = np.insert(x, at, starts[crossed]), np.insert(y, at, np.nan)
    return {"x": x, "y": y}


def _bands(gaps: pd.DataFrame, length: Interval) -> Columns:
    """Gaps of at least one bar as bands: up, points along the top close enough for hovering, and down again."""
    x, y, text = [], [], []
    for start, end, count, cause in gaps.itertuples(index=False):
        first, last = int(start.value // 10**6), int(end.value // 10**6)
        if last - first < length.nominal_ms:
            continue
        points = np.linspace(first, last, min(_POINTS, max(2, (last - first) // length.nominal_ms)))
        label = f"no candles: {cause}<br>{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, {count:,} absent"
        x += [first, *(points // 1000 * 1000).astype("int64").tolist(), last]
        y += [0.0, *[1.0] * len(points), 0.0]
        text += [label] * (len(points) + 2)
    return {"x": np.array(x, dtype="int64"), "y": np.array(y), "text": np.array(text, dtype=object)}


def _floats(column: pd.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    return column.to_numpy(dtype="float64")
