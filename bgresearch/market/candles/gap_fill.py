"""Candles that the exchange does not have, put in on demand and flagged; never stored. Pure functions on frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
import pandas as pd

from bgresearch.core.intervals import Grid
from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput

Fill = Literal["none", "ffill", "nan"]
FLAG = "filled"
_PRICES = ["open", "high", "low", "close"]


def check_fill(fill: str) -> None:
    """Check the way of filling.

    Raises
    ------
    InvalidInput
        If it is none; the message lists them.
    """
    if fill not in get_args(Fill):
        raise InvalidInput.unknown("fill", fill, get_args(Fill))


def filled(frame: pd.DataFrame, gaps: Iterable[Span], grid: Grid, fill: str) -> pd.DataFrame:
    """Return the frame with a row for every candle that is absent within the gaps, and a column that says which.

    Parameters
    ----------
    frame : DataFrame
        Candles by ``open_time``.
    gaps : iterable of Span
        Where rows may be put in; gaps before the listing or after the delisting of a symbol are left out.
    grid : Grid
        Where candles open.
    fill : str
        ``none`` returns the frame as it is. ``nan``: a row of NaN. ``ffill``: no trade, so the price stays at the last
        close before it and the volumes are 0; NaN where no candle came before it in the frame.
    """
    if fill == "none":
        return frame
    opens = {at for gap in gaps for at in grid.opens(gap)}
    absent_at = pd.DatetimeIndex(np.array(sorted(opens), dtype="datetime64[ms]"), tz="UTC")
    whole = frame.reindex(frame.index.union(absent_at).unique().rename(frame.index.name))
    whole[FLAG] = ~whole.index.isin(frame.index)
    if fill == "ffill":
        absent = whole[FLAG] & whole["close"].ffill().notna()
        last = whole["close"].ffill()
        for name in _PRICES:
            whole.loc[absent, name] = last[absent]
        whole.loc[absent, ["volume", "quote_volume"]] = 0.0
    whole.attrs = dict(frame.attrs)
    return whole
