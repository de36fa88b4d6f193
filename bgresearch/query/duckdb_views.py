"""DuckDB over the store: a connection in memory with a view per family of series, locked to the store's folders.

Views are globs, not lists of files: they see what is downloaded after they were made. Writers replace files as a whole.
DuckDB opens a file twice, for its size and for its rows; if it was replaced between the two, the query ends with an
error and never with wrong rows.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
import pyarrow as pa

from bgresearch.catalogue.value_types import TIME
from bgresearch.core.user_folders import expanded
from bgresearch.errors import ConfigurationError, InvalidInput, StoreError
from bgresearch.frames import to_frame
from bgresearch.query.coverage_tables import coverage_of, gaps_of
from bgresearch.query.datasets import Family, checked, families, literally
from bgresearch.query.sql_checks import check_markets, parsed
from bgresearch.session.session import Session
from bgresearch.store.layout import PERIOD, SPELLED
from bgresearch.store.lost_rows import PINS, remedy

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TYPES = {
    TIME: "TIMESTAMPTZ", pa.string(): "VARCHAR", pa.float64(): "DOUBLE", pa.int64(): "BIGINT", pa.bool_(): "BOOLEAN",
}  # fmt: skip
_HINT = "SHOW TABLES lists the views, DESCRIBE candles the columns of one."
_TRIES = 5
_T = TypeVar("_T")
_MAY_CHANGE = ("threads", "memory_limit", "enable_progress_bar", "preserve_insertion_order", "TimeZone")


def answered(source: Session, query: str, frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what a query gives; `Lens.sql` documents it."""
    for name, text in [("query", query), *zip(frames, frames, strict=True)]:
        _check_text(name, text)
    duckdb, connection = _duckdb(), connected(source, None)
    try:
        _check(source, connection, query)
        _check_named(source, query)
        for name, frame in frames.items():
            if not isinstance(frame, pd.DataFrame):
                raise InvalidInput(name, f"a {type(frame).__name__} is no DataFrame.", hint="Give a pandas DataFrame.")
            connection.register(name, frame.reset_index() if frame.index.name else frame)
        table: pa.Table = _patiently(duckdb, lambda: connection.sql(query).to_arrow_table())
    except duckdb.Error as error:
        raise InvalidInput("query", f"{str(error).strip()}\n", hint=_HINT) from None
    finally:
        connection.close()
    pin = {"pin": source.store.pin} if source.store.pin else {}
    try:
        return to_frame(_with_numbers(table), verb="lens.sql", query=query, host=source.sender.host, **pin)
    except (pa.ArrowException, ValueError, TypeError, KeyError, OverflowError) as error:  # types that pandas has not
        hint = "Cast the column: CAST(... AS VARCHAR) gives text."
        raise InvalidInput("query", f"its answer does not fit into a frame: {error}.", hint=hint) from error


def _check_text(name: str, text: str) -> None:
    if not isinstance(text, str):
        raise InvalidInput(name, f"{type(text).__name__} is no text.", hint="Give SQL as str.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        hint = "Remove the character, or read the text as UTF-8."
        raise InvalidInput(ascii(name), f"character {error.start + 1} is no Unicode.", hint=hint) from None


def _check(source: Session, connection: DuckDBPyConnection, query: str) -> None:
    """Raise `InvalidInput` if that is no single query, or one that mixes rows of different markets or prices."""
    tree = json.loads(connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0])
    if tree["error"] and tree["error_type"] != "not implemented":
        raise InvalidInput("query", f"{tree['error_message']}.\n", hint=_HINT)
    if tree["error"] or len(tree["statements"]) != 1:  # WITH, DESCRIBE and SHOW are SELECT
        raise InvalidInput("query", "it is no single query.", hint="Write one that begins with SELECT.")
    known, root = families(source), source.store.data_dir
    asked = parsed(tree["statements"][0])
    asked.check_prices(known, root)
    for family in asked.apart(known):
        hint = "Say which one: WHERE market = 'spot', or keep them apart: GROUP BY market."
        check_markets("query", family.series(root), hint)


def _check_named(source: Session, query: str) -> None:
    """Check what a query can be about: DuckDB compares no checksums, and knows nothing of files that are not there."""
    words = set(re.findall(r"\w+", query.lower()))
    known = families(source)
    checked(source, [family for name, family in known.items() if name in words])
    if words & {"gaps", "coverage"}:
        checked(source, known.values(), rows=False)


