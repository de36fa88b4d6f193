"""How fast history comes from a strict exchange 100 ms away, as a share of what its limits allow.

The sandbox is served by a process of its own: 20 requests a second and route in a sliding window, every answer takes
100 ms.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import requests

import bgresearch as bg

LATENCY_S = 0.1
SERVER = f"""
from bgresearch.sandbox.exchange import Exchange
from bgresearch.sandbox.faults import Faults
from bgresearch.sandbox.server import serve_forever
faults = Faults()
faults.inject("latency", amount={LATENCY_S})
serve_forever(0, exchange=Exchange(faults=faults), on_ready=lambda url: print(url, flush=True))
"""
TASKS = {  # name: days back from, to, rows per second that the limits allow, promised share
    "one route": (150, 120, 4_000, 0.90),
    "two routes": (60, 30, 6_000, 0.85),
    "four routes": (28, 0, 40_000, 0.50),
}


@contextmanager
def exchange() -> Iterator[str]:
    """Serve a strict exchange in a process of its own and give its address."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own interpreter
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def measure(url: str, name: str) -> dict[str, object]:
    oldest, newest, ceiling, promised = TASKS[name]
    end = pd.Timestamp.now("UTC").floor("D") - pd.Timedelta(days=newest)
    start = end - pd.Timedelta(days=oldest - newest)
    with tempfile.TemporaryDirectory() as folder, bg.connect(base_url=url, data_dir=folder, progress=False) as client:
        client.api.common.time()
        began = time.perf_counter()
        frame = client.candles("BTCUSDT", "1m", start, end)
        took_s = time.perf_counter() - began
        sent = client.requests_sent
    rate = len(frame) / took_s
    told = {"task": name, "rows": len(frame), "seconds": round(took_s, 2), "rows_per_s": round(rate), "requests": sent}
    return told | {"share": round(rate / ceiling, 3), "promised": promised, "by": frame.attrs["bgresearch"]["requests"]}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--task", choices=TASKS, action="append")
    kept = True
    for name in options.parse_args().task or TASKS:
        with exchange() as url:
            requests.get(url + "/api/v2/public/time", timeout=5).raise_for_status()
            result = measure(url, name)
        print(json.dumps(result))
        kept &= result["share"] >= result["promised"]
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
