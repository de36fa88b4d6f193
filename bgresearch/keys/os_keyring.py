"""The operating system's keyring as a way to unlock the vault: it keeps a random code, never the password or a key.

Optional (``pip install 'bgresearch[keyring]'``) and never silent: a backend that is not the system's own is refused,
such as those that write plain files, store nothing, or come from elsewhere.
"""

from __future__ import annotations

from importlib import import_module
from types import TracebackType
from typing import Any, Protocol

from bgresearch.errors import ConfigurationError
from vault.hidden import Hidden, without_frames

SERVICE = "bgresearch vault"

_NAMES = ("macOS", "SecretService", "kwallet", "Windows", "libsecret")
_FAILING = (
    "keyring",
    "secretstorage",
    "jeepney",
    "dbus",
    "gi",
    "pywintypes",
    "win32ctypes",
)  # packages of backends
_UNLOCK = "Unlock the system's keyring (over ssh it has no session that could), or use the master password."
_SYSTEM_BACKENDS = frozenset(f"keyring.backends.{name}" for name in _NAMES)


class Backend(Protocol):
    """The methods of a backend of the ``keyring`` package that are used here."""

    def get_password(self, service: str, username: str) -> str | None:
        """Return the stored password, None if there is none."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store it."""

    def delete_password(self, service: str, username: str) -> None:
        """Delete it."""


def system_backend() -> Backend:
    """Return the system's own keyring.

    Raises
    ------
    ConfigurationError
        The package is not installed, or its backend is not the system's own.
    """
    try:
        keyring: Any = import_module("keyring")
    except ImportError:
        raise ConfigurationError(
            "the keyring package is not installed.", hint="pip install 'bgresearch[keyring]', or use the password."
        ) from None
    with _KeyringErrors():
        backend = keyring.get_keyring()
    for one in getattr(backend, "backends", None) or [backend]:  # a chain of backends asks each of them
        module = type(one).__module__
        if module not in _SYSTEM_BACKENDS:
            raise ConfigurationError(
                f"this keyring is refused: {module}.{type(one).__qualname__} is not the operating system's own.",
                hint="Start the system's keyring service, or use the master password.",
            )
    found: Backend = backend
    return found


@without_frames
def keep(vault_id: str, code: Hidden[str], backend: Backend) -> None:
    """Store the code in the keyring and read it back."""
    with _KeyringErrors():
        backend.set_password(SERVICE, vault_id, code.value)
    if fetch(vault_id, backend).value != code.value:
        raise ConfigurationError("the keyring did not store the code.", hint="Use the master password.")


@without_frames
def fetch(vault_id: str, backend: Backend) -> Hidden[str]:
    """Return the code of a vault.

    Raises
    ------
    ConfigurationError
        The keyring has none for it.
    """
    with _KeyringErrors():
        kept = Hidden(backend.get_password(SERVICE, vault_id))
    if kept.value is None:
        raise ConfigurationError(
            "the keyring has no entry for this vault.",
            hint="Use the master password; see bgresearch vault keyring.",
        )
    return Hidden(kept.value)


@without_frames
def forget(vault_id: str, backend: Backend) -> None:
    """Delete the code from the keyring, if it is there."""
    with _KeyringErrors():
        if backend.get_password(SERVICE, vault_id) is not None:
            backend.delete_password(SERVICE, vault_id)


class _KeyringErrors:
    """Converts errors of the system's keyring to this package's; backends raise those of their libraries."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and _is_of_the_keyring(kind):
            said = f"the system's keyring failed ({kind.__name__})."
            raise ConfigurationError(said, hint=_UNLOCK) from None


def _is_of_the_keyring(kind: type[BaseException]) -> bool:
    modules = {one.__module__.partition(".")[0] for one in kind.__mro__}
    named = any(one.__name__.startswith("Keyring") for one in kind.__mro__)
    return named or issubclass(kind, (OSError, RuntimeError)) or not modules.isdisjoint(_FAILING)
