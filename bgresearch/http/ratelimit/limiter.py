"""Decides whether a request may leave now, else when: a pure function of request logs, and one sleep. No network.

The exchange counts arrivals in a strict sliding second. The arrival time of a request is not known, only that it is
between its departure and its response. So a slot is held from before the request is sent until its response is there,
however long the process, the network or the exchange delays it, and is free again one window after the latest possible
arrival: the time of the response minus the certain part of the shortest trip. In addition each window is stretched by
2 %, for the resolution and the drift of two clocks.
The limit of the address (documentation: 6000 per minute, five minutes of recovery) is used to 90 %. It counts
departures: only requests in flight can arrive late, and these are at most one window's count of each endpoint.

The logs are in a store: in this process's memory, or in one that all processes share (`http.ratelimit`). The
decision is the same for all of them.

Why not pyrate-limiter: it waits with its own clock and `time.sleep`, knows neither cool-downs nor the exchange's own
count, and cannot take a slot of the endpoint and one of the address in a single step.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import weakref
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from bgresearch.catalogue import Endpoint
from bgresearch.core.clock import Clock
from bgresearch.core.spans import iso

STRETCH = 1.02
ADDRESS_COUNT = 5400  # 90 % of the documented 6000
ADDRESS_WINDOW_S = 60.0
COOL_DOWN_S = 2.0  # after a 429 of one endpoint: longer than any window of a market or account endpoint
ADDRESS_COOL_DOWN_S = 300.0  # documentation, change of 2025-08-11; one minute before
ADDRESS = ""  # the name of the log of all requests of this address
LONG_WAIT_S = 5.0  # for longer waits a warning gives reason and end
LONGEST_OUT_S = 30.0  # longer than the response timeout; after that the process must be dead
_STALE_S = 10.0  # a slot that took longer to get is given back: the process was suspended meanwhile
_ENOUGH_TRIPS = 20  # with fewer trips, even the shortest one may have been delayed
_SHORTEST_WAIT_S = 0.001  # so that rounding never causes a busy loop

T = TypeVar("T")
_notices = logging.getLogger(__name__)


class Limiter(Protocol):
    """Decides when a request may leave; one limiter is shared by all senders."""

    def acquire(self, endpoint: Endpoint, identity: str) -> Slot:
        """Wait until a request of this identity may leave; the slot is held until `answered`."""

    def attempt(self, endpoint: Endpoint, identity: str) -> Slot | Wait:
        """Return the slot of a request that may leave now, else how long to wait before the next attempt."""

    def answered(self, slot: Slot, heard: bool = True) -> None:
        """Record that the request of this slot was answered, or (not ``heard``) failed or was given up."""

    def observed(self, endpoint: Endpoint, identity: str, remaining: int) -> None:
        """Record how many calls of this window are left according to the exchange (``x-mbx-used-remain-limit``)."""

    def rejected(self, endpoint: Endpoint, identity: str, *, address_wide: bool) -> int:
        """Record a 429 and return the epoch milliseconds until which no request of that kind leaves."""


class Slot(NamedTuple):
    """The permission for one request: the log that counts it, and its departure by that store's clock."""

    log: str
    left_s: float


