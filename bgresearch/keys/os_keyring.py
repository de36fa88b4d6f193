"""The operating system's keyring as a way to unlock the vault: it keeps a random code, never the password or a key.

Optional (``pip install 'bgresearch[keyring]'``) and never silent: a backend that is not the system's own is refused, as
those that write plain files, keep nothing, or come from somewhere else.
"""

from __future__ import annotations

from importlib import import_module
from types import TracebackType
from typing import Any, Protocol

from bgresearch.errors import ConfigurationError
from vault.hidden import Hidden, without_frames

SERVICE = "bgresearch vault"

_NAMES = ("macOS", "SecretService", "kwallet", "Windows", "libsecret")
_FAILING = ("keyring", "secretstorage", "jeepney", "dbus", "gi", "pywintypes", "win32ctypes")  # what backends ask with
_UNLOCK = "Unlock the system's keyring (over ssh it has no session that could), or use the master password."
_SYSTEM_BACKENDS = frozenset(f"keyring.backends.{name}" for name in _NAMES)


class Backend(Protocol):
    """What is needed of a backend of the ``keyring`` package."""

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept, None if nothing is."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""

    def delete_password(self, service: str, username: str) -> None:
        """Forget it."""


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
    with _Asking():
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
    """Put the code into the keyring and read it back."""
    with _Asking():
        backend.set_password(SERVICE, vault_id, code.value)
    if fetch(vault_id, backend).value != code.value:
        raise ConfigurationError("the keyring did not keep what it was given.", hint="Use the master password.")


@without_frames
def fetch(vault_id: str, backend: Backend) -> Hidden[str]:
    """Return the code of a vault.

    Raises
    ------
    ConfigurationError
        The keyring has none for it.
    """
    with _Asking():
        kept = Hidden(backend.get_password(SERVICE, vault_id))
    if kept.value is None:
        raise ConfigurationError(
            "the keyring knows nothing of this vault.",
            hint="Use the master password; see bgresearch vault keyring.",
        )
    return Hidden(kept.value)


@without_frames
def forget(vault_id: str, backend: Backend) -> None:
    """Take the code out of the keyring, if it is there."""
    with _Asking():
        if backend.get_password(SERVICE, vault_id) is not None:
            backend.delete_password(SERVICE, vault_id)


class _Asking:
    """Turns what the system's keyring fails with into this package's error; backends raise what their libraries do."""

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
