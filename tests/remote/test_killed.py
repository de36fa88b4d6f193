"""A publication that is killed in the middle, as a process of its own, against a server of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import bgresearch as bg
from bgresearch.client.client import Client
from bgresearch.errors import StoreError
from bgresearch.store.remote.object_storage import Remote
from tests.conftest import PATIENCE_S, child
from tests.remote.conftest import DAY_MS, MONTHS, SYMBOLS, fill

pytestmark = pytest.mark.slow

SPAN = ("2025-12-01", "2025-12-03")
MANY = 40  # files: enough that a kill after some comes before the last


PUBLISHER = """
import itertools, sys, threading
from pathlib import Path
from bgresearch.store.remote.upload import Choice, chosen, copy
from bgresearch.store.remote.object_storage import Remote

numbers, folder = itertools.count(1), Path(sys.argv[1])

class Stopping(Remote):
    def write(self, name, data):
        if next(numbers) > int(sys.argv[3]):
            print("now\\n", end="", flush=True)  # in one piece: several threads come here
            threading.Event().wait()
        return super().write(name, data)

copy(folder, Stopping(sys.argv[2]), chosen(folder, Choice()), host="https://api.bitget.com", now_ms=1)
"""


def killed_after(folder: Path, url: str, objects: int) -> None:
    """Start publishing and kill it while the last of so many objects are on their way and more would follow."""
    command = (sys.executable, "-c", PUBLISHER, str(folder), url, str(objects))
    with child(*command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"


def published(folder: Path, url: str, *options: str) -> dict[str, int]:
    command = [sys.executable, "-m", "bgresearch", "publish", url, "--data-dir", str(folder), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)  # noqa: S603
    outcome: dict[str, int] = json.loads(done.stdout)
    return outcome


@pytest.fixture
def wide(folder: Path) -> Path:
    for number in range(MANY - len(SYMBOLS) * len(MONTHS)):
        fill(folder, f"COIN{number}USDT", MONTHS[0], MONTHS[0] + DAY_MS, base=10.0 + number)
    return folder


def test_a_kill_leaves_what_could_be_read_and_the_next_call_sends_only_the_rest(
    bucket: str, wide: Path, local: Client, tmp_path: Path
) -> None:
    url = f"s3://{bucket}/prices"
    killed_after(wide, url, 20)
    there = sum(name.endswith(".parquet") for name in Remote(url).found())
    assert 0 < there < 20
    with pytest.raises(StoreError, match="was not finished"):
        bg.connect(store=url)
    first = published(wide, url)
    assert (first["files"], first["sent"]) == (MANY, MANY - there)

    before = local.candles("BTCUSDT", "1m", *SPAN)
    for path in sorted((wide / "candles").rglob("symbol=*")):
        fill(wide, path.name.removeprefix("symbol="), MONTHS[0], MONTHS[0] + 2 * DAY_MS, base=700.0)
    killed_after(wide, url, 20)
    old = bg.connect(store=url, data_dir=tmp_path / "reader")
    pd.testing.assert_frame_equal(old.candles("BTCUSDT", "1m", *SPAN), before)
    assert old._source.store.publication.digest == first["digest"]
    second = published(wide, url, "--prune")
    changed = MANY - len(SYMBOLS) * (len(MONTHS) - 1)
    assert changed - 20 <= second["sent"] < changed
    assert len(Remote(url).found()) == MANY + 3
    new = bg.connect(store=url, data_dir=tmp_path / "reader")
    assert new.verify().sound
    pd.testing.assert_frame_equal(new.candles("BTCUSDT", "1m", *SPAN), local.candles("BTCUSDT", "1m", *SPAN))
