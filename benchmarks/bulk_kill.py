"""Every fault of the sandbox's bulk archive, and SIGKILL at random moments: what is stored is exact, or a gap.

    python benchmarks/bulk_kill.py --kills 50

A process downloads candles, trades and quotes from a served archive that has one fault after the other, and is killed
while files come in. After each kill every file of the store is verified, and every span that the store says it has is
compared with a download of the undisturbed archive. At the end the archive is in order, and everything must be there.
Prints JSON; ends with 1 if a file is damaged, a row is wrong or anything is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import random
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[1]))

import bgresearch as bg
from bgresearch.archives.importer import SCHEMAS
from bgresearch.core.spans import Span
from bgresearch.core.symbols import Named
from bgresearch.core.timestamps import moment_ms
from bgresearch.errors import BgresearchError
from bgresearch.market.archived_books import series_of_books
from bgresearch.market.candles.plan import subject
from bgresearch.market.history import trades_series
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.faults import ARCHIVE_FAULTS
from bgresearch.sandbox.server import Server
from bgresearch.store.parquet_file import within
from tests.archives.conftest import Counting

SPANS = {
    "klines": ("2026-08-10T16:00", "2026-08-20T16:00"), "trades": ("2026-08-16T16:00", "2026-08-18T16:00"),
    "quotes": ("2026-08-16T16:00", "2026-08-18T16:00"),
}  # fmt: skip
NAMED = Named("BTCUSDT", "spot")
PASSING = ("rate429", "http500", "reset", "truncation", "latency")
FAULTS = ("", *sorted(ARCHIVE_FAULTS), *PASSING)
PATIENCE_S = 120


def fetch(url: str, folder: str) -> None:
    """Download all of it; an error of one kind of data does not stop the others."""
    warnings.simplefilter("ignore")
    with bg.connect(base_url=url, archive_url=f"{url}/online", data_dir=folder, progress=False) as client:
        with contextlib.suppress(BgresearchError):
            client.download("BTCUSDT", "1m", *SPANS["klines"], source="archive")
        for data in ("trades", "quotes"):
            with contextlib.suppress(BgresearchError):
                getattr(client, data)("BTCUSDT", *SPANS[data])


def stored(url: str, folder: Path) -> dict[str, tuple[tuple[Span, ...], pa.Table]]:
    """Return what a store says it has, and its rows."""
    found = {}
    with bg.connect(base_url=url, data_dir=folder, offline=True, progress=False) as client:
        store = client._source.store
        for data, (start, end) in SPANS.items():
            series = (
                subject("BTCUSDT", "1m", "spot", "last", "utc").stored if data == "klines"
                else trades_series(NAMED) if data == "trades" else series_of_books("quotes", NAMED)
            )  # fmt: skip
            span = Span(moment_ms(start, "start")[0], moment_ms(end, "end")[0])
            schema = SCHEMAS[data]  # type: ignore[index]
            table = store.read(series, span)
            rows = schema.empty_table() if table is None else table.select(schema.names).cast(schema)
            found[data] = (store.kept(series, span), rows)
    return found


def wrong(ours: dict[str, Any], right: dict[str, Any]) -> int:
    """Return how many spans that are stored have other rows than the undisturbed archive."""
    count = 0
    for data, (spans, rows) in ours.items():
        time_name = rows.column_names[0]
        count += sum(not within(rows, time_name, one).equals(within(right[data][1], time_name, one)) for one in spans)
    return count


def damaged(url: str, folder: Path) -> int:
    with bg.connect(base_url=url, data_dir=folder, offline=True, progress=False) as client:
        return len(client.verify().flaws) + len(list(folder.rglob("*.damaged*")))


def run(kills: int, seed: int) -> dict[str, Any]:
    chance = random.Random(seed)  # noqa: S311 -- chooses moments, not secrets
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["bgresearch.client.client", "pyarrow.csv", "pyarrow.parquet", "python_calamine"])
    exchange = Exchange()
    counting = Counting(exchange)
    exchange.archive = counting  # type: ignore[assignment]  # passes everything on
    result = {"kills": 0, "runs": 0, "faults": len(FAULTS) - 1, "damaged": 0, "wrong": 0}
    with tempfile.TemporaryDirectory() as name, Server(exchange) as server:
        fetch(server.url, f"{name}/right")
        right = stored(server.url, Path(name) / "right")
        for number, fault in enumerate(itertools.islice(itertools.cycle(FAULTS), kills)):
            folder = Path(name) / f"data-{number // len(FAULTS)}"  # a new one after every round of faults
            exchange.faults.clear()
            if fault:
                where = "archive.candles" if fault == "reuploaded" else ""  # of other files a row less is no fault
                exchange.faults.inject(fault, endpoint=where or None, times=chance.choice((1, 3, None)))  # type: ignore[arg-type]
            counting.wait_for(chance.randint(1, 10))
            child = processes.Process(target=fetch, args=(server.url, str(folder)))
            child.start()
            while child.is_alive() and not counting.reached.wait(0.05):
                pass
            child.join(chance.random())  # reading and writing
            result["kills"] += child.is_alive()
            child.kill()
            child.join(PATIENCE_S)
            result["runs"] += 1
            exchange.faults.clear()
            result["damaged"] += damaged(server.url, folder)
            result["wrong"] += wrong(stored(server.url, folder), right)
        fetch(server.url, str(folder))
        with bg.connect(base_url=server.url, data_dir=folder, progress=False) as client:
            client.candles("BTCUSDT", "1m", *SPANS["klines"])  # a file that was replaced lacks a candle: over REST
        last = stored(server.url, folder)
        result["wrong"] += wrong(last, right)
        result["missing"] = sum(last[data][0] != right[data][0] for data in SPANS)
    return result


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    begun = time.perf_counter()
    result = run(chosen.kills, chosen.seed)
    print(json.dumps(result | {"seconds": round(time.perf_counter() - begun)}))
    return int(any(result[bad] for bad in ("damaged", "wrong", "missing")))


if __name__ == "__main__":
    sys.exit(main())
