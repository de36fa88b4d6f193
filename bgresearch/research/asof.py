"""Point-in-time joins: series of different timing side by side, without look-ahead. Pure.

A candle that opens at t is known when it closes, a funding rate when it is settled, a recorded value when its
response was received. ``known`` gives a frame these times as its index; ``asof`` looks up, for any time, the last row
known by then.
"""

from __future__ import annotations

import pandas as pd

from bgresearch.core.intervals import INTERVALS
from bgresearch.errors import InvalidInput
from bgresearch.research.regular_grid import closing_times

_NONE = pd.Timedelta(0)


def known(frame: pd.DataFrame, *, interval: str | None = None, delay: str | pd.Timedelta = _NONE) -> pd.DataFrame:
    """Return a frame indexed by the times at which its rows became known.

    Parameters
    ----------
    frame : DataFrame
        Candles (index ``open_time``, or columns open and close): known at their close. Bars of trades (column
        ``known_at``): known then. Recordings (``client.recorded``, column ``asked``): known when the response was
        received. Anything else by ``time``, such as ``client.funding_rates``: known at that time; with ``interval``
        one such length later, for series whose time is the start of a period.
    interval : str, optional
        Length of the candles or of the periods.
    delay : str or Timedelta
        Additional delay until you would have had it, ``"2s"``.

    Returns
    -------
    DataFrame
        The same columns, index ``known_at`` (datetime64[ms, UTC], ascending).

    Raises
    ------
    InvalidInput
        The index is not a time with a time zone, or a duration is not valid.

    Examples
    --------
    >>> opens = pd.to_datetime(["2026-01-01T00:00Z", "2026-01-01T01:00Z"]).rename("open_time")
    >>> known(pd.DataFrame({"close": [1.0, 2.0]}, index=opens)).index[0].isoformat()
    '2026-01-01T01:00:00+00:00'
    """
    if "known_at" in frame.columns:
        times = _utc(pd.DatetimeIndex(frame["known_at"]))
    elif _are_candles(frame):
        times = closing_times(frame, interval=interval) if len(frame) else _utc(frame.index)
    elif "asked" in frame.columns:
        times = _utc(pd.DatetimeIndex(frame["asked"]))
    else:
        times = _utc(frame.index) + _length(interval)
    later = (times + lasting(delay, "delay")).as_unit("ms").rename("known_at")
    return frame.set_axis(later).sort_index(kind="stable")


def asof(
    moments: pd.DatetimeIndex, frame: pd.DataFrame, *, no_older_than: str | pd.Timedelta | None = None
) -> pd.DataFrame:
    """Return, for each time, the last row that was known at or before it.

    Parameters
    ----------
    moments : DatetimeIndex
        UTC, in any order.
    frame : DataFrame
        Index ``known_at`` (UTC, ascending); of rows known at the same time, the last one counts.
    no_older_than : str or Timedelta, optional
        A row that has been known for longer is not used: ``"0s"`` uses only what became known at that very time.
        Without it no row is too old.

    Returns
    -------
    DataFrame
        The columns of the frame by ``moments``; NaN where no row was known.

    Raises
    ------
    InvalidInput
        An index is not a time with a time zone, or the frame's is not ascending.

    Examples
    --------
    >>> rates = pd.DataFrame({"rate": [0.1, 0.2]}, index=pd.to_datetime(["2026-01-01T00:00Z", "2026-01-01T08:00Z"]))
    >>> asof(pd.to_datetime(["2026-01-01T07:59Z", "2026-01-01T08:00Z"]), rates).rate.tolist()
    [0.1, 0.2]
    """
    wanted, times = _utc(moments), _utc(frame.index)
    if not times.is_monotonic_increasing:
        raise InvalidInput("frame", "its times are not ascending.", hint="Use known(frame), which sorts.")
    place = times.searchsorted(wanted, side="right") - 1
    found = place >= 0
    if no_older_than is not None and len(times):
        found &= wanted - times[place.clip(min=0)] <= lasting(no_older_than, "no_older_than")
    rows = frame.reset_index(drop=True).reindex(pd.Index(place).where(found, -1))
    return rows.set_axis(moments)


def _are_candles(frame: pd.DataFrame) -> bool:
    """Recognise candles also by their columns: an index that lost its name must not make them known at their open."""
    return frame.index.name == "open_time" or (
        frame.index.name != "known_at" and {"open", "close"} <= set(frame.columns)
    )


def lasting(length: str | pd.Timedelta, name: str) -> pd.Timedelta:
    """Return a duration.

    Raises
    ------
    InvalidInput
        It is not a duration, or below 0.
    """
    try:
        parsed = pd.Timedelta(length)
    except ValueError as error:
        raise InvalidInput(name, f"{length!r} is not a duration.", hint='Write "30s", "8h", "30D".') from error
    if not parsed >= _NONE:
        raise InvalidInput(name, f"{length!r} is below 0.", hint='Write "30s", "8h", "30D".')
    return parsed


def _length(interval: str | None) -> pd.Timedelta:
    if interval is None:
        return _NONE
    known_interval = INTERVALS.get(interval)
    length_ms = known_interval.length_ms if known_interval else None
    if length_ms is None:
        raise InvalidInput("interval", f"{interval!r} has no fixed length.", hint="Use 5m, 1h, 1d.")
    return pd.Timedelta(length_ms, unit="ms")


def _utc(index: pd.Index) -> pd.DatetimeIndex:
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise InvalidInput("index", "it is not a time with a time zone.", hint="Use tz_localize('UTC').")
    return index.tz_convert("UTC").as_unit("ms")
