"""Reading and pressing a form as a person would: by the words on it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import ipywidgets as widgets


def parts(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Give the widget and everything in it, top to bottom."""
    yield widget
    for child in getattr(widget, "children", ()):
        if isinstance(child, widgets.Widget):
            yield from parts(child)


def text_of(widget: widgets.Widget) -> str:
    """Return the words of notes, tables and verdicts that are shown."""
    shown = [part.value for part in parts(widget) if isinstance(part, widgets.HTML)]
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", " ".join(shown)))).strip()


def buttons(widget: widgets.Widget) -> list[str]:
    """Return the words on the buttons that lead on."""
    return [part.description for part in parts(getattr(widget, "nav", widget)) if isinstance(part, widgets.Button)]


def press(widget: widgets.Widget, words: str) -> None:
    """Press the one button with these words."""
    (found,) = [part for part in parts(widget) if isinstance(part, widgets.Button) and part.description == words]
    assert not found.disabled, words
    found.click()
