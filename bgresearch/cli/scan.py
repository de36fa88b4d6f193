"""``bgresearch scan``: looks for the vault's own secrets where they must not be."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bgresearch.cli.options import excludes
from bgresearch.cli.output import AsJson, table, tell
from bgresearch.cli.prompts import PasswordFile, VaultPath, opened


def scan(
    paths: Annotated[list[Path] | None, typer.Argument(help="Files and folders; the current one.")] = None,
    staged: Annotated[bool, typer.Option("--staged", help="What git has staged instead, before a commit.")] = False,
    git: Annotated[bool, typer.Option("--git/--no-git", help="Whether to search every git object.")] = True,
    path: VaultPath = None,
    password_file: PasswordFile = "",
    as_json: AsJson = False,
) -> None:
    """Look for the vault's secrets in files, notebooks, histories and git. Exit status 1: one is there."""
    from bgresearch.keys import leak_scan as scanning

    if staged:
        excludes("--staged", ("--no-git", not git), ("more than one path", len(paths or []) > 1))
    places = paths or [Path()]
    with opened(path, password_file) as vault:
        searcher = vault.searcher()
        report = scanning.scan_staged(places[0], searcher) if staged else scanning.scan(places, searcher, with_git=git)
        short = [f"{field} of key {label!r} is too short to be looked for" for label, field in searcher.too_short]
    hits = [asdict(hit) for hit in report.hits]
    words = [table(hits)] if hits else []
    words += [f"Not searched: {text}." for text in (*report.unread, *short)]
    words.append(f"{len(hits)} places in {report.searched} files and git objects.")
    if hits:
        words.append("Delete these keys at the exchange: whoever has read these places has them.")
    told = {"hits": hits, "unread": list(report.unread), "too_short": short, "searched": report.searched}
    tell(told, as_json, lambda: "\n".join(words))
    raise typer.Exit(1 if hits or report.unread else 0)
