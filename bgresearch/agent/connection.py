"""One connection of a client to the agent, for one request at a time."""

from __future__ import annotations

import socket

from bgresearch.agent.protocol import MAX_HEADER_BYTES, Header, decode_header
from bgresearch.agent.socket_path import Place, check_socket, peer_is_me, unlock_hint
from bgresearch.errors import AgentError, AgentUnavailable

QUICK_S = 5.0  # for requests that do not involve the exchange


class AgentConnection:
    """A connection; made only if folder, socket and the process behind it are the user's own."""

    def __init__(self, place: Place) -> None:
        check_socket(place)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(QUICK_S)
        try:
            self._socket.connect(str(place.socket))
        except OSError:
            self._socket.close()
            raise AgentUnavailable("no agent is running.", hint=unlock_hint()) from None
        if not peer_is_me(self._socket):
            self._socket.close()
            raise AgentError(f"the process behind {place.socket} runs as another user; nothing was sent to it.")
        self._answers = self._socket.makefile("rb")
        self.is_closed = False

    def ask(self, message: bytes, patience_s: float) -> tuple[Header, bytes]:
        """Return the answer to one request."""
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
        """Close the connection."""
        self.is_closed = True
        self._answers.close()
        self._socket.close()


def _gone() -> AgentUnavailable:
    return AgentUnavailable("the agent closed the connection: it was locked or has ended.", hint=unlock_hint())
