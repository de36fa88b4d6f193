"""Parquet in a single file, and Feather (Arrow IPC): types, index and provenance are stored inside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bgresearch.exports.content import Content, as_json, as_table

PROVENANCE = b"bgresearch.provenance"  # metadata key; the store's own files use another one
_CHUNK = 131_072  # rows per row group


def write_parquet(path: Path, content: Content) -> None:
    """Write one Parquet file, compressed with zstd."""
    tables = _tables(content)
    first = next(tables)
    with pq.ParquetWriter(str(path), first.schema, compression="zstd") as writer:
        writer.write_table(first, row_group_size=_CHUNK)
        for table in tables:
            writer.write_table(table, row_group_size=_CHUNK)


def write_feather(path: Path, content: Content) -> None:
    """Write one Feather file (version 2), compressed with lz4, which every Feather reader supports."""
    tables = _tables(content)
    first = next(tables)
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, first.schema, options=options) as writer:
        writer.write_table(first, max_chunksize=_CHUNK)
        for table in tables:
            writer.write_table(table, max_chunksize=_CHUNK)


def _tables(content: Content) -> Iterator[pa.Table]:
    """Yield the frames as tables of one schema, the index first, as readers without pandas expect."""
    schema: pa.Schema | None = None
    for frame in content.whole():
        table = as_table(frame)
        if schema is None:
            width = len(frame.columns)
            names = table.column_names
            provenance = as_json(content.provenance()).encode()
            schema = table.select([*names[width:], *names[:width]]).schema
            schema = schema.with_metadata({**(schema.metadata or {}), PROVENANCE: provenance})
        yield table.select(schema.names).cast(schema)
