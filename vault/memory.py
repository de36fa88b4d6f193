"""The highest generation of each vault that this machine has seen, kept outside the vault, to notice an older file.

Numbers and random vault ids, no secrets. Where it cannot be stored, the vault goes on working and warns.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

from vault.disk import FileSystem
from vault.envelope import MAX_GENERATION
from vault.errors import ReducedProtection, RollbackWarning
from vault.warned import warn


def state_folder() -> Path:
    """Return the platform's folder for a program's state.

    Raises
    ------
    FileNotFoundError
        There is no home folder.
    """
    if chosen := os.environ.get("XDG_STATE_HOME"):
        base = Path(chosen)
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Application Support"
    elif os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local")
    else:
        base = _home() / ".local" / "state"
    return base / "bgresearch" / "vaults"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise FileNotFoundError(errno.ENOENT, "HOME is not set, and this user has no home folder") from None


class Memory:
    """Remembers one number for each vault.

    Parameters
    ----------
    folder : path, optional
        Where; the platform's state folder if not given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def highest(self, vault_id: str) -> int:
        """Return the highest generation that was seen of a vault, 0 if none was."""
        with contextlib.suppress(OSError, ValueError):
            seen = int(self._file(vault_id).read_bytes()[:20])
            return seen if 0 < seen <= MAX_GENERATION else 0
        return 0

    def remember(self, vault_id: str, generation: int) -> None:
        """Keep the number if it is the highest yet."""
        if generation <= self.highest(vault_id):
            return
        try:
            file = self._file(vault_id)
            temporary = file.with_suffix(f".{os.getpid()}.new")
            FileSystem().make_folder(file.parent)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
            with os.fdopen(descriptor, "wb") as opened:
                opened.write(b"%d\n" % generation)
            temporary.replace(file)
        except OSError as error:
            warn(
                f"the vault's generation could not be remembered{self._where()} ({error.strerror}): an older file "
                "put in its place would not be noticed (reduced protection)",
                ReducedProtection,
            )

    def warn_of_older(self, vault_id: str, generation: int, path: Path) -> None:
        """Warn if a later generation was seen before."""
        if generation < (seen := self.highest(vault_id)):
            warn(
                f"the vault {path} is generation {generation}, but generation {seen} of it was seen on this machine: "
                "an older file was put in its place, so later changes of keys or password are undone. If "
                f"that was you, type: bgresearch vault restore {generation}; if not, find out who did it",
                RollbackWarning,
            )

    def _where(self) -> str:
        try:
            return f" in {self._folder or state_folder()}"
        except FileNotFoundError:
            return ""

    def _file(self, vault_id: str) -> Path:
        return (self._folder or state_folder()) / vault_id


class Forgetful(Memory):
    """Remembers nothing: for vaults that live no longer than a test or a demonstration."""

    def highest(self, vault_id: str) -> int:
        return 0

    def remember(self, vault_id: str, generation: int) -> None:
        pass
