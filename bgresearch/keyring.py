"""Which user id belongs to a key's label and which mode to an account, for work offline. No secrets."""

from __future__ import annotations

import json

from bgresearch.errors import StoreError
from bgresearch.identity import Identity, Mode
from bgresearch.store import Store

_MODES = "account/modes.json"


def known_uid(store: Store, host: str, label: str) -> str | None:
    """Return the remembered user id, or None."""
    found = _read(store).get(host, {}).get(label)
    return str(found) if found else None


def remember_uid(store: Store, host: str, label: str, uid: str) -> None:
    """Remember it; writes only what is new."""
    if known_uid(store, host, label) == uid:
        return

    def with_uid(text: bytes | None) -> bytes:
        uids = _parsed(text)
        uids.setdefault(host, {})[label] = uid
        return json.dumps(uids, sort_keys=True).encode()

    store.edit_private("account/keys.json", with_uid)


def known_mode(store: Store, uid: str) -> Mode | None:
    """Return the remembered mode of an account, or None."""
    found = _parsed(store.read_file(_MODES)).get("modes", {}).get(uid)
    return "classic" if found == "classic" else "unified" if found == "unified" else None


def remember_mode(store: Store, identity: Identity) -> None:
    """Remember an account's mode for work offline; writes only what is new, as accounts can change it."""
    if known_mode(store, identity.uid) == identity.mode:
        return

    def with_mode(text: bytes | None) -> bytes:
        modes = _parsed(text)
        modes.setdefault("modes", {})[identity.uid] = identity.mode
        return json.dumps(modes, sort_keys=True).encode()

    store.edit_private(_MODES, with_mode)


def _read(store: Store) -> dict[str, dict[str, str]]:
    return _parsed(store.read_file("account/keys.json"))


def _parsed(text: bytes | None) -> dict[str, dict[str, str]]:
    if text is None:
        return {}
    try:
        uids = json.loads(text)
        return {str(host): {str(k): str(v) for k, v in labels.items()} for host, labels in uids.items()}
    except (ValueError, AttributeError, RecursionError):
        raise StoreError("account/keys.json is damaged.", hint="Delete it; the ids are learned again.") from None
