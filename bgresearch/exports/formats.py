"""The formats: name, suffixes, writer and shape of each, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bgresearch.errors import InvalidInput
from bgresearch.exports import backtesters as bars
from bgresearch.exports.arrow_files import write_feather, write_parquet
from bgresearch.exports.content import Content
from bgresearch.exports.csv_text import write_ccxt, write_csv
from bgresearch.exports.databases import write_duckdb, write_sqlite
from bgresearch.exports.excel import write_excel

Write = Callable[[Path, Content], None]
Shape = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Format:
    """One way to write a frame.

    Attributes
    ----------
    name : str
        Name of the format.
    writers : mapping of str to callable
        The allowed suffixes, each with its writer.
    shape : callable, optional
        Converts candles to what is written.
    """

    name: str
    writers: Mapping[str, Write]
    shape: Shape | None = None


PROVENANCE_FILE_FOR = frozenset({".csv", ".json"})  # their provenance is stored in a separate file next to them

_PLAIN: Mapping[str, Write] = {".csv": write_csv, ".feather": write_feather, ".parquet": write_parquet}
_ALL = (
    Format("csv", {".csv": write_csv}),
    Format("feather", {".feather": write_feather, ".arrow": write_feather}),
    Format("excel", {".xlsx": write_excel}),
    Format("parquet", {".parquet": write_parquet, ".pq": write_parquet}),
    Format("sqlite", {".sqlite": write_sqlite, ".sqlite3": write_sqlite, ".db": write_sqlite}),
    Format("duckdb", {".duckdb": write_duckdb}),
    Format("ccxt", {".json": write_ccxt}, bars.ccxt_frame),
    Format("freqtrade", {".feather": write_feather}, bars.to_freqtrade),
    Format("nautilus", _PLAIN, bars.to_nautilus),
    Format("backtesting", _PLAIN, bars.to_backtesting),
    Format("vectorbt", _PLAIN, bars.to_vectorbt),
)
FORMATS: Mapping[str, Format] = {one.name: one for one in _ALL}
"""Every format by its name."""

_BY_SUFFIX = {suffix: one for one in reversed(_ALL) for suffix in one.writers}  # the first of several counts


def is_data_folder(found: Format, path: Path) -> bool:
    """Return whether a path is freqtrade's data folder, there or to be made, and not a file in it."""
    return found.name == "freqtrade" and (path.is_dir() or not path.suffix)


def chosen(name: str | None, path: Path) -> Format:
    """The format of that name, or the one that the path's suffix selects.

    Raises
    ------
    InvalidInput
        There is no such format, or it does not use that suffix.
    """
    suffix = path.suffix.lower()
    if name is None:
        if suffix not in _BY_SUFFIX:
            said = f"{path.name or str(path)!r} has no suffix of a known format."
            raise InvalidInput("path", said, hint=f"Use one of {', '.join(sorted(_BY_SUFFIX))}, or pass format=.")
        return _BY_SUFFIX[suffix]
    if name not in FORMATS:
        raise InvalidInput.unknown("format", name, FORMATS)
    found = FORMATS[name]
    if suffix not in found.writers and not is_data_folder(found, path):
        fitting = " or ".join(found.writers)
        raise InvalidInput(
            "path", f"{path.name!r} is not a valid name for a {name} file.", hint=f"End it with {fitting}."
        )
    return found
