"""Speed and memory of the bulk archive's way into the store.

    python benchmarks/archives.py --trades 10000000
    python benchmarks/archives.py --year
    python benchmarks/archives.py  # both

``--trades`` makes ZIPs of that many trades, in parts of 100,000, and imports them into the store with
``import_archive``; in another process, pyarrow reads the same files and writes them to one Parquet file. Promise: at
most twice the time (of the processor: on a busy machine the clock on the wall measures others) and less than 400 MB.
``--year`` downloads a year of 1m candles from a served sandbox, a process of its own with 50 ms of latency, from its
archive and over REST. The archive's files are made before. Promise: at least 20 times as fast. Prints JSON; ends with 1
if a promise is not kept.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

import bgresearch as bg
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server

_PART, _DAY_MS, _DAYS = 100_000, 86_400_000, 10
_START_MS = 1_788_192_000_000  # 2026-08-31 16:00 UTC: the first file day of September
_ID_EPOCH_MS = 1_435_725_920_677
_MOST_TIMES, _MOST_MB, _LEAST_TIMES = 2.0, 400, 20.0
_BARE = """
import sys, time, zipfile, pathlib, pyarrow.csv as csv, pyarrow.parquet as pq
folder, target = map(pathlib.Path, sys.argv[1:])
begun, used, writer = time.perf_counter(), time.process_time(), None
for path in sorted(folder.rglob("*.zip")):
    with zipfile.ZipFile(path) as packed, packed.open(packed.namelist()[0]) as file:
        table = csv.read_csv(file)
    writer = writer or pq.ParquetWriter(target, table.schema)
    writer.write_table(table)
writer.close()
print(time.perf_counter() - begun, time.process_time() - used)
"""
_OURS = """
import sys, time, resource, bgresearch as bg
folder, data = sys.argv[1:]
with bg.connect(data_dir=data, offline=True, progress=False) as client:
    begun = time.perf_counter()
    used = time.process_time()
    rows = client.import_archive(folder).attrs["bgresearch"]["rows"]
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    print(seconds, cpu, rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def make(folder: Path, trades: int) -> None:
    """Write files of the archive: ten days, in parts."""
    chance, per_day = np.random.default_rng(7), trades // _DAYS
    for day in range(_DAYS):
        start = _START_MS + day * _DAY_MS
        times = np.sort(chance.integers(start, start + _DAY_MS, per_day))
        ids = np.sort(((times - _ID_EPOCH_MS) << 22) + chance.integers(0, 1 << 20, per_day))
        prices = np.round(64_000 + np.cumsum(chance.normal(0, 0.2, per_day)), 2)
        sizes = np.round(chance.exponential(0.01, per_day) + 1e-6, 6)
        for part, at in enumerate(range(0, per_day, _PART), start=1):
            cut = slice(at, at + _PART)
            columns = {
                "trade_id": ids[cut], "timestamp": times[cut] // 1000 * 1000, "price": prices[cut],
                "side": np.where(chance.random(len(ids[cut])) < 0.5, "buy", "sell"),
                "volume(quote)": np.round(prices[cut] * sizes[cut], 8), "size(base)": sizes[cut],
            }  # fmt: skip
            text = io.BytesIO()
            pa_csv.write_csv(pa.table(columns), text, pa_csv.WriteOptions(quoting_style="none"))
            path = folder / f"trades/SPBL/BTCUSDT/BTCUSDT_202609{day + 1:02}_{part:03}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
                packed.writestr("trades.csv", text.getvalue())


def trades(count: int) -> dict[str, Any]:
    """Measure trades from files into the store against a bare reader and writer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "files", count)
        bare = _run(_BARE, str(folder / "files"), str(folder / "bare.parquet"))
        ours = _run(_OURS, str(folder / "files"), str(folder / "data"))
    (seconds, cpu), (bare_seconds, bare_cpu) = map(float, ours[:2]), map(float, bare)
    return {
        "rows": int(ours[2]), "seconds": seconds, "bare_seconds": bare_seconds, "times": seconds / bare_seconds,
        "cpu_seconds": cpu, "bare_cpu_seconds": bare_cpu, "cpu_times": cpu / bare_cpu, "memory_mb": int(ours[3]),
    }  # fmt: skip


def year() -> dict[str, Any]:
    """Measure a year of 1m candles from the archive against REST."""
    figures: dict[str, Any] = {}
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as name:
            for turn, source in (("made", "archive"), ("archive", "archive"), ("rest", "rest")):
                with bg.connect(
                    base_url=url, archive_url=f"{url}/online", data_dir=Path(name) / turn, progress=False
                ) as client:
                    end = client.now.floor("D").replace(day=1)
                    begun = time.perf_counter()
                    frame = client.download("BTCUSDT", "1m", end.replace(year=end.year - 1), end, source=source)
                    figures[f"{turn}_seconds"] = time.perf_counter() - begun
                    figures[f"{turn}_candles"] = int(frame["candles"].iloc[0])
    finally:
        server.kill()
        server.wait()
    figures["times"] = figures["rest_seconds"] / figures["archive_seconds"]
    return figures | {"memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def serve() -> None:
    """Serve an exchange 50 ms away until this process is killed; the first line of the output is its address."""
    exchange = Exchange()
    exchange.faults.inject("latency", amount=0.05)
    with Server(exchange) as server:
        print(server.url, flush=True)
        threading.Event().wait()


def _run(code: str, *arguments: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.split()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--trades", type=int, default=0)
    options.add_argument("--year", action="store_true")
    options.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    wanted = options.parse_args()
    if wanted.serve:
        serve()
    figures: dict[str, Any] = {}
    everything = not (wanted.trades or wanted.year)
    if wanted.trades or everything:
        figures["trades"] = trades(wanted.trades or 10_000_000)
    if wanted.year or everything:
        figures["year"] = year()
    print(json.dumps(figures))
    slow = figures.get("trades", {"cpu_times": 0.0})["cpu_times"] > _MOST_TIMES
    large = figures.get("trades", {"memory_mb": 0})["memory_mb"] >= _MOST_MB
    return int(slow or large or figures.get("year", {"times": _LEAST_TIMES})["times"] < _LEAST_TIMES)


if __name__ == "__main__":
    sys.exit(main())
