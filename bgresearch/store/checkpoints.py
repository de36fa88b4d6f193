"""Pages of an unfinished list, saved on disk until it is complete: one line of JSON each. Sends no requests.

A line that a killed process left half-written is dropped when the file is opened again; its page is requested again.
Pages of private rows are below ``account``, in files that other users cannot read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from bgresearch.core import exact_json
from bgresearch.errors import StoreError
from bgresearch.store import Store
from bgresearch.store.atomic_files import in_words

Line = dict[str, Any]

_VERSION = 1


class CheckpointFile:
    """The kept pages of one walk; opened by `checkpoint`, by one process at a time.

    Attributes
    ----------
    path : Path
        The file.
    header : dict
        What the walk is, as it was when it began.
    resumed : int
        How many pages were there when it was opened.
    """

    def __init__(self, path: Path, header: Line, resumed: int, file: BinaryIO) -> None:
        self.path, self.header, self.resumed = path, header, resumed
        self._file = file

    def keep(self, line: Line) -> None:
        """Write one page; a killed process loses nothing that was kept."""
        with in_words("write", self.path):
            self._file.write(exact_json.dumps(line).encode() + b"\n")
            self._file.flush()

    def lines(self) -> Iterator[Line]:
        """Yield the pages in the order in which they were kept."""
        with in_words("read", self.path), self.path.open("rb") as file:
            next(file)
            for text in file:
                yield exact_json.loads(text)

    def drop(self) -> None:
        """Delete the file: the walk is whole, or not wanted any more."""
        self._file.close()
        with in_words("delete", self.path):
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def checkpoint(
    store: Store, about: Line, *, private: bool, begun_after_ms: int, resume: bool
) -> Iterator[CheckpointFile]:
    """Open the saved pages of a list: those of an unfinished run with the same parameters, or none yet.

    Parameters
    ----------
    store : Store
        Its data folder has the file.
    about : dict
        What the run is: what identifies it is under ``"walk"``, the rest is only stored.
    private : bool
        Whether the rows belong to an account.
    begun_after_ms : int
        An unfinished run that began earlier is not resumed; its pages are deleted.
    resume : bool
        False to start over in any case.

    Raises
    ------
    StoreError
        The folder cannot be written, or another process is doing the same run.
    """
    digest = hashlib.sha256(json.dumps(about["walk"], sort_keys=True).encode()).hexdigest()[:32]
    name = f"account/walks/{digest}.jsonl" if private else f"walks/{digest}.jsonl"
    path = store.data_dir / name
    busy = StoreError(
        "the same walk is under way in another place.", hint="Wait for it, or close the iterator that began it."
    )
    with store.locked_by_name(f"walk-{digest}", busy):
        header, count = _healed(path) if resume else (None, 0)
        if header is None or header["begun_ms"] < begun_after_ms:
            header, count = {"v": _VERSION, **about}, 0
            store.replace_file(name, json.dumps(header).encode() + b"\n", private=private)
        with in_words("open", path):
            file = path.open("ab")
        try:
            yield CheckpointFile(path, header, count, file)
        finally:
            file.close()


def _healed(path: Path) -> tuple[Line | None, int]:
    """Return header and number of whole lines after it, cutting off a torn one; None if there is no walk to resume."""
    header, count, whole = None, 0, 0
    with in_words("read", path):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None, 0
        with file:
            for text in file:
                parsed = _parsed(text)
                if parsed is None:
                    break
                if header is None:
                    header = parsed
                else:
                    count += 1
                whole += len(text)
        if header is None or header.get("v") != _VERSION:
            return None, 0
        if whole < path.stat().st_size:
            os.truncate(path, whole)
    return header, count


def _parsed(text: bytes) -> Line | None:
    if not text.endswith(b"\n"):
        return None
    try:
        line = exact_json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None
