"""Bars made of trades, by time, count, amount or value, with the taker side. Pure.

A bar closes with the trade that fills it; trades are never split. Sums are exact (correctly rounded in any order of
the terms), so that the bars of a span add up to its trades.

vwap       sum(price * amount) / sum(amount)
imbalance  (buy_volume - sell_volume) / (buy_volume + sell_volume), by taker side

Sources: M. Lopez de Prado, Advances in Financial Machine Learning, Wiley 2018, chapter 2 (tick, volume, dollar bars).
D. Easley, M. Lopez de Prado, M. O'Hara, The volume clock, J. Portfolio Management 39 (2012) 19-29.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from bgresearch.core.intervals import interval as interval_named
from bgresearch.errors import InvalidInput

_HINT = "Pass the result of client.trades(...)."
_FULL = 1 - 1e-12  # ten times 0.1 is 1, although the floating-point sum is slightly less
_Array = np.ndarray[tuple[int], np.dtype[np.float64]]


def time_bars(trades: pd.DataFrame, interval: str) -> pd.DataFrame:
    """Return bars of equal duration; a period without a trade has no bar.

    Parameters
    ----------
    trades : DataFrame
        The result of ``client.trades``: index ``time`` (UTC, ascending; equal times in the order of trading),
        columns side (of the taker), price (quote coin), amount (base coin).
    interval : str
        ``1m`` ... ``1d``; bars open on its multiples, UTC.

    Returns
    -------
    DataFrame
        Index ``open_time``. Columns open, high, low, close, vwap (quote coin), volume (base coin), quote_volume,
        buy_volume, sell_volume (base coin), imbalance, float64; trades (int64); first, last (times of its first and
        last trade); known_at (when the bar was over). The first and the last bar may be incomplete.

    Raises
    ------
    InvalidInput
        No such interval, or not a frame of trades.

    Examples
    --------
    >>> client = bgresearch.connect(sandbox=True)                                   # doctest: +SKIP
    >>> time_bars(client.trades("BTCUSDT"), "1m").vwap                              # doctest: +SKIP
    """
    length = interval_named(interval)
    times = _checked(trades)
    opens = np.array([length.floor(int(at)) for at in times.asi8], dtype="int64")
    starts = np.flatnonzero(np.r_[True, opens[1:] != opens[:-1]]) if len(opens) else np.array([], dtype="int64")
    bars = _bars(trades, times, starts, len(times))
    bars.index = _instants([int(opens[at]) for at in starts]).rename("open_time")
    bars["known_at"] = _instants([length.next_open(int(opens[at])) for at in starts])
    return bars


def tick_bars(trades: pd.DataFrame, count: int, *, include_open: bool = False) -> pd.DataFrame:
    """Return bars of ``count`` trades each; parameters and result as `volume_bars`."""
    return _filled(trades, float(count), lambda _price, amounts: np.ones_like(amounts), include_open=include_open)


def volume_bars(trades: pd.DataFrame, amount: float, *, include_open: bool = False) -> pd.DataFrame:
    """Return bars that close with the trade that completes ``amount``, in base coin.

    Parameters
    ----------
    trades : DataFrame
        As in `time_bars`.
    amount : float
        Size of a bar. The trade that fills it belongs to it entirely, and the next bar starts at zero.
    include_open : bool
        Whether to return the last trades, which do not fill a bar, as one.

    Returns
    -------
    DataFrame
        Index ``bar``, counted from 0; columns as in `time_bars`. ``known_at`` is the time of its last trade.

    Raises
    ------
    InvalidInput
        A size not above 0, or not a frame of trades.

    Examples
    --------
    >>> client = bgresearch.connect(sandbox=True)                                   # doctest: +SKIP
    >>> volume_bars(client.trades("BTCUSDT"), 1.5).imbalance                        # doctest: +SKIP
    """
    return _filled(trades, amount, lambda _price, amounts: amounts, include_open=include_open)


def dollar_bars(trades: pd.DataFrame, value: float, *, include_open: bool = False) -> pd.DataFrame:
    """Return bars that close with the trade that completes ``value``, in quote coin; as `volume_bars`."""
    return _filled(trades, value, lambda price, amounts: price * amounts, include_open=include_open)


def _filled(
    trades: pd.DataFrame, size: float, measure: Callable[[_Array, _Array], _Array], *, include_open: bool
) -> pd.DataFrame:  # fmt: skip
    if not size > 0:
        raise InvalidInput("size", f"{size!r} is not above 0.")
    times = _checked(trades)
    terms = measure(trades["price"].to_numpy(dtype="float64"), trades["amount"].to_numpy(dtype="float64"))
    starts, total = [0], 0.0
    for at, term in enumerate(terms.tolist()):
        total += term
        if total >= size * _FULL:
            starts.append(at + 1)
            total = 0.0
    end = len(times) if include_open else starts[-1]
    bars = _bars(trades, times, np.array([at for at in starts if at < end], dtype="int64"), end)
    bars["known_at"] = bars["last"]
    return bars.rename_axis(index="bar")


def _bars(trades: pd.DataFrame, times: pd.DatetimeIndex, starts: np.ndarray, end: int) -> pd.DataFrame:
    """Return a row per run of trades that begins at one of ``starts``; the last one ends before ``end``."""
    price, amount = (trades[name].to_numpy(dtype="float64") for name in ("price", "amount"))
    bought = (trades["side"] == "buy").to_numpy(dtype=bool)
    stops = np.append(starts[1:], end)[: len(starts)]
    rows = [
        _bar(price[start:stop], amount[start:stop], bought[start:stop])
        for start, stop in zip(starts, stops, strict=True)
    ]
    bars = pd.DataFrame(rows, columns=_COLUMNS).astype(dict.fromkeys(_COLUMNS[:-1], "float64") | {"trades": "int64"})
    bars["first"], bars["last"] = times[starts], times[stops - 1]
    return bars


_COLUMNS = [
    "open", "high", "low", "close", "vwap", "volume", "quote_volume", "buy_volume", "sell_volume", "imbalance", "trades"
]  # fmt: skip


def _bar(price: _Array, amount: _Array, bought: np.ndarray) -> tuple[float | int, ...]:
    volume, value = math.fsum(amount), math.fsum(price * amount)
    buys, sells = math.fsum(amount[bought]), math.fsum(amount[~bought])
    vwap, leaning = (value / volume, (buys - sells) / volume) if volume else (math.nan, math.nan)
    return price[0], price.max(), price.min(), price[-1], vwap, volume, value, buys, sells, leaning, len(price)


def _instants(milliseconds: list[int]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(milliseconds, unit="ms", utc=True)).as_unit("ms")


def _checked(trades: pd.DataFrame) -> pd.DatetimeIndex:
    """Return their times.

    Raises
    ------
    InvalidInput
        They are not trades, or not ordered by time.
    """
    if not {"side", "price", "amount"} <= set(trades.columns):
        raise InvalidInput("trades", "it has no column side, price or amount.", hint=_HINT)
    if not trades["side"].isin(["buy", "sell"]).all():
        raise InvalidInput("trades", "a side is neither buy nor sell.", hint=_HINT)
    index = trades.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None or not index.is_monotonic_increasing:
        raise InvalidInput("trades", "the index is not an ascending time with a time zone.", hint=_HINT)
    return index.tz_convert("UTC").as_unit("ms")
