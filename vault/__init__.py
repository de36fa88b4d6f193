"""Exchange keys, encrypted at rest, that sign requests and never show themselves.

The package uses the standard library, ``cryptography`` and ``filelock``. It opens no connection, imports nothing of
``bgresearch``, and has no function that returns a secret.
"""

from vault.contents import Surroundings
from vault.credential import Credential
from vault.entries import KeyInfo
from vault.envelope import FLOOR, PROFILES, STANDARD, Profile
from vault.errors import (
    BoxRefused,
    DamagedVault,
    DuplicateKey,
    HostileHeader,
    HostNotAllowed,
    InvalidField,
    LaxMode,
    NewerVersion,
    NotCopyable,
    NotEnoughMemory,
    ReadOnlyRefusal,
    ReducedProtection,
    StorageFailed,
    TooManyKeys,
    UnknownKey,
    UnsafePath,
    VaultBusy,
    VaultChanged,
    VaultClosed,
    VaultError,
    VaultExists,
    VaultMissing,
    WrongPassword,
)
from vault.hosts import EXCHANGE_HOST, normalise_host
from vault.intake import Intake, seal_box
from vault.loopback import loopback_credential
from vault.storage import FileSystem
from vault.vault import Vault

__all__ = [
    "EXCHANGE_HOST",
    "FLOOR",
    "PROFILES",
    "STANDARD",
    "BoxRefused",
    "Credential",
    "DamagedVault",
    "DuplicateKey",
    "FileSystem",
    "HostNotAllowed",
    "HostileHeader",
    "Intake",
    "InvalidField",
    "KeyInfo",
    "LaxMode",
    "NewerVersion",
    "NotCopyable",
    "NotEnoughMemory",
    "Profile",
    "ReadOnlyRefusal",
    "ReducedProtection",
    "StorageFailed",
    "Surroundings",
    "TooManyKeys",
    "UnknownKey",
    "UnsafePath",
    "Vault",
    "VaultBusy",
    "VaultChanged",
    "VaultClosed",
    "VaultError",
    "VaultExists",
    "VaultMissing",
    "WrongPassword",
    "loopback_credential",
    "normalise_host",
    "seal_box",
]
