"""Killed with SIGKILL while files come in: nothing is damaged, nothing doubtful is kept, and the next run goes on."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import bgresearch as bg
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server
from tests.archives.conftest import Counting
from tests.conftest import PATIENCE_S

CANDLES, TRADES = ("2026-06-20", "2026-08-20"), ("2026-08-16T16:00", "2026-08-18T16:00")
CHILD = """
import sys, bgresearch as bg
with bg.connect(base_url=sys.argv[1], archive_url=sys.argv[1] + "/online", data_dir=sys.argv[2], progress=False) as one:
    one.download("BTCUSDT", "1m", *sys.argv[3:5], source="archive")
    one.trades("BTCUSDT", *sys.argv[5:7])
"""


@pytest.mark.parametrize(
    ("kills", "candles", "trades"),
    [(1, ("2026-08-16T16:00", "2026-08-18T16:00"), ("2026-08-16T16:00", "2026-08-16T18:00")),
     pytest.param(50, CANDLES, TRADES, marks=pytest.mark.slow)],
)  # fmt: skip
def test_killed_at_any_moment_nothing_is_damaged_and_the_rest_is_fetched(
    tmp_path: Path, kills: int, candles: tuple[str, str], trades: tuple[str, str]
) -> None:
    chance, folders = random.Random(kills), itertools.count()  # noqa: S311 - when to kill
    data = tmp_path / f"data-{next(folders)}"
    exchange = Exchange()
    counting = Counting(exchange)
    exchange.archive = counting  # type: ignore[assignment]  # passes everything on
    with Server(exchange) as server:
        killed = 0
        while killed < kills:
            counting.wait_for(chance.randint(1, 14) if kills > 1 else 1)
            with subprocess.Popen(downloading(server.url, data, *candles, *trades)) as child:  # noqa: S603
                while child.poll() is None and not counting.reached.wait(0.05):
                    pass
                if child.poll() is None:
                    exchange.clock.sleep(chance.random())  # reading and writing
                    child.kill()
                    killed += 1
                else:
                    data = tmp_path / f"data-{next(folders)}"  # that one was complete
            if data.exists():
                with bg.connect(data_dir=data, offline=True, base_url=server.url) as looking:
                    assert looking.verify().flaws == []
        subprocess.run(downloading(server.url, data, *candles, *trades), check=True, timeout=PATIENCE_S)  # noqa: S603
        options = {"base_url": server.url, "progress": False}
        with bg.connect(data_dir=data, offline=True, **options) as ours, bg.connect(  # type: ignore[arg-type]
            data_dir=tmp_path / "truth", archive_url=f"{server.url}/online", **options  # type: ignore[arg-type]
        ) as theirs:  # fmt: skip
            one, other = (client.candles("BTCUSDT", "1m", *candles) for client in (ours, theirs))
            pd.testing.assert_frame_equal(one, other, check_exact=True)
            one, other = (client.trades("BTCUSDT", *trades) for client in (ours, theirs))
            pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert not (data / ".archive" / "incoming").exists()


def downloading(url: str, data: Path, *spans: str) -> list[str]:
    return [sys.executable, "-c", CHILD, url, str(data), *spans]
