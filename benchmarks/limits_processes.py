"""Processes that ask one strict exchange as fast as their shared budget lets them; what arrives, how long each waits.

    python benchmarks/limits_processes.py --processes 4 --seconds 20 --latency 0.1

A sandbox on a loopback port counts in a strict sliding second and takes its time to answer. Exit status 1 if it refuses
a single request, if more than the limit arrives within any second, or if less than 85 % of the limit is used. With
``--greedy`` the first process asks with 32 threads and the others with one each: how long do those wait?
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bgresearch.catalogue import load
from bgresearch.core.clock import SystemClock
from bgresearch.http.ratelimit import limiter_for
from bgresearch.http.sender import Wire
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.messages import Request, Response
from bgresearch.sandbox.server import Server

ROW = "spot.candles"
PROMISED = 0.85
LEAD_S = 1.0  # from the moment that every process is ready


class Watched(Exchange):
    """An exchange that notes when what arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[float] = []

    def handle(self, request: Request) -> Response:
        self.arrived.append(time.monotonic())
        return super().handle(request)


def ask(url: str, seconds: float, threads: int) -> None:
    """Wait for the word, ask for a while; print how many were answered and sent, and the longest wait for an answer."""
    clock, row, waits = SystemClock(), load()[ROW], [0.0]
    with Wire(url, limiter=limiter_for(url, clock), clock=clock) as wire:
        answered = [0] * threads
        print("ready", flush=True)
        begin_s = float(sys.stdin.readline())

        def work(number: int) -> None:
            while (started_s := time.monotonic()) < begin_s + seconds:
                wire.send(row, {"symbol": "BTCUSDT", "granularity": "1min", "limit": "1"})
                waits.append(time.monotonic() - started_s)
                answered[number] += 1

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        time.sleep(max(0.0, begin_s - time.monotonic()))
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print(json.dumps({"answered": sum(answered), "sent": wire.sent, "longest_wait_s": round(max(waits), 2)}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=8, help="of each process")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that the exchange takes to answer")
    parser.add_argument("--greedy", action="store_true")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.worker:
        url, seconds, threads = chosen.worker
        ask(url, float(seconds), int(threads))
        return 0
    exchange = Watched()
    exchange.faults.inject("latency", amount=chosen.latency)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(Server(exchange))
        environment = {**os.environ, "BGRESEARCH_STATE_DIR": folder}
        environment.pop("BGRESEARCH_BUDGET_URL", None)
        processes = []
        for number in range(chosen.processes):
            threads = (32 if number == 0 else 1) if chosen.greedy else chosen.threads
            order = [sys.executable, __file__, "--worker", server.url, str(chosen.seconds), str(threads)]
            process = subprocess.Popen(  # noqa: S603
                order, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            )
            processes.append(process)
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        begin_s = time.monotonic() + LEAD_S
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(f"{begin_s}\n")
            process.stdin.flush()
        said = [json.loads(process.communicate()[0]) for process in processes]
    limit = load()[ROW].limit
    arrived = sorted(moment for moment in exchange.arrived if moment < begin_s + chosen.seconds)
    spent_s = arrived[-1] - arrived[0]
    fullest = max(sum(start <= other < start + limit.seconds for other in arrived[n : n + 60])
                  for n, start in enumerate(arrived))  # fmt: skip
    used = (len(arrived) - limit.count) / spent_s / (limit.count / limit.seconds)  # the first burst is free
    refused = sum(one["sent"] - one["answered"] for one in said)
    print(json.dumps({
        "processes": chosen.processes, "arrived": len(arrived), "seconds": round(spent_s, 1), "used": round(used, 3),
        "fullest_window": fullest, "refused": refused, "each": said,
    }))  # fmt: skip
    kept = refused == 0 and fullest <= limit.count and (used >= PROMISED or chosen.greedy)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
