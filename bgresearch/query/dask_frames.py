"""Dask over the store: a frame in blocks, each read by the worker that needs it, from a folder or from a publication.

Which files are read is decided before the graph is made, by their names alone. A worker decodes only the columns that
are used, and accepts an object of a publication only if its content has the digest in the manifest.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pyarrow as pa

from bgresearch.core.spans import Span
from bgresearch.errors import ConfigurationError, InvalidInput, OfflineError, StoreError
from bgresearch.frames import to_frame
from bgresearch.query.datasets import PRICES, Family, families, plain
from bgresearch.query.sql_checks import check_markets
from bgresearch.session.session import Session
from bgresearch.store import parquet_file as partition
from bgresearch.store.atomic_files import in_words, matching, opened, reading
from bgresearch.store.layout import Series
from bgresearch.store.lost_rows import Lost, lost_in, refusal
from bgresearch.store.remote.manifest import keys_of
from bgresearch.store.remote.object_storage import Options, Remote
from bgresearch.store.remote.remote_store import PublishedStore, checked_object

if TYPE_CHECKING:
    from dask.dataframe import DataFrame


class File(NamedTuple):
    """One partition: its place or the name of its object, what its folders say, its bytes, its digest if published."""

    name: str
    keys: tuple[str, ...]
    size: int
    sha256: str = ""


@dataclass(frozen=True)
class RowFilter:
    """Which rows are read.

    Attributes
    ----------
    keys : mapping
        Values by the name of a key; no value means all of them.
    span : Span or None
        Times, half-open; None means all of them.
    """

    keys: dict[str, tuple[str, ...]]
    span: Span | None

    def takes(self, keys: dict[str, str]) -> bool:
        """Return whether a series of these keys is wanted."""
        return all(not values or keys.get(name) in values for name, values in self.keys.items())


def blocks(source: Session, name: str, wanted: RowFilter, block_bytes: int) -> DataFrame:
    """Return the frame; `Lens.dask` documents it."""
    dataframe, config = _dask()
    family = _family(source, name, wanted)
    _refuse_lost(source, family, wanted)
    files = list(_files(source, family, wanted))
    if "market" in family.keys and not wanted.keys.get("market"):
        kept = (dict(zip(family.keys, file.keys, strict=True)) for file in files)
        check_markets("market", kept, 'Name one or several: market="spot", market=["spot", "usdt-futures"].')
    if not files:
        raise OfflineError(f"nothing of that is kept in {source.store.place}.", hint="Download it first.")
    values = [sorted({file.keys[place] for file in files}) for place in range(len(family.keys))]
    store = source.store
    remote = store.remote if isinstance(store, PublishedStore) else None
    reader = Reader(
        family.time, family.schema, dict(zip(family.keys, values, strict=True)), wanted.span,
        remote.url if remote else "", remote.options if remote else {},
    )  # fmt: skip
    with config.set({"dataframe.convert-string": False}):  # types are those of the verbs
        packed, label = list(_packed(files, block_bytes)), f"bgresearch-{name}"
        made: DataFrame = dataframe.from_map(reader, packed, meta=reader(()), label=label, enforce_metadata=False)
    return made


@dataclass(frozen=True)
class Reader:
    """Reads files into one frame, in a worker; options may hold credentials and are never shown."""

    time: str
    schema: pa.Schema
    keys: dict[str, list[str]]
    span: Span | None
    url: str
    options: Options = field(repr=False)

    def __call__(self, files: Sequence[File], columns: Sequence[str] | None = None) -> pd.DataFrame:
        everything = [*self.keys, *(name for name in self.schema.names if name != self.time)]
        wanted = everything if columns is None else columns
        shape = pa.schema([self.schema.field(name) for name in (self.time, *wanted) if name not in self.keys])
        tables = [self._labelled(self._rows(file, shape), file, wanted) for file in files]
        tables.append(self._labelled(shape.empty_table(), None, wanted))
        frame = to_frame(pa.concat_tables(tables)).set_index(self.time)
        frame.attrs = {}  # of one block; they would be taken for those of the whole
        return frame[list(wanted)]

    def _rows(self, file: File, shape: pa.Schema) -> pa.Table:
        try:
            with reading(Path(file.name)), partition.damage_in_words():
                table = partition.decode_some(self._opened(file), shape.names)
                for each in shape:
                    if each.name not in table.column_names:  # written by a version that did not know it
                        table = table.append_column(each, pa.nulls(table.num_rows, each.type))
                table = table.select(shape.names).cast(shape)
        except partition.DamagedFile as cause:
            raise StoreError(f"{file.name} is damaged ({cause}).", hint="Type: bgresearch verify.") from cause
        return table if self.span is None else partition.within(table, self.time, self.span)

    def _opened(self, file: File) -> Any:
        if self.url:  # one driver for all tasks of a process
            remote = Remote(self.url, {"skip_instance_cache": False, **self.options})
            return io.BytesIO(checked_object(remote, file.name, file.sha256))
        try:
            with opened(Path(file.name)) as local:
                return io.BytesIO(local.read())
        except FileNotFoundError as cause:
            hint = "Make the frame again, to list the files again; workers on other machines need the same folder."
            raise StoreError(f"{file.name} cannot be read now: no file is in its place.", hint=hint) from cause

    def _labelled(self, table: pa.Table, file: File | None, wanted: Sequence[str]) -> pa.Table:
        """Return the rows with the keys of their series, as categories that are the same in every block."""
        for place, (name, values) in enumerate(self.keys.items()):
            if name in wanted:
                code = values.index(file.keys[place]) if file else 0
                codes = pa.array([code], pa.int32()).take(pa.array([0] * table.num_rows, pa.int32()))
                labels = pa.DictionaryArray.from_arrays(codes, pa.array(values, pa.string()))
                table = table.append_column(name, labels)
        return table


def _family(source: Session, name: str, wanted: RowFilter) -> Family:
    known = {one.name: one for one in families(source).values() if not one.private}
    if not isinstance(name, str) or name not in known:
        hint = f"Use one of {', '.join(known)}; account records stay on this machine."
        raise InvalidInput("name", f"{name!r} is unknown.", hint=hint)
    family = _of_price(known[name], known, wanted)
    for key, values in wanted.keys.items():
        if values and key not in family.keys:
            raise InvalidInput(key, f"{name} has no {key}.", hint=f"It has {', '.join(family.keys)}.")
    return family


def _of_price(family: Family, known: dict[str, Family], wanted: RowFilter) -> Family:
    """Return the family that has the wanted price: of ``candles`` and mark it is ``candles_mark``."""
    prices = wanted.keys.get("price", ())
    if not prices or not family.price or prices == (family.price,):
        return family
    kin = {one.price: one for one in known.values() if one.folder == family.folder}
    if family.price != PRICES[0] or len(prices) > 1 or prices[0] not in kin:
        raise InvalidInput(
            "price", f"{family.name} has {family.price} prices alone.", hint=f"Use one of {', '.join(kin)}."
        )
    return kin[prices[0]]


def _files(source: Session, family: Family, wanted: RowFilter) -> Iterator[File]:
    """Yield the files that are wanted, in the order of their series and times; opens none."""
    periods: dict[str, frozenset[str]] = {}
    for path, name, size, sha256 in _all(source, family):
        keys = {key: plain(key, value) for key, value in keys_of(path).items()}
        if not (family.holds(keys) and wanted.takes(keys)):
            continue
        if wanted.span is not None:
            series = Series(family.folder, tuple(keys.items()), family.time)
            if series.period not in periods:
                periods[series.period] = frozenset(file for file, _period in series.periods(wanted.span))
            if path.rpartition("/")[2] not in periods[series.period]:
                continue
        yield File(name, tuple(keys[key] for key in family.keys), size, sha256)


def _refuse_lost(source: Session, family: Family, wanted: RowFilter) -> None:
    """Raise if rows that are wanted were in a file that was set aside as damaged, and are in no other."""
    store = source.store
    if isinstance(store, PublishedStore):
        return
    aside = matching(store.data_dir, f"{family.pattern()}.damaged-*")
    found = [one for folder in sorted({path.parent for path in aside}) for one in lost_in(folder)]
    lost = [one for one in found if _wants(wanted, one, store.data_dir)]
    if lost:
        raise refusal(lost)


def _wants(wanted: RowFilter, lost: Lost, root: Path) -> bool:
    keys = keys_of(lost.path.relative_to(root).as_posix())
    named = wanted.takes({key: plain(key, value) for key, value in keys.items()})
    return named and (wanted.span is None or lost.span.intersect(wanted.span) is not None)


def _all(source: Session, family: Family) -> Iterator[tuple[str, str, int, str]]:
    """Yield the files of a family: place below the data folder, what to open, bytes, digest if published."""
    store = source.store
    if isinstance(store, PublishedStore):
        published = (one for one in store.publication.files if one.path.startswith(f"{family.folder}/"))
        yield from ((one.path, one.name, one.size, one.sha256) for one in published)
        return
    for path in family.files(store.data_dir):
        with in_words("read", path):
            yield path.relative_to(store.data_dir).as_posix(), str(path), path.stat().st_size, ""


def _packed(files: Iterable[File], block_bytes: int) -> Iterator[list[File]]:
    """Yield blocks of files; a series is in one block, unless it alone is larger than a block may be."""
    block: list[File] = []
    for _keys, group in groupby(files, key=lambda file: file.keys):
        series = list(group)
        if block and sum(file.size for file in [*block, *series]) > block_bytes:
            yield block
            block = []
        for file in series:
            if block and sum(each.size for each in [*block, file]) > block_bytes:
                yield block
                block = []
            block.append(file)
    if block:
        yield block


def _dask() -> tuple[Any, Any]:
    try:
        import dask
        from dask import dataframe
    except ImportError:
        raise ConfigurationError("Blocks need dask.", hint="Install it: pip install 'bgresearch[dask]'.") from None
    return dataframe, dask.config
