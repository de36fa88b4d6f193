"""The errors and warnings of the vault, one class for each kind.

Every message says what failed and what to do next. No error of this package carries a secret: not in its
message, not in its attributes, not in its chained causes.
"""

from __future__ import annotations


class VaultError(Exception):
    """Root of every error that this package raises on purpose."""


class WrongPassword(VaultError):
    """The file is whole, but this password does not open it."""


class WrongRecoveryCode(WrongPassword):
    """The file is whole, but this recovery code does not open it."""


class NoRecovery(WrongPassword):
    """The vault has no such way to unlock."""


class DamagedVault(VaultError):
    """The file is not what a vault wrote; it is never overwritten."""


class HostileHeader(VaultError):
    """The file asks for key-derivation costs outside the floor and the caps; nothing was allocated."""


class NewerVersion(VaultError):
    """The file, or an entry in it, was written by a newer release."""


class LaxMode(VaultError):
    """The file or its folder is open to other users of this machine."""


class UnsafePath(VaultError):
    """The path is a symbolic link, belongs to another user, or is not a regular file."""


class VaultExists(VaultError):
    """There already is a vault, or what is left of one, where a new one should be made."""


class VaultMissing(VaultError):
    """There is no vault file at this path."""


class VaultBusy(VaultError):
    """Another process holds the vault's lock."""


class VaultChanged(VaultError):
    """Another process changed the vault so that this open object may not write to it any more."""


class VaultClosed(VaultError):
    """The vault object was closed; its secrets are gone from it."""


class StorageFailed(VaultError):
    """The operating system refused a step of reading or saving."""


class NotEnoughMemory(VaultError):
    """The machine could not give the memory that the password's key derivation needs."""


class InvalidField(VaultError):
    """One field of what was typed in cannot be accepted.

    Attributes
    ----------
    field : str
        Name of the field, for example ``"secret_key"``. Its value is never kept.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class HostNotAllowed(InvalidField):
    """The host is neither the exchange's own address nor a loopback address."""


class UnknownKey(VaultError):
    """No key in the vault has this name.

    Attributes
    ----------
    name : str
        The name that was asked for.
    known : tuple of str
        The names that the vault has.
    """

    def __init__(self, message: str, *, name: str = "", known: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.name = name
        self.known = known


class KeyRefused(VaultError):
    """The exchange says that the key can send coins away; such a key is never kept, by whatever way it comes."""


class DuplicateKey(VaultError):
    """The name, or the API key itself, is in the vault already."""


class TooManyKeys(VaultError):
    """The exchange, or the vault file, cannot take another key."""


class BoxRefused(VaultError):
    """A sealed box is malformed, late, used already, or was sealed for something else."""


class ReadOnlyRefusal(VaultError):
    """The request is not a plain read of the exchange's API, so it is not signed."""


class NotCopyable(VaultError, TypeError):
    """An object that holds secrets was asked to be pickled or copied."""


class ReducedProtection(UserWarning):
    """The platform cannot keep part of the promise; the text says which part."""


class RollbackWarning(UserWarning):
    """The file is an older generation than one that was seen before."""
