"""Carry of a perpetual contract: funding and basis. Pure.

annual funding     rate * 8760 / hours                  hours since the previous settlement: 1, 2, 4 or 8, and changing
received           -value * rate (long), +value * rate (short)
basis              price / reference - 1                a future over spot; mark over index: the premium
annual basis       basis * 365 d / (expiry - t), or (price / reference)^(365 d / (expiry - t)) - 1 compounded

Sources: the exchange's rule of settlement (contract/market/Get-History-Funding-Rate: positive, longs paid shorts).
J. C. Hull, Options, Futures, and Other Derivatives, chapter 5 (cost of carry). S. He, A. Manela, O. Ross, V. von
Wachter, Fundamentals of Perpetual Futures, 2022 (funding as the carry of a contract without expiry).
"""

from __future__ import annotations

from functools import reduce
from typing import TypeVar

import numpy as np
import pandas as pd

from bgresearch.core.intervals import HOUR_MS
from bgresearch.errors import InvalidInput
from bgresearch.research.asof import asof, known, lasting
from bgresearch.research.regular_grid import YEAR_MS, times_of, traded

LONGEST = pd.Timedelta(8, unit="h")  # longest time between two settlements
_YEAR = pd.Timedelta(YEAR_MS, unit="ms")
_YEAR_HOURS = YEAR_MS / HOUR_MS
_Prices = TypeVar("_Prices", pd.Series, pd.DataFrame)
_SIGNS = {"long": -1.0, "short": 1.0}


def funding_hours(rates: pd.DataFrame, *, first_hours: float | None = None) -> pd.Series:
    """Return the hours that each settlement covers: those since the previous one.

    Parameters
    ----------
    rates : DataFrame
        The result of ``client.funding_rates``: index ``time`` (UTC, ascending).
    first_hours : float, optional
        The hours of the first row, which has no previous settlement.

    Returns
    -------
    Series
        float64, by ``time``; NaN for the first row, and if more than eight hours passed: a settlement is missing. For a
        contract that settles more often, a missing settlement cannot be distinguished from a longer interval.

    Raises
    ------
    InvalidInput
        The index is not an ascending time.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-01-01T00:00Z", "2026-01-01T08:00Z", "2026-01-01T12:00Z"])
    >>> funding_hours(pd.DataFrame({"funding_rate": 0.0001}, index=times)).tolist()
    [nan, 8.0, 4.0]
    """
    steps = times_of(rates, "rates").to_series().diff()
    hours = (steps / pd.Timedelta(1, unit="h")).where(steps <= LONGEST).set_axis(rates.index)
    if first_hours is not None and len(hours):
        hours.iloc[0] = first_hours
    return hours.rename("funding_hours")


def annual_funding(
    rates: pd.DataFrame, *, over: str | pd.Timedelta | None = None, first_hours: float | None = None
) -> pd.Series:
    """Return annualised funding: of each settlement, or of those in a trailing span.

    Parameters
    ----------
    rates : DataFrame
        The result of ``client.funding_rates``.
    over : str or Timedelta, optional
        ``"30D"``: everything settled in the 30 days up to each settlement, divided by the hours covered.
    first_hours : float, optional
        As in `funding_hours`; not used with ``over``.

    Returns
    -------
    Series
        Ratio of the position's value a year, by ``time``; positive: longs pay shorts. NaN where the hours are not
        known; with ``over`` if the series is shorter than that or lacks a settlement within it.

    Raises
    ------
    InvalidInput
        No column funding_rate, the index is not an ascending time, or the span is not valid.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-01-01T00:00Z", "2026-01-01T08:00Z", "2026-01-01T12:00Z"])
    >>> annual_funding(pd.DataFrame({"funding_rate": 0.0001}, index=times)).round(4).tolist()
    [nan, 0.1095, 0.219]
    """
    rate, hours = _rate(rates), funding_hours(rates, first_hours=first_hours)
    if over is None:
        return (rate * _YEAR_HOURS / hours).rename("annual_funding")
    span = lasting(over, "over")
    if not span:
        raise InvalidInput("over", f"{over!r} contains no settlement.", hint='Write "1D", "30D".')
    times = times_of(rates, "rates")
    paid_for = funding_hours(rates).where(rate.notna()).fillna(0.0)
    # the first settlement also covers hours before the span, so the sum is divided by the hours covered
    covered = pd.Series(paid_for.to_numpy(), index=times).rolling(span).sum()
    whole = covered >= span / pd.Timedelta(1, unit="h") - 1e-6  # every hour of the span is covered
    total = pd.Series(rate.to_numpy(), index=times).rolling(span).sum().where(whole)
    return (total / covered * _YEAR_HOURS).set_axis(rates.index).rename("annual_funding")


