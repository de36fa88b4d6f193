"""How fast history comes from a strict exchange 100 ms away, as a share of what its limits allow.

    python benchmarks/engine.py [--task "one route"] [--ccxt] [--processes 4] [--storm]

The sandbox is served by a process of its own: 20 requests a second and route in a sliding window, every answer takes
100 ms. It counts what it refuses (429): not one is promised. With ``--ccxt`` the same candles are fetched right after,
from an exchange as fresh, by a loop over ccxt in pages of 200, which every route answers, and in the largest ones that
the route answers; with ``--processes`` so many processes fetch a symbol each; with ``--storm`` every kind of fault is
on, and the result has to be exact.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import requests

import bgresearch as bg

LATENCY_S = 0.1
SERVER = f"""
import json, sys, threading
from bgresearch.sandbox.exchange import Exchange
from bgresearch.sandbox.faults import Faults
from bgresearch.sandbox.server import serve_forever
refused = []
class Counting(Exchange):
    def handle(self, request):
        answer = super().handle(request)
        if answer.status == 429:
            refused.append(request.target)
        return answer
faults = Faults()
faults.inject("latency", amount={LATENCY_S})
for name, chance in json.loads(sys.argv[1]).items():
    faults.inject(name, probability=chance)
def obey():
    for word in sys.stdin:
        if word.strip() == "calm":
            faults.clear()
        print(json.dumps(len(refused)), flush=True)
threading.Thread(target=obey, daemon=True).start()
serve_forever(0, exchange=Counting(faults=faults), on_ready=lambda url: print(url, flush=True))
"""
CHILD = """
import sys, bgresearch as bg
url, symbol, start, end, folder = sys.argv[1:]
with bg.connect(base_url=url, data_dir=folder, progress=False) as client:
    client.api.common.time()
    print("ready", flush=True)
    sys.stdin.readline()
    print(int(client.download([symbol], "1m", start, end)["candles"].sum()), flush=True)
