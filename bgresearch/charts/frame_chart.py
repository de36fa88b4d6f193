"""A chart of any frame with numbers: depth of an order book, lines by time, the largest values by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from bgresearch.charts.cross_section import ranking_figure
from bgresearch.charts.equity import equity_figure
from bgresearch.charts.lines import lines_figure
from bgresearch.charts.theme import DOWN, UP, apply_layout, look_of, plotly
from bgresearch.charts.widget import PageChart, themed_bundle
from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.decimals import floats
from bgresearch.research.quality.provenance import name_of

if TYPE_CHECKING:
    from plotly.graph_objs._figure import Figure

_LARGE = 1_000_000
_TIME = "_time"  # a column name that no frame has
_MOST_BOXES, _MOST_NAMES, _MOST_LINES = 6, 30, 12
_NAMES = ("symbol", "coin", "account", "market")  # columns that tell rows apart, best first
_COMPARABLE = ("usd_value", "quote_volume_24h", "value")  # the same unit in every row


class FigureChart(PageChart):
    """A plotly figure in the colours of its surroundings; `frame_chart` makes it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Free to be changed.
    title, theme : str
        Heading; ``auto``, ``light``, ``dark`` or ``print``.
    """

    def __init__(self, figure: Figure, title: str, theme: str) -> None:
        self.figure, self.title, self.theme = figure, title, theme

    def page(self) -> str:
        """Return a self-contained HTML page."""
        from bgresearch.charts.html_page import Panel, page

        return page(self.title or "Chart", [Panel({"chart": self.figure})], theme=self.theme, heading=False)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return themed_bundle(self.figure, self.theme, include, exclude)


def frame_chart(
    frame: pd.DataFrame, *, title: str = "", theme: str = "auto", height: int | None = None
) -> FigureChart:  # fmt: skip
    """Return a chart of a frame that holds no candles.

    Parameters
    ----------
    frame : DataFrame
        An order book (side, price, amount): its depth. An index of times: a line per numeric column, one below the
        other, of several symbols a line each. A column of names: the largest values. Anything else: lines.
    title : str
        Heading; made from the frame's provenance if empty.
    theme : {"auto", "light", "dark", "print"}
        ``auto`` takes the colours of its surroundings.
    height : int, optional
        In pixels.

    Raises
    ------
    InvalidInput
        The frame is empty or has no numbers.
    ConfigurationError
        Plotly is not installed.
    """
    look_of(theme)
    plain = floats(frame)
    if plain.empty or not len(plain.select_dtypes("number").columns):
        raise InvalidInput("frame", "there is nothing to draw: it has no rows or no numbers.")
    about = frame.attrs.get("bgresearch", {})
    title = (
        title or " ".join([name_of(frame, "symbol", "market"), str(about.get("verb", "")).replace("_", " ")]).strip()
    )
    if {"side", "price", "amount"} <= {*plain.columns} and not isinstance(plain.index, pd.DatetimeIndex):
        return FigureChart(_depth(plain, title, theme, height), title, theme)
    if "equity" in plain.columns and isinstance(plain.index, pd.DatetimeIndex):
        numbers = _by_time(plain.select_dtypes("number"))
        return FigureChart(equity_figure(numbers, title=title or "Equity", theme=theme, height=height), title, theme)
    if isinstance(plain.index, pd.DatetimeIndex):
        return FigureChart(lines_figure(_boxes(plain), title=title, theme=theme, height=height), title, theme)
    names = next((name for name in _NAMES if name in plain.columns), None)
    if names is not None and plain[names].is_unique:
        return FigureChart(_ranking(plain, names, title, theme), title, theme)
    return FigureChart(_plain_lines(plain, title, theme, height), title, theme)


def _by_time(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with ascending times in UTC."""
    index = pd.DatetimeIndex(frame.index)
    return frame.set_axis(index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")).sort_index()


def _boxes(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what is drawn one below the other: a box per column, in it a line per symbol."""
    ordered = _by_time(frame)
    if ordered.columns.nlevels > 1:
        return {str(field): pd.DataFrame(ordered[field]) for field in ordered.columns.unique(0)[:_MOST_BOXES]}
    names = next((one for one in _NAMES if one in ordered.columns and ordered[one].nunique() > 1), None)
    numbers = [str(one) for one in ordered.select_dtypes("number").columns][:_MOST_BOXES]
    if names is None:
        return {one: ordered[[one]] for one in numbers}
    shown = list(ordered[names].value_counts().index[:_MOST_LINES])
    few = ordered[ordered[names].isin(shown)]
    few = few.assign(**{_TIME: few.index})
    return {
        one: few.pivot_table(index=_TIME, columns=names, values=one, aggfunc="last", observed=True) for one in numbers
    }


def _depth(book: pd.DataFrame, title: str, theme: str, height: int | None) -> Figure:
    """Return how much can be bought and sold up to each price."""
    go, _ = plotly()
    figure: Figure = go.Figure()
    for side, color, falling in (("bid", UP, True), ("ask", DOWN, False)):
        rows = book[book["side"] == side].sort_values("price", ascending=not falling)
        figure.add_trace(go.Scatter(
            x=rows["price"].tolist(), y=rows["amount"].cumsum().tolist(), mode="lines", name=f"{side}s", fill="tozeroy",
            line={"color": color, "width": 1.6, "shape": "hv"}, hovertemplate="%{y:,.6~g} up to %{x:,.8~g}",
        ))  # fmt: skip
    apply_layout(figure, title or "Depth", "", height=height or 360, look=look_of(theme))
    figure.update_xaxes(type="linear", title_text="price", hoverformat=None)
    figure.update_yaxes(title_text="amount", rangemode="tozero")
    return figure


def _ranking(frame: pd.DataFrame, names: str, title: str, theme: str) -> Figure:
    """Return the largest values of the first column of numbers."""
    numbers = [str(name) for name in frame.select_dtypes("number").columns]
    column = next((name for name in _COMPARABLE if name in numbers), numbers[0])
    values = frame.set_index(frame[names].astype("str"))[column].astype("float64")
    shown = values[values >= 0].nlargest(_MOST_NAMES)
    words = column.replace("_", " ")
    figure = ranking_figure(shown, title=title or words, subtitle=words, theme=theme)
    if float(shown.max()) >= _LARGE:  # every digit would not fit next to the longest bar
        figure.update_traces(texttemplate="%{x:.3~s}", hovertemplate="%{y} %{x:,.8~g}<extra></extra>")
    return figure


def _plain_lines(frame: pd.DataFrame, title: str, theme: str, height: int | None) -> Figure:
    """Return a line per column over whatever the index is."""
    go, _ = plotly()
    figure: Figure = go.Figure()
    for name in frame.select_dtypes("number").columns[:_MOST_LINES]:
        values = [None if pd.isna(one) else float(one) for one in frame[name]]
        figure.add_trace(
            go.Scatter(x=[_axis_value(one) for one in frame.index], y=values, mode="lines", name=str(name))
        )
    apply_layout(figure, title, "", height=height or 360, look=look_of(theme))
    figure.update_xaxes(type=None, hoverformat=None)
    return figure


def _axis_value(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)
