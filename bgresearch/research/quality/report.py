"""Data quality report on a frame of candles: gaps and their causes, outliers, periods without trades. Pure.

Outliers are values with a large modified z-score of return or wick (Iglewicz and Hoaglin 1993).
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bgresearch.core.spans import Span, iso
from bgresearch.errors import InvalidInput
from bgresearch.research.quality.gaps import among, expected, gaps, present
from bgresearch.research.quality.provenance import (
    PRICES,
    checked_columns,
    checked_interval,
    closed_until,
    grid_of,
    made_up,
    milliseconds,
    name_of,
    span_of,
    utc_index,
)

_MAD_TO_SIGMA = 0.6745  # the median distance of a normal variable from its median, in standard deviations
_MEAN_TO_SIGMA = 1.2533  # standard deviations to a mean distance, sqrt(pi / 2)


THRESHOLD = 10.0


@dataclass(frozen=True, repr=False)
class Quality:
    """The report on one frame; displayed as a table in a notebook and as text elsewhere.

    Attributes
    ----------
    name : str
        Symbol, market, price and interval, as far as the frame's provenance has them.
    span : Span
        The span in which candles were expected: the closed part of the requested span.
    expected, candles : int
        Number of expected candles; number of candles present.
    gaps : DataFrame
        As `bgresearch.research.quality.gaps.gaps`: start, end, candles, cause.
    outliers : DataFrame
        Index ``open_time``; column measure (str: return, upper wick, lower wick), value (float64, logarithm), score
        (float64, modified z).
    still : DataFrame
        Runs of candles without volume: start, end (datetime64[ms, UTC], half-open), candles (int64).
    insane : DataFrame
        Index ``open_time``; column problem (str): impossible prices or volumes.
    duplicates, disorder, off_grid, filled, forming, outside : int
        Rows with a repeated time; rows earlier than the previous row; rows at times at which no candle opens; filled
        rows; candles that were still forming; rows outside ``span``.
    threshold : float
        The score at and above which a value is an outlier.
    """

    name: str
    span: Span
    expected: int
    candles: int
    gaps: pd.DataFrame
    outliers: pd.DataFrame
    still: pd.DataFrame
    insane: pd.DataFrame
    duplicates: int
    disorder: int
    off_grid: int
    filled: int
    forming: int
    outside: int
    threshold: float

    @property
    def coverage(self) -> float:
        """The share of the expected candles that are present; 1 if none is expected."""
        return self.candles / self.expected if self.expected else 1.0

    @property
    def sound(self) -> bool:
        """Whether nothing is missing or impossible. Outliers and periods without volume may be genuine."""
        return not (
            self.duplicates or self.disorder or self.off_grid or len(self.insane) or self.candles < self.expected
        )

    def frame(self) -> pd.DataFrame:
        """Return the report as a table: a row per check, columns found (int64) and words (str)."""
        rows = list(self._rows())
        checks = pd.Index([check for check, _, _ in rows], name="check", dtype="str")
        found = np.array([count for _, count, _ in rows], dtype="int64")
        return pd.DataFrame({"found": found, "words": pd.array([text for *_, text in rows], dtype="str")}, index=checks)

    def __repr__(self) -> str:
        width = max(len(check) for check, _, _ in self._rows())
        lines = (f"{check:<{width}}  {text}" for check, _, text in self._rows())
        return "\n".join([self._heading(), *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align:left">{html.escape(check)}</th>'
            f'<td style="text-align:left">{html.escape(text)}</td></tr>'
            for check, _, text in self._rows()
        )
        return f"<table><caption>{html.escape(self._heading())}</caption><tbody>{rows}</tbody></table>"

    def _heading(self) -> str:
        return f"{self.name or 'Candles'}: {'sound' if self.sound else 'needs attention'}"

    def _rows(self) -> list[tuple[str, int, str]]:
        return [
            (
                "asked",
                self.expected,
                f"{iso(self.span.start_ms)} to {iso(self.span.end_ms)}, {self.expected:,} candles",
            ),
            ("present", self.candles, f"{self.candles:,}, {_percent(self.coverage)}"),
            ("gaps", len(self.gaps), _gaps_text(self.gaps)),
            ("filled in", self.filled, _none(self.filled, "row", ", not candles")),
            ("still forming", self.forming, _none(self.forming, "candle", ", not counted as present")),
            ("duplicates", self.duplicates, _none(self.duplicates, "row")),
            ("out of order", self.disorder, _none(self.disorder, "row")),
            ("off the grid", self.off_grid, _none(self.off_grid, "row", " at times at which no candle opens")),
            ("outside", self.outside, _none(self.outside, "row", " outside the requested span")),
            ("impossible", len(self.insane), _insane_text(self.insane)),
            ("outliers", len(self.outliers), _outliers_text(self.outliers, self.threshold)),
            ("no volume", int(self.still["candles"].sum()), _still_text(self.still)),
        ]


def quality(candles: pd.DataFrame, *, threshold: float = THRESHOLD, span: Span | None = None) -> Quality:
    """Return a quality report on candles; does not change the frame, no network.

    Parameters
    ----------
    candles : DataFrame
        Index ``open_time`` (UTC), columns open, high, low, close and optionally volume, quote_volume, filled; may be
        out of order and have duplicates.
    threshold : float
        The modified z-score at and above which a value is an outlier.
    span : Span, optional
        The span in which candles are expected; by default the closed part of the requested span, and without
        provenance from the first row to the end of the last.

    Raises
    ------
    InvalidInput
        The frame has no prices, the index is not a time with a time zone, or the threshold is not above 0.

    Examples
    --------
    >>> client = bg.connect(sandbox=True)                                                   # doctest: +SKIP
    >>> quality(client.candles("BTCUSDT", "1h", "2026-01-01", "2026-02-01")).coverage       # doctest: +SKIP
    """
    checked_columns(candles)
    checked_interval(candles)
    if not threshold > 0:
        raise InvalidInput("threshold", f"{threshold} is not above 0.", hint="Use 3.5 or more.")
    where = span or span_of(candles)
    opens, wanted, there = milliseconds(utc_index(candles)), expected(candles, where), present(candles)
    until = closed_until(candles)
    forming = np.zeros(len(opens), dtype=bool) if until is None else opens >= until
    outside = (opens < where.start_ms) | (opens >= where.end_ms)
    on_grid = every_open(candles)
    real = in_order(candles)
    joined = neighbours(real, on_grid)
    return Quality(
        name=name_of(candles, "symbol", "market", "price", "interval"), span=where, expected=len(wanted),
        candles=int(among(wanted, np.sort(there)).sum()),
        gaps=gaps(candles, where), outliers=outliers(real, joined, threshold), still=still(candles, real, joined),
        insane=insane(candles), duplicates=int(pd.Index(opens).duplicated().sum()),
        disorder=int((np.diff(opens) < 0).sum()), off_grid=int((~among(opens, on_grid)).sum()),
        filled=len(opens) - len(there), forming=int(forming.sum()), outside=int((outside & ~forming).sum()),
        threshold=threshold,
    )  # fmt: skip


def _percent(share: float) -> str:
    """Return a percentage that is never rounded up to 100 %."""
    return "100 %" if share >= 1 else f"{math.floor(share * 10_000) / 100:.2f} %"


def _count(count: int, noun: str, more: str = "") -> str:
    return f"{count:,} {noun}{'s' if count != 1 else ''}{more}"


def _none(count: int, noun: str, more: str = "") -> str:
    return _count(count, noun, more) if count else "none"


def _gaps_text(found: pd.DataFrame) -> str:
    if found.empty:
        return "none"
    by_cause = found.groupby("cause")["candles"].agg(["size", "sum"]).sort_values("sum", ascending=False)
    return "; ".join(
        f"{cause}: {_count(size, 'span')}, {_count(total, 'candle')}" for cause, (size, total) in by_cause.iterrows()
    )


def _insane_text(found: pd.DataFrame) -> str:
    counts = found["problem"].value_counts()
    return "; ".join(f"{problem}: {count:,}" for problem, count in counts.items()) or "none"


def _outliers_text(found: pd.DataFrame, threshold: float) -> str:
    rule = f"modified z-score (Iglewicz and Hoaglin 1993) of {threshold:g} or more"
    if found.empty:
        return f"none with a {rule}"
    worst = found["score"].abs().idxmax()
    return f"{len(found):,} with a {rule}; the most extreme at {worst:%Y-%m-%d %H:%M}"


def _still_text(found: pd.DataFrame) -> str:
    if found.empty:
        return "none"
    total = _count(int(found["candles"].sum()), "candle")
    return f"{total} in {_count(len(found), 'run')}, the longest of {found['candles'].max():,}"


def modified_z(values: pd.Series) -> pd.Series:
    """Return the modified z-score of each value (Iglewicz and Hoaglin 1993); 0 where all are equal, NaN where NaN."""
    away = (values - values.median()).round(12)  # differences within rounding error count as none
    spread = away.abs().median() / _MAD_TO_SIGMA or away.abs().mean() * _MEAN_TO_SIGMA
    return away / spread if spread else away * 0.0


def every_open(candles: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Return every open from the first row to the last."""
    opens = milliseconds(utc_index(candles))
    return expected(candles, Span(int(opens.min()), int(opens.max()) + 1)) if len(opens) else opens


def in_order(candles: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are candles on the grid, in order, one per time."""
    opens = milliseconds(utc_index(candles))
    real = candles.loc[among(opens, every_open(candles)) & ~made_up(candles)].sort_index(kind="stable")
    return real.loc[~real.index.duplicated()]


def neighbours(real: pd.DataFrame, on_grid: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return which candles directly follow the previous one."""
    follows: np.ndarray[Any, Any] = np.r_[False, np.diff(np.searchsorted(on_grid, milliseconds(utc_index(real)))) == 1][
        : len(real)
    ]
    return follows


def outliers(real: pd.DataFrame, joined: np.ndarray[Any, Any], threshold: float) -> pd.DataFrame:
    """Return every outlier, by candle and measure."""
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
    """Return runs of adjacent candles without trades."""
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
    """Return impossible rows, with the first reason; rows filled with NaN are not candles."""
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
