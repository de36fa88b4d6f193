"""An opened vault file: how it is read again and how every change of it is saved.

A change is always: lock, read the file again, apply, seal a new generation, replace. So two processes that add keys
lose none. An open vault holds the data key and its entries in memory, wrapped so that nothing prints them; a
Python process cannot wipe memory, so they are gone only when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from vault import encryption, trail
from vault.contents import State, Surroundings, iso_utc, reread, sealed
from vault.entries import Slot
from vault.envelope import MAX_FILE_BYTES, MAX_GENERATION, Header, parse
from vault.errors import (
    DamagedVault,
    HostileHeader,
    NewerVersion,
    NoRecovery,
    StorageFailed,
    VaultChanged,
    VaultClosed,
    WrongPassword,
)
from vault.hidden import Hidden, NoCopies
from vault.leftovers import delete_foreign
from vault.storage import VaultFile


@dataclass(frozen=True, slots=True)
class Draft:
    """The next generation before it is sealed: the header except its number, the data key, the keys."""

    header: Header
    data_key: Hidden[bytes]
    slots: tuple[Slot, ...]


class OpenVault(NoCopies):
    """The base of all verbs of a vault; see `vault.Vault`."""

    __slots__ = ("__file", "__state", "__surroundings", "__weakref__")

    def __init__(self, file: VaultFile, surroundings: Surroundings, state: State) -> None:
        self.__file = file
        self.__surroundings = surroundings
        self.__state: State | None = state

    @property
    def path(self) -> Path:
        """The vault's file."""
        return self.__file.path

    @property
    def generation(self) -> int:
        """How often it was saved, as of opening or of this object's last change."""
        return self._state().envelope.header.generation

    @property
    def vault_id(self) -> str:
        """The random text that identifies this vault; not secret."""
        return self._state().envelope.header.vault_id

    def reload(self) -> bool:
        """Return whether another process saved changes since; the keys are then those of the file. Asks no password.

        Raises
        ------
        VaultChanged
            The password was changed, an older generation or another vault was put in its place: open it again.
        VaultClosed, VaultMissing, LaxMode, UnsafePath, StorageFailed, DamagedVault, NewerVersion, HostileHeader
            The file cannot be read or trusted; the object keeps the keys that it had.
        """
        known, file = self._state(), self.__file
        with placed(file):
            self.__state = state = reread(file.read(MAX_FILE_BYTES), known)
        header = state.envelope.header
        if header.generation == known.envelope.header.generation:
            return False
        self.__surroundings.memory.remember(header.vault_id, header.generation)
        return True

    def audit(self) -> trail.AuditTrail:
        """Return the audit trail and what is wrong with it; reads the trail's file next to the vault."""
        known, file = self._state(), self.__file
        with file.locked(), placed(file):
            self.__state = state = reread(file.read(MAX_FILE_BYTES), known)
            raw = file.read_trail()
        former = state.body.value.get(trail.FORMER)
        labels = {**(former if isinstance(former, dict) else {}), **{slot.id: slot.name for slot in state.slots}}
        return trail.verified(raw, trail.head_of(state.body), labels)

    def close(self) -> None:
        """Drop every reference to secrets; the object can no longer be used."""
        self.__state = None

    def __enter__(self) -> Self:
        self._state()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = self.__state
        if state is None:
            return f"<Vault {str(self.__file.path)!r}, closed>"
        generation = state.envelope.header.generation
        return f"<Vault {str(self.__file.path)!r}, keys: {len(state.slots)}, generation: {generation}>"

    def _state(self) -> State:
        if self.__state is None:
            raise VaultClosed(f"the vault {self.__file.path} was closed; open it again with Vault.open")
        return self.__state

    def _surroundings(self) -> Surroundings:
        return self.__surroundings

    def _change_slots(
        self, change: Callable[[tuple[Slot, ...]], tuple[Slot, ...]], *happenings: trail.Happening
    ) -> None:
        """Save what ``change`` makes of the keys."""
        self._change(lambda state: Draft(state.envelope.header, state.data_key, change(state.slots)), *happenings)

    def _change(
        self, change: Callable[[State], Draft], *happenings: trail.Happening, forget_older: bool = False
    ) -> None:
        """Save a new generation; with ``forget_older`` the earlier ones are deleted once the new one was read back.

        Files that an old password or code opens are deleted first, unless an older file was put in the vault's place.
        """
        known, around, file = self._state(), self.__surroundings, self.__file
        with file.locked(), placed(file):
            old = file.read(MAX_FILE_BYTES)
            current = reread(old, known)
            draft = change(current)
            vault_id, present = current.envelope.header.vault_id, current.envelope.header.generation
            newest = max(file.highest_kept(), around.memory.highest(vault_id))
            generation = max(present, newest) + 1
            if present >= newest:
                delete_foreign(file, current.envelope.header)
            if generation > MAX_GENERATION:
                raise StorageFailed("the vault has no generation numbers left; move the .kept files next to it away")
            body = with_former_names(current.body, current.slots, draft.slots)
            head, lines = trail.extended(trail.head_of(body), happenings, iso_utc(around.now_ms()))
            body = Hidden({**body.value, trail.FIELD: head.as_json()})
            state = sealed(replace(draft.header, generation=generation), draft.data_key, body, draft.slots, around)
            file.append_trail(lines, head.size - len(lines))
            file.commit(state.envelope.render(), old=old, old_generation=present)
            self.__state = state
            if forget_older:
                reread(file.read(MAX_FILE_BYTES), state)
                file.forget_former()
            around.memory.remember(vault_id, generation)


def with_former_names(body: encryption.Body, before: tuple[Slot, ...], after: tuple[Slot, ...]) -> encryption.Body:
    """Return the body with the labels of removed keys, so that the trail can name them."""
    ids = {slot.id for slot in after}
    gone = {slot.id: slot.name for slot in before if slot.id not in ids}
    if not gone:
        return body
    former = body.value.get(trail.FORMER)
    return Hidden({**body.value, trail.FORMER: {**(former if isinstance(former, dict) else {}), **gone}})


@contextmanager
def placed(file: VaultFile) -> Iterator[None]:
    """Say which file an error is about, and how to get a damaged one back."""
    try:
        yield
    except DamagedVault as error:
        raise DamagedVault(f"the vault {file.path} is damaged: {error}. {_way_back(file)}") from None
    except NoRecovery as error:
        raise NoRecovery(f"the vault {file.path}: {error}") from None
    except WrongPassword as error:
        raise type(error)(
            f"{file.path}: {error}. Try again, checking capitals and the keyboard layout; if it is "
            "certainly right, the file's wrapped key was replaced: restore a kept generation"
        ) from None
    except (HostileHeader, NewerVersion, VaultChanged) as error:
        raise type(error)(f"the vault {file.path}: {error}") from None


def _way_back(file: VaultFile) -> str:
    for kept in file.kept():
        try:
            parse(file.read_kept(kept, MAX_FILE_BYTES))
        except (DamagedVault, HostileHeader, NewerVersion, StorageFailed):
            continue
        return (
            f"It is left as it is. Restore the newest undamaged generation with {file.restore_command(kept)} "
            "(the changes saved after it are missing there)"
        )
    return "It is left as it is, and no undamaged generation is kept next to it; restore it from a backup"
