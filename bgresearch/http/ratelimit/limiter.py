"""May this request go now, else when: a pure decision over logs of requests, and one sleep. No network, no files.

The exchange counts arrivals in a strict sliding second. When a request arrives is not known, only that it is after it
left and before its answer. So a slot is held from before the request is sent until its answer is there, however long
the process, the network or the exchange holds it up, and is free again one window after the request can last have
arrived: the answer's time less the part of the shortest trip that is certain. On top of that each window is stretched
by 2 %, for the resolution and the drift of two clocks.
The address budget (documentation: 6000 per minute, five minutes of recovery) is used to 90 %. It counts departures: no
more can arrive late than what is on its way, and that is at most one window's count of each endpoint.

The logs are kept in a book: in this process's memory, or in one that every process shares (`http.ratelimit`). The
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
ADDRESS = ""  # the name of the log of everything that this address sent
LONG_WAIT_S = 5.0  # whoever waits longer is told for what and until when
LONGEST_OUT_S = 30.0  # longer than a request waits for its answer; after that its process is dead
_STALE_S = 10.0  # a slot that took longer to get is given back: its process was stopped meanwhile
_ENOUGH_TRIPS = 20  # before that, the shortest trip may have been held up as well
_SHORTEST_WAIT_S = 0.001  # so that rounding never turns waiting into spinning

T = TypeVar("T")
_notices = logging.getLogger(__name__)


class Limiter(Protocol):
    """Whoever decides when a request may leave; one of these is shared by everything that sends."""

    def acquire(self, endpoint: Endpoint, identity: str) -> Slot:
        """Wait until a request of this identity may leave; the slot is held until `answered`."""

    def answered(self, slot: Slot, heard: bool = True) -> None:
        """Take in that the request of this slot was answered, or (not ``heard``) failed or is given up."""

    def observed(self, endpoint: Endpoint, identity: str, remaining: int) -> None:
        """Take in how many calls of this window the exchange says are left (``x-mbx-used-remain-limit``)."""

    def rejected(self, endpoint: Endpoint, identity: str, *, address_wide: bool) -> int:
        """Take in a 429 and return the epoch milliseconds until which nothing of that kind will leave."""


class Slot(NamedTuple):
    """The permission for one request: in which log it is counted, and when it left by that book's clock."""

    log: str
    left_s: float


@dataclass(frozen=True, slots=True)
class RateWindow:
    """At most ``count`` arrivals in any ``seconds``."""

    count: int
    seconds: float


ADDRESS_WINDOW = RateWindow(ADDRESS_COUNT, ADDRESS_WINDOW_S)


def window_of(endpoint: Endpoint) -> RateWindow:
    """Return the window that is kept to for an endpoint: its limit, stretched."""
    return RateWindow(endpoint.limit.count, endpoint.limit.seconds * STRETCH)


class Log:
    """The requests that still count, the shortest trip, and the pause that is on.

    Attributes
    ----------
    arrived : deque of float
        When each request that came back can last have arrived, ascending.
    out : list of float
        When each request left that is still on its way, ascending.
    trip_s, trips : float, int
        The shortest trip of how many. Requests that left before ``first_s``, when the first answer of all came, opened
        their connection on the way and are not among them.
    changed : bool
        Whether there is anything to keep; what only grew old is forgotten again by the next reader.
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
        """Return the earliest moment, not before ``now_s``, at which one more may leave; not too late if one is out."""
        self.forget(window, now_s)
        free_s, first = now_s, len(self) - window.count
        if first >= len(self.arrived):
            lost_s = self.out[first - len(self.arrived)] + LONGEST_OUT_S
            free_s = min(now_s - self._certain_s(), lost_s) + window.seconds  # as if it were answered at once
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
        """Count one request that is on its way from now on."""
        self.out.append(now_s)
        self.changed = True

    def counted(self, more: int, now_s: float) -> None:
        """Count requests that arrived by now."""
        if more > 0:
            latest_s = max(now_s, self.arrived[-1]) if self.arrived else now_s
            self.arrived.extend([latest_s] * more)
            self.changed = True

    def answered(self, left_s: float, now_s: float, *, heard: bool) -> None:
        """Count a request as arrived when it can last have arrived: also where its departure is no longer known."""
        if left_s in self.out:
            self.out.remove(left_s)
        if heard:
            if left_s >= self.first_s:
                self.trip_s, self.trips = min(self.trip_s, now_s - left_s), self.trips + 1
            self.first_s = min(self.first_s, now_s)
        self.counted(1, max(left_s, now_s - self._certain_s() if heard else now_s))

    def _certain_s(self) -> float:
        """Return how long before its answer a request has arrived at least, less than a new one needs to arrive."""
        return self.trip_s / 2 if self.trips >= _ENOUGH_TRIPS else 0.0

    def pause(self, until_s: float) -> None:
        """Let nothing leave before then; an earlier, longer pause stays."""
        self.paused_until_s = max(self.paused_until_s, until_s)
        self.changed = True

    def shift(self, by_s: float) -> None:
        """Move every moment, as another clock counts from another start."""
        self.arrived = deque(moment + by_s for moment in self.arrived)
        self.out = [moment + by_s for moment in self.out]
        self.paused_until_s += by_s
        self.first_s += by_s
        self.changed = True


class Book(Protocol):
    """Where the logs of one host lie, and what time it is there."""

    def change(self, names: tuple[str, ...], decide: Callable[[float, list[Log]], T]) -> T:
        """Return what ``decide`` makes of the time and the logs of these names, and keep what it changed in them.

        Nobody else reads or changes the book meanwhile. ``decide`` may be called again, with other logs.
        """


class MemoryBook:
    """A book that only this process knows; safe to share between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logs: dict[str, Log] = {}

    def change(self, names: tuple[str, ...], decide: Callable[[float, list[Log]], T]) -> T:
        """Return what ``decide`` makes of the logs."""
        with self._lock:
            return decide(self._clock.monotonic_s(), [self._logs.setdefault(name, Log()) for name in names])


