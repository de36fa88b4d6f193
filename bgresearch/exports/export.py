"""One frame, or one history in pieces, to one file: where it goes, whether it may, and all of it or nothing."""

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
from bgresearch.exports.formats import WITHOUT_ROOM, Format, chosen
from bgresearch.exports.output_path import checked_place, expanded, placed, taken
from bgresearch.store.atomic_files import ANYWHERE, in_words

BESIDE = ".provenance.json"


def export(
    frame: pd.DataFrame, path: str | os.PathLike[str], *,
    format: str | None = None,  # noqa: A002 - the word that pandas' users look for
    force: bool = False,
) -> Path:  # fmt: skip
    """The absolute path of the file that now holds the frame.

    Parameters
    ----------
    frame : DataFrame
        What any verb returned, or what was made of it; it is not changed.
    path : str or path
        Name of the file. Its suffix says the format: .csv .feather .xlsx .parquet .sqlite .duckdb .json (ccxt). For
        freqtrade also its folder of data, ``user_data/data/bitget``: the file's name is made from the provenance then.
    format : str, optional
        ``csv``, ``feather``, ``excel``, ``parquet``, ``sqlite``, ``duckdb``; of candles also ``ccxt``, ``freqtrade``,
        ``nautilus``, ``backtesting``, ``vectorbt``, the last three as .csv, .feather or .parquet.
    force : bool
        Whether a file of that name may be replaced.

    Raises
    ------
    InvalidInput
        An unknown format, a suffix that does not fit it, a frame that it cannot carry.
    StoreError
        The file is there already, the folder is not, or the disk refuses. What was there before is intact, and nothing
        half-written stays.
    ConfigurationError
        openpyxl or duckdb is not installed.

    Notes
    -----
    Disk: one file, and ``NAME.provenance.json`` beside .csv and .json. Nobody but you can read it (0600) unless its
    provenance says that the data is public. Times are UTC. Asks nobody.

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
    """The absolute path of the file that now holds all pieces, of which only one is in memory at a time.

    Parameters
    ----------
    pieces : iterable of DataFrame
        At least one; of the same columns, and of an index with a name if there are several.
    path, format, force
        As for `export`.
    rows : int
        Of all pieces together.
    about : mapping
        Their common provenance.

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
            target.parent.mkdir(exist_ok=True)
    with placed(target, private=content.private, force=force) as temporary:
        found.writers[suffix](temporary, content)
        if suffix in WITHOUT_ROOM:
            _write_beside(target, temporary, content, force=force)
    return target


def checked_target(
    path: str | os.PathLike[str], about: Mapping[str, Any], *,
    format: str | None = None,  # noqa: A002 - as `export`
    force: bool = False,
) -> tuple[Path, Format]:  # fmt: skip
    """The absolute path of a file to be and its format, so that a wrong one is said before the work and not after it.

    Raises
    ------
    InvalidInput, StoreError
        As `export`.
    """
    asked = expanded(Path(path))
    found = chosen(format, asked)
    if found.name == "freqtrade" and asked.is_dir():
        target = freqtrade_path(asked.resolve(), dict(about))
    else:
        target = checked_place(asked)
    if target.is_dir():
        raise StoreError(f"{target} is a folder.", hint="Name a file in it.")
    for there in (target, _beside(target)) if target.suffix.lower() in WITHOUT_ROOM else (target,):
        if there.exists() and not force:
            raise taken(there)
    return target, found


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}{BESIDE}")


def _write_beside(target: Path, written: Path, content: Content, *, force: bool) -> None:
    """Write provenance beside the file, with the digest of what it speaks of."""
    with written.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    told = {"file": target.name, "sha256": digest, **content.provenance()}
    with placed(_beside(target), private=content.private, force=force) as temporary:
        temporary.write_text(as_json(told) + "\n", encoding="utf-8")
