"""The agent's requests, one class for each operation; the fields are those of the JSON line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Purpose = Literal[
    "unlock", "recover", "keyring", "create", "strength", "recovery", "confirm", "key", "rotate"
]  # fmt: skip
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)


@dataclass(frozen=True, slots=True)
class Fetch:
    """Request one endpoint of the table, signed with a key; ``host`` is the one that the client expects for the key."""

    key: str
    host: str
    endpoint: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Status:
    """Return the agent's process, its keys, and the time until it locks."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Discard everything and end."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Return an offer, with which texts are sealed for this agent alone and one purpose; ``host`` is a new key's."""

    purpose: str
    label: str
    host: str
    demo: bool


@dataclass(frozen=True, slots=True)
class Open:
    """Open a sealed box, and use its texts for the purpose of its offer."""

    box: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Examine:
    """Examine a staged key at the exchange: first ``reach``, then ``key``."""

    staged: str
    stage: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Save a staged key that was examined and passed."""

    staged: str
    note: str
    account: str
    rotate_by: str
    accept_trade: bool


@dataclass(frozen=True, slots=True)
class Discard:
    """Discard a staged key."""

    staged: str


@dataclass(frozen=True, slots=True)
class Check:
    """Examine a stored key at the exchange and save the verdict."""

    key: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a key another name."""

    key: str
    new: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Change the note, account or rotation date of a key; None stays."""

    key: str
    note: str | None
    account: str | None
    rotate_by: str | None


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a key from the vault."""

    key: str


@dataclass(frozen=True, slots=True)
class Audit:
    """Return the audit trail."""


@dataclass(frozen=True, slots=True)
class Search:
    """Search bytes for the vault's own secrets."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Open a private WebSocket at an address of the key's own exchange and log in; ``host`` as of `Fetch`."""

    key: str
    host: str
    base_url: str
    version: str


@dataclass(frozen=True, slots=True)
class UseSocket:
    """Send a ping or a subscription (or nothing) on a WebSocket, and return the frames that came."""

    socket: str
    message: str
    waits: bool


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close a WebSocket."""

    socket: str


Request = (
    Fetch | Status | Lock | Offer | Open | Examine | Keep | Discard | Check | Rename | Edit | Remove | Audit | Search
    | OpenSocket | UseSocket | CloseSocket
)  # fmt: skip
