"""How long the table takes to load, in fresh processes and again in this one. Aim: all rows under 30 ms."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from bgresearch.catalogue import load
from bgresearch.catalogue import loader as loading

RUNS = 9
FRESH = """
import time
from bgresearch import catalogue
started = time.perf_counter()
rows = catalogue.load()
print(len(rows), (time.perf_counter() - started) * 1000)
"""


def fresh_ms() -> tuple[int, float]:
    run = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    rows, took_ms = run.stdout.split()
    return int(rows), float(took_ms)


def warm_ms() -> float:
    for cached in (load, loading._column, loading._param):
        cached.cache_clear()
    started = time.perf_counter()
    load()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    fresh = [fresh_ms() for _ in range(RUNS)]
    warm = [warm_ms() for _ in range(RUNS)]
    print(f"{fresh[0][0]} rows")
    print(f"fresh process: median {statistics.median(took for _, took in fresh):.1f} ms, most {max(fresh)[1]:.1f} ms")
    print(f"same process, caches emptied: median {statistics.median(warm):.1f} ms, most {max(warm):.1f} ms")


if __name__ == "__main__":
    main()
