"""How much memory a backfill of five symbol-years of 1m takes at most: `client.download` in a process of its own.

    python benchmarks/backfill_memory.py --symbols 5 --days 365 --times 40

The sandbox is served by another process and counts no requests; the child's clock runs so many times as fast for its
limiter, as 13,000 requests would take eleven minutes at 20 a second. Exit status 1 from 300 MB on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time

SERVER = """
from bgresearch.sandbox.exchange import Exchange
from bgresearch.sandbox.server import serve_forever
serve_forever(0, exchange=Exchange(limits=False), on_ready=lambda url: print(url, flush=True))
"""
CHILD = """
import json, resource, sys, time
import pandas as pd
import bgresearch as bg
from bgresearch.core.clock import SystemClock
class Fast(SystemClock):
    def monotonic_s(self):
        return time.monotonic() * times
    def sleep(self, seconds):
        time.sleep(max(0.0, seconds / times))
url, folder, days, times, *symbols = sys.argv[1:]
times = float(times)
end = pd.Timestamp.now("UTC").floor("D") - pd.Timedelta(days=100)
with bg.connect(base_url=url, data_dir=folder, clock=Fast(), progress=False) as client:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    got = client.download(symbols, "1m", end - pd.Timedelta(days=int(days)), end)
peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
measured = {"rows": int(got["candles"].sum()), "errors": int(got["error"].notna().sum())}
print(json.dumps(measured | {"before_mb": before_kb // 1024, "peak_mb": peak_kb // 1024}))
"""
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT")
PROMISED_MB = 300


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--symbols", type=int, default=5, choices=range(1, 6))
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--times", type=int, default=40)
    wanted = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server,  # noqa: S603 - our own interpreter
    ):
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            began = time.perf_counter()
            arguments = [url, folder, str(wanted.days), str(wanted.times), *SYMBOLS[: wanted.symbols]]
            said = subprocess.run([sys.executable, "-c", CHILD, *arguments], check=True, capture_output=True, text=True)  # noqa: S603
            took_s = time.perf_counter() - began
        finally:
            server.terminate()
    result = json.loads(said.stdout)
    print(json.dumps(result | {"seconds": round(took_s, 1), "promised_mb": PROMISED_MB}))
    whole = result["rows"] == wanted.symbols * wanted.days * 1440 and not result["errors"]
    return 0 if whole and result["peak_mb"] < PROMISED_MB else 1


if __name__ == "__main__":
    sys.exit(main())
