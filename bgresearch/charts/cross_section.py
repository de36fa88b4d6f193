"""Figures of many symbols at once: a ranking, and their distribution over time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bgresearch.charts.figure import times
from bgresearch.charts.theme import ACCENT, DOWN, LINES, apply_layout, look_of, plotly
from bgresearch.errors import InvalidInput
from bgresearch.research.quality.provenance import milliseconds, utc_index

if TYPE_CHECKING:
    from plotly.graph_objs._figure import Figure

_ROW_PX = 19
_BANDS = ((0.1, 0.9, "rgba(76,141,255,0.16)"), (0.25, 0.75, "rgba(76,141,255,0.24)"))


def ranking_figure(
    values: pd.Series, *, title: str, subtitle: str = "", unit: str = "", marked: Collection[str] = (),
    note: str = "marked", theme: str = "auto",
) -> Figure:  # fmt: skip
    """One bar per name, the largest on top, each labelled with its value.

    Parameters
    ----------
    values : Series
        float64, not below zero, by name; NaN is dropped.
    title, subtitle, unit : str
        Heading; the unit of the numbers, ``%`` or a coin.
    marked : collection of str
        Names whose bars have another colour.
    note : str
        The legend text for these.
    theme : {"auto", "light", "dark", "print"}
        ``auto`` takes the colours of its surroundings.

    Raises
    ------
    InvalidInput
        There is nothing to draw.
    ConfigurationError
        Plotly is not installed.
    """
    shown = values.dropna().sort_values()
    if shown.empty:
        raise InvalidInput("values", "none of the values is a number.")
    go, _ = plotly()
    places = max(0, 3 - len(f"{shown.max():.0f}")) + 1
    figure: Figure = go.Figure()
    others = shown[[name not in marked for name in shown.index]]
    for part, name, color in ((others, "", ACCENT), (shown.drop(others.index), note, DOWN)):
        figure.add_trace(go.Bar(
            x=part.tolist(), y=part.index.astype("str").tolist(), orientation="h", name=name, marker={"color": color},
            text=[f"{value:,.{places}f} {unit}".strip() for value in part],
            textposition="outside", cliponaxis=False, showlegend=bool(name) and not part.empty,
            hovertemplate="%{y} %{text}<extra></extra>",
        ))  # fmt: skip
    apply_layout(figure, title, subtitle, height=110 + _ROW_PX * len(shown), look=look_of(theme))
    figure.update_layout(bargap=0.3, dragmode=False, hovermode="closest", barmode="overlay", legend=_legend())
    figure.update_xaxes(type="linear", range=[0, float(shown.max()) * 1.12], ticksuffix=f" {unit}" if unit else "")
    figure.update_yaxes(type="category", showgrid=False, categoryorder="array", categoryarray=shown.index.tolist())
    figure.update_yaxes(tickmode="linear", tickfont={"size": 11})
    return figure


def spread_figure(
    values: pd.DataFrame, *, title: str, subtitle: str = "", unit: str = "", lines: Sequence[str] = (),
    theme: str = "auto",
) -> Figure:  # fmt: skip
    """The median of all columns over time, within bands of the middle 50 % and 80 %.

    Parameters
    ----------
    values : DataFrame
        Index: times (UTC, ascending); a column per name, float64. NaN means that a name is absent.
    title, subtitle, unit : str
        Heading; the unit of the numbers.
    lines : sequence of str
        Columns that are also drawn, each as its own line.
    theme : {"auto", "light", "dark", "print"}
        ``auto`` takes the colours of its surroundings.

    Raises
    ------
    InvalidInput
        A line is not a column, or the index is not a time with a time zone.
    ConfigurationError
        Plotly is not installed.
    """
    if unknown := sorted({*lines} - {*values.columns}):
        raise InvalidInput("lines", f"{', '.join(unknown)} is not a column.")
    go, _ = plotly()
    x = times(milliseconds(utc_index(values)))
    figure: Figure = go.Figure()
    for low, high, color in _BANDS:
        for edge, fill in ((low, None), (high, "tonexty")):
            figure.add_trace(go.Scatter(
                x=x, y=_points(values.quantile(edge, axis=1)), mode="lines", line={"width": 0}, fill=fill,
                fillcolor=color, name=f"middle {round((high - low) * 100)} %", showlegend=fill is not None,
                hoverinfo="skip",
            ))  # fmt: skip
    named = [("median", values.median(axis=1), ACCENT, 2.4)]
    named += [(name, values[name], LINES[1 + number % (len(LINES) - 1)], 1.6) for number, name in enumerate(lines)]
    for name, line, color, width in named:
        figure.add_trace(go.Scatter(
            x=x, y=_points(line), mode="lines", name=name, line={"color": color, "width": width}, connectgaps=False,
            hovertemplate=f"{name} %{{y:,.4~g}} {unit}<extra></extra>",
        ))  # fmt: skip
    apply_layout(figure, title, subtitle, height=440, look=look_of(theme))
    figure.update_layout(legend=_legend() | {"traceorder": "normal"})
    figure.update_yaxes(ticksuffix=f" {unit}" if unit else "", rangemode="tozero")
    return figure


def _legend() -> dict[str, Any]:
    return {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"}


def _points(values: pd.Series) -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in values]
