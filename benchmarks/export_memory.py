"""Peak memory and time of exporting a long history, one format after the other, each in a process of its own.

Candles are made up as they are asked for, so that neither a store nor an exchange is part of the figure.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from bgresearch.core.spans import Span, iso
from bgresearch.exports import export_pieces
from bgresearch.exports.chunked import ChunkedCandles

MINUTE_MS = 60_000
START_MS = 1_420_070_400_000  # 2015-01-01
SUFFIXES = (".parquet", ".feather", ".csv", ".json", ".sqlite", ".duckdb", ".xlsx")
MOST_IN_EXCEL = 1_000_000


def ask(start_ms: int, end_ms: int) -> pd.DataFrame:
    """One-minute candles of a span, every number a function of its time."""
    times = np.arange(start_ms, end_ms, MINUTE_MS)
    close = np.round(50_000 + 10_000 * np.sin(times / 1e9) + times // MINUTE_MS % 977 / 10, 2)
    names = ("open", "high", "low", "close", "volume", "quote_volume")
    values = (close, close + 1, close - 1, close, close / 7, close * 7)
    index = pd.DatetimeIndex(times.astype("datetime64[ms]"), tz="UTC", name="open_time")
    frame = pd.DataFrame(dict(zip(names, values, strict=True)), index=index)
    span = [iso(start_ms), iso(end_ms)]
    frame.attrs["bgresearch"] = {
        "verb": "candles", "asked": span, "closed": span, "endpoints": [], "requests": {}, "gaps": [],
    }  # fmt: skip
    return frame


def one(suffix: str, rows: int) -> None:
    """Export and print one line."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        history = ChunkedCandles(ask, Span(START_MS, START_MS + rows * MINUTE_MS), MINUTE_MS)
        started = time.perf_counter()
        path = export_pieces(history, Path(folder) / f"rows{suffix}", rows=history.rows, about=history.about)
        seconds, size = time.perf_counter() - started, path.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"{suffix:9} {rows:10,} rows {seconds:7.1f} s {size / 1e6:8.1f} MB {size / rows:6.1f} bytes a row, "
        f"peak {peak / 1024:6.0f} MB ({(peak - before) / 1024:.0f} MB more than before)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=float, default=10)
    parser.add_argument("--suffix", choices=SUFFIXES)
    chosen = parser.parse_args()
    rows = int(chosen.years * 525_600)
    if chosen.suffix:
        one(chosen.suffix, rows)
        return
    for suffix in SUFFIXES:
        years = min(rows, MOST_IN_EXCEL) / 525_600 if suffix == ".xlsx" else chosen.years
        command = [sys.executable, __file__, "--suffix", suffix, "--years", str(years)]
        subprocess.run(command, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
