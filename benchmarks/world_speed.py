"""How fast the synthetic world answers: one day of minutes, a thousand days, all tickers, an account's first history.

Run ``python benchmarks/world_speed.py``; prints milliseconds, cold and warm.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bgresearch.catalogue import load
from bgresearch.core.intervals import DAY_MS, INTERVALS
from bgresearch.sandbox.call import Call
from bgresearch.sandbox.responders import RESPONDERS
from bgresearch.sandbox.traders.accounts import make_accounts
from bgresearch.sandbox.world.markets import find, utc_ms
from bgresearch.sandbox.world.world import World

NOW_MS = utc_ms(2026, 11, 20, 8) + 1_234_567


def timed(name: str, work: Callable[[], object]) -> None:
    start = time.perf_counter()
    work()
    print(f"{name:<44}{(time.perf_counter() - start) * 1000:>10.2f} ms")


def main() -> None:
    world = World(7)
    bitcoin = find("spot", "BTCUSDT")
    assert bitcoin is not None

    def days(count: int, interval: str, back: int = 0) -> None:
        end = NOW_MS - back * DAY_MS
        assert len(world.bars(bitcoin, INTERVALS[interval], end - count * DAY_MS, end, now_ms=NOW_MS))

    timed("first day of a coin (its walk as well)", lambda: days(1, "1m"))
    timed("100 further days of 1m bars", lambda: days(100, "1m", back=100))
    timed("1000 daily bars, cold", lambda: days(1000, "1d"))
    timed("1000 daily bars, warm", lambda: days(1000, "1d"))
    tickers = Call(load()["spot.tickers"], {}, None, NOW_MS, world)
    timed("all spot tickers, cold", lambda: RESPONDERS["spot.tickers"](tickers))
    timed("all spot tickers, warm", lambda: RESPONDERS["spot.tickers"](tickers))
    page = {"symbol": "ETHUSDT", "granularity": "1min", "limit": "1000"}
    candles = Call(load()["spot.candles"], page, None, NOW_MS, world)
    timed("a page of 1000 candles as text, cold", lambda: RESPONDERS["spot.candles"](candles))
    timed("a page of 1000 candles as text, warm", lambda: RESPONDERS["spot.candles"](candles))
    account = make_accounts(world)["classic"]
    timed("an account's history since January, cold", lambda: account.history(NOW_MS))
    fills = Call(load()["spot.trade_fills"], {}, account, NOW_MS, world)
    timed("a page of fills, warm", lambda: RESPONDERS["spot.trade_fills"](fills))


if __name__ == "__main__":
    main()
