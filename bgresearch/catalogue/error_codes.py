"""The exchange's error codes: group, whether a retry can help, meaning. Reads package data only."""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Literal, NamedTuple, cast, get_args

from bgresearch.errors import CatalogueError

Group = Literal["auth", "timestamp", "permission", "ip", "rate", "param", "symbol", "maintenance", "other"]
Retry = Literal["no", "yes", "cooldown", "resync"]


class ErrorCode(NamedTuple):
    """One error code.

    ``retry`` says what may help: ``no`` nothing, ``yes`` a retry, ``cooldown`` a retry after a pause, ``resync`` a
    retry after reading the exchange's clock.
    """

    group: Group
    retry: Retry
    meaning: str


def error_code(code: str) -> ErrorCode | None:
    """Return the entry of a code (text, leading zeros kept), or None."""
    return error_codes().get(code)


@functools.cache
def error_codes() -> dict[str, ErrorCode]:
    """Return the whole table by code, read once per process.

    Raises
    ------
    CatalogueError
        If a line is malformed; the message names it.
    """
    return parse_codes((files("bgresearch.catalogue") / "errors.toml").read_text("utf-8"))


def parse_codes(text: str) -> dict[str, ErrorCode]:
    """Return the table of a TOML text with lines ``CODE = 'group retry meaning'``.

    Raises
    ------
    CatalogueError
        If the text is not TOML or a line is malformed.
    """
    try:
        lines = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise CatalogueError(f"errors.toml: not TOML ({cause}).") from cause
    return {code: _read(code, line) for code, line in lines.items()}


def _read(code: str, line: object) -> ErrorCode:
    if not code.isdecimal() or not isinstance(line, str) or len(line.split(None, 2)) != 3:
        raise CatalogueError(f"errors.toml, {code}: a line must read CODE = 'group retry meaning'.")
    group, retry, meaning = line.split(None, 2)
    if group not in get_args(Group):
        raise CatalogueError(f"errors.toml, {code}: group {group!r} is not one of {', '.join(get_args(Group))}.")
    if retry not in get_args(Retry):
        raise CatalogueError(f"errors.toml, {code}: retry {retry!r} is not one of {', '.join(get_args(Retry))}.")
    return ErrorCode(cast(Group, group), cast(Retry, retry), meaning)