"""
# Recent days are served by four routes: 1,000 rows a page, 200, 100, and 1,000 of which there are 1,000 in all.
TASKS = {  # name: days back from, to, rows per second that the limits allow, promised share, times as fast as ccxt
    "one route": (150, 120, 4_000, 0.92, 2.7),
    "two routes": (60, 30, 6_000, 0.85, 4.0),
    "four routes": (28, 0, 26_000, 0.85, 15.0),
    "five symbols": (28, 0, 26_000, 0.85, 15.0),
}
STORM = dict.fromkeys(("http500", "reset", "truncation", "html", "duplicates", "shuffle", "false_empty"), 0.05)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT", "BNBUSDT", "ADAUSDT", "TRXUSDT")
TOGETHER_DAYS = 15  # a process


class Served:
    """A strict exchange in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process, self.url = process, process.stdout.readline().strip()

    def refused(self, word: str = "count") -> int:
        """Say a word to it and return how many requests it refused so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return int(json.loads(self._process.stdout.readline()))


@contextmanager
def exchange(faults: dict[str, float] | None = None) -> Iterator[Served]:
    """Serve a strict exchange and take it away afterwards."""
    command = [sys.executable, "-c", SERVER, json.dumps(faults or {})]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own interpreter
        try:
            served = Served(process)
            requests.get(served.url + "/api/v2/public/time", timeout=5).raise_for_status()
            yield served
        finally:
            process.terminate()


def span_of(name: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    oldest, newest = TASKS[name][:2]
    end = pd.Timestamp.now("UTC").floor("D") - pd.Timedelta(days=newest)
    return end - pd.Timedelta(days=oldest - newest), end


def measure(served: Served, name: str) -> dict[str, Any]:
    ceiling, promised = TASKS[name][2:4]
    with (
        tempfile.TemporaryDirectory() as folder,
        bg.connect(base_url=served.url, data_dir=folder, progress=False) as client,
    ):
        client.api.common.time()
        began, cpu_began = time.perf_counter(), time.process_time()
        if name == "five symbols":
            rows = int(client.download(SYMBOLS[:5], "1m", *span_of(name))["candles"].sum())
        else:
            rows = len(client.candles("BTCUSDT", "1m", *span_of(name)))
        took_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        sent = client.requests_sent
    rate = rows / took_s
    measured = {"task": name, "rows": rows, "seconds": round(took_s, 2), "rows_per_s": round(rate), "requests": sent}
    return measured | {
        "refused": served.refused(), "share": round(rate / ceiling, 3), "promised": promised, "cpu_s": round(cpu_s, 2),
    }  # fmt: skip


def ccxt_rows_per_s(served: Served, name: str, most: int) -> tuple[int, float]:
    """Return rows and rows per second of a loop over ccxt as its users write it, with its own limiter."""
    import ccxt  # noqa: PLC0415 - not installed with the package

    peer = ccxt.bitget({"enableRateLimit": True})
    peer.urls["api"] = dict.fromkeys(peer.urls["api"], served.url)
    peer.session.trust_env = False
    peer.load_markets()
    start, end = span_of(name)
    at, last, rows = int(start.timestamp() * 1000), int(end.timestamp() * 1000), 0
    began = time.perf_counter()
    while at < last:
        until = min(last, at + most * 60_000)
        page = peer.fetch_ohlcv("BTC/USDT", "1m", since=at, limit=most, params={"until": until})
        page = [row for row in page if at <= row[0] < last]
        if not page:
            break
        rows += len(page)
        at = page[-1][0] + 60_000
    took_s = time.perf_counter() - began
    peer.session.close()
    return rows, rows / took_s


def together(count: int) -> dict[str, Any]:
    """Return what processes that share one budget fetch, a symbol each, of the route with the lowest ceiling."""
    start, end = span_of("one route")
    end = start + pd.Timedelta(days=TOGETHER_DAYS)
    with exchange() as served, tempfile.TemporaryDirectory() as folder:
        processes = [
            subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-c", CHILD, served.url, symbol, start.isoformat(), end.isoformat(), folder],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for symbol in SYMBOLS[:count]
        ]  # fmt: skip
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        began = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        rows = sum(int(process.communicate()[0]) for process in processes)
        took_s = time.perf_counter() - began
        measured = {
            "task": f"{count} processes",
            "rows": rows,
            "seconds": round(took_s, 2),
            "refused": served.refused(),
        }
    share = rows / took_s / TASKS["one route"][2]
    return measured | {"rows_per_s": round(rows / took_s), "share": round(share, 3), "promised": 0.85}


def storm() -> dict[str, Any]:
    """Return whether a download through every kind of fault is the same as one without any."""
    start, end = span_of("two routes")
    start = end - pd.Timedelta(days=10)
    with exchange(STORM | {"rate429": 0.02}) as served, tempfile.TemporaryDirectory() as folder:
        frames = []
        for name in ("storm", "calm"):
            began = time.perf_counter()
            with bg.connect(base_url=served.url, data_dir=f"{folder}/{name}", progress=False) as client:
                frames.append(client.candles("BTCUSDT", "1m", start, end))
                measured = {"requests": client.requests_sent, "seconds": round(time.perf_counter() - began, 1)}
            if name == "storm":
                result = {"task": "storm", "rows": len(frames[0]), **measured, "refused": served.refused("calm")}
    return result | {"exact": frames[0].equals(frames[1])}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--task", choices=TASKS, action="append")
    options.add_argument("--ccxt", action="store_true", help="fetch the same candles with ccxt, too")
    options.add_argument("--processes", type=int, choices=range(2, len(SYMBOLS) + 1))
    options.add_argument("--storm", action="store_true")
    wanted = options.parse_args()
    kept = True
    for name in wanted.task or ([] if wanted.processes or wanted.storm else TASKS):
        with exchange() as served:
            result = measure(served, name)
        kept &= result["share"] >= result["promised"] and not result["refused"]
        if wanted.ccxt:
            for most in (200, 1000) if name == "four routes" else (200,):
                with exchange() as served:
                    rows, rate = ccxt_rows_per_s(served, name, most)
                times = result["rows_per_s"] / rate
                result[f"ccxt_{most}"] = {"rows": rows, "rows_per_s": round(rate), "times": round(times, 1)}
                kept &= times >= TASKS[name][4] or most > 200
        print(json.dumps(result), flush=True)
    if wanted.processes:
        result = together(wanted.processes)
        kept &= result["share"] >= result["promised"] and not result["refused"]
        print(json.dumps(result), flush=True)
    if wanted.storm:
        result = storm()
        kept &= result["exact"]
        print(json.dumps(result), flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
