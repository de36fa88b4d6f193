"""Searches another process's bytes for secrets, in a time that reveals no part of one.

A process that has the agent search can measure how long that takes. A search that does more work where part of a secret
occurs would reveal that part, and part by part the whole. So nothing here compares parts: each stretch of the data as
long as a needle is hashed to one number, under a new random key for every search, and only whole numbers are compared.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from vault.hidden import Hidden, NoCopies, without_frames
from vault.leaks import Needle

_WORD_BITS = 64  # numbers are counted modulo 2**64, as unsigned words are
_TOP_BITS = 16  # by which a number is looked up first


class ConstantTimeSieve(NoCopies):
    """Searches for many needles at once; finds the same as `vault.leaks.Sieve`.

    Parameters
    ----------
    needles : iterable of Needle
        What to search for.
    random_bytes : callable
        Draws the key of each search.
    """

    __slots__ = ("__by_length", "__random_bytes")

    def __init__(self, needles: Iterable[Needle], random_bytes: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self.__by_length: dict[int, list[Needle]] = {}
        for needle in needles:
            self.__by_length.setdefault(len(needle.pattern.value), []).append(needle)
        self.__random_bytes = random_bytes

    def caught(self, data: bytes) -> Iterator[tuple[Needle, int]]:
        """Give each needle that is in the data, with its first place."""
        key = _Key(max(len(data), *self.__by_length, 1), self.__random_bytes)
        sums = key.sums(Hidden(data))
        for length, needles in self.__by_length.items():
            if length <= len(data):
                yield from key.found(sums, length, needles)


class _Key(NoCopies):
    """One search's own numbers: one for each value of a byte, and the powers of an odd one for each place."""

    __slots__ = ("__of_bytes", "__powers", "__undone")

    def __init__(self, longest: int, random_bytes: Callable[[int], bytes]) -> None:
        odd = int.from_bytes(random_bytes(8), "little") | 1
        self.__of_bytes = np.frombuffer(random_bytes(256 * 8), dtype=np.uint64)
        self.__powers = _powers(odd, longest)
        self.__undone = _powers(pow(odd, -1, 1 << _WORD_BITS), longest)

    @without_frames
    def sums(self, data: Hidden[bytes]) -> Any:
        """Return the number of every start of the data, the empty one first."""
        numbers = self.__of_bytes[np.frombuffer(data.value, dtype=np.uint8)] * self.__powers[: len(data.value)]
        return np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(numbers, dtype=np.uint64)))

    @without_frames
    def found(self, sums: Any, length: int, needles: list[Needle]) -> list[tuple[Needle, int]]:
        """Return which needles of one length occur in the data with these sums, each with its first place."""
        wanted: dict[int, list[Needle]] = {}
        for needle in needles:
            wanted.setdefault(int(self.sums(needle.pattern)[-1]), []).append(needle)
        stretches = (sums[length:] - sums[:-length]) * self.__undone[: len(sums) - length]
        is_close = np.zeros(1 << _TOP_BITS, dtype=bool)
        is_close[[number >> (_WORD_BITS - _TOP_BITS) for number in wanted]] = True
        places = np.flatnonzero(is_close[stretches >> np.uint64(_WORD_BITS - _TOP_BITS)])
        close = zip(places.tolist(), stretches[places].tolist(), strict=True)
        return [(needle, place) for place, number in close for needle in wanted.pop(number, ())]


def _powers(base: int, count: int) -> Any:
    factors = np.full(count, base, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)
