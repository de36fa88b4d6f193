"""How fast stored candles are read, how small they are, what one more costs: ratios against raw pyarrow and CSV."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import bgresearch as bg
from bgresearch.core.spans import Span
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.market.candles.plan import subject
from bgresearch.store import Store

YEAR = 525_600
START_MS = 1_672_531_200_000  # 2023-01-01
MINUTE_MS = 60_000


def bars(rows: int, start_ms: int = START_MS, seed: int = 7) -> pa.Table:
    """Return bars as a liquid market has them: prices on a tick of 0.01, volumes with six decimals."""
    rng = np.random.default_rng(seed)
    close = np.round(30_000 * np.exp(np.cumsum(rng.normal(0, 4e-4, rows))), 2)
    opened = np.concatenate([[30_000.0], close[:-1]])
    high = np.round(np.maximum(opened, close) + np.abs(rng.normal(0, 6, rows)), 2)
    low = np.round(np.minimum(opened, close) - np.abs(rng.normal(0, 6, rows)), 2)
    volume = np.round(rng.lognormal(1, 1.2, rows), 6)
    quote = np.round(volume * (high + low) / 2, 6)
    times = start_ms + np.arange(rows, dtype=np.int64) * MINUTE_MS
    columns = [pa.array(times, pa.timestamp("ms", "UTC")), opened, high, low, close, volume, quote]
    return pa.table([pa.array(c) for c in columns], names=CANDLE_SCHEMA.names).cast(CANDLE_SCHEMA)


def best_ms(work: Callable[[], object], times: int = 7) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def against_ms(one: Callable[[], object], other: Callable[[], object], times: int = 21) -> tuple[float, float]:
    """Return the medians of two jobs done alternately, so that a busy machine is busy for both."""
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for work, into in zip((one, other), took, strict=True):
            began = time.perf_counter()
            work()
            into.append((time.perf_counter() - began) * 1000)
    return statistics.median(took[0]), statistics.median(took[1])


def fill(folder: Path, symbols: int, months: int) -> None:
    store = Store(folder, host="https://api.bitget.com")
    for number in range(symbols):
        what = subject(f"S{number:04}USDT" if number else "BTCUSDT", "1m", "spot", "last", "utc")
        rows = months * 43_800 if not number else 1_440
        store.write(what.stored, bars(rows), [Span(START_MS, START_MS + rows * MINUTE_MS)], source="spot.candles")


def main() -> int:
    kept = True

    def tell(what: str, value: float, promised: float, **more: object) -> None:
        nonlocal kept
        kept &= value <= promised
        print(json.dumps({"what": what, "value": round(value, 3), "at_most": promised, **more}))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "one", 1, 12)
        client = bg.connect(data_dir=folder / "one", offline=True, progress=False)
        span = (START_MS, START_MS + YEAR * MINUTE_MS)
        files = sorted((folder / "one" / "candles").rglob("*.parquet"))

        def ours() -> pd.DataFrame:
            return client.candles("BTCUSDT", "1m", *span)

        def raw() -> pd.DataFrame:
            return pq.read_table(files[0].parent, partitioning=None).to_pandas()

        first_began = time.perf_counter()
        frame = ours()
        first_ms = (time.perf_counter() - first_began) * 1000
        assert len(frame) == YEAR
        raw()
        ours_ms, raw_ms = against_ms(ours, raw)
        frame.to_csv(folder / "bars.csv")
        csv_ms = best_ms(lambda: pd.read_csv(folder / "bars.csv", index_col=0, parse_dates=[0]), 3)
        tell(
            "a symbol-year of 1m, against raw pyarrow",
            ours_ms / raw_ms,
            1.3,
            ms=round(ours_ms, 1),
            raw_ms=round(raw_ms, 1),
            first_in_process_ms=round(first_ms, 1),
        )
        tell("the same, against CSV (ours/CSV)", ours_ms / csv_ms, 0.2, csv_ms=round(csv_ms, 1))
        tell("bytes per row", sum(file.stat().st_size for file in files) / YEAR, 26)

        fill(folder / "ten", 1, 120)
        fill(folder / "thousand", 1000, 12)
        month = (START_MS + 31 * 1440 * MINUTE_MS, START_MS + 59 * 1440 * MINUTE_MS)
        for which, words in (("ten", "ten years"), ("thousand", "1,000 symbols")):
            large, small = (bg.connect(data_dir=folder / name, offline=True, progress=False) for name in (which, "one"))
            large_ms, small_ms = against_ms(
                lambda client=large: client.candles("BTCUSDT", "1m", *month),
                lambda client=small: client.candles("BTCUSDT", "1m", *month),
                51,
            )
            tell(f"one month out of {words}, against out of one", large_ms / small_ms, 1.2, ms=round(large_ms, 2))

        store = Store(folder / "append", host="https://api.bitget.com")
        series = subject("BTCUSDT", "1m", "spot", "last", "utc").stored
        full = 44_640 - 40
        store.write(series, bars(full), [Span(START_MS, START_MS + full * MINUTE_MS)])
        at = [full]

        def append() -> None:
            start = START_MS + at[0] * MINUTE_MS
            store.write(series, bars(1, start), [Span(start, start + MINUTE_MS)])
            at[0] += 1

        tell("append of one bar to a full partition, ms", best_ms(append, 20), 30)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
