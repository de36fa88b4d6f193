"""Between the threads that receive and the one that reads: rows that wait, books that changed, what came recently."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from bgresearch.schemas import Row

MOST_WAITING = (
    100_000  # rows, half a kilobyte each; a reader that is too slow for long loses the oldest, which is a gap
)
MOST_RECENT = 20_000
_DROPPED_TOGETHER = 10_000
_BATCH = 20_000

Key = tuple[str, ...]


class Outlet:
    """Rows and changed books, for one reader; safe to share between threads.

    Parameters
    ----------
    dropped : callable
        Called with the rows that were dropped because the reader is too slow.
    """

    def __init__(self, dropped: Callable[[list[Row]], None]) -> None:
        self._news = threading.Condition()
        self._rows: deque[Row] = deque()
        self._changed: dict[Key, int] = {}
        self._dropped = dropped
        self._closed = False
        self.recent: deque[Row] = deque(maxlen=MOST_RECENT)
        self.open_bars: dict[str, Row] = {}

    def add(self, rows: list[Row]) -> None:
        """Add rows."""
        if not rows:
            return
        lost: list[Row] = []
        with self._news:
            self._rows.extend(rows)
            self.recent.extend(rows)
            if len(self._rows) > MOST_WAITING:
                lost = [self._rows.popleft() for _ in range(_DROPPED_TOGETHER)]
            self._news.notify_all()
        if lost:
            self._dropped(lost)

    def changed(self, keys: Iterable[Key], received_ms: int) -> None:
        """Take note that books changed; of each only the newest state is given."""
        with self._news:
            self._changed.update(dict.fromkeys(keys, received_ms))
            self._news.notify_all()

    def forming(self, symbol: str, bar: Row | None) -> None:
        """Keep the candle that is still forming."""
        if bar is not None:
            self.open_bars[symbol] = bar

    def remember(self, most: int) -> None:
        """Keep so many of the recent rows from now on, instead of 20,000."""
        with self._news:
            self.recent = deque(self.recent, maxlen=most)

    def close(self) -> None:
        """Let the reader end once it has taken what is there."""
        with self._news:
            self._closed = True
            self._news.notify_all()

    def take(self, wait_s: float | None = None) -> list[Row] | tuple[Key, int] | None:
        """Return rows, or a book that changed with its time; None if nothing came in time or the stream has ended."""
        deadline = None if wait_s is None else time.monotonic() + wait_s
        with self._news:
            while not (self._rows or self._changed):
                left = None if deadline is None else deadline - time.monotonic()
                if self._closed or (left is not None and left <= 0):
                    return None
                self._news.wait(left if left is not None else 1.0)
            if self._rows:
                return [self._rows.popleft() for _ in range(min(_BATCH, len(self._rows)))]
            key = next(iter(self._changed))
            return key, self._changed.pop(key)

    @property
    def closed(self) -> bool:
        """Whether nothing more comes."""
        return self._closed

    def latest(self) -> list[Row]:
        """Return what came recently."""
        with self._news:
            return list(self.recent)
