"""Who holds what: open interest, long and short shares and taker volumes beside the price, as they were known. Pure."""

from __future__ import annotations

import pandas as pd

from bgresearch.research.alignment import asof, known
from bgresearch.research.grid import interval_of

_TAKERS = {"buy": "taker_buy", "buy_volume": "taker_buy", "sell": "taker_sell", "sell_volume": "taker_sell"}
_SHARES = {"long": "long", "short": "short", "ratio": "long_short"}
_PERIOD = "5m"  # what the exchange's short series come in, if nothing else was asked for


def positioning(
    candles: pd.DataFrame, *, open_interest: pd.DataFrame | None = None, long_short: pd.DataFrame | None = None,
    taker_volume: pd.DataFrame | None = None, period: str = _PERIOD, no_older_than: str | pd.Timedelta | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return each candle's close beside what was known of positions when it closed.

    Parameters
    ----------
    candles : DataFrame
        What ``client.candles`` returned; index ``open_time``.
    open_interest : DataFrame, optional
        What ``client.recorded("open-interest", ...)`` returned: known when its answers came.
    long_short, taker_volume : DataFrame, optional
        What ``client.recorded`` of such a kind returned, or the short series of ``client.long_short`` and
        ``client.taker_volume``: of these a row is known one ``period`` after its time, since the exchange does not
        say whether that is the start or the end of what it counts.
    period : str
        Length of the rows of those short series.
    no_older_than : str or Timedelta, optional
        How old a value may be at most; by default as long as a candle, at least 7 min 30 s (one and a half periods
        of five minutes).

    Returns
    -------
    DataFrame
        Index ``known_at`` (UTC): when each candle closed. Columns close; open_interest (base coin), its
        open_interest_value (quote coin: times close) and open_interest_change (ratio, since the candle before); long,
        short (shares), long_short (long over short); taker_buy, taker_sell (base coin) and taker_imbalance
        ((buy - sell) / (buy + sell)); float64, NaN where nothing was known.

    Raises
    ------
    InvalidInput
        An index is no ascending time, or the candles' length is not known.

    Examples
    --------
    >>> client = bgresearch.connect(sandbox=True)                                                     # doctest: +SKIP
    >>> now = client.server_time()                                                                    # doctest: +SKIP
    >>> minutes = client.candles("BTCUSDT", "5m", now - pd.Timedelta("2h"), market="usdt-futures")    # doctest: +SKIP
    >>> positioning(minutes, long_short=client.long_short("BTCUSDT")).long_short                      # doctest: +SKIP
    """
    table = known(candles[["close"]])
    moments = pd.DatetimeIndex(table.index)
    if no_older_than is None:
        length_ms = interval_of(candles).nominal_ms if len(candles) > 1 else 0
        no_older_than = max(pd.Timedelta(length_ms, unit="ms"), pd.Timedelta("7min30s"))
    if open_interest is not None:
        held = asof(moments, known(open_interest), no_older_than=no_older_than)["open_interest"]
        table["open_interest"] = held
        table["open_interest_value"] = held * table["close"]
        table["open_interest_change"] = held / held.shift() - 1
    for frame, names in ((long_short, _SHARES), (taker_volume, _TAKERS)):
        if frame is not None:
            rows = asof(moments, known(frame, interval=period), no_older_than=no_older_than)
            table = table.join(rows[[name for name in names if name in rows.columns]].rename(columns=names))
    if "taker_buy" in table.columns:
        table["taker_imbalance"] = (table["taker_buy"] - table["taker_sell"]) / (
            table["taker_buy"] + table["taker_sell"]
        )
    return table
