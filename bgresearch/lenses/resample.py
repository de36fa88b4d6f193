"""Longer candles out of shorter ones, and few enough of them that a chart stays fluid. Pure."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bgresearch.errors import InvalidInput
from bgresearch.intervals import DAY_MS, HOUR_MS, INTERVALS, WEEK_MS, Interval, interval

FLUID_BARS = 1500  # candlesticks are SVG boxes: Chromium pans this many without a stutter
_FIRST_MONDAY_MS = 4 * DAY_MS
_EXCHANGE_OFFSET_MS = 8 * HOUR_MS

_RULES = {
    "open": "first",
    "high": "max",
    "low": "min",
    "close": "last",
    "volume": "sum",
    "quote_volume": "sum",
}


def resample(candles: pd.DataFrame, length: str, *, anchor: str = "utc") -> pd.DataFrame:
    """Longer candles made of the given ones; a bar without any source candle is absent, never invented.

    Parameters
    ----------
    candles : DataFrame
        Index ``open_time`` (UTC, ascending); columns among open, high, low, close, volume, quote_volume.
    length : str
        Name of the new interval, for example ``"1h"``.
    anchor : {"utc", "exchange"}
        Where bars of 6h and longer open.

    Returns
    -------
    DataFrame
        Same columns, index ``open_time`` (UTC, ascending). The first and the last bar may be made of fewer source
        candles than the others. No disk, no network.

    Raises
    ------
    InvalidInput
        Unknown interval, or an index without a time zone.

    Examples
    --------
    >>> import pandas as pd
    >>> minutes = pd.DataFrame(
    ...     {"open": [1.0, 2.0], "high": [3.0, 2.5], "low": [0.5, 1.0], "close": [2.0, 1.5], "volume": [1.0, 1.0]},
    ...     index=pd.to_datetime(["2024-01-01 00:00Z", "2024-01-01 00:01Z"]).rename("open_time"),
    ... )
    >>> resample(minutes, "1h").iloc[0].to_dict()
    {'open': 1.0, 'high': 3.0, 'low': 0.5, 'close': 1.5, 'volume': 2.0}
    """
    target = interval(length)
    if anchor not in ("utc", "exchange"):
        raise InvalidInput("anchor", f"{anchor!r} is unknown.", hint="Use utc or exchange.")
    opens = _opens(_utc_index(candles), target, anchor)
    rules: dict[Any, Any] = {name: rule for name, rule in _RULES.items() if name in candles.columns}
    longer = candles.groupby(opens).agg(rules)
    longer.attrs = dict(candles.attrs)
    return longer


def fluid(candles: pd.DataFrame, *, max_bars: int = FLUID_BARS) -> tuple[pd.DataFrame, str]:
    """The candles in the shortest interval that needs at most ``max_bars`` bars, and that interval's name.

    Candles that are few enough come back as they are, with the interval they are spaced at.
    """
    step_ms = spacing_ms(candles)
    span_ms = _span_ms(candles)
    fitting = [one for one in INTERVALS.values() if one.nominal_ms >= step_ms and span_ms / one.nominal_ms <= max_bars]
    chosen = fitting[0] if fitting else INTERVALS["1M"]
    return (candles if chosen.nominal_ms == step_ms else resample(candles, chosen.name)), chosen.name


def spacing_ms(candles: pd.DataFrame) -> int:
    """The shortest step between two candles, which is their length; a minute if there is only one."""
    steps = _utc_index(candles).to_series().diff().dropna()
    return int(steps.min() / pd.Timedelta(1, unit="ms")) if len(steps) else INTERVALS["1m"].nominal_ms


def _utc_index(candles: pd.DataFrame) -> pd.DatetimeIndex:
    index = candles.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise InvalidInput("candles", "the index is not a time with a time zone.", hint="Use client.candles(...).")
    return index.tz_convert("UTC")


def _opens(index: pd.DatetimeIndex, target: Interval, anchor: str) -> pd.DatetimeIndex:
    shift = pd.Timedelta(_EXCHANGE_OFFSET_MS if anchor == "exchange" and target.anchored else 0, unit="ms")
    local = index + shift
    if target.length_ms is None:
        days = local.normalize()
        opens = days - pd.to_timedelta(days.day - 1, unit="D")
    else:
        phase = pd.Timedelta(_FIRST_MONDAY_MS if target.length_ms == WEEK_MS else 0, unit="ms")
        opens = (local - phase).floor(pd.Timedelta(target.length_ms, unit="ms")) + phase
    return pd.DatetimeIndex(opens - shift).as_unit("ms").rename("open_time")


def _span_ms(candles: pd.DataFrame) -> float:
    index = _utc_index(candles)
    return float((index[-1] - index[0]) / pd.Timedelta(1, unit="ms")) if len(index) else 0.0
