"""What was fetched from the archive, as it was then: key, length, ETag, Last-Modified, digest. One small file of JSON.

It is how a silent re-upload is noticed later: `changed_files` asks for the headers again, and fetches nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from bgresearch.errors import StoreError
from bgresearch.http.file_host import FileHost
from bgresearch.store import Store
from bgresearch.store.layout import NewerFormat, check_format

FOLDER = ".archive"
_FILE = f"{FOLDER}/manifest.json"
_FORMAT = 1


@dataclass(frozen=True)
class FetchedFile:
    """One file of the archive as it was when it was fetched.

    Attributes
    ----------
    key : str
        Below the archive's base address.
    length : int
        Bytes.
    etag, modified, sha256 : str
        As the host said; the digest of what came.
    fetched_ms : int
        When, epoch milliseconds.
    set_aside : str
        Why it, or a part of it, was not believed; empty if all of it was.
    """

    key: str
    length: int
    etag: str
    modified: str
    sha256: str
    fetched_ms: int
    set_aside: str = ""


@dataclass(frozen=True)
class ChangedFile:
    """A file that the archive no longer has as it was fetched.

    Attributes
    ----------
    key : str
        Below the archive's base address.
    what : str
        In words: uploaded again, or gone.
    kept, now : str
        Length, ETag and Last-Modified then and now.
    """

    key: str
    what: str
    kept: str
    now: str


def fetched_files(store: Store) -> dict[str, FetchedFile]:
    """Return what was fetched into a store, by key.

    Raises
    ------
    StoreError
        The manifest was written by a newer version.
    """
    return _decoded(store.read_file(_FILE))


def remember(store: Store, files: Iterable[FetchedFile]) -> None:
    """Add files to the manifest; one that is there already is replaced."""
    new = {file.key: file for file in files}
    if new:
        store.edit_private(_FILE, lambda text: _encoded(_decoded(text) | new))


def changed_files(
    store: Store, host: FileHost, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Iterator[ChangedFile]:
    """Yield the files that the archive has uploaded again, or deleted, since they were fetched; asks for headers only.

    Raises
    ------
    AccessBlocked, NetworkError
        The archive does not answer.
    """
    known = sorted(fetched_files(store).values(), key=lambda file: file.key)
    for number, file in enumerate(known, 1):
        now = host.look(file.key)
        kept = f"{file.length} bytes, ETag {file.etag or '-'}, {file.modified or '-'}"
        if now is None:
            yield ChangedFile(file.key, "it is gone", kept, "")
        elif (now.length or file.length, now.etag) != (file.length, file.etag):
            said = f"{now.length} bytes, ETag {now.etag or '-'}, {now.modified or '-'}"
            yield ChangedFile(file.key, "it was uploaded again", kept, said)
        progress(number, len(known))


def _decoded(text: bytes | None) -> dict[str, FetchedFile]:
    if text is None:
        return {}
    try:
        body = json.loads(text)
        check_format(body["format"], _FORMAT)
        return {one["key"]: FetchedFile(**one) for one in body["files"]}
    except NewerFormat as newer:
        raise StoreError(f"{_FILE}: {newer}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}  # what is known of fetched files is lost; their rows are not


def _encoded(files: dict[str, FetchedFile]) -> bytes:
    rows: list[dict[str, Any]] = [asdict(files[key]) for key in sorted(files)]
    return json.dumps({"format": _FORMAT, "files": rows}, separators=(",", ":")).encode()
