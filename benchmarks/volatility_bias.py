"""How far each estimator of volatility is from the truth, and how much it scatters, over many seeds.

A price that is watched all the time (highs and lows of the whole path), and one that is seen only when somebody trades.
Aim: watched all the time, without drift and jumps, no bias beyond three standard errors.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from bgresearch.research.volatility import close_to_close, garman_klass, parkinson, rogers_satchell, yang_zhang
from tests.research.frames import brownian

ALL: tuple[Callable[..., Any], ...] = (close_to_close, parkinson, garman_klass, rogers_satchell, yang_zhang)
SIGMA, BARS, WINDOW = 0.02, 5_000, 20


def traded(bars: int, trades: int, seed: int) -> pd.DataFrame:
    """Candles of a path without drift that is seen at so many instants a bar."""
    steps = np.random.default_rng(seed).normal(0, SIGMA / math.sqrt(trades), (bars, trades))
    path = np.cumsum(steps, axis=1)
    opens = np.r_[0.0, np.cumsum(path[:-1, -1])]
    seen = np.c_[opens, opens[:, None] + path]
    logs = {"open": opens, "high": seen.max(axis=1), "low": seen.min(axis=1), "close": seen[:, -1]}
    index = pd.date_range("2024-01-01", periods=bars, freq="1h", tz="UTC", unit="ms", name="open_time")
    return pd.DataFrame({name: np.exp(values) for name, values in logs.items()}, index=index)


def measured(make: Callable[[int], pd.DataFrame], truth: float, seeds: int) -> None:
    scatter = {}
    for estimator in ALL:
        found = [
            estimator(make(seed), WINDOW, periods_per_year=1).iloc[WINDOW::WINDOW].to_numpy() ** 2 / truth
            for seed in range(seeds)
        ]
        of_seeds = np.array([one.mean() for one in found])
        bias, error = of_seeds.mean() - 1, of_seeds.std(ddof=1) / math.sqrt(seeds)
        scatter[estimator.__name__] = np.concatenate(found).var()
        better = scatter["close_to_close"] / scatter[estimator.__name__]
        print(
            f"  {estimator.__name__:16} {bias:+8.3%} +- {error:.3%} of the variance, scatter {better:5.2f} times less"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    seeds = parser.parse_args().seeds
    print(f"{seeds} seeds of {BARS:,} bars, windows of {WINDOW}")
    for words, drift, jump in (
        ("as it is", 0.0, 0.0),
        ("drift", SIGMA / 4, 0.0),
        ("jumps between bars", 0.0, SIGMA / 2),
    ):
        print(f"watched all the time, {words}:")
        measured(
            lambda seed, a=drift, b=jump: brownian(BARS, SIGMA, seed=seed, drift=a, jump=b), SIGMA**2 + jump**2, seeds
        )
    for trades in (10, 100):
        print(f"{trades} trades a bar:")
        measured(lambda seed, n=trades: traded(BARS, n, seed), SIGMA**2, seeds)


if __name__ == "__main__":
    main()