def funding_received(rates: pd.DataFrame, *, side: str = "short", value: float | pd.Series = 1.0) -> pd.DataFrame:
    """Return what a position received at each settlement, and in total; payments are negative.

    Parameters
    ----------
    rates : DataFrame
        What ``client.funding_rates`` returned: settlements during which the position was open.
    side : str
        ``long`` or ``short``.
    value : float or Series
        The position's value; 1 gives ratios. A Series by the times at which it was known (amount times mark price):
        the last one known at each settlement is used.

    Returns
    -------
    DataFrame
        Index ``time``; received and total (float64, coin of the value). An unknown rate or value is NaN, and so
        is every later total, as the sum would be wrong. Missing settlements are not detected here: see
        `funding_hours`.

    Raises
    ------
    InvalidInput
        An unknown side; no column funding_rate; an index that is not an ascending time.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-01-01T00:00Z", "2026-01-01T08:00Z"])
    >>> rates = pd.DataFrame({"funding_rate": [0.0001, -0.0003]}, index=times)
    >>> funding_received(rates, side="long", value=10_000).total.round(6).tolist()
    [-1.0, 2.0]
    """
    if side not in _SIGNS:
        raise InvalidInput("side", f"{side!r} is unknown.", hint="Use long or short.")
    times = times_of(rates, "rates")
    position_value = asof(times, value.to_frame("value"))["value"].to_numpy() if isinstance(value, pd.Series) else value
    received = pd.Series(_SIGNS[side] * _rate(rates).to_numpy() * position_value, index=rates.index)
    return pd.DataFrame({"received": received, "total": received.cumsum(skipna=False)})


def basis(price: _Prices, reference: _Prices) -> _Prices:
    """Return how far prices are above reference prices, as ratios: ``price / reference - 1``, index by index.

    Accepts two Series, or two DataFrames such as ``panel["close"]`` and ``panel["spot"]``.

    Examples
    --------
    >>> basis(pd.Series([101.0]), pd.Series([100.0])).round(4).tolist()
    [0.01]
    """
    return price / reference - 1


def annual_basis(
    price: pd.Series, reference: pd.Series, expiry: pd.Timestamp, *, compounded: bool = False
) -> pd.Series:  # fmt: skip
    """Return the annualised basis of a contract with a delivery date.

    Parameters
    ----------
    price, reference : Series
        By the times at which they were known (UTC).
    expiry : Timestamp
        Delivery time: the column ``delivery`` of ``client.symbols``. Naive means UTC. A perpetual
        contract has none: use `annual_funding` and `basis`.
    compounded : bool
        Whether to compound; otherwise in proportion to time.

    Returns
    -------
    Series
        Ratio a year; NaN from the delivery on.

    Raises
    ------
    InvalidInput
        There is no expiry, or an index is not an ascending time.

    Examples
    --------
    >>> at = pd.to_datetime(["2026-01-01T00:00Z"])
    >>> prices = pd.Series([101.0], at), pd.Series([100.0], at)
    >>> annual_basis(*prices, pd.Timestamp("2026-03-15")).round(4).tolist()
    [0.05]
    """
    if pd.isna(expiry):
        raise InvalidInput("expiry", "there is none.", hint="A perpetual contract has annual_funding and a premium.")
    expiry = pd.Timestamp(expiry)
    ends = expiry.tz_localize("UTC") if expiry.tzinfo is None else expiry
    simple = basis(price, reference)
    left = pd.Series((ends - times_of(simple, "price")) / _YEAR, index=simple.index)
    left = left.where(left > 0)
    yearly = np.expm1(np.log1p(simple) / left) if compounded else simple / left
    return pd.Series(yearly).rename("annual_basis")


