"""What a frame of candles says of itself: its interval and anchor, the span it was asked for, the gaps it names. Pure.

Read from ``df.attrs["bgresearch"]``, and from the index where that says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from bgresearch.core.grid import Grid
from bgresearch.core.intervals import INTERVALS, Anchor, Interval, interval
from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume", "quote_volume")
_ASK = "Hand over what client.candles(...) returned."


def origin(frame: pd.DataFrame | pd.Series) -> dict[str, Any]:
    """Return what a verb of the client noted with the frame; empty if another made it."""
    told = frame.attrs.get("bgresearch")
    return told if isinstance(told, dict) else {}


def utc_index(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the moments of the rows.

    Raises
    ------
    InvalidInput
        The index is no time, has no time zone, or lacks a time.
    """
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex):
        hint = 'Put the times there: df.set_index("open_time").' if "open_time" in frame.columns else _ASK
        raise InvalidInput("candles", "the index is not a time with a time zone.", hint=hint)
    if index.tz is None:
        hint = 'If its times are UTC, say so: df.tz_localize("UTC").'
        raise InvalidInput("candles", "the index is not a time with a time zone.", hint=hint)
    if index.hasnans:
        raise InvalidInput("candles", "a row has no time (NaT).", hint="Drop such rows: df[df.index.notna()].")
    return index.tz_convert("UTC")


def milliseconds(index: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the moments as epoch milliseconds."""
    return index.as_unit("ms").asi8


def checked_candles(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the moments of candles that are in order.

    Raises
    ------
    InvalidInput
        A column of prices is missing or holds no numbers, there is no row, or the rows are not in order or not unique.
    """
    checked_columns(frame)
    if frame.empty:
        raise InvalidInput("candles", "there is no candle.", hint=_ASK)
    return checked_order(frame)


def checked_columns(frame: pd.DataFrame, wanted: Sequence[str] = PRICES) -> None:
    """Refuse a frame that is none of candles.

    Raises
    ------
    InvalidInput
        A wanted column is missing; there are two of one name; prices or volumes are no numbers.
    """
    absent = [name for name in wanted if name not in frame.columns]
    if absent:
        raise InvalidInput("candles", f"no column {', '.join(absent)}.", hint=_ASK)
    there = [name for name in NUMBERS if name in frame.columns]
    twins = [name for name in there if isinstance(frame[name], pd.DataFrame)]
    if twins:
        cause = f"there are several columns called {', '.join(twins)}."
        raise InvalidInput("candles", cause, hint="One symbol at a time: hand over the candles of one.")
    texts = [name for name in there if not is_numeric_dtype(frame[name])]
    if texts:
        hint = f'Turn them into numbers: df.astype(dict.fromkeys({texts}, "float64")).'
        raise InvalidInput("candles", f"{', '.join(texts)}: no column of numbers.", hint=hint)


def checked_order(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the moments of rows that are in order.

    Raises
    ------
    InvalidInput
        The rows are not in order or not unique, or the index is no time.
    """
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


def checked_interval(frame: pd.DataFrame) -> Interval:
    """Return how long the candles of a frame are, where the rows agree with what the frame says.

    pandas keeps ``df.attrs`` when it groups rows: ``df.resample("1D").agg(...)`` still says 1h.

    Raises
    ------
    InvalidInput
        The rows are regularly farther apart than the frame says, and it names no gaps between them.
    """
    told = interval_of(frame)
    steps = np.diff(milliseconds(utc_index(frame)))
    if len(steps) < 2 or steps.min() <= told.nominal_ms or np.median(steps) != steps.min() or told.length_ms is None:
        return told
    if len(origin(frame).get("gaps", ())) >= len(steps):  # each step is a gap that was noted
        return told
    apart = pd.Timedelta(int(steps.min()), unit="ms")
    raise InvalidInput(
        "candles", f"the frame says that they are {told.name}, but its rows are {apart} apart.",
        hint="Make longer ones with df.bg.resample(...). If another has made them, call df.attrs.clear() first.",
    )  # fmt: skip


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
    """Return which rows were filled in and are no candles: they say so, or they have no price at all."""
    prices = [name for name in PRICES if name in frame.columns]
    made = np.zeros(len(frame), dtype=np.bool_)
    if prices:
        made |= frame[prices].isna().all(axis=1).to_numpy()
    if "filled" in frame.columns:
        made |= frame["filled"].to_numpy(dtype=bool)
    return made


def name_of(frame: pd.DataFrame, *keys: str) -> str:
    """Return what the frame says of itself under these keys, in one line."""
    told = origin(frame)
    return " · ".join(str(told[key]) for key in keys if told.get(key))
