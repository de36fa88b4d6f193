"""One-minute bars of whole UTC days, made from the seed alone: any day without the days before it. Pure.

A day's path is a bridge between two midnights of the coin's walk, so days made apart join up. Prices are integers in
units of the last decimal, sizes integers in units of the last decimal of the base coin, and quote volumes integers in
units of 1e-4, so that sums over longer candles are exact.
"""

from __future__ import annotations

import numpy as np

from bgresearch.core.intervals import MINUTE_MS
from bgresearch.sandbox.world.daily_prices import Floats, PriceWalk
from bgresearch.sandbox.world.hash_random import NORMAL_UNIT, Bits, Ints, bits, field, key_of, normal_at, normals
from bgresearch.sandbox.world.markets import Coin, Market

MINUTES = 1440
OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME = range(6)
QUOTE_PLACES = 4
_LEAST_UNITS = 4  # of size in a minute that trades, so that open, high, low and close can each be a trade
_NOISE_SHARE = 0.004  # of the day's volatility: how far a market strays from its coin's path
_BASIS = 0.0004  # usual distance of a contract from its index
_SHOCK = 14  # of 65,536 minutes
_HOURS = np.array(
    [1.25, 1.05, 0.9, 0.85, 0.8, 0.8, 0.8, 0.9, 1.05, 1.0, 0.95, 0.95,
     1.05, 1.4, 1.6, 1.5, 1.3, 1.2, 1.1, 1.0, 1.0, 0.95, 0.9, 0.95]
)  # fmt: skip
"""How lively each UTC hour is: quiet in the American night, liveliest when New York opens."""

_MINUTE_OF_DAY = np.arange(MINUTES, dtype=np.int64)
_SHARE_OF_DAY = np.arange(MINUTES + 1) / MINUTES


