"""Whatever book the logs lie in, the decisions are those of the limiter of one process."""

from __future__ import annotations

import logging
import tempfile
from collections import defaultdict, deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.agent.account_limiter import ByAccount
from bgresearch.core.clock import ManualClock, SystemClock
from bgresearch.http.ratelimit import limiter_for
from bgresearch.http.ratelimit.codec import DamagedLog, decode, encode
from bgresearch.http.ratelimit.limiter import ADDRESS_COUNT, Limiter, LocalLimiter, Log, LogLimiter, Slot
from bgresearch.http.ratelimit.sqlite_log import SqliteLogStore
from tests.http.conftest import NOW_MS
from tests.limits.conftest import ASSETS, CANDLES, FILLS, HOST, TABLE

ROWS = [CANDLES, FILLS, ASSETS]
HAPPENINGS = st.one_of(
    st.tuples(st.just("acquire"), st.sampled_from(ROWS), st.sampled_from(["one", "two"]), st.integers(1, 25)),
    st.tuples(st.just("answered"), st.sampled_from(ROWS), st.sampled_from(["one", "two"]), st.integers(1, 25)),
    st.tuples(st.just("observed"), st.sampled_from(ROWS), st.sampled_from(["one", "two"]), st.integers(-1, 21)),
    st.tuples(st.just("rejected"), st.sampled_from(ROWS), st.just("one"), st.booleans()),
    st.tuples(st.just("advance"), st.none(), st.none(), st.floats(0, 3)),
)


def lived(limiters: list[Limiter], clock: ManualClock, happenings: list) -> list[tuple[float, object]]:
    """Let things happen to the limiters in turn, and tell when each was over."""
    reported: list[tuple[float, object]] = []
    out: defaultdict[tuple[str, str], deque[Slot]] = defaultdict(deque)
    for number, (what, row, who, amount) in enumerate(happenings):
        limiter, said = limiters[number % len(limiters)], None
        if what == "advance":
            clock.advance(amount)
        elif what == "observed":
            limiter.observed(row, who, amount)
        elif what == "rejected":
            said = limiter.rejected(row, who, address_wide=amount)
        elif what == "acquire":
            out[row.id, who].extend(limiter.acquire(row, who) for _ in range(amount))
        else:
            for _ in range(min(amount, len(out[row.id, who]))):
                limiter.answered(out[row.id, who].popleft(), heard=amount % 5 > 0)
        reported.append((clock.monotonic_s(), said))
    return reported


@settings(max_examples=60, deadline=None)
@given(st.lists(HAPPENINGS, max_size=25))
def test_three_processes_with_one_file_decide_as_one_process_does(happenings: list) -> None:
    alone, clock = ManualClock(NOW_MS), ManualClock(NOW_MS)
    with tempfile.TemporaryDirectory() as made:
        shared = [LogLimiter(clock, SqliteLogStore(Path(made) / "budget", HOST, clock)) for _ in range(3)]
        assert lived([*shared], clock, happenings) == lived([LocalLimiter(alone)], alone, happenings)


@pytest.mark.slow
def test_the_address_budget_is_one_for_all_and_is_used_to_nine_tenths(folder: Path) -> None:
    clock = ManualClock(NOW_MS)
    limiters = [LogLimiter(clock, SqliteLogStore(folder, HOST, clock)) for _ in range(2)]
    busy = [row for row in TABLE if row.limit.count == 20 and row.limit.scope == "ip"][:8]
    left = []
    while clock.monotonic_s() < 61:
        for number, row in enumerate(busy):
            limiters[number % 2].answered(limiters[number % 2].acquire(row, ""))
            left.append(clock.monotonic_s())
    assert sum(moment < 60 for moment in left) == ADDRESS_COUNT


def test_hosts_do_not_share(folder: Path) -> None:
    clock = ManualClock(NOW_MS)
    for host in (HOST, "http://127.0.0.1:8080", "http://127.0.0.1:8081"):
        limiter = LogLimiter(clock, SqliteLogStore(folder, host, clock))
        for _ in range(20):
            limiter.acquire(CANDLES, "")
        assert clock.monotonic_s() == 0
    LogLimiter(clock, SqliteLogStore(folder, HOST, clock)).rejected(CANDLES, "", address_wide=True)
    LogLimiter(clock, SqliteLogStore(folder, "http://127.0.0.1:8080", clock)).acquire(FILLS, "")
    assert clock.monotonic_s() == 0


def test_two_keys_of_one_account_share_its_limit_across_processes(folder: Path) -> None:
    clock = ManualClock(NOW_MS)
    one, other = (ByAccount(LogLimiter(clock, SqliteLogStore(folder, HOST, clock))) for _ in range(2))
    one.learn(TABLE["spot.account_info"], "first", {"userId": "123"})
    other.learn(TABLE["spot.account_info"], "second", {"userId": "123"})
    for number in range(10):
        (one if number % 2 else other).acquire(ASSETS, "first" if number % 2 else "second")
    assert clock.monotonic_s() == 0
    other.acquire(ASSETS, "second")
    assert clock.monotonic_s() > 1


def test_one_process_has_one_limiter_for_a_host_and_tests_their_own() -> None:
    clock = SystemClock()
    assert limiter_for(HOST, clock) is limiter_for(HOST, SystemClock())
    assert limiter_for(HOST, clock) is not limiter_for("https://another.example", clock)
    assert type(limiter_for(HOST, ManualClock(NOW_MS))) is LocalLimiter


def test_a_long_wait_is_reported_once_with_its_reason_and_its_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(1_700_000_000_000)
    limiter = LocalLimiter(clock)
    with caplog.at_level(logging.WARNING, "bgresearch"):
        limiter.rejected(CANDLES, "", address_wide=False)
        limiter.acquire(CANDLES, "")
        assert caplog.messages == [], "two seconds are not worth a word"
        limiter.rejected(CANDLES, "", address_wide=True)
        end = "2023-11-14T22:18:22Z"
        limiter.acquire(FILLS, "")
        limiter.acquire(CANDLES, "")
    assert len(caplog.messages) == 1
    assert "refuses this address" in caplog.messages[0]
    assert caplog.messages[0].endswith(f"requests wait until {end}")


@given(st.integers(0, 400), st.integers(0, 7))
def test_a_record_with_one_bit_turned_is_no_record(place: int, bit: int) -> None:
    data = bytearray(encode(Log([1.0, 2.0], [3.0], paused_until_s=9.0, trip_s=0.1), 4.0))
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(DamagedLog):
        decode(bytes(data), 4.0)


@pytest.mark.parametrize("data", [None, 7, "text", b"", b"short", bytes(32)])
def test_what_is_no_record_is_reported(data: object) -> None:
    with pytest.raises(DamagedLog):
        decode(data, 4.0)


def test_a_record_from_before_the_machine_was_started_again_counts_as_written_just_now() -> None:
    data = encode(Log([9_990.0], [9_999.0], paused_until_s=10_200.0, trip_s=0.1), 10_000.0)
    found = decode(data, 50.0)
    assert ([*found.arrived, *found.out], found.paused_until_s, found.changed) == ([40.0, 49.0], 250.0, True)
    same = decode(data, 10_000.5)
    assert ([*same.arrived, *same.out], same.paused_until_s, same.changed) == ([9_990.0, 9_999.0], 10_200.0, False)
