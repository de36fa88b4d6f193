"""How much longer ``import bgresearch`` takes than ``import pandas`` alone: paired runs in fresh processes.

Promised: the median ratio stays under 1.3. Ends 1 if it does not.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

PAIRS = 15
PROMISED = 1.3


def seconds(module: str) -> float:
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)  # noqa: S603


def main() -> int:
    seconds("bgresearch"), seconds("pandas")  # the first ones fill the disk cache
    pairs = [(seconds("pandas"), seconds("bgresearch")) for _ in range(PAIRS)]
    ratios = sorted(ours / theirs for theirs, ours in pairs)
    ratio = statistics.median(ratios)
    for name, values in zip(("pandas", "bgresearch"), zip(*pairs, strict=True), strict=True):
        print(f"import {name:<11} {statistics.median(values) * 1000:6.0f} ms (median of {PAIRS})")
    print(f"ratio              {ratio:6.2f}    ({ratios[0]:.2f} to {ratios[-1]:.2f}; promised: under {PROMISED})")
    return 0 if ratio < PROMISED else 1


if __name__ == "__main__":
    sys.exit(main())
