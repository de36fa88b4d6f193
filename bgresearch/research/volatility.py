"""Realised volatility of candles: five estimators, over rolling windows or a whole sample, per year. Pure.

With o, h, l, c the logarithms of a bar's open, high, low and close and c' the close before it, each estimates the
variance of one bar; the result is sqrt(periods_per_year * variance).

close_to_close   sum (r - mean r)^2 / (n-1),  r = c - c'                           sample variance of log returns
parkinson        mean (h - l)^2 / (4 ln 2)                                          Parkinson 1980, eq. 4
garman_klass     mean [(h - l)^2 / 2 - (2 ln 2 - 1)(c - o)^2]                       Garman & Klass 1980, practical form
rogers_satchell  mean [(h - c)(h - o) + (l - c)(l - o)]                             Rogers & Satchell 1991
yang_zhang       Vo + k Vc + (1 - k) Vrs,  k = 0.34 / (1.34 + (n+1)/(n-1))          Yang & Zhang 2000, alpha = 1.34
                 Vo, Vc: sample variances of o - c' and c - o; Vrs: Rogers-Satchell

The variance of the estimate is smaller by about 4.9, 7.4, 6 and (with an opening jump) up to 14 times than that of
squared returns. Drift biases Parkinson and Garman-Klass; a jump between a close and the next open is seen by
close_to_close and yang_zhang alone (a market that never closes has next to none). Since prices are seen only when
trades occur, highs are too low and lows too high: on bars with few trades all but close_to_close are biased downwards.

Sources: M. Parkinson, J. Business 53 (1980) 61-65. M. B. Garman, M. J. Klass, J. Business 53 (1980) 67-78.
L. C. G. Rogers, S. E. Satchell, Ann. Appl. Probab. 1 (1991) 504-512. D. Yang, Q. Zhang, J. Business 73 (2000) 477-491.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Protocol, cast, overload

import numpy as np
import pandas as pd

from bgresearch.errors import InvalidInput
from bgresearch.research import regular_grid as grid
from bgresearch.research.returns import log_prices


class Estimator(Protocol):
    """How an estimator is called: it returns a number for the whole sample, or a series by windows."""

    @overload
    def __call__(
        self, candles: pd.DataFrame, window: None = None, *, periods_per_year: float | None = None,
        min_periods: int | None = None, interval: str | None = None,
    ) -> float: ...  # fmt: skip
    @overload
    def __call__(
        self, candles: pd.DataFrame, window: int, *, periods_per_year: float | None = None,
        min_periods: int | None = None, interval: str | None = None,
    ) -> pd.Series: ...  # fmt: skip


def _takes_panels(estimate: Callable[..., pd.Series | float]) -> Estimator:
    """Return an estimator that also takes a panel of many symbols, and estimates each by itself."""

    @functools.wraps(estimate)
    def of_each(candles: pd.DataFrame, window: int | None = None, **options: Any) -> Any:
        symbols = _symbols_of(candles)
        if symbols is None:
            return estimate(candles, window, **options)
        found = {symbol: estimate(frame, window, **options) for symbol, frame in symbols.items()}
        if window is None:
            return pd.Series(found, name=estimate.__name__, dtype="float64").rename_axis("symbol")
        table = pd.DataFrame(found).rename_axis(columns="symbol")
        table.index.name = candles.index.names[0]
        return table

    return cast(Estimator, of_each)


def _symbols_of(candles: pd.DataFrame) -> dict[str, pd.DataFrame] | None:
    """Return each symbol's own columns of a panel, wide, long, or of closes alone; None of a frame of candles."""
    about = candles.attrs
    if candles.index.nlevels == 2:
        candles = pd.DataFrame(candles.unstack("symbol"))
    parts: dict[str, pd.DataFrame]
    if candles.columns.nlevels == 2:
        parts = {str(one): pd.DataFrame(candles.xs(one, axis=1, level=1)) for one in candles.columns.unique(1)}
    elif candles.columns.name == "symbol" and "close" not in candles.columns:
        parts = {str(one): candles[[one]].set_axis(["close"], axis=1) for one in candles.columns}
    else:
        return None
    for part in parts.values():
        part.attrs = about
    return parts


