"""The estimators against the formulas of the papers by hand, against known truth, and against their efficiency."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.research.volatility import close_to_close, garman_klass, parkinson, rogers_satchell, yang_zhang
from tests.research.frames import brownian

ALL: dict[str, Callable[..., Any]] = {
    "close_to_close": close_to_close, "parkinson": parkinson, "garman_klass": garman_klass,
    "rogers_satchell": rogers_satchell, "yang_zhang": yang_zhang,
}  # fmt: skip
RANGES = ("parkinson", "garman_klass", "rogers_satchell")
every = pytest.mark.parametrize("name", ALL)
SIGMA = 0.02


def by_hand(name: str, bars: list[tuple[float, ...]], before: float | None) -> float:
    """The variance of one bar by the papers' own symbols: u, d, c are high, low and close over the open."""
    udc = [(math.log(h / o), math.log(low / o), math.log(c / o)) for o, h, low, c in bars]
    closes = ([before] if before else []) + [bar[3] for bar in bars]
    if name == "close_to_close":
        return statistics.variance([math.log(b / a) for a, b in pairwise(closes)])
    if name == "parkinson":
        return math.fsum((u - d) ** 2 for u, d, _ in udc) / len(udc) / (4 * math.log(2))
    if name == "garman_klass":
        return math.fsum(0.5 * (u - d) ** 2 - (2 * math.log(2) - 1) * c**2 for u, d, c in udc) / len(udc)
    satchell = [u * (u - c) + d * (d - c) for u, d, c in udc]
    if name == "rogers_satchell":
        return math.fsum(satchell) / len(satchell)
    kept = slice(None) if before else slice(1, None)
    n = len(udc[kept])
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    jumps = [math.log(bar[0] / close) for bar, close in zip(bars[kept], closes, strict=False)]
    return (
        statistics.variance(jumps)
        + k * statistics.variance([c for _, _, c in udc[kept]])
        + (1 - k) * math.fsum(satchell[kept]) / n
    )


def rows(frame: pd.DataFrame) -> list[tuple[float, ...]]:
    return list(frame[["open", "high", "low", "close"]].itertuples(index=False, name=None))


@every
def test_a_whole_sample_is_the_papers_formula(name: str) -> None:
    frame = brownian(60, SIGMA, seed=3, jump=0.01)
    assert ALL[name](frame) == pytest.approx(math.sqrt(8760 * by_hand(name, rows(frame), None)), rel=1e-12)


@every
def test_each_window_is_the_papers_formula_on_its_own_bars(name: str) -> None:
    frame = brownian(60, SIGMA, seed=4, jump=0.01)
    reported, bars = ALL[name](frame, 7, periods_per_year=1), rows(frame)
    first = 6 if name in RANGES else 7
    assert reported.isna().tolist() == [True] * first + [False] * (60 - first)
    for at in range(7, 60):
        expected = by_hand(name, bars[at - 6 : at + 1], bars[at - 7][3])
        assert reported.iloc[at] == pytest.approx(math.sqrt(expected), rel=1e-9)


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(("drift", "jump", "unbiased"), [
    (0.0, 0.0, (*ALL,)),
    (0.005, 0.0, ("close_to_close", "rogers_satchell", "yang_zhang")),
    (0.0, 0.02, ("close_to_close", "yang_zhang")),
    (0.005, 0.02, ("close_to_close", "yang_zhang")),
])  # fmt: skip
def test_known_variance_is_found_within_its_standard_error(
    drift: float, jump: float, unbiased: tuple[str, ...]
) -> None:
    frame = brownian(120_000, SIGMA, seed=11, drift=drift, jump=jump)
    truth = SIGMA**2 + jump**2
    for name in ALL:
        samples = (ALL[name](frame, 60, periods_per_year=1).iloc[60::60] ** 2).to_numpy()  # windows that share no bar
        error = (samples.mean() - truth) / (samples.std(ddof=1) / math.sqrt(len(samples)))
        if name in unbiased:
            assert abs(error) < 4, (name, error)
        elif jump and not (drift and name in ("parkinson", "garman_klass")):
            assert error < -20, (name, error)  # the jumps are not seen
        elif not jump:
            assert error > 5, (name, error)  # the drift is taken for volatility


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(("name", "efficiency"), [
    ("parkinson", 2 / (9 * 1.2020569031595942 / (16 * math.log(2) ** 2) - 1)),  # 4.91: fourth moment of the range
    ("garman_klass", 7.4),  # Garman & Klass 1980
    ("rogers_satchell", 6.0),  # Rogers & Satchell 1991
])  # fmt: skip
def test_one_bar_is_as_much_better_than_its_squared_return_as_the_papers_say(name: str, efficiency: float) -> None:
    frame = brownian(200_000, SIGMA, seed=5)
    variance = (ALL[name](frame, 1, periods_per_year=1) ** 2).var()
    assert 2 * SIGMA**4 / variance == pytest.approx(efficiency, rel=0.03)


def test_yang_zhang_is_the_most_efficient_where_openings_jump() -> None:
    frame = brownian(120_000, SIGMA, seed=6, jump=SIGMA / 2)
    spread = {name: (ALL[name](frame, 10, periods_per_year=1).iloc[10::10] ** 2).var() for name in ALL}
    assert spread["close_to_close"] / spread["yang_zhang"] > 5


