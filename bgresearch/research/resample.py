"""Longer candles from shorter ones, and few enough of them that a chart stays fluid. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bgresearch.core.intervals import (
    DAY_MS,
    EXCHANGE_OFFSET_MS,
    INTERVALS,
    WEEK_MS,
    Anchor,
    Interval,
    interval,
)
from bgresearch.errors import InvalidInput
from bgresearch.research.quality.provenance import (
    PRICES,
    anchor_of,
    checked_candles,
    closed_until,
    interval_of,
    made_up,
    milliseconds,
    spacing_ms,
    utc_index,
)

FLUID_BARS = 1500  # candlesticks are SVG boxes: Chromium pans this many without a stutter
_FIRST_MONDAY_MS = 4 * DAY_MS

_RULES = {
    "open": "first",
    "high": "max",
    "low": "min",
    "close": "last",
    "volume": "sum",
    "quote_volume": "sum",
}


def resample(
    candles: pd.DataFrame, length: str, *, anchor: str | None = None, made_of: str | None = None
) -> pd.DataFrame:  # fmt: skip
    """Longer candles made from the given ones; a bar without any source candle is left out, never invented.

    Parameters
    ----------
    candles : DataFrame
        Index ``open_time`` (UTC, ascending, unique); columns open, high, low, close and optionally volume,
        quote_volume and ``filled``. Other columns are dropped.
    length : str
        Name of the new interval, for example ``"1h"``. Weeks open on Monday, months on the first.
    anchor : {"utc", "exchange"}, optional
        Where bars of 6h and longer open: on UTC boundaries or on those of UTC+8; by default the frame's own anchor.
    made_of : str, optional
        The interval of ``candles``. Needed only if the provenance does not have it and it is not the shortest step.

    Returns
    -------
    DataFrame
        Index ``open_time`` (datetime64[ms, UTC], ascending). The columns of ``candles`` named above, float64: first
        open, highest high, lowest low, last close, sums of the volumes. Then ``complete`` (bool): whether every
        source candle of the bar is present with its prices, closed and, if it was resampled itself, complete. Filled
        rows are not candles: they are ignored if the bar has a candle, and a bar with only filled rows is flagged in
        ``filled`` (bool). No disk, no network.

    Raises
    ------
    InvalidInput
        Unknown interval; one that is shorter than, or not a multiple of, the source interval; rows out of order.

    Notes
    -----
    A candle that the exchange does not have makes its bar incomplete, too; the exchange's own longer candle is
    made of the same remaining candles. ``df.attrs["bgresearch"]["resampled_from"]`` names the source interval.

    Examples
    --------
    >>> import pandas as pd
    >>> minutes = pd.DataFrame(
    ...     {"open": [1.0, 2.0], "high": [3.0, 2.5], "low": [0.5, 1.0], "close": [2.0, 1.5], "volume": [1.0, 1.0]},
    ...     index=pd.to_datetime(["2024-01-01 00:00Z", "2024-01-01 00:01Z"]).rename("open_time"),
    ... )
    >>> resample(minutes, "1h").iloc[0].to_dict()
    {'open': 1.0, 'high': 3.0, 'low': 0.5, 'close': 1.5, 'volume': 2.0, 'complete': False}
    """
    target = interval(length)
    where = anchor_of(candles, anchor)
    index = checked_candles(candles)
    source = interval_of(candles, made_of)
    _refuse_misfits(index, source, target, where, anchor_of(candles))
    longer = _with_flags(candles, target, where)
    present = _counted(candles, index, source, target, where)
    longer["complete"] = present.reindex(longer.index, fill_value=0) == _wanted(longer.index, source, target, where)
    longer.attrs = dict(candles.attrs)
    if about := longer.attrs.get("bgresearch"):
        made = {"interval": target.name, "anchor": where, "resampled_from": about.get("resampled_from", source.name)}
        longer.attrs["bgresearch"] = {**about, **made}
    return longer


def fold(candles: pd.DataFrame, target: Interval, anchor: str = "utc") -> pd.DataFrame:
    """Longer candles without checking the source candles; `resample` checks them."""
    opens = opens_of(utc_index(candles), target, anchor)
    rules: dict[Any, Any] = {name: rule for name, rule in _RULES.items() if name in candles.columns}
    longer = candles.groupby(opens).agg(rules)
    longer.attrs = dict(candles.attrs)
    return longer


def fluid(candles: pd.DataFrame, *, max_bars: int = FLUID_BARS) -> tuple[pd.DataFrame, str]:
    """The candles at the shortest interval with at most ``max_bars`` bars, and that interval's name.

    If there are few enough candles, they are returned unchanged, with the interval of their spacing.
    """
    step_ms = spacing_ms(candles)
    span_ms = _span_ms(candles)
    fitting = [one for one in INTERVALS.values() if one.nominal_ms >= step_ms and span_ms / one.nominal_ms <= max_bars]
    chosen = fitting[0] if fitting else INTERVALS["1M"]
    return (candles if chosen.nominal_ms == step_ms else fold(candles, chosen)), chosen.name


def opens_of(index: pd.DatetimeIndex, target: Interval, anchor: str) -> pd.DatetimeIndex:
    """Return the open of the longer candle that contains each time."""
    shift = pd.Timedelta(EXCHANGE_OFFSET_MS if anchor == "exchange" and target.anchored else 0, unit="ms")
    local = index + shift
    if target.length_ms is None:
        days = local.normalize()
        opens = days - pd.to_timedelta(days.day - 1, unit="D")
    else:
        phase = pd.Timedelta(_FIRST_MONDAY_MS if target.length_ms == WEEK_MS else 0, unit="ms")
        opens = (local - phase).floor(pd.Timedelta(target.length_ms, unit="ms")) + phase
    return pd.DatetimeIndex(opens - shift).as_unit("ms").rename("open_time")


def _refuse_misfits(
    index: pd.DatetimeIndex, source: Interval, target: Interval, anchor: Anchor, own_anchor: Anchor
) -> None:  # fmt: skip
    if target.nominal_ms < source.nominal_ms:
        raise InvalidInput(
            "interval", f"{target.name} is shorter than the candles, which are {source.name}.",
            hint="Request shorter ones from client.candles.",
        )  # fmt: skip
    whole = DAY_MS if target.length_ms is None else target.length_ms
    same = source.length_ms == target.length_ms
    fits = same if source.length_ms is None else (whole % source.length_ms == 0 or same)
    last = index + pd.Timedelta((source.length_ms or 1) - 1, unit="ms")
    if not fits or (opens_of(index, target, anchor) != opens_of(last, target, anchor)).any():
        anchored = f" that open on {own_anchor} boundaries" if anchor != own_anchor else ""
        raise InvalidInput(
            "interval", f"{target.name} cannot be made from {source.name} candles{anchored}: some would span two bars.",
            hint="Choose a multiple of the candles' own interval, or request shorter ones from client.candles.",
        )  # fmt: skip


def _with_flags(candles: pd.DataFrame, target: Interval, anchor: Anchor) -> pd.DataFrame:
    """Aggregate; filled rows count only if a bar has no other row."""
    if "filled" not in candles.columns:
        return fold(candles, target, anchor)
    flagged = made_up(candles)
    real, filled = fold(candles[~flagged], target, anchor), fold(candles[flagged], target, anchor)
    only = filled[~filled.index.isin(real.index)]
    parts = [real.assign(filled=False), only.assign(filled=True)]
    return pd.concat([part for part in parts if len(part)] or parts[:1]).sort_index()


def _counted(
    candles: pd.DataFrame, index: pd.DatetimeIndex, source: Interval, target: Interval, anchor: Anchor
) -> pd.Series:  # fmt: skip
    """Number of complete and closed source candles of each bar."""
    counts = ~made_up(candles) & candles[list(PRICES)].notna().to_numpy().all(axis=1)
    if "complete" in candles.columns:  # candles that were resampled before
        counts &= candles["complete"].to_numpy(dtype=bool)
    if (end := closed_until(candles)) is not None:
        counts &= milliseconds(index) < end
    return pd.Series(1, index=opens_of(index[counts], target, anchor)).groupby(level=0).sum()


def _wanted(opens: pd.Index, source: Interval, target: Interval, anchor: Anchor) -> np.ndarray[Any, Any]:
    """Number of source candles of a complete bar."""
    if target.length_ms is not None:
        return np.full(len(opens), target.length_ms // (source.length_ms or target.length_ms))
    if source.length_ms is None:
        return np.ones(len(opens), dtype="int64")
    starts = milliseconds(pd.DatetimeIndex(opens))
    ends = np.array([target.next_open(int(start), anchor) for start in starts], dtype="int64")
    counts: np.ndarray[Any, Any] = (ends - starts) // source.length_ms
    return counts


def _span_ms(candles: pd.DataFrame) -> float:
    index = utc_index(candles)
    return float((index[-1] - index[0]) / pd.Timedelta(1, unit="ms")) if len(index) else 0.0
