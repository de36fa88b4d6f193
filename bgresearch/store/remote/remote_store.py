"""Reads a published store: its manifest lists the files, and objects are downloaded when they are needed.

An object is cached in a local folder under the digest of its content, and its digest is checked before it is used.
Nothing is ever written to the address, and missing data is not requested from the exchange.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

from bgresearch.core.clock import Clock
from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput, StoreError
from bgresearch.store import parquet_file as partition
from bgresearch.store.atomic_files import Disk
from bgresearch.store.integrity import Flaw, inspect_bytes
from bgresearch.store.layout import Series
from bgresearch.store.lost_rows import Lost
from bgresearch.store.remote.manifest import MANIFEST, MARKER, BadManifest, Publication, PublishedFile, from_json, older
from bgresearch.store.remote.object_storage import Absent, Remote
from bgresearch.store.store import Store, side_by_side


def load(remote: Remote, digest: str | None = None) -> Publication:
    """Return what an address publishes.

    Parameters
    ----------
    remote : Remote
        The address.
    digest : str, optional
        Of an older publication; the newest if not given.

    Raises
    ------
    InvalidInput
        There is no publication with that digest.
    StoreError
        There is no publication, or only a part of one; it is damaged; the address does not answer.
    """
    name = MANIFEST if digest is None else older(digest)
    try:
        found = from_json(remote.read(name))
    except Absent:
        raise _nothing(remote, digest) from None
    except BadManifest as error:
        raise StoreError(f"{remote.url}/{name} {error}.", hint="Publish again, or update bgresearch.") from None
    if digest not in {None, found.digest}:
        raise StoreError(f"{remote.url}/{name} is not the manifest of {digest}.", hint="Look at how it was copied.")
    return found


def _nothing(remote: Remote, digest: str | None) -> StoreError | InvalidInput:
    if digest is not None:
        hint = "Give the whole digest that publishing printed; --prune deletes older publications."
        return InvalidInput("pin", f"there is no publication {digest} at {remote.url}.", hint=hint)
    try:
        remote.read(MARKER)
    except Absent:
        return StoreError(f"no store is published at {remote.url}.", hint="Type: bgresearch publish URL.")
    hint = "Publish again: only what is missing is sent."
    return StoreError(f"the first publication to {remote.url} was not finished.", hint=hint)


class PublishedStore(Store):
    """What was published at an address; read as any store, never written.

    Parameters
    ----------
    remote : Remote
        The address.
    cache : Path
        Where objects are kept; it may be deleted at any time.
    digest : str, optional
        Of an older publication.
    clock : Clock, optional
        Gives the time.
    """

    def __init__(self, remote: Remote, cache: Path, *, digest: str | None = None, clock: Clock | None = None) -> None:
        self.publication = load(remote, digest)
        super().__init__(cache, clock=clock, pin=f"{remote.url} {self.publication.digest}")
        self.remote = remote
        self._sound: set[str] = set()
        self._folders: dict[str, dict[str, PublishedFile]] = {}
        for one in self.publication.files:
            folder, _, name = one.path.rpartition("/")
            self._folders.setdefault(folder, {})[name] = one

    @property
    def place(self) -> str:
        """Where the data is."""
        return self.remote.url

    @property
    def frozen_by(self) -> str:
        """The argument of `connect` that makes it a store to read only."""
        return "store="

    def owner(self) -> str | None:
        """Return the exchange whose data it is."""
        return self.publication.host

    def values(self, name: str, key: str) -> tuple[str, ...]:
        """Return the values of a series' first key that something was published of, sorted."""
        parts = {folder.split("/")[1] for folder in self._folders if folder.split("/")[0] == name}
        return tuple(sorted(unquote(one.removeprefix(f"{key}=")) for one in parts if one.startswith(f"{key}=")))

    def symbols(self, market: str) -> list[str]:
        """Return the symbols of a market that candles were published of."""
        inside = f"candles/market={market}/"
        return sorted({one.keys["symbol"] for one in self.publication.files if one.path.startswith(inside)})

    def read_file(self, name: str) -> bytes | None:
        """Return None: small files are not published."""
        return None

    def files(self) -> list[Path]:
        """Return the published files."""
        return [Path(one.path) for one in self.publication.files]

    def inspected(self, path: Path) -> tuple[Flaw, ...]:
        """Return what is wrong with a published file; its object is downloaded again."""
        entry = self._entry(path.parent.as_posix(), path.name)
        try:
            data = self._object(entry)
        except StoreError as error:
            if isinstance(error.__cause__, Absent | partition.DamagedFile):
                return (Flaw(path, "damaged", str(error)),)
            raise
        return inspect_bytes(path, data)

    def set_aside(self, path: Path, why: str) -> NoReturn:
        """Refuse: a published file can only be repaired by publishing it again."""
        raise StoreError(f"{path} of {self.place}: {why}.", hint="Publish again from an intact store, with --prune.")

    def lost(self, series: Series, span: Span) -> tuple[Lost, ...]:
        """Return nothing: a publication holds no files that were set aside."""
        return ()

    def lost_files(self) -> tuple[Lost, ...]:
        """Return nothing: a publication holds no files that were set aside."""
        return ()

    def _refuse_frozen(self) -> None:
        raise StoreError(f"{self.place} is a publication and only read.", hint="Connect without store= to write.")

    def _mark(self) -> None:
        self._refuse_frozen()

    def _set_aside(self, path: Path, cause: partition.DamagedFile) -> NoReturn:
        self.set_aside(path, str(cause))

    def _names(self, series: Series) -> set[str]:
        return set(self._folders.get(series.folder.as_posix(), ()))

    def _paths(self, series: Series, names: Sequence[str]) -> list[Path]:
        folder = series.folder.as_posix()
        return side_by_side(self._kept, [self._entry(folder, name) for name in names])

    def _entry(self, folder: str, name: str) -> PublishedFile:
        return self._folders[folder][name]

    def _kept(self, entry: PublishedFile) -> Path:
        """Return the local copy of an object, downloaded if its content is not what the manifest says."""
        path = self.data_dir / entry.sha256[:2] / f"{entry.sha256}.parquet"
        if entry.sha256 in self._sound and path.exists():
            return path
        if not _is(path, entry):
            with Disk(self.data_dir).locked(path):  # several processes may want it
                if not _is(path, entry):
                    Disk(self.data_dir).replace(path, self._object(entry))
        self._sound.add(entry.sha256)
        return path

    def _object(self, entry: PublishedFile) -> bytes:
        return checked_object(self.remote, entry.name, entry.sha256)


def checked_object(remote: Remote, name: str, sha256: str) -> bytes:
    """Return an object whose content has this digest.

    Raises
    ------
    StoreError
        It is gone, or is something else; or the address does not answer.
    """
    place = f"{remote.url}/{name}"
    try:
        data = remote.read(name)
    except Absent as cause:
        hint = "It was pruned since: connect again to read the newest publication."
        raise StoreError(f"{place} is gone.", hint=hint) from cause
    if hashlib.sha256(data).hexdigest() != sha256:
        hint = "Publish again: it is uploaded again."
        raise StoreError(f"{place} is damaged.", hint=hint) from partition.DamagedFile("its digest is another one")
    return data


def _is(path: Path, entry: PublishedFile) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256
    except OSError:
        return False
