"""The provenance of a frame of candles: interval and anchor, requested span, recorded gaps. Pure.

Read from ``df.attrs["bgresearch"]``, and from the index where that has no entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from bgresearch.core.intervals import INTERVALS, Anchor, Grid, Interval, interval
from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput

PRICES = ("open", "high", "low", "close")
NUMBERS = (*PRICES, "volume", "quote_volume")
_ASK = "Pass the result of client.candles(...)."


def origin(frame: pd.DataFrame | pd.Series) -> dict[str, Any]:
    """Return the provenance that a verb of the client attached to the frame; empty if there is none."""
    stated = frame.attrs.get("bgresearch")
    return stated if isinstance(stated, dict) else {}


def utc_index(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the times of the rows.

    Raises
    ------
    InvalidInput
        The index is not a time, has no time zone, or contains NaT.
    """
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex):
        hint = 'Set the times as index: df.set_index("open_time").' if "open_time" in frame.columns else _ASK
        raise InvalidInput("candles", "the index is not a time with a time zone.", hint=hint)
    if index.tz is None:
        hint = 'If its times are UTC, say so: df.tz_localize("UTC").'
        raise InvalidInput("candles", "the index is not a time with a time zone.", hint=hint)
    if index.hasnans:
        raise InvalidInput("candles", "a row has no time (NaT).", hint="Drop such rows: df[df.index.notna()].")
    return index.tz_convert("UTC")


def milliseconds(index: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the times as epoch milliseconds."""
    return index.as_unit("ms").asi8


def checked_candles(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the times of candles that are in order.

    Raises
    ------
    InvalidInput
        A price column is missing or not numeric, there is no row, or the rows are not in order or not unique.
    """
    checked_columns(frame)
    if frame.empty:
        raise InvalidInput("candles", "it has no candles.", hint=_ASK)
    return checked_order(frame)


def checked_columns(frame: pd.DataFrame, wanted: Sequence[str] = PRICES) -> None:
    """Refuse a frame that does not hold candles.

    Raises
    ------
    InvalidInput
        A required column is missing or duplicated; prices or volumes are not numeric.
    """
    absent = [name for name in wanted if name not in frame.columns]
    if absent:
        raise InvalidInput("candles", f"no column {', '.join(absent)}.", hint=_ASK)
    there = [name for name in NUMBERS if name in frame.columns]
    twins = [name for name in there if isinstance(frame[name], pd.DataFrame)]
    if twins:
        cause = f"there are several columns named {', '.join(twins)}."
        raise InvalidInput("candles", cause, hint="Pass the candles of one symbol at a time.")
    texts = [name for name in there if not is_numeric_dtype(frame[name])]
    if texts:
        hint = f'Convert them to numbers: df.astype(dict.fromkeys({texts}, "float64")).'
        raise InvalidInput("candles", f"{', '.join(texts)}: not a numeric column.", hint=hint)


def checked_order(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the times of rows that are in order.

    Raises
    ------
    InvalidInput
        The rows are not in order or not unique, or the index is not a time.
    """
    index = utc_index(frame)
    if not (index.is_monotonic_increasing and index.is_unique):
        raise InvalidInput(
            "candles",
            "the rows are not in order or not unique.",
            hint="df.bg.quality() lists them; sort the rows and drop duplicates.",
        )
    return index


def spacing_ms(frame: pd.DataFrame) -> int:
    """The shortest step between two rows, taken as a candle's length; a minute if there is only one row."""
    steps = np.diff(milliseconds(utc_index(frame)))
    steps = steps[steps > 0]
    return int(steps.min()) if len(steps) else INTERVALS["1m"].nominal_ms


def interval_of(frame: pd.DataFrame, name: str | None = None) -> Interval:
    """Return the interval of a frame's candles.

    Parameters
    ----------
    frame : DataFrame
        Candles by ``open_time``.
    name : str, optional
        The interval if the caller knows it; otherwise that of the provenance, otherwise the shortest step.

    Raises
    ------
    InvalidInput
        There is no interval of that name, or the index is not a time.
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
    """Return the interval of a frame's candles, after checking the rows against the provenance.

    pandas keeps ``df.attrs`` when it groups rows: ``df.resample("1D").agg(...)`` still says 1h.

    Raises
    ------
    InvalidInput
        The rows are regularly farther apart than the provenance says, and it has no gaps between them.
    """
    stated = interval_of(frame)
    steps = np.diff(milliseconds(utc_index(frame)))
    if (
        len(steps) < 2
        or steps.min() <= stated.nominal_ms
        or np.median(steps) != steps.min()
        or stated.length_ms is None
    ):
        return stated
    if len(origin(frame).get("gaps", ())) >= len(steps):  # each step is a recorded gap
        return stated
    apart = pd.Timedelta(int(steps.min()), unit="ms")
    raise InvalidInput(
        "candles", f"the provenance says {stated.name}, but the rows are {apart} apart.",
        hint="Make longer candles with df.bg.resample(...). If other code made them, call df.attrs.clear() first.",
    )  # fmt: skip


def anchor_of(frame: pd.DataFrame, anchor: str | None = None) -> Anchor:
    """Return the anchor at which the frame's long candles open.

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
    """Return the grid of a frame's candles; the first row determines it for three-day candles."""
    grid = Grid(interval_of(frame), anchor_of(frame))
    opens = milliseconds(utc_index(frame))
    return grid.learned(int(opens[0])) if len(opens) else grid


def span_of(frame: pd.DataFrame) -> Span:
    """Return the closed part of the requested span; without provenance, from the first row to the end of the last."""
    closed = origin(frame).get("closed")
    if closed:
        start, end = (int(pd.Timestamp(moment).value // 1_000_000) for moment in closed)
        return Span(start, end)
    opens = milliseconds(utc_index(frame))
    if not len(opens):
        return Span(0, 0)
    return Span(int(opens.min()), grid_of(frame).interval.next_open(int(opens.max()), anchor_of(frame)))


def closed_until(frame: pd.DataFrame) -> int | None:
    """Return the time (ms) from which candles of the frame were still forming, None if it is not recorded."""
    closed = origin(frame).get("closed")
    return int(pd.Timestamp(closed[1]).value // 1_000_000) if closed else None


def made_up(frame: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which rows were filled in and are not candles: flagged ``filled``, or without any price."""
    prices = [name for name in PRICES if name in frame.columns]
    made = np.zeros(len(frame), dtype=np.bool_)
    if prices:
        made |= frame[prices].isna().all(axis=1).to_numpy()
    if "filled" in frame.columns:
        made |= frame["filled"].to_numpy(dtype=bool)
    return made


def name_of(frame: pd.DataFrame, *keys: str) -> str:
    """Return the provenance under these keys, in one line."""
    stated = origin(frame)
    return " · ".join(str(stated[key]) for key in keys if stated.get(key))
