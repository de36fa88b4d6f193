"""What a frame of candles says of itself: its interval and anchor, the span it was asked for, the gaps it names. Pure.

Read from ``df.attrs["bgresearch"]``, and from the index where that says nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bgresearch.errors import InvalidInput
from bgresearch.intervals import INTERVALS, Anchor, Interval, interval
from bgresearch.paging import Grid
from bgresearch.spans import Span

PRICES = ("open", "high", "low", "close")


def origin(frame: pd.DataFrame) -> dict[str, Any]:
    """Return what a verb of the client noted with the frame; empty if another made it."""
    told = frame.attrs.get("bgresearch")
    return told if isinstance(told, dict) else {}


def utc_index(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the moments of the rows.

    Raises
    ------
    InvalidInput
        The index is no time, or has no time zone.
    """
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise InvalidInput("candles", "the index is not a time with a time zone.", hint="Use client.candles(...).")
    return index.tz_convert("UTC")


def milliseconds(index: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the moments as epoch milliseconds."""
    return index.as_unit("ms").asi8


def checked_candles(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the moments of candles that are in order.

    Raises
    ------
    InvalidInput
        A price is missing, there is no row, or the rows are not in order or not unique.
    """
    absent = [name for name in PRICES if name not in frame.columns]
    if absent or frame.empty:
        cause = f"no column {', '.join(absent)}." if absent else "there is no candle."
        raise InvalidInput("candles", cause, hint="Hand over what client.candles(...) returned.")
    index = utc_index(frame)
    if not (index.is_monotonic_increasing and index.is_unique):
        raise InvalidInput(
            "candles",
            "the rows are not in order or not unique.",
            hint="df.bg.quality() says which; sort and drop them.",
        )
    return index


def spacing_ms(frame: pd.DataFrame) -> int:
    """The shortest step between two rows, which is a candle's length; a minute if there is only one."""
    steps = np.diff(milliseconds(utc_index(frame)))
    steps = steps[steps > 0]
    return int(steps.min()) if len(steps) else INTERVALS["1m"].nominal_ms


def interval_of(frame: pd.DataFrame, name: str | None = None) -> Interval:
    """Return how long the candles of a frame are.

    Parameters
    ----------
    frame : DataFrame
        Candles by ``open_time``.
    name : str, optional
        What the caller knows; then what the frame says, then the shortest step between two rows.

    Raises
    ------
    InvalidInput
        There is no interval of that name, or the index is no time.
    """
    known = name or origin(frame).get("interval")
    if known:
        return interval(str(known))
    step_ms = spacing_ms(frame)
    months = INTERVALS["1M"]
    if 28 <= step_ms / INTERVALS["1d"].nominal_ms <= 31:
        return months
    return next((one for one in INTERVALS.values() if one.length_ms == step_ms), Interval(f"{step_ms} ms", step_ms))


def anchor_of(frame: pd.DataFrame, anchor: str | None = None) -> Anchor:
    """Return where the frame's long candles open.

    Raises
    ------
    InvalidInput
        There is no such anchor.
    """
    known = anchor or str(origin(frame).get("anchor") or "utc")
    if known not in ("utc", "exchange"):
        raise InvalidInput("anchor", f"{known!r} is unknown.", hint="Use utc or exchange.")
    return known  # type: ignore[return-value]  # checked


def grid_of(frame: pd.DataFrame) -> Grid:
    """Return where the candles of a frame may open; of three-day candles the first row says it."""
    grid = Grid(interval_of(frame), anchor_of(frame))
    opens = milliseconds(utc_index(frame))
    return grid.learned(int(opens[0])) if len(opens) else grid


def span_of(frame: pd.DataFrame) -> Span:
    """Return the closed span that was asked for; where nobody noted one, from the first row to the end of the last."""
    closed = origin(frame).get("closed")
    if closed:
        start, end = (int(pd.Timestamp(moment).value // 1_000_000) for moment in closed)
        return Span(start, end)
    opens = milliseconds(utc_index(frame))
    if not len(opens):
        return Span(0, 0)
    return Span(int(opens.min()), grid_of(frame).interval.next_open(int(opens.max()), anchor_of(frame)))


def closed_until(frame: pd.DataFrame) -> int | None:
    """Return the instant (ms) from which on candles of the frame were still forming, None if nobody noted it."""
    closed = origin(frame).get("closed")
    return int(pd.Timestamp(closed[1]).value // 1_000_000) if closed else None


def made_up(frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which rows were filled in and are no candles."""
    if "filled" not in frame.columns:
        return np.zeros(len(frame), dtype=bool)
    return frame["filled"].to_numpy(dtype=bool)


def name_of(frame: pd.DataFrame, *keys: str) -> str:
    """Return what the frame says of itself under these keys, in one line."""
    told = origin(frame)
    return " · ".join(str(told[key]) for key in keys if told.get(key))
