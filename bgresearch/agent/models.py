"""The agent's answers as values that a kernel may hold: status, keys, permissions. Nothing in them is secret."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from bgresearch.errors import AgentError, InvalidInput
from bgresearch.http.transport import origin
from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.permissions import Authority, Permissions
from vault import Leak
from vault.trail import AuditEvent, AuditTrail


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key of the agent's vault, without its secrets.

    Attributes
    ----------
    label, host : str
        Its name, and the only host it is used with.
    demo : bool
        Demo environment or live.
    fingerprint : str
        First 16 hex digits of a hash of the API key.
    note, account : str
        The user's own text.
    created, last_checked, last_used : str
        UTC times of adding and of the last check, UTC date of the last recorded use; empty if there was none.
    last_verdict : str
        What the last check said, for example ``"read-only"``.
    has_addresses : bool or None
        Whether the exchange lists addresses that the key is bound to; None before the first check.
    rotate_by : str
        UTC date by which to replace it.
    reminder : str
        A reminder to rotate the key; empty if nothing is due.
    """

    label: str
    host: str
    demo: bool
    fingerprint: str
    note: str = ""
    account: str = ""
    created: str = ""
    last_checked: str = ""
    last_verdict: str = ""
    has_addresses: bool | None = None
    last_used: str = ""
    rotate_by: str = ""
    reminder: str = ""


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """The status of the agent.

    Attributes
    ----------
    pid : int
        Its process.
    vault : str
        The vault's file.
    unlocked : bool
        Whether it has the keys.
    keys : tuple of AgentKey
        The keys of its vault.
    fingerprint : str
        Of the key that passwords are sealed to; a form shows the same.
    uptime_s, locks_in_s : float
        Seconds since its start, and until it locks if it is not used.
    weak : tuple of str
        Protections that the platform lacks, and the vault's warnings, one sentence each.
    exists : bool
        Whether the vault's file is there.
    unlocks : tuple of str
        The ways to unlock it: ``"password"``, perhaps ``"recovery"`` and ``"keyring"``; empty while it is locked.
    """

    pid: int
    vault: str
    unlocked: bool
    keys: tuple[AgentKey, ...]
    fingerprint: str
    uptime_s: float
    locks_in_s: float
    weak: tuple[str, ...]
    exists: bool = True
    unlocks: tuple[str, ...] = ()


class Examination:
    """Findings about a key, one after the other as the agent makes them; then what the key may do.

    Attributes
    ----------
    permissions : Permissions or None
        What the key may do: known when the findings are through, and None if the exchange refused the key.
    """

    def __init__(self, findings: Generator[Finding, None, Permissions | None]) -> None:
        self._findings = findings
        self.permissions: Permissions | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Finding:
        try:
            return next(self._findings)
        except StopIteration as end:
            self.permissions = self.permissions or end.value
            raise


def status_of(said: Mapping[str, Any]) -> AgentStatus:
    """Return the status in an answer.

    Raises
    ------
    AgentError
        It is malformed.
    """
    try:
        return AgentStatus(
            pid=int(said["pid"]), vault=str(said["vault"]), unlocked=bool(said["unlocked"]),
            keys=tuple(key_of(key) for key in said["keys"]),
            fingerprint=str(said["fingerprint"]), uptime_s=float(said["uptime_s"]),
            locks_in_s=float(said["locks_in_s"]), weak=tuple(str(sentence) for sentence in said["weak"]),
            exists=bool(said["exists"]), unlocks=tuple(str(kind) for kind in said["unlocks"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise AgentError("the agent's status is malformed.") from None


def key_of(said: Mapping[str, Any]) -> AgentKey:
    """Return the key in an answer; AgentError if it is malformed."""
    try:
        texts = {name: said[name] for name in _KEY_TEXTS}
        if not all(isinstance(text, str) for text in texts.values()) or said["has_addresses"] not in {
            True,
            False,
            None,
        }:
            raise ValueError
        return AgentKey(
            str(said["label"]), origin(said["host"]), bool(said["demo"]), str(said["fingerprint"]), **texts,
            has_addresses=said["has_addresses"],
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise AgentError("the agent's description of a key is malformed.") from None


def findings_of(said: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return the findings in an answer; AgentError if they are malformed."""
    try:
        return tuple(Finding.from_json(one) for one in said["findings"])
    except (KeyError, TypeError, InvalidInput):
        raise AgentError("the agent's findings are malformed.") from None


def permissions_json(found: Permissions | None) -> dict[str, Any] | None:
    """Return permissions as a JSON object."""
    return None if found is None else asdict(found)


def permissions_of(said: Mapping[str, Any]) -> Permissions | None:
    """Return the permissions in an answer; AgentError if they are malformed."""
    found = said.get("permissions")
    if found is None:
        return None
    try:
        authorities = tuple(Authority(**one) for one in found["authorities"])
        return Permissions(**{**found, "authorities": authorities, "addresses": tuple(found["addresses"])})
    except (KeyError, TypeError):
        raise AgentError("the agent's permissions are malformed.") from None


def trail_of(said: Mapping[str, Any], events: Any) -> AuditTrail:
    """Return the audit trail in an answer; AgentError if it is malformed."""
    try:
        return AuditTrail(tuple(AuditEvent(**one) for one in events), tuple(said["problems"]))
    except (KeyError, TypeError):
        raise AgentError("the agent's audit trail is malformed.") from None


def leaks_of(said: Mapping[str, Any]) -> list[Leak]:
    """Return the leaks in an answer; AgentError if they are malformed."""
    try:
        return [Leak(**one) for one in said["leaks"]]
    except (KeyError, TypeError):
        raise AgentError("the agent's search result is malformed.") from None


_KEY_TEXTS = (
    "note", "account", "created", "last_checked", "last_verdict", "last_used", "rotate_by", "reminder",
)  # fmt: skip
