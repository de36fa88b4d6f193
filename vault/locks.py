"""How a vault is locked: its password, its data key, and further ways to unlock it by a code."""

from __future__ import annotations

from dataclasses import replace

from vault import encryption, trail
from vault.contents import State, Surroundings, code_wrap, password_wrap
from vault.envelope import KEYRING, PASSWORD, RECOVERY, STANDARD, Header, Wrap
from vault.errors import NoRecovery
from vault.fields import checked_password
from vault.hidden import Hidden
from vault.opened import Draft, OpenVault
from vault.recovery import code_bytes


class LockVerbs(OpenVault):
    """The verbs about password and data key; see `vault.Vault`."""

    __slots__ = ()

    def change_password(self, old: str, new: str) -> None:
        """Wrap the data key under a new password; the keys inside are not re-encrypted with a new data key.

        Once the new file is in place and was read back, the kept generations next to it are deleted: they would open
        with the old password for ever. Copies made elsewhere still do; if someone else knows the old password, rotate
        the data key too and replace the keys at the exchange. A vault of an older release with lower costs of the key
        derivation gets those of `STANDARD`; so it does with every other verb that asks for its password.

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
        self._set_password(PASSWORD, checked_old, checked_password(typed_new, is_new=True))

    def reset_password(self, recovery_code: str, new: str) -> None:
        """Set a new password with the recovery code; otherwise like `change_password`.

        Raises
        ------
        WrongRecoveryCode, NoRecovery, InvalidField
            The code is not the vault's own or mistyped, the vault has none, or the new password is too short.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        code, typed_new = Hidden(recovery_code), Hidden(new)
        del recovery_code, new
        self._set_password(RECOVERY, code_bytes(code), checked_password(typed_new, is_new=True))

    def rotate_data_key(self, password: str) -> None:
        """Encrypt everything under a new data key, and delete the kept generations, which are under the old one.

        Every other way to unlock (recovery code, keyring) ends with the old data key: set it up again afterwards.

        Raises
        ------
        WrongPassword
            The password is not the vault's own.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        typed = Hidden(password)
        del password
        checked = checked_password(typed, is_new=False)
        around = self._surroundings()

        def renewed(state: State) -> Draft:
            header = state.envelope.header
            _unwrapped(state, PASSWORD, checked)
            data_key = Hidden(around.random_bytes(encryption.KEY_BYTES))
            wrap = _rewrapped(header, data_key, checked, around)
            return Draft(replace(header, wraps=(wrap,)), data_key, state.slots)

        self._change(renewed, trail.Happening(trail.DATA_KEY_ROTATED), forget_older=True)

    def set_recovery(self, password: str, recovery_code: str) -> None:
        """Let a recovery code open the vault too, in place of an earlier one; make it with `vault.new_code`.

        Raises
        ------
        WrongPassword, InvalidField
            The password is not the vault's own, or the code was mistyped.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """
        typed, code = Hidden(password), Hidden(recovery_code)
        del password, recovery_code
        self._set_code(RECOVERY, typed, code)

    def set_keyring(self, password: str, code: str) -> None:
        """Let a code that the operating system's keyring holds open the vault too; like `set_recovery`."""
        typed, kept = Hidden(password), Hidden(code)
        del password, code
        self._set_code(KEYRING, typed, kept)

    def unlocks(self) -> list[str]:
        """Return the ways to unlock: ``"password"``, perhaps ``"recovery"`` and ``"keyring"``."""
        return [wrap.kind for wrap in self._state().envelope.header.wraps]

    def remove_unlock(self, kind: str) -> None:
        """Remove a way to unlock other than the password, and the kept generations that it opens.

        Raises
        ------
        NoRecovery
            The vault has no such way to unlock, or it is the password.
        VaultChanged, VaultBusy, VaultClosed, DamagedVault, StorageFailed
            The change could not be saved.
        """

        def removed(state: State) -> Draft:
            header = state.envelope.header
            wraps = tuple(wrap for wrap in header.wraps if wrap.kind != kind or kind == PASSWORD)
            if len(wraps) == len(header.wraps):
                raise NoRecovery(f"there is no way to unlock named {str(kind)[:32]!r} that could be removed")
            return Draft(replace(header, wraps=wraps), state.data_key, state.slots)

        self._change(removed, trail.Happening(trail.UNLOCK_REMOVED), forget_older=True)

    def _set_password(self, proof_kind: str, proof: Hidden[bytes], new: Hidden[bytes]) -> None:
        around = self._surroundings()

        def rewrapped(state: State) -> Draft:
            header = state.envelope.header
            data_key = _unwrapped(state, proof_kind, proof)
            wrap = _rewrapped(header, data_key, new, around)
            return Draft(header.with_wrap(wrap), data_key, state.slots)

        self._change(rewrapped, trail.Happening(trail.PASSWORD_CHANGED), forget_older=True)

    def _set_code(self, kind: str, password: Hidden[str], code: Hidden[str]) -> None:
        around = self._surroundings()
        checked, drawn = checked_password(password, is_new=False), code_bytes(code)

        def added(state: State) -> Draft:
            header = state.envelope.header
            data_key = _unwrapped(state, PASSWORD, checked)
            wrap = code_wrap(kind, data_key, header.vault_id, drawn, around)
            if header.password_wrap.profile != header.password_wrap.profile.raised_to(STANDARD):
                header = header.with_wrap(_rewrapped(header, data_key, checked, around))
            return Draft(header.with_wrap(wrap), data_key, state.slots)

        self._change(added, trail.Happening(trail.UNLOCK_ADDED), forget_older=True)


def _rewrapped(header: Header, data_key: Hidden[bytes], password: Hidden[bytes], around: Surroundings) -> Wrap:
    """Return the data key under a password, with the costs of the present wrap or the least that is written now."""
    return password_wrap(data_key, header.vault_id, password, header.password_wrap.profile.raised_to(STANDARD), around)


def _unwrapped(state: State, kind: str, proof: Hidden[bytes]) -> Hidden[bytes]:
    header = state.envelope.header
    return encryption.unwrap_data_key(
        header.wrap_of(kind), header.vault_id, lambda wrap: encryption.key_from_password(proof, wrap)
    )
