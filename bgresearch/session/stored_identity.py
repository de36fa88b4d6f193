"""User ids by key label and modes by account, remembered for offline use. No secrets."""

from __future__ import annotations

import json

from bgresearch.errors import StoreError
from bgresearch.http.sender import Sender
from bgresearch.session.identity import Identity, Mode
from bgresearch.store import Store

_MODES = "account/modes.json"


def known_label(store: Store, host: str, label: str) -> bool:
    """Return whether a user id is remembered for a label."""
    return label in _read(store).get(host, {})


def known_uid(store: Store, sender: Sender) -> str | None:
    """Return the remembered user id of a sender's key, or None.

    A label may have been reused for a key of another account: then the remembered id does not apply.
    """
    known, label = _read(store), sender.label or ""
    mark, kept = _mark(sender), known.get(_marks(sender), {}).get(label, "")
    if mark and kept and mark != kept:
        return None
    return known.get(sender.host, {}).get(label) or None


def remember_uid(store: Store, sender: Sender, uid: str) -> None:
    """Remember a user id; writes only if it is new."""
    label, mark = sender.label or "", _mark(sender)
    if known_uid(store, sender) == uid and (not mark or _read(store).get(_marks(sender), {}).get(label) == mark):
        return

    def with_uid(text: bytes | None) -> bytes:
        known = _parsed(text)
        known.setdefault(sender.host, {})[label] = uid
        if mark:
            known.setdefault(_marks(sender), {})[label] = mark
        return json.dumps(known, sort_keys=True).encode()

    store.edit_private("account/keys.json", with_uid)


def known_mode(store: Store, uid: str) -> Mode | None:
    """Return the remembered mode of an account, or None."""
    found = _parsed(store.read_file(_MODES)).get("modes", {}).get(uid)
    return "classic" if found == "classic" else "unified" if found == "unified" else None


def remember_mode(store: Store, identity: Identity) -> None:
    """Remember an account's mode for offline use; written again when it changes."""
    if known_mode(store, identity.uid) == identity.mode:
        return

    def with_mode(text: bytes | None) -> bytes:
        modes = _parsed(text)
        modes.setdefault("modes", {})[identity.uid] = identity.mode
        return json.dumps(modes, sort_keys=True).encode()

    store.edit_private(_MODES, with_mode)


def _mark(sender: Sender) -> str:
    """Return the fingerprint of the sender's key, "" if the sender does not know it (offline, without the agent)."""
    return str(getattr(sender, "fingerprint", ""))


def _marks(sender: Sender) -> str:
    return f"fingerprints {sender.host}"


def _read(store: Store) -> dict[str, dict[str, str]]:
    return _parsed(store.read_file("account/keys.json"))


def _parsed(text: bytes | None) -> dict[str, dict[str, str]]:
    if text is None:
        return {}
    try:
        uids = json.loads(text)
        return {str(host): {str(k): str(v) for k, v in labels.items()} for host, labels in uids.items()}
    except (ValueError, AttributeError, RecursionError):
        raise StoreError("account/keys.json is damaged.", hint="Delete it; the ids are fetched again.") from None
