"""The value of a coin or contract at an instant, from prices that were known by then. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import numpy as np
import pandas as pd

from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.decimals import decimal_of


class Prices:
    """Prices by name, looked up as of an instant.

    Parameters
    ----------
    field : str
        The argument that they were passed as, for errors.
    known : mapping of str to Series
        Prices by coin or symbol; the index (UTC) says from when each was known: a candle's close from the
        candle's end on.
    quote : str
        The coin whose price is one; empty for none.
    """

    def __init__(self, field: str, known: Mapping[str, pd.Series], *, quote: str = "") -> None:
        self._field, self._quote = field, quote
        self._known = {
            name: (pd.DatetimeIndex(series.index).as_unit("ms").asi8, series.tolist())
            for name, series in ((name, series.dropna().sort_index(kind="stable")) for name, series in known.items())
        }

    def at(self, name: str, time_ms: int) -> Decimal:
        """Return the last price that was known at the instant.

        Raises
        ------
        InvalidInput
            None was.
        """
        if name == self._quote:
            return Decimal(1)
        times, values = self._known.get(name, (np.array([], dtype="int64"), []))
        place = int(np.searchsorted(times, time_ms, side="right")) - 1
        if place < 0:
            when = pd.Timestamp(time_ms, unit="ms", tz="UTC").isoformat()
            raise InvalidInput(self._field, f"none of {name} is known at {when}.", hint=f"Give candles of {name}.")
        return decimal_of(values[place], self._field)


def closes(candles: pd.DataFrame) -> pd.Series:
    """Return closing prices at the moments from which they were known: the ends of the candles.

    Parameters
    ----------
    candles : DataFrame
        What ``client.candles(...)`` returned.

    Returns
    -------
    Series
        float64, quote coin; index the end of each candle (UTC).

    Raises
    ------
    InvalidInput
        There are fewer than two candles: how long they are cannot be seen.
    """
    starts = pd.DatetimeIndex(candles.index)
    if len(starts) < 2:
        raise InvalidInput("candles", "fewer than two candles do not show how long they are.")
    return candles["close"].set_axis(starts + (starts[1:] - starts[:-1]).min())
