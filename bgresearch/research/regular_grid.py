"""Candles on a regular time grid: one slot per possible bar, empty if the bar is missing. Pure.

Every calculation over several bars works on such a grid, so that a gap stays a gap: no return is computed across it,
and a window of 24 hours covers exactly 24 hours.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bgresearch.core.intervals import DAY_MS, INTERVALS, Anchor, Interval
from bgresearch.core.intervals import interval as interval_named
from bgresearch.errors import InvalidInput

YEAR_MS = 365 * DAY_MS  # the market never closes; leap days are ignored, as usual
_ENOUGH = 3  # steps; fewer may all be long by chance if most candles are missing
_ZONE = 'Use tz_localize("UTC").'
_HINTS = {
    "candles": "Pass the result of client.candles(...).",
    "rates": "Pass the result of client.funding_rates(...).",
}


def interval_of(candles: pd.DataFrame | pd.Series, name: str | None = None) -> Interval:
    """Return the interval of these candles: as named, that of their provenance, or the shortest step.

    Raises
    ------
    InvalidInput
        An unknown name; no interval can be determined: there are fewer than two candles, or their step is not a
        known interval; or their provenance disagrees with their spacing, as after pandas' own ``resample``.
    """
    if name:
        return interval_named(name)
    provenance = candles.attrs.get("bgresearch", {})
    stated = provenance.get("interval")
    steps = np.diff(times_of(candles).asi8)
    shortest = int(steps.min()) if len(steps) else 0
    months = 28 * DAY_MS <= shortest <= 31 * DAY_MS
    found = next((one for one in INTERVALS.values() if one.length_ms == (None if months else shortest)), None)
    if stated:
        length = interval_named(stated)
        # if no candle is missing, no step is long by chance
        enough = len(steps) >= _ENOUGH or provenance.get("gaps") == []
        regular = enough and (months or not (steps % shortest).any())
        if found and regular and found.nominal_ms > length.nominal_ms:
            cause = f"the provenance says {stated}, but the candles are {found.name} apart."
            raise InvalidInput(
                "interval", cause, hint=f'If they were resampled, pass the new interval: interval="{found.name}".'
            )
        return length
    if found is None:
        raise InvalidInput("interval", "is not known from these candles.", hint='Pass it: interval="1h".')
    return found


def periods_per_year(interval: str) -> float:
    """Return the number of candles per year: 365 days, as the market never closes; 12 for months.

    Examples
    --------
    >>> periods_per_year("1h")
    8760.0
    """
    length_ms = interval_named(interval).length_ms
    return 12.0 if length_ms is None else YEAR_MS / length_ms


def times_of(frame: pd.DataFrame | pd.Series, field: str = "candles") -> pd.DatetimeIndex:
    """Return the index in UTC.

    Raises
    ------
    InvalidInput
        It is not a time with a time zone, or not ascending and unique.
    """
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise InvalidInput(field, "the index is not a time with a time zone.", hint=_HINTS.get(field, _ZONE))
    if not index.is_monotonic_increasing or not index.is_unique:
        raise InvalidInput(field, "the index is not ascending and unique.", hint="Sort it: frame.sort_index().")
    return index.tz_convert("UTC").as_unit("ms")


def closing_times(candles: pd.DataFrame | pd.Series, *, interval: str | None = None) -> pd.DatetimeIndex:
    """Return when each candle closed, which is when its values become known.

    Parameters
    ----------
    candles : DataFrame or Series
        Index ``open_time`` (UTC).
    interval : str, optional
        Their interval; by default that of their provenance, else the shortest step.

    Returns
    -------
    DatetimeIndex
        ``known_at`` (datetime64[ms, UTC]), one per candle.

    Raises
    ------
    InvalidInput
        As in `interval_of`.
    """
    opens = times_of(candles)
    length = interval_of(candles, interval)
    if length.length_ms is not None:
        return (opens + pd.Timedelta(length.length_ms, unit="ms")).as_unit("ms").rename("known_at")
    anchor = _anchor(candles)
    ends = [length.next_open(int(at), anchor) for at in opens.asi8]
    return pd.DatetimeIndex(pd.to_datetime(ends, unit="ms", utc=True)).as_unit("ms").rename("known_at")


def traded(candles: pd.DataFrame) -> pd.DataFrame:
    """Return the candles without the rows that ``client.candles(fill=...)`` added."""
    if "filled" not in candles.columns:
        return candles
    return candles.drop(columns="filled")[~candles["filled"].to_numpy(dtype=bool)]


def on_grid(candles: pd.DataFrame, *, interval: str | None = None) -> pd.DataFrame:
    """Return the candles with an empty row (NaN) in every missing slot between the first and the last.

    Rows that ``client.candles(fill=...)`` added are not candles, and are emptied.

    Raises
    ------
    InvalidInput
        As in `interval_of`; or a candle opens between two slots.
    """
    opens = times_of(candles)
    length = interval_of(candles, interval)
    whole = traded(candles.set_axis(opens))
    if len(opens):
        slots = _slots(opens, length, _anchor(candles))
        if not opens.isin(slots).all():
            raise InvalidInput("candles", f"they do not open every {length.name}.", hint="Pass their interval=.")
        whole = whole.reindex(slots)
    return whole.rename_axis(index="open_time")


def _slots(opens: pd.DatetimeIndex, length: Interval, anchor: Anchor) -> pd.DatetimeIndex:
    if length.length_ms is not None:
        step = pd.Timedelta(length.length_ms, unit="ms")
        return pd.DatetimeIndex(pd.date_range(opens[0], opens[-1], freq=step, unit="ms"))
    at, last = int(opens.asi8[0]), int(opens.asi8[-1])
    slots = [at]
    while (at := length.next_open(at, anchor)) <= last:
        slots.append(at)
    return pd.DatetimeIndex(pd.to_datetime(slots, unit="ms", utc=True)).as_unit("ms")


def _anchor(candles: pd.DataFrame | pd.Series) -> Anchor:
    return "exchange" if candles.attrs.get("bgresearch", {}).get("anchor") == "exchange" else "utc"
