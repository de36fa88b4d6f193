"""What limiter, checks and ledger cost a request of a download, on top of the exchange's own time.

    python benchmarks/request_overhead.py

A month of minutes in pages of 200, as the history route gives them: a slot and an answer in the machine's budget, the
check of the page, its place in the spool, and its part of writing the partition with its ledger. Exit status 1 from
3 ms on.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from bgresearch.catalogue import load
from bgresearch.core.clock import SystemClock
from bgresearch.core.spans import Span
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.http.ratelimit.limiter import LogLimiter
from bgresearch.http.ratelimit.sqlite_log import SqliteLogStore
from bgresearch.market.candles.plan import subject
from bgresearch.store import Store
from bgresearch.store.candle_checks import check_page
from bgresearch.store.pending_pages import PendingPages

START_MS, MINUTE_MS, ROWS, PAGES = 1_672_531_200_000, 60_000, 200, 223  # 2023-01
PROMISED_MS = 3.0


class Ahead(SystemClock):
    """The machine's clock with the pauses between requests left out."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.ahead_s

    def sleep(self, seconds: float) -> None:
        self.ahead_s += seconds


def page(number: int) -> tuple[pa.Table, Span]:
    span = Span(START_MS + number * ROWS * MINUTE_MS, START_MS + (number + 1) * ROWS * MINUTE_MS)
    rng = np.random.default_rng(number)
    close = np.round(30_000 + np.cumsum(rng.normal(0, 9, ROWS)), 2)
    times = np.arange(span.start_ms, span.end_ms, MINUTE_MS)
    columns = [close, close + 1, close - 1, close, np.round(rng.lognormal(1, 1, ROWS), 6), np.round(close * 3, 6)]
    return pa.Table.from_arrays([pa.array(times).cast(CANDLE_SCHEMA[0].type), *map(pa.array, columns)],
                                schema=CANDLE_SCHEMA), span  # fmt: skip


def main() -> int:
    what, row, clock = subject("BTCUSDT", "1m", "spot", "last", "utc"), load()["spot.history_candles"], Ahead()
    spent: dict[str, list[float]] = {"limiter": [], "checks": [], "spool": []}
    pages = [page(number) for number in range(PAGES)]
    with tempfile.TemporaryDirectory() as folder:
        limiter = LogLimiter(clock, SqliteLogStore(Path(folder) / "budget", "host", clock))
        store = Store(Path(folder) / "data", clock=clock)
        spool, kept = PendingPages(store, what.stored), []
        for table, span in pages:
            clock.sleep(1 / 20)
            times = [time.perf_counter()]
            limiter.acquire(row, "")
            limiter.answered(row, "")
            times.append(time.perf_counter())
            checked = check_page(table, span, what.grid, span)
            times.append(time.perf_counter())
            kept.append(spool.keep(checked.table, [span], row.id))
            times.append(time.perf_counter())
            for name, began, ended in zip(spent, times, times[1:], strict=False):
                spent[name].append((ended - began) * 1000)
        began = time.perf_counter()
        whole = pa.concat_tables([table for table, _span in pages])
        store.write(what.stored, whole, [span for _table, span in pages], source=row.id)
        spool.drop(kept)
        written_ms = (time.perf_counter() - began) * 1000 / PAGES
    result = {name: statistics.median(times) for name, times in spent.items()} | {"partition": written_ms}
    for name, milliseconds in result.items():
        print(f"{name:>9}: {milliseconds:.2f} ms")
    total = sum(result.values())
    print(f"    total: {total:.2f} ms a request of {ROWS} rows (promised: {PROMISED_MS} ms)")
    return 0 if total <= PROMISED_MS else 1


if __name__ == "__main__":
    sys.exit(main())
