"""One Parquet file: rows and ledger to bytes and back, refusing what does not fit together. No locks, no paths made.

A digest of the rows is independent of Arrow's chunks and begins with its kind: ``arrow:`` goes over buffers, slice by
slice and column after column; ``columns:`` is made of one digest per column, so that rows can be written and digested
as they arrive. Digests without a kind are from files of format 1, where columns of text were digested as Python
objects, which takes many times their memory.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bgresearch.core.spans import Span, union
from bgresearch.store.coverage import STREAMED, Ledger
from bgresearch.store.layout import NewerFormat, Series

KEY = b"bgresearch"
_KIND = "arrow:"
_AT_ONCE = 65_536  # rows; part of the digest, as the lengths of a slice's texts precede its texts
_GROUP_ROWS = 262_144  # of a file that is written as its rows come; a multiple of the slices of the digest
QUICK, THOROUGH = 1, 9  # levels of zstd: the second takes a tenth less space and five times as long to write
_NOISE = frozenset({"quote_volume"})  # no two are alike, unlike prices and volumes: bytes of one place pack better
_DAMAGE = (
    pa.ArrowIndexError, pa.ArrowNotImplementedError, pa.ArrowSerializationError, KeyError, TypeError, ValueError,
    OverflowError, RecursionError,
)  # fmt: skip
_NO_MEMORY = re.compile(r"allocat|not enough memory|out of memory", re.IGNORECASE)


class DamagedFile(Exception):
    """The file is not what was written."""


def encode(series: Series, table: pa.Table, ledger: Ledger, *, level: int = THOROUGH) -> bytes:
    """Return the bytes of a Parquet file with the ledger in its footer, compressed at that level of zstd."""
    stamped = replace(ledger, rows=table.num_rows, checksum=digest_of(table))
    about = {"series": series.name, "keys": dict(series.keys), "time": series.time}
    table = table.replace_schema_metadata({KEY: stamped.to_json(**about)})
    sink, names = pa.BufferOutputStream(), set(table.column_names)
    pq.write_table(
        table, sink, compression="zstd", compression_level=level, use_dictionary=_text_columns(table.schema),
        column_encoding={series.time: "DELTA_BINARY_PACKED"} | dict.fromkeys(_NOISE & names, "BYTE_STREAM_SPLIT"),
        write_page_checksum=True, store_schema=True,
        sorting_columns=[pq.SortingColumn(table.schema.get_field_index(series.time))],
    )  # fmt: skip
    return bytes(sink.getvalue())


class StreamedFile:
    """A Parquet file that is written as its rows come, in order of time; the ledger is written last.

    Parameters
    ----------
    file : binary file
        Open for writing.
    series : Series
        What the rows belong to.
    schema : pyarrow.Schema
        Of the rows.
    """

    def __init__(self, file: IO[bytes], series: Series, schema: pa.Schema) -> None:
        self._series, self._rows = series, 0
        self._digest = StreamedDigest(schema)
        self._waiting = schema.empty_table()
        texts = _text_columns(schema)
        ids = dict.fromkeys((name for name in texts if name in series.unique and name != "side"), "DELTA_BYTE_ARRAY")
        self._writer = pq.ParquetWriter(
            file, schema, compression="zstd", compression_level=QUICK, write_page_checksum=True, store_schema=True,
            use_dictionary=[name for name in texts if name not in ids],
            column_encoding={series.time: "DELTA_BINARY_PACKED"} | ids,
            sorting_columns=[pq.SortingColumn(schema.get_field_index(series.time))],
        )  # fmt: skip

    def __enter__(self) -> StreamedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()  # unfinished, it is no Parquet file: the caller that opened it deletes it

    def add(self, rows: pa.Table) -> None:
        """Take in more rows; they are written a group at a time."""
        self._waiting = pa.concat_tables([self._waiting, rows.replace_schema_metadata(None)])
        while self._waiting.num_rows >= _GROUP_ROWS:
            self._write(self._waiting.slice(0, _GROUP_ROWS))
            self._waiting = self._waiting.slice(_GROUP_ROWS)

    def finish(self, ledger: Ledger) -> None:
        """Write the rest, and the ledger."""
        if self._waiting.num_rows:
            self._write(self._waiting)
        stamped = replace(ledger, rows=self._rows, checksum=self._digest.text())
        about = {"series": self._series.name, "keys": dict(self._series.keys), "time": self._series.time}
        self._writer.add_key_value_metadata({KEY: stamped.to_json(**about)})

    def _write(self, rows: pa.Table) -> None:
        rows = rows.combine_chunks()
        self._digest.add(rows)
        self._writer.write_table(rows, row_group_size=_GROUP_ROWS)
        self._rows += rows.num_rows


def rows_in_order(file: IO[bytes]) -> Iterator[pa.Table]:
    """Yield the rows of an open Parquet file, a group at a time; the checksums of the pages are compared.

    Raises
    ------
    Damaged
        If anything in it does not fit together.
    """
    with damage_in_words():
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        for batch in parquet.iter_batches(_GROUP_ROWS, use_threads=False):
            yield pa.Table.from_batches([batch]).replace_schema_metadata(None)


def read_ledger(file: IO[bytes]) -> Ledger:
    """Return the ledger of an open Parquet file; reads the footer only.

    Raises
    ------
    Damaged
        If there is no intact ledger in it.
    """
    with damage_in_words():
        metadata = _opened(file).metadata
        return ledger_of(metadata.metadata, metadata.num_rows)


def decode(
    file: IO[bytes], series: Series, *, deep: bool = False
) -> tuple[pa.Table, Ledger]:  # fmt: skip
    """Return rows and ledger of an open Parquet file.

    Parameters
    ----------
    file : binary file
        Open for reading.
    series : Series
        What should be in it.
    deep : bool
        Also compare the digest of the rows; the checksums of the pages are compared always.

    Raises
    ------
    Damaged
        If anything in it does not fit together.
    """
    with damage_in_words():
        parquet = _opened(file)
        table = parquet.read(use_threads=False)  # whole files are read side by side
        ledger = ledger_of(parquet.metadata.metadata, table.num_rows)
        if deep and not matches(table, ledger.checksum):
            raise DamagedFile("the digest of the rows does not match")
        times = times_of(table, series.time)
        if len(times) > 1 and np.any(times[1:] < times[:-1]):
            raise DamagedFile("the rows are not in order")
        return table.replace_schema_metadata(None), ledger


def decode_any(file: IO[bytes]) -> tuple[pa.Table, Ledger, str]:
    """Return rows, ledger and the name of the column that orders them, whatever the file belongs to; digests compared.

    Raises
    ------
    Damaged
        If anything in it does not fit together.
    """
    series = series_of(file)
    file.seek(0)
    return (*decode(file, series, deep=True), series.time)


def folder_of(file: IO[bytes]) -> str:
    """Return the folder that an open Parquet file was written for, below a data folder; reads the footer only.

    Raises
    ------
    Damaged
        If the footer does not say it.
    """
    return series_of(file).folder.as_posix()


def decode_again(paths: Sequence[Path], series: Series) -> pa.Table:
    """Return the rows of files in the order of their time; compares the checksums of the pages alone.

    Raises
    ------
    Damaged
        If one of them cannot be read, or they are not in order.
    """
    with damage_in_words():
        names = [str(path) for path in paths]
        table = pq.read_table(names, partitioning=None, page_checksum_verification=True)
        times = times_of(table, series.time)
        if len(times) > 1 and np.any(times[1:] < times[:-1]):
            raise DamagedFile("the rows are not in order")
        return table.replace_schema_metadata(None)


def decode_some(file: IO[bytes], columns: Sequence[str]) -> pa.Table:
    """Return those of the columns that a file has; compares the checksums of their pages.

    Raises
    ------
    Damaged
        If they cannot be read.
    """
    with damage_in_words():
        parquet = _opened(file)
        there = [name for name in columns if name in parquet.schema_arrow.names]
        return parquet.read(there, use_threads=False).replace_schema_metadata(None)


def _opened(file: IO[bytes]) -> pq.ParquetFile:
    """Return an open Parquet file that compares the checksums of the pages it reads.

    Nothing is read ahead: threads of Arrow would do it, and one that lets go of a Python file's bytes while the
    interpreter shuts down aborts the process (https://github.com/apache/arrow/issues/34314).
    """
    return pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)


class damage_in_words:  # noqa: N801 - reads as a statement
    """Turn what proves that a file's content is wrong into `DamagedFile`, and other errors of Arrow into RuntimeError.

    Arrow reports a wrong page as an OSError without a number; one with a number is the operating system's and proves
    nothing, and neither does a lack of memory or of threads.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, DamagedFile | NewerFormat):
            return
        if error is None or isinstance(error, MemoryError):
            return
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, _DAMAGE) or (isinstance(error, OSError) and error.errno is None):
            if isinstance(error, OSError) and _NO_MEMORY.search(said):
                raise MemoryError(said) from error
            raise DamagedFile(said) from error
        if isinstance(error, pa.ArrowException):
            raise RuntimeError(said) from error


