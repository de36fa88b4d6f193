"""The agent's client: sends requests over its socket, from any thread. Nothing here holds a secret."""

from __future__ import annotations

import json
import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

from bgresearch.agent import models
from bgresearch.agent import requests as ask
from bgresearch.agent.connection import QUICK_S, AgentConnection
from bgresearch.agent.models import AgentKey, AgentStatus, Examination
from bgresearch.agent.protocol import MAX_SEARCHED_BYTES, Header, encode_request
from bgresearch.agent.requests import Purpose
from bgresearch.agent.socket_path import Place, default_place, need_sockets
from bgresearch.errors import AgentError, AgentUnavailable
from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.permissions import Permissions
from vault import Leak, VaultError
from vault.leaks import OVERLAP
from vault.trail import AuditEvent, AuditTrail

__all__ = ["Agent", "AgentKey", "AgentStatus", "AgentVerbs", "Examination"]

_PATIENCE_S = 900.0  # a request may wait for a slot, and five minutes after a refused address
_VAULT_S = 60.0  # what reads or saves the vault, or derives a key
_REPEATABLE = (ask.Fetch, ask.Status, ask.Lock, ask.Offer, ask.Check, ask.Audit, ask.Search)


class AgentVerbs(ABC):
    """The agent's operations; `Agent` sends them to another process, `OwnAgent` answers them in this one."""

    def status(self) -> AgentStatus:
        """Return the agent's status.

        Raises
        ------
        AgentUnavailable
            No agent is running.
        AgentError
            Folder, socket or the process behind it could belong to another user.
        """
        return models.status_of(self._result(ask.Status()))

    def offer(
        self, purpose: Purpose = "unlock", label: str = "unlock", *, host: str = "", demo: bool = False
    ) -> dict[str, Any]:
        """Return what is needed to seal something for this agent: ``offer``, ``fingerprint``, perhaps ``asked``.

        Parameters
        ----------
        purpose : str
            What the box will be for: ``unlock``, ``create``, ``strength`` or ``recovery`` (field ``password``),
            ``recover`` (``recovery_code``), ``keyring`` (``code``), ``confirm`` (``first``, ``second``: the groups of
            the recovery code whose numbers, from 1, are in ``asked``), ``key`` or ``rotate`` (``api_key``,
            ``secret_key``, ``passphrase``).
        label : str
            For ``key`` the new key's name, for ``rotate`` that of the key to replace; otherwise not used.
        host : str, optional
            Of a new key; the exchange's own by default.
        demo : bool
            Whether a new key belongs to the demo environment.

        Raises
        ------
        InvalidField, HostNotAllowed
            A name or a host that cannot be accepted.
        AgentError
            ``confirm`` without a new recovery code that waits for it.
        """
        answer = self._result(ask.Offer(purpose, label, host, demo))
        if not isinstance(answer.get("offer"), dict) or not isinstance(answer.get("fingerprint"), str):
            raise AgentError("the agent's offer is malformed.")
        return answer

    def open(self, box: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of opening a sealed box, by the purpose of its offer.

        ``unlock``, ``recover``, ``keyring``, ``create``: the status. ``strength``: ``score`` (0-4), ``guesses_log10``,
        ``words``. ``recovery``: ``reply``, a box for the sealer alone. ``confirm``: ``confirmed``. ``key``, ``rotate``:
        ``staged`` (None if a field cannot be accepted), ``label`` and ``findings``, each ``field`` and ``words``.

        Raises
        ------
        WrongPassword, WrongRecoveryCode, NoRecovery
            It does not open the vault; the next attempt is accepted only after a pause.
        BoxRefused
            The box is not a fresh one for this agent.
        VaultError, AgentError
            Any other failure.
        """
        return self._result(ask.Open(box), _VAULT_S)

    def unlock(self, box: Mapping[str, Any]) -> AgentStatus:
        """Return its status after it opened the vault with a sealed password or code; otherwise as `open`."""
        return models.status_of(self.open(box))

    def examine(self, staged: str) -> Examination:
        """Yield the findings about a staged key; costs two requests to the agent, a few to the exchange.

        Raises
        ------
        AgentError
            Nothing is staged under this id: it was kept, discarded or expired after 15 minutes.
        """
        return Examination(self._examined(staged))

    def keep(
        self, staged: str, *, note: str = "", account: str = "", rotate_by: str = "", accept_trade: bool = False
    ) -> AgentKey:
        """Save a staged key that was examined and passed; return its public fields.

        A key that can withdraw is never kept; one that can trade or transfer only with ``accept_trade=True``. For a
        rotation, the key replaces the old one; note, account and date stay where the new ones are empty.

        Raises
        ------
        AgentError
            It was not examined here, did not pass, or may do more than read.
        InvalidField, DuplicateKey, TooManyKeys, VaultError
            The vault cannot accept it.
        """
        said = self._result(ask.Keep(staged, note, account, rotate_by, accept_trade), _VAULT_S)
        return models.key_of(said.get("key") or {})

    def discard(self, staged: str) -> None:
        """Make the agent discard a staged key; one that is gone already is no error."""
        self._result(ask.Discard(staged))

    def check(self, key: str) -> tuple[tuple[Finding, ...], Permissions | None]:
        """Return the findings about a stored key and what it may do (None if it was refused); the verdict is saved."""
        said = self._result(ask.Check(key), _PATIENCE_S)
        return models.findings_of(said), models.permissions_of(said)

    def rename(self, key: str, new: str) -> AgentStatus:
        """Give a key another name."""
        return models.status_of(self._result(ask.Rename(key, new), _VAULT_S))

    def edit(
        self, key: str, *, note: str | None = None, account: str | None = None, rotate_by: str | None = None
    ) -> AgentStatus:
        """Change the note, account or rotation date of a key; what is None stays."""
        return models.status_of(self._result(ask.Edit(key, note, account, rotate_by), _VAULT_S))

    def remove(self, key: str) -> AgentStatus:
        """Remove a key from the vault; at the exchange it stays valid until it is deleted there."""
        return models.status_of(self._result(ask.Remove(key), _VAULT_S))

    def trail(self) -> AuditTrail:
        """Return the newest 20,000 events of the vault's audit trail and the problems found in all of it."""
        header, body = self._asked(ask.Audit(), _VAULT_S)
        return models.trail_of(header.result, json.loads(body))

    def audit(self) -> tuple[AuditEvent, ...]:
        """Return the newest 20,000 events of the vault's audit trail, oldest first."""
        return self.trail().events

    def search(self, data: bytes) -> list[Leak]:
        """Return which of the vault's secrets are in the data, each form once, at its first place; none is shown.

        Raises
        ------
        AgentError
            More was searched within a minute than the agent allows; the message says how long to wait.
        """
        found: dict[tuple[str, str, str], Leak] = {}
        for start in range(0, max(len(data) - OVERLAP, 1), MAX_SEARCHED_BYTES - OVERLAP):
            part = data[start : start + MAX_SEARCHED_BYTES]
            for leak in models.leaks_of(self._result(ask.Search(part), _VAULT_S)):
                offset = leak.offset + start if leak.offset >= 0 else leak.offset
                found.setdefault((leak.label, leak.field, leak.form), Leak(leak.label, leak.field, leak.form, offset))
        whole = {(leak.label, leak.field) for leak in found.values() if leak.offset >= 0}
        return [leak for leak in found.values() if leak.offset >= 0 or (leak.label, leak.field) not in whole]

    def fetch(self, request: ask.Fetch) -> tuple[Header, bytes]:
        """Return what the exchange answered to one row of the table, or a header with the error."""
        return self._ask(request, _PATIENCE_S)

    def open_socket(self, request: ask.OpenSocket) -> str:
        """Return the agent's name for a private WebSocket that is logged in."""
        name = self._result(request, _PATIENCE_S).get("socket")
        if not isinstance(name, str):
            raise AgentError("the agent's answer is malformed.")
        return name

    def use_socket(self, request: ask.UseSocket) -> tuple[Header, bytes]:
        """Return the frames that came on a private WebSocket, as a JSON list of texts."""
        return self._asked(request, _VAULT_S)

    def close_socket(self, request: ask.CloseSocket) -> None:
        """Make the agent close a private WebSocket."""
        self._result(request)

    def _examined(self, staged: str) -> Generator[Finding, None, Permissions | None]:
        yield from models.findings_of(self._result(ask.Examine(staged, "reach"), _PATIENCE_S))
        said = self._result(ask.Examine(staged, "key"), _PATIENCE_S)
        yield from models.findings_of(said)
        return models.permissions_of(said)

    def _result(self, request: ask.Request, patience_s: float = QUICK_S) -> dict[str, Any]:
        return self._asked(request, patience_s)[0].result

    def _asked(self, request: ask.Request, patience_s: float) -> tuple[Header, bytes]:
        header, body = self._ask(request, patience_s)
        if header.error is not None:
            raise header.error
        return header, body

    @abstractmethod
    def _ask(self, request: ask.Request, patience_s: float) -> tuple[Header, bytes]:
        """Send a request, return header and body of the answer."""


class Agent(AgentVerbs):
    """A client of the agent in another process.

    Parameters
    ----------
    place : Place, optional
        The folder of its socket; the user's own by default. Nothing is opened before the first request.
    """

    def __init__(self, place: Place | None = None) -> None:
        need_sockets()
        self.place = place or default_place()
        self._lock = threading.Lock()
        self._idle: list[AgentConnection] = []
        self._process = os.getpid()
        weakref.finalize(self, _close_all, self._idle)

    def is_there(self) -> bool:
        """Return whether an agent answers, even if something is wrong with its vault."""
        try:
            self.status()
        except AgentError:
            return False
        except VaultError:
            return True
        return True

    def lock(self) -> None:
        """Make the agent discard everything and end."""
        self._result(ask.Lock())
        self.close()

    def close(self) -> None:
        """Close idle connections; the next request opens new ones."""
        with self._lock:
            _close_all(self._idle)

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Agent at {str(self.place.socket)!r}>"

    def _ask(self, request: ask.Request, patience_s: float) -> tuple[Header, bytes]:
        message = encode_request(request)
        if not isinstance(request, _REPEATABLE):  # never sent twice, so on a connection of its own
            with closing(AgentConnection(self.place)) as connection:
                return connection.ask(message, patience_s)
        while (idle := self._take_idle()) is not None:  # the agent may have closed it; a read can be repeated
            with suppress(AgentUnavailable), self._used(idle):
                return idle.ask(message, patience_s)
        with self._used(AgentConnection(self.place)) as connection:
            return connection.ask(message, patience_s)

    def _take_idle(self) -> AgentConnection | None:
        with self._lock:
            if self._process != os.getpid():  # a fork: the connections are the parent's
                self._process = os.getpid()
                _close_all(self._idle)
            return self._idle.pop() if self._idle else None

    @contextmanager
    def _used(self, connection: AgentConnection) -> Iterator[AgentConnection]:
        """Keep the connection for the next request, unless anything went wrong on it."""
        is_reusable = False
        try:
            yield connection
            is_reusable = not connection.is_closed
        finally:
            if is_reusable:
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()


def _close_all(connections: list[AgentConnection]) -> None:
    while connections:
        connections.pop().close()
