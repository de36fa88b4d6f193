"""Searches files, notebooks by cell, databases and git objects for secrets. Only the finder knows the secrets.

No secret that was found is ever shown: only its place, the key's label, the field and the form.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from bgresearch.errors import ConfigurationError

PART_BYTES = 32 * 1024 * 1024
OVERLAP_BYTES = 64 * 1024  # more than any form of a secret is long
MAX_NOTEBOOK_BYTES = 256 * 1024 * 1024

_LINE_END = b"\n"
# A repository from elsewhere can name programs in its settings that git would start: disable them, and fetching too.
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "core.sshCommand=false")
_QUIET = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
_SQLITE = b"SQLite format 3\x00"


class FoundSecret(Protocol):
    """One secret that a finder found."""

    @property
    def label(self) -> str: ...
    @property
    def field(self) -> str: ...
    @property
    def form(self) -> str: ...
    @property
    def offset(self) -> int: ...


class Finder(Protocol):
    """Finds secrets in bytes; `Vault.searcher()` implements it."""

    def find(self, data: bytes) -> Iterable[FoundSecret]:
        """Return what is in the data."""


@dataclass(frozen=True)
class Hit:
    """A secret in a place.

    Attributes
    ----------
    place : str
        File or git object.
    where : str
        Line, cell or table; empty if only the place is known.
    label, field, form : str
        Which key, which of its texts, in which form.
    """

    place: str
    where: str
    label: str
    field: str
    form: str


@dataclass(frozen=True)
class ScanReport:
    """What a scan found.

    Attributes
    ----------
    hits : tuple of Hit
    unread : tuple of str
        Places that could not be read, and why.
    searched : int
        Files and git objects that were.
    """

    hits: tuple[Hit, ...]
    unread: tuple[str, ...]
    searched: int


def scan(paths: Iterable[Path], finder: Finder, *, with_git: bool = True) -> ScanReport:
    """Return the secrets in files and folders, and in the git objects of repositories among them.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders; symbolic links inside are not followed.
    finder : Finder
        Searches for the secrets.
    with_git : bool
        Whether every object of a repository is searched, whether a branch has it or not.
    """
    hits: list[Hit] = []
    unread: list[str] = []
    searched = 0
    for file in _files(paths, unread):
        if file.name == ".git" and file.is_dir():
            if with_git:
                found, count = _git_objects(file.parent, finder)
                hits += found
                searched += count
            continue
        try:
            hits += in_file(file, finder)
            searched += 1
        except OSError as error:
            unread.append(f"{file}: {error.strerror}")
    return ScanReport(tuple(hits), tuple(unread), searched)


def scan_staged(folder: Path, finder: Finder) -> ScanReport:
    """Return the secrets in the files as they are staged for the next commit of a repository."""
    listed = _git(folder, "diff", "--cached", "--name-only", "-z", "--diff-filter=ACMRT").split(b"\x00")
    names = [os.fsdecode(name) for name in listed if name]
    top = Path(os.fsdecode(_git(folder, "rev-parse", "--show-toplevel").rstrip(b"\n")))
    hits = [hit for name in names for hit in in_bytes(_git(top, "cat-file", "blob", f":{name}"), name, finder)]
    return ScanReport(tuple(hits), (), len(names))


def in_file(file: Path, finder: Finder) -> list[Hit]:
    """Return the secrets in one file; larger ones are read in parts."""
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size <= PART_BYTES or (file.suffix == ".ipynb" and size <= MAX_NOTEBOOK_BYTES):
            hits = in_bytes(stream.read(), str(file), finder)
        else:
            hits = [_hit(found, str(file), "") for found in _in_stream(stream, size, finder)]
    if _is_database(file):
        hits += _in_database(file, finder, known={(hit.label, hit.field) for hit in hits})
    return hits


def in_bytes(data: bytes, place: str, finder: Finder) -> list[Hit]:
    """Return the secrets in the bytes of one file: of a notebook by cell, else by line."""
    in_cells: list[Hit] = []
    if place.endswith(".ipynb"):
        in_cells = [_hit(found, place, where) for where, part in _cells(data) for found in finder.find(part)]
    known = {(hit.label, hit.field) for hit in in_cells}
    others = [found for found in finder.find(data) if (found.label, found.field) not in known]
    return in_cells + [_hit(found, place, _line(data, found.offset)) for found in others]


def _files(paths: Iterable[Path], unread: list[str]) -> Iterator[Path]:
    """Give every regular file, and each ``.git`` folder instead of its files."""

    def refused(error: OSError) -> None:
        unread.append(f"{error.filename}: {error.strerror}")

    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path, onerror=refused):
            if ".git" in folders:
                folders.remove(".git")
                yield Path(folder) / ".git"
            for name in names:
                file = Path(folder) / name
                with contextlib.suppress(OSError):
                    if stat.S_ISREG(file.lstat().st_mode):
                        yield file


def _cells(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the parts of a notebook, with lines joined; none if it is not one."""
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        return
    for number, cell in enumerate(notebook["cells"], start=1):
        if isinstance(cell, dict):
            yield f"cell {number}, source", _text(cell.get("source"))
            yield f"cell {number}, output", _text(cell.get("outputs"))
            rest = {name: value for name, value in cell.items() if name not in {"source", "outputs"}}
            yield f"cell {number}, metadata", _text(rest)
    metadata = notebook.get("metadata")
    widgets = metadata.pop("widgets", None) if isinstance(metadata, dict) else None
    yield "widget state", _text(widgets)
    yield "metadata", _text(metadata)


