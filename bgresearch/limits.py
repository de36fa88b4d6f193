"""May this request go now, else when: a pure decision over logs of departures, and one sleep. No network, no files.

The exchange counts arrivals in a strict sliding second while requests jitter on the way. What took the shortest trip of
all was not held up; whatever took longer by so much can have arrived later by so much, and counts as later. On top of
that each window is stretched by 3 %: a limit of 20 per second becomes 20 per 1.03 s.
The address budget (documentation: 6000 per minute, five minutes of recovery) is used to 90 %.

The logs lie in a book: in this process's memory, or where every process finds them (`bgresearch.budget`). Who decides
is the same, wherever they lie.

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
from bgresearch.clock import Clock
from bgresearch.spans import iso

STRETCH = 1.03
ADDRESS_COUNT = 5400  # 90 % of the documented 6000
ADDRESS_WINDOW_S = 60.0
COOL_DOWN_S = 2.0  # after a 429 of one endpoint: longer than any window of a market or account endpoint
ADDRESS_COOL_DOWN_S = 300.0  # documentation, change of 2025-08-11; one minute before
ADDRESS = ""  # the name of the log of everything that this address sent
LONG_WAIT_S = 5.0  # whoever waits longer is told for what and until when
_TOLD_S = 0.05  # of the way there, the shortest trip so far tells no more than this: it may have been held up itself
_LONGEST_WAY_S = 0.5  # an answer that takes longer was long in the making, not long on its way
_LOOK_AGAIN_S = 0.02
_SHORTEST_WAIT_S = 0.001  # so that rounding never turns waiting into spinning

T = TypeVar("T")
_notices = logging.getLogger(__name__)


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
    """The departures that still count, oldest first; how many came back, the shortest trip; the pause that is on.

    ``first_s`` is when the first answer of all came. What left before that opened its connection on the way, so its
    trip says nothing of the way back.

    ``changed`` says whether there is anything to keep; what only grew old is forgotten again by the next reader.
    """

    __slots__ = ("back", "changed", "departures", "first_s", "paused_until_s", "trip_s")

    def __init__(
        self, departures: Iterable[float] = (), *, paused_until_s: float = 0.0, back: int = 0, trip_s: float = math.inf,
        first_s: float = math.inf,
    ) -> None:  # fmt: skip
        self.departures = deque(departures)
        self.paused_until_s = paused_until_s
        self.back = back
        self.trip_s = trip_s
        self.first_s = first_s
        self.changed = False

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
        return place >= self.back and self.first_s < math.inf

    def left(self, now_s: float) -> None:
        """Count one departure."""
        self.departures.append(now_s)
        self.changed = True

    def counted(self, more: int, now_s: float) -> None:
        """Add what somebody else sent."""
        for _ in range(more):
            self.departures.insert(self.back, now_s)
            self.back += 1
            self.changed = True

    def answered(self, now_s: float) -> None:
        """Count the oldest departure that is still out as later, if it was held up on its way.

        Whichever request it was: the first answer cannot come before the first arrival, the second not before the
        second. Nothing is taken off for the shortest trip while none is known.
        """
        if self.back >= len(self.departures):
            return
        left_s = self.departures[self.back]
        self.first_s = min(self.first_s, now_s)
        if left_s >= self.first_s:
            self.trip_s = min(self.trip_s, now_s - left_s)
        usual_s = min(self.trip_s, self.trip_s / 2 + _TOLD_S) if self.trip_s < math.inf else 0.0
        self.departures[self.back] = max(left_s, min(now_s - usual_s, left_s + _LONGEST_WAY_S))
        self.back += 1
        self.changed = True

    def pause(self, until_s: float) -> None:
        """Let nothing leave before then; an earlier, longer pause stays."""
        self.paused_until_s = max(self.paused_until_s, until_s)
        self.changed = True

    def shift(self, by_s: float) -> None:
        """Move every moment, as another clock counts from another start."""
        self.departures = deque(moment + by_s for moment in self.departures)
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
    reason: str = ""


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

    def acquire(self, endpoint: Endpoint, identity: str) -> None:
        """Wait until a request may leave, and count it.

        Parameters
        ----------
        endpoint : Endpoint
            The row with the limit.
        identity : str
            Whose limit it is where the row counts by uid; rows that count by address share one log.
        """
        with self._turns[_name(endpoint, identity)]:  # one waits for the next slot, the others for their turn
            while (wait := self._try(endpoint, identity)).seconds > 0:
                if wait.seconds >= LONG_WAIT_S:
                    self._tell(wait)
                self._clock.sleep(wait.seconds)

    def forget_turns(self) -> None:
        """Let nobody wait for a thread that is not there: a fork copies locks, but not who holds them."""
        self._turns = defaultdict(threading.Lock)

    def answered(self, endpoint: Endpoint, identity: str) -> None:
        """Count a request that was held up on its way from when it can have arrived."""
        self._book.change((_name(endpoint, identity),), lambda now_s, logs: logs[0].answered(now_s))

    def observed(self, endpoint: Endpoint, identity: str, remaining: int) -> None:
        """Believe the exchange's count where it is higher than ours: someone else uses the same limit."""
        window = window_of(endpoint)
        if not 0 <= remaining <= window.count:
            return

        def believe(now_s: float, logs: list[Log]) -> None:
            logs[0].forget(window, now_s)
            logs[0].counted(window.count - remaining - len(logs[0].departures), now_s)

        self._book.change((_name(endpoint, identity),), believe)

    def rejected(self, endpoint: Endpoint, identity: str, *, address_wide: bool) -> int:
        """Pause the endpoint for 2 s or two windows, or the whole address for five minutes, and say until when."""
        pause_s = ADDRESS_COOL_DOWN_S if address_wide else max(COOL_DOWN_S, 2 * endpoint.limit.seconds)

        def rest(now_s: float, logs: list[Log]) -> float:
            logs[0].pause(now_s + pause_s)
            return logs[0].paused_until_s - now_s

        left_s = self._book.change((ADDRESS if address_wide else _name(endpoint, identity),), rest)
        return self._clock.now_ms() + math.ceil(left_s * 1000)

    def _try(self, endpoint: Endpoint, identity: str) -> _Wait:
        """Count one departure and return no wait, or return after how long to try again."""
        window = window_of(endpoint)

        def leave(now_s: float, logs: list[Log]) -> _Wait:
            log, address = logs
            address_s = address.ready_s(ADDRESS_WINDOW, now_s)
            ready_s = max(log.ready_s(window, now_s), address_s)
            if ready_s > now_s:
                return _Wait(max(ready_s - now_s, _SHORTEST_WAIT_S), _reason(endpoint, address, address_s, ready_s))
            log.left(now_s)
            address.left(now_s)
            return _Wait(0.0)

        return self._book.change((_name(endpoint, identity), ADDRESS), leave)

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
