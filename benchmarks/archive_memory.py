"""The most memory that archiving 1,000,000 own trades of 90 days takes. Promise: under 300 MB.

The trades are spot fills that a sender in this process makes up, 100 a page. Each way runs in a process of its own, the
second one on what the first has kept: `archive` fetches and stores them, `read` gives 30 days of them as one frame, of
which nothing is promised.
Usage: python benchmarks/archive_memory.py [rows]
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

from bgresearch.account.archive import archive
from bgresearch.account.kinds import FILLS
from bgresearch.account.record_history import RecordHistory
from bgresearch.catalogue import Endpoint
from bgresearch.catalogue.response import unwrap
from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import Span
from bgresearch.http.sender import Reply
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session
from bgresearch.store import Store

NOW_MS = 1_795_165_230_000
DAYS = 90
PROMISED_MB = 300
FIRST_ID = 10**18


class Fills:
    """Answers spot.trade_fills from a million rows that are made when they are asked for; other lists are empty."""

    label, host, demo, sent = "made up", "http://127.0.0.1:1", False, 0

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.every_ms = DAYS * DAY_MS / rows

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        self.sent += 1
        data: object = []
        if endpoint.id == "uta.account_settings":
            body = b'{"code": "40084", "msg": "classic account"}'
            unwrap(endpoint, 400, body)
        elif endpoint.id == "spot.account_info":
            data = {"userId": "1234567890"}
        elif endpoint.id == "spot.trade_fills":
            data = [self.fill(at) for at in self.places(params)]
        body = json.dumps({"code": "00000", "data": data}).encode()
        return Reply(endpoint, json.loads(body)["data"], body, 1, 0)

    def places(self, params: Mapping[str, object]) -> range:
        """Return which rows a page holds, newest first."""
        start, end = (int(str(params[name])) for name in ("startTime", "endTime"))
        first = max(0, -int((NOW_MS - start) // self.every_ms) + self.rows)
        below = min(self.rows, self.rows - int((NOW_MS - end) // self.every_ms))
        below = min(below, int(str(params.get("idLessThan", FIRST_ID + self.rows))) - FIRST_ID)
        return range(below - 1, max(first, below - int(str(params["limit"]))) - 1, -1)

    def fill(self, at: int) -> dict[str, object]:
        when = str(NOW_MS - round((self.rows - at) * self.every_ms))
        fee = {"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": "", "totalFee": f"-0.{at % 997:03}"}
        return {
            "userId": "1234567890", "symbol": "BTCUSDT", "orderId": str(FIRST_ID + at // 3),
            "tradeId": str(FIRST_ID + at),
            "orderType": "limit", "side": "sell" if at % 2 else "buy", "priceAvg": f"{60_000 + at % 977}.{at % 10}",
            "size": f"0.{at % 997:03}", "amount": f"{at % 977}.{at % 100:02}", "feeDetail": fee,
            "tradeScope": "maker" if at % 3 else "taker", "cTime": when, "uTime": when,
        }  # fmt: skip


def one(way: str, rows: int, folder: Path) -> None:
    clock, sender = ManualClock(NOW_MS), Fills(rows)
    history = RecordHistory(Session(sender, Store(folder, clock=clock), clock), AccountIdentity(sender), progress=False)
    started = time.perf_counter()
    if way == "archive":
        line = next(line for line in archive(history, kinds=["fills"]).lines if line.lot == "spot")
        assert not line.problem, line
        count = line.rows
    else:
        span = Span(NOW_MS - 31 * DAY_MS, NOW_MS - DAY_MS)
        count = FILLS.shape.frame(history.table(FILLS, "spot", span)).shape[0]
    took = time.perf_counter() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": count, "requests": sender.sent, "seconds": took, "mb": most}))


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    kept = True
    with tempfile.TemporaryDirectory() as folder:
        for way in ("archive", "read"):
            done = subprocess.run(  # noqa: S603
                [sys.executable, __file__, "--one", way, str(rows), folder],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            result = json.loads(done.stdout)
            print(f"{way:7} {result['rows']:,} rows, {result['requests']:,} requests: {result['mb']:.0f} MB at most, "
                  f"{result['seconds']:.0f} s")  # fmt: skip
            kept &= way == "read" or result["mb"] < PROMISED_MB
    sys.exit(not kept)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()
