"""Charts of candles, fluid at any number of bars: in a notebook, as a page, as an image. No network.

A chart holds its candles at several lengths. A view is drawn from the finest one that stays within ``max_bars``; in a
notebook the kernel selects the bars, in a page a script does, from data embedded in the page.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bgresearch.charts.downsampling import levels, whole
from bgresearch.charts.equity import equity_figure
from bgresearch.charts.figure import Drawing
from bgresearch.charts.overlays import Overlays, lines_of, marks_of, rates_of
from bgresearch.charts.theme import look_of, plotly
from bgresearch.charts.widget import PageChart, bundle, live
from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput
from bgresearch.research.quality.gaps import gaps as gaps_of
from bgresearch.research.quality.provenance import checked_candles, checked_interval, name_of
from bgresearch.research.resample import FLUID_BARS

if TYPE_CHECKING:
    from ipywidgets import VBox
    from plotly.graph_objs._figure import Figure

_LEAST = {"max_bars": 1, "height": 100}  # bars, pixels

__all__ = ["Chart", "candles_figure", "chart", "equity_figure"]


class Chart(PageChart):
    """One chart; the last line of a notebook cell shows it. `chart` makes it.

    Parameters
    ----------
    drawing : Drawing
        The chart's content.
    theme : str
        ``auto``, ``light``, ``dark`` or ``print``.
    max_bars : int
        Most bars drawn at once.
    height : int, optional
        In pixels.

    Attributes
    ----------
    drawing, theme, max_bars
        As passed.
    figure : plotly.graph_objects.Figure
        The whole span with few enough bars, free to be changed; it does not refine itself.
    """

    def __init__(self, drawing: Drawing, *, theme: str, max_bars: int, height: int | None) -> None:
        self.drawing, self.theme, self.max_bars = drawing, theme, max_bars
        self.figure: Figure = drawing.figure(theme, whole(drawing.levels, max_bars=max_bars), height=height)

    def widget(self) -> VBox:
        """Return the chart as a widget that draws finer bars when zoomed in.

        Raises
        ------
        ConfigurationError
            Widgets are not installed.
        """
        return live(self)

    def page(self) -> str:
        """Return the chart as one self-contained HTML page that draws finer bars when zoomed in, without a kernel.

        All candles are embedded in the page: about 22 MB for a million, and 5 MB for plotly.
        """
        from bgresearch.charts.html_page import Panel, page

        return page(self.drawing.title or "Chart", [Panel({"chart": self})], theme=self.theme, heading=False)

    def picture(
        self, path: str | Path, *, width: int = 1000, height: int = 600, theme: str = "print", force: bool = False
    ) -> Path:  # fmt: skip
        """Write an image for print and return its absolute path; see `bgresearch.charts.static_image.picture`."""
        from bgresearch.charts.static_image import picture

        return picture(self, Path(path), width=width, height=height, theme=theme, force=force)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return bundle(self, include, exclude)


def chart(
    candles: pd.DataFrame, *, overlays: Overlays | None = None, funding: pd.DataFrame | pd.Series | None = None,
    fills: pd.DataFrame | None = None, volume: bool = True, gaps: bool = True, title: str = "", theme: str = "auto",
    height: int | None = None, max_bars: int = FLUID_BARS,
) -> Chart:  # fmt: skip
    """Candlesticks with their volume below, on one time axis; missing bars are left empty, nothing is filled.

    Parameters
    ----------
    candles : DataFrame
        The result of ``client.candles``: index ``open_time`` (UTC, in order), columns open, high, low, close and
        optionally volume.
    overlays : int, str, Series, several of them or a mapping of names to them, optional
        Lines over the candles. A number is a moving average over that many closes, a string names a column, a Series
        has its own times (UTC).
    funding : DataFrame or Series, optional
        The result of ``client.funding_rates``; shown in its own panel, in percent.
    fills : DataFrame, optional
        The result of ``client.account.fills``, spot or futures; those of the candles' symbol and market are marked.
    volume, gaps : bool
        Whether to draw volumes; a light band with the cause wherever candles are absent.
    title : str
        Heading; made from the frame's provenance if empty.
    theme : {"auto", "light", "dark", "print"}
        ``auto`` takes the colours of its surroundings.
    height : int, optional
        In pixels.
    max_bars : int
        If more candles are visible, longer ones are shown; the subtitle names their length.

    Returns
    -------
    Chart
        Drag to move, scroll to zoom, buttons for a day, a week and everything. No disk, no network.

    Raises
    ------
    InvalidInput
        A frame that is empty, lacks a price or is out of order; or an overlay that cannot be drawn.
    ConfigurationError
        Plotly is not installed.

    Examples
    --------
    >>> client = bg.connect(sandbox=True)                                                    # doctest: +SKIP
    >>> chart(client.candles("BTCUSDT", "1m", "2026-01-01", "2026-02-01"), overlays=[20])    # doctest: +SKIP
    """
    look_of(theme)
    for name, size in (("max_bars", max_bars), ("height", 100 if height is None else height)):
        if not isinstance(size, int) or size < _LEAST[name]:
            raise InvalidInput(name, f"{size!r} is too small.", hint=f"Give {_LEAST[name]} or more.")
    plotly()
    index = checked_candles(candles)
    length = checked_interval(candles)
    span = (index[0], index[-1] + pd.Timedelta(length.nominal_ms, unit="ms"))
    holes = gaps_of(candles, Span(*(int(moment.value // 10**6) for moment in span))) if gaps else _NO_GAPS
    shown = candles if volume or "volume" not in candles.columns else candles.drop(columns="volume")
    drawing = Drawing(
        levels(shown, lines_of(candles, overlays), marks_of(fills, candles, span), holes, max_bars=max_bars),
        rates_of(funding, candles, span), title or name_of(candles, "symbol", "market", "price"), length.name,
    )  # fmt: skip
    return Chart(drawing, theme=theme, max_bars=max_bars, height=height)


def candles_figure(candles: pd.DataFrame, *, title: str = "", max_bars: int = FLUID_BARS) -> Figure:
    """Candlesticks with their volume below as a plain plotly figure, which does not refine itself; see `chart`."""
    return chart(candles, title=title, max_bars=max_bars).figure


_NO_GAPS = pd.DataFrame({"start": [], "end": [], "candles": [], "cause": []})
