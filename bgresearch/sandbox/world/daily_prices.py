"""A coin's price at each midnight and the volatility of each day, between which the minutes are drawn. Pure."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from bgresearch.core.intervals import DAY_MS
from bgresearch.sandbox.world.hash_random import NORMAL_UNIT, bits, field, key_of, normals
from bgresearch.sandbox.world.markets import GENESIS_MS, Coin

Floats = NDArray[np.float64]

GENESIS_DAY = GENESIS_MS // DAY_MS
_CHUNK_DAYS = 4096
_REVERSION = 0.996  # of the level's logarithm, a day: shocks fade over most of a year
_CLUSTERING = 0.94  # of the volatility's logarithm, a day
_RESTLESSNESS = 0.20
_FURTHEST = 1.6  # bound of the level's logarithm, so that prices keep fitting their decimals
_JUMP_SHARE = 260  # of 65,536 days: about one day in 250 opens a large move


def growth(exponent: float) -> float:
    """Return about e to that power, always positive, from multiplications alone."""
    factor = 1.0 + exponent / 16.0
    for _ in range(4):
        factor *= factor
    return factor


class PriceWalk:
    """One coin's midnights: a mean-reverting walk with clusters of volatility and rare jumps.

    Parameters
    ----------
    seed : int
        Of the world.
    coin : Coin
        Its level and temper.
    """

    def __init__(self, seed: int, coin: Coin) -> None:
        self._coin = coin
        self._key = key_of(seed, "walk", coin.name)
        self._state = (0.0, 0.0)
        self._levels: list[float] = []
        self._volatilities: list[float] = []
        self._lock = threading.Lock()

    def days(self, first_day: int, count: int) -> tuple[Floats, Floats]:
        """Return the levels at ``count + 1`` midnights from that day on, and the volatility of each day."""
        first = max(first_day - GENESIS_DAY, 0)
        with self._lock:
            while len(self._levels) < first + count + 1:
                self._extend()
        levels = np.array(self._levels[first : first + count + 1])
        return levels, np.array(self._volatilities[first : first + count])

    def _extend(self) -> None:
        counters = np.arange(len(self._levels), len(self._levels) + _CHUNK_DAYS, dtype=np.int64)
        moods = (normals(bits(self._key, counters * 3)) / NORMAL_UNIT).tolist()
        moves = (normals(bits(self._key, counters * 3 + 1)) / NORMAL_UNIT).tolist()
        jumps = field(bits(self._key, counters * 3 + 2), 0).tolist()
        level, mood = self._state
        usual = self._coin.volatility
        for fresh_mood, move, jump in zip(moods, moves, jumps, strict=True):
            mood = _CLUSTERING * mood + _RESTLESSNESS * fresh_mood
            volatility = usual * growth(mood)
            self._levels.append(self._coin.base_price * growth(level))
            self._volatilities.append(volatility)
            size = 4.0 if jump < _JUMP_SHARE else 1.0
            level = min(max(_REVERSION * level + size * volatility * move, -_FURTHEST), _FURTHEST)
        self._state = (level, mood)
