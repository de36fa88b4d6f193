"""Gaps and coverage of the store, as two tables read from the footers of its files.

Only footers are read, and only when a table is queried: each query reads them again, as a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from bgresearch.catalogue.value_types import TIME
from bgresearch.query.datasets import Family, plain
from bgresearch.store import Ledger
from bgresearch.store.atomic_files import opened, reading
from bgresearch.store.coverage import NEVER_MS, Gap, explained, joined
from bgresearch.store.lost_rows import damaged
from bgresearch.store.parquet_file import DamagedFile, damage_in_words, ledger_of

_KEYS = ("market", "price", "symbol", "interval", "every")
_WHERE = [("series", pa.string()), *((key, pa.string()) for key in _KEYS), ("lot", pa.string())]
GAPS = pa.schema([*_WHERE, ("start", TIME), ("end", TIME), ("cause", pa.string()), ("noticed", TIME), ("again", TIME)])
COVERAGE = pa.schema(
    [*_WHERE, ("rows", pa.int64()), ("first", TIME), ("last", TIME), ("gaps", pa.int64()), ("files", pa.int64()),
     ("bytes", pa.int64())]
)  # fmt: skip
_Row = dict[str, Any]


class Footer(NamedTuple):
    """The footer of one file: its ledger, the times of its first and last row, and the file's size."""

    ledger: Ledger
    first_ms: int | None
    last_ms: int | None
    size: int


@dataclass(frozen=True)
class FooterTable:
    """A table that is read when it is queried, over Arrow's stream protocol, which DuckDB and Polars understand.

    Attributes
    ----------
    root : Path
        The data folder.
    families : tuple of Family
        The families that it covers.
    schema : pyarrow.Schema
        `GAPS` or `COVERAGE`.
    rows : callable
        Function from the footers of one series to its rows.
    """

    root: Path
    families: tuple[Family, ...]
    schema: pa.Schema
    rows: Callable[[list[Footer]], Iterable[_Row]]

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows, a batch per family."""
        return pa.RecordBatchReader.from_batches(self.schema, map(self._batch, self.families))

    def _batch(self, family: Family) -> pa.RecordBatch:
        found = groupby(family.files(self.root), key=lambda path: path.parent)
        rows = [
            {**where(family, folder.relative_to(self.root)), **row}
            for folder, paths in found
            for row in self.rows([footer for path in paths for footer in footers(path, family.time)])
        ]
        return pa.RecordBatch.from_pylist(rows, self.schema)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.reader().__arrow_c_stream__(requested_schema)


def gaps_of(root: Path, families: Iterable[Family]) -> FooterTable:
    """Return the table of gaps: where the exchange has nothing, and why."""
    return FooterTable(root, tuple(families), GAPS, _gaps)


def coverage_of(root: Path, families: Iterable[Family]) -> FooterTable:
    """Return the table of coverage: a row per series."""
    return FooterTable(root, tuple(families), COVERAGE, _coverage)


def where(family: Family, folder: Path) -> Mapping[str, str]:
    """Return a series by name and keys, from its folder below the data folder."""
    parts = (part.partition("=") for part in folder.parts if "=" in part)
    values = {key: plain(key, unquote(spelled)) for key, _, spelled in parts}
    keys = {key: values[key] for key in family.keys}
    return {"series": family.name, **keys, **({"lot": values[family.lot]} if family.lot else {})}


def footers(path: Path, time: str) -> Iterator[Footer]:
    """Yield the footer of a file; nothing if the file was just replaced or deleted.

    Raises
    ------
    StoreError
        It is damaged, or cannot be read now.
    """
    with reading(path):
        try:
            with opened(path) as file, damage_in_words():
                metadata = pq.ParquetFile(file).metadata
                ledger = ledger_of(metadata.metadata, metadata.num_rows)
                times = [_times(metadata.row_group(number), time) for number in range(metadata.num_row_groups)]
                size = file.seek(0, 2)
        except FileNotFoundError:
            return
        except DamagedFile as damage:
            raise damaged(path, damage) from damage
    ends = [end for pair in times if pair for end in pair]
    yield Footer(ledger, min(ends, default=None), max(ends, default=None), size)


def _times(group: pq.RowGroupMetaData, time: str) -> tuple[int, int] | None:
    columns = (group.column(place) for place in range(group.num_columns))
    found = next((column for column in columns if column.path_in_schema == time), None)
    about = found.statistics if found is not None else None
    return (about.min_raw, about.max_raw) if about is not None and about.has_min_max else None


def _gaps(found: list[Footer]) -> Iterator[_Row]:
    for gap in joined_gaps(found):
        yield {
            "start": gap.span.start_ms, "end": gap.span.end_ms, "cause": gap.cause, "noticed": gap.noticed_ms,
            "again": gap.again_ms if gap.again_ms < NEVER_MS else None,
        }  # fmt: skip


def _coverage(found: list[Footer]) -> Iterator[_Row]:
    if found:
        yield {
            "rows": sum(one.ledger.rows for one in found),
            "first": min((one.first_ms for one in found if one.first_ms is not None), default=None),
            "last": max((one.last_ms for one in found if one.last_ms is not None), default=None),
            "gaps": len(joined_gaps(found)), "files": len(found), "bytes": sum(one.size for one in found),
        }  # fmt: skip


def joined_gaps(found: Iterable[Footer]) -> tuple[Gap, ...]:
    """Return the gaps of one series in order, with the causes of `Store.gaps`; one that crosses files is one."""
    ledgers = [one.ledger for one in found]
    rows = [part for ledger in ledgers for part in ledger.whole()]
    oldest = min((part.start_ms for part in rows), default=NEVER_MS)
    newest = max((part.end_ms for part in rows), default=-NEVER_MS)

    def has_rows(before_ms: int = -NEVER_MS, after_ms: int = NEVER_MS) -> bool:
        return oldest < before_ms or newest > after_ms

    return joined(explained(gap, has_rows) for ledger in ledgers for gap in ledger.gaps)
