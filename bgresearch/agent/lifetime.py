"""When the agent locks, and how long a wrong password makes it wait. Pure, except for reading the clock."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from bgresearch.core.clock import Clock

IDLE_S = 15 * 60.0
LONGEST_S = 12 * 3600.0
_PLATFORM: str = sys.platform
SUSPENDED_S = 2.0  # the two clocks of a machine that is awake differ by less
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 10.0  # after a wrong password


def suspended_s() -> float:
    """Return for how long this machine has slept since it was started, 0 where that is unknown."""
    if _PLATFORM == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    if _PLATFORM == "darwin":
        awake = int(vars(time)["CLOCK_UPTIME_RAW"])  # known on macOS alone
        return time.clock_gettime(time.CLOCK_MONOTONIC) - time.clock_gettime(awake)
    return 0.0


class Lifetime:
    """How long the agent may run.

    Parameters
    ----------
    clock : Clock
        Counts while the machine is awake.
    idle_s, longest_s : float
        Seconds without a request, and seconds in all; neither can be longer than `IDLE_S` and `LONGEST_S`.
    slept_s : callable
        Returns for how long the machine has slept in all.
    """

    def __init__(
        self, clock: Clock, *, idle_s: float = IDLE_S, longest_s: float = LONGEST_S,
        slept_s: Callable[[], float] = suspended_s,
    ) -> None:  # fmt: skip
        self._clock, self._slept_s = clock, slept_s
        self._idle_s, self._longest_s = min(idle_s, IDLE_S), min(longest_s, LONGEST_S)
        self._started_s = self._used_s = clock.monotonic_s()
        self._slept_at_start_s = slept_s()
        self._finished = ""

    def used(self) -> None:
        """Record that a key was used just now."""
        self._used_s = self._clock.monotonic_s()

    def finish(self, why: str) -> None:
        """End it."""
        self._finished = why

    @property
    def uptime_s(self) -> float:
        """Seconds since the start."""
        return self._clock.monotonic_s() - self._started_s

    @property
    def left_s(self) -> float:
        """Seconds until the agent locks if it is not used."""
        now_s = self._clock.monotonic_s()
        return max(0.0, min(self._used_s + self._idle_s, self._started_s + self._longest_s) - now_s)

    def over(self) -> str:
        """Return why the agent has to lock now, empty if it does not."""
        if self._finished:
            return self._finished
        if self._slept_s() - self._slept_at_start_s > SUSPENDED_S:
            return "the machine slept"
        if self.left_s > 0:
            return ""
        return "its maximum lifetime was over" if self.uptime_s >= self._longest_s else "it was idle"


class BackOff:
    """Lets one password be tried at a time, with a longer pause after every wrong one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._not_before_s = clock.monotonic_s()
        self._trying = False

    def begin(self) -> float:
        """Return 0 if a password may be tried now, which `end` must then follow; else the seconds to wait."""
        with self._lock:
            wait_s = max(0.0, self._not_before_s - self._clock.monotonic_s())
            if wait_s == 0 and self._trying:
                return FIRST_WAIT_S
            self._trying = self._trying or wait_s == 0
            return wait_s

    def end(self, *, wrong: bool | None) -> None:
        """Record whether the password was wrong; None if it was not even tried."""
        with self._lock:
            self._trying = False
            if wrong is not None:
                self._wrong = self._wrong + 1 if wrong else 0
            if wrong:
                pause_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(self._wrong - 1, 16))
                self._not_before_s = self._clock.monotonic_s() + pause_s
