"""What keeps a file from being read now is no damage: an error says so, and nothing is renamed."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from bgresearch.core.spans import Span
from bgresearch.errors import StoreError
from bgresearch.store import Series, Store, pins
from bgresearch.store.atomic_files import Disk
from tests.conftest import PATIENCE_S
from tests.store.conftest import JAN_MS, MINUTE_MS, candles

DAY_MS = 1440 * MINUTE_MS
MONTHS = Span(JAN_MS, JAN_MS + 120 * DAY_MS)
CHILD = """
import os, resource, sys
from bgresearch.errors import StoreError
from bgresearch.core.spans import Span
from bgresearch.store import Series, Store

folder, kind, amount, start, end = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
keys = (("market", "spot"), ("price", "last"), ("symbol", "BTCUSDT"), ("interval", "1m"))
series, span = Series("candles", keys, "open_time"), Span(start, end)
store = Store(folder)
if kind == "memory":
    used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + amount * 1024,) * 2)
elif kind == "files":
    resource.setrlimit(resource.RLIMIT_NOFILE, (amount, amount))
elif kind == "threads":
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    resource.setrlimit(resource.RLIMIT_NPROC, (amount, amount))
try:
    print("rows", store.read(series, span).num_rows)
except StoreError as error:
    print(error)
"""


@pytest.mark.quick_cases(2)
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize(
    ("kind", "amount"), [("memory", 0), ("memory", 4000), ("memory", 20000), ("files", 3), ("files", 5), ("threads", 1)]
)
def test_too_little_of_something_is_no_damage(tmp_path: Path, series: Series, kind: str, amount: int) -> None:
    folder = tmp_path / "data"
    Store(folder).write(series, candles(MONTHS), [MONTHS])
    for part in (folder, *folder.parents, *folder.rglob("*")):  # of another user, where the test is run by root
        if Path(tempfile.gettempdir()) in part.parents:
            part.chmod(0o755 if part.is_dir() else 0o644)
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    command = [sys.executable, "-c", CHILD, str(folder), kind, str(amount), *map(str, MONTHS)]
    few = {**os.environ, "MALLOC_ARENA_MAX": "2"}  # more arenas of the C library leave nothing for a thread to start
    ran = subprocess.run(command, env=few, capture_output=True, text=True, check=False, timeout=PATIENCE_S)  # noqa: S603
    refused = "cannot be read now" in ran.stdout or "cannot read" in ran.stdout
    # in a thread of Arrow or of the C library, where nothing can be caught
    crashed = ran.returncode < 0 and ("bad_alloc" in ran.stderr or "thread-local data" in ran.stderr)
    assert refused or crashed or "rows 172800" in ran.stdout, ran.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet*")} == before


def test_a_folder_in_the_place_of_a_file_is_no_damage(tmp_path: Path, series: Series, store: Store) -> None:
    store.write(series, candles(MONTHS), [MONTHS])
    path = next(store.data_dir.rglob("*.parquet"))
    kept = path.rename(tmp_path / "elsewhere")
    path.mkdir()
    flaws = store.inspected(path.relative_to(store.data_dir))
    assert [flaw.kind for flaw in flaws] == ["unreadable"]
    path.rmdir()
    kept.rename(path)
    assert store.inspected(path.relative_to(store.data_dir)) == ()


class Failing(Disk):
    """A disk that answers with an error, at opening or at the first byte that is read."""

    number, at = 0, ""

    def open(self, path: Path) -> BinaryIO:
        if self.number and self.at == "opening":
            raise OSError(self.number, os.strerror(self.number), str(path))
        if not self.number:
            return super().open(path)
        file = Broken(path)
        file.number = self.number
        return io.BufferedReader(file)


class Broken(io.FileIO):
    """A file of which nothing can be read."""

    number = 0

    def readinto(self, _buffer: object, /) -> int:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.quick_cases(7)
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ENOMEM, errno.ESTALE])
@pytest.mark.parametrize("at", ["opening", "reading"])
def test_an_error_of_the_system_is_no_damage(tmp_path: Path, series: Series, at: str, number: int) -> None:
    disk = Failing(tmp_path)
    store = Store(tmp_path, disk=disk)
    rows = candles(MONTHS)
    store.write(series, rows, [MONTHS])
    disk.number, disk.at = number, at
    fresh = Store(tmp_path, disk=disk)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    asks: dict[str, Callable[[], object]] = {
        "read": lambda: fresh.read(series, MONTHS), "missing": lambda: fresh.missing(series, MONTHS),
        "latest": lambda: fresh.latest(series), "count": lambda: fresh.count(series),
        "check": lambda: fresh.check(sorted(before)), "set_damaged_aside": lambda: fresh.set_damaged_aside(series),
        "forget": lambda: fresh.forget(series, MONTHS), "write": lambda: fresh.write(series, rows, [MONTHS]),
    }  # fmt: skip
    for name, ask in asks.items():
        with pytest.raises(StoreError) as caught:
            ask()
        assert os.strerror(number) in str(caught.value), name
    disk.number = 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet*")} == before
    kept = fresh.read(series, MONTHS)
    assert kept is not None
    assert kept.num_rows == rows.num_rows


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes in folders")
def test_a_pipe_in_the_place_of_a_file_is_an_error_at_once(tmp_path: Path, series: Series, store: Store) -> None:
    store.write(series, candles(MONTHS), [MONTHS])
    path = next(store.data_dir.rglob("*.parquet"))
    path.rename(tmp_path / "elsewhere")
    os.mkfifo(path)
    fresh = Store(store.data_dir)
    below = path.relative_to(store.data_dir)
    asks = (lambda: fresh.read(series, MONTHS), lambda: fresh.missing(series, MONTHS), lambda: fresh.check([path]))
    for ask in asks:
        with pytest.raises(StoreError, match=r"cannot be read now.*no file is in its place"):
            ask()
    assert [flaw.kind for flaw in fresh.inspected(below)] == ["unreadable"]
    with pytest.raises(StoreError, match="cannot be read now"):
        pins.create(store.data_dir, "frozen", 1)
    assert path.is_fifo()


FORBIDDEN = """
import os, sys
from pathlib import Path
from bgresearch.errors import StoreError
from bgresearch.core.spans import Span
from bgresearch.store import Series, Store, pins
from bgresearch.store.integrity import files_of
from bgresearch.store.lost_rows import lost_below
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.query.datasets import Family

