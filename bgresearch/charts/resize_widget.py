"""What a chart in a notebook needs beside plotly: its width from the pane, its ink from the theme. Needs anywidget."""

from __future__ import annotations

from importlib import resources

import anywidget

_FILES = resources.files(__package__)


class Fitting(anywidget.AnyWidget):
    """A widget of no height beside a plot, in a box of class ``bg-chart``; ``bg-auto`` takes the notebook's ink."""

    _esm = _FILES.joinpath("resize_widget.js").read_text(encoding="utf-8")
    _css = _FILES.joinpath("resize_widget.css").read_text(encoding="utf-8")
