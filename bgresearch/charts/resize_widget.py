"""Fits a chart in a notebook to the width of its pane and to the theme's text colour. Needs anywidget."""

from __future__ import annotations

from importlib import resources

import anywidget

_FILES = resources.files(__package__)


class Fitting(anywidget.AnyWidget):
    """A widget without height next to a plot, in a box of class ``bg-chart``; ``bg-auto`` takes the text colour."""

    _esm = _FILES.joinpath("resize_widget.js").read_text(encoding="utf-8")
    _css = _FILES.joinpath("resize_widget.css").read_text(encoding="utf-8")
