"""Candles in the layouts of backtesters: the same numbers under other names. Pure; these libraries are not imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bgresearch.core.intervals import Interval
from bgresearch.core.symbols import ccxt_symbol
from bgresearch.errors import InvalidInput
from bgresearch.research.quality.provenance import (
    checked_columns,
    checked_interval,
    checked_order,
    interval_of,
    utc_index,
)

BAR = ("open", "high", "low", "close", "volume")
_CAPITALS = {name: name.capitalize() for name in BAR}
_NOT_IN_FILE_NAMES = str.maketrans(dict.fromkeys("/ .@$+:", "_"))
FUNDING_EVERY = "1h"  # freqtrade stores funding rates under this length, whatever the contract's own is


def to_backtesting(candles: pd.DataFrame) -> pd.DataFrame:
    """Candles for `backtesting.py <https://kernc.github.io/backtesting.py/>`_.

    Parameters
    ----------
    candles : DataFrame
        The result of ``client.candles``.

    Returns
    -------
    DataFrame
        Index ``open_time`` (datetime64[ms], UTC without a zone, as its plots expect); Open, High, Low, Close, Volume
        (float64).

    Raises
    ------
    InvalidInput
        A column or a price is missing; the rows are not in order or not unique.

    Examples
    --------
    >>> from backtesting import Backtest, Strategy                                              # doctest: +SKIP
    >>> bars = client.candles("BTCUSDT", "1h", "2026-01-01").bg.to_backtesting()                # doctest: +SKIP
    >>> backtest = Backtest(bars, Strategy, cash=1_000_000, finalize_trades=True)               # doctest: +SKIP
    """
    bars = _priced(candles).rename(columns=_CAPITALS)
    return bars.set_axis(utc_index(bars).tz_localize(None), axis=0)


def to_vectorbt(candles: pd.DataFrame) -> pd.DataFrame:
    """Candles for `vectorbt <https://vectorbt.dev>`_, for its accessor ``.vbt.ohlcv``.

    Parameters
    ----------
    candles : DataFrame
        The result of ``client.candles``; rows without prices (``fill="nan"``) are left unchanged.

    Returns
    -------
    DataFrame
        Index ``open_time`` (UTC), with a ``freq`` if no candle is missing; Open, High, Low, Close, Volume (float64).

    Raises
    ------
    InvalidInput
        A column is missing; the rows are not in order or not unique.

    Examples
    --------
    >>> import vectorbt                                                                         # doctest: +SKIP
    >>> close = client.candles("BTCUSDT", "1h", "2026-01-01").bg.to_vectorbt().Close            # doctest: +SKIP
    >>> up = close > close.rolling(24).mean()                                                   # doctest: +SKIP
    >>> portfolio = vectorbt.Portfolio.from_signals(close, up, ~up, fees=0.001)                 # doctest: +SKIP
    """
    bars = _bars(candles).rename(columns=_CAPITALS)
    index = utc_index(bars)
    length = interval_of(candles)
    step = pd.offsets.MonthBegin() if length.length_ms is None else pd.tseries.frequencies.to_offset(_delta(length))
    whole = len(index) > 1 and index.equals(pd.date_range(index[0], periods=len(index), freq=step, unit=index.unit))
    return bars.set_axis(pd.DatetimeIndex(index, freq=step) if whole else index, axis=0)


def to_ccxt(candles: pd.DataFrame) -> list[list[float]]:
    """Candles as ccxt's ``fetch_ohlcv`` returns them.

    Parameters
    ----------
    candles : DataFrame
        The result of ``client.candles``.

    Returns
    -------
    list of list
        ``[open time in epoch milliseconds (int), open, high, low, close, volume]``, oldest first.

    Raises
    ------
    InvalidInput
        A column or a price is missing; the rows are not in order or not unique.

    Examples
    --------
    >>> client.candles("BTCUSDT", "1h", "2026-01-01").bg.to_ccxt()[0]                           # doctest: +SKIP
    """
    columns = ccxt_frame(candles)
    return [list(row) for row in zip(*(columns[name].tolist() for name in columns), strict=True)]


def to_nautilus(candles: pd.DataFrame) -> pd.DataFrame:
    """Candles for Nautilus Trader's ``BarDataWrangler``, timestamped with their *end*.

    Its engine treats the time of a bar as the time at which it is known; timestamped with the open, a strategy would
    see the close one bar too early. Source: its documentation, "Bar-based execution".

    Parameters
    ----------
    candles : DataFrame
        The result of ``client.candles``.

    Returns
    -------
    DataFrame
        Index ``timestamp`` (datetime64[ns, UTC]); open, high, low, close, volume (float64).

    Raises
    ------
    InvalidInput
        A column or a price is missing; the rows are not in order or not unique.

    Examples
    --------
    >>> BarDataWrangler(bar_type, instrument).process(candles.bg.to_nautilus())                 # doctest: +SKIP
    """
    bars = _priced(candles)
    index, length = utc_index(bars), checked_interval(candles)
    ends = index + (pd.offsets.MonthBegin() if length.length_ms is None else _delta(length))
    return bars.set_axis(ends.as_unit("ns").rename("timestamp"), axis=0)


def to_freqtrade(frame: pd.DataFrame) -> pd.DataFrame:
    """Candles or funding rates in the layout of freqtrade's Feather files.

    Parameters
    ----------
    frame : DataFrame
        The result of ``client.candles`` or ``client.funding_rates``.

    Returns
    -------
    DataFrame
        date (datetime64[ms, UTC]), open, high, low, close, volume (float64), no index. Funding rates are in ``open``
        and the other columns are 0: versions before 2026 require this, and later ones accept it.

    Raises
    ------
    InvalidInput
        A column or a price is missing; the rows are not in order or not unique.

    Examples
    --------
    >>> client.candles("BTCUSDT", "1h", "2026-01-01").bg.to_freqtrade().date.iloc[0]            # doctest: +SKIP
    """
    if "funding_rate" in frame.columns:
        checked_order(frame)
        rates = frame["funding_rate"].to_numpy(dtype="float64")
        bars = pd.DataFrame(dict.fromkeys(BAR, np.zeros(len(frame))), index=frame.index).assign(open=rates)
        bars.attrs = frame.attrs
    else:
        checked_interval(frame)  # used in its file name
        bars = _priced(frame)
    return bars.set_axis(utc_index(bars).as_unit("ms").rename("date"), axis=0).reset_index()


def freqtrade_path(folder: Path, about: dict[str, Any]) -> Path:
    """The path of such a file below freqtrade's data folder, ``user_data/data/bitget``.

    Parameters
    ----------
    folder : Path
        Freqtrade's folder for this exchange's data.
    about : dict
        ``df.attrs["bgresearch"]`` of candles or funding rates.

    Raises
    ------
    InvalidInput
        The market of the rows is not known.
    """
    funding = about.get("verb") == "funding_rates"
    if not (about.get("symbol") and about.get("market")):
        cause = "the frame does not name its market."
        raise InvalidInput("path", cause, hint="Name a file: NAME.feather.")
    if not funding and "interval" not in about:
        cause = f"freqtrade stores candles and funding rates; this is {about.get('verb', 'something else')}."
        raise InvalidInput("frame", cause, hint="Export it as CSV or Parquet.")
    pair = ccxt_symbol(about["symbol"], about["market"]).translate(_NOT_IN_FILE_NAMES)
    length = FUNDING_EVERY if funding else str(about["interval"]).replace("M", "Mo")
    if about["market"] == "spot":
        return folder / f"{pair}-{length}.feather"
    kind = "funding_rate" if funding else {"last": "futures"}.get(about["price"], about["price"])
    return folder / "futures" / f"{pair}-{length}-{kind}.feather"


def ccxt_frame(candles: pd.DataFrame) -> pd.DataFrame:
    """Candles with the opening time as a column of epoch milliseconds (int64), no index, columns in ccxt's order."""
    bars = _priced(candles)
    times = utc_index(bars).as_unit("ms").asi8
    bars = bars.reset_index(drop=True)
    bars.insert(0, "timestamp", times)
    return bars


def _priced(candles: pd.DataFrame) -> pd.DataFrame:
    bars = _bars(candles)
    unpriced = int((~np.isfinite(bars.to_numpy())).any(axis=1).sum())
    if unpriced:
        cause = f"{unpriced:,} of {len(bars):,} candles have no price or volume."
        raise InvalidInput("candles", cause, hint='Request them without fill="nan", or call dropna() first.')
    return bars


def _bars(candles: pd.DataFrame) -> pd.DataFrame:
    checked_columns(candles, BAR)
    checked_order(candles)
    return candles[list(BAR)].astype("float64")


def _delta(length: Interval) -> pd.Timedelta:
    return pd.Timedelta(length.nominal_ms, unit="ms")
