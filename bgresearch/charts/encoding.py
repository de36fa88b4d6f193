"""The levels of a chart as text embedded in a page and unpacked by its script (``html_page.js``).

A column becomes whole numbers wherever that is exact: times by their common step, prices by their decimals. Their
differences are stored as 32-bit integers, bytes in four planes, deflated, in base64. Other columns are 64-bit floats,
lines 32-bit ones, whose seven digits are more than a screen shows.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from bgresearch.charts.downsampling import Columns
from bgresearch.charts.figure import Drawing

_MOST = 2**31 - 1
_DECIMALS = 10
_EXACT = 1e-12  # rounding errors of summed volumes are smaller


def packed(drawing: Drawing, max_bars: int) -> dict[str, Any]:
    """Return everything that the script needs to draw any view of a chart at any level."""
    return {
        "maxBars": max_bars,
        "span": list(drawing.sight_ms),
        "names": [name for name in drawing.names if name != "funding"],
        "levels": [
            {
                "name": level.name, "length": level.length_ms, "bars": level.bars,
                "subtitle": drawing.subtitle_of(level),
                "traces": {
                    name: columns_packed(columns, short=name.startswith("line "))
                    for name, columns in level.traces.items()
                },
            }
            for level in drawing.levels
        ],
    }  # fmt: skip


def columns_packed(columns: Columns, *, short: bool = False) -> Mapping[str, Any]:
    """Return the columns of a trace as plain values."""
    return {
        name: column.tolist() if column.dtype == object else _numbers(column, short) for name, column in columns.items()
    }


def _numbers(column: np.ndarray[Any, Any], short: bool) -> dict[str, Any]:
    if column.dtype.kind == "i":
        steps = np.diff(column)
        unit = int(np.gcd.reduce(steps)) if len(steps) else 0
        base, unit = (int(column[0]) if len(column) else 0), max(unit, 1)
        if not len(steps) or np.abs(steps).max() // unit <= _MOST:
            return {"base": base, "unit": unit, "deltas": _planes((column - base) // unit)}
    elif np.isfinite(column).all():
        for decimals in range(_DECIMALS + 1):
            whole = np.rint(column * 10.0**decimals)
            if len(column) and np.abs(whole).max() > _MOST // 2:
                break
            if np.allclose(whole / 10.0**decimals, column, rtol=_EXACT, atol=0):
                return {"decimals": decimals, "deltas": _planes(whole.astype("int64"))}
    if short and column.dtype.kind == "f":
        return {"floats": _text(column.astype("<f4").tobytes())}
    return {"doubles": _text(column.astype("<f8").tobytes())}


def _planes(whole: np.ndarray[Any, Any]) -> str:
    """Return the differences of whole numbers, all first bytes, then all second ones: this compresses better."""
    deltas = np.diff(whole, prepend=0).astype("<i4")
    return _text(deltas.view("u1").reshape(-1, 4).T.tobytes())


def _text(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")
