"""The first requests open connections and arrive late: what follows must not come too close behind them."""

from __future__ import annotations

import heapq
import random

import pytest

from bgresearch.clock import ManualClock
from bgresearch.limits import LocalLimiter
from tests.limits.conftest import CANDLES
from tests.wire.conftest import NOW_MS

REQUESTS = 150


class Trips(ManualClock):
    """A clock with requests under way: whoever waits hears the answers that come meanwhile."""

    def __init__(self) -> None:
        super().__init__(NOW_MS)
        self.limiter = LocalLimiter(self)
        self.due: list[float] = []

    def sleep(self, seconds: float) -> None:
        until_s = self.monotonic_s() + seconds
        while self.due and self.due[0] <= until_s:
            self.hear()
        super().sleep(until_s - self.monotonic_s())

    def hear(self) -> None:
        """Wait for the next answer."""
        super().sleep(heapq.heappop(self.due) - self.monotonic_s())
        self.limiter.answered(CANDLES, "")


@pytest.mark.parametrize("workers", [1, 8, 20, 35])
@pytest.mark.parametrize(("trip_s", "opening_s"), [(0.1, 0.0), (0.1, 0.2), (0.02, 0.3), (0.2, 0.35)])
def test_a_strict_server_never_sees_too_many_though_the_first_arrive_late(
    workers: int, trip_s: float, opening_s: float
) -> None:
    clock, arrivals = Trips(), []
    for number in range(REQUESTS):
        while len(clock.due) >= workers:
            clock.hear()
        clock.limiter.acquire(CANDLES, "")
        way_s = trip_s / 2 + (opening_s if number < workers else 0.0)
        arrivals.append(clock.monotonic_s() + way_s)
        heapq.heappush(clock.due, clock.monotonic_s() + way_s + trip_s / 2)
    assert fullest_second(arrivals) <= 20


@pytest.mark.parametrize("workers", [1, 8, 20, 35])
@pytest.mark.parametrize("trip_s", [0.02, 0.1, 0.25])
@pytest.mark.parametrize("held_up", ["on the way there", "on the way back", "anywhere"])
def test_a_strict_server_never_sees_too_many_however_requests_are_held_up(
    workers: int, trip_s: float, held_up: str
) -> None:
    for seed in range(5):
        rng = random.Random(seed)  # noqa: S311
        clock, arrivals = Trips(), []
        for number in range(REQUESTS):
            while len(clock.due) >= workers:
                clock.hear()
            clock.limiter.acquire(CANDLES, "")
            delay_s = 0.0 if number == workers else rng.choice((0.0, 0.01, rng.uniform(0, 0.3)))  # one is not held up
            there_s = {"on the way there": 1.0, "on the way back": 0.0}.get(held_up, rng.random()) * delay_s
            arrivals.append(clock.monotonic_s() + trip_s / 2 + there_s)
            heapq.heappush(clock.due, clock.monotonic_s() + trip_s + delay_s)
        assert fullest_second(arrivals) <= 20


def test_at_a_steady_hundred_milliseconds_more_than_nineteen_twentieths_of_the_limit_are_used() -> None:
    clock = Trips()
    for _ in range(REQUESTS):
        while len(clock.due) >= 8:
            clock.hear()
        clock.limiter.acquire(CANDLES, "")
        heapq.heappush(clock.due, clock.monotonic_s() + 0.1)
    assert REQUESTS / 20 - 1 <= clock.monotonic_s() <= (REQUESTS / 20) / 0.95


def fullest_second(arrivals: list[float]) -> int:
    arrivals.sort()
    return max(sum(first <= other < first + 1 for other in arrivals) for first in arrivals)
