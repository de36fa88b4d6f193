"""What every form is made of: a named frame with a heading, fields with their problem beside them, verdicts, tables.

Thin widgets around words from elsewhere. No secret and no agent may enter this room.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from typing import Any, Literal

import anywidget
import ipywidgets as widgets
import traitlets

Tone = Literal["good", "warn", "bad", "unknown"]

ICONS: dict[Tone, str] = {"good": "✓", "warn": "▲", "bad": "✕", "unknown": "○"}
_FILES = resources.files(__package__)


class Guide(anywidget.AnyWidget):
    """The heading of a form, which takes the focus when the form moves on, and what is said to a screen reader."""

    _esm = _FILES.joinpath("guide.js").read_text(encoding="utf-8")
    _css = _FILES.joinpath("guide.css").read_text(encoding="utf-8")

    name = traitlets.Unicode().tag(sync=True)
    heading = traitlets.Unicode().tag(sync=True)
    progress = traitlets.Unicode().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    moved = traitlets.Int().tag(sync=True)


class Form(widgets.VBox):  # type: ignore[misc]  # its base has no types
    """The frame: guide, body and a row of buttons.

    Parameters
    ----------
    name : str
        What a screen reader calls it.
    broad : bool
        Whether it may take more room than a text is read in well.
    """

    def __init__(self, name: str, *, broad: bool = False) -> None:
        self.guide = Guide(name=name)
        self.body = widgets.VBox()
        self.nav = widgets.HBox()
        self.nav.add_class("bg-nav")
        super().__init__([self.guide, self.body, self.nav])
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

    def say(self, words: str) -> None:
        """Have a screen reader say it, wherever the focus is."""
        self.guide.said = words


class Labelled(widgets.VBox):  # type: ignore[misc]  # its base has no types
    """One control with its help before and its problem behind it.

    Parameters
    ----------
    control : Widget
        With a description, which becomes its label.
    help : str
        Plain words under the control.
    """

    def __init__(self, control: widgets.Widget, help: str = "") -> None:  # noqa: A002 - the word of every form
        control.style.description_width = "initial"
        if control.has_trait("continuous_update"):
            control.continuous_update = False  # whole texts: echoes of half of one would get in its way
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

    def problem(self, words: str) -> None:
        """Show what is wrong with the value; nothing if ``words`` is empty."""
        self._problem.value = f"<p>{ICONS['bad']} {html.escape(words)}</p>" if words else ""
        self._problem.layout.display = None if words else "none"
        self._help.layout.display = None if self._help.value else "none"


class FormPage:
    """What a form with several pages shows: a body, and the buttons that lead on from it."""

    body: tuple[widgets.Widget, ...] = ()
    buttons: tuple[widgets.Button, ...] = ()

    def shown(self) -> None:
        """Begin with what takes time: the page is on the screen."""


def note(*paragraphs: str) -> widgets.HTML:
    """Return plain words as paragraphs."""
    return widgets.HTML("".join(f"<p>{html.escape(words)}</p>" for words in paragraphs if words))


def listed(items: Iterable[str], *, ordered: bool = False) -> widgets.HTML:
    """Return plain words as a list."""
    tag = "ol" if ordered else "ul"
    return widgets.HTML(f"<{tag}>{''.join(f'<li>{html.escape(words)}</li>' for words in items)}</{tag}>")


def subheading(words: str) -> widgets.HTML:
    """Return a heading within a page."""
    return widgets.HTML(f"<h3>{html.escape(words)}</h3>")


def code(text: str) -> widgets.HTML:
    """Return lines to copy."""
    return widgets.HTML(f'<pre role="region" aria-label="Lines to copy" tabindex="0">{html.escape(text)}</pre>')


def badge(tone: Tone, words: str) -> str:
    """Return words with an icon and a colour, as HTML: the words alone say everything."""
    return f'<span class="bg-badge bg-{tone}"><span aria-hidden="true">{ICONS[tone]}</span> {html.escape(words)}</span>'


def verdict(tone: Tone, words: str, *more: str) -> widgets.HTML:
    """Return a box that says how something came out."""
    rest = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in more if sentence)
    return widgets.HTML(f'<div class="bg-verdict bg-{tone}"><p>{badge(tone, words)}</p>{rest}</div>')


def table(
    caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], *, wide: bool = False, numbers: int = 0
) -> widgets.HTML:
    """Return a table whose first column heads its rows.

    Parameters
    ----------
    caption : str
        What it shows, in plain words.
    headings : sequence of str
        Plain words.
    rows : iterable of sequences
        Cells as HTML: escape what is not made here.
    wide : bool
        Whether cells keep to one line, so that a narrow pane scrolls.
    numbers : int
        How many of the last columns hold numbers, which stand at the right.
    """
    short = "bg-short" if wide else ""
    kinds = [short] * (len(headings) - numbers) + [f"{short} bg-number".strip()] * numbers
    styles = [f' class="{kind}"' if kind else "" for kind in kinds]
    head = "".join(
        f'<th scope="col"{style}>{html.escape(words)}</th>' for words, style in zip(headings, styles, strict=True)
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


def button(words: str, act: Callable[[], object], *, main: bool = False, danger: bool = False) -> widgets.Button:
    """Return a button; ``main`` is what most people press next."""
    made = widgets.Button(description=words)
    if main or danger:
        made.add_class("mod-danger" if danger else "mod-primary")
    made.on_click(lambda _button: act())
    return made
