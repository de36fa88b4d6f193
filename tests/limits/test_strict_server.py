"""A strict exchange in a process of its own, 100 ms away, while other processes keep every core busy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pytest

import bgresearch as bg
from tests.limits.conftest import PATIENCE_S, ROOT

SERVER = """
import json, sys, threading
from bgresearch.sandbox.exchange import Exchange
from bgresearch.sandbox.faults import Faults
from bgresearch.sandbox.server import serve_forever
refused = []
class Counting(Exchange):
    def handle(self, request):
        answer = super().handle(request)
        if answer.status == 429:
            refused.append(request.target)
        return answer
faults = Faults()
faults.inject("latency", amount=0.1)
def tell():
    for _ in sys.stdin:
        print(json.dumps(refused), flush=True)
threading.Thread(target=tell, daemon=True).start()
serve_forever(0, exchange=Counting(faults=faults), on_ready=lambda url: print(url, flush=True))
"""
BUSY = "while True: pass"
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT"]


@contextmanager
def running(code: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python code in a process of its own for as long as the context lasts."""
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": ROOT}
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def refused(server: subprocess.Popen[str]) -> list[str]:
    """Return every request that the server refused so far."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


@pytest.mark.slow
@pytest.mark.parametrize("busy", [0, os.cpu_count() or 1], ids=["otherwise idle", "every core busy"])
def test_five_symbols_at_once_are_never_refused(busy: int, tmp_path: Path) -> None:
    with running(SERVER) as server, ExitStack() as others:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        for _ in range(busy):
            others.enter_context(running(BUSY))
        with bg.connect(base_url=url, data_dir=tmp_path, progress=False) as client:
            end = client.api.common.time()["serverTime"].iloc[0].floor("D")
            frame = client.download(SYMBOLS, "1m", end - pd.Timedelta(days=27), end)
        assert (frame["candles"] == 27 * 1440).all()
        assert refused(server) == []


CHILD = """
import sys, bgresearch as bg
with bg.connect(base_url=sys.argv[1], data_dir=sys.argv[2], progress=False) as client:
    print(int(client.download([sys.argv[3]], "1m", sys.argv[4], sys.argv[5])["candles"].sum()))
"""


@pytest.mark.slow
def test_three_processes_at_once_are_never_refused_while_every_core_is_busy(tmp_path: Path) -> None:
    with running(SERVER) as server, running(BUSY), running(BUSY):
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        with bg.connect(base_url=url, data_dir=tmp_path, progress=False) as client:
            end = client.api.common.time()["serverTime"].iloc[0].floor("D")
        start = end - pd.Timedelta(days=14)
        environment = {**os.environ, "PYTHONPATH": ROOT}
        children = [
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", CHILD, url, str(tmp_path), symbol, start.isoformat(), end.isoformat()],
                stdout=subprocess.PIPE, text=True, env=environment,
            )
            for symbol in SYMBOLS[:3]
        ]  # fmt: skip
        rows = [int(child.communicate(timeout=5 * PATIENCE_S)[0]) for child in children]
        assert rows == [14 * 1440] * 3
        assert refused(server) == []
