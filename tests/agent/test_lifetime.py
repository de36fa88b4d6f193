"""When the agent locks, and how long a wrong password waits; the clock is moved by hand."""

from __future__ import annotations

from bgresearch.agent.account_limiter import ByAccount
from bgresearch.agent.lifetime import BackOff, Lifetime, suspended_s
from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock, SystemClock
from bgresearch.http.ratelimit.limiter import LocalLimiter

MINUTE_S, HOUR_S = 60.0, 3600.0


def test_it_locks_after_15_minutes_without_a_request() -> None:
    clock = ManualClock(0)
    life = Lifetime(clock, slept_s=lambda: 0.0)
    clock.advance(14.9 * MINUTE_S)
    assert life.over() == ""
    life.used()
    clock.advance(14.9 * MINUTE_S)
    assert life.over() == ""
    clock.advance(0.1 * MINUTE_S)
    assert life.over() == "it was idle"


def test_it_locks_after_12_hours_however_busy() -> None:
    clock = ManualClock(0)
    life = Lifetime(clock, slept_s=lambda: 0.0)
    for _ in range(12 * 6):
        assert life.over() == ""
        clock.advance(10 * MINUTE_S)
        life.used()
    assert life.over() == "its maximum lifetime was over"
    assert (life.uptime_s, life.left_s) == (12 * HOUR_S, 0.0)


def test_nobody_can_ask_for_more_time() -> None:
    life = Lifetime(ManualClock(0), idle_s=1e9, longest_s=1e9, slept_s=lambda: 0.0)
    assert life.left_s == 15 * MINUTE_S


def test_it_locks_when_the_machine_has_slept_since_its_start() -> None:
    slept = [1000.0]
    life = Lifetime(ManualClock(0), slept_s=lambda: slept[0])
    slept[0] += 1.9
    assert life.over() == "", "clocks are not read at the very same moment"
    slept[0] += 0.2
    assert life.over() == "the machine slept"


def test_the_wall_clock_does_not_matter() -> None:
    clock = ManualClock(0)
    life = Lifetime(clock, slept_s=lambda: 0.0)
    clock.jump(10**9)
    assert (life.over(), life.left_s) == ("", 15 * MINUTE_S)


def test_a_machine_that_is_awake_does_not_sleep() -> None:
    before = suspended_s()
    assert abs(suspended_s() - before) < 1.0
    assert Lifetime(SystemClock()).over() == ""


def test_every_wrong_password_waits_longer_up_to_ten_seconds() -> None:
    clock = ManualClock(0)
    back_off = BackOff(clock)
    waits = []
    for _ in range(8):
        assert back_off.begin() == 0
        back_off.end(wrong=True)
        waits.append(back_off.begin())
        clock.advance(waits[-1])
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert back_off.begin() == 0
    back_off.end(wrong=False)
    assert back_off.begin() == 0


def test_one_password_is_tried_at_a_time() -> None:
    back_off = BackOff(ManualClock(0))
    assert back_off.begin() == 0
    assert back_off.begin() > 0
    back_off.end(wrong=False)
    assert back_off.begin() == 0


def test_two_keys_of_one_account_share_its_limit() -> None:
    clock = ManualClock(0)
    row = load()["spot.account_info"]
    limiter = ByAccount(LocalLimiter(clock))
    for label in ("one", "two"):
        limiter.acquire(row, label)
    assert clock.monotonic_s() == 0, "nobody knows yet that they are of one account"
    for label in ("one", "two"):
        limiter.learn(row, label, {"userId": "123"})
    limiter.learn(row, "other", {"userId": "456"})
    for label in ("one", "other"):
        limiter.acquire(row, label)
    assert clock.monotonic_s() == 0
    limiter.acquire(row, "two")
    assert clock.monotonic_s() > 1
    assert limiter.count() == 5


def test_a_slot_is_given_back_where_it_was_taken_though_the_account_became_known_meanwhile() -> None:
    clock, row = ManualClock(0), load()["spot.account_info"]
    shared = LocalLimiter(clock)
    limiter = ByAccount(shared)
    slot = limiter.acquire(row, "one")
    limiter.learn(row, "one", {"userId": "123"})
    limiter.answered(slot)
    clock.advance(2)
    ByAccount(shared).acquire(row, "one")
    assert clock.monotonic_s() == 2
