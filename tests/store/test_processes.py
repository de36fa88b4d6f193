"""Real processes: killed while writing, writing the same partition at once, running into limits of the system."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pyarrow as pa
import pytest

from bgresearch.core.spans import Span
from bgresearch.store import Series, Store
from bgresearch.store.parquet_file import decode
from tests.conftest import PATIENCE_S, child

JAN_MS = 1_704_067_200_000
HOUR_MS = 3_600_000
NOBODY = 65534
REPO = Path(__file__).parents[2]

WRITER = """
import os, sys
sys.path.insert(0, {tests!r})
from conftest import candles
from bgresearch.core.spans import Span
from bgresearch.store import Series, Store
keys = (("market", "spot"), ("price", "last"), ("symbol", "BTCUSDT"), ("interval", "1m"))
series, store = Series("candles", keys, "open_time"), Store(sys.argv[1])
if len(sys.argv) > 5:
    os.setuid(int(sys.argv[5]))
print("ready", flush=True)
for hour in range(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])):
    span = Span({start} + hour * {hour}, {start} + (hour + 1) * {hour})
    store.write(series, candles(span), [span])
    print(hour, flush=True)
"""


def writer(folder: Path, *numbers: int, **options: object) -> AbstractContextManager[subprocess.Popen[str]]:
    code = WRITER.format(tests=str(Path(__file__).parent), start=JAN_MS, hour=HOUR_MS)
    command = (sys.executable, "-c", code, str(folder), *map(str, numbers))
    return child(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPO, **options)


def said_by(process: subprocess.Popen[str]) -> str:
    """Wait for its end and return what it complained of."""
    return process.communicate(timeout=PATIENCE_S)[1]


@pytest.mark.slow
def test_sigkill_at_random_moments_never_leaves_a_damaged_file(tmp_path: Path, series: Series) -> None:
    rng, done = random.Random(7), 0  # noqa: S311 - moments, not secrets
    for round_ in range(20):
        with writer(tmp_path, done, 700, 1) as process:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(rng.randrange(1, 5)):
                line = process.stdout.readline()
                done = max(done, int(line) + 1)
            time.sleep(rng.random() * 0.01)  # somewhere within a write, not to wait for anything
            process.send_signal(signal.SIGKILL)
            rest, _ = process.communicate()
        done = max([done, *(int(line) + 1 for line in rest.split())])
        for path in tmp_path.rglob("*.parquet"):
            with path.open("rb") as file:
                table, ledger = decode(file, series, deep=True)
            assert table.num_rows == sum(span.duration_ms for span in ledger.covered) // 60_000, round_
    store = Store(tmp_path)
    assert store.missing(series, Span(JAN_MS, JAN_MS + done * HOUR_MS)) == ()
    assert done >= 20
    with writer(tmp_path, done, done + 1, 1) as process:
        said = said_by(process)
    assert process.returncode == 0, said
    assert not list(tmp_path.rglob("*.tmp"))


def test_two_processes_on_one_partition_lose_nothing(tmp_path: Path, series: Series) -> None:
    hours = 60
    with writer(tmp_path, 0, hours, 2) as even, writer(tmp_path, 1, hours, 2) as odd:
        processes = (even, odd)
        said = [said_by(process) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    store, span = Store(tmp_path), Span(JAN_MS, JAN_MS + hours * HOUR_MS)
    assert store.missing(series, span) == ()
    read = store.read(series, span)
    assert read is not None
    assert read.num_rows == hours * 60


@pytest.mark.skipif(os.name == "nt", reason="resource limits are POSIX")
def test_a_file_size_limit_of_the_system_leaves_the_old_file(
    tmp_path: Path, series: Series, minutes: Callable[..., pa.Table]
) -> None:
    store, span = Store(tmp_path), Span(JAN_MS, JAN_MS + HOUR_MS)
    store.write(series, minutes(span), [span])
    path = next(tmp_path.rglob("*.parquet"))
    before = path.read_bytes()

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, len(before) // 2))

    with writer(tmp_path, 1, 2, 1, preexec_fn=limited) as process:
        said = said_by(process)
    assert process.returncode == 1
    assert "StoreError: cannot write" in said
    assert str(path) in said
    assert "ulimit" in said
    assert path.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_read_only_folder_is_named_with_the_next_step() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with writer(folder, 0, 1, 1, NOBODY) as process:
            said = said_by(process)
    assert process.returncode == 1
    assert f"StoreError: cannot lock {folder}" in said
    assert "Permission denied" in said
    assert "choose another folder with data_dir=" in said
