"""The public class `Vault`: create, open, restore; its other verbs are in ``keys``, ``locks`` and ``transfer``."""

from __future__ import annotations

import os

from vault import encryption, trail
from vault.contents import State, Surroundings, believed_slots, iso_utc, password_wrap, sealed
from vault.envelope import KEYRING, MAX_FILE_BYTES, PASSWORD, RECOVERY, STANDARD, Header, Profile, parse
from vault.errors import InvalidField
from vault.fields import checked_password
from vault.hidden import Hidden
from vault.keys import KeyVerbs
from vault.leftovers import delete_foreign_if_any
from vault.locks import LockVerbs
from vault.opened import placed
from vault.recovery import code_bytes
from vault.restoring import Generation, kept_generations, restored
from vault.storage import VaultFile
from vault.transfer import TransferVerbs


class Vault(KeyVerbs, LockVerbs, TransferVerbs):
    """A file of exchange keys, encrypted under one password; made by `create` or `open`, never directly.

    Examples
    --------
    >>> with Vault.open("~/.config/bgresearch/vault", password) as vault:           # doctest: +SKIP
    ...     vault.names()
    ['research']
    """

    __slots__ = ()

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
            Costs of the password's key derivation; `STANDARD` takes 128 MiB and about a quarter of a second,
            and nothing below it should be given but in tests.
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
            data_key = Hidden(around.random_bytes(encryption.KEY_BYTES))
            wrap = password_wrap(data_key, vault_id, checked, profile, around)
            header = Header(vault_id, 1, (wrap,))
            head, lines = trail.extended(trail.Head(), (trail.Happening(trail.MADE),), iso_utc(around.now_ms()))
            state = sealed(header, data_key, Hidden({"keys": [], trail.FIELD: head.as_json()}), (), around)
            file.append_trail(lines, 0)
            file.commit(state.envelope.render())
            around.memory.remember(vault_id, 1)
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
            The file is not a vault that this release can trust; the message says what to do.
        WrongPassword
            The file is whole, the password is not its own.
        """
        typed = Hidden(password)
        del password
        around = surroundings or Surroundings()
        return cls._opened(path, PASSWORD, checked_password(typed, is_new=False), around)

    @classmethod
    def open_with_recovery(
        cls, path: str | os.PathLike[str], recovery_code: str, *, surroundings: Surroundings | None = None
    ) -> Vault:
        """Return the vault in a file, opened with its recovery code; then set a new password with `reset_password`.

        Raises
        ------
        WrongRecoveryCode, NoRecovery, InvalidField
            The code is not this vault's, it has none, or the code was mistyped.
        VaultMissing, LaxMode, UnsafePath, StorageFailed, DamagedVault, NewerVersion, HostileHeader
            As with `open`.
        """
        code = Hidden(recovery_code)
        del recovery_code
        vault = cls._opened(path, RECOVERY, code_bytes(code), surroundings or Surroundings())
        vault._change_slots(lambda slots: slots, trail.Happening(trail.RECOVERED))
        return vault

    @classmethod
    def open_with_keyring(
        cls, path: str | os.PathLike[str], code: str, *, surroundings: Surroundings | None = None
    ) -> Vault:
        """Return the vault in a file, opened with the code that the operating system's keyring held."""
        kept = Hidden(code)
        del code
        return cls._opened(path, KEYRING, code_bytes(kept), surroundings or Surroundings())

    @classmethod
    def restore(
        cls,
        path: str | os.PathLike[str],
        generation: int,
        password: str,
        *,
        surroundings: Surroundings | None = None,
    ) -> Vault:
        """Return the vault with the content of a kept generation, saved as its newest.

        What it replaces is kept as a generation of its own; a file that cannot be trusted goes to ``.damaged``. Giving
        the number of the present file accepts an older file that was put in its place on purpose.

        Parameters
        ----------
        path : str or path
        generation : int
            One of `Vault.kept`.
        password : str
            The one that this generation was saved under.
        surroundings : Surroundings, optional
            Disk, clock and randomness for tests.

        Raises
        ------
        VaultMissing
            This generation is not kept.
        WrongPassword, DamagedVault, NewerVersion, HostileHeader
            It cannot be opened.
        LaxMode, UnsafePath, StorageFailed, VaultBusy
            The disk refused, or another process is saving.
        """
        typed = Hidden(password)
        del password
        around = surroundings or Surroundings()
        checked = checked_password(typed, is_new=False)
        file = VaultFile(path, around.filesystem, around.lock_timeout_s)
        with file.locked(), placed(file):
            state = restored(file, generation, checked, around)
        return cls(file, around, state)

    @classmethod
    def id_of(cls, path: str | os.PathLike[str], *, surroundings: Surroundings | None = None) -> str:
        """Return the random text that identifies this vault; needs no password, and trusts the file."""
        around = surroundings or Surroundings()
        file = VaultFile(path, around.filesystem, around.lock_timeout_s)
        with placed(file):
            return parse(file.read(MAX_FILE_BYTES)).header.vault_id

    @classmethod
    def check_absent(cls, path: str | os.PathLike[str], *, surroundings: Surroundings | None = None) -> None:
        """Raise `VaultExists` if a vault, or what is left of one, is at this path; needs no password."""
        around = surroundings or Surroundings()
        file = VaultFile(path, around.filesystem, around.lock_timeout_s)
        if os.path.lexists(file.folder):
            file.check_absent()

    @classmethod
    def kept(cls, path: str | os.PathLike[str], *, surroundings: Surroundings | None = None) -> list[Generation]:
        """Return the kept generations next to a vault file, newest first; needs no password."""
        around = surroundings or Surroundings()
        return kept_generations(VaultFile(path, around.filesystem, around.lock_timeout_s))

    @classmethod
    def _opened(cls, path: str | os.PathLike[str], kind: str, secret: Hidden[bytes], around: Surroundings) -> Vault:
        file = VaultFile(path, around.filesystem, around.lock_timeout_s)
        with placed(file):
            raw = file.read(MAX_FILE_BYTES)
            opened = encryption.decrypt_file(raw, lambda wrap: encryption.key_from_password(secret, wrap), kind)
            state = State(opened.envelope, opened.data_key, opened.body, believed_slots(opened.body))
        header = opened.envelope.header
        around.memory.warn_of_older(header.vault_id, header.generation, file.path)
        if header.generation >= around.memory.highest(header.vault_id):
            delete_foreign_if_any(file, raw, header)
        around.memory.remember(header.vault_id, header.generation)
        return cls(file, around, state)
