"""``bgresearch uninstall``: lists what this package has stored on this machine, and removes it on yes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.cli.prompts import UNASKED, agreed
from bgresearch.cli.store_folder import readable
from bgresearch.errors import AgentError, StoreError

_KEYS = "keys"
_LAST = (
    "Delete the keys on the exchange as well: removing a vault does not end them.\n"
    "The program itself: pip uninstall bgresearch, or delete the clone with its .venv."
)


@dataclass(frozen=True)
class InstalledPlace:
    """One thing that this package made: what it is, where, and the files or folders to delete."""

    name: str
    where: Path
    paths: tuple[Path, ...]


def uninstall(
    yes: Annotated[bool, typer.Option("--yes", help="Remove everything but the vault without asking.")] = False,
    vault: Annotated[bool, typer.Option("--vault", help="With --yes: the vault and its keys as well.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is stored where.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what of this package is on this machine and remove it: data, caches, state, the vault last."""
    from bgresearch.store.housekeeping import size_of

    places = found_places()
    rows = [{"what": one.name, "where": str(one.where), "bytes": size_of(one.paths)} for one in places]
    shown = [
        {"what": str(row["what"]), "where": str(row["where"]), "size": readable(int(str(row["bytes"])))} for row in rows
    ]
    if not as_json:
        typer.echo(table(shown) if shown else "Nothing of bgresearch is stored on this machine.")
    removed = []
    for place in [] if dry_run else places:
        wanted = vault or place.name != _KEYS
        if not yes:
            wanted = agreed(_question(place), default=False, instead=UNASKED)
        if wanted:
            _remove(place)
            removed.append(place.name)
    if removed and _KEYS in removed:
        _end_agent()
    print_result({"places": rows, "removed": removed}, as_json, lambda: _summary(removed))


def found_places() -> list[InstalledPlace]:
    """Return what is there, the vault last."""
    from bgresearch.agent.socket_path import default_vault
    from bgresearch.core.user_folders import chosen_path, user_folder
    from bgresearch.http.ratelimit.sqlite_file import default_folder
    from bgresearch.store.housekeeping import own_entries

    places = [("data", user_folder("data", "BGRESEARCH_DATA_DIR")),
              ("data of demo keys", user_folder("data", "BGRESEARCH_DATA_DIR", "bgresearch-demo")),
              ("data of the sandbox, cached publications", user_folder("cache", "BGRESEARCH_DATA_DIR")),
              ("request budget, wizard's progress", default_folder()),
              ("state", user_folder("state", "XDG_STATE_HOME"))]  # fmt: skip
    found = [InstalledPlace(name, where, (where,)) for name, where in dict(places).items() if where.is_dir()]
    if chosen := chosen_path("BGRESEARCH_DATA_DIR"):
        root = chosen.absolute()
        found.insert(0, InstalledPlace("data (BGRESEARCH_DATA_DIR)", root, tuple(own_entries(root))))
    file = default_vault()
    keys = tuple(sorted(one for one in file.parent.glob("*") if _of_vault(one, file))) if file.parent.is_dir() else ()
    found.append(InstalledPlace(_KEYS, file, keys))
    unique = {one.where: one for one in found if one.paths}
    return list(unique.values())


def _of_vault(path: Path, file: Path) -> bool:
    return path.name == file.name or path.name.removeprefix(".").startswith(f"{file.name}.")


def _question(place: InstalledPlace) -> str:
    if place.name == _KEYS:
        return "Delete the vault with every key in it, for good?"
    return f"Delete {place.name}?"


def _remove(place: InstalledPlace) -> None:
    for path in place.paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"{error.filename or path}: {error.strerror or error}.", hint="Delete it by hand."
            ) from None


def _end_agent() -> None:
    """End the agent, which still holds the keys of the vault that was deleted."""
    from bgresearch.agent.client import Agent

    try:
        with Agent() as agent:
            agent.lock()
    except AgentError:  # none is running
        return


def _summary(removed: list[str]) -> str:
    done = f"Removed: {', '.join(removed)}." if removed else "Nothing was removed."
    return f"{done}\n{_LAST}"
