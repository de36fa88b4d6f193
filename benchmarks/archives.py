"""Speed and memory of the bulk archive's way into the store.

    python benchmarks/archives.py --trades 10000000
    python benchmarks/archives.py --year

``--trades`` makes ZIPs of that many trades, in parts of 100,000, and brings them into the store through
``import_archive``; in another process, pyarrow reads the same files and writes them to one Parquet file. ``--year``
brings a year of 1m candles from a served sandbox, with 50 ms of latency, from its archive and over REST. Prints JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
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
_BARE = """
import sys, time, zipfile, pathlib, pyarrow.csv as csv, pyarrow.parquet as pq
folder, target = map(pathlib.Path, sys.argv[1:])
begun, writer = time.perf_counter(), None
for path in sorted(folder.rglob("*.zip")):
    with zipfile.ZipFile(path) as packed, packed.open(packed.namelist()[0]) as file:
        table = csv.read_csv(file)
    writer = writer or pq.ParquetWriter(target, table.schema)
    writer.write_table(table)
writer.close()
print(time.perf_counter() - begun)
"""
_OURS = """
import sys, time, resource, bgresearch as bg
folder, data = sys.argv[1:]
with bg.connect(data_dir=data, offline=True, progress=False) as client:
    begun = time.perf_counter()
    rows = client.import_archive(folder).attrs["bgresearch"]["rows"]
    print(time.perf_counter() - begun, rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
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
    seconds, rows, memory_mb = float(ours[0]), int(ours[1]), int(ours[2])
    return {"rows": rows, "seconds": seconds, "bare_seconds": float(bare[0]), "times": seconds / float(bare[0]),
            "memory_mb": memory_mb}  # fmt: skip


def year() -> dict[str, Any]:
    """Measure a year of 1m candles from the archive against REST."""
    exchange = Exchange()
    exchange.faults.inject("latency", amount=0.05)
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, Server(exchange) as server:
        for source in ("archive", "rest"):
            with bg.connect(
                base_url=server.url, archive_url=f"{server.url}/online", data_dir=Path(name) / source, progress=False
            ) as client:
                end = client.now.floor("D").replace(day=1) - np.timedelta64(0, "D")
                start = end.replace(year=end.year - 1)
                begun = time.perf_counter()
                frame = client.download("BTCUSDT", "1m", start, end, source=source)
                told[f"{source}_seconds"] = time.perf_counter() - begun
                told[f"{source}_candles"] = int(frame["candles"].iloc[0])
    told["times"] = told["rest_seconds"] / told["archive_seconds"]
    return told | {"memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def _run(code: str, *arguments: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.split()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--trades", type=int, default=0)
    options.add_argument("--year", action="store_true")
    wanted = options.parse_args()
    told: dict[str, Any] = {}
    if wanted.trades:
        told["trades"] = trades(wanted.trades)
    if wanted.year:
        told["year"] = year()
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
