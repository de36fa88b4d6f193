"""How long an answer of 1,000 rows takes to become a table. Aim: candles within 1.5 ms."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable

from bgresearch.catalogue import load
from bgresearch.envelope import unwrap
from bgresearch.frames import candle_table, decode

ROWS, RUNS = 1000, 101


def median_ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        took.append((time.perf_counter() - started) * 1000)
    return statistics.median(took)


def main() -> None:
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
    print(f"candle_table:       {median_ms(lambda: candle_table(candles, rows)):.2f} ms")
    print(f"unwrap, candles:    {median_ms(lambda: unwrap(candles, 200, candle_body)):.2f} ms")
    print(f"decode, candles:    {median_ms(lambda: decode(candles, candle_body)):.2f} ms")
    print(f"decode, trades:     {median_ms(lambda: decode(fills, trade_body)):.2f} ms")


if __name__ == "__main__":
    main()
