"""Series of different timing in one panel: row t contains nothing that became known after t. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from bgresearch.research.asof import asof

PRICES = ("open", "high", "low", "close")
FLOWS = ("volume", "quote_volume")
_NOW = pd.Timedelta(0)


class Known(NamedTuple):
    """One source of panel columns.

    Attributes
    ----------
    frame : DataFrame
        Index ``known_at`` (UTC, ascending): `bgresearch.research.asof.known` makes it.
    columns : mapping of str to str
        Its columns by their field in the panel.
    lasts : Timedelta
        How long a row is valid unless a newer one becomes known; None for candles, which are valid at one time.
    """

    frame: pd.DataFrame
    columns: Mapping[str, str]
    lasts: pd.Timedelta = _NOW


def assembled(
    moments: pd.DatetimeIndex, sources: Mapping[str, list[Known]], fields: tuple[str, ...],
    *, fill: pd.Timedelta = _NOW,
) -> pd.DataFrame:  # fmt: skip
    """Return the fields of all symbols at each time, as they were known then.

    Parameters
    ----------
    moments : DatetimeIndex
        UTC, ascending.
    sources : mapping of str to list of Known
        The sources of each symbol.
    fields : tuple of str
        The columns, in order.
    fill : Timedelta
        Longest time that a value is carried forward if nothing newer is known. Candles carry forward their last close,
        but not their volume.

    Returns
    -------
    DataFrame
        Index ``moments``; columns (field, symbol); float64, NaN where nothing was known.

    Examples
    --------
    >>> at = pd.DatetimeIndex(["2026-01-01T01:00Z"], name="known_at")
    >>> known = Known(pd.DataFrame({"close": [7.0]}, index=at), {"close": "close"})
    >>> assembled(at, {"BTCUSDT": [known]}, ("close",)).iloc[0].tolist()
    [7.0]
    """
    parts: dict[tuple[str, str], pd.Series] = {}
    for symbol, known in sources.items():
        for source in known:
            rows = _rows(moments, source, fill)
            parts |= {(field, symbol): rows[column] for field, column in source.columns.items()}
    order = [(field, symbol) for field in fields for symbol in sources]
    table = pd.DataFrame({key: parts[key] for key in order}, index=moments, dtype="float64")
    return table.set_axis(pd.MultiIndex.from_tuples(order, names=["field", "symbol"]), axis=1)


def _rows(moments: pd.DatetimeIndex, source: Known, fill: pd.Timedelta) -> pd.DataFrame:
    rows = asof(moments, source.frame, no_older_than=source.lasts if source.lasts else _NOW)
    if fill <= source.lasts:
        return rows
    carried = asof(moments, source.frame, no_older_than=fill)
    if not {*PRICES} <= set(rows.columns):
        return carried
    late = rows["close"].isna() & carried["close"].notna()
    for name in PRICES:
        rows[name] = rows[name].where(~late, carried["close"])
    for name in FLOWS:
        rows[name] = rows[name].where(~late, 0.0)
    return rows
