"""The agent as other processes see it: asked over its socket, from any thread. Nothing here holds a secret."""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bgresearch.agent.place import UNLOCK, Place, check_socket, default_place, need_sockets, peer_is_me
from bgresearch.agent.protocol import (
    MAX_HEADER_BYTES,
    Ask,
    Fetch,
    Header,
    Lock,
    Request,
    Status,
    Unlock,
    decode_header,
    encode_request,
)
from bgresearch.errors import AgentError, AgentUnavailable
from bgresearch.transport import origin

_PATIENCE_S = 900.0  # a request may wait for a slot, and five minutes after a refused address
_QUICK_S = 5.0  # what asks no exchange


@dataclass(frozen=True, slots=True)
class AgentKey:
    """What the agent says of a key: its label, the only host it is used with, demo or live, and a fingerprint."""

    label: str
    host: str
    demo: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """What the agent says of itself.

    Attributes
    ----------
    pid : int
        Its process.
    vault : str
        The vault's file.
    unlocked : bool
        Whether it has the keys.
    keys : tuple of AgentKey
        What can be asked with.
    fingerprint : str
        Of the key that passwords are sealed to; a form shows the same.
    uptime_s, locks_in_s : float
        Seconds since its start, and until it locks if nobody uses it.
    weak : tuple of str
        What the platform could not forbid and what the vault warned of, in words.
    """

    pid: int
    vault: str
    unlocked: bool
    keys: tuple[AgentKey, ...]
    fingerprint: str
    uptime_s: float
    locks_in_s: float
    weak: tuple[str, ...]


class Agent:
    """The agent as other processes see it.

    Parameters
    ----------
    place : Place, optional
        Where it is met; the user's own place by default. Nothing is opened before something is asked.
    """

    def __init__(self, place: Place | None = None) -> None:
        need_sockets()
        self.place = place or default_place()
        self._lock = threading.Lock()
        self._idle: list[_Line] = []
        self._process = os.getpid()
        weakref.finalize(self, _close_all, self._idle)

    def status(self) -> AgentStatus:
        """Return what it says of itself.

        Raises
        ------
        AgentUnavailable
            No agent is running.
        AgentError
            Folder, socket or the process behind it could be somebody else's.
        """
        return _status(self._result(Status()))

    def is_there(self) -> bool:
        """Return whether an agent answers."""
        try:
            self.status()
        except AgentError:
            return False
        return True

    def lock(self) -> None:
        """Make it forget everything and end."""
        self._result(Lock())
        self.close()

    def offer(self) -> dict[str, Any]:
        """Return what is needed to seal the master password for this agent."""
        offer = self._result(Ask()).get("offer")
        if not isinstance(offer, dict):
            raise AgentError("the agent's offer makes no sense.")
        return offer

    def unlock(self, box: Mapping[str, Any]) -> AgentStatus:
        """Return its status after it opened the vault with the sealed master password.

        Raises
        ------
        WrongPassword, BoxRefused, VaultError
            The password is not the vault's own, or the box is not a fresh one for this agent.
        """
        return _status(self._result(Unlock(box), patience_s=_PATIENCE_S))

    def fetch(self, request: Fetch) -> tuple[Header, bytes]:
        """Return what the exchange answered to one row of the table, or a header with the error."""
        return self._ask(request, _PATIENCE_S)

    def close(self) -> None:
        """Close the connections that nobody uses; asking again opens new ones."""
        with self._lock:
            _close_all(self._idle)

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Agent at {str(self.place.socket)!r}>"

    def _result(self, request: Request, patience_s: float = _QUICK_S) -> dict[str, Any]:
        header, _ = self._ask(request, patience_s)
        if header.error is not None:
            raise header.error
        return header.result

    def _ask(self, request: Request, patience_s: float) -> tuple[Header, bytes]:
        message = encode_request(request)
        while (line := self._waiting()) is not None:  # the agent may have closed it; a read can be repeated
            with suppress(AgentUnavailable), self._used(line):
                return line.ask(message, patience_s)
        with self._used(_Line(self.place)) as line:
            return line.ask(message, patience_s)

    def _waiting(self) -> _Line | None:
        with self._lock:
            if self._process != os.getpid():  # a fork: the connections are the parent's
                self._process = os.getpid()
                _close_all(self._idle)
            return self._idle.pop() if self._idle else None

    @contextmanager
    def _used(self, line: _Line) -> Iterator[_Line]:
        """Keep the connection for the next one, unless anything at all went wrong on it."""
        whole = False
        try:
            yield line
            whole = not line.is_closed
        finally:
            if whole:
                with self._lock:
                    self._idle.append(line)
            else:
                line.close()


class _Line:
    """One connection to the agent, for one request at a time."""

    def __init__(self, place: Place) -> None:
        check_socket(place)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_QUICK_S)
        try:
            self._socket.connect(str(place.socket))
        except OSError:
            self._socket.close()
            raise AgentUnavailable("no agent is running.", hint=UNLOCK) from None
        if not peer_is_me(self._socket):
            self._socket.close()
            raise AgentError(f"the process behind {place.socket} runs as another user; nothing was sent to it.")
        self._answers = self._socket.makefile("rb")
        self.is_closed = False

    def ask(self, message: bytes, patience_s: float) -> tuple[Header, bytes]:
        try:
            self._socket.settimeout(patience_s)
            self._socket.sendall(message)
            first = self._answers.readline(MAX_HEADER_BYTES + 1)
            if not first.endswith(b"\n") and len(first) <= MAX_HEADER_BYTES:
                raise _gone()
            header = decode_header(first)
            body = self._answers.read(header.body_bytes)
        except TimeoutError:
            raise AgentError("the agent does not answer.", hint="Type: bgresearch vault lock, then unlock.") from None
        except OSError:
            raise _gone() from None
        if len(body) != header.body_bytes:
            raise _gone()
        return header, body

    def close(self) -> None:
        self.is_closed = True
        self._answers.close()
        self._socket.close()


def _close_all(lines: list[_Line]) -> None:
    while lines:
        lines.pop().close()


def _gone() -> AgentUnavailable:
    return AgentUnavailable("the agent went away: it was locked or ended.", hint=UNLOCK)


def _status(said: dict[str, Any]) -> AgentStatus:
    try:
        keys = tuple(
            AgentKey(str(key["label"]), origin(key["host"]), bool(key["demo"]), str(key["fingerprint"]))
            for key in said["keys"]
        )
        return AgentStatus(
            pid=int(said["pid"]), vault=str(said["vault"]), unlocked=bool(said["unlocked"]), keys=keys,
            fingerprint=str(said["fingerprint"]), uptime_s=float(said["uptime_s"]),
            locks_in_s=float(said["locks_in_s"]), weak=tuple(str(words) for words in said["weak"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise AgentError("the agent's status makes no sense.") from None
