"""The order book of a market at any instant: fixed prices, sizes that change now and then, around the last price. Pure.

A level's price is a multiple of the market's gap, and levels change at different instants. Two books a moment apart
therefore differ in a few levels, as those of an exchange do, and any book can be made without those before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bgresearch.sandbox.world.hash_random import Ints, bits, key_of
from bgresearch.sandbox.world.markets import Market, coin_of
from bgresearch.sandbox.world.world import World

Level = tuple[int, int]
"""Price and size of one level, in units of the market's last decimals."""

BOOK_STEP_MS = 100  # sizes change at multiples of this, prices with any trade
DEEPEST = 1000  # levels of a side
_STEPS_KEPT_BITS = 7  # a level keeps its size for 128 steps: 12.8 s
_LEVELS_PER_PRICE = 30_000  # a level every 1/30,000 of the usual price
_DEPTH_SHARE = 2e-5  # of a day's turnover that waits at a level
_ABSENT = 16  # one level in 16 is empty for a while
_EPOCH_BITS = 32
_NEAREST = 24  # levels among which the best one is, for all practical purposes


@dataclass(frozen=True, slots=True)
class BookSide:
    """One side of a book: what waits at ``low``, ``low + 1`` ... times the gap; 0 where nothing does."""

    low: int
    sizes: Ints
    gap: int

    def levels(self) -> list[Level]:
        """Return the levels that are there, ascending by price."""
        (places,) = np.nonzero(self.sizes)
        return list(zip(((places + self.low) * self.gap).tolist(), self.sizes[places].tolist(), strict=True))

    def changes(self, later: BookSide) -> list[Level]:
        """Return the levels that are new or have another size later, and with size 0 those gone; ascending."""
        if self.low == later.low and len(self.sizes) == len(later.sizes):
            low, before, after = self.low, self.sizes, later.sizes
        else:
            low = min(self.low, later.low)
            high = max(self.low + len(self.sizes), later.low + len(later.sizes))
            before, after = (np.zeros(high - low, dtype=np.int64) for _ in range(2))
            for array, side in ((before, self), (after, later)):
                array[side.low - low : side.low - low + len(side.sizes)] = side.sizes
        (places,) = np.nonzero(before != after)
        return list(zip(((places + low) * self.gap).tolist(), after[places].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class SandboxBook:
    """One image of a book."""

    bid_side: BookSide
    ask_side: BookSide

    def bids(self) -> list[Level]:
        """Return the bids, best first."""
        return self.bid_side.levels()[::-1]

    def asks(self) -> list[Level]:
        """Return the asks, best first."""
        return self.ask_side.levels()


class BookMaker:
    """Makes the books of one market; quicker where instants follow each other.

    Parameters
    ----------
    levels : int
        Most levels of a side.
    """

    def __init__(self, world: World, market: Market, *, levels: int) -> None:
        self._world, self._market, self._levels = world, market, levels
        self._gap, self._sizes = gap_of(market), _Sizes(world, market)
        self._known: tuple[tuple[int, int], int, list[tuple[Ints, Ints, Ints]]] | None = None

    def at(self, now_ms: int) -> SandboxBook:
        """Return the book of this instant; fewer bids where the price is too low for more."""
        last, gap = self._world.price(self._market, now_ms), self._gap
        around = (last - 1) // gap, last // gap + 1
        step = now_ms // BOOK_STEP_MS
        if self._known is None or self._known[0] != around:
            sides = [self._fresh(places, step) for places in self._places(around)]
        else:
            _, before, sides = self._known
            sides = [self._later(side, before, step) for side in sides]
        self._known = (around, step, sides)
        (bid_places, _, bid_sizes), (ask_places, _, ask_sizes) = sides
        bids = self._cut(bid_sizes[::-1])[::-1]
        return SandboxBook(
            BookSide(int(bid_places[0]), bids, gap), BookSide(int(ask_places[0]), self._cut(ask_sizes), gap)
        )

    def _places(self, around: tuple[int, int]) -> tuple[Ints, Ints]:
        depth = self._levels + self._levels // 8 + 8  # some are absent
        below, above = around
        bids = np.arange(max(below - depth, 0) + 1, max(below, 1) + 1, dtype=np.int64)
        return bids, np.arange(above, above + depth, dtype=np.int64)

    def _fresh(self, places: Ints, step: int) -> tuple[Ints, Ints, Ints]:
        phases = self._sizes.phases(places)
        return places, phases, self._sizes.of(places, (step + phases) >> _STEPS_KEPT_BITS)

    def _later(self, side: tuple[Ints, Ints, Ints], before: int, step: int) -> tuple[Ints, Ints, Ints]:
        places, phases, sizes = side
        epochs = (step + phases) >> _STEPS_KEPT_BITS
        (changed,) = np.nonzero(epochs != (before + phases) >> _STEPS_KEPT_BITS)
        if changed.size:
            sizes = sizes.copy()
            sizes[changed] = self._sizes.of(places[changed], epochs[changed])
        return places, phases, sizes

    def _cut(self, sizes: Ints) -> Ints:
        """Return sizes, best first, with those beyond the deepest level at 0."""
        (there,) = np.nonzero(sizes)
        if len(there) <= self._levels:
            return sizes
        cut = sizes.copy()
        cut[there[self._levels] :] = 0
        return cut


class _Sizes:
    """What waits at the multiples of a market's gap."""

    def __init__(self, world: World, market: Market) -> None:
        coin = coin_of(market)
        share = coin.turnover * market.turnover_share * _DEPTH_SHARE
        self._usual = share / coin.base_price * 10.0**market.size_places
        self._key = key_of(world.seed, "book", market.kind, market.symbol)

    def phases(self, places: Ints) -> Ints:
        """Return when each level changes, in steps."""
        return bits(self._key, places).astype(np.int64) & ((1 << _STEPS_KEPT_BITS) - 1)

    def of(self, places: Ints, epochs: Ints) -> Ints:
        """Return the sizes in these epochs of the levels."""
        drawn = bits(self._key, (places << _EPOCH_BITS) + epochs).astype(np.int64)
        sizes = np.maximum((self._usual * (0.2 + (drawn & 0xFFFF) / 40_000.0)).astype(np.int64), 1)
        sizes[(drawn >> 16) % _ABSENT == 0] = 0
        return sizes


def order_book(world: World, market: Market, now_ms: int, *, levels: int) -> SandboxBook:
    """Return the best ``levels`` of each side at this instant."""
    return BookMaker(world, market, levels=levels).at(now_ms)


def best_levels(world: World, market: Market, moments: Ints) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    """Return price and size of the best bid and of the best ask at many instants at once."""
    gap, sizes_of = gap_of(market), _Sizes(world, market)
    last = np.array([world.price(market, moment) for moment in moments.tolist()], dtype=np.int64)[:, None]
    nearest = np.arange(_NEAREST, dtype=np.int64)
    below, above = np.maximum((last - 1) // gap - nearest, 1), last // gap + 1 + nearest
    sides = []
    for places in (below, above):
        epochs = (moments[:, None] // BOOK_STEP_MS + sizes_of.phases(places)) >> _STEPS_KEPT_BITS
        sizes = sizes_of.of(places, epochs)
        first = np.argmax(sizes > 0, axis=1)[:, None]
        sides.append((np.take_along_axis(places * gap, first, 1)[:, 0], np.take_along_axis(sizes, first, 1)[:, 0]))
    return sides[0], sides[1]


def gap_of(market: Market) -> int:
    """Return how far apart the prices of a book are, in units of the market's last decimal."""
    step = market.price_step
    usual = int(coin_of(market).base_price * 10.0**market.price_places)
    return max(usual // _LEVELS_PER_PRICE // step, 1) * step
