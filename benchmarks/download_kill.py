"""Kill a download with SIGKILL at random moments, go on, and count what was lost, damaged or asked twice.

    python benchmarks/download_kill.py --kills 200 --symbols 20 --days 4

The exchange is the sandbox, served by this process, which counts the pages it answers. Every run is a process of its
own that goes on with all symbols, one after the other. Prints one JSON object; exit status 1 if the result is not
exactly what the exchange has, a file is damaged, or more pages were asked again than were on their way.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pandas as pd

import bgresearch as bg
from bgresearch.sandbox import Exchange, Request, Response
from bgresearch.sandbox.server import Server
from bgresearch.store.integrity import files_of, inspect

IN_FLIGHT = 48  # requests that one run may have on their way: its workers
END = pd.Timestamp.now("UTC").floor("D") - pd.Timedelta(days=100)
CHILD = """
import sys, bgresearch as bg
url, folder, start, end, *symbols = sys.argv[1:]
with bg.connect(base_url=url, data_dir=folder, progress=False) as client:
    for symbol in symbols:
        client.candles(symbol, "1m", start, end)
"""


class Counting(Exchange):
    """Counts the pages of candles that it answers."""

    def __init__(self) -> None:
        super().__init__(seed=7)
        self.pages: Counter[tuple[str, ...]] = Counter()
        self.counting = threading.Lock()

    def handle(self, request: Request) -> Response:
        answer = super().handle(request)
        url = urlsplit(request.target)
        if "candles" in url.path and answer.status == 200:
            asked = dict(parse_qsl(url.query))
            with self.counting:
                self.pages[url.path, asked["symbol"], asked.get("endTime", "")] += 1
        return answer


def symbols_of(client: bg.Client, count: int) -> list[str]:
    listed = client.api.spot.symbols()
    names = sorted(listed["symbol"].astype(str))
    alive = [name for name in names if len(client.candles(name, "1d", END - pd.Timedelta(days=3), END)) == 3]
    return alive[:count]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kills", type=int, default=200)
    options.add_argument("--symbols", type=int, default=20)
    options.add_argument("--days", type=int, default=4)
    options.add_argument("--seed", type=int, default=7)
    wanted = options.parse_args()
    chance = random.Random(wanted.seed)  # noqa: S311 - when to kill
    start = END - pd.Timedelta(days=wanted.days)
    with tempfile.TemporaryDirectory() as name, Server(Counting()) as server:
        folder, exchange = Path(name) / "data", server.exchange
        assert isinstance(exchange, Counting)
        with bg.connect(base_url=server.url, data_dir=Path(name) / "list", progress=False) as client:
            symbols = symbols_of(client, wanted.symbols)
        exchange.pages.clear()
        command = [sys.executable, "-c", CHILD, server.url, str(folder), start.isoformat(), END.isoformat(), *symbols]
        kills = finished = damaged = asked_again = 0
        while kills < wanted.kills:
            before = sum(exchange.pages.values()) - len(exchange.pages)
            process = subprocess.Popen(command)  # noqa: S603 - our own interpreter
            sent = sum(exchange.pages.values())
            while sum(exchange.pages.values()) == sent and process.poll() is None:
                time.sleep(0.005)  # until the first page was asked for
            time.sleep(chance.random() * 0.4)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            else:
                finished += 1
            if process.wait() not in (0, -signal.SIGKILL):
                raise SystemExit(f"a run failed by itself, with status {process.returncode}")
            asked_again = max(asked_again, sum(exchange.pages.values()) - len(exchange.pages) - before)
            damaged += sum(bool(inspect(folder, path)) for path in files_of(folder)) if folder.is_dir() else 0
            if finished > 3:  # everything is there: begin again
                finished = 0
                for path in files_of(folder):
                    path.unlink()
                exchange.pages.clear()
        subprocess.run(command, check=True)  # noqa: S603 - our own interpreter
        wrong = 0
        with (
            bg.connect(base_url=server.url, data_dir=folder, offline=True) as kept,
            bg.connect(base_url=server.url, data_dir=Path(name) / "truth", progress=False) as truth,
        ):
            for symbol in symbols:
                wrong += not kept.candles(symbol, "1m", start, END).equals(truth.candles(symbol, "1m", start, END))
    result = {"kills": kills, "symbols": len(symbols), "damaged": damaged, "wrong": wrong}
    print(
        json.dumps(result | {"pages_asked_again_after_a_kill_at_most": asked_again, "on_their_way_at_most": IN_FLIGHT})
    )
    return 0 if not damaged and not wrong and asked_again <= IN_FLIGHT else 1


if __name__ == "__main__":
    sys.exit(main())
