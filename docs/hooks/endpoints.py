"""The table of endpoints as pages: one for each area, one section for each row, nothing written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bgresearch.catalogue import Endpoint, load
from bgresearch.client.api_signatures import columns, facts, param_words, signature, source_of

_TITLES = {
    "broker": "Brokers", "common": "Common", "convert": "Conversions", "copy": "Copy trading", "data": "Trading data",
    "earn": "Earn", "futures": "Futures", "ins_loan": "Institutional loans", "loan": "Loans", "margin": "Margin",
    "notice": "Announcements", "p2p": "Peer to peer", "spot": "Spot", "subaccount": "Sub-accounts", "tax": "Tax",
    "uta": "Unified accounts",
}  # fmt: skip
_HEAD = """\
# {title}

The {count} rows of the table that begin with `{area}.`, as the client, the limiter and the sandbox read them. How to
call them is in [the raw namespace](../raw.md); [the overview](../coverage.md) has all areas.

"""
_LINE = 60  # characters of parameters that fit next to the name
_ROW = re.compile(r"^\| `([a-z0-9_]+)\.([a-z0-9_]+)`", re.MULTILINE)
_AREA = re.compile(r"^## ([a-z0-9_]+)$", re.MULTILINE)
_VERB = re.compile(r"^### `client\.([a-z_.]+)\(.*\)`$", re.MULTILINE)
_ANSWERED = re.compile(r"^Answered by (.*)\.$", re.MULTILINE)


def pages() -> Iterator[tuple[str, str]]:
    """Yield the page of each area."""
    rows = tuple(load())
    for area in sorted({row.area for row in rows}):
        inside = [row for row in rows if row.area == area]
        head = _HEAD.format(title=_TITLES.get(area, area), count=len(inside), area=area)
        yield f"endpoints/{area}.md", head + "\n".join(map(_section, inside))


def linked(text: str, place: str) -> str:
    """Return the text of the overview, or of the verbs, with links to the rows that it names."""
    if place == "coverage.md":
        text = _ROW.sub(lambda it: f"| [`{it[1]}.{it[2]}`](endpoints/{it[1]}.md#{it[1]}.{it[2]})", text)
        return _AREA.sub(lambda it: f"## [{it[1]}](endpoints/{it[1]}.md)", text)
    if place == "verbs.md":
        by_page = {row.page or row.id: row for row in load()}
        text = _VERB.sub(lambda it: f'{it[0]} {{ data-toc-label="{it[1]}" }}', text)
        return _ANSWERED.sub(lambda it: f"Answered by {', '.join(_sources(it[1], by_page))}.", text)
    return text


def _sources(words: str, by_page: dict[str, Endpoint]) -> Iterator[str]:
    for name in words.split(", "):
        row = by_page.get(name)
        yield f"[{row.id}](endpoints/{row.area}.md#{row.id})" if row else name


def _section(row: Endpoint) -> str:
    lines = [f"## {row.name} {{ #{row.id} }}", "", row.title, "", "```py", _called(row), "```", ""]
    entries = [("Path", f"`GET {row.path}`"), *facts(row), ("Source", source_of(row))]
    lines += [f"* **{name}**: {words}" for name, words in entries]
    lines += [f"* **Note**: {note}" for note in row.notes]
    if row.params:
        lines += ["", "| parameter | what it takes |", "|---|---|"]
        lines += [f"| `{param.name}` | {_cell(param_words(param))} |" for param in row.params]
    described = list(columns(row))
    if described:
        lines += ["", f'??? abstract "{len(described)} columns"', "", "    | column | what it holds |", "    |---|---|"]
        lines += [f"    | `{label}` | {_cell(words)} |" for label, words in described]
    return "\n".join([*lines, "", ""])


def _called(row: Endpoint) -> str:
    """Return the call with its parameters, on as many lines as it takes."""
    parameters = signature(row).parameters.values()
    words = ", ".join(map(str, parameters))
    if len(words) < _LINE:
        return f"{row.call}({words})"
    return "\n".join([f"{row.call}(", *(f"    {one}," for one in parameters), ")"])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
