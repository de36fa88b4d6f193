"""``bgresearch archive``: the private history of a key, saved in the data folder before the exchange deletes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bgresearch.cli.agent import holds
from bgresearch.cli.options import DataDir, as_an_option
from bgresearch.cli.output import AsJson, print_result
from bgresearch.cli.prompts import PasswordFile, VaultPath, opened
from bgresearch.errors import BgresearchError

if TYPE_CHECKING:
    from bgresearch.account.archive import Archive
    from bgresearch.client.client import Client


class ListsFailed(BgresearchError):
    """Some lists could not be archived; the others were."""

    def __init__(self, found: Archive) -> None:
        super().__init__(f"{len(found.failed)} of {len(found.lines)} lists could not be archived; the others are kept.")


def archive(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's label.", show_default=False)],
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Nothing older.", show_default="as far back as the exchange has data"),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="KIND", help="Only this one, such as fills; can be repeated.", show_default="all"
        ),
    ] = None,
    data_dir: DataDir = None,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Download all private history of a key to the data folder, through the agent if it runs; later only new data."""
    with connected(name, path, password_file, data_dir) as client:
        say = (lambda _text: None) if as_json else (lambda text: typer.echo(text, err=True))
        with as_an_option():
            found = client.account.archive(since, kinds=kinds or None, say=say)
    print_result(_described(found), as_json, lambda: str(found))
    if found.failed:
        raise ListsFailed(found)


@contextmanager
def connected(
    name: str, path: Path | None, password_file: str, data_dir: Path | None, *, offline: bool = False
) -> Iterator[Client]:  # fmt: skip
    """Give a client of the key: through the agent if it holds the vault, else signing in this process."""
    from bgresearch.connect import connect

    if not password_file and holds(path):
        with connect(key=name, data_dir=data_dir, offline=offline) as client:
            yield client
        return
    with opened(path, password_file) as vault:
        address = os.environ.get("BGRESEARCH_BASE_URL") or vault.get(name).host
        with connect(key=name, vault=vault, base_url=address, data_dir=data_dir, offline=offline) as client:
            yield client


def _described(found: Archive) -> dict[str, Any]:
    about = {"uid": found.uid, "mode": found.mode, "folder": found.folder, "new": found.new, "due": found.due}
    return {**about, "lines": [asdict(line) for line in found.lines], "warnings": list(found.warnings)}
