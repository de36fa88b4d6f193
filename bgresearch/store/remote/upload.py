"""Copies the public part of a store to an address: objects first, each checked after its upload, the manifest last.

After an interruption the previous publication is still readable, and the next call uploads only the rest. Records of an
account are never published: only the series of `manifest.PUBLIC` are.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bgresearch.core.progress import Wish, shown
from bgresearch.core.thread_pool import ThreadPool
from bgresearch.errors import ConfigurationError, InvalidInput, StoreError
from bgresearch.store import parquet_file as partition
from bgresearch.store.atomic_files import opened, reading
from bgresearch.store.integrity import files_of
from bgresearch.store.layout import NewerFormat
from bgresearch.store.lost_rows import lost_below, refusal
from bgresearch.store.remote.manifest import (
    MANIFEST,
    MARKER,
    BadManifest,
    Publication,
    PublishedFile,
    from_json,
    host_of,
    is_ours,
    is_public,
    keys_of,
    marker,
    older,
)
from bgresearch.store.remote.object_storage import Absent, ObjectInfo, Remote
from bgresearch.store.store import Store

_AT_A_TIME = 8  # objects on their way: each is a megabyte or two, and an answer takes some 50 ms
_SHORT = 50  # files that are sent before a bar could be read
_REPAIR = "Type: bgresearch verify --repair, then publish again."

Grow = Callable[[int], None]


@dataclass(frozen=True)
class Published:
    """The result of publishing.

    Attributes
    ----------
    url : str
        The address.
    digest : str
        Of all the published data; `connect(store=url, pin=digest)` reads this very content as long as it is not pruned.
    files, rows, bytes : int
        What the publication holds now.
    sent, sent_bytes : int
        Objects that had to be sent, and their bytes; the others were there.
    removed : int
        Objects that were pruned.
    """

    url: str
    digest: str
    files: int
    rows: int
    bytes: int
    sent: int
    sent_bytes: int
    removed: int


@dataclass(frozen=True)
class Choice:
    """What is published: of these symbols, of this market; of all if nothing is said."""

    symbols: tuple[str, ...] = ()
    market: str | None = None

    def takes(self, path: str) -> bool:
        """Return whether a file below the data folder is meant."""
        keys = keys_of(path)
        named = not self.symbols or keys.get("symbol") in self.symbols
        return is_public(path) and named and self.market in {None, keys.get("market")}


def chosen(root: Path, choice: Choice) -> list[str]:
    """Return the files of a store that are published, below its folder.

    Raises
    ------
    StoreError
        There are none.
    """
    below = [path.relative_to(root).as_posix() for path in (files_of(root, private=False) if root.is_dir() else [])]
    places = {one: one.path.relative_to(root).as_posix().partition(".damaged-")[0] for one in lost_below(root)}
    if lost := [one for one, place in places.items() if choice.takes(place)]:
        raise refusal(lost)
    found = [path for path in below if choice.takes(path)]
    missed = [symbol for symbol in choice.symbols if not any(keys_of(path).get("symbol") == symbol for path in found)]
    if missed or not found:
        what = f"of {', '.join(missed)} " if missed else ""
        raise StoreError(f"nothing {what}that is public is kept in {root}.", hint="Download it first.")
    return found


def publish(
    store: Store, remote: Remote, choice: Choice, *, now_ms: int, exact: bool, prune: bool, progress: Wish
) -> Published:
    """Publish a store; the verb of the client, which documents it."""
    if store.frozen_by == "store=":
        raise InvalidInput("store", f"{store.place} is a publication itself.", hint="Connect without store=.")
    paths = chosen(store.data_dir, choice)
    with shown(progress, len(paths), f"publish to {remote.url}", unit="files", least=_SHORT) as grow:
        return copy(
            store.data_dir, remote, paths, host=store.owner() or store.host, now_ms=now_ms, exact=exact, prune=prune,
            grow=grow,
        )  # fmt: skip


def copy(
    root: Path, remote: Remote, paths: Sequence[str], *, host: str, now_ms: int, exact: bool = False,
    prune: bool = False, grow: Grow = lambda _more: None,
) -> Published:  # fmt: skip
    """Copy files to an address and make them what is read there.

    Parameters
    ----------
    root : Path
        The data folder.
    remote : Remote
        The address.
    paths : sequence of str
        What `chosen` gave.
    host : str
        The exchange whose data it is; an address belongs to one exchange for ever.
    now_ms : int
        Epoch milliseconds.
    exact : bool
        Whether the publication is these files alone; else what was published before stays in it.
    prune : bool
        Whether objects that only older manifests need are deleted.
    grow : callable
        Called with the number of further files that are done.

    Raises
    ------
    InvalidInput
        There is something else at the address.
    ConfigurationError
        It holds data of another exchange.
    StoreError
        A file is damaged, the address does not respond, or another process has published meanwhile.
    """
    there = remote.found()
    _claim(remote, there, host)
    text, before = _manifest(remote)
    known = {one.path: one for one in before.files} if before else {}
    sending = _Sending(root, remote, there, known)
    entries = _sent(sending, paths, grow)
    base = before or Publication(host, now_ms, ())
    left = {} if exact else known
    created_ms = max(now_ms, base.created_ms + 1)  # so that a concurrent publisher sees that the manifest changed
    after = base.with_files((left | {one.path: one for one in entries}).values(), created_ms=created_ms)
    needed = {MANIFEST, MARKER, older(after.digest), *(one.name for one in after.files)}
    doomed = sorted(name for name in there if prune and is_ours(name) and name not in needed)
    if before is None or after.files != before.files or doomed:
        if _manifest(remote)[0] != text:
            raise StoreError(f"another process has published to {remote.url} meanwhile.", hint="Publish again.")
        remote.write(older(after.digest), after.to_json())
        remote.write(MANIFEST, after.to_json())
    remote.remove(doomed)  # may have objects of a concurrent publisher, which finds the new manifest and fails
    return Published(
        remote.url, after.digest, len(after.files), after.rows, after.size, sending.sent, sending.sent_bytes,
        len(doomed),
    )  # fmt: skip


def _claim(remote: Remote, there: dict[str, ObjectInfo], host: str) -> None:
    """Mark the address as this exchange's, or refuse one that is not."""
    if MARKER in there:
        try:
            owner = host_of(remote.read(MARKER))
        except BadManifest as error:
            raise StoreError(f"{remote.url}/{MARKER} {error}.", hint="Choose another prefix.") from None
        if owner != host:
            said = f"{remote.url} holds data of {owner}, not of {host}."
            raise ConfigurationError(said, hint="Choose another prefix.")
    elif there:
        raise InvalidInput(
            "url", f"{remote.url} is not empty and no publication: it has {min(there)!r}.",
            hint="Choose a prefix of its own.",
        )  # fmt: skip
    else:
        remote.write(MARKER, marker(host))


