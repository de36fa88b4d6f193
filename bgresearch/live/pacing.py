"""When a connection pings, waits, gives up and comes back, and how much may be sent: decisions over times. Pure."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bgresearch.catalogue.assumptions import SUBSCRIBE_ARGUMENTS

LONGEST_BACKOFF_S = 30.0
MESSAGES_PER_S = 10
SUBSCRIBES_PER_HOUR = 240
ARGUMENTS_PER_MESSAGE = SUBSCRIBE_ARGUMENTS.value
CHANNELS_PER_CONNECTION = 49  # fewer than 50 are recommended
MESSAGE_BYTES = 4096

LONGEST_QUIET_S = 3600.0

Failure = Literal["no pong", "silence", "no data"]


class Pace(NamedTuple):
    """How patient a connection is, in seconds.

    Attributes
    ----------
    ping_s : float
        Between two pings: the exchange wants one in 30 s and closes after 120 s without.
    pong_s : float
        For a pong to come; measured: 0.1 s.
    silence_s : float
        Without a single frame, pongs among them.
    first_data_s : float
        For the first data: a subscription of a wrong kind is acknowledged and then silent.
    quiet_s : float
        Of one subscription while others have data, before it is subscribed to again.
    first_pause_s : float
        Before the second attempt to connect; later pauses are longer.
    renew_s : float
        Age at which a successor is opened: the exchange cuts a connection after 24 h.
    """

    ping_s: float = 22.0
    pong_s: float = 20.0
    silence_s: float = 60.0
    first_data_s: float = 30.0
    quiet_s: float = 60.0
    first_pause_s: float = 0.5
    renew_s: float = 23 * 3600.0


USUAL = Pace()


def backoff_s(attempt: int, chance: random.Random, first_s: float = USUAL.first_pause_s) -> float:
    """Return how long to wait before the next attempt, the first being 1: doubled each time, with jitter."""
    longest: float = min(LONGEST_BACKOFF_S, first_s * 2 ** min(attempt - 1, 16))
    return longest * (0.5 + chance.random() / 2)


@dataclass
class Budget:
    """How many messages and subscriptions one connection may still send, by sliding windows."""

    _messages: deque[float] = field(default_factory=deque)
    _subscribes: deque[float] = field(default_factory=deque)

    def admits(self, now_s: float, *, subscribes: bool) -> bool:
        """Return whether one more message may leave now."""
        _forget(self._messages, now_s - 1.02)
        _forget(self._subscribes, now_s - 3600 * 1.02)
        if len(self._messages) >= MESSAGES_PER_S - 1:  # one is left for the ping
            return False
        return not subscribes or len(self._subscribes) < SUBSCRIBES_PER_HOUR

    def count(self, now_s: float, *, subscribes: bool) -> None:
        """Count a message that leaves now."""
        self._messages.append(now_s)
        if subscribes:
            self._subscribes.append(now_s)

    @property
    def spent(self) -> bool:
        """Whether this connection may subscribe to nothing more within the hour."""
        return len(self._subscribes) >= SUBSCRIBES_PER_HOUR


def _forget(moments: deque[float], before_s: float) -> None:
    while moments and moments[0] <= before_s:
        moments.popleft()


@dataclass
class Heartbeat:
    """Pings, pongs and silence of one connection.

    Attributes
    ----------
    heard_s : float
        When the last frame came.
    """

    heard_s: float
    pace: Pace = USUAL
    _pinged_s: float = -1.0
    _sent_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._sent_s = self.heard_s

    def ping_is_due(self, now_s: float) -> bool:
        """Return whether it is time for the next ping."""
        return self._pinged_s < 0 and now_s - self._sent_s >= self.pace.ping_s

    def pinged(self, now_s: float) -> None:
        """Take note of a ping that left."""
        self._pinged_s = self._sent_s = now_s

    def ponged(self) -> None:
        """Take note of a pong."""
        self._pinged_s = -1.0

    def failure(self, now_s: float) -> Failure | None:
        """Return what is wrong with the connection, None if nothing is."""
        if self._pinged_s >= 0 and now_s - self._pinged_s > self.pace.pong_s:
            return "no pong"
        return "silence" if now_s - self.heard_s > self.pace.silence_s else None
