"""The columns that a verb returns, defined once for schema, frame and documentation. No requests, no files."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import pandas as pd
import pyarrow as pa

from bgresearch.catalogue import load
from bgresearch.catalogue.value_types import TIME
from bgresearch.frames import NO_CATEGORIES, to_frame

Row = dict[str, Any]

TYPES: Mapping[str, pa.DataType] = {
    "time": TIME, "text": pa.string(), "category": pa.string(), "number": pa.float64(), "count": pa.int64(),
    "flag": pa.bool_(),
}  # fmt: skip
"""The Arrow type of a kind of column; in frames a category is a category, a count Int64 and a flag boolean."""


class Field(NamedTuple):
    """One column: its name, the kind of its values, and their meaning (including units)."""

    name: str
    kind: str
    meaning: str


def fields(text: str) -> tuple[Field, ...]:
    """Return the columns of a text with one per line: name, kind, meaning."""
    found = []
    for line in text.strip().splitlines():
        name, kind, meaning = line.strip().split(maxsplit=2)
        if kind not in TYPES:
            raise ValueError(f"{name}: {kind} is not a kind of column")
        found.append(Field(name, kind, meaning))
    return tuple(found)


@dataclass(frozen=True)
class Shape:
    """The frame that a verb returns, whichever endpoint is used.

    Attributes
    ----------
    verb : str
        As it is called: ``tickers``, ``account.fills``.
    fields : tuple of Field
        The columns in order, including the index.
    sources : tuple of str
        Ids of the table rows used for it.
    index : str
        The column that becomes the index, empty for none.
    """

    verb: str
    fields: tuple[Field, ...]
    sources: tuple[str, ...]
    index: str = ""

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the columns."""
        return pa.schema([(field.name, TYPES[field.kind]) for field in self.fields])

    def table(self, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
        """Return rows as an Arrow table; missing values are null, times are epoch milliseconds."""
        return pa.Table.from_pylist(list(rows), self.schema)

    def frame(self, table: pa.Table, **provenance: object) -> pd.DataFrame:
        """Return an Arrow table of this schema as a frame.

        Parameters
        ----------
        table : pyarrow.Table
            From `table` or the store.
        **provenance
            Stored in ``df.attrs["bgresearch"]``; never a secret.
        """
        frame = to_frame(table, verb=self.verb, **provenance)
        for field in self.fields:
            if field.kind == "category":
                column = frame[field.name]
                frame[field.name] = column.astype("category" if column.notna().any() else NO_CATEGORIES)
        return frame.set_index(self.index) if self.index else frame


DTYPES = {
    "time": "datetime64[ms, UTC]", "text": "text", "category": "category", "number": "float64", "count": "Int64",
    "flag": "boolean",
}  # fmt: skip
_Verb = TypeVar("_Verb", bound=Callable[..., Any])


def documented(shape: Shape) -> Callable[[_Verb], _Verb]:
    """Return a decorator that writes columns and sources of a shape into a verb's docstring."""

    def write(verb: _Verb) -> _Verb:
        head, mark, rest = inspect.cleandoc(verb.__doc__ or "").partition("\nNotes\n-----\n")
        verb.shape = shape  # type: ignore[attr-defined]  # read by the list of verbs
        verb.__doc__ = f"{head}\n{_returns(shape)}\n{mark}{rest}\nSource: {', '.join(pages_of(shape))}."
        return verb

    return write


def pages_of(shape: Shape) -> tuple[str, ...]:
    """Return the documentation pages of a verb's endpoints; their ids if there is no page."""
    return tuple(dict.fromkeys(load()[source].page or source for source in shape.sources))


def _returns(shape: Shape) -> str:
    lines = ["Returns", "-------", "DataFrame"]
    for field in shape.fields:
        place = "index, " if field.name == shape.index else ""
        lines.append(f"    {field.name} ({place}{DTYPES[field.kind]}): {field.meaning}.")
    return "\n".join(lines) + "\n"