def carry(
    *, spot: pd.DataFrame | None = None, last: pd.DataFrame | None = None, mark: pd.DataFrame | None = None,
    index: pd.DataFrame | None = None, funding: pd.DataFrame | None = None,
    no_older_than: str | pd.Timedelta = "0s",
) -> pd.DataFrame:  # fmt: skip
    """Return prices of one contract and its funding side by side, as known at each time, and their ratios.

    Parameters
    ----------
    spot, last, mark, index : DataFrame, optional
        Candles: of the spot market, and the contract's by last, mark and index price; one at least. Filled
        rows are ignored.
    funding : DataFrame, optional
        The result of ``client.funding_rates``, from eight hours before the candles.
    no_older_than : str or Timedelta
        Greatest age of a close. By default all candles must close at that very time; ``"5m"`` carries a
        close forward for five minutes if a candle is missing.

    Returns
    -------
    DataFrame
        Index ``known_at`` (UTC): every time at which one of the candles closed. Columns spot, last, mark, index
        (quote coin) as far as given; basis (last over spot), premium (mark over index), funding_rate (the last one
        settled), funding_hours, annual_funding; float64. Row t contains nothing that became known after t.

    Raises
    ------
    InvalidInput
        No candles, or a frame that does not hold candles.

    Examples
    --------
    >>> client = bgresearch.connect(sandbox=True)                                                     # doctest: +SKIP
    >>> span = ("2026-01-01", "2026-01-08")                                                           # doctest: +SKIP
    >>> spot = client.candles("BTCUSDT", "1h", *span)                                                 # doctest: +SKIP
    >>> last = client.candles("BTCUSDT", "1h", *span, market="usdt-futures")                          # doctest: +SKIP
    >>> carry(spot=spot, last=last, funding=client.funding_rates("BTCUSDT", *span)).annual_funding    # doctest: +SKIP
    """
    given = {"spot": spot, "last": last, "mark": mark, "index": index}
    closes = {name: traded(known(frame))[["close"]] for name, frame in given.items() if frame is not None}
    if not closes:
        raise InvalidInput("spot, last, mark, index", "none is given.", hint="Give candles of at least one.")
    moments = pd.DatetimeIndex(reduce(pd.Index.union, (frame.index for frame in closes.values())).unique())
    columns = {
        name: asof(moments, frame, no_older_than=no_older_than)["close"] for name, frame in closes.items()
    }  # fmt: skip
    if {"last", "spot"} <= set(columns):
        columns["basis"] = basis(columns["last"], columns["spot"])
    if {"mark", "index"} <= set(columns):
        columns["premium"] = basis(columns["mark"], columns["index"])
    if funding is not None:
        hours, yearly = funding_hours(funding), annual_funding(funding)
        terms = pd.DataFrame({"funding_rate": _rate(funding), "funding_hours": hours, "annual_funding": yearly})
        columns |= {str(name): column for name, column in asof(moments, known(terms), no_older_than=LONGEST).items()}
    return pd.DataFrame(columns, index=moments)


def _rate(rates: pd.DataFrame) -> pd.Series:
    if "funding_rate" not in rates.columns:
        raise InvalidInput("rates", "it has no column funding_rate.", hint="Use client.funding_rates(...).")
    return rates["funding_rate"].astype("float64")
