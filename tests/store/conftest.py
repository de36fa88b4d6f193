"""Rows to keep, and a store to keep them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.store import Series, Store

JAN_MS = 1_704_067_200_000  # 2024-01-01
MINUTE_MS = 60_000


def candles(span: Span, base: float = 100.0) -> pa.Table:
    """Return a candle a minute, every number a function of its time."""
    times = np.arange(span.start_ms, span.end_ms, MINUTE_MS)
    close = base + (times // MINUTE_MS % 97) / 10
    columns = [close, close + 1, close - 1, close, close * 2, close * 3]
    arrays = [pa.array(times, pa.timestamp("ms", "UTC")), *map(pa.array, columns)]
    return pa.Table.from_arrays(arrays, schema=CANDLE_SCHEMA)


@pytest.fixture
def minutes() -> Callable[..., pa.Table]:
    return candles


@pytest.fixture
def series() -> Series:
    keys = (("market", "spot"), ("price", "last"), ("symbol", "BTCUSDT"), ("interval", "1m"))
    return Series("candles", keys, "open_time")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(JAN_MS + 90 * 86_400_000)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Store:
    return Store(tmp_path / "data", host="https://api.bitget.com", clock=clock)
