"""One frame, or one history in pieces, to one file: path and format are checked first, the write is atomic."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bgresearch.errors import StoreError
from bgresearch.exports.backtesters import freqtrade_path
from bgresearch.exports.content import Content, as_json
from bgresearch.exports.formats import PROVENANCE_FILE_FOR, Format, chosen, is_data_folder
from bgresearch.exports.output_path import checked_place, expanded, placed, taken
from bgresearch.store.atomic_files import ANYWHERE, in_words

PROVENANCE_SUFFIX = ".provenance.json"


def export(
    frame: pd.DataFrame, path: str | os.PathLike[str], *,
    format: str | None = None,  # noqa: A002 - the name that pandas users expect
    force: bool = False,
) -> Path:  # fmt: skip
    """The absolute path of the file that now holds the frame.

    Parameters
    ----------
    frame : DataFrame
        The result of any verb, or a frame derived from it; it is not changed.
    path : str or path
        Name of the file. Its suffix selects the format: .csv .feather .xlsx .parquet .sqlite .duckdb .json (ccxt). For
        freqtrade also its data folder, ``user_data/data/bitget``, which is made if it is not there: the file is then
        named by the provenance.
    format : str, optional
        ``csv``, ``feather``, ``excel``, ``parquet``, ``sqlite``, ``duckdb``; for candles also ``ccxt``, ``freqtrade``,
        ``nautilus``, ``backtesting``, ``vectorbt``, the last three as .csv, .feather or .parquet.
    force : bool
        Whether an existing file may be replaced.

    Raises
    ------
    InvalidInput
        An unknown format, a suffix that does not match it, or a frame that it cannot represent.
    StoreError
        The file exists already, the folder does not, or writing fails. An existing file stays intact, and no partial
        file is left.
    ConfigurationError
        openpyxl or duckdb is not installed.

    Notes
    -----
    Disk: one file, and ``NAME.provenance.json`` next to .csv and .json. Only you can read it (0600) unless its
    provenance says that the data is public. Times are UTC. No network.

    Examples
    --------
    >>> export(client.candles("BTCUSDT", "1h", "2026-01-01"), "btc.parquet")                    # doctest: +SKIP
    """
    about = frame.attrs.get("bgresearch", {})
    return export_pieces([frame], path, rows=len(frame), about=about, format=format, force=force)


def export_pieces(
    pieces: Iterable[pd.DataFrame], path: str | os.PathLike[str], *, rows: int, about: Mapping[str, Any],
    format: str | None = None,  # noqa: A002 - as `export`
    force: bool = False,
) -> Path:  # fmt: skip
    """The absolute path of the file that now holds all pieces; only one is in memory at a time.

    Parameters
    ----------
    pieces : iterable of DataFrame
        At least one, with the same columns, and with a named index if there are several.
    path, format, force
        As for `export`.
    rows : int
        Number of rows of all pieces.
    about : mapping
        The common provenance.

    Raises
    ------
    InvalidInput, StoreError, ConfigurationError
        As `export`.
    """
    target, found = checked_target(path, about, format=format, force=force)
    shape = found.shape
    frames = pieces if shape is None else (shape(piece) for piece in pieces)
    content = Content(frames, rows, dict(about))
    suffix = target.suffix.lower()
    if found.name == "freqtrade":
        with in_words("make", target.parent, ANYWHERE):
            target.parent.mkdir(parents=True, exist_ok=True)
    with placed(target, private=content.private, force=force) as temporary:
        found.writers[suffix](temporary, content)
        if suffix in PROVENANCE_FILE_FOR:
            _write_provenance_file(target, temporary, content, force=force)
    return target


def checked_target(
    path: str | os.PathLike[str], about: Mapping[str, Any], *,
    format: str | None = None,  # noqa: A002 - as `export`
    force: bool = False,
) -> tuple[Path, Format]:  # fmt: skip
    """The absolute path and format of a file to be written, so that errors are raised before the work starts.

    Raises
    ------
    InvalidInput, StoreError
        As `export`.
    """
    asked = expanded(Path(path))
    found = chosen(format, asked)
    in_folder = is_data_folder(found, asked)
    target = freqtrade_path(asked.resolve(), dict(about)) if in_folder else checked_place(asked)
    if target.is_dir():
        raise StoreError(f"{target} is a folder.", hint="Name a file in it.")
    for there in (target, _provenance_path(target)) if target.suffix.lower() in PROVENANCE_FILE_FOR else (target,):
        if there.exists() and not force:
            raise taken(there)
    return target, found


def _provenance_path(target: Path) -> Path:
    return target.with_name(f"{target.name}{PROVENANCE_SUFFIX}")


def _write_provenance_file(target: Path, written: Path, content: Content, *, force: bool) -> None:
    """Write the provenance next to the file, with the digest of the file."""
    with written.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    provenance = {"file": target.name, "sha256": digest, **content.provenance()}
    with placed(_provenance_path(target), private=content.private, force=force) as temporary:
        temporary.write_text(as_json(provenance) + "\n", encoding="utf-8")