class Wait(NamedTuple):
    """No permission yet: the seconds until the next attempt is worth while, and why."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class RateWindow:
    """At most ``count`` arrivals in any ``seconds``."""

    count: int
    seconds: float


ADDRESS_WINDOW = RateWindow(ADDRESS_COUNT, ADDRESS_WINDOW_S)


def window_of(endpoint: Endpoint) -> RateWindow:
    """Return the window used for an endpoint: its limit, stretched."""
    return RateWindow(endpoint.limit.count, endpoint.limit.seconds * STRETCH)


class Log:
    """The requests that still count, the shortest trip, and the current pause.

    Attributes
    ----------
    arrived : deque of float
        Latest possible arrival of each answered request, ascending.
    out : list of float
        Departure of each request in flight, ascending.
    trip_s, trips : float, int
        The shortest trip, and the number of trips measured. Requests that left before ``first_s``, the time of the very
        first response, also opened their connection and are not measured.
    changed : bool
        Whether there is anything to store; expired entries are dropped again by the next reader.
    """

    __slots__ = ("arrived", "changed", "first_s", "out", "paused_until_s", "trip_s", "trips")

    def __init__(
        self, arrived: Iterable[float] = (), out: Iterable[float] = (), *, paused_until_s: float = 0.0,
        trip_s: float = math.inf, trips: int = 0, first_s: float = math.inf,
    ) -> None:  # fmt: skip
        self.arrived = deque(arrived)
        self.out = list(out)
        self.paused_until_s = paused_until_s
        self.trip_s, self.trips = trip_s, trips
        self.first_s = first_s
        self.changed = False

    def __len__(self) -> int:
        """Return how many requests count."""
        return len(self.arrived) + len(self.out)

    def ready_s(self, window: RateWindow, now_s: float) -> float:
        """Return the earliest time from ``now_s`` on for one more; a lower bound while requests are in flight."""
        self.forget(window, now_s)
        free_s, first = now_s, len(self) - window.count
        if first >= len(self.arrived):
            lost_s = self.out[first - len(self.arrived)] + LONGEST_OUT_S
            free_s = min(now_s - self._certain_s(), lost_s) + window.seconds  # as if it were answered now
        elif first >= 0:
            free_s = self.arrived[first] + window.seconds
        return max(now_s, free_s, self.paused_until_s)

    def forget(self, window: RateWindow, now_s: float) -> None:
        """Drop requests that no longer count."""
        while self.arrived and self.arrived[0] + window.seconds <= now_s:
            self.arrived.popleft()
        while self.out and self.out[0] + LONGEST_OUT_S + window.seconds <= now_s:
            del self.out[0]

    def left(self, now_s: float) -> None:
        """Count one request that leaves now."""
        self.out.append(now_s)
        self.changed = True

    def counted(self, more: int, now_s: float) -> None:
        """Count requests that have arrived by now."""
        if more > 0:
            latest_s = max(now_s, self.arrived[-1]) if self.arrived else now_s
            self.arrived.extend([latest_s] * more)
            self.changed = True

    def answered(self, left_s: float, now_s: float, *, heard: bool) -> None:
        """Count a request as arrived at its latest possible arrival, even if its departure is no longer known."""
        if left_s in self.out:
            self.out.remove(left_s)
        if heard:
            if left_s >= self.first_s:
                self.trip_s, self.trips = min(self.trip_s, now_s - left_s), self.trips + 1
            self.first_s = min(self.first_s, now_s)
        self.counted(1, max(left_s, now_s - self._certain_s() if heard else now_s))

    def _certain_s(self) -> float:
        """Return the certain time between arrival and response, which is less than a new request needs to arrive."""
        return self.trip_s / 2 if self.trips >= _ENOUGH_TRIPS else 0.0

    def pause(self, until_s: float) -> None:
        """Pause until then; a longer pause stays in effect."""
        self.paused_until_s = max(self.paused_until_s, until_s)
        self.changed = True

    def shift(self, by_s: float) -> None:
        """Shift every time, as another clock has another origin."""
        self.arrived = deque(moment + by_s for moment in self.arrived)
        self.out = [moment + by_s for moment in self.out]
        self.paused_until_s += by_s
        self.first_s += by_s
        self.changed = True


class LogStore(Protocol):
    """The storage of one host's logs, with its own clock."""

    def change(self, names: tuple[str, ...], decide: Callable[[float, list[Log]], T]) -> T:
        """Return the result of ``decide`` on the time and these logs, and store its changes to them.

        Exclusive: no other reader or writer uses the store meanwhile. ``decide`` may be called again, with other logs.
        """


