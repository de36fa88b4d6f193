"""What looks wrong in candles, each kind as a small frame: outliers, stillness, the impossible. Pure.

Outliers are found by the modified z-score of B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, ASQC
Basic References in Quality Control 16 (1993): ``0.6745 * (x - median) / MAD``, MAD being the median of the distances
from the median. Where more than half of the values are equal, MAD is 0 and ``(x - median) / (1.2533 * mean distance)``
stands in. They advise 3.5 for data that are nearly normal; returns have heavy tails, so 10 is the default here. A
candle is looked at in three ways: its return from the close before (only where that is the neighbouring candle), its
upper wick and its lower wick, each as a logarithm.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bgresearch.core.spans import Span
from bgresearch.research.quality.gaps import among, expected
from bgresearch.research.quality.provenance import PRICES, grid_of, made_up, milliseconds, utc_index

_MAD_TO_SIGMA = 0.6745  # the median distance of a normal variable from its median, in standard deviations
_MEAN_TO_SIGMA = 1.2533  # standard deviations to a mean distance, sqrt(pi / 2)


def modified_z(values: pd.Series) -> pd.Series:
    """Return the modified z-score of each value (Iglewicz and Hoaglin 1993); 0 where all are equal, NaN where NaN."""
    away = (values - values.median()).round(12)  # what the arithmetic itself scatters is no distance
    spread = away.abs().median() / _MAD_TO_SIGMA or away.abs().mean() * _MEAN_TO_SIGMA
    return away / spread if spread else away * 0.0


def every_open(candles: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return every open from the first row to the last."""
    opens = milliseconds(utc_index(candles))
    return expected(candles, Span(int(opens.min()), int(opens.max()) + 1)) if len(opens) else opens


def in_order(candles: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are candles on the grid, in order, each time once."""
    opens = milliseconds(utc_index(candles))
    real = candles.loc[among(opens, every_open(candles)) & ~made_up(candles)].sort_index(kind="stable")
    return real.loc[~real.index.duplicated()]


def neighbours(real: pd.DataFrame, on_grid: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return which candles follow right upon the one before."""
    follows: np.ndarray[Any, Any] = np.r_[False, np.diff(np.searchsorted(on_grid, milliseconds(utc_index(real)))) == 1][
        : len(real)
    ]
    return follows


def outliers(real: pd.DataFrame, joined: np.ndarray[Any, Any], threshold: float) -> pd.DataFrame:
    """Return every value that lies too far out, by candle and measure."""
    opened, high, low, close = (pd.Series(real[name].where(real[name] > 0)) for name in PRICES)
    measures = {
        "return": pd.Series(np.log(close / close.shift())).where(joined),
        "upper wick": pd.Series(np.log(high / opened.where(opened > close, close))),
        "lower wick": pd.Series(np.log(opened.where(opened < close, close) / low)),
    }
    found = []
    for measure, values in measures.items():
        score = modified_z(values)
        far = score.abs() >= threshold
        found.append(pd.DataFrame({"measure": measure, "value": values[far], "score": score[far]}))
    return pd.concat(found).astype({"measure": "str"}).sort_index(kind="stable").rename_axis("open_time")


def still(candles: pd.DataFrame, real: pd.DataFrame, joined: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Return runs of neighbouring candles in which nothing was traded."""
    quiet = (real["volume"] == 0).to_numpy() if "volume" in real.columns else np.zeros(len(real), dtype=bool)
    begins = quiet & ~(joined & np.r_[False, quiet[:-1]][: len(quiet)])
    numbers = np.cumsum(begins)[quiet]
    opens = milliseconds(utc_index(real))[quiet]
    runs = pd.DataFrame({"open": opens}).groupby(numbers)["open"].agg(["min", "max", "size"])
    grid = grid_of(candles)
    ends = [grid.interval.next_open(int(last), grid.anchor) for last in runs["max"]]
    start, end = (np.array(list(part), dtype="datetime64[ms]") for part in (runs["min"], ends))
    return pd.DataFrame(
        {
            "start": pd.DatetimeIndex(start, tz="UTC"), "end": pd.DatetimeIndex(end, tz="UTC"),
            "candles": runs["size"].to_numpy(dtype="int64"),
        }
    )  # fmt: skip


def insane(candles: pd.DataFrame) -> pd.DataFrame:
    """Return rows that cannot be, with the first reason; rows that were filled in with NaN are no candles."""
    real = candles.loc[~made_up(candles)]
    opened, high, low, close = (real[name].to_numpy(dtype="float64") for name in PRICES)
    prices = np.stack([opened, high, low, close])
    volumes = real[[name for name in ("volume", "quote_volume") if name in real.columns]].to_numpy(dtype="float64")
    reasons = {
        "a price is missing or infinite": ~np.isfinite(prices).all(axis=0),
        "a price is not above 0": (prices <= 0).any(axis=0),
        "high is below another price": high < np.maximum(opened, np.maximum(close, low)),
        "low is above another price": low > np.minimum(opened, close),
        "a volume is negative or missing": ~(volumes >= 0).all(axis=1),
    }
    problem = np.select(list(reasons.values()), list(reasons), default="")
    found = pd.DataFrame({"problem": pd.array(problem, dtype="str")}, index=real.index)
    return found[found["problem"] != ""].rename_axis("open_time")
