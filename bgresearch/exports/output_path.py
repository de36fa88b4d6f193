"""Where a file goes that somebody asked for by name: a page, a picture, an export. It appears whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bgresearch.errors import StoreError
from bgresearch.store.atomic_files import ANYWHERE, in_words, replacing


def written(path: Path, data: bytes, *, force: bool = False) -> Path:
    """The absolute path of a file, written in one step: it appears whole or not at all, and nothing else stays.

    Parameters
    ----------
    path : Path
        Where to; the folder has to be there.
    data : bytes
        What it is to hold.
    force : bool
        Whether an older file may be replaced.

    Raises
    ------
    StoreError
        There is such a file and ``force`` is not said, or the folder cannot be written to.
    """
    target = checked_place(path, force=force)
    with placed(target, force=force) as part:
        part.write_bytes(data)
    return target


@contextlib.contextmanager
def placed(target: Path, *, private: bool = False, force: bool = False) -> Iterator[Path]:
    """Give the path of a file that takes the target's place at the end of the block; see `replacing`.

    Raises
    ------
    StoreError
        There is such a file and ``force`` is not said, or the disk refuses.
    """
    with in_words("write", target, ANYWHERE):
        try:
            with replacing(target, private=private, force=force) as part:
                yield part
        except FileExistsError:
            raise taken(target) from None


def checked_place(path: Path, *, force: bool = True) -> Path:
    """The absolute path of a file to be, so that a wrong one is said before the work and not after it.

    Raises
    ------
    StoreError
        There is no such folder or no file can have that name, or there is such a file and ``force`` is not said.
    """
    try:
        with in_words("write", path, ANYWHERE):
            target = expanded(path).resolve()
            there = target.exists()
    except (RuntimeError, ValueError) as cause:  # links in a ring, a zero byte
        raise _nowhere(path, cause) from None
    if not target.parent.is_dir():
        raise StoreError(
            f"{target} cannot be written: there is no folder {target.parent}.", hint="Choose another place."
        )
    if there and not force:
        raise taken(target)
    return target


def expanded(path: Path) -> Path:
    """The path with its ``~`` replaced.

    Raises
    ------
    StoreError
        There is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError as cause:
        raise _nowhere(path, cause) from None


def _nowhere(path: Path, cause: Exception) -> StoreError:
    said = str(cause).rstrip(".")
    return StoreError(f"{str(path)!r} cannot be written: {said}.", hint="Choose another place.")


def taken(target: Path) -> StoreError:
    """The words for a name that is not free."""
    return StoreError(f"{target} exists already.", hint="Choose another name, or say force=True.")
