"""What the store knows about itself, as two tables read from the footers of its files: gaps, and what is there.

Nothing is read but footers, and not before somebody looks: the tables are streams that begin anew at every look.
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
    """What the footer of one file says: its ledger, the times of its first and last row, and its size."""

    ledger: Ledger
    first_ms: int | None
    last_ms: int | None
    size: int


@dataclass(frozen=True)
class Told:
    """A table that is read when it is looked at; speaks Arrow's stream protocol, as DuckDB and Polars do.

    Attributes
    ----------
    root : Path
        The data folder.
    families : tuple of Family
        What is told of.
    schema : pyarrow.Schema
        `GAPS` or `COVERAGE`.
    rows : callable
        Footers of one series to the rows that tell of them.
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
        told = [
            {**where(family, folder.relative_to(self.root)), **row}
            for folder, paths in found
            for row in self.rows([footer for path in paths for footer in footers(path, family.time)])
        ]
        return pa.RecordBatch.from_pylist(told, self.schema)

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.reader().__arrow_c_stream__(requested_schema)


def gaps_of(root: Path, families: Iterable[Family]) -> Told:
    """Return where the exchange has nothing, and why: a row per gap."""
    return Told(root, tuple(families), GAPS, _gaps)


def coverage_of(root: Path, families: Iterable[Family]) -> Told:
    """Return what is there: a row per series."""
    return Told(root, tuple(families), COVERAGE, _coverage)


def where(family: Family, folder: Path) -> Mapping[str, str]:
    """Return a series by name and keys, from its folder below the data folder."""
    parts = (part.partition("=") for part in folder.parts if "=" in part)
    values = {key: plain(key, unquote(spelled)) for key, _, spelled in parts}
    told = {key: values[key] for key in family.keys}
    return {"series": family.name, **told, **({"lot": values[family.lot]} if family.lot else {})}


def footers(path: Path, time: str) -> Iterator[Footer]:
    """Yield what a file's footer says; nothing of a file that was replaced or has gone this moment.

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


def _gaps(told: list[Footer]) -> Iterator[_Row]:
    for gap in joined_gaps(told):
        yield {
            "start": gap.span.start_ms, "end": gap.span.end_ms, "cause": gap.cause, "noticed": gap.noticed_ms,
            "again": gap.again_ms if gap.again_ms < NEVER_MS else None,
        }  # fmt: skip


def _coverage(told: list[Footer]) -> Iterator[_Row]:
    if told:
        yield {
            "rows": sum(one.ledger.rows for one in told),
            "first": min((one.first_ms for one in told if one.first_ms is not None), default=None),
            "last": max((one.last_ms for one in told if one.last_ms is not None), default=None),
            "gaps": len(joined_gaps(told)), "files": len(told), "bytes": sum(one.size for one in told),
        }  # fmt: skip


def joined_gaps(told: Iterable[Footer]) -> tuple[Gap, ...]:
    """Return the gaps of one series in order, with the causes of `Store.gaps`; one that crosses files is one."""
    ledgers = [one.ledger for one in told]
    rows = [part for ledger in ledgers for part in ledger.whole()]
    oldest = min((part.start_ms for part in rows), default=NEVER_MS)
    newest = max((part.end_ms for part in rows), default=-NEVER_MS)

    def has_rows(before_ms: int = -NEVER_MS, after_ms: int = NEVER_MS) -> bool:
        return oldest < before_ms or newest > after_ms

    return joined(explained(gap, has_rows) for ledger in ledgers for gap in ledger.gaps)
