"""In a process one thread at a time waits for a slot, the others for their turn; a fork leaves nobody waiting."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock
from bgresearch.http.ratelimit.limiter import LocalLimiter
from tests.conftest import PATIENCE_S

ROW = "spot.candles"


class Watched(ManualClock):
    """A clock that knows how many wait at the same time."""

    def __init__(self) -> None:
        super().__init__(0)
        self.asleep = self.most = 0

    def sleep(self, seconds: float) -> None:
        self.asleep += 1
        self.most = max(self.most, self.asleep)
        time.sleep(0.0005)  # so that others could begin to wait, too
        super().sleep(seconds)
        self.asleep -= 1


def test_one_thread_waits_for_the_next_slot_of_a_row_however_many_want_it() -> None:
    clock = Watched()
    limiter = LocalLimiter(clock)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: limiter.acquire(load()[ROW], ""), range(100)))
    assert clock.most == 1


def test_a_fork_while_a_thread_waits_leaves_the_child_its_turn() -> None:
    waits, go = threading.Event(), threading.Event()

    class Held(ManualClock):
        def sleep(self, seconds: float) -> None:
            waits.set()
            go.wait(PATIENCE_S)
            super().sleep(seconds)

    limiter = LocalLimiter(Held(0))
    for _ in range(20):
        limiter.acquire(load()[ROW], "")
    thread = threading.Thread(target=limiter.acquire, args=(load()[ROW], ""))
    thread.start()
    assert waits.wait(PATIENCE_S)
    if not (child := os.fork()):
        go.set()
        limiter.acquire(load()[ROW], "")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    go.set()
    thread.join(PATIENCE_S)
