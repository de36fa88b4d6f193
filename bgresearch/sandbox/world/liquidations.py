"""Positions of made-up traders that are closed by force, each at a trade of its contract. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bgresearch.core.intervals import MINUTE_MS
from bgresearch.sandbox.world.hash_random import bits, bits_at, key_of
from bgresearch.sandbox.world.markets import Market
from bgresearch.sandbox.world.trades import Trade
from bgresearch.sandbox.world.world import World

_SHARE = 16  # one minute of a contract in so many


def liquidation(world: World, market: Market, minute_ms: int) -> Trade | None:
    """Return the trade that closed a position of a contract in this minute, None if there was none."""
    word = bits_at(_key(world, market), minute_ms)
    if word % _SHARE or not world.exists(market, minute_ms):
        return None
    trades = world.minute(market, minute_ms).trades
    return trades[(word >> 8) % len(trades)] if trades else None


def newest_first(world: World, markets: list[Market], start_ms: int, end_ms: int) -> Iterator[tuple[Market, Trade]]:
    """Yield the liquidations of some contracts in ``[start_ms, end_ms)``."""
    minutes = np.arange(start_ms - start_ms % MINUTE_MS, end_ms, MINUTE_MS, dtype=np.int64)
    hit = np.array([bits(_key(world, market), minutes) % np.uint64(_SHARE) == 0 for market in markets])
    for place in np.flatnonzero(hit.any(axis=0))[::-1].tolist() if len(markets) else ():
        found = [
            (market, trade)
            for market in (markets[row] for row in np.flatnonzero(hit[:, place]).tolist())
            if (trade := liquidation(world, market, int(minutes[place]))) and start_ms <= trade.ts_ms < end_ms
        ]
        yield from sorted(found, key=lambda one: (-one[1].ts_ms, one[0].symbol))


def _key(world: World, market: Market) -> int:
    return key_of(world.seed, "liquidation", market.kind, market.symbol)