def series_of(file: IO[bytes]) -> Series:
    """Return which series an open Parquet file was written for; reads the footer only.

    Raises
    ------
    Damaged
        If the footer does not say it.
    """
    with damage_in_words():
        text = (_opened(file).metadata.metadata or {}).get(KEY)
        if text is None:
            raise DamagedFile("there is no ledger in it")
        about = json.loads(text)
        keys = tuple((str(key), str(value)) for key, value in dict(about["keys"]).items())
        return Series(str(about["series"]), keys, str(about["time"]))


def ledger_of(metadata: dict[bytes, bytes] | None, rows: int) -> Ledger:
    """Return the ledger in the metadata of a file with that many rows.

    Raises
    ------
    Damaged
        There is none, or it speaks of another file.
    """
    text = (metadata or {}).get(KEY)
    if text is None:
        raise DamagedFile("there is no ledger in it")
    ledger = Ledger.from_json(text)
    if ledger.rows != rows:
        raise DamagedFile(f"the ledger speaks of {ledger.rows} rows, the file holds {rows}")
    return ledger


def times_of(table: pa.Table, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return a timestamp column as epoch milliseconds."""
    numbers: np.ndarray[Any, np.dtype[np.int64]] = table.column(name).cast(pa.int64()).to_numpy()
    return numbers


def within(table: pa.Table, time: str, span: Span) -> pa.Table:
    """Return the rows of a sorted table that are within the span, without copying."""
    times = times_of(table, time)
    start, end = np.searchsorted(times, [span.start_ms, span.end_ms])
    return table.slice(int(start), int(end - start))


def overlaid(series: Series, old: pa.Table | None, new: pa.Table, spans: Sequence[Span]) -> pa.Table:
    """Return the old rows outside the spans and the new rows, which are within, sorted and without duplicates.

    Old rows are sorted and unique already: they are sliced and never copied, as there may be very many.
    """
    new = new.replace_schema_metadata(None)
    new = new.sort_by([(name, "ascending") for name in (series.time, *series.unique)]).combine_chunks()
    if new.num_rows > 1:
        new = new.filter(pa.array(_first_of_its_kind(new, series)))
    if old is None:
        return new
    parts, done = [new.slice(0, 0)], 0  # the empty one says which columns there are
    times = times_of(old, series.time)
    for span in union(spans):
        start, end = (int(place) for place in np.searchsorted(times, [span.start_ms, span.end_ms]))
        parts += [old.slice(done, start - done), within(new, series.time, span)]
        done = end
    return joined([*parts, old.slice(done)])


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables; a column that one lacks, as another version wrote it, is null there."""
    first = tables[0].schema
    if all(table.schema.names == first.names for table in tables):
        return pa.concat_tables([table.cast(first) for table in tables])
    return pa.concat_tables(tables, promote_options="permissive")


def _first_of_its_kind(table: pa.Table, series: Series) -> np.ndarray[Any, np.dtype[np.bool_]]:
    times = times_of(table, series.time)
    same = times[1:] == times[:-1]
    for name in series.unique:
        values = table.column(name).combine_chunks()
        same &= pc.equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return np.concatenate([[True], ~same])


def _text_columns(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]


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
        return STREAMED + whole.hexdigest()


def matches(table: pa.Table, digest: str) -> bool:
    """Return whether a digest of any kind is that of these rows."""
    if digest.startswith(STREAMED):
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
