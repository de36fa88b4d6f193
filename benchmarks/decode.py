"""Times 1,000 rows from bytes to a table, compared with json.loads and Arrow's own cast of the same texts.

Exit status 1 if candles take more than 1.5 ms or 1.5 times as long.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.catalogue import load
from bgresearch.catalogue.response import rows_of, unwrap
from bgresearch.frames import candle_table, decode

ROWS, RUNS = 1000, 101
MOST_MS, MOST_TIMES = 1.5, 1.5


def bare(body: bytes) -> pa.Table:
    """Return the columns of an answer with nothing checked: what any decoding has to do at least."""
    times, *values = zip(*json.loads(body)["data"], strict=True)
    opens = pc.cast(pc.cast(pa.array(times), pa.int64()), pa.timestamp("ms", "UTC"))
    return pa.table([opens, *(pc.cast(pa.array(column), pa.float64()) for column in values)], names=list("tohlcvqu"))


def in_turns(*works: Callable[[], object]) -> list[float]:
    """Return the medians of jobs done alternately, so that a busy machine is busy for all."""
    took: list[list[float]] = [[] for _ in works]
    for _ in range(RUNS):
        for work, into in zip(works, took, strict=True):
            started = time.perf_counter()
            work()
            into.append((time.perf_counter() - started) * 1000)
    return list(map(statistics.median, took))


def median_ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def main() -> int:
    rng = random.Random(7)  # noqa: S311
    candles, fills = load()["spot.candles"], load()["spot.fills_history"]
    numbers = [[f"{rng.uniform(1e-4, 6e4):.8f}" for _ in range(7)] for _ in range(ROWS)]
    rows = [[str(1_700_000_000_000 + 60_000 * place), *values] for place, values in enumerate(numbers)]
    trades = [
        {"symbol": "BTCUSDT", "tradeId": str(10**18 + place), "side": "Buy", "price": values[0], "size": values[1],
         "ts": str(1_700_000_000_000 + place)}
        for place, values in enumerate(numbers)
    ]  # fmt: skip
    candle_body, trade_body = (json.dumps({"code": "00000", "data": data}).encode() for data in (rows, trades))
    print(f"{ROWS} rows, median of {RUNS}")
    ours, theirs = in_turns(
        lambda: candle_table(candles, rows_of(candles, unwrap(candles, 200, candle_body))), lambda: bare(candle_body)
    )
    print(f"candles to Arrow:   {ours:.2f} ms, {ours / theirs:.2f} times json.loads and a cast alone ({theirs:.2f} ms)")
    print(f"candle_table:       {median_ms(lambda: candle_table(candles, rows)):.2f} ms")
    print(f"unwrap, candles:    {median_ms(lambda: unwrap(candles, 200, candle_body)):.2f} ms")
    print(f"decode, candles:    {median_ms(lambda: decode(candles, candle_body)):.2f} ms")
    print(f"decode, trades:     {median_ms(lambda: decode(fills, trade_body)):.2f} ms")
    return 0 if ours <= MOST_MS and ours <= MOST_TIMES * theirs else 1


if __name__ == "__main__":
    sys.exit(main())
