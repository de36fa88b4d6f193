"""Clocks that can be injected: the system's, the sandbox's, or one that a test moves by hand."""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol

from bgresearch.errors import ConfigurationError

AHEAD = "BGRESEARCH_SANDBOX_AHEAD_S"
LOOPBACK = "http://"  # the scheme of hosts on this machine; any other host needs https


class Clock(Protocol):
    """The interface of everything that waits or reads the time."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC."""

    def monotonic_s(self) -> float:
        """Return monotonic seconds."""

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


class SandboxClock(SystemClock):
    """The clock of a sandbox and its clients: the machine's, shifted by ``BGRESEARCH_SANDBOX_AHEAD_S`` seconds.

    An offset instead of a date, so that processes that inherit it agree regardless of their start.

    Raises
    ------
    ConfigurationError
        The variable is not a number of seconds.
    """

    def __init__(self) -> None:
        text = os.environ.get(AHEAD, "") or "0"
        try:
            self._ahead_ms = round(float(text) * 1000)
        except (ValueError, OverflowError):  # infinity is not a number of seconds either
            raise ConfigurationError(
                f"{AHEAD} is {text[:40]!r}, which is not a number of seconds.", hint="Set it to a number, or unset it."
            ) from None

    def now_ms(self) -> int:
        return super().now_ms() + self._ahead_ms


def clock_of(host: str) -> Clock:
    """Return the clock for requests to a host: only for a host on this machine it may differ from the machine's."""
    return SandboxClock() if host.startswith(LOOPBACK) else SystemClock()


class ManualClock:
    """A clock that moves only when it is moved or slept on; sleeping takes no real time.

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
        """Move forward without waiting."""
        self.sleep(seconds)

    def jump(self, milliseconds: int) -> None:
        """Move the wall clock alone, as a correction of the system time does; monotonic time is untouched."""
        with self._lock:
            self._start_ms += milliseconds
