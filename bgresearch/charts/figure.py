"""A plotly figure of one level of candles: the row of each trace, and the data of a view."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from bgresearch.charts.downsampling import Columns, Level
from bgresearch.charts.theme import apply_layout, look_of, plotly, ranges, style
from bgresearch.research.quality.provenance import milliseconds

if TYPE_CHECKING:
    from plotly.graph_objs._figure import Figure

_OVERLAID = "y9"  # the axis on which gaps are bands from bottom to top
_DAY_MS = 86_400_000
_HEIGHT, _PANEL = 460, 100  # pixels
_AIR = 0.01
_TICKS = {"volume": 4, "funding": 6}  # at most; rates are on both sides of 0


class Drawn(Protocol):
    """Something with a drawing, as widgets, pages and images take; `bgresearch.charts.chart.Chart` is one."""

    drawing: Drawing
    theme: str
    max_bars: int
    figure: Figure


@dataclass(frozen=True)
class Drawing:
    """The content of a chart, before a figure is made.

    Attributes
    ----------
    levels : tuple of Level
        The candles as they are, and at increasing lengths.
    funding : Series or None
        Percent by time; its name is the heading of the panel.
    title : str
        The heading.
    own : str
        The interval of the original candles.
    """

    levels: tuple[Level, ...]
    funding: pd.Series | None
    title: str
    own: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the traces in order: those of any level, then the funding rates."""
        order = {name: None for level in self.levels for name in level.traces}
        return (*order, "funding") if self.funding is not None else tuple(order)

    @property
    def span_ms(self) -> tuple[int, int]:
        """From the first candle to the end of the last."""
        x = self.levels[0].traces["candles"]["x"]
        return int(x[0]), int(x[-1]) + self.levels[0].length_ms

    @property
    def sight_ms(self) -> tuple[float, float]:
        """The initial view: everything, and a margin."""
        start, end = self.span_ms
        return start - (end - start) * _AIR, end + (end - start) * _AIR

    def subtitle_of(self, level: Level) -> str:
        """Return the subtitle: which bars are shown."""
        made = "" if level.name == self.own else f"{self.own} candles shown as "
        return f"{made}{level.name} bars, UTC"

    def figure(self, theme: str, level: Level, *, height: int | None = None) -> Figure:
        """Return a figure of one level."""
        look = look_of(theme)
        go, subplots = plotly()
        panels = [name for name in ("volume", "funding") if name in self.names]
        tall = height or _HEIGHT + _PANEL * len(panels)
        heights = [_HEIGHT, *[_PANEL for _ in panels]]
        figure: Figure = subplots.make_subplots(
            rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=0.04,
            row_heights=[part / sum(heights) for part in heights],
        )  # fmt: skip
        subtitle = self.subtitle_of(level)
        apply_layout(figure, self.title, subtitle, height=tall, look=look)
        lines = [name for name in self.names if name.startswith("line ")]
        for name in self.names:
            looks = style(name, lines.index(name) if name in lines else 0, look)
            trace = getattr(go, looks.pop("type").capitalize())(**looks)
            row = panels.index(name) + 2 if name in panels else 1
            figure.add_trace(trace, row=row, col=1)
            figure.data[-1].update(self.attributes(name, level))
            if name == "gaps":
                figure.data[-1].yaxis = _OVERLAID
        self._axes(figure, panels, look, tall)
        return figure

    def attributes(self, name: str, level: Level, columns: Columns | None = None) -> dict[str, Any]:
        """Return the data of a trace as plotly expects it: a whole level, or columns cut from it."""
        if name == "funding":
            rates = self.funding if self.funding is not None else pd.Series(dtype="float64")
            return {"x": times(milliseconds(pd.DatetimeIndex(rates.index))), "y": rates.to_numpy()}
        found = columns if columns is not None else level.traces.get(name, EMPTY)
        data: dict[str, Any] = {key: _values(column) for key, column in found.items() if "." not in key and key != "x"}
        data["x"] = times(found["x"])
        if "marker.color" in found:
            data["marker"] = {"color": found["marker.color"].tolist()}
        if name == "volume":
            data |= {"width": level.length_ms * 0.8, "offset": level.length_ms * 0.1}
        return data

    def _heading(self, panel: str) -> str:
        return html.escape(str(self.funding.name)) if panel == "funding" and self.funding is not None else panel

    def _axes(self, figure: Figure, panels: Sequence[str], look: Any, tall: int) -> None:
        start, end = self.span_ms
        sight = times(np.array(self.sight_ms, dtype="int64"))
        figure.update_xaxes(rangeslider_visible=False, range=sight)
        figure.update_xaxes(rangeselector=ranges(look, (end - start) / _DAY_MS), row=1, col=1)
        figure.update_yaxes(title_text="price", hoverformat=",.10~g", row=1, col=1)
        for row, name in enumerate(panels, start=2):
            zero = {"rangemode": "tozero", "tickformat": "~s"} if name == "volume" else {}
            figure.update_yaxes(fixedrange=True, nticks=_TICKS[name], **zero, row=row, col=1)
            figure.add_annotation(
                text=self._heading(name), font={"size": 11}, showarrow=False,
                xref="paper", x=0, xanchor="left", yref=f"y{row} domain", y=1, yanchor="bottom",
            )  # fmt: skip
        if "gaps" in self.names:
            figure.update_layout(
                yaxis9={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True, "anchor": "x"}
            )
        if any(name.startswith("line ") or name in ("buy", "sell") for name in self.names):
            figure.update_layout(
                legend={"orientation": "h", "x": 0.5, "xanchor": "center", "yanchor": "top", "y": -48 / tall},
            )


EMPTY: Columns = {"x": np.array([], dtype="int64")}


def _values(column: np.ndarray[Any, Any]) -> Any:
    """Return a column as plotly expects it: numbers stay an array, which it sends as bytes, as JSON has no NaN."""
    return column if column.dtype.kind == "f" else column.tolist()


def times(moments_ms: np.ndarray[Any, Any]) -> list[str]:
    """Return epoch milliseconds as the text that plotly reads as UTC."""
    whole = not (moments_ms % 1000).any()
    texts: list[str] = np.datetime_as_string(moments_ms.astype("datetime64[ms]"), unit="s" if whole else "ms").tolist()
    return texts
