"""The most memory that a walk of 1,000,000 rows takes, page by page and as one frame. Promise: under 300 MB.

The rows are public trades that a sender in this process makes up, 1,000 a page. Each way runs in a process of its own.
Usage: python benchmarks/walk_memory.py [rows]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bgresearch.catalogue import Endpoint, load
from bgresearch.client.api import ApiCall
from bgresearch.client.api_pages import ApiContext
from bgresearch.core.clock import ManualClock
from bgresearch.http.sender import Reply
from bgresearch.store import Store

NOW_MS = 1_795_165_230_000
PROMISED_MB = 300
EVERY_MS = 500  # between two trades: a million of them are six days, within one window of seven


class Trades:
    """Answers futures.fills_history from a million rows that are made when they are asked for."""

    label, host, demo, sent = None, "http://127.0.0.1:1", False, 0

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        self.sent += 1
        below = int(str(params.get("idLessThan", 10**18 + self.rows))) - 10**18
        end = self.rows - max(0, NOW_MS - int(str(params["endTime"]))) // EVERY_MS
        places = range(min(below, end) - 1, max(-1, min(below, end) - 1 - int(str(params["limit"]))), -1)
        data = [
            {"tradeId": str(10**18 + at), "symbol": "BTCUSDT", "side": "Buy" if at % 2 else "Sell",
             "price": f"{60_000 + at % 977}.{at % 10}", "size": f"0.{at % 997:03}",
             "ts": str(NOW_MS - (self.rows - at) * EVERY_MS)}
            for at in places
        ]  # fmt: skip
        body = json.dumps({"code": "00000", "data": data}).encode()
        return Reply(endpoint, json.loads(body)["data"], body, 1, 0)


def one(way: str, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = ManualClock(NOW_MS)
        sender = Trades(rows)
        endpoint = load()["futures.fills_history"]
        call = ApiCall(ApiContext(sender, Store(Path(folder), clock=clock), clock, progress=False), endpoint)
        about = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "startTime": NOW_MS - rows * EVERY_MS}
        started = time.perf_counter()
        count = len(call.all(**about)) if way == "all" else sum(len(page) for page in call.pages(**about))
        took = time.perf_counter() - started
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        assert count == rows, count
        print(json.dumps({"way": way, "rows": count, "requests": sender.sent, "seconds": took, "mb": most}))


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    kept = True
    for way in ("pages", "all"):
        done = subprocess.run(  # noqa: S603
            [sys.executable, __file__, "--one", way, str(rows)], check=True, capture_output=True, text=True
        )
        result = json.loads(done.stdout)
        print(f".{way:6} {result['rows']:,} rows, {result['requests']:,} requests: {result['mb']:.0f} MB at most, "
              f"{result['seconds']:.0f} s (promised: under {PROMISED_MB} MB)")  # fmt: skip
        kept &= result["mb"] < PROMISED_MB
    sys.exit(not kept)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], int(sys.argv[3]))
    else:
        main()
