"""What keeps a file from being read now is no damage: an error says so, and nothing is renamed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bgresearch.spans import Span
from bgresearch.store import Series, Store
from tests.store.conftest import JAN_MS, MINUTE_MS, candles

DAY_MS = 1440 * MINUTE_MS
MONTHS = Span(JAN_MS, JAN_MS + 120 * DAY_MS)
CHILD = """
import os, resource, sys
from bgresearch.errors import StoreError
from bgresearch.spans import Span
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


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize(
    ("kind", "amount"), [("memory", 0), ("memory", 4000), ("memory", 20000), ("files", 3), ("files", 5), ("threads", 1)]
)
def test_too_little_of_something_is_no_damage(tmp_path: Path, series: Series, kind: str, amount: int) -> None:
    folder = tmp_path / "data"
    Store(folder).write(series, candles(MONTHS), [MONTHS])
    for part in (folder, *folder.parents, *folder.rglob("*")):  # of another user, where the test is run by root
        if part.is_relative_to(tmp_path.parent.parent):
            part.chmod(0o755 if part.is_dir() else 0o644)
    before = {path: path.read_bytes() for path in folder.rglob("*.parquet")}
    command = [sys.executable, "-c", CHILD, str(folder), kind, str(amount), *map(str, MONTHS)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
    refused = "cannot be read now" in ran.stdout or "cannot read" in ran.stdout
    crashed = ran.returncode < 0 and "bad_alloc" in ran.stderr  # in a thread of Arrow, where nothing can be caught
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
