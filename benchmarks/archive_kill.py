"""Archive 200 simulated days, run every 30 days, kill the process with SIGKILL at random moments, and compare.

    python benchmarks/archive_kill.py --kills 50               a classic account
    python benchmarks/archive_kill.py --kills 50 --key unified

Each run is a process of its own, on the sandbox with its clock set to that day. Prints one JSON object; exit status 1
if a record is missing, doubled or made up, or if a file was damaged or left over.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import bgresearch
from bgresearch.account.record_history import FINAL_MS
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import Span
from bgresearch.core.timestamps import moment_ms
from bgresearch.sandbox import Exchange
from tests.account.trader_truth import REPORTED, kept, truth

START = moment_ms("2026-01-01", "start")[0]
DAYS = (30, 60, 90, 120, 150, 180, 200)
ACCOUNTS = {"readonly": "classic", "unified": "unified"}
LEAST_S = 0.02


def moment(day: int) -> int:
    return START + day * DAY_MS + 9 * 3_600_000


def connected(model: Exchange, folder: Path, key: str, day: int) -> Client:
    clock = ManualClock(moment(day))
    exchange = Exchange(clock=clock)
    exchange.world, exchange.accounts = model.world, model.accounts
    return bgresearch.connect(sandbox=exchange, key=key, data_dir=folder, clock=clock, progress=False)


def run(model: Exchange, folder: Path, key: str, day: int) -> int:
    """Start a run in a process of its own and return its id; it ends with 0 when it is done."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            warnings.simplefilter("error")  # a damaged file would be set aside with a warning
            connected(model, folder, key, day).account.archive(kinds=REPORTED)
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_after(child: int, seconds: float) -> bool:
    """Kill the process after that time; return whether that is what ended it."""
    select.select([], [], [], seconds)  # the moment is the experiment
    os.kill(child, signal.SIGKILL)
    return ended(child) == -signal.SIGKILL


def compared(model: Exchange, folder: Path, key: str) -> dict[str, int]:
    """Compare the store with what the trader did."""
    now = moment(DAYS[-1])
    source = connected(model, folder, key, DAYS[-1])._source
    account, span = model.accounts[ACCOUNTS[key]], Span(START, now - FINAL_MS)
    result = {"records": 0, "missing": 0, "doubled or made up": 0}
    for (kind, lot), expected in truth(account, now, span).items():
        found = kept(source, account.uid, kind, lot, span)
        result["records"] += len(expected)
        result["missing"] += len(set(expected) - set(found))
        result["doubled or made up"] += len(found) - len(set(found) & set(expected))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--key", choices=list(ACCOUNTS), default="readonly")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    chance = random.Random(chosen.seed)  # noqa: S311 -- chooses moments, not secrets
    model = Exchange()
    model.accounts[ACCOUNTS[chosen.key]].history(moment(DAYS[-1]))
    started, kills, runs, failed = time.perf_counter(), 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "data"
        clean = time.perf_counter()
        failed += ended(run(model, Path(name) / "other", chosen.key, DAYS[0])) != 0
        whole_s = time.perf_counter() - clean  # a whole run over 30 days, on this machine as it is now
        for place, day in enumerate(DAYS, 1):
            while kills < chosen.kills * place // len(DAYS):
                # what was kept makes the next run shorter: later ones are killed sooner
                runs += 1
                kills += killed_after(run(model, folder, chosen.key, day), chance.uniform(LEAST_S, whole_s / 3))
            runs += 1
            failed += ended(run(model, folder, chosen.key, day)) != 0
        result = {"kills": kills, "runs": runs, "failed": failed, **compared(model, folder, chosen.key)}
        result["damaged"] = len(list(folder.rglob("*.damaged*")))
        result["left over"] = len(list(folder.rglob("*.tmp")))
    result["seconds"] = round(time.perf_counter() - started)
    print(json.dumps({"account": ACCOUNTS[chosen.key], **result}))
    return int(any(result[bad] for bad in ("failed", "missing", "doubled or made up", "damaged", "left over")))


if __name__ == "__main__":
    sys.exit(main())
