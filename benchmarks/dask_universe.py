"""A job over a whole market with Dask, from a store published in a bucket, against DuckDB over the same files.

Two worker processes of one thread each, an S3 API server (moto) in a process of its own, all on loopback. Every symbol
has 30 days of 1m bars; prices are walks, no two rows alike. The job: realised volatility, turnover and range of every
symbol. Peaks are those that the kernel counted for each worker process.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import s3fs
from distributed import Client, LocalCluster

import bgresearch as bg
from bgresearch.connect import EXCHANGE_URL
from bgresearch.core.spans import Span
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.store import Ledger, Series, Store
from bgresearch.store.atomic_files import Disk
from bgresearch.store.parquet_file import QUICK, encode, within
from tests.remote.s3 import CREDENTIALS, S3Server

START_MS, DAY_MS, MINUTE_MS = 1_767_225_600_000, 86_400_000, 60_000  # 2026-01-01
PER_WORKER = "600MB"
TERMS = 43_200  # of a sum: each rounds to 2**-53 of it at most


def bars(seed: int, days: int) -> pa.Table:
    """Return bars as an exchange would tell them: prices in cents, volumes with three places."""
    rng, rows = np.random.default_rng(seed), days * 1440
    close = np.round(50 * np.exp(np.cumsum(rng.normal(0, 0.0008, rows))) * (1 + seed % 97), 2)
    opened = np.concatenate([close[:1], close[:-1]])
    reach = np.round(np.abs(rng.normal(0, 0.0005, rows)) * close, 2)
    volume = np.round(rng.lognormal(2, 1, rows), 3)
    columns = [
        opened,
        np.maximum(opened, close) + reach,
        np.minimum(opened, close) - reach,
        close,
        volume,
        volume * close,
    ]
    times = pa.array(START_MS + MINUTE_MS * np.arange(rows), pa.timestamp("ms", "UTC"))
    return pa.Table.from_arrays([times, *(pa.array(np.round(column, 6)) for column in columns)], schema=CANDLE_SCHEMA)


def fill(folder: str, number: int, days: int) -> int:
    """Write one symbol."""
    keys = (("market", "usdt-futures"), ("price", "last"), ("symbol", f"COIN{number:04}USDT"), ("interval", "1m"))
    table, span = bars(number, days), Span(START_MS, START_MS + days * DAY_MS)
    series = Series("candles", keys, "open_time")
    if not number:  # through the door, which also notes whose data it is
        Store(folder, host=EXCHANGE_URL).write(series, table, [span], source="futures.candles")
        return table.num_rows
    for name, period in series.periods(span):
        rows, known = within(table, "open_time", period), Ledger((period.intersect(span) or period,))
        path = Path(folder) / series.folder / name
        Disk(Path(folder)).replace(path, encode(series, rows, known, level=QUICK))
    return table.num_rows


def filled(folder: Path, symbols: int, days: int) -> int:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return sum(pool.map(fill, [str(folder)] * symbols, range(symbols), [days] * symbols, chunksize=8))


def figures(rows: pd.DataFrame) -> pd.DataFrame:
    """Volatility, turnover and range of each symbol of a block; a series is never spread over blocks."""
    groups = rows.groupby("symbol", observed=True, sort=False)
    returns = np.log(rows["close"]).groupby(rows["symbol"], observed=True, sort=False).diff()
    squares = (returns**2).groupby(rows["symbol"], observed=True, sort=False).sum()
    outcome = {"volatility": np.sqrt(squares), "turnover": groups["quote_volume"].sum()}
    found = pd.DataFrame({**outcome, "high": groups["high"].max(), "low": groups["low"].min(), "rows": groups.size()})
    return found.reset_index().astype({"symbol": "str"})


SQL = """
WITH moves AS (
    SELECT symbol, high, low, quote_volume,
        ln(close) - ln(lag(close) OVER (PARTITION BY symbol ORDER BY open_time)) AS move
    FROM read_parquet('{files}', hive_partitioning = true)
)
SELECT symbol, sqrt(sum(move * move)) AS volatility, sum(quote_volume) AS turnover, max(high) AS high, min(low) AS low,
    count(*) AS rows
FROM moves GROUP BY symbol ORDER BY symbol
"""


def peak_mb() -> float:
    """Return the most memory that this process ever had."""
    outcome = Path("/proc/self/status").read_text(encoding="ascii")  # what getrusage tells survives an exec
    return int(outcome.partition("VmHWM:")[2].split()[0]) / 1024


def computed(url: str, cache: Path) -> tuple[pd.DataFrame, dict[str, float]]:
    """Return the job's result, and seconds and peaks of the workers before and after it."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(memory_limit=PER_WORKER, host="127.0.0.1", **options) as cluster, Client(cluster) as workers:
        before = max(workers.run(peak_mb).values())
        began = time.perf_counter()
        lazy = bg.connect(store=url, data_dir=cache).lens.dask(market="usdt-futures", interval="1m")
        result = lazy.map_partitions(figures, meta=figures(lazy._meta)).compute().set_index("symbol").sort_index()
        took = time.perf_counter() - began
        peaks = workers.run(peak_mb)
    return result, {"dask_s": took, "blocks": lazy.npartitions, "idle_mb": before, "peak_mb": max(peaks.values())}


def compared(ours: pd.DataFrame, theirs: pd.DataFrame) -> float:
    """Return the largest relative difference of a sum; whatever is no sum must be equal."""
    pd.testing.assert_frame_equal(ours[["high", "low", "rows"]], theirs[["high", "low", "rows"]], check_exact=True)
    sums = ours[["volatility", "turnover"]] / theirs[["volatility", "turnover"]] - 1
    return float(sums.abs().to_numpy().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bg-universe-") as made, S3Server() as server:
        os.environ |= {**CREDENTIALS, "AWS_ENDPOINT_URL": server.url}
        s3fs.S3FileSystem().mkdir("universe")
        folder, url = Path(made) / "data", "s3://universe/v1"
        moments = [time.perf_counter()]
        rows = filled(folder, chosen.symbols, chosen.days)
        moments.append(time.perf_counter())
        done = bg.connect(data_dir=folder, offline=True, progress=False).publish(url)
        moments.append(time.perf_counter())
        again = bg.connect(data_dir=folder, offline=True, progress=False).publish(url)
        moments.append(time.perf_counter())
        assert (done.sent, again.sent) == (chosen.symbols, 0)
        ours, outcome = computed(url, Path(made) / "reader")
        began = time.perf_counter()
        theirs = duckdb.sql(SQL.format(files=f"{folder}/candles/*/*/*/*/*.parquet")).to_arrow_table().to_pandas()
        outcome["duckdb_s"] = time.perf_counter() - began
        difference = compared(ours, theirs.set_index("symbol"))
        fill_s, publish_s, again_s = np.diff(moments).tolist()
        print(json.dumps({
            "symbols": chosen.symbols, "rows": rows, "mb": round(done.bytes / 1e6, 1),
            "bytes_per_row": round(done.bytes / rows, 1), "fill_s": round(fill_s, 1), "publish_s": round(publish_s, 1),
            "publish_again_s": round(again_s, 1), **{name: round(value, 1) for name, value in outcome.items()},
            "largest_difference": difference,
        }, indent=1))  # fmt: skip
    if difference > TERMS * 2**-53 or outcome["peak_mb"] > 600:
        sys.exit(1)


if __name__ == "__main__":
    main()
