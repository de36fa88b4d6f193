"""A thread pool that never keeps a process from exiting.

The standard library's pool waits at exit for running work: after Ctrl-C that would be a request in flight, or a pause
of five minutes that the exchange demands.
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
    """A pool with a maximum of threads; a thread is started when there is work and no idle thread.

    Parameters
    ----------
    most : int
        Largest number of threads.
    name : str
        Prefix of the thread names.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name, self._threads, self._free = most, name, 0, 0
        self._tasks: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._is_shut_down = False

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Return the future of a submitted call."""
        future: Future[T] = Future()
        with self._changed:
            self._tasks.append((future, work, arguments))
            if self._free >= len(self._tasks) or self._threads >= self._most:
                self._changed.notify()
                return future
            self._threads += 1
            name = f"{self._name}-{self._threads}"
        threading.Thread(target=self._run, name=name, daemon=True).start()
        return future

    def dismiss(self) -> None:
        """Shut down: waiting work is cancelled, and threads exit after their current work."""
        with self._changed:
            self._is_shut_down = True
            for future, _work, _arguments in self._tasks:
                future.cancel()
                future.set_running_or_notify_cancel()  # without it, `concurrent.futures.wait` goes on waiting for it
            self._tasks.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            future, work, arguments = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(*arguments))
                except BaseException as error:  # noqa: BLE001 - all of them: the future raises it again
                    future.set_exception(error)
            del task, future

    def _next(self) -> _Task | None:
        with self._changed:
            self._free += 1
            while not self._tasks and not self._is_shut_down:
                self._changed.wait()
            self._free -= 1
            return self._tasks.popleft() if self._tasks else None
