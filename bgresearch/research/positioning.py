"""Open interest, long and short shares and taker volumes next to the price, as known at each time. Pure."""

from __future__ import annotations

import pandas as pd

from bgresearch.core.intervals import interval as interval_named
from bgresearch.errors import InvalidInput
from bgresearch.research.asof import asof, known
from bgresearch.research.regular_grid import interval_of, on_grid, traded

_TAKERS = {"buy": "taker_buy", "buy_volume": "taker_buy", "sell": "taker_sell", "sell_volume": "taker_sell"}
_SHARES = {"long": "long", "short": "short", "ratio": "long_short"}
_LEAST = pd.Timedelta("7min30s")  # one and a half times five minutes, the shortest period of the exchange's series
_LATE = 1.5  # a value is valid for one and a half periods, so that a missing one is noticed


def positioning(
    candles: pd.DataFrame, *, open_interest: pd.DataFrame | None = None, long_short: pd.DataFrame | None = None,
    taker_volume: pd.DataFrame | None = None, period: str | None = None,
    no_older_than: str | pd.Timedelta | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return each candle's close next to the positioning data known when it closed.

    Parameters
    ----------
    candles : DataFrame
        The result of ``client.candles``; index ``open_time``.
    open_interest : DataFrame, optional
        The result of ``client.recorded("open-interest", ...)``: known when its responses were received.
    long_short, taker_volume : DataFrame, optional
        The result of ``client.recorded`` of such a kind, or the short series of ``client.long_short`` and
        ``client.taker_volume``: a row of these is known one ``period`` after its time, since the exchange does not
        say whether that is the start or the end of the period.
    period : str, optional
        Length of the rows of those short series; by default the shortest step between two of them.
    no_older_than : str or Timedelta, optional
        Greatest age of a value; by default the length of a candle, at least one and a half periods (7 min 30 s for
        recordings).

    Returns
    -------
    DataFrame
        Index ``known_at`` (UTC): when each candle closed. Columns close; open_interest (base coin), its
        open_interest_value (quote coin: times close) and open_interest_change (ratio, since the candle before; NaN
        after a gap); long, short (shares), long_short (long over short); taker_buy, taker_sell (base coin) and
        taker_imbalance ((buy - sell) / (buy + sell)); float64, NaN where nothing was known.

    Raises
    ------
    InvalidInput
        An index is not an ascending time, or the length of the candles or of the periods is not known.

    Examples
    --------
    >>> client = bgresearch.connect(sandbox=True)                                                     # doctest: +SKIP
    >>> now = client.server_time()                                                                    # doctest: +SKIP
    >>> minutes = client.candles("BTCUSDT", "5m", now - pd.Timedelta("2h"), market="usdt-futures")    # doctest: +SKIP
    >>> positioning(minutes, long_short=client.long_short("BTCUSDT")).long_short                      # doctest: +SKIP
    """
    length = interval_of(candles).name if len(candles) else None
    table = traded(known(candles, interval=length))[["close"]]
    moments = pd.DatetimeIndex(table.index)
    youngest = max(pd.Timedelta(interval_named(length).nominal_ms if length else 0, unit="ms"), _LEAST)
    if open_interest is not None:
        interest = asof(moments, known(open_interest), no_older_than=_given(no_older_than, youngest))["open_interest"]
        slots = pd.DatetimeIndex(known(on_grid(candles, interval=length), interval=length).index) if length else moments
        table["open_interest"] = interest
        table["open_interest_value"] = interest * table["close"]
        table["open_interest_change"] = interest / interest.reindex(slots).shift().reindex(moments) - 1
    for frame, names in ((long_short, _SHARES), (taker_volume, _TAKERS)):
        if frame is not None:
            each = _period(frame, period)
            oldest = max(youngest, _LATE * pd.Timedelta(interval_named(each).nominal_ms if each else 0, unit="ms"))
            rows = asof(moments, known(frame, interval=each), no_older_than=_given(no_older_than, oldest))
            table = table.join(rows[[name for name in names if name in rows.columns]].rename(columns=names))
    if "taker_buy" in table.columns:
        table["taker_imbalance"] = (table["taker_buy"] - table["taker_sell"]) / (
            table["taker_buy"] + table["taker_sell"]
        )
    return table


def _given(asked: str | pd.Timedelta | None, otherwise: pd.Timedelta) -> str | pd.Timedelta:
    return otherwise if asked is None else asked


def _period(rows: pd.DataFrame, named: str | None) -> str | None:
    """Return the period of a short series; None for a recording, which is known when its response was received."""
    if "asked" in rows.columns or rows.empty:
        return None
    if not named and len(rows) == 1:
        raise InvalidInput("period", "is not known from one row.", hint='Pass it: period="5m".')
    return interval_of(rows, named).name
