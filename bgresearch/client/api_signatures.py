"""A row of the table in words: the docstring and the signature of its callable. Pure."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from bgresearch.catalogue import Column, Endpoint, Param
from bgresearch.catalogue.endpoint import END, START

SIZES = ("limit", "pageSize")
_WIDTH = 96
_CODES = {"public": "none, public data", "any": "any valid key"}
_TYPES = {
    "decimal": "float64", "percent": "float64", "int": "Int64", "ms": "datetime64[ms, UTC]", "flag": "boolean",
    "bool": "boolean", "enum": "category", "list": "text (JSON)", "object": "text (JSON)", "json": "text (JSON)",
}  # fmt: skip
_WALKS = {
    "time-window": "by windows of time",
    "id-cursor": "by ids, backwards",
    "cursor": "by the cursor in each answer",
    "page": "by page numbers",
}


def signature(endpoint: Endpoint, *, walk: Mapping[str, object] | None = None) -> inspect.Signature:
    """Return the signature of a row's callable: keyword-only, required ones first.

    Parameters
    ----------
    endpoint : Endpoint
        The row.
    walk : mapping, optional
        Options of the walk with their defaults. It turns the pages itself and takes a start where there is an end.
    """
    chosen = list(endpoint.params)
    if walk is not None:
        turned = turning(endpoint)
        chosen = [param for param in chosen if param.name not in turned]
        chosen = [param._replace(default=None) if param.name in SIZES else param for param in chosen]
        if endpoint.param(END) is not None and endpoint.param(START) is None:
            chosen.append(Param(START))
    return inspect.Signature(
        [
            inspect.Parameter(param.name, inspect.Parameter.KEYWORD_ONLY, default=_default(param))
            for param in sorted(chosen, key=lambda param: not param.required)
        ]
        + [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=it) for name, it in (walk or {}).items()]
    )


def turning(endpoint: Endpoint) -> frozenset[str]:
    """Return the names of the parameters that turn pages."""
    paging = endpoint.paging
    if paging.kind in ("none", "time-window"):
        return frozenset()
    return frozenset(paging.params) - {START, END, *SIZES}


def describe(endpoint: Endpoint) -> str:
    """Return what a person wants to know about a row, as a docstring."""
    lines = [f"{endpoint.title}.", "", f"GET {endpoint.path}"]
    lines += [*(f"{name}: {words}." for name, words in facts(endpoint)), ""]
    if endpoint.params:
        lines += ["Parameters", "----------"]
        for param in endpoint.params:
            lines += _wrapped(f"{param.name} : {param_words(param)}")
        lines.append("")
    lines += ["Returns", "-------", "DataFrame"]
    described = (f"{label} : {words}" for label, words in columns(endpoint))
    lines += [line for words in described for line in _wrapped(words, inside="    ")] or [
        "    What the answer has, as text: no page describes it."
    ]
    lines.append("")
    if endpoint.notes:
        lines += ["Notes", "-----", *(line for note in endpoint.notes for line in _wrapped(note)), ""]
    return "\n".join([*lines, f"Source: {source_of(endpoint)}"])


def source_of(endpoint: Endpoint) -> str:
    """Return the page of the exchange's documentation that a row was read from, in words where there is none."""
    return endpoint.page or f"not documented; known from {', '.join(endpoint.sources)}"


def param_words(param: Param) -> str:
    """Return what is known of a parameter, in words."""
    words = [
        "required" if param.required else "optional",
        "a time" if param.name in (START, END) else "",
        f"one of {', '.join(param.enum)}" if param.enum else "",
        f"at most {param.maximum}" if param.maximum is not None else "",
        f"default {param.default}" if param.default is not None else "",
    ]
    return "; ".join(word for word in words if word)


def facts(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield facts in words: permission, limit, longest span of a request, look-back, how `.all` turns pages."""
    yield "Permission", _CODES.get(endpoint.permission, endpoint.permission)
    limit = endpoint.limit
    pace = f"{limit.count} per {limit.seconds:g} s and {'account' if limit.scope == 'uid' else 'address'}"
    yield "Limit", pace + ("" if endpoint.documented else " (assumed: no page states one)")
    if endpoint.max_span_days is not None:
        yield "Window", f"at most {endpoint.max_span_days} days per request"
    if endpoint.lookback_days is not None:
        yield "Look-back", f"{endpoint.lookback_days} days; older rows are gone from the exchange"
    paging = endpoint.paging
    if paging.kind != "none":
        most = f", at most {paging.max_rows} rows a page" if paging.max_rows else ""
        yield "Pages", f".all(...) walks them {_WALKS[paging.kind]}{most}"


def columns(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield the columns of the frame with their description; objects that only group other columns are left out."""
    prefix = f"{endpoint.rows_at}." if endpoint.rows_at else ""
    for column in endpoint.columns:
        holds_others = any(other.path.startswith(f"{column.path}.") for other in endpoint.columns)
        if column.path == endpoint.rows_at or (column.kind == "object" and holds_others):
            continue
        words = [
            _TYPES.get(column.kind, "text"), unit_of(column), f"one of {', '.join(column.enum)}" if column.enum else "",
            "deprecated" if column.deprecated else "",
            "" if column.path.startswith(prefix) else 'next to the rows, in df.attrs["bgresearch"]',
        ]  # fmt: skip
        yield column.alias or column.path.removeprefix(prefix), "; ".join(word for word in words if word)


def unit_of(column: Column) -> str:
    """Return a column's unit in words, empty where it has none."""
    if column.kind == "percent":
        return "ratio, 1 = 100 %"
    return "" if column.kind == "ms" else column.unit


def _wrapped(text: str, inside: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=inside, subsequent_indent=f"{inside}    ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _default(param: Param) -> Any:
    return inspect.Parameter.empty if param.required else param.default
