"""``bgresearch import``: files of the bulk archive that were downloaded by hand, into the local store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bgresearch.cli.options import DataDir, as_an_option
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.errors import BgresearchError


class FilesSetAside(BgresearchError):
    """Some files failed their checks; the others are in the store."""


def import_files(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files (.zip, .csv, .xlsx), or folders of them.")],
    *,
    market: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of files whose names do not say it; with --symbol.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(metavar="SYMBOL", help="Of files whose names do not say it; with --market.")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Import files of the exchange's bulk archive into the local store; they are checked, and not moved or deleted."""
    from bgresearch.connect import connect

    with connect(data_dir=data_dir) as client:
        with as_an_option("paths"):
            frame = client.import_archive(paths, market=market, symbol=symbol)
        place = client.data_dir
    about = frame.attrs["bgresearch"]
    files = [_plain(row) for row in frame.to_dict("records")]
    result = {"data_dir": place, "files": files, **{key: about[key] for key in ("rows", "gaps", "differences")}}
    print_result(result, as_json, lambda: _words(files, about, place))
    aside = [one for one in files if one["state"] == "set aside"]
    if aside:
        raise FilesSetAside(
            f"{len(aside)} of {len(files)} files were set aside. {aside[0]['file']}: {aside[0]['reason']}"
        )


def _plain(row: dict[Any, Any]) -> dict[str, str | None]:
    import pandas as pd

    def text(value: Any) -> str | None:
        if pd.isna(value):
            return None
        return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, pd.Timestamp) else str(value)

    return {str(name): text(value) for name, value in row.items()}


def _words(files: list[dict[str, str | None]], about: dict[str, Any], place: str) -> str:
    shown = [
        {"file": Path(one["file"] or "").name, "what": f"{one['data'] or '-'} {one['symbol'] or ''}".strip(),
         "from": one["start"] or "-", "state": one["state"] or "", "reason": one["reason"] or ""}
        for one in files
    ]  # fmt: skip
    return f"{table(shown)}\n\n{about['rows']:,} rows were added to {place}"
