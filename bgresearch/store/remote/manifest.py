"""The manifest of a publication: which files of a store are public, and the names of their objects. Pure.

Objects are never replaced: their names end with a digest of their content, so that a manifest that was read once stays
valid. The manifest is written last, so that every reader sees one whole publication.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from bgresearch.store.layout import PERIOD, NewerFormat, check_format
from bgresearch.store.pins import Frozen, Pinned

MANIFEST = "manifest.json"
MARKER = "bgresearch.json"
OLDER = "manifests"
_CANDLES, _PAST = ["market", "price", "symbol", "interval"], ["market", "symbol"]
_KEYS = {
    "candles": _CANDLES, "candles-utc8": _CANDLES, "funding_rates": _PAST, "trades": _PAST,
    "lists": ["kind", "market"], "recorded": ["kind", "market", "symbol", "every"],
}  # fmt: skip
PUBLIC = frozenset(_KEYS)  # and nothing else
_FORMAT = 1
_SUFFIX = ".parquet"
_OBJECT = re.compile(r"(.+)-[0-9a-f]{16}\.parquet")
_MANIFESTS = re.compile(r"[0-9a-f]{32}\.json")
_BEGUN = re.compile(r"(^|.*/)\.([^/]+)\.\d+\.[0-9a-f]{8}\.tmp")  # left by a killed writer, where addresses are folders
_HEX = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(rf"({PERIOD})\.parquet", re.ASCII)


class BadManifest(Exception):
    """It is not what was written, or of a newer version."""


@dataclass(frozen=True)
class PublishedFile(Pinned):
    """One published file.

    Attributes
    ----------
    etag : str
        What the address says of it, empty if it says nothing.
    """

    etag: str = ""

    @property
    def name(self) -> str:
        """The name of its object: its place, and a part of its digest."""
        return f"{self.path.removesuffix(_SUFFIX)}-{self.sha256[:16]}{_SUFFIX}"

    @property
    def keys(self) -> dict[str, str]:
        """What its folders say."""
        return keys_of(self.path)


@dataclass(frozen=True)
class Publication(Frozen):
    """What a manifest says; its digest is that of a pin of the same files.

    Attributes
    ----------
    host : str
        The exchange that the rows come from.
    created_ms : int
        Epoch milliseconds.
    files : tuple of Entry
        In the order of their paths.
    """

    host: str
    created_ms: int
    files: tuple[PublishedFile, ...]

    def with_files(self, files: Iterable[PublishedFile], *, created_ms: int) -> Publication:
        """Return a publication of these files instead."""
        return Publication(self.host, created_ms, tuple(sorted(files, key=lambda one: one.path)))

    def to_json(self) -> bytes:
        """Return the manifest."""
        files = [[one.path, one.sha256, one.size, one.rows, one.etag] for one in self.files]
        about = {"format": _FORMAT, "host": self.host, "created_ms": self.created_ms, "digest": self.digest}
        lines = ",\n".join(json.dumps(each) for each in files)
        return f'{json.dumps(about)[:-1]}, "files": [\n{lines}\n]}}\n'.encode()


def from_json(text: bytes) -> Publication:
    """Return what a manifest says.

    Raises
    ------
    BadManifest
        If it was changed, names what is not public, or is of a newer format.
    """
    try:
        manifest = json.loads(text)
        check_format(manifest["format"], _FORMAT)
        made = Publication(_host(manifest), int(manifest["created_ms"]), tuple(map(_entry, manifest["files"])))
        if manifest["digest"] != made.digest:
            raise BadManifest("is damaged: its digest is another one")
    except NewerFormat as newer:
        raise BadManifest(f"was written by a newer version of bgresearch: {newer}") from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise BadManifest("is damaged") from None
    return made


def marker(host: str) -> bytes:
    """Return the marker object, which says that an address is a publication and of which exchange."""
    return json.dumps({"format": _FORMAT, "host": host}).encode()


def host_of(text: bytes) -> str:
    """Return the exchange whose data an address has.

    Raises
    ------
    BadManifest
        If the marker is damaged, or of a newer format.
    """
    try:
        content = json.loads(text)
        check_format(content["format"], _FORMAT)
        return _host(content)
    except NewerFormat as newer:
        raise BadManifest(f"was written by a newer version of bgresearch: {newer}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadManifest("is damaged") from None


def older(digest: str) -> str:
    """Return the name of a manifest after a newer one has replaced it."""
    return f"{OLDER}/{digest[:32]}.json"


def is_ours(name: str) -> bool:
    """Return whether an object was written by publishing."""
    folder, _, file = _BEGUN.sub(r"\1\2", name).rpartition("/")
    if not folder:
        return file in {MARKER, MANIFEST}
    if folder == OLDER:
        return _MANIFESTS.fullmatch(file) is not None
    found = _OBJECT.fullmatch(file)
    return found is not None and is_public(f"{folder}/{found[1]}{_SUFFIX}")


def is_public(path: str) -> bool:
    """Return whether a path below a data folder is that of a partition of a public series."""
    name, *folders, file = path.split("/")
    keys = [key for key, _, _ in (part.partition("=") for part in folders)]
    values = [value for _, _, value in (part.partition("=") for part in folders)]
    canonical = all(value and quote(unquote(value), safe="") == value for value in values)
    return canonical and keys == _KEYS.get(name) and _FILE.fullmatch(file) is not None


def keys_of(path: str) -> dict[str, str]:
    """Return the keys that the folders of a path name."""
    named = (part.partition("=") for part in path.split("/")[1:-1])
    return {key: unquote(value) for key, _, value in named}


def _host(content: dict[str, Any]) -> str:
    host = content["host"]
    if not (isinstance(host, str) and host and host.isascii() and host.isprintable()):  # it is shown on terminals
        raise BadManifest("does not say which exchange its data are of")
    return host


def _entry(values: list[Any]) -> PublishedFile:
    path, sha256, size, rows, etag = values
    if not (isinstance(path, str) and is_public(path) and _HEX.fullmatch(sha256)):
        raise BadManifest(f"names {str(path)[:120]!r}, which is no public file")
    return PublishedFile(path, sha256, int(size), int(rows), str(etag))
