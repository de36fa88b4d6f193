from __future__ import annotations

import random
import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock
from bgresearch.http.ratelimit.limiter import ADDRESS_COOL_DOWN_S, COOL_DOWN_S, LONGEST_OUT_S, STRETCH, LocalLimiter
from tests.http.conftest import NOW_MS

TABLE = load()
CANDLES = TABLE["spot.candles"]  # 20 per second per address
FILLS = TABLE["spot.fills"]  # 10 per second per address
ASSETS = TABLE["spot.account_assets"]  # 10 per second per user
INFO = TABLE["spot.account_info"]  # 1 per second per user


class StrictServer:
    """Counts arrivals in a strict sliding second, as the exchange may."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count, self.seconds = count, seconds
        self.arrivals: deque[float] = deque()

    def admits(self, now_s: float) -> bool:
        while self.arrivals and self.arrivals[0] <= now_s - self.seconds:
            self.arrivals.popleft()
        if len(self.arrivals) >= self.count:
            return False
        self.arrivals.append(now_s)
        return True


def departures(limiter: LocalLimiter, clock: ManualClock, endpoint, number: int, identity: str = "") -> list[float]:
    left = []
    for _ in range(number):
        slot = limiter.acquire(endpoint, identity)
        left.append(clock.monotonic_s())
        limiter.answered(slot)
    return left


@pytest.mark.parametrize("endpoint", [CANDLES, FILLS, ASSETS, INFO, TABLE["uta.account_assets"]], ids=lambda e: e.id)
def test_a_strict_server_with_jitter_never_refuses_and_nine_tenths_of_the_limit_are_used(endpoint):
    clock = ManualClock(NOW_MS)
    left = departures(LocalLimiter(clock), clock, endpoint, 50 * endpoint.limit.count, "me")
    for seed in range(5):
        rng = random.Random(seed)  # noqa: S311
        jitter_s = (STRETCH - 1) * endpoint.limit.seconds
        server = StrictServer(endpoint.limit.count, endpoint.limit.seconds)
        arrivals = sorted(moment + 0.040 + rng.uniform(0, jitter_s) for moment in left)
        assert all(server.admits(moment) for moment in arrivals)
    used = len(left) / (left[-1] - left[0]) / (endpoint.limit.count / endpoint.limit.seconds)
    assert used >= 0.90


@given(st.lists(st.floats(0, 3), max_size=60))
def test_whatever_the_rhythm_the_window_holds(pauses):
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    server = StrictServer(FILLS.limit.count, FILLS.limit.seconds)
    for pause in pauses:
        clock.advance(pause)
        slot = limiter.acquire(FILLS, "")
        assert server.admits(clock.monotonic_s())
        limiter.answered(slot)


def test_a_first_burst_does_not_wait():
    clock = ManualClock(NOW_MS)
    assert departures(LocalLimiter(clock), clock, CANDLES, 20)[-1] == 0


def test_endpoints_count_each_alone():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    departures(limiter, clock, CANDLES, 20)
    departures(limiter, clock, FILLS, 10)
    assert clock.monotonic_s() == 0


def test_user_limits_count_by_user_and_address_limits_by_address():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    departures(limiter, clock, ASSETS, 10, "one")
    departures(limiter, clock, ASSETS, 10, "two")
    assert clock.monotonic_s() == 0
    departures(limiter, clock, CANDLES, 20, "one")
    limiter.acquire(CANDLES, "two")
    assert clock.monotonic_s() > 1


def test_nine_tenths_of_the_address_budget_are_used_and_no_more():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    busy = [row for row in TABLE if row.limit.count == 20 and row.limit.scope == "ip"][:8]
    left: list[float] = []
    while clock.monotonic_s() < 130:
        for endpoint in busy:
            left += departures(limiter, clock, endpoint, 1)
    for start in range(70):
        within = sum(start <= moment < start + 60 for moment in left)
        assert within <= 5400
    assert sum(moment < 60 for moment in left) == 5400


def test_after_a_429_the_endpoint_rests_for_all_and_others_do_not():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    until_ms = limiter.rejected(CANDLES, "", address_wide=False)
    assert until_ms == NOW_MS + COOL_DOWN_S * 1000
    limiter.acquire(FILLS, "")
    assert clock.monotonic_s() == 0
    limiter.acquire(CANDLES, "someone else")
    assert clock.monotonic_s() >= COOL_DOWN_S


def test_after_an_address_wide_429_everything_rests_for_five_minutes():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    until_ms = limiter.rejected(CANDLES, "", address_wide=True)
    assert until_ms == NOW_MS + 300_000
    limiter.acquire(ASSETS, "me")
    assert clock.monotonic_s() >= ADDRESS_COOL_DOWN_S
    assert clock.now_ms() >= until_ms


def test_a_later_shorter_rest_does_not_shorten_an_earlier_one():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    first = limiter.rejected(CANDLES, "", address_wide=False)
    clock.advance(0.5)
    assert limiter.rejected(CANDLES, "", address_wide=False) >= first


def test_a_rest_of_one_user_is_not_another_s():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    limiter.rejected(ASSETS, "one", address_wide=False)
    limiter.acquire(ASSETS, "two")
    assert clock.monotonic_s() == 0


def test_a_correction_of_the_system_clock_changes_nothing():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    departures(limiter, clock, CANDLES, 20)
    clock.jump(-3_600_000)
    limiter.acquire(CANDLES, "")
    assert 1 < clock.monotonic_s() < 1.2


def test_the_exchange_s_count_is_believed_where_it_is_higher():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    limiter.acquire(CANDLES, "")
    limiter.observed(CANDLES, "", 2)  # someone else made 17 calls
    departures(limiter, clock, CANDLES, 2)
    assert clock.monotonic_s() == 0
    limiter.acquire(CANDLES, "")
    assert clock.monotonic_s() >= 1


def test_our_own_count_coming_back_costs_nothing():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    server = StrictServer(20, 1.0)
    for _ in range(400):
        slot = limiter.acquire(CANDLES, "")
        assert server.admits(clock.monotonic_s())
        limiter.answered(slot)
        limiter.observed(CANDLES, "", 20 - len(server.arrivals))
    assert 400 / clock.monotonic_s() >= 18


@pytest.mark.parametrize("remaining", [-1, 21, 10**9])
def test_a_count_that_cannot_be_is_ignored(remaining):
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    limiter.observed(CANDLES, "", remaining)
    departures(limiter, clock, CANDLES, 20)
    assert clock.monotonic_s() == 0


def test_a_request_that_was_held_up_counts_from_when_it_arrived():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    server = StrictServer(20, 1.0)
    slot = limiter.acquire(CANDLES, "")
    clock.advance(0.02)
    assert server.admits(clock.monotonic_s())
    limiter.answered(slot)
    clock.advance(5)
    for _ in range(10):
        slots = [limiter.acquire(CANDLES, "") for _ in range(20)]
        clock.advance(0.4)  # a busy machine: all twenty leave late
        for slot in slots:
            assert server.admits(clock.monotonic_s())
            limiter.answered(slot)
    assert clock.monotonic_s() < 5.1 + 10 * 1.45


def test_a_request_that_is_still_on_its_way_is_waited_for_but_not_for_ever():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    for _ in range(20):
        limiter.acquire(CANDLES, "")
    limiter.acquire(CANDLES, "")
    assert LONGEST_OUT_S + 1 < clock.monotonic_s() < LONGEST_OUT_S + 2


def test_threads_share_one_window():
    clock = ManualClock(NOW_MS)
    limiter = LocalLimiter(clock)
    left: list[float] = []
    lock = threading.Lock()

    def work() -> None:
        for _ in range(25):
            slot = limiter.acquire(CANDLES, "")
            with lock:
                left.append(clock.monotonic_s())
            limiter.answered(slot)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(left) == 200
    assert clock.monotonic_s() >= 9 * STRETCH * 0.999
