"""The private WebSockets that the agent holds for its callers: it logs in and relays frames, and sends nothing else.

A caller names a key, an address and a version of the protocol; the address has to be that of the key's own exchange.
What a caller may send is a ping or a subscription of a private channel. A connection ends when the agent does, when the
vault changes (the caller logs in again, if the key is still there), or when its caller does not ask for a minute.
"""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field

from bgresearch.agent.lifetime import Lifetime
from bgresearch.agent.protocol import encode_answer
from bgresearch.agent.requests import CloseSocket, OpenSocket, UseSocket
from bgresearch.agent.vault_session import Sending, VaultSession
from bgresearch.catalogue.response import without_secrets
from bgresearch.core.clock import Clock
from bgresearch.errors import AgentError, InvalidInput
from bgresearch.http.ratelimit import limiter_for
from bgresearch.live.hosts import check_login_address, count_connection, private_url, ws_origin
from bgresearch.live.private_topics import PRIVATE_TOPICS, is_read_only
from bgresearch.live.websocket import Gone, Socket, open_private

MOST_SOCKETS = 16  # each takes a thread of the WebSocket library, and now and then a worker
WAIT_S = 0.25  # how long an answer waits for a first frame
UNUSED_S = 60.0  # after that a caller is gone
MOST_BYTES = 2**20  # of the frames of one answer, before the last one


@dataclass
class _Held:
    """One connection, and what it was opened for."""

    request: OpenSocket
    sending: Sending
    socket: Socket
    used_s: float
    lock: threading.Lock = field(default_factory=threading.Lock)


class LiveSockets:
    """The agent's private connections; safe to share between threads.

    Parameters
    ----------
    held : VaultSession
        The opened vault.
    clock : Clock
        Time, and who waits.
    lifetime : Lifetime
        Extended while a connection is used.
    """

    def __init__(self, held: VaultSession, *, clock: Clock, lifetime: Lifetime) -> None:
        self._held, self._clock, self._lifetime = held, clock, lifetime
        self._lock = threading.Lock()
        self._sockets: dict[str, _Held] = {}

    def open(self, request: OpenSocket) -> bytes:
        """Open a connection, log in, and return its name.

        Raises
        ------
        BgresearchError
            The agent is locked, the key or the address is refused, or there is no connection.
        """
        if request.version not in PRIVATE_TOPICS:
            raise InvalidInput("version", f"{request.version[:20]!r} is unknown.", hint="Use v2 or v3.")
        sending = self._held.sender(request.key, request.host)
        sender = sending.sender
        check_login_address(sender.host, request.base_url, demo=sender.demo)
        self._lifetime.used()
        self.close_unused()
        with self._lock:
            if len(self._sockets) >= MOST_SOCKETS:
                raise AgentError(f"this agent has {MOST_SOCKETS} private streams already.", hint="Stop one of them.")
        count_connection(limiter_for(ws_origin(request.base_url), self._clock))
        socket = open_private(private_url(request.base_url, request.version), sender.login, demo=sender.demo)
        name = secrets.token_hex(16)
        with self._lock:
            self._sockets[name] = _Held(request, sending, socket, self._clock.monotonic_s())
        return encode_answer({"socket": name})

    def use(self, request: UseSocket) -> bytes:
        """Send a message, if there is one, and return the frames that came; ``ended`` says why there are no more.

        Raises
        ------
        BgresearchError
            The agent is locked, or the message is none that may be sent.
        """
        with self._lock:
            held = self._sockets.get(request.socket)
        if held is None:
            return _answer([], "the agent does not hold this connection any more")
        if request.message and not is_read_only(held.request.version, request.message):
            raise InvalidInput("message", "only pings and subscriptions of private channels are sent.")
        self._lifetime.used()
        held.used_s = self._clock.monotonic_s()
        if self._held.sender(held.request.key, held.request.host).sender is not held.sending.sender:
            self._drop(request.socket)
            return _answer([], "the vault was changed")
        with held.lock:
            frames, ended = _relayed(held.socket, request)
        if ended:
            self._drop(request.socket)
        return _answer(frames, ended)

    def close(self, request: CloseSocket) -> bytes:
        """Close a connection; one that is gone already is no error."""
        self._drop(request.socket)
        return encode_answer({"closed": True})

    def _drop(self, name: str) -> None:
        with self._lock:
            held = self._sockets.pop(name, None)
        if held is not None:
            held.socket.close()

    def close_unused(self) -> None:
        """Close the connections that nothing has used for a minute."""
        oldest_s = self._clock.monotonic_s() - UNUSED_S
        with self._lock:
            unused = [name for name, held in self._sockets.items() if held.used_s < oldest_s]
        for name in unused:
            self._drop(name)


def _relayed(socket: Socket, request: UseSocket) -> tuple[list[str], str]:
    """Send a message, and return the frames that came and why the connection ended, empty if it did not."""
    frames: list[str] = []
    size, wait_s = 0, WAIT_S if request.waits else 0.0
    try:
        if request.message:
            socket.send(request.message)
        while size < MOST_BYTES and (frame := socket.receive(wait_s)) is not None:
            raw = without_secrets(frame.encode() if isinstance(frame, str) else frame)
            frames.append(raw.decode(errors="replace"))
            size, wait_s = size + len(raw), 0.0
    except Gone as gone:
        return frames, str(gone) or "no connection"
    return frames, ""


def _answer(frames: list[str], ended: str) -> bytes:
    return encode_answer({"ended": ended}, json.dumps(frames).encode())
