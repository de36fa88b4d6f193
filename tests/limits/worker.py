"""One process among several: ``worker.py FOLDER VERB ...`` does it with the book in that folder and prints JSON."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bgresearch.catalogue import load
from bgresearch.core.clock import SystemClock
from bgresearch.http.ratelimit.limiter import LogLimiter
from bgresearch.http.ratelimit.sqlite_log import SqliteLogStore
from bgresearch.http.sender import Wire
from tests.limits.conftest import CANDLES, HOST, Impatient

THREADS = 4


def rejected(folder: Path, width: str) -> int:
    """Take in a 429; print until when nothing leaves."""
    clock = SystemClock()
    return LogLimiter(clock, SqliteLogStore(folder, HOST, clock)).rejected(CANDLES, "", address_wide=width == "address")


def wait(folder: Path, row: str) -> float:
    """Print for how long a request of this row would wait."""
    clock = Impatient()
    LogLimiter(clock, SqliteLogStore(folder, HOST, clock)).acquire(load()[row], "")
    return clock.waited_s


def ask(folder: Path, url: str, number: str) -> dict[str, int]:
    """Ask a server's time as fast as the limiter lets four threads; print how many were asked and sent."""
    clock = SystemClock()
    limiter = LogLimiter(clock, SqliteLogStore(folder, url, clock))
    with Wire(url, limiter=limiter, clock=clock) as wire, ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda _: wire.send(load()["common.time"], {}), range(int(number))))
        return {"asked": len(answers), "sent": wire.sent}


if __name__ == "__main__":
    print(json.dumps({"rejected": rejected, "wait": wait, "ask": ask}[sys.argv[2]](Path(sys.argv[1]), *sys.argv[3:])))
