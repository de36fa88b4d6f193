"""Real processes on one file: killed, forked, refused, all at once."""

from __future__ import annotations

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from bgresearch.catalogue import load
from bgresearch.core.clock import SystemClock
from bgresearch.http.ratelimit.limiter import ADDRESS, Log, LogLimiter
from bgresearch.http.ratelimit.sqlite_log import SqliteLogStore
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server
from tests.limits.conftest import CANDLES, HOST, Impatient, begin, ended

KILLS = 100


def departures(book: SqliteLogStore) -> int:
    return book.change((ADDRESS,), lambda _now_s, logs: len(logs[0]))


def count(_now_s: float, logs: list[Log]) -> None:
    """A decision without a limit: one more."""
    logs[0].left(0.0)


def forked(work) -> int:
    """Do something in a forked process, which ends with status 0 if it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


@pytest.mark.slow
def test_four_processes_at_once_are_never_refused_by_a_strict_server(folder: Path) -> None:
    with Server(Exchange()) as server:
        processes = [begin(folder, "ask", server.url, 15) for _ in range(4)]
        said = [ended(process) for process in processes]
        book = SqliteLogStore(folder, server.url, SystemClock())
        assert said == [{"asked": 15, "sent": 15}] * 4, "whatever is refused is sent again"
        assert departures(book) == 60


def test_a_429_in_one_process_pauses_the_others(folder: Path) -> None:
    ended(begin(folder, "rejected", "endpoint"))
    book = SqliteLogStore(folder, HOST, SystemClock())
    names = (CANDLES.id, load()["spot.fills"].id)
    assert [log > 0 for log in book.change(names, lambda _now_s, logs: [log.paused_until_s for log in logs])] == [
        True,
        False,
    ]


@pytest.mark.slow
def test_a_ban_of_the_address_holds_for_processes_that_start_later(folder: Path) -> None:
    clock = Impatient()
    until_ms = ended(begin(folder, "rejected", "address"))
    assert 200_000 < until_ms - clock.now_ms() <= 300_000
    assert 200 < ended(begin(folder, "wait", "spot.fills")) <= 300


@pytest.mark.slow
def test_a_process_killed_in_the_middle_of_a_change_leaves_no_lock_and_no_half_change(folder: Path) -> None:
    book = SqliteLogStore(folder, HOST, SystemClock())
    LogLimiter(SystemClock(), book).rejected(CANDLES, "", address_wide=True)
    reading, writing = os.pipe()

    def hold(_now_s: float, logs: list[Log]) -> None:
        logs[0].left(0.0)
        os.write(writing, b"x")
        signal.pause()

    for number in range(KILLS):
        child = forked(lambda: SqliteLogStore(folder, HOST, SystemClock()).change((ADDRESS,), hold))
        assert os.read(reading, 1) == b"x"
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert departures(book) == number
        book.change((ADDRESS,), count)
    os.close(reading)
    os.close(writing)
    clock = Impatient()
    LogLimiter(clock, SqliteLogStore(folder, HOST, clock)).acquire(CANDLES, "")
    assert 200 < clock.waited_s <= 300, "the ban was lost"
    assert {path.name for path in folder.glob("*.sqlite")} == {"v3-1.sqlite"}


def test_a_process_killed_with_half_of_its_change_in_the_file_has_changed_nothing(folder: Path) -> None:
    book, names = SqliteLogStore(folder, HOST, SystemClock()), tuple("abcdefgh")
    book.change(names, lambda _now_s, logs: [log.counted(2000, 1.0) for log in logs])
    before = (folder / "v3-1.sqlite").read_bytes()
    book.close()
    reading, writing = os.pipe()

    def stop_at_the_end(statement: str) -> None:
        if statement == "COMMIT":
            os.write(writing, b"x")
            signal.pause()

    def work() -> None:
        mine = SqliteLogStore(folder, HOST, SystemClock())
        mine.change((ADDRESS,), lambda _now_s, _logs: None)
        connection = mine._connection
        assert connection is not None
        connection.execute("PRAGMA cache_size=2")  # so that pages are written before the end
        connection.set_trace_callback(stop_at_the_end)
        mine.change(names, lambda _now_s, logs: [log.counted(3000, 2.0) for log in logs])

    child = forked(work)
    assert os.read(reading, 1) == b"x"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)
    assert (folder / "v3-1.sqlite").read_bytes()[: len(before)] != before, "nothing was half done"
    assert book.change(names, lambda _now_s, logs: [len(log) for log in logs]) == [2000] * 8
    assert {path.name for path in folder.glob("*.sqlite")} == {"v3-1.sqlite"}


@pytest.mark.slow
def test_a_process_killed_at_any_moment_loses_nothing_that_it_was_reported_is_counted(folder: Path) -> None:
    book = SqliteLogStore(folder, HOST, SystemClock())
    rng = random.Random(7)  # noqa: S311
    counted = 4000  # many pages of the file, so that a change takes its time
    book.change((ADDRESS,), lambda now_s, logs: logs[0].counted(counted, now_s))
    for _ in range(KILLS):
        reading, writing = os.pipe()

        def work(writing: int = writing) -> None:
            mine = SqliteLogStore(folder, HOST, SystemClock())
            while True:
                mine.change((ADDRESS,), count)
                os.write(writing, b"x")

        child = forked(work)
        os.close(writing)
        reported = 0
        for _ in range(rng.randrange(1, 6)):
            reported += len(os.read(reading, 1))
        for _ in range(rng.randrange(3000)):
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while more := os.read(reading, 4096):
            reported += len(more)
        os.close(reading)
        now = departures(book)
        assert counted + reported <= now <= counted + reported + 1
        counted = now
    assert {path.name for path in folder.glob("*.sqlite")} == {"v3-1.sqlite"}


def test_a_fork_goes_on_counting_in_the_same_file(folder: Path) -> None:
    book = SqliteLogStore(folder, HOST, SystemClock())
    book.change((ADDRESS,), count)
    children = [forked(lambda: [book.change((ADDRESS,), count) for _ in range(50)]) for _ in range(4)]
    for _ in range(50):
        book.change((ADDRESS,), count)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert departures(book) == 251


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_other_threads_count_does_not_hang(folder: Path) -> None:
    book = SqliteLogStore(folder, HOST, SystemClock())
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            book.change((ADDRESS,), lambda _now_s, _logs: None)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    children = [forked(lambda: book.change((ADDRESS,), count)) for _ in range(20)]
    ends = [os.waitpid(child, 0)[1] for child in children]
    over.set()
    for thread in threads:
        thread.join()
    assert ends == [0] * 20
    assert departures(book) == 20


def test_threads_and_processes_lose_no_count(folder: Path) -> None:
    book = SqliteLogStore(folder, HOST, SystemClock())

    def work() -> None:
        threads = [threading.Thread(target=lambda: [book.change((ADDRESS,), count) for _ in range(25)]) for _ in "1234"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    children = [forked(work) for _ in range(4)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert departures(book) == 400
