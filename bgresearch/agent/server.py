"""The agent's server: one loop that reads and writes without ever blocking on one caller, and worker threads.

A caller has one request in flight. Callers that send too much, never finish a line or do not read are dropped; for a
new caller the one that was silent longest is dropped. Protocol and service decide what is answered.
"""

from __future__ import annotations

import collections
import os
import selectors
import signal
import socket
from concurrent.futures import Future, ThreadPoolExecutor

from bgresearch.agent.lifetime import Lifetime
from bgresearch.agent.protocol import decode_request, encode_answer, encode_error, longest
from bgresearch.agent.requests import Fetch, Lock, Offer, OpenSocket, Request, Status, UseSocket
from bgresearch.agent.server_connection import Caller
from bgresearch.agent.service import Service
from bgresearch.agent.socket_path import SOCKET_MODE, Place, identity_of, peer_is_me
from bgresearch.core.clock import Clock
from bgresearch.errors import AgentError

MAX_CONNECTIONS = 256
MAX_WAITING_BYTES = 256 * 1024 * 1024  # answers that their callers have not read yet
WORKERS = 64  # most of them wait for the exchange or for a slot
CLERKS = 8  # for everything but fetches and streams, so that a person does not wait behind research
PATIENCE_S = 10.0  # for the rest of a line, or for an answer to be read
_TICK_S = 1.0  # how late a lock may be
_CHUNK_BYTES = 65_536
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def listen(place: Place) -> socket.socket:
    """Return a listening socket at the place; it replaces a stale one atomically."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    place.newborn.unlink(missing_ok=True)
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        listener.bind(str(place.newborn))
    finally:
        os.umask(before)
    listener.listen(512)
    listener.setblocking(False)
    place.newborn.replace(place.socket)
    return listener


class AgentServer:
    """Serves until its lifetime is over, it is locked, or a signal ends it.

    Parameters
    ----------
    listener : socket
        As `listen` made it.
    service : Service
        Answers the requests.
    lifetime : Lifetime
        When to lock.
    clock : Clock
        For the timeouts of callers.
    place : Place, optional
        The folder of its socket; once the socket was replaced or deleted, no process can connect and it ends.
    """

    def __init__(
        self, listener: socket.socket, service: Service, *, lifetime: Lifetime, clock: Clock, place: Place | None = None
    ) -> None:
        self._listener, self._service, self._lifetime, self._clock = listener, service, lifetime, clock
        self._place = place
        self._mine = identity_of(place) if place is not None else None
        self._selector = selectors.DefaultSelector()
        self._callers: dict[int, Caller] = {}
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="agent")
        self._clerks = ThreadPoolExecutor(CLERKS, thread_name_prefix="agent-clerk")
        self._done: collections.deque[tuple[Caller, Future[bytes]]] = collections.deque()
        self._bell, self._ringer = socket.socketpair()
        self._why = ""
        self._swept_s = clock.monotonic_s()

    def run(self) -> str:
        """Serve, and return why that ended; every connection is closed then."""
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._bell, selectors.EVENT_READ)
        while not (self._why or (why := self._lifetime.over())):
            for key, _ in self._selector.select(min(_TICK_S, max(self._lifetime.left_s, 0.01))):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._bell:
                    self._collect()
                elif key.fd in self._callers:
                    self._serve(self._callers[key.fd])
            self._sweep()
        self.close()
        return self._why or why

    def close(self) -> None:
        """Drop all callers; threads that wait for the exchange end with the process."""
        for caller in list(self._callers.values()):
            self._drop(caller)
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._clerks.shutdown(wait=False, cancel_futures=True)
        self._selector.close()
        self._bell.close()
        self._ringer.close()
        self._listener.close()

    def end_on_signals(self) -> None:
        """Let SIGTERM, SIGINT and SIGHUP end `run` cleanly; for the main thread."""
        for number in _ENDINGS:
            signal.signal(number, lambda *_: self.end("it got a signal"))

    def end(self, why: str) -> None:
        """Make `run` return soon; from any thread."""
        self._why = why
        self._ring()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptor left, or the caller is gone already
            self._drop_most_idle(0)
            return
        if not peer_is_me(connection):
            connection.close()
            return
        self._drop_most_idle(MAX_CONNECTIONS - 1)
        connection.setblocking(False)
        caller = Caller(connection, self._clock.monotonic_s())
        self._callers[connection.fileno()] = caller
        self._selector.register(connection, selectors.EVENT_READ)

    def _drop_most_idle(self, most: int) -> None:
        """Drop the caller that was silent longest, if possible one for which no thread works."""
        if len(self._callers) > most:
            self._drop(min(self._callers.values(), key=lambda caller: (caller.works, caller.progress_s)))

    def _serve(self, caller: Caller) -> None:
        try:
            if caller.outgoing:
                self._write(caller)
            else:
                self._read(caller)
        except BlockingIOError:
            return
        except OSError:
            self._drop(caller)

    def _read(self, caller: Caller) -> None:
        chunk = caller.socket.recv(_CHUNK_BYTES)
        if not chunk:
            self._drop(caller)
            return
        if not caller.incoming:
            caller.progress_s = self._clock.monotonic_s()  # the clock of a line starts with its first byte
        caller.incoming += chunk
        self._next(caller)

    def _next(self, caller: Caller) -> None:
        """Take the next whole line, if there is one, and have it answered."""
        most = longest(caller.incoming)
        end = caller.incoming.find(b"\n", 0, most)
        if end < 0:
            if len(caller.incoming) >= most:
                self._refuse(caller, AgentError(f"a line is longer than {most} bytes."))
            return
        line = bytes(caller.incoming[: end + 1])
        del caller.incoming[: end + 1]
        try:
            request = decode_request(line)
        except AgentError as error:
            self._refuse(caller, error)
            return
        if isinstance(request, Lock):
            self._say(caller, encode_answer({"locked": True}))
            self._why = "it was locked"
        elif isinstance(request, Status | Offer):  # neither sends a request, saves nor derives anything
            self._say(caller, self._service.answer(request))
        else:
            self._work(caller, request)

    def _work(self, caller: Caller, request: Request) -> None:
        pool = self._workers if isinstance(request, Fetch | OpenSocket | UseSocket) else self._clerks
        caller.work = pool.submit(self._service.answer, request)
        self._watch(caller)
        caller.work.add_done_callback(lambda done: self._finished(caller, done))

    def _finished(self, caller: Caller, done: Future[bytes]) -> None:
        """Called in the thread that worked."""
        self._done.append((caller, done))
        self._ring()

    def _ring(self) -> None:
        try:
            self._ringer.send(b"!")
        except BlockingIOError:  # it rings already
            return

    def _collect(self) -> None:
        try:
            self._bell.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        while self._done:
            caller, done = self._done.popleft()
            caller.work = None
            if done.cancelled():
                continue
            error = done.exception()
            self._say(caller, done.result() if error is None else encode_error(error))

    def _refuse(self, caller: Caller, error: AgentError) -> None:
        """Answer a malformed request and end the connection: where the next line starts is unknown."""
        caller.ends = True
        self._say(caller, encode_error(error))

    def _say(self, caller: Caller, answer: bytes) -> None:
        caller.outgoing = memoryview(answer)
        caller.progress_s = self._clock.monotonic_s()
        self._serve(caller)
        if caller.socket.fileno() >= 0:
            self._watch(caller)

    def _write(self, caller: Caller) -> None:
        written = caller.socket.send(caller.outgoing)
        caller.outgoing = caller.outgoing[written:]
        caller.progress_s = self._clock.monotonic_s()
        if caller.outgoing:
            return
        if caller.ends:
            self._drop(caller)
            return
        caller.outgoing = memoryview(b"")  # frees the answer
        self._watch(caller)
        if caller.incoming:
            self._next(caller)

    def _watch(self, caller: Caller) -> None:
        known = self._selector.get_map().get(caller.socket)
        if known is None and caller.interest:
            self._selector.register(caller.socket, caller.interest)
        elif known is not None and not caller.interest:
            self._selector.unregister(caller.socket)
        elif known is not None and known.events != caller.interest:
            self._selector.modify(caller.socket, caller.interest)

    def _drop(self, caller: Caller) -> None:
        number = caller.socket.fileno()
        if number < 0:
            return
        if caller.socket in self._selector.get_map():
            self._selector.unregister(caller.socket)
        del self._callers[number]
        caller.socket.close()
        caller.outgoing = memoryview(b"")
        if caller.work is not None:
            caller.work.cancel()

    def _sweep(self) -> None:
        """Drop unused streams, callers that stall for too long, and the slowest readers if too many bytes wait."""
        now_s = self._clock.monotonic_s()
        if now_s - self._swept_s < _TICK_S:
            return
        self._swept_s = now_s
        if self._place is not None and identity_of(self._place) != self._mine:
            self._why = self._why or "its socket was replaced or deleted"
        self._clerks.submit(self._service.close_unused_sockets)  # closing one may wait for its peer
        waiting = sum(len(caller.outgoing) for caller in self._callers.values())
        stalled = sorted((caller for caller in self._callers.values() if caller.stalls), key=lambda one: one.progress_s)
        for caller in stalled:
            if now_s - caller.progress_s > PATIENCE_S or waiting > MAX_WAITING_BYTES:
                waiting -= len(caller.outgoing)
                self._drop(caller)
