"""The order book of a market at any instant: fixed prices, sizes that change now and then, around the last price. Pure.

A level's price is a multiple of the market's gap, and each level changes at instants of its own. Two books a moment
apart therefore differ in a few levels, as those of an exchange do, and any book can be made without those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bgresearch.sandbox.world.hash_random import Ints, bits, key_of
from bgresearch.sandbox.world.markets import Market, coin_of
from bgresearch.sandbox.world.world import World

BOOK_STEP_MS = 100  # sizes change at multiples of this, prices with any trade
DEEPEST = 1000  # levels of a side
_STEPS_KEPT_BITS = 7  # a level keeps its size for 128 steps: 12.8 s
_LEVELS_PER_PRICE = 30_000  # a level every 1/30,000 of the usual price
_DEPTH_SHARE = 2e-5  # of a day's turnover that waits at a level
_ABSENT = 16  # one level in so many is empty for a while
_EPOCH_BITS = 32


@dataclass(frozen=True, slots=True)
class SandboxBook:
    """One image of a book, best levels first.

    Attributes
    ----------
    bid_prices, bid_sizes, ask_prices, ask_sizes : array of int64
        In units of the market's last decimals.
    """

    bid_prices: Ints
    bid_sizes: Ints
    ask_prices: Ints
    ask_sizes: Ints

    def top(self, levels: int) -> SandboxBook:
        """Return the best ``levels`` of each side."""
        return SandboxBook(
            self.bid_prices[:levels], self.bid_sizes[:levels], self.ask_prices[:levels], self.ask_sizes[:levels]
        )  # fmt: skip


def order_book(world: World, market: Market, now_ms: int, *, levels: int) -> SandboxBook:
    """Return the best ``levels`` of each side at this instant; fewer bids where the price is too low for more."""
    last, gap = world.price(market, now_ms), gap_of(market)
    reach = levels + levels // 8 + 4  # some are absent
    below, above = (last - 1) // gap, last // gap + 1
    bids = np.arange(below, max(below - reach, 0), -1, dtype=np.int64)
    asks = np.arange(above, above + reach, dtype=np.int64)
    bid_sizes, ask_sizes = _sizes(world, market, now_ms, bids), _sizes(world, market, now_ms, asks)
    if not bids.size:
        bids, bid_sizes = np.array([1]), np.array([1])
    bids, bid_sizes = bids[bid_sizes > 0][:levels], bid_sizes[bid_sizes > 0][:levels]
    asks, ask_sizes = asks[ask_sizes > 0][:levels], ask_sizes[ask_sizes > 0][:levels]
    return SandboxBook(bids * gap, bid_sizes, asks * gap, ask_sizes)


def gap_of(market: Market) -> int:
    """Return how far apart the prices of a book are, in units of the market's last decimal."""
    step = market.price_step
    usual = int(coin_of(market).base_price * 10.0**market.price_places)
    return max(usual // _LEVELS_PER_PRICE // step, 1) * step


def _sizes(world: World, market: Market, now_ms: int, places: Ints) -> Ints:
    """Return what waits at these multiples of the gap; 0 where nothing does."""
    coin = coin_of(market)
    usual = coin.turnover * market.turnover_share * _DEPTH_SHARE / coin.base_price * 10.0**market.size_places
    key = key_of(world.seed, "book", market.kind, market.symbol)
    phase = bits(key, places).astype(np.int64) & ((1 << _STEPS_KEPT_BITS) - 1)
    epoch = (now_ms // BOOK_STEP_MS + phase) >> _STEPS_KEPT_BITS
    drawn = bits(key, (places << _EPOCH_BITS) + epoch).astype(np.int64)
    sizes = np.maximum((usual * (0.2 + (drawn & 0xFFFF) / 40_000.0)).astype(np.int64), 1)
    sizes[(drawn >> 16) % _ABSENT == 0] = 0
    return sizes
