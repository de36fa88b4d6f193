"""Made-up candles for charts: a seeded random walk."""

from __future__ import annotations

import numpy as np
import pandas as pd


def walk(bars: int, *, seed: int = 1, start: str = "2024-01-01") -> pd.DataFrame:
    """One-minute candles that look like a market's."""
    random = np.random.default_rng(seed)
    close = 50_000 * np.exp(np.cumsum(random.normal(0, 0.0006, bars)))
    opened = np.r_[50_000, close[:-1]]
    index = pd.date_range(start, periods=bars, freq="1min", tz="UTC", name="open_time")
    columns = {
        "open": opened,
        "high": np.maximum(opened, close) * 1.0004,
        "low": np.minimum(opened, close) * 0.9996,
        "close": close,
        "volume": random.gamma(2, 1, bars),
    }
    return pd.DataFrame(columns, index=index)
