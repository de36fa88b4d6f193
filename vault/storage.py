"""The vault's file on disk: who may read it, how it is replaced, what is kept of it.

This module moves bytes and knows nothing of their content. A save is: lock, remove what a killed process left,
keep the old bytes next to the vault, write the new ones to a temporary file, flush, replace, flush the folder. A
reader sees the old file or the new one, never a half-written one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, Timeout

from vault.disk import FILE_MODE, FOLDER_MODE, LOCK_POLL_S, FileSystem, expanded
from vault.errors import (
    LaxMode,
    ReducedProtection,
    StorageFailed,
    UnsafePath,
    VaultBusy,
    VaultExists,
    VaultMissing,
)
from vault.warned import warn

KEPT_GENERATIONS = 5
MAX_TRAIL_BYTES = 64 * 1024 * 1024  # some 300,000 events
_without_locks: set[Path] = set()  # folders that were warned about

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NO_FOLLOW  # non-blocking: a pipe must not hang the reader
_APPEND_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0) | _NO_FOLLOW
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW
_NEXT_STEP = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "free some space and try again",
    errno.EACCES: "check who owns the folder and its files",
    errno.EPERM: "check who owns the folder and its files",
    errno.EROFS: "the disk is mounted read-only; mount it writable or move the vault",
}


class VaultFile:
    """One vault file, its lock and its kept generations.

    Parameters
    ----------
    path : str or path
        The vault file; its folder belongs to the vault's owner alone.
    filesystem : FileSystem
    lock_timeout_s : float
        How long to wait for another process that is saving.
    """

    def __init__(self, path: str | os.PathLike[str], filesystem: FileSystem, lock_timeout_s: float) -> None:
        self.path = expanded(path).absolute()
        self.folder = self.path.parent
        self._filesystem = filesystem
        if not filesystem.has_modes:
            warn(
                "this platform has no file modes that the vault could check: other accounts of this machine are kept "
                "out by the folder's own access list alone (reduced protection)",
                ReducedProtection,
            )
        self._lock_timeout_s = lock_timeout_s
        self._lock_path = self.path.with_name(f".{self.path.name}.lock")
        self._temporary = self.path.with_name(f".{self.path.name}.new")
        self.damaged_path = self.path.with_name(f"{self.path.name}.damaged")
        self.trail_path = self.path.with_name(f"{self.path.name}.audit")
        self._kept_name = re.compile(re.escape(self.path.name) + r"\.([1-9][0-9]{0,15})\.kept")

    def make_folder(self) -> None:
        """Make the folder, for its owner alone, if it is not there."""
        with self._explained("make the folder"):
            self._filesystem.make_folder(self.folder)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the vault's lock, after checking that its folder is safe."""
        self._check_folder()
        try:
            with self._explained("lock"):
                lock = self._filesystem.lock(self._lock_path, self._lock_timeout_s) or self._lock_by_existence()
        except Timeout:
            raise VaultBusy(
                f"another process has been saving {self.path} for {self._lock_timeout_s:g} s; wait for it or end it, "
                "then try again"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _lock_by_existence(self) -> BaseFileLock:
        """Return a lock that is a file's existence; one left by a killed process is recognised by its process id."""
        if self.folder not in _without_locks:
            _without_locks.add(self.folder)
            warn(
                f"the file system of {self.folder} has no locks, so a file named .held takes their place: do not save "
                f"the vault from two machines at once; after a crash of another machine delete {self._lock_path}.held "
                "(reduced protection)",
                ReducedProtection,
            )
        from filelock import SoftFileLock  # noqa: PLC0415 - it loads socket, for the host's name

        lock = SoftFileLock(f"{self._lock_path}.held", timeout=self._lock_timeout_s)
        lock.acquire(poll_interval=LOCK_POLL_S)
        return lock

    def check_absent(self) -> None:
        """Raise if there is a vault at this path, or if generations of one are kept."""
        with self._explained("check"):
            present = self._exists()
        if present:
            raise VaultExists(f"there already is a file at {self.path}; open it, or choose another path")
        if kept := self.kept():
            raise VaultExists(
                f"{self.path} is gone, but generations of it are kept. Restore the newest with "
                f"{self.restore_command(kept[0])}, or move the .kept files away to start again"
            )

    def read(self, longest: int) -> bytes:
        """Return the file's bytes, one more than ``longest`` at most; refuses a file that others could touch."""
        self._check_folder()
        try:
            with self._explained("open"):
                descriptor = self._filesystem.open(self.path, _READ_FLAGS)
        except StorageFailed as failure:
            self._refuse_unopened(failure)
        try:
            with self._explained("read"):
                self._check_file(self._filesystem.fstat(descriptor), self.path)
                return self._read_up_to(descriptor, longest + 1)
        finally:
            with self._explained("close"):
                self._filesystem.close(descriptor)

    def read_kept(self, path: Path, longest: int) -> bytes:
        """Return the bytes of a kept generation."""
        with self._explained("read", path):
            descriptor = self._filesystem.open(path, _READ_FLAGS)
            try:
                return self._read_up_to(descriptor, longest + 1)
            finally:
                self._filesystem.close(descriptor)

    def kept(self) -> list[Path]:
        """Return the kept generations, newest first."""
        with self._explained("list the folder of"):
            names = self._filesystem.names(self.folder)
        numbered = [(int(match[1]), name) for name in names if (match := self._kept_name.fullmatch(name))]
        return [self.path.with_name(name) for _, name in sorted(numbered, reverse=True)]

    def highest_kept(self) -> int:
        """Return the highest kept generation, 0 if none is kept."""
        return max(map(self.generation_of, self.kept()), default=0)

    def generation_of(self, kept: Path) -> int:
        return int(kept.name.split(".")[-2])

    def kept_of(self, generation: int) -> Path:
        """Return where a generation is kept; it may not be there."""
        return self.path.with_name(f"{self.path.name}.{generation}.kept")

    def former_files(self) -> list[Path]:
        """Return every file next to the vault that holds an earlier version: kept generations, and a damaged one."""
        with self._explained("list the folder of"):
            names = self._filesystem.names(self.folder)
        return [*self.kept(), *([self.damaged_path] if self.damaged_path.name in names else [])]

    def forget_former(self) -> None:
        """Delete every file next to the vault that holds an earlier version; call it under the lock."""
        for former in self.former_files():
            self.delete(former)

    def delete(self, path: Path, *, unchanged: bool = False) -> None:
        """Delete a file next to the vault, after a save or (``unchanged``) before one."""
        with self._explained("delete", path, unchanged=unchanged):
            self._filesystem.unlink(path)

    def append_trail(self, lines: bytes, size: int) -> None:
        """Write lines after the first ``size`` bytes of the audit trail, cutting off what a killed process left."""
        path = self.trail_path
        with self._explained("write the audit trail", path):
            descriptor = self._filesystem.open(path, _APPEND_FLAGS, FILE_MODE)
            try:
                found = self._filesystem.fstat(descriptor)
                self._check_file(found, path)
                self._filesystem.truncate(descriptor, min(size, found.st_size))
                self._write_all(descriptor, lines)
            finally:
                self._filesystem.close(descriptor)

    def read_trail(self) -> bytes:
        """Return the audit trail's bytes, empty if there is none."""
        try:
            return self.read_kept(self.trail_path, MAX_TRAIL_BYTES)
        except StorageFailed as failure:
            if isinstance(failure.__cause__, FileNotFoundError):
                return b""
            raise

    def keep_damaged(self, data: bytes) -> Path:
        """Keep the bytes of a file that cannot be trusted next to the vault, before it is replaced."""
        with self._explained("save", self.damaged_path):
            self._filesystem.unlink(self._temporary)
            self._write(data, self.damaged_path)
        return self.damaged_path

    def restore_command(self, kept: Path) -> str:
        return f"bgresearch vault restore {self.generation_of(kept)} --vault {shlex.quote(str(self.path))}"

    def commit(self, new: bytes, *, old: bytes | None = None, old_generation: int = 0) -> None:
        """Put new bytes in place of the old ones, which are kept; call it under the lock.

        Until the replace nothing has changed for a reader. A failure before it leaves the old file as it was.
        """
        try:
            with self._explained("save"):
                self._filesystem.unlink(self._temporary)
                if old is not None:
                    self._write(old, self.kept_of(old_generation))
                    for outdated in self.kept()[KEPT_GENERATIONS:]:
                        self._filesystem.unlink(outdated)
                self._write(new, self.path)
        except StorageFailed:
            with contextlib.suppress(OSError):  # the next save removes it
                self._filesystem.unlink(self._temporary)
            raise
        with self._explained("confirm the save of", unchanged=False):
            self._flush_folder()

    def _write(self, data: bytes, target: Path) -> None:
        descriptor = self._filesystem.open(self._temporary, _WRITE_FLAGS, FILE_MODE)
        try:
            self._write_all(descriptor, data)
        finally:
            self._filesystem.close(descriptor)
        self._filesystem.replace(self._temporary, target)

    def _write_all(self, descriptor: int, data: bytes) -> None:
        while data:
            data = data[self._filesystem.write(descriptor, data) :]
        self._filesystem.fsync(descriptor)

    def _flush_folder(self) -> None:
        if not self._filesystem.has_modes:  # no such call there
            return
        descriptor = self._filesystem.open(self.folder, os.O_RDONLY)
        try:
            self._filesystem.fsync(descriptor)
        finally:
            self._filesystem.close(descriptor)

    def _read_up_to(self, descriptor: int, length: int) -> bytes:
        data = b""
        while len(data) < length and (chunk := self._filesystem.read(descriptor, length - len(data))):
            data += chunk
        return data

    def _exists(self) -> bool:
        try:
            self._filesystem.lstat(self.path)
        except FileNotFoundError:
            return False
        return True

    def _check_folder(self) -> None:
        try:
            with self._explained("check the folder of"):
                found = self._filesystem.lstat(self.folder)
        except StorageFailed as failure:
            if isinstance(failure.__cause__, (FileNotFoundError, NotADirectoryError)):
                raise VaultMissing(f"there is no folder {self.folder}; make a vault with Vault.create") from None
            raise
        if not stat.S_ISDIR(found.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no folder"
            raise UnsafePath(f"{self.folder} is {kind}; give the real folder's path")
        self._check_owner(found, self.folder)
        self._check_mode(found, self.folder, FOLDER_MODE)

    def _check_file(self, found: os.stat_result, path: Path) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise UnsafePath(f"{path} is not a regular file; give the path of the vault file itself")
        self._check_owner(found, path)
        self._check_mode(found, path, FILE_MODE)

    def _check_owner(self, found: os.stat_result, path: Path) -> None:
        if self._filesystem.has_modes and found.st_uid != (user_id := self._filesystem.user_id()):
            raise UnsafePath(
                f"{path} belongs to user {found.st_uid}, you are user {user_id}; use your own vault, or have it "
                "given back to you with chown"
            )

    def _check_mode(self, found: os.stat_result, path: Path, mode: int) -> None:
        actual = stat.S_IMODE(found.st_mode)
        if self._filesystem.has_modes and actual & 0o777 & ~mode:
            if actual & stat.S_ISVTX or path == path.parent:  # /tmp and the like: never to be closed to the others
                raise LaxMode(f"{path} is shared by the users of this machine; give the vault a folder of its own")
            raise LaxMode(self._about_modes())

    def _about_modes(self) -> str:
        """Return every mode that is too open, and one command for all: a mounted volume loosens everything at once."""
        wanted = {
            self.folder: FOLDER_MODE,
            self.path: FILE_MODE,
            self.trail_path: FILE_MODE,
            self._lock_path: FILE_MODE,
        }
        with contextlib.suppress(StorageFailed):
            wanted |= dict.fromkeys(self.kept(), FILE_MODE)
        actual: dict[Path, int] = {}
        for path in wanted:
            with contextlib.suppress(OSError):
                found = self._filesystem.lstat(path).st_mode
                if not stat.S_ISLNK(found) and stat.S_IMODE(found) & 0o777 & ~wanted[path]:
                    actual[path] = stat.S_IMODE(found)
        modes = ", ".join(f"{path} has mode {mode:04o}" for path, mode in actual.items())
        commands = [
            " ".join([f"chmod {mode:o}", *(shlex.quote(str(path)) for path in actual if wanted[path] == mode)])
            for mode in dict.fromkeys(wanted[path] for path in actual)
        ]
        which = "it" if len(actual) == 1 else "them"
        return (
            f"{modes}, so other users of this machine can read {which}; first consider who may have read {which}, then "
            f"type: {' && '.join(commands)}"
        )

    def _refuse_unopened(self, failure: StorageFailed) -> None:
        """Raise the error for a failed open, or the failure itself."""
        code = getattr(failure.__cause__, "errno", None)
        if code in {errno.ELOOP, errno.EMLINK}:
            raise UnsafePath(f"{self.path} is a symbolic link; give the real file's path") from None
        if code in {errno.EISDIR, errno.ENXIO}:
            raise UnsafePath(f"{self.path} is not a regular file; give the path of the vault file itself") from None
        if code != errno.ENOENT:
            raise failure
        advice = "make one with Vault.create"
        if kept := self.kept():
            advice = f"restore the newest kept generation with {self.restore_command(kept[0])}"
        raise VaultMissing(f"there is no vault at {self.path}; {advice}") from None

    @contextlib.contextmanager
    def _explained(self, step: str, path: Path | None = None, *, unchanged: bool = True) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, Timeout):
                raise
            state = (
                "The vault is as it was" if unchanged else "The new file is in place, but may not outlive a power cut"
            )
            next_step = _NEXT_STEP.get(error.errno or 0, "check the disk and try again")
            raise StorageFailed(
                f"could not {step} {path or self.path}: {error.strerror or error}. {state}; {next_step}"
            ) from error
