"""What candles of a market with trading hours cost, against the plan, which knows nothing of the hours.

    python benchmarks/closed_hours.py [--interval 1m] [--months "two routes"]

The exchange is the tests' own, on loopback and on a clock that is moved by hand: requests are counted, not timed.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile

import bgresearch as bg
from bgresearch.core.clock import ManualClock
from tests.client.other_exchange import DAY, Habits, Market, OtherExchange
from tests.client.test_other_exchange import NOW_MS, TODAY
from tests.client.test_sessions import FEW, LENGTHS, MONTHS, PATTERNS, WORTH


def measure(pattern: str, interval: str, month: str) -> tuple[int, int, bool]:
    """Return the planned and the real requests, and whether every candle came."""
    span, clock = MONTHS[month], ManualClock(NOW_MS)
    with OtherExchange(Habits(whole_candles=True), clock.now_ms) as exchange, tempfile.TemporaryDirectory() as folder:
        market = exchange.markets["BTCUSDT"] = Market(TODAY - 900 * DAY, gaps=PATTERNS[pattern](span))
        with bg.connect(base_url=exchange.url, clock=clock, data_dir=folder, progress=False) as client:
            planned = sum(client.plan("BTCUSDT", interval, *span).requests.values())
            got = client.candles("BTCUSDT", interval, *span)
        length = LENGTHS[interval]
        opens = [at for at in range(*span, length) if market.trades_in(at, at + length)]
        return planned, len(exchange.requests), [int(at.value) // 10**6 for at in got.index] == opens


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--interval", choices=LENGTHS, action="append")
    options.add_argument("--months", choices=MONTHS, action="append")
    wanted = options.parse_args()
    kept = True
    for interval, month, pattern in itertools.product(wanted.interval or LENGTHS, wanted.months or MONTHS, PATTERNS):
        planned, real, exact = measure(pattern, interval, month)
        print(f"{interval:4}{month:12}{pattern:30}{planned:4} planned {real:4} real {real / planned:5.2f}", flush=True)
        kept &= exact and planned / WORTH <= real <= planned * WORTH + FEW
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
