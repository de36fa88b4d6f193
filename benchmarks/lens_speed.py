"""Two questions about a whole universe, asked of pandas symbol by symbol, of DuckDB and of Polars: time and memory.

Volatility: for each symbol the realised volatility of its one-minute returns over 30 days, which needs its rows in
order. Volume: for each day the volume of all symbols in quote coin, which needs no order. Each way runs in a process of
its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from store_speed import MINUTE_MS, bars

import bgresearch as bg
from bgresearch.client.client import Client
from bgresearch.core.spans import Span
from bgresearch.market.candles.plan import subject
from bgresearch.store import Store

START_MS = 1_777_593_600_000  # 2026-05-01
DAYS = 30
ROWS = DAYS * 1440
TIMES = 3  # the first one reads a file that nobody has verified yet in this process
WHERE = "market = 'spot' AND price = 'last' AND interval = '1m' AND period = '2026-05'"
VOLATILITY = f"""
    WITH returns AS (
        SELECT symbol, ln(close / lag(close) OVER (PARTITION BY symbol ORDER BY open_time)) AS r
        FROM candles WHERE {WHERE}
    )
    SELECT symbol, sqrt(sum(r * r)) AS volatility FROM returns GROUP BY symbol ORDER BY symbol
"""  # noqa: S608
VOLUME = f"""
    SELECT date_trunc('day', open_time) AS day, sum(quote_volume) AS volume FROM candles WHERE {WHERE}
    GROUP BY day ORDER BY day
"""  # noqa: S608


def symbol(number: int) -> str:
    return f"S{number:04}USDT"


def fill(folder: Path, numbers: range) -> None:
    store = Store(folder, host="https://api.bitget.com")
    for number in numbers:
        span = Span(START_MS, START_MS + ROWS * MINUTE_MS)
        store.write(subject(symbol(number), "1m", "spot", "last", "utc").stored, bars(ROWS, START_MS, number), [span])


def kept(client: Client, symbols: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    for name in symbols:
        yield name, client.candles(name, "1m", START_MS, START_MS + ROWS * MINUTE_MS)


def scanned(client: Client) -> Any:
    import polars as pl  # noqa: PLC0415 - weighed where it is used

    wanted = {"market": "spot", "price": "last", "interval": "1m"}
    return client.lens.polars().candles(period="2026-05").filter(**wanted), pl


def volatility_pandas(client: Client, symbols: list[str]) -> pd.DataFrame:
    rows = []
    for name, candles in kept(client, symbols):
        returns = np.log(candles.close / candles.close.shift())
        rows.append((name, np.sqrt((returns**2).sum())))
    return pd.DataFrame(rows, columns=["symbol", "volatility"])


def volatility_polars(client: Client, _symbols: list[str]) -> pd.DataFrame:
    candles, pl = scanned(client)
    close = pl.col("close").sort_by("open_time")
    asked = candles.group_by("symbol").agg((close / close.shift()).log().pow(2).sum().sqrt().alias("volatility"))
    return asked.sort("symbol").collect().to_pandas()


def volume_pandas(client: Client, symbols: list[str]) -> pd.DataFrame:
    parts = [one.quote_volume.groupby(one.index.floor("D")).sum() for _, one in kept(client, symbols)]
    return pd.concat(parts).groupby(level=0).sum().rename_axis("day").rename("volume").reset_index()


def volume_polars(client: Client, _symbols: list[str]) -> pd.DataFrame:
    candles, pl = scanned(client)
    day = pl.col("open_time").dt.truncate("1d").alias("day")
    return candles.group_by(day).agg(volume=pl.col("quote_volume").sum()).sort("day").collect().to_pandas()


WAYS: dict[str, dict[str, Callable[[Client, list[str]], pd.DataFrame]]] = {
    "pandas": {"volatility": volatility_pandas, "volume": volume_pandas},
    "DuckDB": {
        "volatility": lambda client, _symbols: client.lens.sql(VOLATILITY),
        "volume": lambda client, _symbols: client.lens.sql(VOLUME),
    },
    "Polars": {"volatility": volatility_polars, "volume": volume_polars},
}


def one_way(way: str, question: str, folder: Path, symbols: int) -> None:
    """Answer a question several times and print how long it took, and what the process needed at most."""
    client = bg.connect(data_dir=folder, offline=True, progress=False)
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = WAYS[way][question](client, [symbol(number) for number in range(symbols)])
        took.append(round(time.perf_counter() - began, 2))
    answer.to_parquet(folder / f"{way}-{question}.answer")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {"question": question, "way": way, "first_s": took[0], "again_s": min(took), "peak_mb": round(peak_mb)}
    print(json.dumps({**result, "before_mb": round(before_mb)}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=100, help="1000 are 43.2 million rows and about 1.1 GB")
    parser.add_argument("--processes", type=int, default=2, help="that make up the rows")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--question", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        one_way(asked.way, asked.question, asked.folder, asked.symbols)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder, step = Path(name), -(-asked.symbols // asked.processes)
        parts = [range(start, min(start + step, asked.symbols)) for start in range(0, asked.symbols, step)]
        with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
            pool.starmap(fill, [(folder, part) for part in parts])
        size = sum(file.stat().st_size for file in folder.rglob("*.parquet"))
        print(json.dumps({"symbols": asked.symbols, "rows": asked.symbols * ROWS, "mb": round(size / 1e6)}), flush=True)
        for question in ("volatility", "volume"):
            for way in WAYS:
                result = ["--way", way, "--question", question, "--folder", name, "--symbols", str(asked.symbols)]
                subprocess.run([sys.executable, __file__, *result], check=True)  # noqa: S603 - this script
            first, *others = [pd.read_parquet(folder / f"{way}-{question}.answer") for way in WAYS]
            for other in others:
                pd.testing.assert_frame_equal(other, first, check_dtype=False, rtol=1e-10, atol=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
