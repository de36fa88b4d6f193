"""Memory of a recording over a day of the exchange's time: order books, trades and candles of five symbols.

``python benchmarks/live_memory.py [hours] [speed]``: 24 hours, 600 times as fast, by default. The exchange is a process
of its own; what is measured is the process that records. Ends with status 1 if that grows by 20 MB or more between the
end of the first tenth of the time, when everything is loaded, and the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bgresearch
from bgresearch.core.clock import SystemClock
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT"]
CHANNELS = ["trades", "candles", "order_book"]
PROMISED_MB = 20.0
HOUR_MS = 3_600_000


class SameClock(SystemClock):
    """The exchange's time in another process: monotonic time is the same in all processes of a machine."""

    def __init__(self, now_ms: int, at_s: float, speed: float) -> None:
        self._now_ms, self._at_s, self._speed = now_ms, at_s, speed

    def now_ms(self) -> int:
        return self._now_ms + int((time.monotonic() - self._at_s) * 1000 * self._speed)


def recording(clock: SameClock, url: str, seconds: float, folder: str) -> None:
    """Record, and print what was written."""
    with bgresearch.connect(base_url=url, data_dir=Path(folder), clock=clock, progress=False) as client:
        recorder = client.recorder_of(CHANNELS, SYMBOLS, interval="1m")
        recorder.run(seconds)
        messages = sum(stream.status.messages for stream in recorder.streams)
        written = {name: sum(one.rows for one in recorder.results if one.channel == name) for name in CHANNELS}
        print(f"{messages} messages; rows and images written: {written}")


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(hours: float = 24.0, speed: float = 600.0) -> None:
    seconds = hours * 3600 / speed
    with tempfile.TemporaryDirectory(prefix="bg-") as folder, Server(Exchange(speed=speed)) as server:
        began_ms, at_s = server.exchange.clock.now_ms(), time.monotonic()
        words = ["record", server.url, *map(str, (began_ms, at_s, speed, seconds)), folder]
        sizes: list[tuple[float, float]] = []
        with subprocess.Popen([sys.executable, __file__, *words]) as child:  # noqa: S603
            while child.poll() is None:
                passed_h = (server.exchange.clock.now_ms() - began_ms) / HOUR_MS
                if passed_h <= hours and (size := resident_mb(child.pid)):
                    sizes.append((passed_h, size))
                time.sleep(0.5)
            assert child.returncode == 0
    settled = [size for passed_h, size in sizes if passed_h >= hours / 10]
    for passed_h, size in sizes[:: max(len(sizes) // 12, 1)]:
        print(f"  after {passed_h:5.1f} h: {size:6.1f} MB")
    grown = settled[-1] - settled[0]
    print(f"{hours:.0f} h of {len(SYMBOLS)} symbols: grown by {grown:.1f} MB after the first tenth")
    sys.exit(grown >= PROMISED_MB)


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        url, now_ms, at_s, speed, seconds, folder = sys.argv[2:]
        recording(SameClock(int(now_ms), float(at_s), float(speed)), url, float(seconds), folder)
    else:
        main(*map(float, sys.argv[1:]))
