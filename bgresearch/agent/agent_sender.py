"""The sender that a client uses when the agent holds the key."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, SupportsIndex

from bgresearch.agent.client import Agent, AgentKey
from bgresearch.agent.requests import Fetch
from bgresearch.agent.socket_path import not_unlocked
from bgresearch.catalogue import Endpoint
from bgresearch.catalogue.response import unwrap
from bgresearch.errors import AgentError, ConfigurationError
from bgresearch.http.sender import Reply, Wire, query_pairs


class AgentSender:
    """A sender whose private requests the agent makes: this process never holds a secret.

    Public rows are asked directly; with a demo key the agent asks them too, as the demo environment is the key's.

    Parameters
    ----------
    key : AgentKey
        The key, from the agent's status.
    agent : Agent
        The agent that makes the private requests.
    public : Wire
        A wire to the key's host, without a key.

    Raises
    ------
    ConfigurationError
        The key is bound to another host.
    """

    def __init__(self, key: AgentKey, *, agent: Agent, public: Wire) -> None:
        if key.host != public.host:
            raise ConfigurationError(
                f"The key {key.label!r} is bound to {key.host} and is never sent to {public.host}.",
                hint="Use the key's own host, or add a key for this one.",
            )
        self._key, self._agent, self._public = key, agent, public
        self._lock = threading.Lock()
        self._sent = 0

    @property
    def label(self) -> str:
        """The key's label."""
        return self._key.label

    @property
    def agent(self) -> Agent:
        """The agent that holds the key."""
        return self._agent

    @property
    def host(self) -> str:
        """The only address it is used with."""
        return self._key.host

    @property
    def demo(self) -> bool:
        """Whether the key belongs to the demo environment."""
        return self._key.demo

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, "" if the agent was not asked."""
        return self._key.fingerprint

    @property
    def sent(self) -> int:
        """Requests sent by this sender, including those that the agent made."""
        return self._public.sent + self._sent

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        """Return the exchange's answer to one GET; as `Wire.send`, with the same errors.

        Raises
        ------
        AgentUnavailable
            The agent is not running, ended during the request, or is locked; nothing is lost.
        """
        if not endpoint.private and not self.demo:
            return self._public.send(endpoint, params)
        request = Fetch(self.label, self.host, endpoint.id, dict(query_pairs(params)))
        header, body = self._agent.fetch(request)
        with self._lock:
            self._sent += header.sent
        if header.error is not None:
            raise header.error
        attempts, received_ms, asked_ms = (header.result.get(name) for name in ("attempts", "received_ms", "asked_ms"))
        if not (isinstance(attempts, int) and isinstance(received_ms, int) and isinstance(asked_ms, int)):
            raise AgentError("the agent's answer is malformed.")
        return Reply(endpoint, unwrap(endpoint, 200, body), body, attempts, received_ms, asked_ms)

    def close(self) -> None:
        """Close connections; sending again opens new ones."""
        self._agent.close()
        self._public.close()

    def __repr__(self) -> str:
        return f"<AgentSender for {self.host}, key {self.label!r}>"

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("an AgentSender belongs to its process: call bgresearch.connect(key=...) in the other one")


def find_key(agent: Agent, label: str) -> AgentKey:
    """Return a key of the agent by its label.

    Raises
    ------
    AgentUnavailable
        No agent is running, or it is locked.
    ConfigurationError
        It has no such key; the message lists those that it has.
    """
    status = agent.status()
    if not status.unlocked:
        raise not_unlocked(Path(status.vault))
    for key in status.keys:
        if key.label == label:
            return key
    names = ", ".join(repr(key.label) for key in status.keys) or "none"
    raise ConfigurationError(f"the vault {status.vault} has no key {label!r}.", hint=f"It has: {names}.")
