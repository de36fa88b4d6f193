"""``bgresearch doctor``: whether this machine and the exchange are as the package assumes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bgresearch.cli.archive import connected
from bgresearch.cli.options import DataDir, needs
from bgresearch.cli.output import AsJson, print_result
from bgresearch.cli.prompts import PasswordFile, VaultPath

if TYPE_CHECKING:
    from bgresearch.client.client import Client


def doctor(
    key: Annotated[
        str, typer.Option(metavar="NAME", help="The label of a key: say what it may do, too.", show_default="no key")
    ] = "",
    streams: Annotated[bool, typer.Option(help="Whether to take a minute for streams and candles.")] = True,
    report: Annotated[
        Path, typer.Option(metavar="FILE", help="Where the report goes that can be attached to an issue.")
    ] = Path("bgresearch-doctor.json"),
    data_dir: DataDir = None,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Compare what is assumed of the exchange, and of this machine, with at most 80 public requests."""
    if password_file:
        needs("--password-file", "--key", key)
    with _client(key, path, password_file, data_dir) as client:
        found = client.doctor(streams=streams)
    place = found.save(report)
    print_result(found.as_json(), as_json, lambda: f"{found}\n\nThe report is in {place}: no secret is in it.")


def _client(
    key: str, path: Path | None, password_file: str, data_dir: Path | None
) -> AbstractContextManager[Client]:  # fmt: skip
    if key:
        return connected(key, path, password_file, data_dir)
    from bgresearch.connect import connect

    return connect(data_dir=data_dir)
