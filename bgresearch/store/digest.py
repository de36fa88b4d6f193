"""A digest of the rows of a table, independent of Arrow's chunks. Pure.

A digest begins with its kind: ``arrow:`` goes over buffers, slice by slice and column after column; ``columns:`` is
made of one digest per column, so that rows can be written and digested as they arrive. Digests without a kind are from
files of format 1, where columns of text were digested as Python objects, which takes many times their memory.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_KIND = "arrow:"
_STREAMED = "columns:"
_AT_ONCE = 65_536  # rows; part of the digest, as the lengths of a slice's texts precede its texts


def digest_of(table: pa.Table) -> str:
    """Return a digest of names, types and values of all columns."""
    digest = hashlib.blake2b(digest_size=16)
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"{name}:{column.type}:{len(column)};".encode())
        for start in range(0, len(column), _AT_ONCE):
            _add(digest, column.slice(start, _AT_ONCE).combine_chunks())
    return _KIND + digest.hexdigest()


class StreamedDigest:
    """The digest of rows that come one after another.

    Parameters
    ----------
    schema : pyarrow.Schema
        Of the rows.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema, self._rows = schema, 0
        self._columns = [hashlib.blake2b(digest_size=16) for _ in schema]

    def add(self, rows: pa.Table) -> None:
        """Take in more rows; all but the last call hand in a multiple of `_AT_ONCE`."""
        for digest, column in zip(self._columns, rows.columns, strict=True):
            for start in range(0, len(column), _AT_ONCE):
                _add(digest, column.slice(start, _AT_ONCE).combine_chunks())
        self._rows += rows.num_rows

    def text(self) -> str:
        """Return the digest of everything so far."""
        whole = hashlib.blake2b(digest_size=16)
        for field, digest in zip(self._schema, self._columns, strict=True):
            whole.update(f"{field.name}:{field.type}:{self._rows};".encode() + digest.digest())
        return _STREAMED + whole.hexdigest()


def is_streamed(digest: str) -> bool:
    """Return whether a digest is of the kind that older versions do not know."""
    return digest.startswith(_STREAMED)


def matches(table: pa.Table, digest: str) -> bool:
    """Return whether a digest of any kind is that of these rows."""
    if is_streamed(digest):
        streamed = StreamedDigest(table.schema)
        streamed.add(table)
        return digest == streamed.text()
    return digest == (digest_of(table) if digest.startswith(_KIND) else _of_format_1(table))


def _add(digest: Any, values: pa.Array) -> None:
    if values.null_count:
        digest.update(np.packbits(values.is_null().to_numpy(zero_copy_only=False)).tobytes())
        values = pc.drop_null(values)
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        texts = values.cast(pa.large_string())
        offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
        digest.update(np.diff(offsets).tobytes())
        if offsets[-1] > offsets[0]:  # else there may be no buffer at all
            digest.update(memoryview(texts.buffers()[2])[offsets[0] : offsets[-1]])
    elif pa.types.is_primitive(values.type):
        digest.update(np.ascontiguousarray(values.to_numpy()).tobytes())
    else:
        digest.update(repr(values.to_pylist()).encode())


def _of_format_1(table: pa.Table) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name, column in zip(table.column_names, table.columns, strict=True):
        digest.update(f"{name}:{column.type}:{len(column)};".encode())
        if column.null_count == 0 and pa.types.is_primitive(column.type) and not pa.types.is_boolean(column.type):
            raw = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
            digest.update(np.ascontiguousarray(raw.to_numpy()).tobytes())
        else:
            digest.update(repr(column.to_pylist()).encode())
    return digest.hexdigest()
