"""The audit trail: what happened to which key and when, one JSON line each, every line chained to the previous one.

The lines are stored unencrypted next to the vault and hold no value and no label, only the key's random id. The hash
of the last line is stored in the vault's encrypted body, so a changed, removed or inserted line is detected.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from vault.envelope import canonical, digest
from vault.hidden import Hidden

FIELD = "trail"  # its head in the vault's body
FORMER = "former"  # labels of removed keys there, by id
MADE, ADDED, CHECKED, USED = "vault made", "added", "checked", "first use of the day"
ROTATED, RENAMED, EDITED, REMOVED = "rotated", "renamed", "edited", "removed"
PASSWORD_CHANGED, DATA_KEY_ROTATED = "password changed", "data key rotated"
UNLOCK_ADDED, UNLOCK_REMOVED, RECOVERED = "way to unlock added", "way to unlock removed", "opened by recovery"
RESTORED, EXPORTED, IMPORTED = "restored", "exported", "imported"

_START = "0" * 64
_NAMES = {"number", "at", "event", "key", "previous"}


@dataclass(frozen=True, slots=True)
class Head:
    """Where the trail ended when the vault was saved: number of lines, hash of the last one, bytes."""

    count: int = 0
    sha256: str = _START
    size: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"count": self.count, "sha256": self.sha256, "size": self.size}


@dataclass(frozen=True, slots=True)
class Happening:
    """An event to be recorded; ``key`` is a slot's id, empty for the vault as a whole."""

    event: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of the trail, as shown.

    Attributes
    ----------
    number : int
        Counted from 1.
    at : str
        UTC time, ISO 8601.
    event : str
        What happened.
    label : str
        The key's present or last label; empty for the vault as a whole.
    """

    number: int
    at: str
    event: str
    label: str


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """The trail and what is wrong with it.

    Attributes
    ----------
    events : tuple of AuditEvent
        Oldest first, up to the first line that cannot be trusted.
    problems : tuple of str
        One sentence each; empty if every line is there and unchanged.
    """

    events: tuple[AuditEvent, ...]
    problems: tuple[str, ...]


def head_of(body: Hidden[dict[str, Any]]) -> Head:
    """Return the head in an opened body; a vault from before the trail has an empty one."""
    found = body.value.get(FIELD)
    return Head(found["count"], found["sha256"], found["size"]) if isinstance(found, dict) else Head()


def head_in(raw: bytes) -> Head:
    """Return the head of a trail's bytes up to the first line that cannot be trusted."""
    head = Head()
    for line in raw.splitlines(keepends=True):
        row = _row(line)
        if row is None or row["number"] != head.count + 1 or row["previous"] != head.sha256:
            break
        head = Head(head.count + 1, digest(line), head.size + len(line))
    return head


def extended(head: Head, happenings: tuple[Happening, ...], at: str) -> tuple[Head, bytes]:
    """Return the new head and the lines to append after the old one."""
    written: list[bytes] = []
    for happening in happenings:
        numbered = {"number": head.count + 1, "at": at, "event": happening.event, "key": happening.key}
        line = canonical({**numbered, "previous": head.sha256}) + b"\n"
        head = Head(head.count + 1, digest(line), head.size + len(line))
        written.append(line)
    return head, b"".join(written)


def verified(raw: bytes, head: Head, labels: dict[str, str]) -> AuditTrail:
    """Return the trail in a file's bytes, compared with the head that the vault stores."""
    believed, tail = raw[: head.size], raw[head.size :]
    events: list[AuditEvent] = []
    problems: list[str] = []
    previous = _START
    for line in believed.splitlines(keepends=True):
        row = _row(line)
        if row is None or row["number"] != len(events) + 1 or row["previous"] != previous:
            problems.append(f"line {len(events) + 1} was changed, inserted or removed; nothing after it is trusted")
            break
        previous = digest(line)
        events.append(AuditEvent(row["number"], row["at"], row["event"], labels.get(row["key"], row["key"][:8])))
    if not problems and len(raw) < head.size:
        problems.append(f"{head.count - len(events)} of {head.count} lines are missing at its end")
    elif not problems and (len(events), previous) != (head.count, head.sha256):
        problems.append("its last line is not the one that the vault remembers")
    if tail and not problems:
        problems.append("there is more at its end than the vault confirmed: a save was interrupted, or it was added to")
    return AuditTrail(tuple(events), tuple(problems))


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or row.keys() != _NAMES or type(row["number"]) is not int:
        return None
    if not all(isinstance(row[name], str) for name in _NAMES - {"number"}):
        return None
    return row if canonical(row) + b"\n" == line else None
