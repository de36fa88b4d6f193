"""One key as it lies in the body of a vault, and what may be said about it in public."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from vault.hidden import Hidden, without_frames

HMAC_KIND = "hmac"
SECRET_FIELDS = ("api_key", "secret_key", "passphrase")

_OPEN_FIELDS = ("id", "name", "kind", "host", "note", "account", "created")


@dataclass(frozen=True, slots=True)
class Triple:
    """The three texts that the exchange hands out with a key."""

    api_key: Hidden[str]
    secret_key: Hidden[str]
    passphrase: Hidden[str]


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be shown of a key: nothing in it is secret.

    Attributes
    ----------
    label : str
        Name in the vault.
    host : str
        The only address it is used with.
    demo : bool
        Demo environment of the exchange, or live.
    note, account : str
        The user's own words; empty if none were given.
    created : str
        UTC time of adding, ISO 8601.
    fingerprint : str
        First 16 hex digits of a hash of the API key.
    kind : str
        How it signs: ``"hmac"``.
    """

    label: str
    host: str
    demo: bool
    note: str
    account: str
    created: str
    fingerprint: str
    kind: str


@dataclass(frozen=True, slots=True)
class Slot:
    """One key with everything that is stored for it; fields of later releases ride along in ``extra``."""

    id: str
    name: str
    kind: str
    host: str
    demo: bool
    note: str
    account: str
    created: str
    triple: Triple
    extra: Hidden[dict[str, Any]]

    def __repr__(self) -> str:
        return "<Slot>"  # a note may turn out to hold a secret

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(b"bgresearch api key " + self.triple.api_key.value.encode("utf-8")).hexdigest()[:16]

    def info(self) -> KeyInfo:
        return KeyInfo(
            label=self.name,
            host=self.host,
            demo=self.demo,
            note=self.note,
            account=self.account,
            created=self.created,
            fingerprint=self.fingerprint,
            kind=self.kind,
        )

    def as_json(self) -> dict[str, Any]:
        shown = {field: getattr(self, field) for field in _OPEN_FIELDS}
        secret = {field: getattr(self.triple, field).value for field in SECRET_FIELDS}
        return {**self.extra.value, **shown, **secret, "demo": self.demo}


@without_frames
def slots_from_body(body: Hidden[dict[str, Any]]) -> tuple[Slot, ...] | None:
    """Return the slots in an opened body, or None if they are malformed; never raises, as it sees secrets."""
    rows = body.value.get("keys")
    if not isinstance(rows, list) or not all(_is_well_formed(row) for row in rows):
        return None
    slots = tuple(_slot(row) for row in rows)
    is_unique = all(len({getattr(slot, field) for slot in slots}) == len(slots) for field in ("id", "name"))
    return slots if is_unique else None


@without_frames
def body_with_slots(body: Hidden[dict[str, Any]], slots: tuple[Slot, ...]) -> Hidden[dict[str, Any]]:
    """Return the body with these slots in place of its own; whatever else it carries stays."""
    return Hidden({**body.value, "keys": [slot.as_json() for slot in slots]})


def _is_well_formed(row: object) -> bool:
    if not isinstance(row, dict) or type(row.get("demo")) is not bool:
        return False
    return all(isinstance(row.get(field), str) for field in (*_OPEN_FIELDS, *SECRET_FIELDS))


def _slot(row: dict[str, Any]) -> Slot:
    known = {*_OPEN_FIELDS, *SECRET_FIELDS, "demo"}
    shown = {field: row[field] for field in _OPEN_FIELDS}
    triple = Triple(**{field: Hidden(row[field]) for field in SECRET_FIELDS})
    extra = Hidden({field: value for field, value in row.items() if field not in known})
    return Slot(**shown, demo=row["demo"], triple=triple, extra=extra)
