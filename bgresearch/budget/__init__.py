"""The request budget that all processes share: the same decisions as in `bgresearch.limits`, over logs that all see.

Every process of the user on this machine counts in one file. Where that cannot be used, a process says so once and
counts alone.
"""

from __future__ import annotations

import threading
from pathlib import Path

from bgresearch.budget.fallback import FallbackBook
from bgresearch.budget.file import FileBook
from bgresearch.budget.place import default_folder
from bgresearch.clock import Clock, SystemClock
from bgresearch.limits import Book, BookLimiter, Limiter, LocalLimiter, MemoryBook

_limiters: dict[tuple[str, Path], Limiter] = {}
_lock = threading.Lock()


def limiter_for(host: str, clock: Clock) -> Limiter:
    """Return the limiter that everything on this machine shares that asks this host; nothing is opened yet.

    Parameters
    ----------
    host : str
        The exchange; each host has its own budget.
    clock : Clock
        Any other than the system's gets a limiter of its own: its time is nobody else's.
    """
    if not isinstance(clock, SystemClock):
        return LocalLimiter(clock)
    folder = default_folder()
    with _lock:
        found = _limiters.get((host, folder))
        if found is None:
            found = _limiters[host, folder] = BookLimiter(clock, _book(host, clock, folder))
        return found


def _book(host: str, clock: Clock, folder: Path) -> Book:
    alone = MemoryBook(clock)
    return FallbackBook(FileBook(folder, host, clock), alone, clock, meanwhile="this process counts its requests alone")
