"""Writing a file to a path that the user named: a page, an image, an export. It is written atomically."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from bgresearch.errors import StoreError
from bgresearch.store.atomic_files import ANYWHERE, in_words, replacing


def written(path: Path, data: bytes, *, force: bool = False) -> Path:
    """The absolute path of a file, written atomically: complete or not at all, without leftovers.

    Parameters
    ----------
    path : Path
        Path of the file; its folder must exist.
    data : bytes
        Content of the file.
    force : bool
        Whether an existing file may be replaced.

    Raises
    ------
    StoreError
        The file exists and ``force`` is not set, or the folder is not writable.
    """
    target = checked_place(path, force=force)
    with placed(target, force=force) as part:
        part.write_bytes(data)
    return target


@contextlib.contextmanager
def placed(target: Path, *, private: bool = False, force: bool = False) -> Iterator[Path]:
    """Yield the path of a file that replaces the target at the end of the block; see `replacing`.

    Raises
    ------
    StoreError
        The file exists and ``force`` is not set, or writing fails.
    """
    with in_words("write", target, ANYWHERE):
        try:
            with replacing(target, private=private, force=force) as part:
                yield part
        except FileExistsError:
            raise taken(target) from None


def checked_place(path: Path, *, force: bool = True) -> Path:
    """The absolute path of a file to be written, so that errors are raised before the work starts.

    Raises
    ------
    StoreError
        The folder does not exist, the name is not valid, or the file exists and ``force`` is not set.
    """
    try:
        with in_words("write", path, ANYWHERE):
            target = expanded(path).resolve()
            there = target.exists()
    except (RuntimeError, ValueError) as cause:  # circular links, a null byte
        raise _nowhere(path, cause) from None
    if not target.parent.is_dir():
        raise StoreError(
            f"{target} cannot be written: the folder {target.parent} does not exist.", hint="Choose another path."
        )
    if there and not force:
        raise taken(target)
    return target


def expanded(path: Path) -> Path:
    """The path with ``~`` expanded.

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
    return StoreError(f"{str(path)!r} cannot be written: {said}.", hint="Choose another path.")


def taken(target: Path) -> StoreError:
    """The error for a path that exists already."""
    return StoreError(f"{target} exists already.", hint="Choose another name, or pass force=True.")
