"""Stores filled by hand, and offline clients of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

import bgresearch as bg
from bgresearch.catalogue.value_types import TIME
from bgresearch.client.client import Client
from bgresearch.core.intervals import INTERVALS
from bgresearch.core.spans import Span
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.market.candles.plan import subject
from bgresearch.store import Gap, Store

JAN_MS = 1_767_225_600_000  # 2026-01-01, a Thursday
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
HOST = "https://api.bitget.com"
SYMBOLS = ("BTCUSDT", "1INCHUSDT", "$ALTUSDT", "ÄB%C+D=E")  # the last one is nobody's, and must not matter


def bars(times_ms: np.ndarray, seed: int = 7) -> pa.Table:
    """Return bars that open at those times, with prices on a walk."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(times_ms)))), 2)
    opened = np.concatenate([[100.0], close[:-1]])[: len(close)]
    high, low = np.maximum(opened, close) + 0.5, np.minimum(opened, close) - 0.5
    volume = np.round(rng.lognormal(1, 1.2, len(close)), 6)
    columns = [opened, high, low, close, volume, np.round(volume * close, 6)]
    return pa.Table.from_arrays([pa.array(times_ms).cast(TIME), *map(pa.array, columns)], schema=CANDLE_SCHEMA)


def keep(
    folder: Path, symbol: str, interval: str = "1m", rows: int = 100, *, start_ms: int = JAN_MS, market: str = "spot",
    price: str = "last", anchor: str = "utc", absent: tuple[int, ...] = (), gaps: tuple[Gap, ...] = (), seed: int = 7,
) -> Span:  # fmt: skip
    """Write bars of a fixed length into a store, some of them absent, and return the span that is covered."""
    step = INTERVALS[interval].nominal_ms
    times = start_ms + np.delete(np.arange(rows, dtype=np.int64), absent) * step
    span = Span(start_ms, start_ms + rows * step)
    what = subject(symbol, interval, market, price, anchor)
    Store(folder, host=HOST).write(what.stored, bars(times, seed), [span], gaps, source="spot.candles")
    return span


def offline(folder: Path, **options: object) -> Client:
    """Return a client that reads a folder and asks nobody."""
    return bg.connect(**({"data_dir": folder, "offline": True, "progress": False} | options))  # type: ignore[arg-type]


def in_ms(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with its times in milliseconds, the unit of the client's own."""
    times = frame.select_dtypes("datetimetz").columns
    return frame.astype(dict.fromkeys(times, "datetime64[ms, UTC]"))
