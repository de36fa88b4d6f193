"""How often and how many: connections of an address, messages and subscriptions of one connection.

Counted in seconds of the wire (a clock's monotonic time), not of the markets, so that they hold at any speed of these.
Sources: common/websocket-intro; heartbeat and the books limit of v3 as measured by third parties.
"""

from __future__ import annotations

import threading
from collections import deque

MESSAGES_PER_S = 10
SUBSCRIBES_PER_H = 240
CHANNELS = 1000
LARGEST_SUBSCRIBE = 4096  # bytes of a message
MOST_BOOK_ARGUMENTS = 10  # of a v3 message; more and the connection is gone without a word
PING_WITHIN_S = 120
LONGEST_S = 86_400
CONNECTS = 300  # of an address
CONNECTS_WINDOW_S = 300
CONNECTIONS = 100  # of an address at a time


class SlidingWindow:
    """At most so many of something in any window of that length."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count, self._seconds = count, seconds
        self._times: deque[float] = deque()

    def admits(self, now_s: float) -> bool:
        """Return whether one more fits; it counts if it does."""
        while self._times and self._times[0] <= now_s - self._seconds:
            self._times.popleft()
        if len(self._times) >= self._count:
            return False
        self._times.append(now_s)
        return True


class AddressLimits:
    """Connects and open connections by network address; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connects: dict[str, SlidingWindow] = {}
        self._open: dict[str, int] = {}

    def admits(self, address: str, now_s: float) -> bool:
        """Return whether this address may connect once more; if so, the connection counts until it is released."""
        with self._lock:
            if self._open.get(address, 0) >= CONNECTIONS:
                return False
            window = self._connects.setdefault(address, SlidingWindow(CONNECTS, CONNECTS_WINDOW_S))
            if not window.admits(now_s):
                return False
            self._open[address] = self._open.get(address, 0) + 1
            return True

    def release(self, address: str) -> None:
        """Count a connection of this address as closed."""
        with self._lock:
            self._open[address] = max(self._open.get(address, 0) - 1, 0)
