"""Parses TOML rows to frozen rows, and refuses malformed ones. Reads package data only, once per process."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any, cast, get_args

from bgresearch.catalogue.endpoint import Column, Endpoint, Kind, Limit, Paging, PagingKind, Param, Response, Scope
from bgresearch.errors import CatalogueError

_KINDS = frozenset(get_args(Kind))
_LIMIT = re.compile(r"([1-9]\d*) per (\d+(?:\.\d+)?) s per (ip|uid)")
_PATH = re.compile(r"/api/v[23](/[A-Za-z0-9-]+)+")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|index\[\d+\]")
_PLAIN_TOML = re.compile(
    r"""\[([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)\]\n    # [area.name]
    | ([a-z_]+)\ =\ (?:
        '''\n([^'\x00-\x09\x0b-\x1f\x7f]*)'''        # lines
        | '([^'\x00-\x1f\x7f]*)'                        # a word
        | (0|[1-9][0-9]{0,8})                          # a number
        | \[([1-9][0-9]{0,8}),\ ([1-9][0-9]{0,8})\]     # a pair of them
      )\n
    | (?:\#[^\x00-\x1f\x7f]*)?\n                       # a comment or an empty line
    """,
    re.VERBOSE,
)
_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_KEYS = {
    "path": str, "title": str, "page": str, "sources": str, "permission": str, "limit": str, "params": str,
    "paging": str, "page_rows": list, "cursor_from": str, "max_pages": int, "max_span_days": int, "lookback_days": int,
    "response": str, "rows_at": str, "time": str, "columns": str, "notes": str,
}  # fmt: skip
_REQUIRED = ("path", "permission", "limit", "response")


class Catalogue:
    """All rows of the table, in order: iterate over rows, or look one up by id or path."""

    def __init__(self, rows: Iterable[Endpoint]) -> None:
        self._rows = tuple(rows)
        self._by_id = {row.id: row for row in self._rows}
        self._by_path = {row.path: row for row in self._rows}
        for row in self._rows:
            if self._by_id[row.id] is not row:
                raise CatalogueError(f"row [{row.id}] is defined twice.")
            if self._by_path[row.path] is not row:
                raise CatalogueError(
                    f"rows [{row.id}] and [{self._by_path[row.path].id}] have the same path {row.path}."
                )

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, endpoint_id: object) -> bool:
        return endpoint_id in self._by_id

    def __getitem__(self, endpoint_id: str) -> Endpoint:
        """Return the row of that id.

        Raises
        ------
        KeyError
            If there is no such row.
        """
        return self._by_id[endpoint_id]

    def at_path(self, path: str) -> Endpoint | None:
        """Return the row of that path, or None."""
        return self._by_path.get(path)


@functools.cache
def load() -> Catalogue:
    """Return every row of the table, read once per process.

    Raises
    ------
    CatalogueError
        If a row is malformed; the message names the file and the row.
    """
    folder = files("bgresearch.catalogue") / "rows"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return Catalogue(row for name in names for row in parse((folder / name).read_text("utf-8"), name))


def parse(text: str, file: str) -> list[Endpoint]:
    """Return the rows of one file.

    Parameters
    ----------
    text : str
        TOML: one table of tables, ``[area.name]``.
    file : str
        File name, for messages.

    Raises
    ------
    CatalogueError
        If the text is not TOML or a row is malformed.
    """
    try:
        areas = read_toml(text)
    except tomllib.TOMLDecodeError as cause:
        raise CatalogueError(f"{file}: not TOML ({cause}).") from cause
    rows: list[Endpoint] = []
    for area, group in areas.items():
        if not isinstance(group, dict):
            raise CatalogueError(f"{file}, {area}: a row must be a table [area.name].")
        for name, fields in group.items():
            row_id = f"{area}.{name}"
            try:
                rows.append(_row(row_id, fields))
            except (ValueError, TypeError) as cause:
                raise CatalogueError(f"{file}, row [{row_id}]: {cause}") from cause
    return rows


def read_toml(text: str) -> dict[str, Any]:
    """Return the same as `tomllib.loads`, several times faster for the simple texts of rows.

    Every start reads 400 rows, for which tomllib takes 17 ms. Text with anything other than ``[area.name]`` tables of
    literal strings, whole numbers and pairs of them, and all errors, are left to tomllib and its messages.

    Raises
    ------
    tomllib.TOMLDecodeError
        If the text is not TOML.
    """
    areas: dict[str, dict[str, dict[str, Any]]] = {}
    row: dict[str, Any] | None = None
    end = 0
    for match in _PLAIN_TOML.finditer(text):
        start, after = match.span()
        area, name, key, lines, word, number, first, second = match.groups()
        if name:
            group = areas.setdefault(area, {})
            fresh = name not in group
            row = group.setdefault(name, {})
        elif key:
            fresh = row is not None and key not in row
            if row is not None:
                row[key] = _plain_value(lines, word, number, first, second)
        else:
            fresh = True
        if start != end or not fresh:
            return tomllib.loads(text)
        end = after
    return areas if end == len(text) else tomllib.loads(text)


def _plain_value(lines: str | None, word: str | None, number: str | None, first: str, second: str) -> object:
    if lines is not None:
        return lines
    if word is not None:
        return word
    return int(number) if number is not None else [int(first), int(second)]


def _row(row_id: str, fields: object) -> Endpoint:
    if not _ID.fullmatch(row_id):
        raise ValueError("the id must be area.name in lower case")
    if not isinstance(fields, dict):
        raise ValueError("a row must be a table [area.name]")
    _check_keys(fields)
    if not _PATH.fullmatch(fields["path"]):
        raise ValueError(f"path {fields['path']!r} is not /api/v2/... or /api/v3/...")
    if fields["response"] not in get_args(Response):
        raise ValueError(f"response {fields['response']!r} is not one of {', '.join(get_args(Response))}")
    columns = _columns(fields.get("columns", ""))
    time = fields.get("time", "")
    if time and all(time != column.name for column in columns):
        raise ValueError(f"time {time!r} is not a column")
    sources = tuple(fields.get("sources", "").split())
    if bool(sources) == ("page" in fields):
        raise ValueError("a row names its page in the documentation, or in sources the clients that it is known from")
    params = tuple(_param(line) for line in fields.get("params", "").splitlines())
    if len({param.name for param in params}) != len(params):
        raise ValueError("a parameter is listed twice")
    return Endpoint(
        id=row_id, method="GET", path=fields["path"], title=fields.get("title", row_id), page=fields.get("page", ""),
        permission=fields["permission"], limit=_limit(fields["limit"]), params=params,
        paging=_paging(fields, params), max_span_days=fields.get("max_span_days"),
        lookback_days=fields.get("lookback_days"), response=cast(Response, fields["response"]),
        rows_at=fields.get("rows_at", ""), time=time, columns=columns,
        notes=tuple(fields.get("notes", "").splitlines()), documented="page" in fields,
        sources=sources,
    )  # fmt: skip


def _check_keys(fields: Mapping[str, Any]) -> None:
    for key in _REQUIRED:
        if key not in fields:
            raise ValueError(f"{key} is missing")
    for key, value in fields.items():
        if key not in _KEYS:
            raise ValueError(f"{key} is not a key of a row")
        if type(value) is not _KEYS[key]:
            raise ValueError(f"{key} must be of type {_KEYS[key].__name__}, is {type(value).__name__}")


def _limit(text: str) -> Limit:
    match = _LIMIT.fullmatch(text)
    if not match:
        raise ValueError(f"limit {text!r} is not 'COUNT per SECONDS s per ip|uid'")
    return Limit(int(match[1]), float(match[2]), cast(Scope, match[3]))


@functools.cache  # startTime, endTime, limit, ... are identical in many rows
def _param(line: str) -> Param:
    """Read ``name [required] [max N] [default X] [in A B C]``."""
    head, _, values = line.partition(" in ")
    if not head.strip():
        raise ValueError("a line of params is empty")
    name, *parts = head.split()
    required, maximum, default = False, None, None
    rest = iter(parts)
    for word in rest:
        if word == "required":
            required = True
        elif word == "max":
            maximum = _count(name, next(rest, "nothing"))
        elif word == "default":
            default = next(rest, None)
            if default is None:
                raise ValueError(f"parameter {name}: default has no value")
        else:
            raise ValueError(f"parameter {name}: {word!r} is not required, max, default or in")
    return Param(name, required, maximum, default, tuple(values.split()))


def _count(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"parameter {name}: max {text!r} is not a positive number")
    return int(text)


def _paging(fields: Mapping[str, Any], params: tuple[Param, ...]) -> Paging:
    kind, *names = fields.get("paging", "none").split()
    if kind not in get_args(PagingKind):
        raise ValueError(f"paging {kind!r} is not one of {', '.join(get_args(PagingKind))}")
    for name in names:
        if all(name != param.name for param in params):
            raise ValueError(f"paging names {name!r}, which is not a parameter")
    rows = fields.get("page_rows", [None, None])
    if len(rows) != 2 or not all(row is None or (type(row) is int and row > 0) for row in rows):
        raise ValueError("page_rows must be [default, maximum], two positive numbers")
    return Paging(
        cast(PagingKind, kind), tuple(names), rows[0], rows[1], fields.get("cursor_from", ""), fields.get("max_pages")
    )


def _columns(text: str) -> tuple[Column, ...]:
    """Read one column per line, ``name kind [unit] [-> alias] [= VALUE VALUE] [!]``; two more spaces nest."""
    columns: dict[str, Column] = {}
    parents: list[str] = []
    for line in text.splitlines():
        stripped = line.lstrip(" ")
        depth = (len(line) - len(stripped)) // 2
        if depth > len(parents):
            raise ValueError(f"column {stripped!r} is indented without a parent")
        column = _column(stripped, ".".join(parents[:depth]))
        parents[depth:] = [column.name]
        if column.path in columns:
            raise ValueError(f"column {column.path} is listed twice")
        columns[column.path] = column
    return tuple(columns.values())


@functools.cache  # many rows share a line; parsing each once shortens load() by a third
def _column(text: str, inside: str) -> Column:
    body, deprecated = (text[:-2], True) if text.endswith(" !") else (text, False)
    body, _, values = body.partition(" = ")
    body, _, alias = body.partition(" -> ")
    parts = body.split(None, 2)
    if len(parts) < 2:
        raise ValueError(f"column {text!r} has no kind")
    name, kind, unit = (*parts, "")[:3]
    if kind not in _KINDS:
        raise ValueError(f"column {name}: kind {kind!r} is unknown")
    if not _COLUMN.fullmatch(name):
        raise ValueError(f"column {name!r} is not a plain name")
    path = f"{inside}.{name}" if inside else name
    return Column(name, cast(Kind, kind), unit, path, alias, tuple(values.split()), deprecated)
