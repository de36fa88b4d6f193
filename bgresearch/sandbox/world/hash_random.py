"""Randomness by address: the same key and counters give the same bits, on every machine and in any order. Pure.

Only integer arithmetic and plain float operations, because logarithms and sines differ in the last bit between
processors and would make two machines' synthetic markets differ.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15  # constants of splitmix64 (Steele, Lea, Flood 2014)
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_FIELD = np.uint64(0xFFFF)
NORMAL_UNIT = 37_837  # standard deviation of `normals`, in its own integer unit


def key_of(*words: object) -> int:
    """Return a 64-bit hash of these words."""
    text = "\x1f".join(str(word) for word in words)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def bits_at(key: int, counter: int) -> int:
    """Return 64 random bits at one address; equal to `bits` there."""
    word = (key + counter * _GOLDEN) & _MASK
    word = ((word ^ (word >> 30)) * _FIRST) & _MASK
    word = ((word ^ (word >> 27)) * _SECOND) & _MASK
    return word ^ (word >> 31)


def bits(key: int, counters: Ints) -> Bits:
    """Return 64 random bits for every counter."""
    word = counters.astype(np.uint64)
    word *= np.uint64(_GOLDEN)
    word += np.uint64(key)
    word ^= word >> np.uint64(30)
    word *= np.uint64(_FIRST)
    word ^= word >> np.uint64(27)
    word *= np.uint64(_SECOND)
    word ^= word >> np.uint64(31)
    return word


def field(word: Bits, index: int) -> Ints:
    """Return the index-th 16 bits of every word, 0 to 65535."""
    return ((word >> np.uint64(16 * index)) & _FIELD).astype(np.int64)


def normals(word: Bits) -> Ints:
    """Return roughly normal integers (the sum of four uniform ones), mean 0, deviation `NORMAL_UNIT`."""
    pairs = (word & np.uint64(0x0000FFFF0000FFFF)) + ((word >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF))
    total = (pairs & np.uint64(0xFFFFFFFF)) + (pairs >> np.uint64(32))
    return total.astype(np.int64) - 131_070


def normal_at(key: int, counter: int) -> float:
    """Return one roughly standard normal number."""
    word = bits_at(key, counter)
    return (sum((word >> shift) & 0xFFFF for shift in (0, 16, 32, 48)) - 131_070) / NORMAL_UNIT
