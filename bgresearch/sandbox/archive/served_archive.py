"""The archive's host: a file by its key, an absence as S3 reports it, a block as another server does.

Files are made when they are first asked for and kept in memory up to a bound.
"""

from __future__ import annotations

import email.utils
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import unquote

from bgresearch.sandbox.archive.containers import zipped
from bgresearch.sandbox.archive.keys import ArchiveKey, parse
from bgresearch.sandbox.archive.rows import Amounts, swapped, table_of
from bgresearch.sandbox.faults import ARCHIVE_FAULTS, FaultName, Faults, Mishaps
from bgresearch.sandbox.habits import Habits
from bgresearch.sandbox.messages import Request, Response
from bgresearch.sandbox.world.world import World

PREFIX = "/online/"
_KEPT_BYTES = 96 * 2**20
_REUPLOADED_AFTER_MS = 3_600_000
_LATER_MS = 20 * 86_400_000
_PART_BYTES = 8 * 2**20  # of an upload in parts, whose tag is not the MD5 of the whole
_S3 = {"Content-Type": "application/xml", "Server": "AmazonS3"}
_CONTENT_FAULTS: tuple[FaultName, ...] = ("swapped_instrument", "unsorted", "truncated", "bad_crc")
_ACCESS_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)
_BLOCKED = b"<!DOCTYPE html><html><head><title>403 ERROR</title></head><body>Request blocked.</body></html>"


class ArchiveObject(NamedTuple):
    """One stored file."""

    body: bytes
    tag: str
    modified_ms: int


class ServedArchive:
    """Every file of one exchange's archive.

    Parameters
    ----------
    world : World
        The markets.
    faults : Faults
        The exchange's.
    habits : Habits, optional
        The exchange's.

    Attributes
    ----------
    amounts : Amounts
        How long parts are and how often books are kept; may be replaced before the first request.
    """

    def __init__(self, world: World, faults: Faults, habits: Habits | None = None) -> None:
        self.amounts = Amounts()
        self._world, self._faults, self._habits = world, faults, habits or Habits()
        self._kept: OrderedDict[tuple[object, ...], ArchiveObject] = OrderedDict()
        self._bytes = 0
        self._reuploaded: dict[str, int] = {}
        self._lock = threading.Lock()

    def answer(self, request: Request, now_ms: int) -> Response:
        """Return the answer to one request for a file; the body is there for HEAD too, for its length."""
        path, query_mark, _ = request.target.partition("?")
        name = unquote(path.removeprefix(PREFIX))
        key = parse(name)
        mishaps = self._faults.draw(f"archive.{key.data}" if key else "archive", _DRAWN, name)
        if (refused := _refused(request, mishaps)) is not None:
            return refused
        late_ms = _LATER_MS if "archive.published_after_ms" in self._habits.changed else 0
        if key is None or query_mark or "absent" in mishaps or not key.exists(now_ms - late_ms):
            return self._absent()
        if "reuploaded" in mishaps:
            self._reuploaded.setdefault(name, max(key.published_ms + _REUPLOADED_AFTER_MS, now_ms))
        found = self._get(key, tuple(fault for fault in _CONTENT_FAULTS if fault in mishaps))
        if found is None:
            return self._absent()
        headers = {
            "Content-Type": "application/zip", "Server": "AmazonS3", "ETag": f'"{found.tag}"',
            "Last-Modified": email.utils.formatdate(found.modified_ms // 1000, usegmt=True),
        }  # fmt: skip
        return Response(200, headers, found.body, "truncate" if "truncation" in mishaps else "", mishaps.delay_s)

    def _absent(self) -> Response:
        return Response(404, dict(_S3), b"") if "archive.absent" in self._habits.changed else absent()

    def _get(self, key: ArchiveKey, spoilt: tuple[FaultName, ...]) -> ArchiveObject | None:
        wanted = (key.name, self.amounts, spoilt, self._reuploaded.get(key.name), self._habits.changed)
        with self._lock:
            if wanted in self._kept:
                self._kept.move_to_end(wanted)
                return self._kept[wanted]
        made = self._make(key, spoilt)
        if made is not None:
            self._keep(wanted, made)
        return made

    def _keep(self, wanted: tuple[object, ...], made: ArchiveObject) -> None:
        with self._lock:
            if wanted not in self._kept:
                self._kept[wanted] = made
                self._bytes += len(made.body)
            while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
                _, old = self._kept.popitem(last=False)
                self._bytes -= len(old.body)

    def _make(self, key: ArchiveKey, spoilt: tuple[FaultName, ...]) -> ArchiveObject | None:
        shown = swapped(key) if "swapped_instrument" in spoilt else key
        if "archive.zone" in self._habits.changed:  # a day of UTC
            shown = replace(shown, zone_ms=0)
        table = table_of(self._world, shown, self.amounts, cut="archive.whole_seconds" not in self._habits.changed)
        if table is None:
            return None
        if "archive.header" in self._habits.changed:
            table = replace(table, header=tuple(f"new_{name}" for name in table.header))
        if "unsorted" in spoilt:
            table = replace(table, rows=table.rows[1::2] + table.rows[::2])
        again_ms = self._reuploaded.get(key.name)
        if again_ms is not None:
            table = replace(table, rows=table.rows[:-1])
        xlsx = key.data != "trades" and not key.monthly
        body = zipped(table, key.name.rpartition("/")[2].removesuffix(".zip"), xlsx=xlsx)
        if "bad_crc" in spoilt:
            body = _with_bad_crc(body)
        if "truncated" in spoilt:
            body = body[: len(body) // 2]
        return ArchiveObject(body, _tag(key, body), again_ms or key.published_ms)


_DRAWN: frozenset[FaultName] = ARCHIVE_FAULTS | {"rate429", "http500", "reset", "truncation", "latency"}


def absent() -> Response:
    """Return what the host says of a key that does not exist: no 404, but an access denied."""
    return Response(403, dict(_S3), _ACCESS_DENIED)


def _refused(request: Request, mishaps: Mishaps) -> Response | None:
    """Return the answer to a request that gets no file, whatever it asks for."""
    if request.method not in ("GET", "HEAD"):
        return Response(405, dict(_S3), b"")
    if "reset" in mishaps:
        return Response(0, {}, b"", "reset", mishaps.delay_s)
    if "rate429" in mishaps:
        return Response(429, {"Content-Type": "text/plain"}, b"Too Many Requests")
    if "http503" in mishaps or "http500" in mishaps:
        body = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code></Error>'
        return Response(503, dict(_S3), body)
    agent = _agent(request.headers)
    if "block" in mishaps or not agent or agent.startswith("python-urllib"):  # a library's own name is refused
        return Response(403, {"Content-Type": "text/html", "Server": "CloudFront"}, _BLOCKED)
    return None


def _agent(headers: Mapping[str, str]) -> str:
    return next((value for name, value in headers.items() if name.lower() == "user-agent"), "").lower()


def _tag(key: ArchiveKey, body: bytes) -> str:
    """Return the ETag: the MD5 of the body, or of its parts' where it was uploaded in parts."""
    if key.data != "books":
        return hashlib.md5(body, usedforsecurity=False).hexdigest()
    parts = [body[start : start + _PART_BYTES] for start in range(0, len(body), _PART_BYTES)]
    joined = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in parts)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _with_bad_crc(body: bytes) -> bytes:
    """Return a ZIP whose directory says another checksum than its member has."""
    spoilt = bytearray(body)
    for mark, place in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        spoilt[body.index(mark) + place] ^= 0xFF
    return bytes(spoilt)
