"""One self-contained HTML page: figures, tabs and facts. It loads nothing from anywhere, and its policy says so."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from bgresearch.errors import StoreError
from bgresearch.store.disk import ANYWHERE, in_words, replacing


@dataclass(frozen=True)
class Panel:
    """One box of a page: figures that share the space (tabs, if more than one) or facts as name and value.

    Attributes
    ----------
    figures : mapping of str to plotly Figure
        Tab label to figure.
    facts : mapping of str to str
        Shown as a list.
    """

    figures: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


def page(title: str, panels: Sequence[Panel], *, lead: str = "", footer: str = "") -> str:
    """The whole page as text, Plotly's script included (about 5 MB).

    Parameters
    ----------
    title, lead, footer : str
        Plain text; escaped here.
    panels : sequence of Panel
        Top to bottom.
    """
    from plotly.offline import get_plotlyjs

    sections, figures = [], []
    for number, panel in enumerate(panels):
        tabs = {f"figure-{number}-{index}": item for index, item in enumerate(panel.figures.items())}
        figures += [f'"{name}": {figure.to_json()}' for name, (_, figure) in tabs.items()]
        sections.append(_section({name: label for name, (label, _) in tabs.items()}, panel.facts))
    template = Template(resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(title),
        lead=html.escape(lead),
        footer=html.escape(footer),
        sections="\n".join(sections),
        plotly_js=get_plotlyjs(),
        figures="{" + ",\n".join(figures).replace("</", "<\\/") + "}",
    )


def write_page(path: Path, text: str) -> Path:
    """The absolute path of the page, written in one step: an older page stays whole until the new one is.

    Raises
    ------
    StoreError
        The folder cannot be written to.
    """
    target = checked_place(path)
    with in_words("write", target, ANYWHERE), replacing(target) as part:
        part.write_text(text, encoding="utf-8")
    return target


def checked_place(path: Path) -> Path:
    """The absolute path of a page to be, so that a wrong one is said before the work and not after it.

    Raises
    ------
    StoreError
        There is no such folder.
    """
    target = path.expanduser().resolve()
    if not target.parent.is_dir():
        raise StoreError(
            f"{target} cannot be written: there is no folder {target.parent}.", hint="Choose another place."
        )
    return target


def _section(tabs: Mapping[str, str], facts: Mapping[str, str]) -> str:
    parts = []
    if len(tabs) > 1:
        buttons = (
            f'<button type="button" role="tab" data-panel="{name}" aria-selected="{str(not number).lower()}">'
            f"{html.escape(label)}</button>"
            for number, (name, label) in enumerate(tabs.items())
        )
        parts.append(f'<nav role="tablist">{"".join(buttons)}</nav>')
    parts += [f'<div id="{name}"{" hidden" if number else ""}></div>' for number, name in enumerate(tabs)]
    if facts:
        items = (f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items())
        parts.append(f"<dl>{''.join(items)}</dl>")
    return f"<section>{''.join(parts)}</section>"