class MemoryLogStore:
    """A store in the memory of this process; safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logs: dict[str, Log] = {}

    def change(self, names: tuple[str, ...], decide: Callable[[float, list[Log]], T]) -> T:
        """Return the result of ``decide`` on the logs."""
        with self._lock:
            return decide(self._clock.monotonic_s(), [self._logs.setdefault(name, Log()) for name in names])


# Why this never exceeds the exchange's count, whatever stops in between. Taking a slot reads, decides and writes both
# logs (endpoint and address) in one exclusive change of the store, so two processes never take the same slot. The slot
# is taken before the request is sent; a process that was suspended while it took one sees by the clock that the slot
# is stale, and gives it back. A process that is killed leaves its slot in flight; it counts for `LONGEST_OUT_S` more.
# Threads queue per log, so that only one of them computes the next free slot. After a fork the queues are new, since a
# lock copied while held is never released. A 429 or a lower remaining count of the exchange only ever adds to the logs.
class LogLimiter:
    """A limiter that decides by the logs of a store; safe to share between threads.

    Parameters
    ----------
    clock : Clock
        Sleeps, and gives the time of day for messages.
    store : LogStore
        The storage of the logs.
    """

    def __init__(self, clock: Clock, store: LogStore) -> None:
        self._clock = clock
        self._store = store
        self._notified_until_ms = 0
        self._queues: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        _limiters.add(self)

    def acquire(self, endpoint: Endpoint, identity: str) -> Slot:
        """Wait until a request may leave, and count it.

        Parameters
        ----------
        endpoint : Endpoint
            The row with the limit.
        identity : str
            The account, for rows with a limit per uid; rows with a limit per address share one log.

        Returns
        -------
        Slot
            To be passed to `answered`, whatever the outcome of the request.
        """
        with self._queues[_name(endpoint, identity)]:  # one thread waits for the next slot, the others for the lock
            while True:
                asked_s = self._clock.monotonic_s()
                found = self.attempt(endpoint, identity)
                if isinstance(found, Slot):
                    if self._clock.monotonic_s() - asked_s < _STALE_S:
                        return found
                    self.answered(found, heard=False)
                    continue
                if found.seconds >= LONG_WAIT_S:
                    self._notify(found)
                self._clock.sleep(found.seconds)

    def forget_queues(self) -> None:
        """Replace all locks: a fork copies held locks, but not the threads that hold them."""
        self._queues = defaultdict(threading.Lock)

    def answered(self, slot: Slot, heard: bool = True) -> None:
        """Count a request from its latest possible arrival."""
        self._store.change((slot.log,), lambda now_s, logs: logs[0].answered(slot.left_s, now_s, heard=heard))

    def observed(self, endpoint: Endpoint, identity: str, remaining: int) -> None:
        """Use the exchange's count if it is higher than ours: another program uses the same limit."""
        window = window_of(endpoint)
        if not 0 <= remaining <= window.count:
            return

        def use(now_s: float, logs: list[Log]) -> None:
            logs[0].forget(window, now_s)
            logs[0].counted(window.count - remaining - len(logs[0]), now_s)

        self._store.change((_name(endpoint, identity),), use)

    def rejected(self, endpoint: Endpoint, identity: str, *, address_wide: bool) -> int:
        """Pause the endpoint for 2 s or two windows, or the whole address for five minutes; return the end."""
        pause_s = ADDRESS_COOL_DOWN_S if address_wide else max(COOL_DOWN_S, 2 * endpoint.limit.seconds)

        def rest(now_s: float, logs: list[Log]) -> float:
            logs[0].pause(now_s + pause_s)
            return logs[0].paused_until_s - now_s

        left_s = self._store.change((ADDRESS if address_wide else _name(endpoint, identity),), rest)
        return self._clock.now_ms() + math.ceil(left_s * 1000)

    def attempt(self, endpoint: Endpoint, identity: str) -> Slot | Wait:
        """Count one request and return its slot, or return how long to wait; for callers that wait in their own way."""
        window, name = window_of(endpoint), _name(endpoint, identity)

        def leave(now_s: float, logs: list[Log]) -> Slot | Wait:
            log, address = logs
            address_s = address.ready_s(ADDRESS_WINDOW, now_s)
            ready_s = max(log.ready_s(window, now_s), address_s)
            if ready_s > now_s:
                return Wait(max(ready_s - now_s, _SHORTEST_WAIT_S), _reason(endpoint, address, address_s, ready_s))
            log.left(now_s)
            address.counted(1, now_s)
            return Slot(name, now_s)

        return self._store.change((name, ADDRESS), leave)

    def _notify(self, wait: Wait) -> None:
        """Log reason and end of a long wait once, however many threads wait for it."""
        until_ms = self._clock.now_ms() + math.ceil(wait.seconds * 1000)
        if until_ms > self._notified_until_ms + LONG_WAIT_S * 1000:
            self._notified_until_ms = until_ms
            _notices.warning("%s; requests wait until %s", wait.reason, iso(until_ms))


_limiters: weakref.WeakSet[LogLimiter] = weakref.WeakSet()


def _after_fork() -> None:
    for limiter in list(_limiters):
        limiter.forget_queues()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class LocalLimiter(LogLimiter):
    """A limiter for this process alone.

    Parameters
    ----------
    clock : Clock
        Gives the time and sleeps.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, MemoryLogStore(clock))


def _name(endpoint: Endpoint, identity: str) -> str:
    return f"{endpoint.id} {identity}" if endpoint.limit.scope == "uid" else endpoint.id


def _reason(endpoint: Endpoint, address: Log, address_s: float, ready_s: float) -> str:
    if address_s < ready_s:
        return f"{endpoint.id} is used up or was refused"
    if address.paused_until_s >= ready_s:
        return "the exchange refuses this address for a while, or the last requests are not known"
    return f"this address has sent {ADDRESS_COUNT} requests within a minute, 90 % of its limit"
