"""What can be asked of the agent, one class for each operation; the fields are those of the line that crosses."""

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
    """Ask the exchange one row of the table, signed with a key; ``host`` is where the asker takes the key to belong."""

    key: str
    host: str
    endpoint: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Status:
    """Say who you are, which keys there are, and how long until you lock."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Forget everything: end."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Ask for what somebody needs to seal something for this agent alone, for one purpose; ``host`` is a new key's."""

    purpose: str
    label: str
    host: str
    demo: bool


@dataclass(frozen=True, slots=True)
class Open:
    """Open a sealed box, and do with it what its offer was for."""

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
    """Forget a staged key."""

    staged: str


@dataclass(frozen=True, slots=True)
class Check:
    """Examine a stored key at the exchange and write down the verdict."""

    key: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a key another name."""

    key: str
    new: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Change what is said about a key; None stays."""

    key: str
    note: str | None
    account: str | None
    rotate_by: str | None


@dataclass(frozen=True, slots=True)
class Remove:
    """Take a key out of the vault."""

    key: str


@dataclass(frozen=True, slots=True)
class Audit:
    """Tell the audit trail."""


@dataclass(frozen=True, slots=True)
class Search:
    """Look for the vault's own secrets in bytes."""

    data: bytes = field(repr=False)


Request = (
    Fetch | Status | Lock | Offer | Open | Examine | Keep | Discard | Check | Rename | Edit | Remove | Audit | Search
)
