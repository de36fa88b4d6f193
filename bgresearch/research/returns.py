"""Returns of candles. No return is computed across a missing bar unless requested. Pure.

simple  r(t) = close(t) / close(t-1) - 1          log  r(t) = ln(close(t) / close(t-1))

Source: J. Y. Campbell, A. W. Lo, A. C. MacKinlay, The Econometrics of Financial Markets, Princeton 1997, section 1.4.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bgresearch.errors import InvalidInput
from bgresearch.research.regular_grid import on_grid, times_of, traded

_HINT = "Pass the result of client.candles(...)."


def simple_returns(
    candles: pd.DataFrame, *, column: str = "close", across_gaps: bool = False, interval: str | None = None
) -> pd.Series:
    """Return each candle's price change as a ratio of the previous price.

    Parameters
    ----------
    candles : DataFrame
        Index ``open_time`` (UTC, ascending, unique); the result of ``client.candles``.
    column : str
        The price column.
    across_gaps : bool
        Whether the bar after a gap is compared with the last one before it. By default its return is NaN, as it would
        span more than one bar.
    interval : str, optional
        Interval of the candles; by default that of their provenance, else the shortest step.

    Returns
    -------
    Series
        Ratio (float64) by ``open_time``; NaN for the first candle, after a gap, and for filled rows.
        Each return is known when its candle closes: see `bgresearch.research.regular_grid.closing_times`.

    Raises
    ------
    InvalidInput
        No such column, a price that is not above 0, or an index that is not an ascending time.

    Examples
    --------
    >>> index = pd.date_range("2026-01-01", periods=3, freq="1h", tz="UTC", name="open_time")
    >>> simple_returns(pd.DataFrame({"close": [100.0, 110.0, 99.0]}, index=index)).round(4).tolist()
    [nan, 0.1, -0.1]
    """
    logs = log_returns(candles, column=column, across_gaps=across_gaps, interval=interval)
    return pd.Series(np.expm1(logs), name="return")


def log_returns(
    candles: pd.DataFrame, *, column: str = "close", across_gaps: bool = False, interval: str | None = None
) -> pd.Series:
    """Return the logarithm of each candle's price over the previous one; parameters and result as `simple_returns`.

    Examples
    --------
    >>> index = pd.date_range("2026-01-01", periods=3, freq="1h", tz="UTC", name="open_time")
    >>> log_returns(pd.DataFrame({"close": [100.0, 110.0, 99.0]}, index=index)).round(4).tolist()
    [nan, 0.0953, -0.1054]
    """
    opens = times_of(candles)
    if across_gaps:
        bars = traded(candles.set_axis(opens))
    elif len(candles) < 2:
        bars = candles.set_axis(opens)
    else:
        bars = on_grid(candles, interval=interval)
    logs = log_prices(bars, (column,))[column]
    changes = logs.dropna().diff() if across_gaps else logs.diff()
    return changes.reindex(opens).set_axis(candles.index).rename("log_return").rename_axis("open_time")


def log_prices(bars: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the logarithms of prices, NaN where a price is missing.

    Raises
    ------
    InvalidInput
        A column is missing, or a price is not above 0 or not finite.
    """
    absent = [name for name in columns if name not in bars.columns]
    if absent:
        hint = f"{_HINT} A panel needs them, too: client.panel(..., fields=[{', '.join(map(repr, columns))}])."
        raise InvalidInput("candles", f"it has no column {', '.join(absent)}.", hint=hint)
    prices = bars[list(columns)].astype("float64")
    wrong = ((prices <= 0) | (prices == np.inf)).any(axis=1)
    if wrong.any():
        raise InvalidInput(
            "candles", f"a price is not a finite number above 0 at {prices.index[wrong][0]}.", hint=_HINT
        )
    return pd.DataFrame(np.log(prices))
