"""Exports read back with other people's libraries, as plain Python values by column."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

Columns = dict[str, list[Any]]


def expected(frame: pd.DataFrame) -> Columns:
    """What every format should hold: the index first, None for whatever is missing."""
    named = frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex)
    rows = frame.reset_index() if named else frame
    return {str(name): [_plain(value) for value in rows[name].astype("object")] for name in rows.columns}


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    return value.item() if hasattr(value, "item") else value


def from_csv(path: Path, like: Columns) -> Columns:
    """By pandas' own reader, given no more than which columns are texts, times, and whole numbers with missing ones."""
    texts = {name for name, values in like.items() if any(isinstance(value, str) for value in values)}
    times = [name for name, values in like.items() if any(isinstance(value, dt.datetime) for value in values)]
    counts = {name for name, values in like.items() if any(type(value) is int for value in values)}
    read = pd.read_csv(
        path, dtype=dict.fromkeys(texts, "str") | dict.fromkeys(counts, "Int64"), keep_default_na=False,
        na_values={name: [""] for name in like}, parse_dates=times,
    )  # fmt: skip
    columns = expected(read)
    return {name: [_unguarded(value) for value in values] for name, values in columns.items()}


def _unguarded(value: Any) -> Any:
    """As the documentation says: of apostrophes before such a sign, one is too many."""
    if not isinstance(value, str):
        return value
    front = value[1:] if re.match("'+[=+\\-@\t\r\n＝＋－＠]", value) else value  # noqa: RUF001
    return re.sub("([;\t\r\n]\\s*)'('*[=+\\-@＝＋－＠])", r"\1\2", front)  # noqa: RUF001


def from_parquet(path: Path, like: Columns) -> Columns:
    return _arrow(pq.read_table(path))


def from_feather(path: Path, like: Columns) -> Columns:
    return _arrow(feather.read_table(path))


def from_sqlite(path: Path, like: Columns) -> Columns:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (name,) = (
            row[0]
            for row in connection.execute(
                "SELECT name FROM sqlite_master WHERE name != 'provenance' AND type = 'table'"
            )
        )
        cursor = connection.execute(f'SELECT * FROM "{name}"')  # noqa: S608
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return {name: [_like(value, like[name]) for value in values] for name, values in columns.items()}


def _like(value: Any, others: list[Any]) -> Any:
    """SQLite has neither times nor flags of its own."""
    kind = next((type(other) for other in others if other is not None), None)
    if value is None or kind is None:
        return value
    if issubclass(kind, dt.datetime):
        return dt.datetime.fromisoformat(value)
    return bool(value) if kind is bool else value


def from_duckdb(path: Path, like: Columns) -> Columns:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = [row[0] for row in connection.execute("SHOW TABLES").fetchall()]
        (name,) = (name for name in names if name != "provenance")
        return _arrow(connection.sql(f'FROM "{name}"').to_arrow_table())


def from_excel(path: Path, like: Columns) -> Columns:
    book = openpyxl.load_workbook(path)
    names, *rows = book.worksheets[0].iter_rows(values_only=True)
    columns: Columns = {str(name): [row[place] for row in rows] for place, name in enumerate(names)}
    return {name: [_from_cell(value, like[name]) for value in values] for name, values in columns.items()}


def _from_cell(value: Any, others: list[Any]) -> Any:
    """Excel has no time zones, one kind of number and no infinity."""
    kind = next((type(other) for other in others if other is not None), None)
    if value is None or kind is None:
        return value
    if issubclass(kind, dt.datetime):
        return value.replace(tzinfo=dt.UTC)
    return kind(value) if kind in (int, float) else value


def _arrow(table: pa.Table) -> Columns:
    return {name: [_plain(value) for value in table.column(name).to_pylist()] for name in table.column_names}


READERS: dict[str, Callable[[Path, Columns], Columns]] = {
    ".csv": from_csv, ".parquet": from_parquet, ".feather": from_feather, ".sqlite": from_sqlite,
    ".duckdb": from_duckdb, ".xlsx": from_excel,
}  # fmt: skip


def provenance(path: Path) -> dict[str, Any]:
    """What a file says of where its rows come from, as key and value."""
    if path.suffix in (".csv", ".json"):
        result = json.loads(Path(f"{path}.provenance.json").read_text("utf-8"))
    elif path.suffix in (".parquet", ".feather"):
        read = pq.read_table if path.suffix == ".parquet" else feather.read_table
        result = json.loads(read(path).schema.metadata[b"bgresearch.provenance"])
    else:
        return {key: _json(value) for key, value in _provenance_rows(path)}
    return {**result.pop("source"), **result}


def _provenance_rows(path: Path) -> list[tuple[str, str]]:
    if path.suffix == ".sqlite":
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT key, value FROM provenance").fetchall()
    if path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute("SELECT key, value FROM provenance").fetchall()
    sheet = openpyxl.load_workbook(path)["provenance"]
    return list(sheet.iter_rows(min_row=2, values_only=True))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
