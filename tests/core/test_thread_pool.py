"""A pool that is shut down: what is running ends by itself, what waits is cancelled, and nobody waits for it."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, wait

import pytest

from bgresearch.core.thread_pool import ThreadPool
from tests.conftest import PATIENCE_S


def test_whoever_waits_for_cancelled_work_is_woken() -> None:
    pool, go_on, begun = ThreadPool(1, "test"), threading.Event(), threading.Event()

    def first() -> str:
        begun.set()
        go_on.wait(PATIENCE_S)
        return "done"

    running, waiting = pool.submit(first), pool.submit(str, "never")
    assert begun.wait(PATIENCE_S)
    pool.dismiss()
    try:
        assert wait([waiting], timeout=PATIENCE_S).done == {waiting}
        with pytest.raises(CancelledError):
            waiting.result(PATIENCE_S)
    finally:
        go_on.set()
    assert running.result(PATIENCE_S) == "done"
