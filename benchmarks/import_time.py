"""How much longer ``import bgresearch`` takes than ``import pandas`` alone: paired runs in fresh processes.

Promised: the median ratio stays under 1.3. Ends 1 if it does not. The package imports its packages when they are first
used, so the time up to a client that can ask (``bgresearch.connect``) is shown next to it; nothing is promised of that.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

PAIRS = 15
PROMISED = 1.3


PANDAS = "import pandas"
BARE = "import bgresearch"
WHOLE = "import pandas, bgresearch; bgresearch.connect"


def seconds(statement: str) -> float:
    code = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)  # noqa: S603


def main() -> int:
    for statement in (PANDAS, BARE, WHOLE):
        seconds(statement)  # the first ones fill the disk cache
    runs = [(seconds(PANDAS), seconds(BARE), seconds(WHOLE)) for _ in range(PAIRS)]
    for statement, values in zip((PANDAS, BARE, WHOLE), zip(*runs, strict=True), strict=True):
        print(f"{statement:<46} {statistics.median(values) * 1000:6.0f} ms (median of {PAIRS})")
    bare = statistics.median(ours / pandas for pandas, ours, _ in runs)
    whole = statistics.median(ours / pandas for pandas, _, ours in runs)
    print(f"ratio of the import {bare:.2f} (promised: under {PROMISED}), of all up to a client {whole:.2f}")
    return 0 if bare < PROMISED else 1


if __name__ == "__main__":
    sys.exit(main())
