"""Memory of a recording over a day of the exchange's time: books, trades and candles of five symbols.

``python benchmarks/live_memory.py [hours] [speed]``: 24 hours, 600 times as fast, by default. The exchange is embedded
in the same process, so its own growth is counted, too. What is promised: after a tenth of the time, in which everything
is loaded and every buffer fills for the first time, the process grows by less than 20 MB. Ends with status 1 if not.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import bgresearch
from bgresearch.sandbox import Exchange

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT"]
CHANNELS = ["trades", "candles", "order_book"]
PROMISED_MB = 20.0
HOUR_MS = 3_600_000


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main(hours: float = 24.0, speed: float = 600.0) -> None:
    exchange = Exchange(speed=speed)
    with (
        tempfile.TemporaryDirectory(prefix="bg-") as name,
        bgresearch.connect(sandbox=exchange, data_dir=Path(name), progress=False) as client,
    ):
        recorder = client.recorder_of(CHANNELS, SYMBOLS, interval="1m")
        began_ms = exchange.clock.now_ms()
        recording = threading.Thread(target=recorder.run, args=(hours * 3600 / speed,))
        recording.start()
        sizes: list[tuple[float, float]] = []
        while recording.is_alive():
            time.sleep(0.5)
            gc.collect()
            passed_h = (exchange.clock.now_ms() - began_ms) / HOUR_MS
            sizes.append((passed_h, resident_mb()))
        messages = sum(stream.status.messages for stream in recorder.streams)
        written = {one: sum(row.rows for row in recorder.results if row.channel == one) for one in CHANNELS}
    settled = [size for passed_h, size in sizes if passed_h >= hours / 10]
    half = len(settled) // 2
    grown = max(settled[half:]) - max(settled[: max(len(settled) // 10, 1)])
    for passed_h, size in sizes[:: max(len(sizes) // 12, 1)]:
        print(f"  after {passed_h:5.1f} h: {size:6.1f} MB")
    print(f"{passed_h:.1f} h of {len(SYMBOLS)} symbols, {messages} messages, rows and images written: {written}")
    print(f"grown by {grown:.1f} MB after the first tenth")
    sys.exit(grown >= PROMISED_MB)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
