"""One generation of a vault in memory, and functions that change it; nothing here does I/O."""

from __future__ import annotations

import datetime as dt
import difflib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from vault import encryption
from vault.disk import FileSystem
from vault.entries import Slot, body_with_slots, slots_from_body
from vault.envelope import MAX_FILE_BYTES, PASSWORD, SALT_BYTES, STANDARD, Envelope, Header, Profile, Wrap, parse
from vault.errors import DamagedVault, DuplicateKey, TooManyKeys, UnknownKey, VaultChanged
from vault.hidden import Hidden
from vault.memory import Memory

MAX_KEYS_PER_ACCOUNT = 10  # the exchange's own limit for one account in one environment
LOCK_TIMEOUT_S = 10.0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a vault takes from its environment: disk, clock, randomness, lock timeout, memory. Tests pass their own."""

    filesystem: FileSystem = field(default_factory=FileSystem)
    now_ms: Callable[[], int] = _now_ms
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    lock_timeout_s: float = LOCK_TIMEOUT_S
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True, slots=True)
class State:
    """One generation, decrypted and validated."""

    envelope: Envelope
    data_key: Hidden[bytes]
    body: encryption.Body
    slots: tuple[Slot, ...]


def sealed(
    header: Header, data_key: Hidden[bytes], body: encryption.Body, slots: tuple[Slot, ...], around: Surroundings
) -> State:
    new_body = body_with_slots(body, slots)
    envelope = encryption.encrypt(header, data_key, new_body, time_s=around.now_ms() // 1000)
    if len(envelope.render()) > MAX_FILE_BYTES:
        raise TooManyKeys("the vault file is full; remove keys that are no longer used, or make a second vault")
    return State(envelope, data_key, new_body, slots)


def password_wrap(
    data_key: Hidden[bytes], vault_id: str, password: Hidden[bytes], profile: Profile, around: Surroundings
) -> Wrap:
    return _wrapped(
        Wrap(PASSWORD, profile, around.random_bytes(SALT_BYTES).hex()), data_key, vault_id, password, around
    )


def code_wrap(kind: str, data_key: Hidden[bytes], vault_id: str, code: Hidden[bytes], around: Surroundings) -> Wrap:
    """Return the wrap under a code; 136 random bits need no more than the least costs."""
    return _wrapped(Wrap(kind, STANDARD, around.random_bytes(SALT_BYTES).hex()), data_key, vault_id, code, around)


def _wrapped(empty: Wrap, data_key: Hidden[bytes], vault_id: str, secret: Hidden[bytes], around: Surroundings) -> Wrap:
    return encryption.wrap_data_key(
        data_key,
        empty,
        vault_id,
        lambda wrap: encryption.key_from_password(secret, wrap),
        time_s=around.now_ms() // 1000,
    )


def reread(raw: bytes, known: State) -> State:
    """Return the file's present state, read with the data key that is already known."""
    envelope = parse(raw)
    then, now = known.envelope.header, envelope.header
    if now.vault_id != then.vault_id:
        raise VaultChanged("another vault was put in its place since it was opened; open it again")
    if now.password_wrap != then.password_wrap:
        raise VaultChanged("its password was changed since it was opened, or its data key rotated; open it again")
    if now.generation < then.generation:
        raise VaultChanged(
            f"it was put back from generation {then.generation} to {now.generation} since it was opened; "
            "open it again if that was meant"
        )
    body = encryption.decrypt(envelope, known.data_key)
    return State(envelope, known.data_key, body, believed_slots(body))


def believed_slots(body: encryption.Body) -> tuple[Slot, ...]:
    slots = slots_from_body(body)
    if slots is None:
        raise DamagedVault("its list of keys is malformed")
    return slots


def with_slot(slots: tuple[Slot, ...], new: Slot, *, is_limited: bool = True) -> tuple[Slot, ...]:
    for slot in slots:
        if slot.name == new.name:
            raise DuplicateKey(f"there already is a key named {new.name!r}; choose another name or remove that one")
        if slot.triple.api_key.value == new.triple.api_key.value:
            raise DuplicateKey(f"this API key is in the vault already, under the name {slot.name!r}")
    place = (new.account, new.host, new.demo)
    if is_limited and sum((slot.account, slot.host, slot.demo) == place for slot in slots) >= MAX_KEYS_PER_ACCOUNT:
        account = f"account {new.account!r}" if new.account else "the account without a name"
        raise TooManyKeys(
            f"{account} has {MAX_KEYS_PER_ACCOUNT} {'demo' if new.demo else 'live'} keys for {new.host}; the exchange "
            f"allows {MAX_KEYS_PER_ACCOUNT} keys an account. Remove one, or name another account with account=..."
        )
    return (*slots, new)


def with_replaced(slots: tuple[Slot, ...], old: Slot, new: Slot) -> tuple[Slot, ...]:
    """Return the slots with one of them replaced, under the same rules as a new one."""
    others = tuple(slot for slot in slots if slot is not old)
    with_slot(others, new)
    return tuple(new if slot is old else slot for slot in slots)


def found(slots: tuple[Slot, ...], name: str) -> Slot:
    for slot in slots:
        if slot.name == name:
            return slot
    known = tuple(sorted(slot.name for slot in slots))
    shown = f"{name[:64]!r}" if isinstance(name, str) else f"a value of type {type(name).__name__}"
    close = difflib.get_close_matches(name, known, n=1) if isinstance(name, str) else []
    guess = f" Did you mean {close[0]!r}?" if close else ""
    listed = f"known are: {', '.join(map(repr, known))}" if known else "the vault has none yet; add one with add"
    raise UnknownKey(f"there is no key named {shown};{guess} {listed}", name=name, known=known)


def without(slots: tuple[Slot, ...], name: str) -> tuple[Slot, ...]:
    gone = found(slots, name)
    return tuple(slot for slot in slots if slot is not gone)


def iso_utc(now_ms: int) -> str:
    return dt.datetime.fromtimestamp(now_ms // 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
