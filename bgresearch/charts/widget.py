"""A chart in a notebook: a widget whose kernel sends finer bars when zoomed in, in the colours of the notebook."""

from __future__ import annotations

import contextlib
import html
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bgresearch.charts.downsampling import chosen, cut
from bgresearch.charts.figure import EMPTY, Drawn, times
from bgresearch.charts.theme import plotly
from bgresearch.errors import ConfigurationError

if TYPE_CHECKING:
    from ipywidgets import VBox

_CONFIG = {  # as wide as the pane, with few enough buttons not to cover the heading
    "responsive": True, "displaylogo": False, "scrollZoom": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}  # fmt: skip
_NEEDS_WIDGETS = "Charts that refine themselves need widgets."
_INSTALL_WIDGETS = "Install them: pip install 'bgresearch[forms]'."


def live(chart: Drawn) -> VBox:
    """Return the chart as a widget.

    Raises
    ------
    ConfigurationError
        ipywidgets or anywidget is not installed.
    """
    box, shown = _boxed(chart.figure, chart.theme)
    shown.update_layout(margin_t=96, title=_heading(chart, shown.layout.title.subtitle.text))
    shown.layout.on_change(lambda *_: refine(shown, chart), "xaxis.range", "xaxis.autorange")
    return box


def refine(shown: Any, chart: Drawn) -> None:
    """Redraw the visible part of a figure from the suitable level; the axes of price and volume follow.

    Parameters
    ----------
    shown : FigureWidget
        Made from ``chart.figure``.
    chart : Drawn
        The chart that provides the levels.
    """
    axis, drawing = shown.layout.xaxis, chart.drawing
    everything = bool(axis.autorange) or not axis.range
    from_ms, to_ms = drawing.sight_ms if everything else (_ms(moment) for moment in axis.range)
    level = drawing.levels[chosen(drawing.levels, from_ms, to_ms, max_bars=chart.max_bars)]
    margin = (to_ms - from_ms) / 2
    with shown.batch_update():
        if everything:
            shown.update_xaxes(range=times(np.array([from_ms, to_ms], dtype="int64")), autorange=False)
        for trace, name in zip(shown.data, drawing.names, strict=True):
            if name != "funding":
                columns = cut(level.traces.get(name, EMPTY), from_ms - margin, to_ms + margin)
                trace.update(drawing.attributes(name, level, columns))
        shown.update_layout(title=_heading(chart, drawing.subtitle_of(level)))
        for name, axes in (("candles", shown.layout.yaxis), ("volume", shown.layout.yaxis2)):
            if name in drawing.names:
                axes.range = _spread(level.traces[name], from_ms, to_ms) or axes.range


def bundle(chart: Drawn, include: Any, exclude: Any) -> Any:
    """Return what a notebook shows: the widget if a kernel runs and widgets are installed, else the figure."""
    if _kernel_runs():
        with contextlib.suppress(ConfigurationError):  # the plain figure needs no widgets
            return live(chart)._repr_mimebundle_(include=include, exclude=exclude)
    return chart.figure._repr_mimebundle_(include, exclude)


def themed_bundle(figure: Any, theme: str, include: Any, exclude: Any) -> Any:
    """Return what a notebook shows of a plain figure: a widget that takes the theme's colours if a kernel runs."""
    if _kernel_runs():
        with contextlib.suppress(ConfigurationError):
            return _boxed(figure, theme)[0]._repr_mimebundle_(include=include, exclude=exclude)
    return figure._repr_mimebundle_(include, exclude)


def _boxed(figure: Any, theme: str) -> tuple[VBox, Any]:
    """Return a figure as a widget, in a box as wide as its pane; in theme ``auto`` with the notebook's text colour.

    Raises
    ------
    ConfigurationError
        ipywidgets or anywidget is not installed.
    """
    go, _ = plotly()
    try:
        import ipywidgets as widgets

        from bgresearch.charts.resize_widget import Fitting

        shown = go.FigureWidget(figure)
    except ImportError:
        raise ConfigurationError(_NEEDS_WIDGETS, hint=_INSTALL_WIDGETS) from None
    shown.update_layout(autosize=True)
    shown._config = {**shown._config, **_CONFIG}
    box = widgets.VBox([Fitting(), shown])
    box.add_class("bg-chart")
    if theme == "auto":
        box.add_class("bg-auto")
    return box, shown


class PageChart:
    """A chart that has a page of its own; a subclass says what is on the page."""

    figure: Any

    def show(self) -> None:
        """Display the chart: in a notebook below the cell, elsewhere as a page in the browser.

        Raises
        ------
        ConfigurationError
            There is no browser; the message names the page.
        """
        if _kernel_runs():
            sys.modules["IPython"].display.display(self)
            return
        folder = Path(tempfile.mkdtemp(prefix="bgresearch-chart-"))  # the browser reads it after this call
        place = folder / "chart.html"
        place.write_text(self.page(), encoding="utf-8")
        if not webbrowser.open(place.as_uri()):
            hint = "Open it by hand, or .save()."
            raise ConfigurationError(f"no browser was found; the chart is in {place}.", hint=hint)

    def page(self) -> str:
        """Return a self-contained HTML page."""
        raise NotImplementedError

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the page and return its absolute path; see `page`.

        Raises
        ------
        StoreError
            The file exists and ``force`` is not set, or the folder is not writable.
        """
        from bgresearch.exports.output_path import written

        return written(Path(path), self.page().encode(), force=force)

    def to_json(self) -> str:
        """Return the figure as plotly's JSON."""
        return str(self.figure.to_json())


def _kernel_runs() -> bool:
    ipython = sys.modules.get("IPython")  # a running kernel has loaded it
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def _heading(chart: Drawn, subtitle_of: str) -> dict[str, Any]:
    """Title and subtitle in one text: plotly places two by their height, which an output does not have yet."""
    small = f"<span style='font-size:12px'>{html.escape(subtitle_of)}</span>"
    title = html.escape(chart.drawing.title)
    return {"text": f"{title}<br>{small}" if title else small, "subtitle": {"text": ""}, "pad": {"t": 22}}


def _ms(moment: object) -> float:
    stamp = pd.Timestamp(moment)  # type: ignore[arg-type]  # text or datetime, as plotly reports it
    return float((stamp if stamp.tzinfo else stamp.tz_localize("UTC")).value / 1e6)


def _spread(columns: dict[str, Any], from_ms: float, to_ms: float) -> list[float] | None:
    """The visible range from lowest to highest, with a margin; from 0 for volumes."""
    first, last = np.searchsorted(columns["x"], [from_ms, to_ms])
    if first == last:
        return None
    if "y" in columns:
        most = float(np.fmax.reduce(columns["y"][first:last]))  # NaN if all are
        return [0.0, most * 1.05] if most > 0 else None
    low, high = columns["low"][first:last], columns["high"][first:last]
    if not (np.isfinite(low) & np.isfinite(high)).any():
        return None
    low, high = float(np.nanmin(low)), float(np.nanmax(high))
    margin = (high - low or high * 0.01) * 0.05
    return [low - margin, high + margin]
