"""Restores a kept generation: its content becomes the newest generation; what it replaces is kept too."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace

from vault import encryption, trail
from vault.contents import State, Surroundings, believed_slots, iso_utc, sealed
from vault.envelope import MAX_FILE_BYTES, MAX_GENERATION, Envelope, parse
from vault.errors import DamagedVault, HostileHeader, NewerVersion, StorageFailed, VaultMissing
from vault.hidden import Hidden
from vault.storage import VaultFile

_UNBELIEVED = (DamagedVault, HostileHeader, NewerVersion)
_TIME = slice(1, 9)  # seconds since 1970, big-endian, in clear behind a Fernet token's version byte


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation that can be restored.

    Attributes
    ----------
    number : int
    saved : str
        UTC time of its saving, ISO 8601; as the file says it, checked only when it is opened.
    """

    number: int
    saved: str


def kept_generations(file: VaultFile) -> list[Generation]:
    """Return the kept generations that look whole, newest first."""
    kept = []
    for path in file.kept():
        try:
            envelope = parse(file.read_kept(path, MAX_FILE_BYTES))
        except _UNBELIEVED:
            continue
        saved_s = int.from_bytes(base64.urlsafe_b64decode(envelope.body[:16])[_TIME], "big")
        kept.append(Generation(envelope.header.generation, iso_utc(min(saved_s, 2**37) * 1000)))
    return kept


def restored(file: VaultFile, generation: int, password: Hidden[bytes], around: Surroundings) -> State:
    """Save a kept generation, or the present file's own one, as the newest; call it under the lock."""
    present_raw = _present_bytes(file)
    present = _parsed(present_raw)
    raw = present_raw if present and present.header.generation == generation else _kept_bytes(file, generation)
    opened = encryption.decrypt_file(raw, lambda wrap: encryption.key_from_password(password, wrap))
    header = opened.envelope.header
    seen = max(file.highest_kept(), around.memory.highest(header.vault_id), generation)
    number = max(seen, present.header.generation if present else 0) + 1
    if number > MAX_GENERATION:
        raise StorageFailed("the vault has no generation numbers left; move the .kept files next to it away")
    happening = trail.Happening(f"{trail.RESTORED} from generation {generation}")
    head, lines = trail.extended(_head(file, present, opened.data_key), (happening,), iso_utc(around.now_ms()))
    body = Hidden({**opened.body.value, trail.FIELD: head.as_json()})
    state = sealed(replace(header, generation=number), opened.data_key, body, believed_slots(body), around)
    file.append_trail(lines, head.size - len(lines))
    if present is None and present_raw:
        file.keep_damaged(present_raw)
    old = present_raw if present else None
    file.commit(state.envelope.render(), old=old, old_generation=present.header.generation if present else 0)
    around.memory.remember(header.vault_id, number)
    return state


def _present_bytes(file: VaultFile) -> bytes:
    try:
        return file.read(MAX_FILE_BYTES)
    except VaultMissing:
        return b""


def _parsed(raw: bytes) -> Envelope | None:
    try:
        return parse(raw)
    except _UNBELIEVED:
        return None


def _kept_bytes(file: VaultFile, generation: int) -> bytes:
    try:
        return file.read_kept(file.kept_of(generation), MAX_FILE_BYTES)
    except StorageFailed as failure:
        if not isinstance(failure.__cause__, FileNotFoundError):
            raise
        kept = ", ".join(str(one.number) for one in kept_generations(file)) or "none"
        raise VaultMissing(f"generation {generation} is not kept next to {file.path}; kept are: {kept}") from None


def _head(file: VaultFile, present: Envelope | None, data_key: Hidden[bytes]) -> trail.Head:
    """Return where the trail continues: at the end that the present file records, else at its end on disk."""
    if present is not None:
        try:
            return trail.head_of(encryption.decrypt(present, data_key))
        except DamagedVault:
            pass  # another data key, or damaged inside
    return trail.head_in(file.read_trail())