def _text(node: Any) -> bytes:
    """Return every text in a JSON value; a list of lines is one text."""
    if isinstance(node, str):
        return node.encode("utf-8", "replace")
    if isinstance(node, list):
        joiner = b"" if all(isinstance(item, str) for item in node) else b"\n"
        return joiner.join(_text(item) for item in node)
    if isinstance(node, dict):
        return b"\n".join(name.encode("utf-8", "replace") + b"\n" + _text(value) for name, value in node.items())
    return b""


def _in_stream(stream: IO[bytes], size: int, finder: Finder) -> list[FoundSecret]:
    """Return the secrets in the next ``size`` bytes, read in parts that overlap; each secret and form once."""
    seen: dict[tuple[str, str, str], FoundSecret] = {}
    kept, left = b"", size
    while left:
        part = stream.read(min(left, PART_BYTES))
        if not part:
            break
        left -= len(part)
        for found in finder.find(kept + part):
            seen.setdefault((found.label, found.field, found.form), found)
        kept = (kept + part)[-OVERLAP_BYTES:]
    return list(seen.values())


def _is_database(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(_SQLITE)) == _SQLITE


def _in_database(file: Path, finder: Finder, known: set[tuple[str, str]]) -> list[Hit]:
    """Return the secrets in the rows of a database that its bytes did not show: long texts are spread over pages."""
    hits: list[Hit] = []
    address = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
    with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(sqlite3.connect(address, uri=True)) as opened:
        tables = [str(name) for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            quoted = table.replace('"', '""')
            for row in opened.execute(f'SELECT * FROM "{quoted}"'):  # noqa: S608 -- a name from the file itself, quoted
                data = b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
                found = [one for one in finder.find(data) if (one.label, one.field) not in known]
                hits += [_hit(one, str(file), f"table {table}") for one in found]
                known |= {(one.label, one.field) for one in found}
    return hits


def _git_objects(folder: Path, finder: Finder) -> tuple[list[Hit], int]:
    """Return the secrets in every object of a repository, loose or packed, and the number of objects."""
    command = [*_GIT, "-C", str(folder), "cat-file", "--batch-all-objects", "--batch", "--buffer", "--unordered"]
    found: list[tuple[str, str, FoundSecret]] = []
    count = 0
    with _started(command) as process:
        stream = process.stdout
        assert stream is not None  # noqa: S101 -- asked for below
        while header := stream.readline().split():
            name, kind, size = (part.decode("ascii") for part in header[:3])
            found += [(name, kind, one) for one in _in_stream(stream, int(size), finder)]
            stream.read(1)
            count += 1
    if process.returncode:
        raise ConfigurationError(f"git could not read {folder}.", hint="Run git fsck there, or scan with --no-git.")
    names = _object_names(folder) if found else {}
    return [_hit(one, f"{folder}: git {kind} {name[:12]}", names.get(name, "")) for name, kind, one in found], count


def _object_names(folder: Path) -> dict[str, str]:
    """Return the path of each object in a commit; an object that is on no branch has none."""
    lines = os.fsdecode(_git(folder, "rev-list", "--objects", "--all", "--missing=allow-any")).splitlines()
    return {parts[0]: parts[1] for line in lines if len(parts := line.split(" ", 1)) == 2}


def _git(folder: Path, *arguments: str) -> bytes:
    with _started([*_GIT, "-C", str(folder), *arguments]) as process:
        answer, _ = process.communicate()
    if process.returncode:
        raise ConfigurationError(f"git {arguments[0]} failed in {folder}.", hint="Is it a git repository?")
    return answer


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **_QUIET},
        )  # fmt: skip
    except FileNotFoundError:
        raise ConfigurationError("git is not installed.", hint="Install it, or scan with --no-git.") from None


def _hit(found: FoundSecret, place: str, where: str) -> Hit:
    return Hit(place, where, found.label, found.field, found.form)


def _line(data: bytes, offset: int) -> str:
    return f"line {data.count(_LINE_END, 0, offset) + 1}" if offset >= 0 else ""
