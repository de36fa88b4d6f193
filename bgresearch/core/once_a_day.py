"""Messages that are due once a day, although every call has a reason for them."""

from __future__ import annotations

import threading

from bgresearch.core.clock import Clock
from bgresearch.core.intervals import DAY_MS


class OncePerDay:
    """Remembers, in this process, what was said on which day (UTC); may be asked from several threads."""

    def __init__(self) -> None:
        self._said: set[tuple[int, tuple[str, ...]]] = set()
        self._lock = threading.Lock()

    def is_due(self, clock: Clock, *what: str) -> bool:
        """Return whether something is to be said, which is so once on each day of the clock."""
        today = (clock.now_ms() // DAY_MS, what)
        with self._lock:
            due = today not in self._said
            self._said.add(today)
        return due
