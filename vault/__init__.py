"""Exchange keys, encrypted at rest, that sign requests and never show themselves.

The package uses the standard library, ``cryptography`` and ``filelock``; to read keys out of plain files also
``python-dotenv`` and ``json5``, imported then. It opens no connection, imports nothing of ``bgresearch``, and has no
function that returns a secret.
"""

from vault.calibration import calibrated
from vault.contents import Surroundings
from vault.credential import Credential
from vault.disk import FileSystem
from vault.entries import KeyInfo
from vault.envelope import FLOOR, PROFILES, STANDARD, Profile
from vault.errors import (
    BoxRefused,
    DamagedVault,
    DuplicateKey,
    HostileHeader,
    HostNotAllowed,
    InvalidField,
    KeyRefused,
    LaxMode,
    NewerVersion,
    NoRecovery,
    NotCopyable,
    NotEnoughMemory,
    ReadOnlyRefusal,
    ReducedProtection,
    RollbackWarning,
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
    WrongRecoveryCode,
)
from vault.hosts import EXCHANGE_HOST, normalise_host
from vault.intake import Intake, open_reply, seal_box
from vault.keys import Checked
from vault.leaks import Leak, Searcher
from vault.loopback import loopback_credential
from vault.memory import Forgetful, Memory
from vault.recovery import new_code
from vault.restoring import Generation
from vault.staged import Staged
from vault.trail import AuditEvent, AuditTrail
from vault.transfer import Candidate, Incoming, from_found, read_copy
from vault.vault import Vault

__all__ = [
    "EXCHANGE_HOST",
    "FLOOR",
    "PROFILES",
    "STANDARD",
    "AuditEvent",
    "AuditTrail",
    "BoxRefused",
    "Candidate",
    "Checked",
    "Credential",
    "DamagedVault",
    "DuplicateKey",
    "FileSystem",
    "Forgetful",
    "Generation",
    "HostNotAllowed",
    "HostileHeader",
    "Incoming",
    "Intake",
    "InvalidField",
    "KeyInfo",
    "KeyRefused",
    "LaxMode",
    "Leak",
    "Memory",
    "NewerVersion",
    "NoRecovery",
    "NotCopyable",
    "NotEnoughMemory",
    "Profile",
    "ReadOnlyRefusal",
    "ReducedProtection",
    "RollbackWarning",
    "Searcher",
    "Staged",
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
    "WrongRecoveryCode",
    "calibrated",
    "from_found",
    "loopback_credential",
    "new_code",
    "normalise_host",
    "open_reply",
    "read_copy",
    "seal_box",
]
