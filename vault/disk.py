"""The calls to the operating system that the vault makes, each a seam for tests."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from filelock import BaseFileLock, FileLock

from vault.errors import StorageFailed

FOLDER_MODE = 0o700
FILE_MODE = 0o600
LOCK_POLL_S = 0.01
WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})  # some network file systems


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with ``~`` replaced by the home folder, or say that it is not known."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise StorageFailed(
            f"the home folder in {os.fspath(path)} is not known: HOME is not set, or there is no such user; give the "
            "whole path"
        ) from None


class FileSystem:
    """Every call that the vault makes to the operating system; tests pass one that fails."""

    has_modes = os.name != "nt"

    def user_id(self) -> int:
        return os.geteuid()

    def lstat(self, path: Path) -> os.stat_result:
        return path.lstat()

    def open(self, path: Path, flags: int, mode: int = 0) -> int:
        return os.open(path, flags, mode)

    def fstat(self, descriptor: int) -> os.stat_result:
        return os.fstat(descriptor)

    def read(self, descriptor: int, length: int) -> bytes:
        return os.read(descriptor, length)

    def write(self, descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def fsync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def names(self, folder: Path) -> list[str]:
        return [entry.name for entry in folder.iterdir()]

    def make_folder(self, folder: Path) -> None:
        """Make a folder for the user alone, and so every missing one above it, whatever the umask."""
        missing = []
        at = folder
        while not at.is_dir():
            missing.append(at)
            at = at.parent
        for one in reversed(missing):
            try:
                one.mkdir(mode=FOLDER_MODE)
            except FileExistsError:
                if not one.is_dir():
                    raise
            else:
                one.chmod(FOLDER_MODE)

    def lock(self, path: Path, timeout_s: float) -> BaseFileLock | None:
        """Return the lock of a path, held; None where the file system has no locks.

        Raises
        ------
        filelock.Timeout
            Another process holds it.
        """
        try:
            return self.native_lock(path, timeout_s)
        except OSError as error:
            if error.errno in WITHOUT_LOCKS:
                return None
            raise

    def native_lock(self, path: Path, timeout_s: float) -> BaseFileLock:
        lock = FileLock(path, timeout=timeout_s, mode=FILE_MODE)
        lock.acquire(poll_interval=LOCK_POLL_S)
        return lock
