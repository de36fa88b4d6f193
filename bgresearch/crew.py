"""Threads that work side by side and never keep a process from ending. Knows nothing of what they do.

The standard library's pool waits at the end of the process for whatever is still at work: after Ctrl-C that would be
a request on its way, or five minutes of rest that the exchange demands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
_Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class Crew:
    """At most so many threads; each begins when there is work that nobody is free for.

    Parameters
    ----------
    most : int
        Threads.
    name : str
        What they are called.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name, self._threads = most, name, 0
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._free = threading.Semaphore(0)
        self._dismissed = threading.Event()

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Return the future of some work; call it from one thread alone."""
        future: Future[T] = Future()
        self._tasks.put((future, work, arguments))
        if not self._free.acquire(blocking=False) and self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._labour, name=f"{self._name}-{self._threads}", daemon=True).start()
        return future

    def dismiss(self) -> None:
        """Begin nothing more: what waits is cancelled, and who is at work leaves after it."""
        self._dismissed.set()
        for _ in range(self._threads):
            self._tasks.put(None)

    def _labour(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, work, arguments = task
            if self._dismissed.is_set():
                future.cancel()
            elif future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(*arguments))
                except BaseException as error:  # noqa: BLE001 - all of them: whoever asks the future gets it raised
                    future.set_exception(error)
            del task, future
            self._free.release()
