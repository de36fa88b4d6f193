"""Private streams for a client whose key the agent holds: the agent logs in, and frames cross the agent's socket."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from bgresearch.agent.agent_sender import AgentSender
from bgresearch.agent.client import AgentVerbs
from bgresearch.agent.requests import CloseSocket, OpenSocket, UseSocket
from bgresearch.errors import AgentError
from bgresearch.live.hosts import Version
from bgresearch.live.websocket import Gone


class AgentLogin:
    """Opens private connections through the agent; this process never sees the login.

    Parameters
    ----------
    sender : AgentSender
        The key, and the agent that holds it.
    base_url : callable
        Returns the WebSocket address; the agent refuses one that is not of the key's exchange.
    """

    def __init__(self, sender: AgentSender, base_url: Callable[[], str]) -> None:
        self._sender, self._base_url = sender, base_url

    def open(self, version: Version) -> AgentSocket:
        """Return a connection that is logged in.

        Raises
        ------
        AgentUnavailable
            The agent is not running, or is locked.
        ConfigurationError, NetworkError, ExchangeError
            As `live.hosts.OwnLogin.open`.
        """
        agent = self._sender.agent
        request = OpenSocket(self._sender.label, self._sender.host, self._base_url(), version)
        return AgentSocket(agent, agent.open_socket(request))


class AgentSocket:
    """A WebSocket that the agent holds.

    Parameters
    ----------
    agent : AgentVerbs
        Holds the connection.
    number : str
        The agent's name for it.
    """

    def __init__(self, agent: AgentVerbs, number: str) -> None:
        self._agent, self._number = agent, number
        self._frames: deque[str] = deque()
        self._ended = ""

    def send(self, text: str) -> None:
        """Send a message; the agent accepts pings and subscriptions alone."""
        self._use(text, waits=False)

    def receive(self, wait_s: float) -> str | None:
        """Return the next message, None if none came in time."""
        if not self._frames and not self._ended and wait_s > 0:
            self._use("", waits=True)
        if self._frames:
            return self._frames.popleft()
        if self._ended:
            raise Gone(self._ended)
        return None

    def close(self) -> None:
        """Close the connection; from any thread, and twice."""
        if not self._ended:
            self._ended = "closed"
            with suppress(AgentError):  # the agent has ended, and the connection with it
                self._agent.close_socket(CloseSocket(self._number))

    def _use(self, text: str, *, waits: bool) -> None:
        if self._ended:
            raise Gone(self._ended)
        header, body = self._agent.use_socket(UseSocket(self._number, text, waits))
        try:
            frames, ended = json.loads(body), header.result["ended"]
        except (ValueError, KeyError, RecursionError):
            raise AgentError("the agent's answer is malformed.") from None
        if not isinstance(frames, list) or not all(isinstance(one, str) for one in frames):
            raise AgentError("the agent's answer is malformed.")
        self._frames.extend(frames)
        self._ended = self._ended or str(ended)
