"""Several machines behind one address: the budget on a real Redis server, which the test starts and ends."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgresearch.core.clock import SystemClock
from bgresearch.errors import ConfigurationError
from bgresearch.http.ratelimit import limiter_for
from bgresearch.http.ratelimit import redis_log as redis_book
from bgresearch.http.ratelimit.fallback import FallbackLogStore, StoreUnusable
from bgresearch.http.ratelimit.limiter import ADDRESS, Log, LogLimiter
from bgresearch.http.ratelimit.redis_log import RedisLogStore
from bgresearch.http.ratelimit.sqlite_log import SqliteLogStore
from tests.limits.conftest import ASSETS, CANDLES, FILLS, HOST, PATIENCE_S

redis = pytest.importorskip("redis")
SERVER = shutil.which("redis-server")
needs_server = pytest.mark.skipif(
    SERVER is None and not os.environ.get("CI"), reason="there is no redis-server; apt-get install redis-server"
)


class Noting(SystemClock):
    """Notes what it is asked to wait, and does not wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        raise TimeoutError


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [
        str(SERVER), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
        "--requirepass", "hush", "--dir", str(tmp_path_factory.mktemp("redis")),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdout is not None
        assert any("Ready to accept connections" in line for line in server.stdout)
        threading.Thread(target=server.stdout.read, daemon=True).start()
        yield f"redis://:hush@127.0.0.1:{port}/0"
        server.terminate()
        server.wait(PATIENCE_S)


@pytest.fixture
def empty(url: str) -> Iterator[str]:
    with redis.Redis.from_url(url) as server:
        server.flushall()
        yield url


@pytest.fixture
def book(empty: str) -> Iterator[RedisLogStore]:
    book = RedisLogStore(empty, HOST, SystemClock())
    yield book
    book.close()


def first_wait(book: RedisLogStore, row=FILLS) -> float:
    """How long the next request would wait; 0 if it left."""
    clock = Noting()
    try:
        LogLimiter(clock, book).acquire(row, "")
    except TimeoutError:
        return clock.waits[0]
    return 0.0


def count(_now_s: float, logs: list[Log]) -> None:
    logs[0].left(0.0)


@needs_server
def test_twenty_of_two_machines_together_may_leave_and_the_next_one_waits(empty: str, book: RedisLogStore) -> None:
    other = RedisLogStore(empty, HOST, SystemClock())
    clock = Noting()
    for number in range(20):
        LogLimiter(clock, other if number % 2 else book).acquire(CANDLES, "")
    assert 0 < first_wait(book, CANDLES) <= 1.08
    assert 0 < first_wait(other, CANDLES) <= 1.08
    assert first_wait(other) == 0
    other.close()


@needs_server
def test_a_429_of_one_machine_pauses_the_others(empty: str, book: RedisLogStore) -> None:
    other = RedisLogStore(empty, HOST, SystemClock())
    LogLimiter(SystemClock(), other).rejected(CANDLES, "", address_wide=False)
    assert 0 < first_wait(book, CANDLES) <= 2
    assert first_wait(book) == 0
    LogLimiter(SystemClock(), other).rejected(CANDLES, "", address_wide=True)
    assert 290 < first_wait(book) <= 300
    other.close()


@needs_server
def test_hosts_and_users_are_apart(empty: str, book: RedisLogStore) -> None:
    other = RedisLogStore(empty, "http://127.0.0.1:8080", SystemClock())
    LogLimiter(SystemClock(), other).rejected(CANDLES, "", address_wide=True)
    assert first_wait(book) == 0
    LogLimiter(SystemClock(), book).rejected(ASSETS, "one", address_wide=False)
    clock = Noting()
    LogLimiter(clock, book).acquire(ASSETS, "two")
    other.close()


@needs_server
def test_nothing_is_lost_when_many_decide_at_once(empty: str) -> None:
    def work() -> None:
        mine = RedisLogStore(empty, HOST, SystemClock())
        for _ in range(25):
            mine.change((ADDRESS,), count)
        mine.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book = RedisLogStore(empty, HOST, SystemClock())
    assert book.change((ADDRESS,), lambda _now_s, logs: len(logs[0])) == 200
    book.close()


@needs_server
def test_what_somebody_wrote_meanwhile_is_decided_upon_again(empty: str, book: RedisLogStore) -> None:
    other = RedisLogStore(empty, HOST, SystemClock())
    seen = []

    def decide(now_s: float, logs: list[Log]) -> None:
        seen.append(len(logs[1]))
        if len(seen) < 4:
            other.change((ADDRESS,), count)
        logs[0].left(now_s)
        logs[1].left(now_s)

    book.change(("row", ADDRESS), decide)
    assert seen == [0, 1, 2, 3]
    assert book.change(("row", ADDRESS), lambda _now_s, logs: [len(log) for log in logs]) == [1, 4]
    other.close()


@needs_server
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments=st.lists(st.floats(0, 1e9), max_size=30), trips=st.integers(0, 5), trip_s=st.floats(0, 1))
def test_a_log_comes_back_as_it_was_written(
    book: RedisLogStore, moments: list[float], trips: int, trip_s: float
) -> None:
    def write(now_s: float, logs: list[Log]) -> None:
        logs[0].arrived.clear()
        logs[0].arrived.extend(moments)
        logs[0].out.clear()
        logs[0].trips, logs[0].trip_s = trips, trip_s
        logs[0].paused_until_s = 7.0
        logs[0].left(now_s)

    book.change(("row",), write)
    found = book.change(("row",), lambda _now_s, logs: logs[0])
    assert (list(found.arrived), len(found.out), found.trips, found.trip_s) == (moments, 1, trips, trip_s)


