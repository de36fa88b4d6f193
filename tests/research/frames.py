"""Made-up candles with known truth: Brownian motion whose highs and lows are those of the whole path."""

from __future__ import annotations

import numpy as np
import pandas as pd


def brownian(
    bars: int, sigma: float, *, seed: int, drift: float = 0.0, jump: float = 0.0, segments: int = 32, freq: str = "1h"
) -> pd.DataFrame:
    """Candles of a path with standard deviation ``sigma`` and ``drift`` per bar, and jumps of ``jump`` between bars.

    Between the points of a bar the path is a Brownian bridge, whose maximum and minimum have a known distribution:
    with a, b the ends, variance v and U uniform, max = (a + b + sqrt((a - b)^2 - 2 v ln U)) / 2. So highs and lows are
    not those of a few points (which would be too near).
    """
    random = np.random.default_rng(seed)
    v = sigma**2 / segments
    steps = random.normal(drift / segments, np.sqrt(v), (bars, segments))
    ends = np.cumsum(steps, axis=1)
    starts = ends - steps
    above = (starts + ends + np.sqrt(steps**2 - 2 * v * np.log(random.random((bars, segments))))) / 2
    below = (starts + ends - np.sqrt(steps**2 - 2 * v * np.log(random.random((bars, segments))))) / 2
    gaps = random.normal(0.0, jump, bars) if jump else np.zeros(bars)
    opens = np.cumsum(gaps) + np.r_[0.0, np.cumsum(ends[:-1, -1])] + np.log(100.0)
    logs = {
        "open": opens, "high": opens + above.max(axis=1), "low": opens + below.min(axis=1), "close": opens + ends[:, -1]
    }  # fmt: skip
    index = pd.date_range("2024-01-01", periods=bars, freq=freq, tz="UTC", unit="ms", name="open_time")
    return pd.DataFrame({name: np.exp(values) for name, values in logs.items()}, index=index)
