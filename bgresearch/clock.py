"""Time as a thing that can be handed over: the system's clock, or one that a test moves by hand."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What every room that waits or asks the time is given."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


class ManualClock:
    """A clock that stands still until someone sleeps or moves it; sleeping costs no real time.

    Parameters
    ----------
    now_ms : int
        Epoch milliseconds at the start.
    """

    def __init__(self, now_ms: int) -> None:
        self._start_ms = float(now_ms)
        self._elapsed_s = 0.0
        self._lock = threading.Lock()

    def now_ms(self) -> int:
        with self._lock:
            return int(self._start_ms + self._elapsed_s * 1000)

    def monotonic_s(self) -> float:
        with self._lock:
            return self._elapsed_s

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            with self._lock:
                self._elapsed_s += seconds

    def advance(self, seconds: float) -> None:
        """Move forward without anybody waiting."""
        self.sleep(seconds)

    def jump(self, milliseconds: int) -> None:
        """Move the wall clock alone, as a correction of the system time does; monotonic time is untouched."""
        with self._lock:
            self._start_ms += milliseconds
