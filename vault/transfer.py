"""Export and import of keys: encrypted copies, and keys found in plain text.

An encrypted copy is a vault file of its own, with its own password and data key. Keys to be imported are shown first,
by labels and fingerprints, and saved in one change.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vault import encryption, trail
from vault.contents import Surroundings, believed_slots, found, iso_utc, password_wrap, sealed, with_slot
from vault.credential import SIGNATURES, Credential
from vault.disk import FILE_MODE, expanded
from vault.entries import Slot, Triple
from vault.envelope import MAX_FILE_BYTES, STANDARD, Header
from vault.errors import DuplicateKey, InvalidField, KeyRefused, StorageFailed, TooManyKeys, VaultChanged
from vault.fields import (
    check_says_no_secret,
    checked_account,
    checked_date,
    checked_name,
    checked_note,
    checked_password,
    printable,
    shown,
)
from vault.hidden import Hidden, NoCopies, without_frames
from vault.hosts import EXCHANGE_HOST, normalise_host
from vault.keys import Checked, acceptable
from vault.opened import OpenVault
from vault.rsa import accepted
from vault.sources import Found


@dataclass(frozen=True, slots=True)
class Candidate:
    """A key that could be imported; nothing in it is secret.

    Attributes
    ----------
    label, host, environment, fingerprint : str
        As `KeyInfo` has them.
    problem : str
        Why it cannot be imported, empty if it can.
    doubt : str
        Why another reader of its file would see another text; it is imported only if the exchange accepts it.
    """

    label: str
    host: str
    environment: str
    fingerprint: str
    problem: str
    doubt: str = ""


class Incoming(NoCopies):
    """Keys that were read and not yet saved; made by `read_copy` or `from_found`."""

    __slots__ = ("__doubts", "__now_ms", "__refused", "__slots")

    def __init__(
        self, slots: Sequence[Slot], refused: Sequence[Candidate] = (), *, now_ms: Callable[[], int],
        doubts: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.__slots = tuple(slots)
        self.__refused = tuple(refused)
        self.__doubts = dict(doubts or {})
        self.__now_ms = now_ms

    def __repr__(self) -> str:
        return f"<Incoming, keys: {len(self.__slots)}, refused: {len(self.__refused)}>"

    def _slots(self) -> tuple[Slot, ...]:
        return self.__slots

    def _refused(self) -> tuple[Candidate, ...]:
        return self.__refused

    @property
    def doubts(self) -> dict[str, str]:
        """By label, why a text may not be what the exchange issued; such a key is imported only once it was checked."""
        return dict(self.__doubts)

    def credentials(self) -> list[Credential]:
        """Return a credential for each of the keys, so that they are checked before they are saved."""
        return [Credential(slot, self.__now_ms) for slot in self.__slots if slot.kind in SIGNATURES]


def read_copy(path: str | os.PathLike[str], password: str, *, surroundings: Surroundings | None = None) -> Incoming:
    """Return the keys in an encrypted copy (or another vault file), to be imported.

    Raises
    ------
    WrongPassword, DamagedVault, NewerVersion, HostileHeader
        It cannot be opened.
    StorageFailed
        It cannot be read.
    """
    typed = Hidden(password)
    del password
    checked = checked_password(typed, is_new=False)
    try:
        with expanded(path).open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise StorageFailed(f"could not read {path}: {error.strerror}; check the path") from None
    opened = encryption.decrypt_file(raw, lambda wrap: encryption.key_from_password(checked, wrap))
    around = surroundings or Surroundings()
    slots: list[Slot] = []
    refused: list[Candidate] = []
    for slot in believed_slots(opened.body):
        try:
            slots.append(_validated(replace(slot, id=around.random_bytes(16).hex())))
        except (InvalidField, KeyRefused) as error:
            environment = "demo" if slot.demo else "live"
            refused.append(Candidate(shown(slot.name), shown(slot.host), environment, slot.fingerprint, str(error)))
    return Incoming(slots, refused, now_ms=around.now_ms)


def from_found(
    keys: Sequence[Found], *, host: str = EXCHANGE_HOST, demo: bool = False, surroundings: Surroundings | None = None
) -> Incoming:
    """Return keys found in plain text, to be imported; texts that cannot be a key's are reported, not shown."""
    around = surroundings or Surroundings()
    slots: list[Slot] = []
    refused: list[Candidate] = []
    bound = normalise_host(host)
    for key in keys:
        try:
            kind, triple = accepted(Triple(**key.triple))
            slot = Slot(
                id=around.random_bytes(16).hex(), name=checked_name(key.label), kind=kind, host=bound, demo=demo,
                note="", account="", created=iso_utc(around.now_ms()), triple=triple, extra=Hidden({}),
            )  # fmt: skip
            check_says_no_secret(slot)
            slots.append(slot)
        except InvalidField as error:
            refused.append(Candidate(shown(key.label), bound, "demo" if demo else "live", "", str(error)))
    doubts = {key.label: printable(key.doubt) for key in keys if key.doubt}
    return Incoming(slots, refused, now_ms=around.now_ms, doubts=doubts)


