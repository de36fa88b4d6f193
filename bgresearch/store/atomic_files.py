"""Bytes to a file, all or nothing, under a lock. The seam where tests make the disk full; knows nothing of Parquet.

`replacing` is used for files outside the store as well: pages, exports. Some network file systems have no locks, and
answer ENOLCK or EOPNOTSUPP. A file that says who holds the lock serves there as well; what a process of this machine
leaves when it is killed is found by its process number.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import hashlib
import os
import secrets
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import filelock

from bgresearch.errors import StoreError

_LOCK_TIMEOUT_S = 120.0  # a partition is rewritten in well under a second
WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})
_said: set[Path] = set()


def _advice(other: str) -> Mapping[int, str]:
    """Return what to do next, by the number of the operating system's error; ``other`` says how to go elsewhere."""
    permission = f"Permission is missing: make the folder writable, or {other}."
    in_the_way = f"There is a file where a folder is needed: {other}."
    return {
        errno.ENOSPC: f"The disk is full: free some space, or {other}, and try again.",
        errno.EDQUOT: f"The disk quota is used up: free some space, or {other}.",
        errno.EFBIG: "The file would be larger than this process may write (ulimit -f).",
        errno.EROFS: f"The folder is read-only: {other}.",
        errno.ENOENT: f"Its folder is not there and cannot be made: {other}.",
        errno.EACCES: permission,
        errno.EPERM: permission,
        errno.ENAMETOOLONG: "The name is too long for this file system.",
        errno.ENOTDIR: in_the_way,
        errno.EEXIST: in_the_way,
    }


IN_THE_STORE = _advice("choose another folder with data_dir= or BGRESEARCH_DATA_DIR")
ANYWHERE = {
    **_advice("choose another place"),
    0: "Look whether the disk is full or its use limited, or choose another place.",  # a library kept the number
}


_READ_ADVICE = {
    errno.EACCES: "Permission is missing: make the file readable for this user.",
    errno.EPERM: "Permission is missing: make the file readable for this user.",
    errno.EMFILE: "This process has too many files open: close some, or raise ulimit -n.",
    errno.ENFILE: "This machine has too many files open: try again later.",
    errno.ENOMEM: "Free some memory, or ask for a shorter span.",
    errno.EINVAL: "Something that is no file is in its place: move it away.",
    errno.EISDIR: "A folder is in its place: move it away.",
    errno.ENOTDIR: IN_THE_STORE[errno.ENOTDIR],
}


@contextlib.contextmanager
def in_words(doing: str, path: Path, advice: Mapping[int, str] = IN_THE_STORE) -> Iterator[None]:
    """Turn an operating system error into a StoreError that names the path and the next step, by the error's number."""
    try:
        yield
    except OSError as cause:
        said = os.strerror(cause.errno) if cause.errno else str(cause)
        raise StoreError(f"cannot {doing} {path}: {said}.", hint=advice.get(cause.errno or 0, "")) from cause


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what keeps a file from being read now, and proves nothing about its content, into a StoreError.

    An error of the operating system, too little memory and a thread that cannot be started are no damage.
    """
    error: Exception
    try:
        yield
    except OSError as cause:
        said, error = os.strerror(cause.errno) if cause.errno else str(cause), cause
        hint = _READ_ADVICE.get(cause.errno or 0, "Try again; look at the disk if it happens again.")
    except MemoryError as cause:
        said, error = "there is not enough memory", cause
        hint = "Free some memory, or ask for a shorter span."
    except RuntimeError as cause:
        said, error = str(cause), cause
        hint = "Try again when this machine is less loaded."
    else:
        return
    raise StoreError(f"{path} cannot be read now: {said}.", hint=f"Nothing was changed. {hint}") from error


def opened(path: Path) -> BinaryIO:
    """Open a file to be read. What is none is an OSError at once: a pipe would be waited for without end.

    Raises
    ------
    OSError
        As of ``open``, and for pipes and devices.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    fd = os.open(path, flags)
    kind = os.fstat(fd).st_mode
    if not stat.S_ISREG(kind):
        os.close(fd)
        number = errno.EISDIR if stat.S_ISDIR(kind) else errno.EINVAL
        raise OSError(number, "it is no regular file", str(path))
    return os.fdopen(fd, "rb")


def names_in(folder: Path) -> list[str]:
    """Return the names of what is in a folder, in order; none if there is no such folder.

    Raises
    ------
    StoreError
        It cannot be listed: what is in it must not be taken for absent.
    """
    with reading(folder):
        try:
            return sorted(os.listdir(folder))  # noqa: PTH208 - a tenth of the time of Path.iterdir
        except (FileNotFoundError, NotADirectoryError):
            return []


def matching(root: Path, pattern: str) -> list[Path]:
    """Return what matches a pattern below a folder, in order, as `Path.glob` does, which skips what it cannot list.

    Raises
    ------
    StoreError
        A folder cannot be listed.
    """
    found = [root]
    for part in pattern.split("/"):
        found = [folder / name for folder in found for name in names_in(folder) if fnmatch.fnmatchcase(name, part)]
    return found