class MinuteMaker:
    """Makes the bars of one market and one kind of price.

    Parameters
    ----------
    seed : int
        Of the world.
    market : Market
        What is traded.
    price : str
        ``last``, ``mark`` or ``index``.
    """

    def __init__(self, seed: int, market: Market, coin: Coin, walk: PriceWalk, *, price: str) -> None:
        self._market, self._coin, self._walk = market, coin, walk
        self._last = price == "last"
        self._path_key = key_of(seed, "path", coin.name)
        self._market_key = key_of(seed, "market", market.kind, market.symbol)
        self._basis_key = key_of(seed, "basis", market.kind, market.symbol)
        self._basis = {"last": _BASIS, "mark": _BASIS / 2, "index": 0.0}[price] if market.futures else 0.0
        self._scale = 10.0**market.price_places / market.price_step

    def day(self, day: int) -> Ints:
        """Return an array of shape (6, 1440): open, high, low, close, volume, quote volume of one day."""
        path, spread = self._path(day)
        spread = np.repeat(spread, 60)
        shares = self._shares(day)[1:] if self._market.splits else 1.0
        word = bits(self._market_key, _MINUTE_OF_DAY + day * MINUTES)
        close = self._closes(path, word)
        out = np.empty((6, MINUTES), dtype=np.int64)
        spread *= self._scale * shares
        if self._last:
            self._fill_traded(out, (self._unit(path[:1]), close), word=word, spread=spread, shares=shares)
        else:
            self._fill_quiet(out, (self._unit(path[:1]), close), word=word, spread=spread)
        if self._market.price_step != 1:
            out[:VOLUME] *= self._market.price_step
        return out

    def closes(self, day: int) -> Ints:
        """Return the 1440 closing prices of `day` alone, for half the work, where every minute trades."""
        path, _ = self._path(day)
        return self._closes(path, bits(self._market_key, _MINUTE_OF_DAY + day * MINUTES)) * self._market.price_step

    def _unit(self, prices: Floats) -> Ints:
        return np.maximum(np.rint(prices * self._scale), 1).astype(np.int64)

    def _closes(self, path: Floats, word: Bits) -> Ints:
        if not self._last:
            return self._unit(path[1:])
        away = (field(word, 3) & 0xFF) - 127.5
        away *= self._coin.volatility * _NOISE_SHARE / 127.5
        away[-1] = 0.0  # midnights are where days join
        away += 1.0
        return self._unit(path[1:] * away)

    def _path(self, day: int) -> tuple[Floats, Floats]:
        """Return prices at 1441 instants of the day and the usual move within a minute of each hour, in quote coin."""
        levels, volatility = self._walk.days(day, 1)
        start, end = float(levels[0]), float(levels[1])
        word = bits(self._path_key, _MINUTE_OF_DAY + day * MINUTES)
        liveliness = _HOURS * (0.6 + field(word[::60], 1) / 65_536.0)
        steps = normals(word).reshape(24, 60) * liveliness[:, None]
        steps[word.reshape(24, 60) >> np.uint64(48) < np.uint64(_SHOCK)] *= 10.0
        walked = np.zeros(MINUTES + 1)
        np.cumsum(steps.reshape(MINUTES), out=walked[1:])
        walked -= walked[-1] * _SHARE_OF_DAY
        size = start * float(volatility[0]) / (NORMAL_UNIT * MINUTES**0.5)
        walked *= size
        walked += start + (end - start) * _SHARE_OF_DAY
        np.maximum(walked, start * 0.2, out=walked)
        walked[0], walked[-1] = start, end
        if self._basis:
            before, after = (1.0 + self._basis * normal_at(self._basis_key, day + i) for i in range(2))
            walked *= before + (after - before) * _SHARE_OF_DAY
            walked[0], walked[-1] = start * before, end * after
        if self._market.splits:
            walked *= self._shares(day)
        return walked, liveliness * (size * NORMAL_UNIT)

    def _shares(self, day: int) -> Floats:
        """Return how many shares of the end one share is worth at 1441 instants: prices are as they were traded."""
        instants = (day * MINUTES + np.arange(MINUTES + 1)) * MINUTE_MS
        factors = np.ones(MINUTES + 1)
        for split in self._market.splits:
            factors[instants <= split.halted_ms] *= float(split.ratio)
        return factors

    def _fill_traded(
        self, out: Ints, ends: tuple[Ints, Ints], *, word: Bits, spread: Floats, shares: Floats | float
    ) -> None:  # fmt: skip
        first, close = ends
        still = None
        if self._market.trading < 1.0:
            still = field(word, 2) >= int(self._market.trading * 65_536)
            still[-1] = False
            latest = np.maximum.accumulate(np.where(still, -1, _MINUTE_OF_DAY))
            close = np.where(latest >= 0, close[np.maximum(latest, 0)], first)
        before = np.concatenate((first, close[:-1]))
        # the first trade of a minute is rarely at the last price of the one before
        jump = np.rint(((field(word, 3) >> 8) - 127.5) * 0.002 * spread).astype(np.int64)
        jump[0] = 0
        opened = np.maximum(before + jump, 1)
        upper, lower = field(word, 0) / 65_536.0, field(word, 1) / 65_536.0
        high = np.maximum(opened, close) + np.rint(upper * upper * spread).astype(np.int64)
        low = np.minimum(opened, close) - np.rint(lower * lower * spread).astype(np.int64)
        low = np.maximum(low, 1)
        volume = self._volume(word, (opened, high, low), spread=spread, shares=shares)
        if still is not None:
            volume[still] = 0
            for prices in (opened, high, low):
                prices[still] = before[still]
        out[OPEN], out[HIGH], out[LOW], out[CLOSE], out[VOLUME] = opened, high, low, close, volume
        places = self._market.price_places + self._market.size_places - QUOTE_PLACES
        middle = (opened + high + low + close) * (0.25 * self._market.price_step)
        out[QUOTE_VOLUME] = np.rint(middle * volume / 10.0**places)

    def _volume(
        self, word: Bits, prices: tuple[Ints, Ints, Ints], *, spread: Floats, shares: Floats | float
    ) -> Ints:  # fmt: skip
        opened, high, low = prices
        coin, market = self._coin, self._market
        usual = coin.turnover * market.turnover_share / (MINUTES * market.trading * coin.base_price)
        luck = field(word, 2) / 65_536.0
        moved = (high - low) / np.maximum(spread, 0.5)
        liveliness = spread / (opened * (coin.volatility / MINUTES**0.5))
        size = usual * 10.0**market.size_places * liveliness * (0.1 + 0.5 * luck * luck + 0.35 * moved) / shares
        whole: Ints = np.maximum(np.rint(size), _LEAST_UNITS).astype(np.int64)
        return whole

    @staticmethod
    def _fill_quiet(out: Ints, ends: tuple[Ints, Ints], *, word: Bits, spread: Floats) -> None:
        """Fill in mark and index prices: without trades, they open at the last close and move less within a minute."""
        first, close = ends
        opened = np.concatenate((first, close[:-1]))
        wick = np.rint(field(word, 0) * (0.2 / 65_536.0) * spread).astype(np.int64)
        out[OPEN], out[CLOSE] = opened, close
        out[HIGH] = np.maximum(opened, close) + wick
        out[LOW] = np.maximum(np.minimum(opened, close) - wick, 1)
        out[VOLUME:] = 0
