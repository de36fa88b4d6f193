"""What an export writes: frames, their provenance, and the same rows in plain columns for formats that need them.

Independent of files and formats.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from bgresearch.catalogue import load
from bgresearch.core.version import release
from bgresearch.errors import InvalidInput

_BATCH = 65_536  # rows converted to Python values or text at a time
_HINT = "Convert it to text or numbers first, or drop it."


@dataclass
class Content:
    """The content of one export.

    Attributes
    ----------
    frames : iterable of DataFrame
        At least one, all with the same columns; several are one history in pieces.
    rows : int
        Number of rows of all frames.
    about : mapping
        ``df.attrs["bgresearch"]`` of the frames.
    guarded : Counter
        Number of texts that a writer had to change, by column; see `bgresearch.exports.csv_text`.
    """

    frames: Iterable[pd.DataFrame]
    rows: int
    about: Mapping[str, Any]
    guarded: Counter[str] = field(default_factory=Counter)

    def plain(self) -> Iterator[pa.Table]:
        """Yield the rows in batches, the index as columns; see `flat`."""
        for frame in self.frames:
            table = flat(frame)
            for start in range(0, max(table.num_rows, 1), _BATCH):
                yield table.slice(start, _BATCH)

    def whole(self) -> Iterator[pd.DataFrame]:
        """Yield the frames as they are, with only their provenance in ``attrs``."""
        for frame in self.frames:
            bare = frame.copy(deep=False)
            bare.attrs = {"bgresearch": json.loads(as_json(self.about))} if self.about else {}
            yield bare

    def provenance(self) -> dict[str, Any]:
        """Return the provenance of the rows and of this export, as plain values."""
        provenance: dict[str, Any] = {"made_by": release(), "rows": self.rows, "times": "UTC"}
        if self.guarded:
            provenance["guarded"] = dict(self.guarded)
        return provenance | {"source": json.loads(as_json(self.about))}

    @property
    def name(self) -> str:
        """Name of a table of these rows: the last part of the verb."""
        return str(self.about.get("verb") or "data").rpartition(".")[2]

    @property
    def private(self) -> bool:
        """Whether only the user may read it: always, unless the frame is marked public; account frames never are."""
        endpoint = str(self.about.get("endpoint", ""))
        if endpoint in load():
            return bool(load()[endpoint].private)
        verb = str(self.about.get("verb", ""))
        return not verb or "." in verb


def as_json(value: object) -> str:
    """Return provenance as JSON; values that JSON cannot express become text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def flat(frame: pd.DataFrame) -> pa.Table:
    """Return rows as numbers, texts, flags and UTC times: the index first, categories as text, NaN as null.

    Raises
    ------
    InvalidInput
        No columns, duplicate names, or values of another type.
    """
    if not len(frame.columns):
        raise InvalidInput("frame", "it has no columns.")
    plain = frame.set_axis([_name_of(name) for name in frame.columns], axis=1)
    plain.attrs = {}
    if not isinstance(plain.index, pd.RangeIndex) or plain.index.name is not None:
        levels = [name or f"index_{place}" for place, name in enumerate(plain.index.names)]
        plain.index = plain.index.set_names(levels if len(levels) > 1 else [plain.index.name or "index"])
        _refuse_twins([*map(str, plain.index.names), *plain.columns])
        plain = plain.reset_index()
    _refuse_twins(list(plain.columns))
    table = as_table(plain, preserve_index=False)
    columns = zip(table.column_names, table.columns, strict=True)
    return pa.table({name: _plain(name, column) for name, column in columns})


def as_table(frame: pd.DataFrame, *, preserve_index: bool | None = None) -> pa.Table:
    """Return a frame as an Arrow table.

    Raises
    ------
    InvalidInput
        A column holds values that Arrow does not support.
    """
    try:
        return pa.Table.from_pandas(frame, preserve_index=preserve_index)
    except (pa.ArrowException, UnicodeError, TypeError, ValueError) as cause:
        said = str(cause.args[-1] if cause.args else cause)
        raise InvalidInput("frame", f"{said.rstrip('.')}.", hint=_HINT) from cause


def _name_of(column: object) -> str:
    return ".".join(map(str, column)) if isinstance(column, tuple) else str(column)


def _refuse_twins(names: list[str]) -> None:
    twins = sorted(name for name, count in Counter(names).items() if count > 1)
    if twins:
        raise InvalidInput("frame", f"two columns have the name {', '.join(twins)}.", hint="Rename one of them.")


def _plain(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp(kind.unit, "UTC")) if kind.tz else column
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return column.cast(pa.float64())
    if pa.types.is_decimal(kind) or pa.types.is_date(kind):
        return column.cast(pa.string())
    if not (pa.types.is_string(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind) or kind == pa.float64()):
        raise InvalidInput("frame", f"the column {name} holds values of type {kind}.", hint=_HINT)
    return column
