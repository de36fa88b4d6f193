"""Received pages of partitions that are not complete yet: a small file each, so that a kill costs no page twice.

They are in a hidden folder below the data folder. The next read of the series moves them into the store first. Two
processes may do so at the same time: then the same rows are written twice, which changes nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from bgresearch.core.spans import Span
from bgresearch.store.atomic_files import in_words, names_in, opened, reading
from bgresearch.store.layout import Series
from bgresearch.store.store import Store

FOLDER = ".spool"
_KEY = b"bgresearch.spool"
_DIGEST_BYTES = 16
_SUFFIX = ".page"


class PendingPages:
    """The pages of one series that wait for others.

    Parameters
    ----------
    store : Store
        Where they belong in the end.
    series : Series
        Which series.
    """

    def __init__(self, store: Store, series: Series) -> None:
        self._store, self._series = store, series
        name = hashlib.sha256(series.folder.as_posix().encode()).hexdigest()[:32]
        self._folder = store.data_dir / FOLDER / name

    def keep(self, table: pa.Table, covered: Iterable[Span], source: str) -> Path:
        """Keep a page until its partition is written, and return its place.

        Raises
        ------
        StoreError
            The folder cannot be written.
        """
        about = {"covered": [list(span) for span in covered], "source": source}
        table = table.replace_schema_metadata({_KEY: json.dumps(about).encode()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        data = sink.getvalue().to_pybytes()
        path = self._folder / f"{secrets.token_hex(8)}{_SUFFIX}"
        with in_words("write", path):
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            try:
                temporary.write_bytes(_digest(data) + data)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        return path

    def drop(self, paths: Iterable[Path]) -> None:
        """Forget pages that are in the store now."""
        for path in paths:
            with in_words("remove", path):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty, or gone
            self._folder.rmdir()

    def recover(self) -> int:
        """Move into the store what an earlier download left behind when it was killed; return how many pages."""
        names = names_in(self._folder)
        if not names:
            return 0
        paths = [self._folder / name for name in names if name.endswith(_SUFFIX)]
        pages = [page for page in map(_page, paths) if page is not None]
        if pages:
            table = pa.concat_tables([table for table, _covered, _source in pages])
            covered = [span for _table, spans, _source in pages for span in spans]
            source = ",".join(sorted({name for _table, _covered, text in pages for name in text.split(",")}))
            self._store.write(self._series, table, covered, source=source)
        stale = [self._folder / name for name in names if name.endswith(".tmp")]
        paths += [path for path in stale if not _is_running(path)]
        self.drop(paths)
        return len(pages)


def _page(path: Path) -> tuple[pa.Table, list[Span], str] | None:
    """Return the content of a page; None if it is gone or damaged: then it is requested again.

    Raises
    ------
    StoreError
        It cannot be read now.
    """
    with reading(path):
        try:
            with opened(path) as file:
                whole = file.read()
        except FileNotFoundError:  # another process has moved it into the store
            return None
    digest, data = whole[:_DIGEST_BYTES], whole[_DIGEST_BYTES:]
    if digest != _digest(data):
        return None
    table = pa.ipc.open_stream(data).read_all()
    about = json.loads(table.schema.metadata[_KEY])
    return table.replace_schema_metadata(None), [Span(*span) for span in about["covered"]], about["source"]


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _is_running(temporary: Path) -> bool:
    """Return whether the process that writes a temporary file may still be there."""
    try:
        os.kill(int(temporary.suffixes[-2][1:]), 0)
    except (ProcessLookupError, ValueError, IndexError):
        return False
    except OSError:
        return True
    return True
