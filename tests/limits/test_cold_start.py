"""Requests are held up: in the process, on their way, at the exchange. It never sees too many, whatever the load."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.http.ratelimit.limiter import LONGEST_OUT_S, LogLimiter, LogStore, MemoryLogStore, Slot
from bgresearch.http.ratelimit.sqlite_log import SqliteLogStore
from bgresearch.http.transport import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from tests.http.conftest import NOW_MS
from tests.limits.conftest import CANDLES, HOST

REQUESTS = 150
GIVEN_UP_S = CONNECT_TIMEOUT_S + READ_TIMEOUT_S


class Trips(ManualClock):
    """A clock with requests on their way: anyone who waits takes in the answers that come meanwhile."""

    def __init__(self, book: Callable[[ManualClock], LogStore] = MemoryLogStore, processes: int = 1) -> None:
        super().__init__(NOW_MS)
        self.limiters = [LogLimiter(self, book(self)) for _ in range(processes)]
        self.turns = itertools.cycle(self.limiters)
        self.due: list[tuple[float, int, Slot, bool]] = []
        self.arrivals: list[float] = []
        self.numbers = itertools.count()

    def sleep(self, seconds: float) -> None:
        until_s = self.monotonic_s() + seconds
        while self.due and self.due[0][0] <= until_s:
            self.hear()
        super().sleep(until_s - self.monotonic_s())

    def hear(self) -> None:
        """Wait for the next answer, or for the next request to be given up."""
        moment_s, _, slot, heard = heapq.heappop(self.due)
        super().sleep(moment_s - self.monotonic_s())
        self.limiters[0].answered(slot, heard=heard)

    def send(self, there_s: float, back_s: float, *, stall: tuple[float, float] = (0, 0), lost: bool = False) -> None:
        """Send a request; if it is lost it arrives, but its answer does not. The exchange stands still for a span."""
        slot = next(self.turns).acquire(CANDLES, "")
        arrival_s = self.monotonic_s() + there_s
        if stall[0] <= arrival_s < stall[1]:
            arrival_s = stall[1]
        self.arrivals.append(arrival_s)
        answer_s = self.monotonic_s() + GIVEN_UP_S if lost else arrival_s + back_s
        heapq.heappush(self.due, (answer_s, next(self.numbers), slot, not lost))


def at_most(clock: Trips, workers: int) -> None:
    """Wait until fewer than so many requests are on their way."""
    while len(clock.due) >= workers:
        clock.hear()


def fullest_second(arrivals: list[float]) -> int:
    arrivals.sort()
    return max(sum(first <= other < first + 1 for other in arrivals[n : n + 200]) for n, first in enumerate(arrivals))


@pytest.mark.parametrize("workers", [1, 8, 20, 35])
@pytest.mark.parametrize(("trip_s", "opening_s"), [(0.1, 0.0), (0.1, 0.2), (0.02, 0.3), (0.2, 0.35), (0.1, 1.5)])
def test_a_strict_server_never_sees_too_many_though_the_first_arrive_late(
    workers: int, trip_s: float, opening_s: float
) -> None:
    clock = Trips()
    for number in range(REQUESTS):
        at_most(clock, workers)
        clock.send(trip_s / 2 + (opening_s if number < workers else 0.0), trip_s / 2)
    assert fullest_second(clock.arrivals) <= 20


@pytest.mark.parametrize("workers", [1, 8, 20, 35])
@pytest.mark.parametrize("trip_s", [0.02, 0.1, 0.25])
@pytest.mark.parametrize("longest_s", [0.3, 3.0])
@pytest.mark.parametrize("held_up", ["before it is sent or on the way there", "on the way back", "anywhere"])
def test_a_strict_server_never_sees_too_many_however_requests_are_held_up(
    workers: int, trip_s: float, longest_s: float, held_up: str
) -> None:
    for seed in range(3):
        rng = random.Random(seed)  # noqa: S311
        clock = Trips()
        for _ in range(REQUESTS):
            at_most(clock, workers)
            delay_s = rng.choice((0.0, 0.01, rng.uniform(0, longest_s)))
            there = {"before it is sent or on the way there": 1.0, "on the way back": 0.0}.get(held_up, rng.random())
            clock.send(trip_s / 2 + there * delay_s, trip_s / 2 + (1 - there) * delay_s)
        assert fullest_second(clock.arrivals) <= 20


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize("stall_s", [0.4, 0.9, 1.7, 6.0])
def test_a_strict_server_that_stands_still_for_a_while_does_not_find_too_many_afterwards(
    processes: int, stall_s: float, tmp_path: Path
) -> None:
    def book(clock: ManualClock) -> LogStore:
        return SqliteLogStore(tmp_path / "budget", HOST, clock)

    for begin_s in (0.0, 0.5, 1.02, 2.5):
        clock = Trips(book, processes)
        base_s = clock.monotonic_s()
        for _ in range(REQUESTS):
            at_most(clock, 40)
            clock.send(0.05, 0.05, stall=(base_s + begin_s, base_s + begin_s + stall_s))
        assert fullest_second(clock.arrivals) <= 20


def test_requests_without_an_answer_count_until_they_are_given_up() -> None:
    clock, rng = Trips(), random.Random(1)  # noqa: S311
    for _ in range(REQUESTS):
        at_most(clock, 30)
        lost = rng.random() < 0.2
        clock.send(rng.uniform(1, GIVEN_UP_S) if lost else 0.05, 0.05, lost=lost)
    assert fullest_second(clock.arrivals) <= 20


def test_slots_of_a_process_that_was_killed_are_free_again_later_and_those_of_the_others_at_once(
    tmp_path: Path,
) -> None:
    clock = Trips(lambda clock: SqliteLogStore(tmp_path / "budget", HOST, clock), 2)
    for _ in range(15):
        clock.limiters[1].acquire(CANDLES, "")  # and its process is killed
    began_s = clock.monotonic_s()
    for number in range(100):
        clock.send(0.05, 0.05)
        if number < 20:
            assert clock.monotonic_s() - began_s < 5, "five slots are left"
    assert clock.monotonic_s() - began_s < 25
    assert LONGEST_OUT_S > GIVEN_UP_S
    clock.advance(LONGEST_OUT_S)
    began_s = clock.monotonic_s()
    for _ in range(20):
        clock.send(0.05, 0.05)
    assert clock.monotonic_s() == began_s


def test_a_slot_that_was_taken_while_the_process_was_stopped_is_given_back() -> None:
    clock = ManualClock(NOW_MS)

    class Stopped(MemoryLogStore):
        stops = 1

        def change(self, names, decide):
            found = super().change(names, decide)
            if isinstance(found, Slot) and self.stops:
                self.stops = 0
                clock.advance(3600)
            return found

    assert LogLimiter(clock, Stopped(clock)).acquire(CANDLES, "").left_s == 3600


def test_at_a_steady_hundred_milliseconds_nine_tenths_of_the_limit_are_used() -> None:
    clock = Trips()
    for _ in range(REQUESTS):
        at_most(clock, 8)
        clock.send(0.05, 0.05)
    assert REQUESTS / 20 - 1 <= clock.monotonic_s() <= (REQUESTS / 20) / 0.95
    began_s = clock.monotonic_s()
    for _ in range(1000):
        at_most(clock, 8)
        clock.send(0.05, 0.05)
    assert 1000 / 20 / (clock.monotonic_s() - began_s) >= 0.92
