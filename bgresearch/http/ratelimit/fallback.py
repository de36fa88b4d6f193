"""Two stores: the shared one, and a fallback used while the shared one is unusable."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from bgresearch.core.clock import Clock
from bgresearch.http.ratelimit.limiter import Log, LogStore

LOOK_AGAIN_S = 60.0  # after which the shared store is tried again

T = TypeVar("T")
_notices = logging.getLogger(__name__)


class StoreUnusable(Exception):
    """A store that cannot be read or written now; the message says which, why, and what to do next."""


class FallbackLogStore:
    """A store that is shared while possible; safe to share between threads.

    Parameters
    ----------
    shared, other : LogStore
        The first raises `StoreUnusable` when the second is to be used.
    clock : Clock
        Determines when the shared store is tried again.
    meanwhile : str
        Describes the effect of using the second, for the warning.
    """

    def __init__(self, shared: LogStore, other: LogStore, clock: Clock, *, meanwhile: str) -> None:
        self._shared, self._other = shared, other
        self._clock = clock
        self._meanwhile = meanwhile
        self._again_s = 0.0
        self._said = False

    def change(self, names: tuple[str, ...], decide: Callable[[float, list[Log]], T]) -> T:
        """Return the result of ``decide`` on the logs of one of the two stores."""
        if self._clock.monotonic_s() >= self._again_s:
            try:
                return self._shared.change(names, decide)
            except StoreUnusable as unusable:
                self._again_s = self._clock.monotonic_s() + LOOK_AGAIN_S
                if not self._said:
                    self._said = True
                    _notices.warning("%s Until then %s.", unusable, self._meanwhile)
        return self._other.change(names, decide)
