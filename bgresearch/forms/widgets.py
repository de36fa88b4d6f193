"""The parts of every form: a named frame with a heading, fields with their problem next to them, verdicts, tables.

Thin widgets around text from elsewhere. This module uses no secret and no agent.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from typing import Any, Literal

import anywidget
import ipywidgets as widgets
import traitlets

from bgresearch.keys.onboarding.glossary import Term
from bgresearch.keys.onboarding.messages import SANDBOX

Tone = Literal["good", "warn", "bad", "unknown"]

ICONS: dict[Tone, str] = {"good": "✓", "warn": "▲", "bad": "✕", "unknown": "○"}
_FILES = resources.files(__package__)


class Guide(anywidget.AnyWidget):
    """The steps and the heading of a form, which gets the focus when the page changes; what a screen reader announces.

    Its script adds what ipywidgets lack, such as a button that copies lines of code.
    """

    _esm = _FILES.joinpath("guide.js").read_text(encoding="utf-8")
    _css = _FILES.joinpath("guide.css").read_text(encoding="utf-8")

    name = traitlets.Unicode().tag(sync=True)
    heading = traitlets.Unicode().tag(sync=True)
    progress = traitlets.Unicode().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    steps: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    step = traitlets.Int().tag(sync=True)
    moved = traitlets.Int().tag(sync=True)


class Form(widgets.VBox):  # type: ignore[misc]  # its base has no types
    """The frame: guide, body and a row of buttons.

    Parameters
    ----------
    name : str
        Its name for a screen reader.
    broad : bool
        Whether it may be wider than a column of text.
    sandbox : bool
        Whether it works with the sandbox, which a line above the heading says.
    """

    def __init__(self, name: str, *, broad: bool = False, sandbox: bool = False) -> None:
        self.guide = Guide(name=name)
        self.body = widgets.VBox()
        self.nav = widgets.HBox()
        self.nav.add_class("bg-nav")
        super().__init__([*([_sandbox_banner()] if sandbox else []), self.guide, self.body, self.nav])
        self.add_class("bg-form")
        if broad:
            self.add_class("bg-broad")

    def show(
        self, heading: str, body: Iterable[widgets.Widget], nav: Iterable[widgets.Widget] = (), *, progress: str = "",
        quiet: bool = False,
    ) -> None:  # fmt: skip
        """Show another page and put the focus on its heading, unless it is to happen quietly."""
        self.body.children, self.nav.children = tuple(body), tuple(nav)
        self.guide.heading, self.guide.progress, self.guide.said = heading, progress, ""
        if not quiet:
            self.guide.moved += 1

    def say(self, text: str) -> None:
        """Announce it to a screen reader, wherever the focus is."""
        self.guide.said = text


class Labelled(widgets.VBox):  # type: ignore[misc]  # its base has no types
    """One control with its help text and its problem below it.

    Parameters
    ----------
    control : Widget
        With a description, which becomes its label.
    help : str
        Text under the control.
    """

    def __init__(self, control: widgets.Widget, help: str = "") -> None:  # noqa: A002 - the usual name in forms
        control.style.description_width = "initial"
        if control.has_trait("continuous_update"):
            control.continuous_update = False  # only finished texts: echoes of partial ones would interfere
        self.control = control
        self._help, self._problem = note(help), note("")
        self._help.add_class("bg-help")
        self._problem.add_class("bg-problem")
        super().__init__([control, self._help, self._problem])
        self.add_class("bg-field")
        self.problem("")

    @property
    def value(self) -> Any:
        """What the control holds."""
        return self.control.value

    def problem(self, text: str) -> None:
        """Show what is wrong with the value; nothing if ``text`` is empty."""
        self._problem.value = f"<p>{ICONS['bad']} {html.escape(text)}</p>" if text else ""
        self._problem.layout.display = None if text else "none"
        self._help.layout.display = None if self._help.value else "none"


class FormPage:
    """One page of a form: a body and its buttons."""

    body: tuple[widgets.Widget, ...] = ()
    buttons: tuple[widgets.Button, ...] = ()

    def shown(self) -> None:
        """Start slow work; called once the page is on the screen."""


def _sandbox_banner() -> widgets.HTML:
    banner = widgets.HTML(f'<p role="note">{ICONS["warn"]} {html.escape(SANDBOX)}</p>')
    banner.add_class("bg-sandbox")
    return banner


def note(*paragraphs: str) -> widgets.HTML:
    """Return texts as paragraphs."""
    return widgets.HTML("".join(f"<p>{html.escape(text)}</p>" for text in paragraphs if text))


def listed(items: Iterable[str], *, ordered: bool = False) -> widgets.HTML:
    """Return texts as a list."""
    tag = "ol" if ordered else "ul"
    return widgets.HTML(f"<{tag}>{''.join(f'<li>{html.escape(text)}</li>' for text in items)}</{tag}>")


def subheading(text: str) -> widgets.HTML:
    """Return a heading within a page."""
    return widgets.HTML(f"<h3>{html.escape(text)}</h3>")


def code(text: str) -> widgets.HTML:
    """Return lines to copy."""
    return widgets.HTML(f'<pre role="region" aria-label="Lines to copy" tabindex="0">{html.escape(text)}</pre>')


def explained(terms: Iterable[Term]) -> widgets.HTML:
    """Return questions that open to their answers."""
    lines = (
        f"<details><summary>{html.escape(question)}</summary><p>{html.escape(answer)}</p></details>"
        for question, answer in terms
    )
    shown = widgets.HTML("".join(lines))
    shown.add_class("bg-terms")
    return shown


def badge(tone: Tone, text: str) -> str:
    """Return text with an icon and a colour, as HTML; the text alone is sufficient."""
    return f'<span class="bg-badge bg-{tone}"><span aria-hidden="true">{ICONS[tone]}</span> {html.escape(text)}</span>'


def verdict(tone: Tone, text: str, *more: str) -> widgets.HTML:
    """Return a box with a result."""
    rest = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in more if sentence)
    return widgets.HTML(f'<div class="bg-verdict bg-{tone}"><p>{badge(tone, text)}</p>{rest}</div>')


def table(
    caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, wide: bool = False, numbers: int = 0
) -> widgets.HTML:
    """Return a table whose first column heads its rows.

    Parameters
    ----------
    caption : str
        What it shows.
    headings : sequence of str
        The texts of the header row.
    rows : iterable of sequences
        Cells as HTML: escape what is not made here.
    wide : bool
        Whether cells keep to one line, so that a narrow pane scrolls.
    numbers : int
        How many of the last columns hold numbers, which are right-aligned.
    """
    short = "bg-short" if wide else ""
    kinds = [short] * (len(headings) - numbers) + [f"{short} bg-number".strip()] * numbers
    styles = [f' class="{kind}"' if kind else "" for kind in kinds]
    head = "".join(
        f'<th scope="col"{style}>{html.escape(text)}</th>' for text, style in zip(headings, styles, strict=True)
    )
    body = "".join(
        f'<tr><th scope="row"{styles[0]}>{first}</th>'
        f"{''.join(f'<td{style}>{cell}</td>' for cell, style in zip(rest, styles[1:], strict=True))}</tr>"
        for first, *rest in rows
    )
    name = html.escape(caption)
    return widgets.HTML(
        f'<div class="bg-wide" role="region" aria-label="{name}" tabindex="0"><table>'
        f"<caption><span>{name}</span></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def button(text: str, act: Callable[[], object], *, main: bool = False, danger: bool = False) -> widgets.Button:
    """Return a button; ``main`` is what most people press next."""
    made = widgets.Button(description=text)
    if main or danger:
        made.add_class("mod-danger" if danger else "mod-primary")
    made.on_click(lambda _button: act())
    return made
