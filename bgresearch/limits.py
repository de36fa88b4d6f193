"""May this request go now, else when: a pure decision over a log of departures, and one sleep. No network.

The exchange counts arrivals in a strict sliding second while requests jitter on the way, so each window is stretched
by 8 % here: a limit of 20 per second becomes 20 per 1.08 s, which is 92 % of the limit and forgives 80 ms of jitter.
Where a request was held up for longer, its answer tells: it cannot have arrived much later than that was sent.
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
_LONGEST_WAY_S = 0.5  # an answer that takes longer was long in the making, not long on its way
_LOOK_AGAIN_S = 0.02
_SHORTEST_WAIT_S = 0.001  # so that rounding never turns waiting into spinning


class Limiter(Protocol):
    """Whoever decides when a request may leave; one of these is shared by everything that sends."""

    def acquire(self, endpoint: Endpoint, identity: str) -> None:
        """Wait until a request of this identity may leave, and count it as left."""

    def answered(self, endpoint: Endpoint, identity: str) -> None:
        """Take in that one of the requests that left has come back, or is given up."""

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
    """The departures that still count, oldest first; how many came back, the shortest trip; the pause that is on."""

    __slots__ = ("back", "departures", "paused_until_s", "trip_s")

    def __init__(self) -> None:
        self.departures: deque[float] = deque()
        self.paused_until_s = 0.0
        self.back = 0
        self.trip_s = math.inf

    def ready_s(self, window: Window, now_s: float) -> float:
        """Return the earliest moment, not before ``now_s``, at which one more may leave."""
        self.forget(window, now_s)
        free_s, first = now_s, len(self.departures) - window.count
        if first >= 0:
            free_s = self.departures[first] + window.seconds
            if free_s <= now_s and self._held_up(first):
                free_s = now_s + _LOOK_AGAIN_S  # it may be arriving only now
        return max(now_s, free_s, self.paused_until_s)

    def forget(self, window: Window, now_s: float) -> None:
        """Drop departures that no longer count."""
        while self.departures:
            late_s = _LONGEST_WAY_S if self._held_up(0) else 0.0
            if self.departures[0] + window.seconds + late_s > now_s:
                break
            self.departures.popleft()
            self.back = max(0, self.back - 1)

    def _held_up(self, place: int) -> bool:
        """Return whether a departure is still out; unknown, and so False, before any came back."""
        return place >= self.back and self.trip_s < math.inf

    def counted(self, more: int, now_s: float) -> None:
        """Add what somebody else sent."""
        for _ in range(more):
            self.departures.insert(self.back, now_s)
            self.back += 1

    def answered(self, forgiven_s: float, now_s: float) -> None:
        """Count the oldest departure that is still out as later, if it was held up on its way.

        Whichever request it was: the first answer cannot come before the first arrival, the second not before the
        second. The way back takes half of the shortest trip.
        """
        if self.back >= len(self.departures):
            return
        left_s = self.departures[self.back]
        self.trip_s = min(self.trip_s, now_s - left_s)
        arrived_s = min(now_s - self.trip_s / 2, left_s + _LONGEST_WAY_S)
        self.departures[self.back] = max(left_s, arrived_s - forgiven_s)
        self.back += 1


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

    def answered(self, endpoint: Endpoint, identity: str) -> None:
        """Count a request that was held up on its way from when it can have arrived."""
        with self._lock:
            forgiven_s = endpoint.limit.seconds * (STRETCH - 1)
            self._log(endpoint, identity).answered(forgiven_s, self._clock.monotonic_s())

    def observed(self, endpoint: Endpoint, identity: str, remaining: int) -> None:
        """Believe the exchange's count where it is higher than ours: someone else uses the same limit."""
        window = window_of(endpoint)
        if not 0 <= remaining <= window.count:
            return
        with self._lock:
            now_s = self._clock.monotonic_s()
            log = self._log(endpoint, identity)
            log.forget(window, now_s)
            log.counted(window.count - remaining - len(log.departures), now_s)

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
