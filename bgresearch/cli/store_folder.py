"""``bgresearch store``: what the data folder holds, how large it is, removing a part, moving it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bgresearch.cli.options import DataDir
from bgresearch.cli.output import AsJson, print_result, table
from bgresearch.cli.prompts import UNASKED, agreed
from bgresearch.errors import ConfigurationError

store = typer.Typer(no_args_is_help=True, help="What is stored: list it, measure it, remove or move it.")
_UNITS = ("B", "kB", "MB", "GB", "TB")

OfKind = Annotated[
    str | None,
    typer.Option("--kind", metavar="KIND", help="candles, trades, recorded, account ...", show_default="all"),
]
OfMarket = Annotated[str | None, typer.Option("--market", metavar="NAME", help="One market.", show_default="all")]


@store.command("list")
def list_(
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", show_default=False)] = None,
    kind: OfKind = None,
    market: OfMarket = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List what is stored, with its periods and sizes; no request is made."""
    from bgresearch.store.housekeeping import contents

    root = _root(data_dir)
    name, place = _spelled(symbol, market)
    parts = [
        one for one in contents(root)
        if (kind is None or kind in (one.kind, one.kind.split()[0]))
        and name in (None, one.symbol) and place in (None, one.market)
    ]  # fmt: skip
    rows = [_row(one) for one in parts]
    total = sum(one.size for one in parts)
    text = f"{table([_shown(row) for row in rows])}\n\n" if rows else ""
    print_result(
        {"data_dir": str(root), "parts": rows, "bytes": total}, as_json,
        lambda: f"{text}{readable(total)} in {root}",
    )  # fmt: skip


@store.command()
def du(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show how much space each kind of data takes, pins and everything else in the folder included."""
    from bgresearch.store.housekeeping import contents, own_entries, size_of

    root = _root(data_dir)
    kinds: defaultdict[str, int] = defaultdict(int)
    for part in contents(root):
        kinds[part.kind] += part.size
    whole = size_of(own_entries(root))
    kinds["pins, locks and the rest"] = max(whole - sum(kinds.values()), 0)
    rows = [{"kind": name, "size": readable(size)} for name, size in sorted(kinds.items(), key=lambda one: -one[1])]
    result = {"data_dir": str(root), "kinds": dict(kinds), "bytes": whole}
    print_result(result, as_json, lambda: f"{table(rows)}\n\n{readable(whole)} in {root}")


@store.command()
def rm(
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", show_default=False)] = None,
    kind: OfKind = None,
    market: OfMarket = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Delete what is stored of a symbol, a kind or a market, after showing it; pins keep what they froze."""
    from bgresearch.store.housekeeping import chosen_parts, remove_parts

    root = _root(data_dir)
    name, place = _spelled(symbol, market)
    parts = chosen_parts(root, kind=kind, symbol=name, market=place)
    rows = [_row(one) for one in parts]
    if not as_json:
        typer.echo(table([_shown(row) for row in rows]))
    if any(one.kind.startswith("account") for one in parts):
        typer.echo("Account records older than the exchange's look-back cannot be fetched again.", err=True)
    question = f"Delete {sum(len(one.files) for one in parts)} files?"
    if not yes and not agreed(question, default=False, instead=UNASKED):
        raise ConfigurationError("Nothing was deleted.")
    freed = remove_parts(root, parts)
    print_result({"data_dir": str(root), "removed": rows, "bytes": freed}, as_json, lambda: f"{readable(freed)} freed.")


@store.command()
def move(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that is not there yet.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Move the whole data folder elsewhere, also to another disk; no other process may use it meanwhile."""
    from bgresearch.connect import is_subfolder
    from bgresearch.store.housekeeping import move_folder

    root = _root(data_dir)
    own = is_subfolder(root)  # of the sandbox, or of demo keys: it is found again in a folder of this name alone
    target = move_folder(root, folder / root.name if own else folder)
    text = f"Moved {root} to {target}.\nFrom now on set: BGRESEARCH_DATA_DIR={target.parent if own else target}"
    print_result({"from": str(root), "to": str(target)}, as_json, lambda: text)


def _root(data_dir: Path | None) -> Path:
    from bgresearch.connect import data_folder

    return data_folder(data_dir).absolute()


def _spelled(symbol: str | None, market: str | None) -> tuple[str | None, str | None]:
    """Return symbol and market in the store's spelling."""
    from bgresearch.core.symbols import known_market, own_symbol

    place = None if market is None else known_market(market, [symbol] if symbol else [])
    found, name = own_symbol(place, symbol)
    return name, found


def _row(part: Any) -> dict[str, Any]:
    return {
        "kind": part.kind, "market": part.market, "symbol": part.symbol, "first": part.first, "last": part.last,
        "files": len(part.files), "bytes": part.size,
    }  # fmt: skip


def _shown(row: dict[str, Any]) -> dict[str, str]:
    plain = {name: str(value) or "-" for name, value in row.items() if name != "bytes"}
    return {**plain, "size": readable(row["bytes"])}


def readable(size: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"