_PRICES = ("open", "high", "low", "close")
Logs = pd.DataFrame


@_takes_panels
def close_to_close(
    candles: pd.DataFrame, window: int | None = None, *, periods_per_year: float | None = None,
    min_periods: int | None = None, interval: str | None = None,
) -> pd.Series | float:  # fmt: skip
    """Return the volatility by the sample variance of log returns.

    Parameters
    ----------
    candles : DataFrame
        Index ``open_time`` (UTC, ascending, unique); columns open, high, low, close (here close alone). Or what
        ``client.panel`` returned with these fields, wide or long, or its closes alone: each symbol is estimated by
        itself.
    window : int, optional
        Number of bars of each estimate, including its own (1 or more; 2 for close_to_close and yang_zhang); without one
        the whole frame is one sample.
    periods_per_year : float, optional
        By default the number of such candles in 365 days (months: 12), as the market never closes. 1 gives the
        volatility of one bar.
    min_periods : int, optional
        Estimates from fewer bars are NaN. By default the whole window, so one gap makes every window that contains it
        NaN; without a window 1. Never less than 2 for close_to_close and yang_zhang.
    interval : str, optional
        Interval of the candles; by default that of their provenance, else the shortest step.

    Returns
    -------
    Series or float, of a panel DataFrame or Series by symbol
        Ratio per sqrt(year), 0.8 is 80 %. With a window: float64 by ``open_time``, one value per candle, from candles
        up to and including that one, so it is known when the candle closes. Without: one number, NaN if there are too
        few bars.
        A missing bar, a filled row or a NaN price is left out; it is never replaced by an older bar.

    Raises
    ------
    InvalidInput
        A column is missing, a price is not above 0, the index is not an ascending time, or the window is not valid.

    Notes
    -----
    Source: the module's formulas.

    Examples
    --------
    >>> index = pd.date_range("2026-01-01", periods=4, freq="1D", tz="UTC", name="open_time")
    >>> round(close_to_close(pd.DataFrame({"close": [100.0, 101.0, 99.0, 100.0]}, index=index)), 4)
    0.3309
    """
    sample = _Sample(candles, window, periods_per_year, min_periods, interval, columns=("close",), shortest=2)
    return sample.annualised(sample.variance(sample.logs["close"].diff()), "close_to_close")


@_takes_panels
def parkinson(
    candles: pd.DataFrame, window: int | None = None, *, periods_per_year: float | None = None,
    min_periods: int | None = None, interval: str | None = None,
) -> pd.Series | float:  # fmt: skip
    """Return the volatility from the range of each bar; parameters, result and errors as `close_to_close`.

    Assumes no drift and no jumps. Source: Parkinson 1980.
    """
    sample = _Sample(candles, window, periods_per_year, min_periods, interval, columns=("high", "low"))
    return sample.annualised(
        sample.mean((sample.logs["high"] - sample.logs["low"]) ** 2) / (4 * math.log(2)), "parkinson"
    )


@_takes_panels
def garman_klass(
    candles: pd.DataFrame, window: int | None = None, *, periods_per_year: float | None = None,
    min_periods: int | None = None, interval: str | None = None,
) -> pd.Series | float:  # fmt: skip
    """Return the volatility from range and change of each bar; parameters, result and errors as `close_to_close`.

    Assumes no drift and no jumps. Source: Garman and Klass 1980, the practical form without the cross terms.
    """
    sample = _Sample(candles, window, periods_per_year, min_periods, interval)
    logs = sample.logs
    change, width = logs["close"] - logs["open"], logs["high"] - logs["low"]
    return sample.annualised(sample.mean(0.5 * width**2 - (2 * math.log(2) - 1) * change**2), "garman_klass")


@_takes_panels
def rogers_satchell(
    candles: pd.DataFrame, window: int | None = None, *, periods_per_year: float | None = None,
    min_periods: int | None = None, interval: str | None = None,
) -> pd.Series | float:  # fmt: skip
    """Return the volatility from all four prices of each bar; parameters, result and errors as `close_to_close`.

    Independent of drift; assumes no jumps. Source: Rogers and Satchell 1991.
    """
    sample = _Sample(candles, window, periods_per_year, min_periods, interval)
    return sample.annualised(sample.mean(_rogers_satchell_terms(sample.logs)), "rogers_satchell")


