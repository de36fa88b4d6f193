"""The search that answers strangers: it finds what the fast one finds, and does the same whatever parts it meets."""

from __future__ import annotations

import copy
import pickle
import random

import pytest

from bgresearch.agent.constant_time_search import ConstantTimeSieve
from tests.agent.conftest import HERE, ServiceDriver, triple_of
from vault import NotCopyable
from vault.hidden import Hidden
from vault.leaks import AnySieve, Needle, Sieve

CHANCE = random.Random(11)  # noqa: S311 - fills data
PATTERNS = [CHANCE.randbytes(length) for length in (8, 8, 9, 15, 16, 31, 32, 32, 64, 128)]


class Watched(Hidden[bytes]):
    """A pattern that counts how often it is looked at."""

    __slots__ = ("looks",)

    def __init__(self, value: bytes) -> None:
        super().__init__(value)
        self.looks = 0

    @property
    def value(self) -> bytes:
        self.looks += 1
        return super().value


def needles(*patterns: bytes) -> list[Needle]:
    return [Needle("key", "secret_key", str(number), Hidden(pattern)) for number, pattern in enumerate(patterns)]


def found(sieve: AnySieve, data: bytes) -> set[tuple[str, int]]:
    return {(needle.form, place) for needle, place in sieve.caught(data)}


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 63, 64, 65, 1000, 100_000])
def test_it_finds_what_the_fast_one_finds(size: int) -> None:
    blind, fast = ConstantTimeSieve(needles(*PATTERNS)), Sieve(needles(*PATTERNS))
    for number in range(20):
        data = CHANCE.randbytes(size)
        for pattern in CHANCE.sample(PATTERNS, number % 4):
            at = CHANCE.randrange(size + 1)
            data = data[:at] + pattern + data[at:]
        assert found(blind, data) == found(fast, data)
        assert found(ConstantTimeSieve([]), data) == set()


def test_the_same_text_twice_is_reported_of_both_keys_at_its_first_place() -> None:
    data = b"...." + PATTERNS[3] * 2
    assert found(ConstantTimeSieve(needles(PATTERNS[3], PATTERNS[3])), data) == {("0", 4), ("1", 4)}


def test_neither_parts_nor_near_misses_are_looked_at_closer() -> None:
    """However much of a secret lies in the data, the work is that for data without any: whole ones alone count."""
    secret = CHANCE.randbytes(64)
    parts = [secret[at : at + size] for size in range(1, 64) for at in range(0, 65 - size, 3)]
    near = [secret[:at] + bytes([secret[at] ^ 1]) + secret[at + 1 :] for at in range(64)]
    looks = []
    for data in (bytes(20_000), b"".join(parts), b"".join(near)):
        pattern = Watched(secret)
        assert found(ConstantTimeSieve([Needle("key", "secret_key", "0", pattern)]), data) == set()
        looks.append(pattern.looks)
    assert len(set(looks)) == 1


def test_every_search_has_a_key_of_its_own() -> None:
    drawn: list[int] = []

    def random_bytes(count: int) -> bytes:
        drawn.append(count)
        return CHANCE.randbytes(count)

    sieve = ConstantTimeSieve(needles(*PATTERNS), random_bytes)
    for _ in range(3):
        found(sieve, b"x" * 100)
    assert drawn == [8, 2048] * 3


def test_it_shows_nothing_and_cannot_be_copied() -> None:
    sieve = ConstantTimeSieve(needles(b"f00dfeedf00dfeed"))
    held = [getattr(sieve, f"_ConstantTimeSieve__{name}") for name in ("by_length", "random_bytes")]
    assert not any("f00d" in text for text in (repr(sieve), f"{sieve}", repr(held), repr(dir(sieve))))
    for copying in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(NotCopyable):
            copying(sieve)


def test_the_agent_searches_blindly(driver: ServiceDriver) -> None:
    with driver.open().vault() as vault:
        vault.add("mine", **triple_of("readonly"), host=HERE)
    searcher = driver.service._session.searcher()
    kinds = {type(getattr(searcher, f"_Searcher__{name}")) for name in ("needles", "split")}
    assert kinds == {ConstantTimeSieve}
