"""Threads that work side by side and never keep a process from ending. Knows nothing of what they do.

The standard library's pool waits at the end of the process for whatever is still at work: after Ctrl-C that would be
a request on its way, or five minutes of rest that the exchange demands.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
_Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class ThreadPool:
    """At most so many threads; each begins when there is work that nobody is free for.

    Parameters
    ----------
    most : int
        Threads.
    name : str
        What they are called.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name, self._threads, self._free = most, name, 0, 0
        self._tasks: deque[_Task] = deque()
        self._news = threading.Condition()
        self._dismissed = False

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Return the future of some work."""
        future: Future[T] = Future()
        with self._news:
            self._tasks.append((future, work, arguments))
            if self._free >= len(self._tasks) or self._threads >= self._most:
                self._news.notify()
                return future
            self._threads += 1
            name = f"{self._name}-{self._threads}"
        threading.Thread(target=self._labour, name=name, daemon=True).start()
        return future

    def dismiss(self) -> None:
        """Begin nothing more: what waits is cancelled, and who is at work leaves after it."""
        with self._news:
            self._dismissed = True
            for future, _work, _arguments in self._tasks:
                future.cancel()
            self._tasks.clear()
            self._news.notify_all()

    def _labour(self) -> None:
        while (task := self._next()) is not None:
            future, work, arguments = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(*arguments))
                except BaseException as error:  # noqa: BLE001 - all of them: whoever asks the future gets it raised
                    future.set_exception(error)
            del task, future

    def _next(self) -> _Task | None:
        with self._news:
            self._free += 1
            while not self._tasks and not self._dismissed:
                self._news.wait()
            self._free -= 1
            return self._tasks.popleft() if self._tasks else None
