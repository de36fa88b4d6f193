"""One WebSocket connection that is kept alive: opens, reads, pings, renews before 24 hours, reconnects after faults.

The library's own thread only receives; the thread of a `LiveLink` sends, decodes and hands events on. Decisions are
made in `protocol_core` and `pacing`; here is the socket.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from bgresearch.core.clock import Clock
from bgresearch.errors import BgresearchError, ConnectionLimited, ExchangeUnavailable, NetworkError, RateLimited
from bgresearch.live.channels import Subscription
from bgresearch.live.depth_book import DepthBook
from bgresearch.live.hosts import LiveAccess
from bgresearch.live.pacing import backoff_s
from bgresearch.live.protocol_core import Event, ProtocolCore
from bgresearch.live.websocket import Gone, Socket

FIRST_ATTEMPTS = 5  # before the first connection; afterwards it is tried for as long as the stream runs
_POLL_S = 0.05  # real seconds: how soon a message that is due leaves
_LOOK_S = 1.0  # between two looks at every subscription of a connection
_TEMPORARY = (NetworkError, ExchangeUnavailable, RateLimited)  # worth another attempt
_BATCH = 200  # frames between two looks at the clock
_GATHER_S = 0.01  # what follows a frame so soon is taken together: waking up for each costs more than decoding it

_log = logging.getLogger(__name__)

Tap = Callable[[int, "str | bytes"], None]
"""Takes a frame with the time at which it arrived."""


class Handler(Protocol):
    """Takes what a link receives."""

    def happened(self, connection: Connection, events: Iterable[Event]) -> str:
        """Take in events of a connection; return why it has to end, empty if it need not."""

    def tap(self, link: LiveLink) -> Tap | None:
        """Return what takes the frames of a new connection as they arrive, if anything does."""

    def lost(self, link: LiveLink, cause: str, last_heard_ms: int) -> None:
        """Take note that a link is not connected any more."""

    def failed(self, error: BgresearchError) -> None:
        """End: this cannot be helped by trying again."""


class Connection:
    """One open socket with the state of its protocol and its order books."""

    def __init__(self, socket: Socket, core: ProtocolCore, clock: Clock, tap: Tap | None = None) -> None:
        self.socket, self.core, self._clock, self._tap = socket, core, clock, tap
        self.books: dict[tuple[str, ...], DepthBook] = {}
        self.heard_ms = clock.now_ms()
        self._looked_s = self._failed_s = clock.monotonic_s()

    def failure(self) -> str:
        """Look for what is wrong with the connection, once a second; empty if nothing is."""
        now_s = self._clock.monotonic_s()
        if now_s - self._failed_s < _LOOK_S:
            return ""
        self._failed_s = now_s
        return self.core.failure(now_s) or ""

    def pump(self, wait_s: float) -> Iterator[Event]:
        """Send what is due, receive, and return what it means; a frame is decoded when its events are asked for.

        Frames are decoded one by one, as many decoded ones at a time keep the garbage collector busy.

        Raises
        ------
        Gone
            The connection is closed, and everything that came was returned before.
        """
        now_s = self._clock.monotonic_s()
        for text in self.core.due(now_s):
            self.socket.send(text)
        return self._events(self._received(wait_s), now_s)

    def _received(self, wait_s: float) -> list[str | bytes]:
        messages: list[str | bytes] = []
        try:
            while len(messages) < _BATCH and (message := self.socket.receive(wait_s)) is not None:
                self.heard_ms = self._clock.now_ms()
                if self._tap is not None:
                    self._tap(self.heard_ms, message)
                messages.append(message)
                wait_s = 0.0
        except Gone:
            if not messages:
                raise
        return messages

    def _events(self, messages: Sequence[str | bytes], now_s: float) -> Iterator[Event]:
        for message in messages:
            yield from self.core.received(message, now_s)
        if now_s - self._looked_s >= _LOOK_S:
            self._looked_s = now_s
            yield from self.core.silent(now_s)


class LiveLink:
    """Keeps a group of subscriptions connected, in a thread of its own, until it is stopped.

    Parameters
    ----------
    subscriptions : sequence of Subscription
        What it carries: of one version and kind of access.
    access : LiveAccess
        Where to connect, and how often it may.
    clock : Clock
        Time of the exchange and of pauses.
    handler : Handler
        Takes events, from the link's thread.
    chance : random.Random
        Where jitter comes from.

    Attributes
    ----------
    waits_s : int
        Seconds until it may connect, while the limit of connections keeps it from that; else 0.
    """

    def __init__(
        self, subscriptions: Sequence[Subscription], access: LiveAccess, clock: Clock, *, handler: Handler,
        chance: random.Random | None = None,
    ) -> None:  # fmt: skip
        self.subscriptions = tuple(subscriptions)
        self._access, self._clock, self._handler = access, clock, handler
        self._chance = chance or random.Random()  # noqa: S311 - jitter
        self._stopped = threading.Event()
        self._current: Connection | None = None
        self.was_open, self.waits_s = False, 0
        self._next_renewal_s = 0.0
        channel = self.subscriptions[0].channel
        self._thread = threading.Thread(target=self._run, name=f"bgresearch-live-{channel.name}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Begin to end the connection; may be called from any thread, and twice."""
        self._stopped.set()
        current = self._current
        if current is not None:
            current.socket.close()

    def join(self, wait_s: float) -> None:
        """Wait until the link's thread has ended, but not for longer; from that thread itself not at all."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout=wait_s)

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        return self._current is not None

    @property
    def opened_s(self) -> float | None:
        """When the current connection was opened, by the clock's seconds; None while there is none."""
        current = self._current
        return None if current is None else current.core.opened_s

    def _run(self) -> None:
        try:
            self._connect_until_stopped()
        except BgresearchError as error:
            self._handler.failed(error)
        finally:
            if not self._stopped.is_set():  # whatever ended it, no reader waits for ever
                self._handler.failed(NetworkError("live.connect", "the stream's connection has ended."))

    def _connect_until_stopped(self) -> None:
        attempt = 0
        while not self._stopped.is_set():
            try:
                connection = self._opened()
            except ConnectionLimited as error:
                self._wait_to_connect(error)
                continue
            except _TEMPORARY:
                attempt += 1
                if not self.was_open and attempt >= FIRST_ATTEMPTS:
                    raise
                self._pause(attempt)
                continue
            self._last, self.waits_s = connection, 0
            cause = self._carry(connection)
            if self._stopped.is_set():
                return
            attempt = 1 if self._last.core.ready else attempt + 1  # it worked; connects are limited anyway
            self._handler.lost(self, cause, self._last.heard_ms)
            self._pause(attempt)

    def _wait_to_connect(self, error: ConnectionLimited) -> None:
        """Wait until a connection may be opened, in short steps, so that a status says how long it takes."""
        if not self.waits_s:
            _log.warning("%s; the next one is opened in about %d s", error, error.wait_s)
        self.waits_s = error.wait_s
        self._stopped.wait(min(error.wait_s, _LOOK_S))

    def _opened(self) -> Connection:
        channel = self.subscriptions[0].channel
        socket = self._access.open(channel.version, private=channel.private)
        core = ProtocolCore(self.subscriptions, self._clock.monotonic_s(), pace=self._access.pace)
        return Connection(socket, core, self._clock, self._handler.tap(self))

    def _carry(self, connection: Connection) -> str:
        """Carry a connection, and the ones that follow it before their 24 hours are over; return why it ended."""
        self._current, self.was_open = connection, True
        fresh: Connection | None = None
        try:
            while not self._stopped.is_set():
                fresh = fresh or self._successor(connection)
                cause = self._pumped(connection)
                if fresh is not None and self._pumped(fresh):
                    fresh.socket.close()
                    fresh = None
                if fresh is not None and fresh.core.ready:
                    connection.socket.close()
                    self._current = connection = fresh
                    fresh, cause = None, ""
                if cause:
                    return cause
            return "stopped"
        finally:
            self._current, self._last = None, connection
            for one in (connection, fresh):
                if one is not None:
                    one.socket.close()

    def _pumped(self, connection: Connection) -> str:
        """Hand on what came; return why the connection has to end, empty if it need not."""
        before = connection.core.messages
        try:
            events = connection.pump(_POLL_S)
        except Gone as gone:
            return str(gone) or "no connection"
        if cause := self._handler.happened(connection, events):
            return cause
        if connection.core.messages > before:
            self._stopped.wait(_GATHER_S)
        if connection.core.budget.spent and connection.core.is_waiting:
            return "subscriptions used up"
        return connection.failure()

    def _successor(self, connection: Connection) -> Connection | None:
        """Open the connection that takes over before this one is too old; after a failure again a while later."""
        now_s = self._clock.monotonic_s()
        if now_s - connection.core.opened_s <= self._access.pace.renew_s or now_s < self._next_renewal_s:
            return None
        self._next_renewal_s = now_s + self._access.pace.renew_s / 100
        try:
            return self._opened()
        except _TEMPORARY:
            return None

    def _pause(self, attempt: int) -> None:
        self._stopped.wait(backoff_s(attempt, self._chance, self._access.pace.first_pause_s))