def _manifest(remote: Remote) -> tuple[bytes, Publication | None]:
    try:
        text = remote.read(MANIFEST)
        return text, from_json(text)
    except Absent:
        return b"", None
    except BadManifest as error:
        hint = "Choose another prefix, or put back the newest of manifests/."
        raise StoreError(f"{remote.url}/{MANIFEST} {error}.", hint=hint) from None


class _Sending:
    """Uploads files whose objects are not there yet; used from several threads."""

    def __init__(
        self, root: Path, remote: Remote, there: dict[str, ObjectInfo], known: dict[str, PublishedFile]
    ) -> None:
        self._root, self._remote, self._there, self._known = root, remote, there, known
        self.sent = self.sent_bytes = 0

    def send(self, path: str) -> tuple[PublishedFile, bool]:
        """Return the entry of a file, uploaded if necessary, and whether it was."""
        place = self._root / path
        with reading(place), opened(place) as file:
            data = file.read()
        digest, before = hashlib.sha256(data).hexdigest(), self._known.get(path)
        entry = PublishedFile(path, digest, len(data), 0)
        old = before if before and before.sha256 == digest else None
        found = self._there.get(entry.name)
        if found and self._remote.holds(entry.name, data, found, old.etag if old else ""):
            return PublishedFile(
                path, digest, len(data), old.rows if old else _rows(place, path, data), found.etag
            ), False
        rows = _rows(place, path, data)
        return PublishedFile(path, digest, len(data), rows, self._remote.write(entry.name, data)), True


def _sent(sending: _Sending, paths: Sequence[str], grow: Grow) -> list[PublishedFile]:
    pool = ThreadPool(_AT_A_TIME, "bgresearch-publish")
    entries = []
    try:
        for future in [pool.submit(sending.send, path) for path in paths]:
            entry, was_sent = future.result()
            sending.sent += was_sent
            sending.sent_bytes += entry.size * was_sent
            entries.append(entry)
            grow(1)
    finally:
        pool.dismiss()
    return entries


def _rows(place: Path, path: str, data: bytes) -> int:
    """Return the number of rows of a file, after checking that it is undamaged and was written for this place."""
    try:
        folder = partition.folder_of(io.BytesIO(data))
        rows = partition.decode_any(io.BytesIO(data))[1].rows
    except (partition.DamagedFile, NewerFormat) as error:
        raise StoreError(f"{place} is damaged: {error}.", hint=_REPAIR) from None
    if folder != path.rpartition("/")[0]:  # a link to it, or a copy of it: an account's, perhaps
        raise StoreError(f"{place} was written for another place, {folder}.", hint="Move it there, or delete it.")
    return rows
