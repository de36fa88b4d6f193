"""One key as it is stored in the body of a vault, and what of it may be shown."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from vault.hidden import Hidden, without_frames

HMAC_KIND = "hmac"
RSA_KIND = "rsa"
SECRET_FIELDS = ("api_key", "secret_key", "passphrase")

REMINDER_DAYS = 14
_OPEN_FIELDS = ("id", "name", "kind", "host", "note", "account", "created")
_LATER_FIELDS = ("checked", "verdict", "rotate_by", "used")  # texts that older files do not have
_DAYS_WITHOUT_ADDRESSES, _DAYS_WITH_ADDRESSES = 90, 365


@dataclass(frozen=True, slots=True)
class Triple:
    """The three texts that the exchange issues with a key."""

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
        The user's own text; empty if none was given.
    created : str
        UTC time of adding, ISO 8601.
    fingerprint : str
        First 16 hex digits of a hash of the API key.
    kind : str
        How it signs: ``"hmac"`` or ``"rsa"``.
    checked : str
        UTC time of the last check at the exchange; empty if there was none.
    verdict : str
        What that check said, for example ``"read-only"``.
    has_addresses : bool or None
        Whether the exchange lists addresses that the key is bound to; None before the first check.
    rotate_by : str
        UTC date by which to replace it: the user's own, or 90 days after adding, a year for a key with addresses.
    used : str
        UTC date of its last recorded use; empty if there was none.
    """

    label: str
    host: str
    demo: bool
    note: str
    account: str
    created: str
    fingerprint: str
    kind: str
    checked: str = ""
    verdict: str = ""
    has_addresses: bool | None = None
    rotate_by: str = ""
    used: str = ""

    @property
    def environment(self) -> str:
        """``"demo"`` or ``"live"``."""
        return "demo" if self.demo else "live"

    def reminder(self, now_ms: int) -> str:
        """Return a reminder to rotate the key, empty if nothing is due within two weeks."""
        if not self.rotate_by:
            return ""
        left = dt.date.fromisoformat(self.rotate_by) - dt.datetime.fromtimestamp(now_ms // 1000, dt.UTC).date()
        if left.days > REMINDER_DAYS:
            return ""
        why = "" if self.has_addresses else " (it is not known to be bound to addresses)"
        when = f"in {left.days} days" if left.days > 0 else f"since {self.rotate_by}"
        return f"rotate it: due {when}{why}"


@dataclass(frozen=True, slots=True)
class Slot:
    """One key with everything that is stored for it; fields of later releases are kept in ``extra``."""

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
    checked: str = ""
    verdict: str = ""
    has_addresses: bool | None = None
    rotate_by: str = ""
    used: str = ""

    def __repr__(self) -> str:
        return "<Slot>"  # a note may contain a secret

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
            checked=self.checked,
            verdict=self.verdict,
            has_addresses=self.has_addresses,
            rotate_by=self.rotate_by or self._due(),
            used=self.used,
        )

    def _due(self) -> str:
        try:
            created = dt.date.fromisoformat(self.created[:10])
        except ValueError:
            return ""
        days = _DAYS_WITH_ADDRESSES if self.has_addresses else _DAYS_WITHOUT_ADDRESSES
        return (created + dt.timedelta(days=days)).isoformat()

    def as_json(self) -> dict[str, Any]:
        shown = {field: getattr(self, field) for field in (*_OPEN_FIELDS, *_LATER_FIELDS)}
        secret = {field: getattr(self.triple, field).value for field in SECRET_FIELDS}
        return {**self.extra.value, **shown, **secret, "demo": self.demo, "has_addresses": self.has_addresses}


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
    """Return the body with these slots in place of its own; everything else in it stays."""
    return Hidden({**body.value, "keys": [slot.as_json() for slot in slots]})


def _is_well_formed(row: object) -> bool:
    if not isinstance(row, dict) or type(row.get("demo")) is not bool:
        return False
    if row.get("has_addresses") is not None and type(row["has_addresses"]) is not bool:
        return False
    if not all(isinstance(row.get(field, ""), str) for field in _LATER_FIELDS):
        return False
    return all(isinstance(row.get(field), str) for field in (*_OPEN_FIELDS, *SECRET_FIELDS))


def _slot(row: dict[str, Any]) -> Slot:
    known = {*_OPEN_FIELDS, *_LATER_FIELDS, *SECRET_FIELDS, "demo", "has_addresses"}
    shown = {field: row.get(field, "") for field in (*_OPEN_FIELDS, *_LATER_FIELDS)}
    triple = Triple(**{field: Hidden(row[field]) for field in SECRET_FIELDS})
    extra = Hidden({field: value for field, value in row.items() if field not in known})
    return Slot(**shown, demo=row["demo"], has_addresses=row.get("has_addresses"), triple=triple, extra=extra)
