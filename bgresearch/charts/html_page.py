"""One self-contained HTML page: figures, tabs and facts. It loads nothing; its content security policy forbids it."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from bgresearch.charts.encoding import packed
from bgresearch.charts.figure import Drawing, Drawn
from bgresearch.exports.output_path import written


@dataclass(frozen=True)
class Panel:
    """One panel of a page: figures that share the space (tabs, if more than one) or facts as name and value.

    Attributes
    ----------
    figures : mapping of str to plotly Figure or Drawn
        Tab label to figure. A `bgresearch.charts.chart.Chart` includes its levels and draws finer bars when
        zoomed in.
    facts : mapping of str to str
        Shown as a list.
    """

    figures: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


def page(
    title: str, panels: Sequence[Panel], *, lead: str = "", footer: str = "", theme: str = "auto",
    heading: bool = True,
) -> str:  # fmt: skip
    """The whole page as text, Plotly's script included (about 5 MB).

    Parameters
    ----------
    title, lead, footer : str
        Plain text; escaped here.
    panels : sequence of Panel
        Top to bottom.
    theme : {"auto", "light", "dark"}
        ``auto`` follows the browser's.
    heading : bool
        Whether title and lead are shown above the panels.
    """
    from plotly.offline import get_plotlyjs

    sections, figures, levels = [], [], []
    for number, panel in enumerate(panels):
        tabs = {f"figure-{number}-{index}": item for index, item in enumerate(panel.figures.items())}
        figures += [f'"{name}": {figure.to_json()}' for name, (_, figure) in tabs.items()]
        levels += [
            f'"{name}": {_packed(figure)}'
            for name, (_, figure) in tabs.items()
            if isinstance(getattr(figure, "drawing", None), Drawing)
        ]
        sections.append(_section({name: label for name, (label, _) in tabs.items()}, panel.facts))
    template = Template(resources.files(__package__).joinpath("html_page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(title),
        heading=f'<h1>{html.escape(title)}</h1>\n<p class="lead">{html.escape(lead)}</p>' if heading else "",
        footer=html.escape(footer),
        sections="\n".join(sections),
        plotly_js=get_plotlyjs(),
        figures=_script(figures),
        levels=_script(levels),
        fluid_js=resources.files(__package__).joinpath("html_page.js").read_text(encoding="utf-8"),
        theme=theme if theme in ("light", "dark") else "light" if theme == "print" else "auto",
    )


def write_page(path: Path, text: str) -> Path:
    """The absolute path of the page, written atomically: an existing page stays intact until the new one is complete.

    Raises
    ------
    StoreError
        The folder cannot be written to.
    """
    return written(path, text.encode("utf-8"), force=True)


def _packed(chart: Drawn) -> str:
    return json.dumps(packed(chart.drawing, chart.max_bars), separators=(",", ":"))


def _script(parts: Sequence[str]) -> str:
    """JSON that is safe in a script element, which ``</script`` ends and ``<!--<script`` keeps open."""
    return "{" + ",\n".join(parts).replace("<", "\\u003c") + "}"


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