@_takes_panels
def yang_zhang(
    candles: pd.DataFrame, window: int | None = None, *, periods_per_year: float | None = None,
    min_periods: int | None = None, interval: str | None = None,
) -> pd.Series | float:  # fmt: skip
    """Return the volatility from opening jumps and all four prices; parameters and result as `close_to_close`.

    Independent of drift, and including the jump from one bar's close to the next open. A bar whose predecessor is
    missing is left out, as its jump is not known; ``k`` uses the number of bars present. Source: Yang and
    Zhang 2000.
    """
    sample = _Sample(candles, window, periods_per_year, min_periods, interval, shortest=2)
    logs = sample.logs.dropna().reindex(sample.logs.index)  # all four prices, or no bar
    jump = logs["open"] - logs["close"].shift()
    known = jump.notna()
    counted = sample.count(jump)
    with np.errstate(divide="ignore", invalid="ignore"):
        k = 0.34 / (1.34 + (counted + 1) / (counted - 1))
    inside = sample.variance((logs["close"] - logs["open"]).where(known))
    range_terms = sample.mean(_rogers_satchell_terms(logs).where(known), least=2)
    return sample.annualised(sample.variance(jump) + k * inside + (1 - k) * range_terms, "yang_zhang")


def _rogers_satchell_terms(logs: Logs) -> pd.Series:
    high, low, opened, close = logs["high"], logs["low"], logs["open"], logs["close"]
    return (high - close) * (high - opened) + (low - close) * (low - opened)


class _Sample:
    """The logarithms of the prices on their grid, and the parameters of the estimate."""

    def __init__(
        self, candles: pd.DataFrame, window: int | None, periods: float | None, least: int | None,
        interval: str | None, *, columns: tuple[str, ...] = _PRICES, shortest: int = 1,
    ) -> None:  # fmt: skip
        whole = isinstance(window, int | np.integer) and not isinstance(window, bool)
        if window is not None and (not whole or window < shortest):
            raise InvalidInput("window", f"{window!r} bars are too few.", hint=f"{shortest} or more, or no window.")
        if least is not None and not 1 <= least <= (window or least):
            raise InvalidInput("min_periods", f"{least!r} bars are never available.", hint="Use 1 up to the window.")
        if periods is not None and not periods > 0:
            raise InvalidInput("periods_per_year", f"{periods!r} is not above 0.")
        self._index = candles.index
        self._opens = grid.times_of(candles)
        self._window, self._least = window, least
        stated = interval or candles.attrs.get("bgresearch", {}).get("interval")
        enough = len(candles) > 1 or bool(stated)
        bars = grid.on_grid(candles, interval=interval) if enough else candles.set_axis(self._opens)
        self.logs = log_prices(bars, columns)
        if periods is None:
            periods = grid.periods_per_year(grid.interval_of(candles, interval).name) if enough else math.nan
        self._periods = periods

    def mean(self, terms: pd.Series, *, least: int = 1) -> Any:
        """Return the mean of the present values, NaN if there are too few."""
        if self._window is None:
            return terms.mean() if terms.count() >= max(least, self._least or least) else math.nan
        return terms.rolling(self._window, min_periods=max(least, self._least or self._window)).mean()

    def variance(self, terms: pd.Series) -> Any:
        """Return the sample variance of the present values, NaN if there are too few."""
        if self._window is None:
            return terms.var() if terms.count() >= max(2, self._least or 2) else math.nan
        return terms.rolling(self._window, min_periods=max(2, self._least or self._window)).var()

    def count(self, terms: pd.Series) -> Any:
        """Return the number of present values."""
        if self._window is None:
            return np.float64(terms.count())
        return terms.rolling(self._window, min_periods=0).count()

    def annualised(self, variance: Any, name: str) -> pd.Series | float:
        """Return the volatility per year, indexed by the candles' own times."""
        per_year = np.sqrt(np.maximum(variance, 0.0) * self._periods)  # rounding may make sums slightly negative
        if self._window is None:
            return float(per_year)
        series: pd.Series = per_year.reindex(self._opens).set_axis(self._index).rename(name).rename_axis("open_time")
        return series
