"""The output of commands: text for people, JSON for programs.

Results go to standard output, errors as one line to standard error. No secret is passed to this module.
"""

from __future__ import annotations

import json
import re
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

_OPTIONS = {
    **dict.fromkeys(("--start", "--from", "--begin", "--start-time", "--last"), "--since"),
    **dict.fromkeys(("--end", "--to", "--stop", "--end-time"), "--until"),
    **dict.fromkeys(("--timeframe", "--granularity", "--freq"), "--interval"),
    **dict.fromkeys(("--product-type", "--category", "--type"), "--market"),
    **dict.fromkeys(("--output", "--out", "--file", "-o"), "--to"),
}  # fmt: skip
_COMMANDS = {
    **dict.fromkeys(("klines", "kline", "ohlcv", "bars", "candles", "candle"), "download candles"),
    **dict.fromkeys(("key", "label", "labels"), "keys list"),
    **dict.fromkeys(("unlock", "lock", "init"), "vault unlock"),
    **dict.fromkeys(("jupyter", "notebook", "notebooks"), "lab"),
    **dict.fromkeys(("remove", "delete", "purge"), "uninstall"),
    **dict.fromkeys(("live", "stream", "watch"), "record --live"),
    **dict.fromkeys(("test", "status", "diagnose"), "check"),
    **dict.fromkeys(("login", "signin", "connect", "add"), "setup"),
    "help": "--help",
    "version": "--version",
}
_KINDS = ("download", "export")  # commands of kinds of data: candles is what most people want

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and an error as a JSON object.")]


def print_result(result: dict[str, Any] | list[Any], as_json: bool, say: Callable[[], str]) -> None:
    """Print a result: as JSON, or as the text of ``say()``."""
    typer.echo(json.dumps(result, ensure_ascii=False, indent=2) if as_json else say())


def table(rows: list[dict[str, str]]) -> str:
    """Return rows as aligned columns; the keys of the first row are the headings."""
    headings = list(rows[0])
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in headings}
    lines = [{name: name for name in headings}, *rows]
    return "\n".join("  ".join(row[name].ljust(widths[name]) for name in headings).rstrip() for row in lines)


def complain(error: Exception, *, as_json: bool) -> int:
    """Print to standard error what failed and what to do next; return the exit status."""
    message = _with_option_names(_one_line(error))
    if as_json:
        _as_object(type(error).__name__, message, _with_option_names(getattr(error, "hint", "")))
    else:
        sys.stderr.write(f"bgresearch: {message}\n")
    return WRONG_USAGE if isinstance(error, InvalidInput) else FAILED


def misused(error: Any, *, as_json: bool) -> int:
    """Print to standard error what is wrong in a command's usage; return the exit status."""
    _name_the_right_one(error)
    if as_json:
        asked = error.ctx.command_path if error.ctx else "bgresearch"
        _as_object("WrongUsage", " ".join(error.format_message().split()), f"Try {asked} --help.")
    else:
        error.show()
    return WRONG_USAGE


def _name_the_right_one(error: Any) -> None:
    """Add the right name to the message about an option or a command of a common wrong one."""
    if error.ctx is not None and error.ctx.info_name == "sql" and "extra argument" in error.message:
        error.message += ". Put the query in quotes."
    option, known = getattr(error, "option_name", None), set()
    if error.ctx is not None:
        known = {name for one in error.ctx.command.params for name in one.opts}
    if option is not None and _OPTIONS.get(option) in known:
        error.possibilities = [_OPTIONS[option]]
    command = re.search(r"No such command '([^']+)'", str(error.message))
    if command is None or error.ctx is None:
        return
    if command[1] in _COMMANDS and error.ctx.parent is None:
        error.message = f"{command[0]}. It is called: bgresearch {_COMMANDS[command[1]]}"
    elif error.ctx.info_name in _KINDS and "Did you mean" not in error.message:
        is_kind = _COMMANDS.get(command[1]) == "download candles"
        rest = "" if is_kind else f" {command[1]} --since 30d"
        error.message = f"{command[0]}. Name what of it first: bgresearch {error.ctx.info_name} candles{rest}"


def _as_object(kind: str, message: str, hint: str) -> None:
    described = {"kind": kind, "message": message, "hint": hint}
    sys.stderr.write(json.dumps({"error": described}, ensure_ascii=False) + "\n")


def need(*modules: str, extras: str) -> None:
    """Raise `ConfigurationError` naming the extras to install if one of these packages is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        hint = f"Install what is missing: pip install 'bgresearch[{extras}]'."
        raise ConfigurationError(f"This command needs {', '.join(missing)}.", hint=hint)


def _with_option_names(text: str) -> str:
    """Return the text with Python's names of arguments replaced by those of the command line."""
    for argument, name in _ARGUMENTS.items():
        text = text.replace(argument, name)
    return text


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, BgresearchError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or type(error).__name__}"
    return " ".join(str(error).split()) or type(error).__name__