def walked(root: Path) -> Iterator[Path]:
    """Yield every file below a folder, except in hidden folders.

    Raises
    ------
    StoreError
        A folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            with reading(Path(error.filename)):
                raise error

    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in names)


@contextlib.contextmanager
def replacing(path: Path, *, private: bool = False, force: bool = True) -> Iterator[Path]:
    """Yield the path of an empty file in the same folder, which replaces this one when the block ends, synced.

    If the block raises, it is deleted and the old file is intact. A private one is 0600 from the beginning.

    Raises
    ------
    FileExistsError
        Without ``force``, there is a file, be it one that came meanwhile.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666))
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if force:
            temporary.replace(path)
        else:
            _take_free(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _take_free(temporary: Path, path: Path) -> None:
    """Rename a file unless another one has the name; by a link, as a rename would replace the other one."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:  # a file system without links
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from error
        temporary.replace(path)
    else:
        temporary.unlink()


class Disk:
    """The file system below one data folder.

    Parameters
    ----------
    root : Path
        The data folder; made when first written to.
    patience_s : float
        How long to wait for a lock that another process holds.
    make_lock : callable
        Makes a lock of a path; a test hands in one that the file system refuses.
    """

    def __init__(
        self, root: Path, *, patience_s: float = _LOCK_TIMEOUT_S, make_lock: Callable[..., Any] = filelock.FileLock
    ) -> None:
        self.root, self._patience_s, self._make_lock = root, patience_s, make_lock

    @contextlib.contextmanager
    def locked(self, path: Path) -> Iterator[None]:
        """Hold the lock of one file, across threads and processes; lock files are in the hidden folder ``.locks``."""
        name = hashlib.sha256(path.relative_to(self.root).as_posix().encode()).hexdigest()[:32]
        folder = self.root / ".locks"

        def busy() -> StoreError:
            said = f"{path} was locked by another process for {self._patience_s:g} s."
            return StoreError(said, hint="End it, or wait for it.")

        with in_words("lock", path):
            folder.mkdir(parents=True, exist_ok=True)
        with self._locked(folder / f"{name}.lock", self._patience_s, busy):
            yield

    @contextlib.contextmanager
    def locked_by_name(self, name: str, busy: StoreError) -> Iterator[None]:
        """Hold a lock by its name without waiting, or raise what is handed in."""
        folder = self.root / ".locks"
        with in_words("lock", folder):
            folder.mkdir(parents=True, exist_ok=True)
        with self._locked(folder / f"{name}.lock", 0, lambda: busy):
            yield

    @contextlib.contextmanager
    def _locked(self, path: Path, patience_s: float, busy: Callable[[], StoreError]) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            with in_words("lock", path):
                try:
                    stack.enter_context(locked(path, patience_s=patience_s, make=self._make_lock))
                except filelock.Timeout:  # an OSError too
                    raise busy() from None
            yield

    def replace(self, path: Path, data: bytes, *, private: bool = False) -> None:
        """Write the whole file or leave the old one; the caller holds its lock.

        Raises
        ------
        StoreError
            If the operating system refuses; the old file is intact then.
        """
        self.replace_by(path, lambda file: self.write(file, data), private=private)

    def replace_by(self, path: Path, fill: Callable[[BinaryIO], None], *, private: bool = False) -> None:
        """Write the whole file as ``fill`` does, or leave the old one; the caller holds its lock.

        Raises
        ------
        StoreError
            If the operating system refuses; the old file is intact then.
        """
        with in_words("write", path):
            self._make_folder(path.parent, private=private)
            self._sweep(path)
            with replacing(path, private=private) as temporary, temporary.open("wb") as file:
                fill(file)

    def open(self, path: Path) -> BinaryIO:
        """Open a file to be read. Tests override this one to fail at opening or reading."""
        return opened(path)

    def write(self, file: BinaryIO, data: bytes) -> None:
        """Write the bytes. Tests override this one to run out of space half-way."""
        file.write(data)

    def set_aside(self, path: Path, stamp: str) -> Path:
        """Rename a damaged file so that it is neither read nor lost; return its new path."""
        aside = path.with_name(f"{path.name}.damaged-{stamp}")
        count = 1
        while aside.exists():
            count += 1
            aside = path.with_name(f"{path.name}.damaged-{stamp}-{count}")
        with in_words("set aside", path):
            path.rename(aside)
        return aside

    def _make_folder(self, folder: Path, *, private: bool) -> None:
        if private:
            top = self.root / "account"
            for part in [*reversed(folder.parents), folder]:
                if part == top or top in part.parents:
                    part.mkdir(mode=0o700, exist_ok=True)
                    part.chmod(0o700)
                else:
                    part.mkdir(exist_ok=True)
        else:
            folder.mkdir(parents=True, exist_ok=True)

    def _sweep(self, path: Path) -> None:
        """Remove what a killed writer of the same file left; under its lock there is no other writer."""
        for stale in path.parent.glob(f".{path.name}.*.tmp"):
            stale.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class LockWarning(UserWarning):
    """A file system without locks; a file takes their place."""


@contextlib.contextmanager
def locked(path: Path, *, patience_s: float, make: Callable[..., Any] = filelock.FileLock) -> Iterator[None]:
    """Hold a lock for as long as the block lasts.

    Raises
    ------
    filelock.Timeout
        Another process has it.
    OSError
        The lock file cannot be made or opened.
    """
    lock = make(path, timeout=patience_s, thread_local=False)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        _say(path.parent)
        lock = filelock.SoftFileLock(f"{path}.held", timeout=patience_s, thread_local=False)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _say(folder: Path) -> None:
    if folder not in _said:
        _said.add(folder)
        warnings.warn(
            f"the file system of {folder} has no locks, so files named .held take their place. Do not write from "
            "several machines at once; after a crash of another machine delete these files.",
            LockWarning,
            stacklevel=4,
        )
