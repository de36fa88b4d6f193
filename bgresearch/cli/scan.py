"""``bgresearch scan``: searches for the vault's own secrets where they must not be."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bgresearch.cli.options import excludes
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.cli.prompts import PasswordFile, VaultPath, opened


def scan(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files and folders; the current one.")] = None,
    staged: Annotated[bool, typer.Option("--staged", help="Search what git has staged, before a commit.")] = False,
    git: Annotated[bool, typer.Option("--git/--no-git", help="Whether to search every git object.")] = True,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Search files, notebooks, histories and git for the vault's secrets. Exit status 1: one was found."""
    from bgresearch.keys import leak_scan as scanning

    if staged:
        excludes("--staged", ("--no-git", not git), ("more than one path", len(paths or []) > 1))
    places = paths or [Path()]
    with opened(path, password_file) as vault:
        searcher = vault.searcher()
        report = scanning.scan_staged(places[0], searcher) if staged else scanning.scan(places, searcher, with_git=git)
        short = [f"{field} of key {label!r} is too short to be searched for" for label, field in searcher.too_short]
    hits = [asdict(hit) for hit in report.hits]
    lines = [table(hits)] if hits else []
    lines += [f"Not searched: {text}." for text in (*report.unread, *short)]
    lines.append(f"{len(hits)} places in {report.searched} files and git objects.")
    if hits:
        lines.append("Delete these keys at the exchange: anyone who has read these places has them.")
    result = {"hits": hits, "unread": list(report.unread), "too_short": short, "searched": report.searched}
    print_result(result, as_json, lambda: "\n".join(lines))
    raise typer.Exit(1 if hits or report.unread else 0)
