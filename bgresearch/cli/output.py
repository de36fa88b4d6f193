"""Every word that a command says to a person, and the same as JSON for a machine.

Results go to standard output, errors as one line to standard error. No secret may reach this room.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from bgresearch.errors import BgresearchError, ConfigurationError, InvalidInput

FAILED, WRONG_USAGE = 1, 2
WrongUsage: Any = typer.BadParameter.__base__  # the framework's own; its module moved between releases
_ARGUMENTS = {
    "data_dir=": "--data-dir",
    "force=True": "--force",
    "offline=True": "--offline",
    "format=": "--format",
    "base_url ": "BGRESEARCH_BASE_URL ",
}

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and an error as a JSON object.")]


def tell(result: dict[str, Any] | list[Any], as_json: bool, say: Callable[[], str]) -> None:
    """Print a result: JSON for a machine, ``say()`` for a person."""
    typer.echo(json.dumps(result, ensure_ascii=False, indent=2) if as_json else say())


def table(rows: list[dict[str, str]]) -> str:
    """Rows as aligned columns; the keys of the first row are the headings."""
    headings = list(rows[0])
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in headings}
    lines = [{name: name for name in headings}, *rows]
    return "\n".join("  ".join(row[name].ljust(widths[name]) for name in headings).rstrip() for row in lines)


def complain(error: Exception, *, as_json: bool) -> int:
    """Say on standard error what failed and what to do next; return the exit status."""
    message = _spoken_here(_one_line(error))
    if as_json:
        _as_object(type(error).__name__, message, _spoken_here(getattr(error, "hint", "")))
    else:
        sys.stderr.write(f"bgresearch: {message}\n")
    return WRONG_USAGE if isinstance(error, InvalidInput) else FAILED


def misused(error: Any, *, as_json: bool) -> int:
    """Say on standard error how a command was called wrongly; return the exit status."""
    if as_json:
        asked = error.ctx.command_path if error.ctx else "bgresearch"
        _as_object("WrongUsage", " ".join(error.format_message().split()), f"Try {asked} --help.")
    else:
        error.show()
    return WRONG_USAGE


def _as_object(kind: str, message: str, hint: str) -> None:
    described = {"kind": kind, "message": message, "hint": hint}
    sys.stderr.write(json.dumps({"error": described}, ensure_ascii=False) + "\n")


def need(*modules: str, extras: str) -> None:
    """Raise `ConfigurationError` naming the extras to install if one of these packages is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        hint = f"Install what is missing: pip install 'bgresearch[{extras}]'."
        raise ConfigurationError(f"This command needs {', '.join(missing)}.", hint=hint)


def _spoken_here(text: str) -> str:
    """The text with what Python calls an argument under the name it has on the command line."""
    for argument, name in _ARGUMENTS.items():
        text = text.replace(argument, name)
    return text


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, BgresearchError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or type(error).__name__}"
    return " ".join(str(error).split()) or type(error).__name__
