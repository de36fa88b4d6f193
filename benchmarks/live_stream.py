"""CPU of a stream of order books against a bare `websockets` + `json.loads` loop: the same server, the same frames.

``python benchmarks/live_stream.py [books] [updates]``: 150 books and 60,000 updates by default. The server is a process
of its own, so that its CPU is not counted. Ends with status 1 if it costs more than 2.5 times as much.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from bgresearch.core.clock import SystemClock
from bgresearch.core.symbols import Named
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import Wire
from bgresearch.live.channels import Subscription, chosen_channel
from bgresearch.live.hosts import LiveAccess
from bgresearch.live.pacing import Pace
from bgresearch.live.stream import Stream
from bgresearch.session.session import Session
from bgresearch.store import Store

LEVELS, CHANGES, PROMISED = 200, 8, 2.5
PATIENT = Pace(ping_s=3600.0, silence_s=3600.0, first_data_s=3600.0, quiet_s=3600.0)  # the server answers no ping


def frames(arguments: Sequence[dict[str, str]], updates: int) -> Iterator[str]:
    """A snapshot of every book, then updates of eight levels each."""
    chance = random.Random(7)  # noqa: S311
    steps = range(1, LEVELS)
    for one in arguments:
        asks, bids = ([[f"{100 + sign * step / 100:.2f}", "1.5"] for step in steps] for sign in (1, -1))
        yield pushed(one, "snapshot", {"asks": asks, "bids": bids, "seq": 1, "pseq": 0})
    for number in range(updates):
        turn, place = divmod(number, len(arguments))
        asks, bids = (
            [
                [f"{100 + sign * chance.choice(steps) / 100:.2f}", f"{chance.randrange(3)}.25"]
                for _ in range(CHANGES // 2)
            ]
            for sign in (1, -1)
        )
        row = {"asks": asks, "bids": bids, "seq": turn + 2, "pseq": turn + 1}
        yield pushed(arguments[place], "update", row)


def pushed(argument: dict[str, str], action: str, row: dict[str, Any]) -> str:
    row["ts"] = "1789456512452"
    return json.dumps({"action": action, "arg": argument, "data": [row], "ts": 1789456512453})


def serving(books: int, updates: int) -> None:
    """Serve each connection its share of the updates, as fast as it takes them."""

    def handle(socket: ServerConnection) -> None:
        arguments: list[dict[str, str]] = []
        with contextlib.suppress(TimeoutError):
            while len(arguments) < books:
                arguments += json.loads(socket.recv(timeout=3.0))["args"]
        with contextlib.suppress(ConnectionClosed):
            for text in frames(arguments, updates * len(arguments) // books):
                socket.send(text)
            socket.recv()

    with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.socket.getsockname()[1], flush=True)
        server.serve_forever()


def bare(url: str, arguments: list[dict[str, str]], count: int) -> float:
    """CPU seconds of receiving and parsing alone."""
    began = time.process_time()
    with connect(url, compression=None, max_size=2**23, ping_interval=None, legacy=True) as socket:
        socket.send(json.dumps({"op": "subscribe", "args": arguments}))
        for _ in range(count):
            json.loads(socket.recv())
        return time.process_time() - began


def ours(url: str, subscriptions: list[Subscription], count: int) -> tuple[float, float]:
    """CPU and wall seconds of a stream that keeps every book."""
    clock = SystemClock()
    sender = Wire("http://127.0.0.1:1", limiter=LocalLimiter(clock), clock=clock)
    source = Session(sender, Store(tempfile.mkdtemp()), clock)
    began, began_s = time.process_time(), time.monotonic()
    with Stream(source, LiveAccess(lambda: url, LocalLimiter(clock), pace=PATIENT), subscriptions) as stream:
        while stream.status.messages < count:
            time.sleep(0.05)
        spent = time.process_time() - began
        assert stream.error is None
        assert stream.status.gaps == 0
        assert all(stream.intake.book(one.key) for one in subscriptions)
    return spent, time.monotonic() - began_s


def main(books: int = 150, updates: int = 60_000) -> None:
    row = chosen_channel("order_book", "spot")
    subscriptions = [Subscription(row, Named(f"C{number}USDT", "spot")) for number in range(books)]
    command = [sys.executable, __file__, "serve", str(books), str(updates)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            assert server.stdout is not None
            url = f"ws://127.0.0.1:{int(server.stdout.readline())}"
            shares = [len(subscriptions[start : start + 49]) for start in range(0, books, 49)]
            count = books + sum(updates * share // books for share in shares)
            ours(url, subscriptions[:1], 1 + updates // books)  # loads what is loaded once
            base = min(bare(url, [one.argument for one in subscriptions], books + updates) for _ in range(2))
            spent, wall = min(ours(url, subscriptions, count) for _ in range(2))
        finally:
            server.kill()
    ratio = spent / base
    print(f"{books} books, {updates} updates: bare loop {base:.2f} s CPU, stream {spent:.2f} s, ratio {ratio:.2f}")
    print(f"{count / spent:,.0f} updates per second of CPU, {count / wall:,.0f} per second")
    sys.exit(ratio > PROMISED)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serving(*map(int, sys.argv[2:]))
    else:
        main(*map(int, sys.argv[1:]))
