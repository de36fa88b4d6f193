"""The file that all processes count in: who may touch it, and what becomes of it when something goes wrong."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.http.ratelimit.fallback import LOOK_AGAIN_S, FallbackLogStore, StoreUnusable
from bgresearch.http.ratelimit.limiter import ADDRESS, Log, LogLimiter, MemoryLogStore
from bgresearch.http.ratelimit.sqlite_file import default_folder
from bgresearch.http.ratelimit.sqlite_log import FORGET_S, SqliteLogStore
from tests.http.conftest import NOW_MS
from tests.limits.conftest import CANDLES, FILLS, HOST


@pytest.fixture
def clock() -> ManualClock:
    clock = ManualClock(NOW_MS)
    clock.advance(1000)
    return clock


@pytest.fixture
def book(folder: Path, clock: ManualClock) -> SqliteLogStore:
    return SqliteLogStore(folder, HOST, clock)


def waited(book: SqliteLogStore | FallbackLogStore, clock: ManualClock) -> float:
    """How long a request of a row that nobody asked before has to wait."""
    before = clock.monotonic_s()
    LogLimiter(clock, book).acquire(FILLS, "")
    return clock.monotonic_s() - before


def sent(book: SqliteLogStore, name: str = ADDRESS) -> int:
    return book.change((name,), lambda _now_s, logs: len(logs[0]))


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.lstat().st_mode) for path in folder.iterdir()}


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o277])
def test_folder_and_file_are_for_the_user_alone(
    folder: Path, book: SqliteLogStore, clock: ManualClock, mask: int
) -> None:
    before = os.umask(mask)
    try:
        waited(book, clock)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)] == [0o700, 0o700]
    assert modes(folder) == {0o600}


def test_a_folder_and_a_file_that_others_could_read_are_closed_to_them(folder: Path, clock: ManualClock) -> None:
    waited(SqliteLogStore(folder, HOST, clock), clock)
    folder.chmod(0o755)
    (folder / "v3-1.sqlite").chmod(0o644)
    waited(SqliteLogStore(folder, HOST, clock), clock)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes(folder) == {0o600}


def test_the_folder_is_chosen_by_the_environment_and_is_the_machine_s_own(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BGRESEARCH_STATE_DIR", str(tmp_path))
    monkeypatch.setattr("platform.node", lambda: "a/../b.example")
    assert default_folder() == tmp_path / "budget-a____b_example"
    monkeypatch.delenv("BGRESEARCH_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert default_folder().name == "budget-a____b_example"
    assert default_folder() != tmp_path / default_folder().name


def scrap(path: Path) -> None:
    path.write_bytes(b"this was a budget once" * 500)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def turn_a_bit(path: Path) -> None:
    """In the middle of what was written last."""
    data = bytearray(path.read_bytes())
    place = max(place for place, byte in enumerate(data) if byte)
    data[place - 3] ^= 16
    path.write_bytes(data)


def another_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()


def another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE log (something TEXT)")
    connection.close()


def another_shape(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE log")
    connection.close()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


NOTICED_LATER = [cut, turn_a_bit, another_version]  # anyone who has the file open still knows what was there
NOTICED_AT_ONCE = [scrap, empty, another_program, another_shape, a_folder, a_link_to_nowhere]


@pytest.mark.parametrize(
    ("damage", "already_open"),
    [(damage, False) for damage in NOTICED_LATER + NOTICED_AT_ONCE] + [(damage, True) for damage in NOTICED_AT_ONCE],
)
def test_a_damaged_file_is_left_as_it_is_and_the_next_one_begins_with_a_full_window(
    damage: Callable[[Path], None], already_open: bool, folder: Path, clock: ManualClock, caplog
) -> None:
    book = SqliteLogStore(folder, HOST, clock)
    for _ in range(5):
        LogLimiter(clock, book).acquire(CANDLES, "")
    if not already_open:
        book.close()
    damage(folder / "v3-1.sqlite")
    left = (folder / "v3-1.sqlite").lstat()
    with caplog.at_level(logging.WARNING, "bgresearch"):
        assert waited(book, clock) == pytest.approx(60)
    assert waited(SqliteLogStore(folder, "https://another.example", clock), clock) == 0, "the rest is over for all"
    assert (folder / "v3-2.sqlite").exists()
    assert ((folder / "v3-1.sqlite").lstat().st_ino, (folder / "v3-1.sqlite").lstat().st_size) == (
        left.st_ino,
        left.st_size,
    )
    assert sum("is damaged" in message for message in caplog.messages) == 1


def test_the_rest_after_a_damaged_file_is_for_every_host_and_every_process(folder: Path, clock: ManualClock) -> None:
    waited(SqliteLogStore(folder, HOST, clock), clock)
    scrap(folder / "v3-1.sqlite")
    book = SqliteLogStore(folder, HOST, clock)
    assert sent(book) == 0
    clock.advance(10)
    assert waited(SqliteLogStore(folder, "https://another.example", clock), clock) == pytest.approx(50)
    assert waited(book, clock) == 0


def test_two_versions_at_once_count_in_a_file_each_and_do_not_stop_each_other(folder: Path, clock: ManualClock) -> None:
    folder.mkdir(mode=0o700, parents=True)
    (folder / "1.sqlite").write_bytes(b"of a version that had no number in the name")
    books = [SqliteLogStore(folder, HOST, clock, version=version) for version in (2, 3, 4)]
    for _ in range(5):
        for book in books:
            book.close()
            assert waited(book, clock) == 0
    assert [sent(book) for book in books] == [5, 5, 5]
    found = {path.name for path in folder.glob("*.sqlite")}
    assert found == {"1.sqlite", "v2-1.sqlite", "v3-1.sqlite", "v4-1.sqlite"}


def test_only_the_last_damaged_file_is_kept(folder: Path, clock: ManualClock) -> None:
    for number in range(1, 6):
        sent(SqliteLogStore(folder, HOST, clock))
        scrap(folder / f"v3-{number}.sqlite")
    sent(SqliteLogStore(folder, HOST, clock))
    assert {path.name for path in folder.glob("*.sqlite")} == {"v3-5.sqlite", "v3-6.sqlite"}


def test_a_file_that_vanishes_is_made_again_and_all_meet_in_it(folder: Path, clock: ManualClock) -> None:
    books = [SqliteLogStore(folder, HOST, clock) for _ in range(3)]
    for book in books:
        waited(book, clock)
    (folder / "v3-1.sqlite").unlink()
    for book in [books[0], SqliteLogStore(folder, HOST, clock)]:
        waited(book, clock)
    assert [sent(book) for book in books] == [2, 2, 2]


@pytest.mark.parametrize("damage", [scrap, turn_a_bit])
def test_whoever_has_the_damaged_file_open_follows_the_others(
    damage: Callable[[Path], None], folder: Path, clock: ManualClock
) -> None:
    first, second = SqliteLogStore(folder, HOST, clock), SqliteLogStore(folder, HOST, clock)
    waited(first, clock)
    damage(folder / "v3-1.sqlite")
    waited(second, clock)
    waited(first, clock)
    assert sent(first) == sent(second) == 2


def test_a_folder_that_cannot_be_made_is_said_once_and_the_process_counts_alone(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("no folder")
    book = FallbackLogStore(
        SqliteLogStore(tmp_path / "home" / "budget", HOST, clock),
        MemoryLogStore(clock),
        clock,
        meanwhile="this one counts alone",
    )
    limiter = LogLimiter(clock, book)
    with caplog.at_level(logging.WARNING, "bgresearch"):
        for _ in range(21):
            limiter.acquire(CANDLES, "")
        assert clock.monotonic_s() > 1001
        clock.advance(2 * LOOK_AGAIN_S)
        limiter.acquire(CANDLES, "")
    assert len(caplog.messages) == 1
    assert "BGRESEARCH_STATE_DIR" in caplog.messages[0]
    assert "this one counts alone" in caplog.messages[0]


def test_a_read_only_home_is_counted_in_alone(tmp_path: Path, clock: ManualClock) -> None:
    home = tmp_path / "home"
    folder = home / "budget"
    home.mkdir(mode=0o555)
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:  # root may write everywhere, so become somebody else
            os.setuid(65534)
        try:
            waited(SqliteLogStore(folder, HOST, clock), clock)
        except StoreUnusable as unusable:
            book = FallbackLogStore(SqliteLogStore(folder, HOST, clock), MemoryLogStore(clock), clock, meanwhile="")
            os._exit(0 if "BGRESEARCH_STATE_DIR" in str(unusable) and waited(book, clock) == 0 else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_folder_that_can_be_used_again_is_used_again(tmp_path: Path, clock: ManualClock) -> None:
    home = tmp_path / "home"
    home.write_text("no folder")
    file = SqliteLogStore(home / "budget", HOST, clock)
    book = FallbackLogStore(file, MemoryLogStore(clock), clock, meanwhile="")
    waited(book, clock)
    home.unlink()
    waited(book, clock)
    assert not home.exists(), "not looked at again so soon"
    clock.advance(LOOK_AGAIN_S)
    waited(book, clock)
    assert sent(file) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_s_is_not_used(folder: Path, book: SqliteLogStore) -> None:
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12345)
    with pytest.raises(StoreUnusable, match="belongs to user 12345"):
        sent(book)


def test_a_link_in_place_of_the_folder_is_not_used(folder: Path, book: SqliteLogStore, tmp_path: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path)
    with pytest.raises(StoreUnusable, match="not a folder"):
        sent(book)


def test_a_disk_that_is_full_changes_nothing(folder: Path, book: SqliteLogStore, clock: ManualClock) -> None:
    LogLimiter(clock, book).acquire(CANDLES, "")
    connection = book._connection
    assert connection is not None
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreUnusable, match="full"):
        book.change((ADDRESS,), lambda _now_s, logs: logs[0].counted(5000, 1000.0))
    assert sent(book) == 1


def test_a_ban_outlives_a_new_start_of_the_machine(folder: Path, clock: ManualClock) -> None:
    LogLimiter(clock, SqliteLogStore(folder, HOST, clock)).rejected(CANDLES, "", address_wide=True)
    later = ManualClock(NOW_MS)
    later.advance(30)
    book = SqliteLogStore(folder, HOST, later)
    assert waited(book, later) == pytest.approx(300)
    assert waited(book, later) == 0


def test_a_correction_of_the_system_clock_changes_nothing(folder: Path, clock: ManualClock) -> None:
    LogLimiter(clock, SqliteLogStore(folder, HOST, clock)).rejected(CANDLES, "", address_wide=True)
    clock.advance(100)
    clock.jump(-(10**9))
    assert waited(SqliteLogStore(folder, HOST, clock), clock) == pytest.approx(200)


def test_logs_that_nobody_writes_to_are_forgotten(folder: Path, clock: ManualClock) -> None:
    for port in range(50):
        waited(SqliteLogStore(folder, f"http://127.0.0.1:{40_000 + port}", clock), clock)
    clock.advance(FORGET_S + 1)
    waited(SqliteLogStore(folder, HOST, clock), clock)
    with sqlite3.connect(folder / "v3-1.sqlite") as connection:
        assert connection.execute("SELECT DISTINCT host FROM log").fetchall() == [(HOST,)]
    connection.close()


def test_a_decision_that_fails_changes_nothing(book: SqliteLogStore) -> None:
    def fail(now_s: float, logs: list[Log]) -> None:
        logs[0].left(now_s)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        book.change((ADDRESS,), fail)
    assert sent(book) == 0