folder, start, end = sys.argv[1], *map(int, sys.argv[2:])
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
keys = (("market", "spot"), ("price", "last"), ("symbol", "BTCUSDT"), ("interval", "1m"))
series, span, root = Series("candles", keys, "open_time"), Span(start, end), Path(folder)
store = Store(folder)
names = tuple(name for name, _value in keys)
family = Family("candles", "candles", names, CANDLE_SCHEMA, "open_time", price="last")
asks = [
    lambda: store.read(series, span), lambda: store.missing(series, span), lambda: store.lost(series, span),
    lambda: store.symbols("spot"), lambda: files_of(root), lambda: lost_below(root), lambda: family.files(root),
    lambda: pins.create(root, "frozen", 1), lambda: store.files(),
]
for number, ask in enumerate(asks):
    try:
        print(number, "gave", ask())
    except StoreError as error:
        print(number, "refused", error)
"""


@pytest.mark.quick_cases(1)
@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX's")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_may_not_be_read_is_neither_damaged_nor_absent(tmp_path: Path, series: Series, what: str) -> None:
    folder = tmp_path / "data"
    Store(folder).write(series, candles(MONTHS), [MONTHS])
    for part in (folder, *folder.parents, *folder.rglob("*")):
        if Path(tempfile.gettempdir()) in part.parents:
            part.chmod(0o755 if part.is_dir() else 0o644)
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    target = next(iter(before)) if what == "file" else next(iter(before)).parent
    target.chmod(0)
    try:
        command = [sys.executable, "-c", FORBIDDEN, str(folder), *map(str, MONTHS)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)  # noqa: S603
    finally:
        target.chmod(0o755)
    said = ran.stdout.splitlines()
    assert ran.returncode == 0, ran.stderr
    assert len(said) == 9
    listing = {"4", "5", "6", "8", "3", "2"}  # which look at names alone
    for line in said:
        number, how, _ = line.split(" ", 2)
        assert how == "refused" or number == "3" or (what == "file" and number in listing), line
    assert {path: path.read_bytes() for path in folder.rglob("*.parquet*")} == before


LISTING = """
import os, resource, sys
from pathlib import Path
from bgresearch.errors import StoreError
from bgresearch.store.atomic_files import matching, names_in, walked

root = Path(sys.argv[1])
held = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for ask in (lambda: names_in(root), lambda: matching(root, "candles/*/*"), lambda: list(walked(root))):
    try:
        print("gave", ask())
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of open files are POSIX's")
def test_a_folder_that_cannot_be_listed_for_want_of_files_is_no_empty_one(tmp_path: Path, series: Series) -> None:
    Store(tmp_path).write(series, candles(MONTHS), [MONTHS])
    command = [sys.executable, "-c", LISTING, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)  # noqa: S603
    said = ran.stdout.splitlines()
    assert len(said) == 3
    assert all("cannot be read now: Too many open files" in line and "ulimit -n" in line for line in said), said
