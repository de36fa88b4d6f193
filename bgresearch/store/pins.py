"""Frozen contents: a name for what the store holds now, kept bit for bit by hard links, whatever happens to the store.

A file of the store is never changed in place but replaced, so a second link to it keeps what it was and costs no space.
The manifest has the digest of every file and one of them all: the same digest is the same data, on any machine.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgresearch.core.spans import iso
from bgresearch.errors import InvalidInput, StoreError
from bgresearch.store import parquet_file as partition
from bgresearch.store.atomic_files import in_words, opened, reading
from bgresearch.store.integrity import PRIVATE, files_of
from bgresearch.store.layout import NewerFormat, check_format
from bgresearch.store.lost_rows import PINS, lost_below, refusal

FOLDER = PINS
MANIFEST = "pin.json"
RESERVED = ("diff", "list", "remove", "verify")  # words of the command
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MARKER = ".bgresearch.json"
_FORMAT = 1
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Pinned:
    """One frozen file: its place below the data folder, its SHA-256, its size and its number of rows."""

    path: str
    sha256: str
    size: int
    rows: int


class Frozen:
    """Files that stay as they are; a pin and a publication are some."""

    files: tuple[Pinned, ...]

    @property
    def digest(self) -> str:
        """Digest of all the data: the same wherever the same was frozen."""
        return digest_of_files((one.path, one.sha256) for one in self.files)

    @property
    def rows(self) -> int:
        """Rows in all."""
        return sum(one.rows for one in self.files)

    @property
    def size(self) -> int:
        """Bytes in all; a pin takes no extra space where hard links are possible."""
        return sum(one.size for one in self.files)


@dataclass(frozen=True)
class Pin(Frozen):
    """What was frozen.

    Attributes
    ----------
    name : str
        Its name.
    folder : Path
        Its folder; a store of its own, read-only.
    created_ms : int
        Epoch milliseconds.
    files : tuple of Pinned
        In the order of their paths.
    """

    name: str
    folder: Path
    created_ms: int
    files: tuple[Pinned, ...]


def digest_of_files(files: Iterable[tuple[str, str]]) -> str:
    """Return a digest of files by their path and SHA-256, in the order given."""
    lines = "".join(f"{sha256}  {path}\n" for path, sha256 in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def create(root: Path, name: str, now_ms: int, *, private: bool = False) -> Pin:
    """Freeze what the store holds now.

    Parameters
    ----------
    root : Path
        The data folder.
    name : str
        Letters, digits, dots, hyphens and underscores, at most 64.
    now_ms : int
        Epoch milliseconds.
    private : bool
        Whether account data is frozen as well; a pin is made to be cited and shared, so it is not by default.

    Raises
    ------
    InvalidInput
        The name cannot be used, or is taken.
    StoreError
        There is nothing to freeze, a file is damaged, or the folder cannot be written; nothing is left behind then.
    """
    folder = _place(root, name)
    with reading(folder):
        taken = folder.exists()
    if taken:
        raise InvalidInput("name", f"there is a pin {name!r} already.", hint="A pin never changes: take another name.")
    found = files_of(root, private=private) if root.is_dir() else []
    if lost := [one for one in lost_below(root) if private or one.path.relative_to(root).parts[0] != PRIVATE]:
        raise refusal(lost)
    if not found:
        raise StoreError(f"there is nothing to freeze in {root}.", hint="Download something first.")
    building = folder.with_name(f".{name}.{os.getpid()}.tmp")
    try:
        with in_words("freeze into", folder):
            building.mkdir(parents=True, mode=0o700)
            files = tuple(_frozen(root, path, building) for path in found)
            if (root / _MARKER).exists():
                shutil.copyfile(root / _MARKER, building / _MARKER)
            pin = Pin(name, folder, now_ms, files)
            (building / MANIFEST).write_text(json.dumps(_as_json(pin), indent=1), encoding="utf-8")
            building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return pin


def load(root: Path, name: str) -> Pin:
    """Return a pin by its name.

    Raises
    ------
    InvalidInput
        There is none of that name; the message lists those there are.
    StoreError
        Its manifest is damaged, or a file of it has gone or has another size.
    """
    folder = _place(root, name)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = tuple(Pinned(one["path"], one["sha256"], one["bytes"], one["rows"]) for one in manifest["files"])
        pin = Pin(name, folder, manifest["created_ms"], files)
        check_format(manifest["format"], _FORMAT)
        intact = manifest["digest"] == pin.digest
    except NewerFormat as newer:
        raise StoreError(f"the pin {name!r} was written by a newer version: {newer}.") from None
    except FileNotFoundError:
        raise _unknown(root, name) from None
    except OSError as error:
        with reading(folder / MANIFEST):
            raise error
    except (ValueError, KeyError, TypeError, RecursionError):
        intact = False
    if not intact:
        raise StoreError(f"the manifest of the pin {name!r} is damaged.", hint=f"Look at {folder / MANIFEST}.")
    for one in pin.files:
        with contextlib.suppress(OSError):
            if (folder / one.path).stat().st_size == one.size:
                continue
        raise StoreError(f"{one.path} of the pin {name!r} is gone or was changed.", hint="Freeze the content again.")
    return pin


def names(root: Path) -> list[str]:
    """Return the names of all pins."""
    folder = root / FOLDER
    return sorted(path.parent.name for path in folder.glob(f"[!.]*/{MANIFEST}")) if folder.is_dir() else []


def changed(pin: Pin) -> list[str]:
    """Return the files of a pin that are not what they were, by comparing every digest."""
    return [one.path for one in pin.files if _sha256(pin.folder / one.path) != one.sha256]


def remove(root: Path, name: str) -> None:
    """Let go of a pin, a damaged one too; the store itself is not touched.

    Raises
    ------
    InvalidInput
        There is none of that name.
    """
    folder = _place(root, name)
    if not folder.is_dir():
        raise _unknown(root, name)
    with in_words("remove", folder):
        doomed = folder.with_name(f".{name}.{os.getpid()}.gone")
        folder.rename(doomed)
        shutil.rmtree(doomed)


def _unknown(root: Path, name: str) -> InvalidInput:
    there = ", ".join(names(root)) or "none"
    return InvalidInput("pin", f"there is no pin {name!r} in {root}.", hint=f"There are: {there}.")


@dataclass(frozen=True)
class Change:
    """How one file differs from its frozen copy.

    Attributes
    ----------
    path : str
        Below the data folder.
    kind : str
        ``added``, ``removed``, ``changed`` or ``damaged``.
    rows_added, rows_removed, rows_changed : int
        By time; a row counts as changed if any value differs.
    first : str
        The earliest time that differs, empty if there is none.
    """

    path: str
    kind: str
    rows_added: int = 0
    rows_removed: int = 0
    rows_changed: int = 0
    first: str = ""


def diff(root: Path, pin: Pin) -> list[Change]:
    """Return what has changed in the store since the pin was made, file by file."""
    frozen = {one.path: one for one in pin.files}
    private = any(path.startswith("account/") for path in frozen)
    now = {path.relative_to(root).as_posix(): path for path in files_of(root, private=private)}
    found = [Change(path, "removed", rows_removed=frozen[path].rows) for path in frozen.keys() - now.keys()]
    found += [Change(path, "added", rows_added=_rows(now[path])) for path in now.keys() - frozen.keys()]
    for path in frozen.keys() & now.keys():
        if not now[path].samefile(pin.folder / path) and _sha256(now[path]) != frozen[path].sha256:
            found.append(_compared(path, pin.folder / path, now[path]))
    return sorted(found, key=lambda change: change.path)


def _compared(path: str, before: Path, after: Path) -> Change:
    try:
        old, new = (_rows_by_time(one) for one in (before, after))
    except partition.DamagedFile:
        return Change(path, "damaged")
    added, removed = new.keys() - old.keys(), old.keys() - new.keys()
    changed_at = [at for at in old.keys() & new.keys() if old[at] != new[at]]
    times = [*added, *removed, *changed_at]
    return Change(
        path, "changed", len(added), len(removed), len(changed_at), iso(min(times)[0]) if times else ""
    )  # fmt: skip


def _rows_by_time(path: Path) -> dict[tuple[int, int], tuple[Any, ...]]:
    """Return rows by their time, and their place among those of the same time."""
    with reading(path), opened(path) as file:
        table, _ledger, time = partition.decode_any(file)
    times = partition.times_of(table, time).tolist()
    rows = zip(*(column.to_pylist() for column in table.columns), strict=True)
    seen: dict[int, int] = {}
    found = {}
    for at, row in zip(times, rows, strict=True):
        seen[at] = seen.get(at, -1) + 1
        found[at, seen[at]] = row
    return found


def _frozen(root: Path, path: Path, folder: Path) -> Pinned:
    below = path.relative_to(root)
    target = folder / below
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        os.link(path, target)
    except OSError:  # a file system without links
        shutil.copy2(path, target)
    rows = _rows(path)
    return Pinned(below.as_posix(), _sha256(target), target.stat().st_size, rows)


def _rows(path: Path) -> int:
    """Return how many rows a file has, once all of it was found to be as it was written."""
    try:
        with reading(path), opened(path) as file:
            return partition.decode_any(file)[1].rows
    except partition.DamagedFile as error:
        raise StoreError(f"{path} is damaged: {error}.", hint="Type: bgresearch verify --repair, then again.") from None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with reading(path), opened(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _as_json(pin: Pin) -> dict[str, Any]:
    created = dt.datetime.fromtimestamp(pin.created_ms / 1000, tz=dt.UTC).isoformat(timespec="seconds")
    files = [{"path": one.path, "sha256": one.sha256, "bytes": one.size, "rows": one.rows} for one in pin.files]
    return {
        "format": _FORMAT, "name": pin.name, "created": created, "created_ms": pin.created_ms, "digest": pin.digest,
        "files": files,
    }  # fmt: skip


def _place(root: Path, name: str) -> Path:
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise InvalidInput(
            "pin", f"{name!r} cannot be the name of a pin.",
            hint=f"Letters, digits, dots, hyphens, underscores, at most 64; none of {', '.join(RESERVED)}.",
        )  # fmt: skip
    return root / FOLDER / name