class TransferVerbs(OpenVault):
    """The verbs that export and import keys; see `vault.Vault`."""

    __slots__ = ()

    def export(self, path: str | os.PathLike[str], password: str) -> int:
        """Write an encrypted copy of all keys, under a password of its own; return how many.

        Parameters
        ----------
        path : str or path
            The file to make, mode 0600; nothing is overwritten.
        password : str
            At least 8 characters; another one than the vault's is wiser.

        Raises
        ------
        InvalidField
            The password is too short.
        StorageFailed
            There is a file already, or the disk refused; a half-written file is removed.
        """
        typed = Hidden(password)
        del password
        checked = checked_password(typed, is_new=True)
        around, slots = self._surroundings(), self._state().slots
        vault_id, data_key = around.random_bytes(16).hex(), Hidden(around.random_bytes(encryption.KEY_BYTES))
        header = Header(vault_id, 1, (password_wrap(data_key, vault_id, checked, STANDARD, around),))
        copy = sealed(header, data_key, Hidden({}), slots, around).envelope.render()
        _write_new(expanded(path), copy)
        self._change_slots(lambda same: same, trail.Happening(trail.EXPORTED))
        return len(slots)

    def preview(self, incoming: Incoming) -> list[Candidate]:
        """Return what an import would do, key by key; nothing is saved."""
        slots = self._state().slots
        shown = list(incoming._refused())
        for slot in incoming._slots():
            problem = ""
            try:
                slots = with_slot(slots, slot)
            except (DuplicateKey, TooManyKeys) as error:
                problem = str(error)
            info = slot.info()
            doubt = incoming.doubts.get(info.label, "")
            shown.append(Candidate(info.label, info.host, info.environment, info.fingerprint, problem, doubt))
        return shown

    def import_keys(
        self, incoming: Incoming, *, checked: Mapping[str, Checked] | None = None, only: Collection[str] | None = None
    ) -> list[str]:
        """Save the keys that can be imported, all in one change, and read them back from the disk; return their labels.

        Parameters
        ----------
        incoming : Incoming
            What was read.
        checked : mapping of str to Checked, optional
            By label, what a check at the exchange found; stored with the key. A key whose text is doubtful
            is imported only with one.
        only : collection of str, optional
            The labels to import; all of them by default.

        Raises
        ------
        KeyRefused
            A check found that a key can withdraw.
        VaultChanged
            What was read back is not what was saved.
        VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        given = {label: acceptable(result) for label, result in (checked or {}).items()}
        importable = {candidate.label for candidate in self.preview(incoming) if not candidate.problem}
        importable -= incoming.doubts.keys() - given.keys()
        now = iso_utc(self._surroundings().now_ms())
        new = [
            _with_verdict(slot, given.get(slot.name), now)
            for slot in incoming._slots() if slot.name in importable and (only is None or slot.name in only)
        ]  # fmt: skip
        if not new:
            return []

        def joined(slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
            for slot in new:
                slots = with_slot(slots, slot)
            return slots

        self._change_slots(joined, *(trail.Happening(trail.IMPORTED, slot.id) for slot in new))
        self.reload()
        saved = self._state().slots
        if not _are_saved(new, saved):
            raise VaultChanged("another process changed the imported keys meanwhile; check them before you go on")
        return [slot.name for slot in new]


def _with_verdict(slot: Slot, result: Checked | None, now: str) -> Slot:
    if result is None:
        return slot
    return replace(slot, checked=now, verdict=result.verdict, has_addresses=result.has_addresses)


def _validated(slot: Slot) -> Slot:
    """Return a key of a copy as the vault accepts it, or raise: the copy's author may have written anything."""
    if slot.kind in SIGNATURES:
        kind, triple = accepted(slot.triple)
        slot = replace(slot, kind=kind, triple=triple)
    checked = replace(
        slot, name=checked_name(slot.name), host=normalise_host(slot.host), note=checked_note(slot.note),
        account=checked_account(slot.account), verdict=checked_account(slot.verdict),
        created=_checked_time(slot.created), checked=slot.checked and _checked_time(slot.checked),
        used=checked_date(slot.used), rotate_by=checked_date(slot.rotate_by),
    )  # fmt: skip
    check_says_no_secret(checked)
    acceptable(Checked(checked.verdict))
    return checked


def _checked_time(text: str) -> str:
    try:
        dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        raise InvalidField("a time in the copy is no time such as 2027-01-31T00:00:00Z", field="created") from None
    return text


@without_frames
def _are_saved(expected: Sequence[Slot], saved: tuple[Slot, ...]) -> bool:
    return all(found(saved, slot.name).as_json() == slot.as_json() for slot in expected)


def _write_new(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), FILE_MODE)
    except OSError as error:
        raise StorageFailed(f"could not make {path}: {error.strerror}; choose another path") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise StorageFailed(f"could not write {path}: {error.strerror}; nothing is left of it") from None
