"""The exchange's own rate limits: strict sliding windows on its own clock, and a ban for clients that exceed them.

Sources: per-endpoint limits and the address budget of 6000 a minute with its five minutes of recovery are documented
(common/faq Q10). The windows here slide, so that any burst the real exchange could refuse is refused.
"""

from __future__ import annotations

import threading
from collections import deque

from bgresearch.catalogue import Endpoint

ADDRESS_BUDGET = 6000  # requests of one network address in any 60 s
ADDRESS_WINDOW_MS = 60_000
BAN_MS = 300_000  # five minutes (one before 2025-08-11)
TIDY_EVERY_MS = 60_000


class Quotas:
    """Counts of every endpoint and address; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, str], deque[int]] = {}
        self._addresses: dict[str, deque[int]] = {}
        self._banned_until_ms: dict[str, int] = {}
        self._tidied_ms = 0

    def admits_address(self, address: str, now_ms: int) -> bool:
        """Return whether this address may speak at all; the request counts, whatever becomes of it.

        The first request above the budget starts the ban; requests during a ban neither count nor prolong it.
        """
        with self._lock:
            if now_ms < self._banned_until_ms.get(address, 0):
                return False
            window = self._addresses.setdefault(address, deque())
            _drop_before(window, now_ms - ADDRESS_WINDOW_MS)
            if len(window) >= ADDRESS_BUDGET:
                self._banned_until_ms[address] = now_ms + BAN_MS
                return False
            window.append(now_ms)
            return True

    def take(self, endpoint: Endpoint, identity: str, now_ms: int) -> int | None:
        """Return the calls left in this endpoint's window after this one, or None if there was none left.

        Parameters
        ----------
        endpoint : Endpoint
            The row with the limit.
        identity : str
            The network address or the account, as the limit's scope says.
        now_ms : int
            The exchange's clock.
        """
        limit = endpoint.limit
        with self._lock:
            self._tidy(now_ms)
            window = self._calls.setdefault((endpoint.id, identity), deque())
            _drop_before(window, now_ms - int(limit.seconds * 1000))
            if len(window) >= limit.count:
                return None
            window.append(now_ms)
            return limit.count - len(window)

    def _tidy(self, now_ms: int) -> None:
        """Drop windows that were unused for a minute (the longest limit is 60 s at most; checked by a test)."""
        if now_ms - self._tidied_ms < TIDY_EVERY_MS:
            return
        self._tidied_ms = now_ms
        stale = [key for key, window in self._calls.items() if not window or window[-1] <= now_ms - ADDRESS_WINDOW_MS]
        for key in stale:
            del self._calls[key]


def _drop_before(window: deque[int], oldest_ms: int) -> None:
    while window and window[0] <= oldest_ms:
        window.popleft()