@needs_server
def test_a_damaged_log_rests_for_a_full_window(empty: str, book: RedisLogStore) -> None:
    assert first_wait(book) == 0
    with redis.Redis.from_url(empty) as server:
        keys = server.keys("bgresearch:budget:3:*")
        assert len(keys) == 2
        for key in keys:
            server.set(key, b"something else")
    assert 59 < first_wait(book) <= 60


@needs_server
def test_what_nobody_writes_to_is_forgotten_by_the_server(empty: str, book: RedisLogStore) -> None:
    first_wait(book)
    with redis.Redis.from_url(empty) as server:
        assert all(0 < server.pttl(key) <= redis_book.FORGET_MS for key in server.keys("*"))


@needs_server
def test_a_wrong_password_is_no_secret_told(url: str) -> None:
    book = RedisLogStore(url.replace("hush", "a-wrong-secret"), HOST, SystemClock())
    with pytest.raises(StoreUnusable, match=r"127\.0\.0\.1") as caught:
        book.change((ADDRESS,), count)
    assert "a-wrong-secret" not in f"{caught.value} {caught.value.__cause__!r} {book!r}"


def test_without_the_server_this_machine_counts_by_itself_and_says_so_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SystemClock()
    gone = RedisLogStore(f"redis://:hush@127.0.0.1:{free_port()}", HOST, clock)
    file = SqliteLogStore(folder, HOST, clock)
    limiter = LogLimiter(clock, FallbackLogStore(gone, file, clock, meanwhile="this machine counts alone"))
    with caplog.at_level(logging.WARNING, "bgresearch"):
        limiter.acquire(CANDLES, "")
        limiter.acquire(FILLS, "")
    assert file.change((ADDRESS,), lambda _now_s, logs: len(logs[0])) == 2
    assert len(caplog.messages) == 1
    assert "BGRESEARCH_BUDGET_URL" in caplog.messages[0]
    assert "hush" not in caplog.text
    gone.close()


@needs_server
def test_the_environment_chooses_the_server(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGRESEARCH_BUDGET_URL", empty)
    limiter_for(HOST, SystemClock()).acquire(CANDLES, "")
    with redis.Redis.from_url(empty) as server:
        assert server.exists(f"bgresearch:budget:3:{{{HOST}}} ")


@pytest.mark.parametrize("url", ["http://127.0.0.1", "redis", "memcached://:hush@127.0.0.1", "redis://:hush@h:port"])
def test_an_address_that_cannot_be_is_refused_without_showing_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGRESEARCH_BUDGET_URL", url)
    with pytest.raises(ConfigurationError) as caught:
        limiter_for(HOST, SystemClock())
    assert "hush" not in f"{caught.value} {caught.value.__cause__!r}"
