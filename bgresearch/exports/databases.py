"""A database in one file: a table of the rows, named like the verb, and a table ``provenance`` (key, value)."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.exports.content import Content, as_json
from bgresearch.exports.csv_text import times_as_text

_MOST = 2**63 - 1  # the largest integer of SQLite
_TYPES = {"bool": "INTEGER", "double": "REAL", "string": "TEXT"}


def write_sqlite(path: Path, content: Content) -> None:
    """Write a SQLite database: times as text in UTC, which SQLite's own functions read, flags as 0 and 1."""
    with _as_system_error(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = OFF")  # an incomplete file is discarded
        connection.execute("PRAGMA synchronous = OFF")  # the whole file is synced at the end
        made = False
        for table in content.plain():
            if not made:
                _refuse_twins(table.column_names)
                columns = ", ".join(f"{_name(field.name)} {_type_of(field.type)}" for field in table.schema)
                connection.execute(f"CREATE TABLE {_name(content.name)} ({columns})")
                made = True
            marks = ", ".join("?" * table.num_columns)
            rows = zip(*map(_values, table.columns), strict=True)
            connection.executemany(f"INSERT INTO {_name(content.name)} VALUES ({marks})", rows)  # noqa: S608 - quoted
        connection.execute("CREATE TABLE provenance (key TEXT PRIMARY KEY, value TEXT)")
        connection.executemany("INSERT INTO provenance VALUES (?, ?)", provenance_rows(content))


def write_duckdb(path: Path, content: Content) -> None:
    """Write a DuckDB database: times as TIMESTAMP WITH TIME ZONE."""
    duckdb = _duckdb()
    with _as_system_error(duckdb.Error), tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as folder:
        inner = (
            Path(folder) / "database"
        )  # DuckDB does not open an empty file, and a separate folder hides its temporary files
        with contextlib.closing(duckdb.connect(str(inner))) as connection:
            made = False
            for table in content.plain():
                connection.register("piece", table)
                if not made:
                    _refuse_twins(table.column_names)
                    connection.execute(f"CREATE TABLE {_name(content.name)} AS SELECT * FROM piece LIMIT 0")  # noqa: S608
                    made = True
                connection.execute(f"INSERT INTO {_name(content.name)} SELECT * FROM piece")  # noqa: S608 - quoted
                connection.unregister("piece")
            connection.execute("CREATE TABLE provenance (key VARCHAR PRIMARY KEY, value VARCHAR)")
            connection.executemany("INSERT INTO provenance VALUES (?, ?)", provenance_rows(content))
        inner.chmod(stat.S_IMODE(path.stat().st_mode))
        inner.replace(path)


def provenance_rows(content: Content) -> list[tuple[str, str]]:
    """Return provenance as keys and texts; other values are JSON."""
    provenance = content.provenance()
    source = {key: value for key, value in provenance.pop("source").items() if key not in provenance}
    return [(key, value if isinstance(value, str) else as_json(value)) for key, value in (provenance | source).items()]


@contextlib.contextmanager
def _as_system_error(kind: type[Exception]) -> Iterator[None]:
    """Raise an I/O error of DuckDB as OSError, like other libraries; the last part of the message names the cause."""
    try:
        yield
    except kind as cause:
        raise OSError(str(cause).splitlines()[0].rpartition(": ")[2].rstrip(".")) from cause


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        hint = "Install it: pip install 'bgresearch[duckdb]'."
        raise ConfigurationError("DuckDB files need duckdb.", hint=hint) from None
    return duckdb


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refuse_twins(names: list[str]) -> None:
    """Refuse names that differ only in case, which databases do not distinguish."""
    folded = [name.casefold() for name in names]
    twins = [name for name in names if folded.count(name.casefold()) > 1]
    if twins:
        raise InvalidInput(
            "frame", f"a database does not distinguish {' and '.join(twins)}.", hint="Rename one of them."
        )


def _type_of(kind: pa.DataType) -> str:
    return "INTEGER" if pa.types.is_integer(kind) else _TYPES.get(str(kind), "TEXT")


def _values(column: pa.ChunkedArray) -> list[Any]:
    plain = column.combine_chunks()
    if pa.types.is_uint64(plain.type) and (pc.max(plain).as_py() or 0) > _MOST:
        hint = "Convert it to text first, or export to Parquet or DuckDB."
        raise InvalidInput(
            "frame", f"a column holds whole numbers above {_MOST:,}, which SQLite cannot store.", hint=hint
        )
    values: list[Any] = (times_as_text(plain) if pa.types.is_timestamp(plain.type) else plain).to_pylist()
    return values