class _Wait(NamedTuple):
    seconds: float
    reason: str


class BookLimiter:
    """A limiter that decides by the logs of a book; safe to share between threads.

    Parameters
    ----------
    clock : Clock
        Who waits, and the time of day in messages.
    book : Book
        Where the logs lie.
    """

    def __init__(self, clock: Clock, book: Book) -> None:
        self._clock = clock
        self._book = book
        self._told_ms = 0
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        _limiters.add(self)

    def acquire(self, endpoint: Endpoint, identity: str) -> Slot:
        """Wait until a request may leave, and count it.

        Parameters
        ----------
        endpoint : Endpoint
            The row with the limit.
        identity : str
            Whose limit it is where the row counts by uid; rows that count by address share one log.

        Returns
        -------
        Slot
            To be handed to `answered`, whatever becomes of the request.
        """
        with self._turns[_name(endpoint, identity)]:  # one waits for the next slot, the others for their turn
            while True:
                asked_s = self._clock.monotonic_s()
                found = self._try(endpoint, identity)
                if isinstance(found, Slot):
                    if self._clock.monotonic_s() - asked_s < _STALE_S:
                        return found
                    self.answered(found, heard=False)
                    continue
                if found.seconds >= LONG_WAIT_S:
                    self._tell(found)
                self._clock.sleep(found.seconds)

    def forget_turns(self) -> None:
        """Let nobody wait for a thread that is not there: a fork copies locks, but not who holds them."""
        self._turns = defaultdict(threading.Lock)

    def answered(self, slot: Slot, heard: bool = True) -> None:
        """Count a request from when it can last have arrived."""
        self._book.change((slot.log,), lambda now_s, logs: logs[0].answered(slot.left_s, now_s, heard=heard))

    def observed(self, endpoint: Endpoint, identity: str, remaining: int) -> None:
        """Believe the exchange's count where it is higher than ours: someone else uses the same limit."""
        window = window_of(endpoint)
        if not 0 <= remaining <= window.count:
            return

        def believe(now_s: float, logs: list[Log]) -> None:
            logs[0].forget(window, now_s)
            logs[0].counted(window.count - remaining - len(logs[0]), now_s)

        self._book.change((_name(endpoint, identity),), believe)

    def rejected(self, endpoint: Endpoint, identity: str, *, address_wide: bool) -> int:
        """Pause the endpoint for 2 s or two windows, or the whole address for five minutes, and say until when."""
        pause_s = ADDRESS_COOL_DOWN_S if address_wide else max(COOL_DOWN_S, 2 * endpoint.limit.seconds)

        def rest(now_s: float, logs: list[Log]) -> float:
            logs[0].pause(now_s + pause_s)
            return logs[0].paused_until_s - now_s

        left_s = self._book.change((ADDRESS if address_wide else _name(endpoint, identity),), rest)
        return self._clock.now_ms() + math.ceil(left_s * 1000)

    def _try(self, endpoint: Endpoint, identity: str) -> Slot | _Wait:
        """Count one request and return its slot, or return after how long to try again."""
        window, name = window_of(endpoint), _name(endpoint, identity)

        def leave(now_s: float, logs: list[Log]) -> Slot | _Wait:
            log, address = logs
            address_s = address.ready_s(ADDRESS_WINDOW, now_s)
            ready_s = max(log.ready_s(window, now_s), address_s)
            if ready_s > now_s:
                return _Wait(max(ready_s - now_s, _SHORTEST_WAIT_S), _reason(endpoint, address, address_s, ready_s))
            log.left(now_s)
            address.counted(1, now_s)
            return Slot(name, now_s)

        return self._book.change((name, ADDRESS), leave)

    def _tell(self, wait: _Wait) -> None:
        """Say once for what a long wait is and when it ends, however many threads wait for it."""
        until_ms = self._clock.now_ms() + math.ceil(wait.seconds * 1000)
        if until_ms > self._told_ms + LONG_WAIT_S * 1000:
            self._told_ms = until_ms
            _notices.warning("%s; requests wait until %s", wait.reason, iso(until_ms))


_limiters: weakref.WeakSet[BookLimiter] = weakref.WeakSet()


def _after_fork() -> None:
    for limiter in list(_limiters):
        limiter.forget_turns()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class LocalLimiter(BookLimiter):
    """A limiter for this process alone.

    Parameters
    ----------
    clock : Clock
        Where the time comes from and who waits.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, MemoryBook(clock))


def _name(endpoint: Endpoint, identity: str) -> str:
    return f"{endpoint.id} {identity}" if endpoint.limit.scope == "uid" else endpoint.id


def _reason(endpoint: Endpoint, address: Log, address_s: float, ready_s: float) -> str:
    if address_s < ready_s:
        return f"{endpoint.id} is used up or was refused"
    if address.paused_until_s >= ready_s:
        return "the exchange refuses this address for a while, or what it was sent last is not known"
    return f"this address has sent {ADDRESS_COUNT} requests within a minute, nine tenths of what it may"