def connected(source: Session, spill: str | os.PathLike[str] | None) -> DuckDBPyConnection:
    """Return the connection; `Lens.duckdb` documents it."""
    duckdb = _duckdb()
    root, known = source.store.data_dir, families(source)
    if not isinstance(spill, str | os.PathLike | None):
        raise InvalidInput("spill", f"{spill!r} is no path.", hint="Give the name of a folder.")
    if "\\" in root.as_posix():  # to DuckDB it parts folders on every system; the views would be empty
        raise ConfigurationError(f"DuckDB cannot look into {root}: \\ in a name.", hint="Rename the folder.")
    connection: DuckDBPyConnection = duckdb.connect()
    for family in known.values():  # DuckDB reads the first file of each
        _patiently(duckdb, partial(connection.execute, f"CREATE VIEW {_name(family.name)} AS {view(family, root)}"))
    connection.register("gaps", gaps_of(root, known.values()))
    connection.register("coverage", coverage_of(root, known.values()))
    for setting in _locks(root, known.values(), spill):
        connection.execute(f"SET {setting}")
    return connection


def _patiently(duckdb: Any, ask: Callable[[], _T]) -> _T:
    """Return a result; the query runs again if a file was replaced while DuckDB was reading it."""
    for tries_left in reversed(range(_TRIES)):
        try:
            return ask()
        except duckdb.Error as error:
            if not _about_a_file(duckdb, error):
                raise
            if not tries_left:
                said = str(error).partition("\n")[0]
                hint = remedy(PINS in said)
                raise StoreError(f"a file cannot be read: {said}.", hint=hint) from None
    raise AssertionError


def _about_a_file(duckdb: Any, error: Exception) -> bool:
    """Return whether a file, and not the query, is at fault: DuckDB has no one kind of error for it."""
    kind = type(error)
    return kind in (duckdb.Error, duckdb.IOException) or (
        kind is duckdb.InvalidInputException and ".parquet" in str(error)
    )


def view(family: Family, root: Path) -> str:
    """Return the query behind a family's view: typed and empty where there is no file, live where there are some."""
    columns = [*family.columns, pa.field("file", pa.string())]
    empty = ", ".join(f"NULL::{_TYPES[column.type]} AS {_name(column.name)}" for column in columns)
    shown = ", ".join(f"{_respelled(column.name)} AS {_name(column.name)}" for column in family.columns)
    options = f"hive_partitioning={'true' if family.keys else 'false'}, hive_types_autocast=false"
    options += f", union_by_name={'false' if family.uniform else 'true'}, allow_empty=true, filename='file'"
    pattern = _text(family.glob(root))
    return (
        f"SELECT {shown}, parse_filename(file, true) AS period FROM (SELECT {empty} WHERE false "  # noqa: S608 - no user input
        f"UNION ALL BY NAME SELECT * FROM read_parquet({pattern}, {options})) "
        f"WHERE regexp_full_match(parse_filename(file, true), {_text(PERIOD)})"
    )


def _locks(root: Path, known: Collection[Family], spill: str | os.PathLike[str] | None) -> list[str]:
    """Return the settings that allow only the store's own folders, in an order in which they may be set."""
    spellings = {root.as_posix(), literally(root)}  # of files, and of the globs that find them
    allowed = ", ".join(_text(f"{folder}/{family.folder}") for folder in sorted(spellings) for family in known)
    return [
        "TimeZone = 'UTC'",
        f"temp_directory = {_text('' if spill is None else str(expanded(spill).absolute()))}",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        "allow_persistent_secrets = false",
        f"allowed_directories = [{allowed}]",
        f"allowed_configs = [{', '.join(map(_text, _MAY_CHANGE))}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ]


def _respelled(column: str) -> str:
    """Return a column in the users' spelling: the store writes 1M as ``1month``, as some disks ignore case in names."""
    spellings = {spelled: value for (key, value), spelled in SPELLED.items() if key == column}
    whens = " ".join(f"WHEN {_text(spelled)} THEN {_text(value)}" for spelled, value in spellings.items())
    return f"CASE {_name(column)} {whens} ELSE {_name(column)} END" if whens else _name(column)


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _with_numbers(table: pa.Table) -> pa.Table:
    """Return a table whose exact decimals, as DuckDB adds up whole numbers, are float64, as all numbers here."""
    decimals = (pa.types.is_decimal(column.type) for column in table.schema)
    types = [pa.float64() if exact else column.type for exact, column in zip(decimals, table.schema, strict=True)]
    return table.cast(pa.schema(list(zip(table.column_names, types, strict=True))))


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise ConfigurationError("SQL needs duckdb.", hint="Install it: pip install 'bgresearch[duckdb]'.") from None
    return duckdb