@pytest.mark.quick_cases(4)
@every
@settings(max_examples=25)
@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 1000))
def test_the_unit_of_the_price_does_not_matter(name: str, scale: float, seed: int) -> None:
    frame = brownian(20, SIGMA, seed=seed, jump=0.01)
    assert ALL[name](frame * scale) == pytest.approx(ALL[name](frame), rel=1e-6)


@pytest.mark.quick_cases(4)
@every
@settings(max_examples=25)
@given(factor=st.floats(0.1, 10), seed=st.integers(0, 1000))
def test_moves_twice_as_large_are_twice_the_volatility(name: str, factor: float, seed: int) -> None:
    frame = brownian(20, SIGMA, seed=seed, jump=0.01)
    assert ALL[name](frame**factor) == pytest.approx(factor * ALL[name](frame), rel=1e-9)


@every
def test_a_mirrored_market_is_as_volatile(name: str) -> None:
    frame = brownian(50, SIGMA, seed=8, drift=0.01, jump=0.01)
    mirrored = (1 / frame).rename(columns={"high": "low", "low": "high"})
    assert ALL[name](mirrored) == pytest.approx(ALL[name](frame), rel=1e-9)


@every
def test_a_price_that_stands_still_has_none(name: str) -> None:
    frame = brownian(30, SIGMA, seed=8)
    frame.loc[:, :] = 70_000.1
    assert ALL[name](frame) == 0
    assert ALL[name](frame, 5).dropna().eq(0).all()


@every
def test_what_comes_later_changes_no_earlier_estimate(name: str) -> None:
    frame = brownian(60, SIGMA, seed=9)
    altered = frame.copy()
    altered.iloc[40:] *= 3
    pd.testing.assert_series_equal(ALL[name](altered, 8).iloc[:40], ALL[name](frame, 8).iloc[:40])


@every
def test_a_window_is_a_length_of_time_and_a_missing_bar_is_not_replaced_by_an_older_one(name: str) -> None:
    frame = brownian(40, SIGMA, seed=10)
    holed = frame.drop(index=frame.index[[20]])
    strict = ALL[name](holed, 5)
    broken = range(20, 25) if name in RANGES else range(20, 26)  # a return, or a jump, needs the bar before as well
    absent = {frame.index[at] for at in broken} - {frame.index[20]}
    assert set(strict.index[strict.isna()]) - set(frame.index[:5]) == absent
    lenient = ALL[name](holed, 5, min_periods=2, periods_per_year=1)
    kept = rows(frame.iloc[18:23].drop(index=frame.index[20])) if name in RANGES else rows(frame.iloc[[22, 23, 24, 25]])
    if name in RANGES:
        assert lenient[frame.index[22]] == pytest.approx(math.sqrt(by_hand(name, kept, None)), rel=1e-9)
    else:
        expected = by_hand(name, kept, float(frame["close"].iloc[21]))
        assert lenient[frame.index[25]] == pytest.approx(math.sqrt(expected), rel=1e-9)


@every
def test_rows_that_were_filled_in_count_as_missing(name: str) -> None:
    frame = brownian(40, SIGMA, seed=10)
    stuffed = frame.assign(filled=np.arange(40) == 20)
    stuffed.iloc[20, :4] = frame["close"].iloc[19]
    assert ALL[name](stuffed) == pytest.approx(ALL[name](frame.drop(index=frame.index[20])), rel=1e-12)


@every
def test_too_few_bars_are_nan_and_no_bars_are_no_error(name: str) -> None:
    frame = brownian(3, SIGMA, seed=1)
    assert math.isnan(ALL[name](frame, min_periods=4))
    assert math.isnan(ALL[name](frame.iloc[:0]))
    assert ALL[name](frame.iloc[:0], 5).empty
    assert ALL[name](frame.iloc[:1], 5).isna().all()


def test_years_are_counted_from_the_candles_own_length() -> None:
    hourly, daily = brownian(50, SIGMA, seed=2), brownian(50, SIGMA, seed=2, freq="1D")
    assert parkinson(hourly) == pytest.approx(math.sqrt(24) * parkinson(daily))
    assert parkinson(hourly, periods_per_year=1) == pytest.approx(parkinson(hourly) / math.sqrt(8760))


@every
def test_what_means_nothing_is_refused_in_words(name: str) -> None:
    frame = brownian(30, SIGMA, seed=2)
    for field, options in {
        "window": {"window": 0}, "min_periods": {"window": 5, "min_periods": 6},
        "periods_per_year": {"periods_per_year": 0.0},
    }.items():  # fmt: skip
        with pytest.raises(InvalidInput, match=field):
            ALL[name](frame, **options)
    with pytest.raises(InvalidInput, match="no column"):
        ALL[name](frame[["open"]])


def test_one_candle_that_says_how_long_it_is_has_a_range() -> None:
    one = brownian(1, SIGMA, seed=1)
    assert math.isnan(parkinson(one))
    one.attrs["bgresearch"] = {"interval": "1h"}
    assert parkinson(one) == parkinson(one, interval="1h") > 0


def test_a_window_may_be_numpys_number_and_a_price_without_end_is_refused() -> None:
    bars = brownian(5, SIGMA, seed=1)
    assert parkinson(bars, np.int64(2)).equals(parkinson(bars, 2))
    bars.iloc[2, 1] = math.inf
    with pytest.raises(InvalidInput, match="not a finite number above 0"):
        parkinson(bars)
