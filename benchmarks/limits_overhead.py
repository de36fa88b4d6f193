"""What the shared budget costs a request: taking a slot and counting the answer, without any wait.

    python benchmarks/limits_overhead.py

Measured with little in the address's log, and with the 5,400 departures of a minute at the full address budget; next
to it the limiter of one process. Exit status 1 if the median for one request is a millisecond or more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bgresearch.catalogue import load
from bgresearch.core.clock import SystemClock
from bgresearch.http.ratelimit.limiter import LogLimiter, LogStore, MemoryLogStore
from bgresearch.http.ratelimit.sqlite_log import SqliteLogStore

PROMISED_MS = 1.0
ROWS = [row for row in load() if row.limit.count == 20 and row.limit.scope == "ip"][:8]


class Ahead(SystemClock):
    """The machine's clock with the pauses between requests left out."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s

    def sleep(self, seconds: float) -> None:
        self.ahead_s += seconds


def measured(book: Callable[[Ahead], LogStore], per_s: float, requests: int) -> list[float]:
    clock = Ahead()
    limiter, spent_ms = LogLimiter(clock, book(clock)), []
    for number in range(requests):
        row = ROWS[number % len(ROWS)]
        clock.sleep(1 / per_s)
        started_s = time.perf_counter()
        limiter.answered(limiter.acquire(row, ""))
        limiter.observed(row, "", row.limit.count - 1)
        spent_ms.append((time.perf_counter() - started_s) * 1000)
    return spent_ms[requests // 2 :]  # the log has filled by then


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    kept = True
    with tempfile.TemporaryDirectory() as folder:
        books: dict[str, Callable[[Ahead], LogStore]] = {
            "memory": MemoryLogStore,
            "file": lambda clock: SqliteLogStore(Path(folder) / "budget", f"host {id(clock)}", clock),
        }
        for name, book in books.items():
            for per_s, requests in ((20, 3000), (85, 11_000)):
                spent_ms = measured(book, per_s, requests)
                median, last = statistics.median(spent_ms), statistics.quantiles(spent_ms, n=100)[98]
                print(f"{name:>6} at {per_s} requests a second: median {median:.3f} ms, p99 {last:.3f} ms")
                kept = kept and median < PROMISED_MS
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
