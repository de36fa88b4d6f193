"""DuckDB over the store: a connection in memory with a view per family of series, locked to the store's folders.

Views are globs, not lists of files: they see what is downloaded after they were made. A file is opened once per query
and replaced as a whole by writers, so that each is seen as it was or as it is, never half.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from bgresearch.candles import Source
from bgresearch.errors import ConfigurationError
from bgresearch.lenses.families import Family, families
from bgresearch.lenses.ledgers import coverage_of, gaps_of
from bgresearch.store.layout import SPELLED
from bgresearch.values import TIME

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TYPES = {
    TIME: "TIMESTAMPTZ", pa.string(): "VARCHAR", pa.float64(): "DOUBLE", pa.int64(): "BIGINT", pa.bool_(): "BOOLEAN",
}  # fmt: skip
_MAY_CHANGE = ("threads", "memory_limit", "enable_progress_bar", "preserve_insertion_order", "TimeZone")


def connected(source: Source, spill: str | os.PathLike[str] | None) -> DuckDBPyConnection:
    """Return the connection; `Lens.duckdb` documents it."""
    try:
        import duckdb
    except ImportError:
        raise ConfigurationError("SQL needs duckdb.", hint="Install it: pip install 'bgresearch[duckdb]'.") from None
    root, known = source.store.data_dir, families(source)
    connection = duckdb.connect()
    for family in known.values():
        connection.execute(f"CREATE VIEW {_name(family.name)} AS {view(family, root)}")
    connection.register("gaps", gaps_of(root, known.values()))
    connection.register("coverage", coverage_of(root, known.values()))
    for setting in _locks([root / family.folder for family in known.values()], spill):
        connection.execute(f"SET {setting}")
    return connection


def view(family: Family, root: Path) -> str:
    """Return the query behind a family's view: typed and empty where there is no file, live where there are some."""
    columns = [*family.columns, pa.field("file", pa.string())]
    empty = ", ".join(f"NULL::{_TYPES[column.type]} AS {_name(column.name)}" for column in columns)
    shown = ", ".join(f"{_told(column.name)} AS {_name(column.name)}" for column in family.columns)
    options = f"hive_partitioning={'true' if family.keys else 'false'}, hive_types_autocast=false"
    options += f", union_by_name={'false' if family.uniform else 'true'}, allow_empty=true, filename='file'"
    pattern = _text(family.glob(root))
    return (
        f"SELECT {shown}, parse_filename(file, true) AS period FROM (SELECT {empty} WHERE false "  # noqa: S608 - nobody's input
        f"UNION ALL BY NAME SELECT * FROM read_parquet({pattern}, {options}))"
    )


def _locks(folders: list[Path], spill: str | os.PathLike[str] | None) -> list[str]:
    """Return the settings that leave nothing but the store's own folders, in an order in which they may be set."""
    allowed = ", ".join(_text(folder.as_posix()) for folder in folders)
    return [
        "TimeZone = 'UTC'",
        f"temp_directory = {_text('' if spill is None else str(Path(spill).expanduser().absolute()))}",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        "allow_persistent_secrets = false",
        f"allowed_directories = [{allowed}]",
        f"allowed_configs = [{', '.join(map(_text, _MAY_CHANGE))}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ]


def _told(column: str) -> str:
    """A column as users know it: the store writes 1M as ``1month``, as 1m and 1M are one folder to some disks."""
    spellings = {spelled: value for (key, value), spelled in SPELLED.items() if key == column}
    whens = " ".join(f"WHEN {_text(spelled)} THEN {_text(value)}" for spelled, value in spellings.items())
    return f"CASE {_name(column)} {whens} ELSE {_name(column)} END" if whens else _name(column)


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
