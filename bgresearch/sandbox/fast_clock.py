"""A clock whose markets live faster than the machine: its wall time runs ahead, its monotonic time does not."""

from __future__ import annotations

from bgresearch.core.clock import Clock


class FastClock:
    """Another clock with its wall time sped up from now on.

    Parameters
    ----------
    clock : Clock
        What it follows.
    speed : float
        Seconds of wall time for each second of the other's monotonic time.

    Raises
    ------
    ValueError
        If the speed is not positive.
    """

    def __init__(self, clock: Clock, speed: float) -> None:
        if not speed > 0:
            raise ValueError(f"a speed is above 0, not {speed}")
        self._clock, self._speed = clock, speed
        self._start_ms, self._start_s = clock.now_ms(), clock.monotonic_s()

    def now_ms(self) -> int:
        return self._start_ms + int((self._clock.monotonic_s() - self._start_s) * 1000 * self._speed)

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
