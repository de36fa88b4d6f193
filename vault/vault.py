"""The vault: opens, lists, hands out credentials that sign, and saves changes without losing anybody else's.

A change is always: lock, read the file again, apply, seal a new generation, replace. So two processes that add keys
lose none. What an open vault holds in memory is the data key and its entries, boxed so that nothing prints them; a
Python process cannot wipe memory, so only its end makes them gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from vault import sealing
from vault.contents import State, Surroundings, believed_slots, found, iso_utc, password_wrap, reread, sealed, with_slot
from vault.credential import Credential
from vault.entries import HMAC_KIND, KeyInfo, Slot, Triple
from vault.envelope import MAX_FILE_BYTES, MAX_GENERATION, STANDARD, Header, Profile, parse
from vault.errors import (
    DamagedVault,
    HostileHeader,
    InvalidField,
    NewerVersion,
    StorageFailed,
    VaultChanged,
    VaultClosed,
    WrongPassword,
)
from vault.fields import (
    check_says_no_secret,
    check_triple,
    checked_account,
    checked_name,
    checked_note,
    checked_password,
)
from vault.hidden import Hidden, NoCopies
from vault.hosts import EXCHANGE_HOST, normalise_host
from vault.storage import VaultFile


class Vault(NoCopies):
    """A file of exchange keys, encrypted under one password; made by `create` or `open`, never directly.

    Examples
    --------
    >>> with Vault.open("~/.config/bgresearch/vault", password) as vault:           # doctest: +SKIP
    ...     vault.names()
    ['research']
    """

    __slots__ = ("__file", "__state", "__surroundings", "__weakref__")

    def __init__(self, file: VaultFile, surroundings: Surroundings, state: State) -> None:
        self.__file = file
        self.__surroundings = surroundings
        self.__state: State | None = state

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        password: str,
        *,
        profile: Profile = STANDARD,
        surroundings: Surroundings | None = None,
    ) -> Vault:
        """Return a new, empty vault; its folder is made for the owner alone if it is not there.

        Parameters
        ----------
        path : str or path
            The file to make.
        password : str
            At least 8 characters; it is NFC-normalised. There is no way back without it.
        profile : Profile
            Costs of the password's key derivation; `STANDARD` takes 128 MiB and about a quarter of a second.
        surroundings : Surroundings, optional
            Disk, clock and randomness for tests.

        Raises
        ------
        VaultExists
            There is a file, or kept generations of one, at this path; nothing is overwritten.
        InvalidField
            The password is too short, or the profile is outside the floor and the caps.
        LaxMode, UnsafePath, StorageFailed, VaultBusy
            The folder is not safe, or the disk refused.
        """
        typed = Hidden(password)
        del password
        around = surroundings or Surroundings()
        checked = checked_password(typed, is_new=True)
        if problem := profile.problem():
            raise InvalidField(f"the profile is refused: {problem}", field="profile")
        file = VaultFile(path, around.filesystem, around.lock_timeout_s)
        file.make_folder()
        with file.locked():
            file.check_absent()
            vault_id = around.random_bytes(16).hex()
            data_key = Hidden(around.random_bytes(sealing.KEY_BYTES))
            wrap = password_wrap(data_key, vault_id, checked, profile, around)
            header = Header(vault_id, 1, (wrap,))
            state = sealed(header, data_key, Hidden({"keys": []}), (), around)
            file.commit(state.envelope.render())
        return cls(file, around, state)

    @classmethod
    def open(cls, path: str | os.PathLike[str], password: str, *, surroundings: Surroundings | None = None) -> Vault:
        """Return the vault in a file, opened.

        Parameters
        ----------
        path : str or path
        password : str
        surroundings : Surroundings, optional
            Disk, clock and randomness for tests.

        Raises
        ------
        VaultMissing, LaxMode, UnsafePath, StorageFailed
            The file is not there or not safe to read.
        DamagedVault, NewerVersion, HostileHeader
            The file is not a vault that this release can believe; the message says what to do.
        WrongPassword
            The file is whole, the password is not its own.
        """
        typed = Hidden(password)
        del password
        around = surroundings or Surroundings()
        checked = checked_password(typed, is_new=False)
        file = VaultFile(path, around.filesystem, around.lock_timeout_s)
        with _placed(file):
            opened = sealing.open_envelope(
                file.read(MAX_FILE_BYTES), lambda wrap: sealing.key_from_password(checked, wrap)
            )
            state = State(opened.envelope, opened.data_key, opened.body, believed_slots(opened.body))
        return cls(file, around, state)

    def reload(self) -> bool:
        """Return whether another process saved changes since; the keys are then those of the file. Asks no password.

        Raises
        ------
        VaultChanged
            The password was changed, an older generation or another vault was put in its place: open it again.
        VaultClosed, VaultMissing, LaxMode, UnsafePath, StorageFailed, DamagedVault, NewerVersion, HostileHeader
            The file cannot be read or believed; the object goes on with what it knew.
        """
        known, file = self.__opened(), self.__file
        with _placed(file):
            self.__state = state = reread(file.read(MAX_FILE_BYTES), known)
        return state.envelope.header.generation != known.envelope.header.generation

    def add(
        self,
        name: str,
        *,
        api_key: str,
        secret_key: str,
        passphrase: str,
        host: str = EXCHANGE_HOST,
        demo: bool = False,
        note: str = "",
        account: str = "",
    ) -> None:
        """Save a key under a name.

        Parameters
        ----------
        name : str
            1 to 64 visible characters, unlike every other name.
        api_key, secret_key, passphrase : str
            As the exchange showed them; what was pasted around them by accident is found and named.
        host : str
            The only address the key will ever be used with: the exchange, or a loopback address.
        demo : bool
            Whether the key belongs to the demo environment.
        note, account : str
            Words of your own, shown in listings.

        Raises
        ------
        InvalidField, HostNotAllowed
            A field cannot be accepted; the message names it, never its value.
        DuplicateKey
            The name or the API key is in the vault already.
        TooManyKeys
            The account has ten keys in this environment.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved; the file is as it was unless the message says otherwise.
        """
        triple = Triple(Hidden(api_key), Hidden(secret_key), Hidden(passphrase))
        del api_key, secret_key, passphrase
        around = self.__surroundings
        if type(demo) is not bool:
            raise InvalidField("demo must be True or False", field="demo")
        check_triple(triple)
        slot = Slot(
            id=around.random_bytes(16).hex(),
            name=checked_name(name),
            kind=HMAC_KIND,
            host=normalise_host(host),
            demo=demo,
            note=checked_note(note),
            account=checked_account(account),
            created=iso_utc(around.now_ms()),
            triple=triple,
            extra=Hidden({}),
        )
        del name, note, account  # a secret pasted into one of them must not stand in a traceback's variables
        check_says_no_secret(slot)
        self.__change(lambda slots: with_slot(slots, slot))

    def names(self) -> list[str]:
        """Return the names of the keys, sorted, as of opening or of this object's last change."""
        return sorted(slot.name for slot in self.__opened().slots)

    def describe(self) -> list[KeyInfo]:
        """Return what may be shown of every key, sorted by name; nothing in it is secret."""
        return [slot.info() for slot in sorted(self.__opened().slots, key=lambda slot: slot.name)]

    def get(self, name: str) -> Credential:
        """Return the credential that signs with this key; it goes on working after `close`.

        Raises
        ------
        UnknownKey
            No key has this name; the message lists those that there are.
        NewerVersion
            The key signs in a way that this release does not know.
        """
        slot = found(self.__opened().slots, name)
        if slot.kind != HMAC_KIND:
            raise NewerVersion(f"the key {name!r} is of a kind ({slot.kind[:32]!r}) that needs a newer bgresearch")
        return Credential(slot, self.__surroundings.now_ms)

    def remove(self, name: str) -> None:
        """Take a key out of the vault; kept generations still have it until five more changes are saved.

        Raises
        ------
        UnknownKey
            No key has this name.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        self.__change(lambda slots: tuple(slot for slot in slots if slot is not found(slots, name)))

    def change_password(self, old: str, new: str) -> None:
        """Wrap the data key under a new password; the keys inside are not re-encrypted with a new data key.

        Kept generations still open with the old password: if somebody else knows it, delete the ``.kept`` files
        beside the vault and replace the keys at the exchange.

        Raises
        ------
        WrongPassword
            The old password is not the vault's own.
        InvalidField
            The new password is too short.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        typed_old, typed_new = Hidden(old), Hidden(new)
        del old, new
        checked_old = checked_password(typed_old, is_new=False)
        checked_new = checked_password(typed_new, is_new=True)
        self.__opened()

        def rewrapped(state: State) -> Header:
            header = state.envelope.header
            wrap = header.password_wrap
            data_key = sealing.unwrap_data_key(
                wrap, header.vault_id, lambda wrap: sealing.key_from_password(checked_old, wrap)
            )
            around = self.__surroundings
            return header.with_password_wrap(
                password_wrap(data_key, header.vault_id, checked_new, wrap.profile, around)
            )

        self.__change(lambda slots: slots, new_header=rewrapped)

    def close(self) -> None:
        """Drop every reference to secrets; the object can no longer be used."""
        self.__state = None

    def __enter__(self) -> Self:
        self.__opened()
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

    def __opened(self) -> State:
        if self.__state is None:
            raise VaultClosed(f"the vault {self.__file.path} was closed; open it again with Vault.open")
        return self.__state

    def __change(
        self,
        change: Callable[[tuple[Slot, ...]], tuple[Slot, ...]],
        *,
        new_header: Callable[[State], Header] = lambda state: state.envelope.header,
    ) -> None:
        known, around, file = self.__opened(), self.__surroundings, self.__file
        with file.locked(), _placed(file):
            old = file.read(MAX_FILE_BYTES)
            current = reread(old, known)
            slots = change(current.slots)
            generation = max(current.envelope.header.generation, file.highest_kept()) + 1
            if generation > MAX_GENERATION:
                raise StorageFailed("the vault has no generation numbers left; move the .kept files beside it away")
            header = replace(new_header(current), generation=generation)
            state = sealed(header, current.data_key, current.body, slots, around)
            file.commit(state.envelope.render(), old=old, old_generation=current.envelope.header.generation)
            self.__state = state


@contextmanager
def _placed(file: VaultFile) -> Iterator[None]:
    """Say which file an error is about, and how to get a damaged one back."""
    try:
        yield
    except DamagedVault as error:
        raise DamagedVault(f"the vault {file.path} is damaged: {error}. {_way_back(file)}") from None
    except WrongPassword as error:
        raise WrongPassword(
            f"{file.path}: {error}. Try again, with an eye on capitals and the keyboard's language; if the password is "
            "certainly right, somebody replaced the file's wrapped key: bring back a kept generation"
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
            f"It is left as it is. Bring back the newest whole generation with {file.restore_command(kept)} "
            "(the changes saved after it are missing there)"
        )
    return "It is left as it is, and no whole generation is kept beside it; bring it back from a backup"
