"""A lock between threads and processes. Where the file system has no locks, the existence of a file is one.

Some network file systems answer ENOLCK or EOPNOTSUPP. A file that says who holds the lock serves there as well; what a
process of this machine leaves when it is killed is found by its process number.
"""

from __future__ import annotations

import contextlib
import errno
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import filelock

WITHOUT_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})
_said: set[Path] = set()


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
