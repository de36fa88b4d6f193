"""The candles that are missing from a frame, run by run, and why. Pure; nothing is fetched or filled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bgresearch.core.spans import Span
from bgresearch.research.quality.provenance import grid_of, made_up, milliseconds, origin, span_of, utc_index

NOT_RECORDED = "not recorded"
"""The cause of missing candles without a recorded gap: rows that were removed, or a frame without provenance."""


def gaps(candles: pd.DataFrame, span: Span | None = None) -> pd.DataFrame:
    """Return every run of missing candles.

    Parameters
    ----------
    candles : DataFrame
        The result of ``client.candles``, in any order. Filled rows count as missing candles.
    span : Span, optional
        The span in which candles are expected; by default the closed part of the requested span.

    Returns
    -------
    DataFrame
        A row per run, oldest first: start, end (datetime64[ms, UTC], half-open), candles (int64, how many are missing),
        cause (str): as recorded in the store, else ``not recorded``. Adjacent gaps of different causes are two runs.

    Examples
    --------
    >>> import pandas as pd
    >>> opens = pd.to_datetime(["2024-01-01 00:00Z", "2024-01-01 01:00Z", "2024-01-01 04:00Z"])
    >>> gaps(pd.DataFrame({"close": 1.0}, index=opens))[["candles", "cause"]].values.tolist()
    [[2, 'not recorded']]
    """
    wanted = expected(candles, span)
    absent = np.flatnonzero(~among(wanted, np.sort(present(candles))))
    causes = _causes(candles, wanted[absent])
    first = np.ones(len(absent), dtype=bool)
    first[1:] = (np.diff(absent) != 1) | (causes[1:] != causes[:-1])
    begins = np.flatnonzero(first)
    lasts = np.append(begins[1:], len(absent))[: len(begins)] - 1
    grid = grid_of(candles)
    ends = [grid.interval.next_open(int(open_ms), grid.anchor) for open_ms in wanted[absent[lasts]]]
    return pd.DataFrame(
        {
            "start": _moments(wanted[absent[begins]]),
            "end": _moments(np.array(ends, dtype="int64")),
            "candles": (lasts - begins + 1).astype("int64"),
            "cause": pd.Series(causes[begins], dtype="str"),
        }
    )


def expected(candles: pd.DataFrame, span: Span | None = None) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the opens (ms) of all candles of a complete frame."""
    where, grid = span or span_of(candles), grid_of(candles)
    length = grid.interval.length_ms
    if length is None:
        return np.array(grid.opens(where), dtype="int64")
    first = grid.opens(Span(where.start_ms, min(where.end_ms, where.start_ms + length)))
    return np.arange(first[0] if first else where.end_ms, where.end_ms, length, dtype="int64")


def among(opens: np.ndarray[Any, Any], ordered: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which of the opens are in an ascending array; much faster than a search that ignores the order."""
    if not len(ordered):
        return np.zeros(len(opens), dtype=bool)
    at = np.minimum(np.searchsorted(ordered, opens), len(ordered) - 1)
    found: np.ndarray[Any, np.dtype[np.bool_]] = ordered[at] == opens
    return found


def present(candles: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the opens (ms) of the rows that are candles, without filled rows."""
    opens: np.ndarray[Any, np.dtype[np.int64]] = milliseconds(utc_index(candles))[~made_up(candles)]
    return opens


def _causes(candles: pd.DataFrame, opens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    noted = sorted(origin(candles).get("gaps", ()), key=lambda gap: str(gap["start"]))
    if not noted:
        return np.full(len(opens), NOT_RECORDED, dtype=object)
    starts, ends = (pd.DatetimeIndex([gap[name] for gap in noted]).as_unit("ms").asi8 for name in ("start", "end"))
    at = np.searchsorted(starts, opens, side="right") - 1
    inside = (at >= 0) & (opens < ends[at])
    causes = np.array([str(gap["cause"]) for gap in noted], dtype=object)
    return np.where(inside, causes[at], NOT_RECORDED)


def _moments(opens: np.ndarray[Any, Any]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(opens.astype("datetime64[ms]"), tz="UTC")
