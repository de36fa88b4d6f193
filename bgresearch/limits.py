"""May this request go now, else when: a pure decision over a log of departures, and one sleep. No network.

The exchange counts arrivals in a strict sliding second while requests jitter on the way, so each window is stretched
by 8 % here: a limit of 20 per second becomes 20 per 1.08 s, which is 92 % of the limit and forgives 80 ms of jitter.
The address budget (documentation: 6000 per minute, five minutes of recovery) is used to 90 %.

Why not pyrate-limiter: it waits with its own clock and `time.sleep`, knows neither cool-downs nor the exchange's own
count, and cannot take a slot of the endpoint and one of the address in a single step.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from bgresearch.catalogue import Endpoint
from bgresearch.clock import Clock

STRETCH = 1.08
ADDRESS_COUNT = 5400  # 90 % of the documented 6000
ADDRESS_WINDOW_S = 60.0
COOL_DOWN_S = 2.0  # after a 429 of one endpoint: longer than any window of a market or account endpoint
ADDRESS_COOL_DOWN_S = 300.0  # documentation, change of 2025-08-11; one minute before
_SHORTEST_WAIT_S = 0.001  # so that rounding never turns waiting into spinning


class Limiter(Protocol):
    """Whoever decides when a request may leave; one of these is shared by everything that sends."""

    def acquire(self, endpoint: Endpoint, identity: str) -> None:
        """Wait until a request of this identity may leave, and count it as left."""

    def observed(self, endpoint: Endpoint, identity: str, remaining: int) -> None:
        """Take in how many calls of this window the exchange says are left (``x-mbx-used-remain-limit``)."""

    def rejected(self, endpoint: Endpoint, identity: str, *, address_wide: bool) -> int:
        """Take in a 429 and return the epoch milliseconds until which nothing of that kind will leave."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``count`` departures in any ``seconds``."""

    count: int
    seconds: float


ADDRESS_WINDOW = Window(ADDRESS_COUNT, ADDRESS_WINDOW_S)


def window_of(endpoint: Endpoint) -> Window:
    """Return the window that is kept to for an endpoint: its limit, stretched."""
    return Window(endpoint.limit.count, endpoint.limit.seconds * STRETCH)


class Log:
    """The departures that still count, oldest first, and the pause that is on."""

    __slots__ = ("departures", "paused_until_s")

    def __init__(self) -> None:
        self.departures: deque[float] = deque()
        self.paused_until_s = 0.0

    def ready_s(self, window: Window, now_s: float) -> float:
        """Return the earliest moment, not before ``now_s``, at which one more may leave."""
        self.forget(window, now_s)
        free_s = now_s
        if len(self.departures) >= window.count:
            free_s = self.departures[-window.count] + window.seconds
        return max(now_s, free_s, self.paused_until_s)

    def forget(self, window: Window, now_s: float) -> None:
        """Drop departures that no longer count."""
        while self.departures and self.departures[0] + window.seconds <= now_s:
            self.departures.popleft()


class LocalLimiter:
    """A limiter for this process; safe to share between threads.

    Parameters
    ----------
    clock : Clock
        Where the time comes from and who waits.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logs: dict[tuple[str, str], Log] = {}
        self._address = Log()

    def acquire(self, endpoint: Endpoint, identity: str) -> None:
        """Wait until a request may leave, and count it.

        Parameters
        ----------
        endpoint : Endpoint
            The row with the limit.
        identity : str
            Whose limit it is where the row counts by uid; rows that count by address share one log.
        """
        while (wait_s := self._try(endpoint, identity)) > 0:
            self._clock.sleep(wait_s)

    def observed(self, endpoint: Endpoint, identity: str, remaining: int) -> None:
        """Believe the exchange's count where it is higher than ours: someone else uses the same limit."""
        window = window_of(endpoint)
        if not 0 <= remaining <= window.count:
            return
        with self._lock:
            now_s = self._clock.monotonic_s()
            log = self._log(endpoint, identity)
            log.forget(window, now_s)
            log.departures.extend([now_s] * (window.count - remaining - len(log.departures)))

    def rejected(self, endpoint: Endpoint, identity: str, *, address_wide: bool) -> int:
        """Pause the endpoint for 2 s or two windows, or the whole address for five minutes, and say until when."""
        pause_s = ADDRESS_COOL_DOWN_S if address_wide else max(COOL_DOWN_S, 2 * endpoint.limit.seconds)
        with self._lock:
            now_s = self._clock.monotonic_s()
            log = self._address if address_wide else self._log(endpoint, identity)
            log.paused_until_s = max(log.paused_until_s, now_s + pause_s)
            return self._clock.now_ms() + math.ceil((log.paused_until_s - now_s) * 1000)

    def _try(self, endpoint: Endpoint, identity: str) -> float:
        """Count one departure and return 0, or return the seconds after which to try again."""
        with self._lock:
            now_s = self._clock.monotonic_s()
            log = self._log(endpoint, identity)
            ready_s = max(log.ready_s(window_of(endpoint), now_s), self._address.ready_s(ADDRESS_WINDOW, now_s))
            if ready_s > now_s:
                return max(ready_s - now_s, _SHORTEST_WAIT_S)
            log.departures.append(now_s)
            self._address.departures.append(now_s)
            return 0.0

    def _log(self, endpoint: Endpoint, identity: str) -> Log:
        key = (endpoint.id, identity if endpoint.limit.scope == "uid" else "")
        return self._logs.setdefault(key, Log())
