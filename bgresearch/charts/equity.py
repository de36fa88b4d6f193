"""Figures of an account's value over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from bgresearch.charts.figure import times
from bgresearch.charts.theme import ACCENT, DOWN, apply_layout, look_of, plotly
from bgresearch.errors import InvalidInput
from bgresearch.research.quality.provenance import milliseconds, utc_index

if TYPE_CHECKING:
    from plotly.graph_objs._figure import Figure


def equity_figure(
    curve: pd.DataFrame, *, title: str = "Equity", quote: str = "USDT", theme: str = "auto", height: int | None = None
) -> Figure:  # fmt: skip
    """The account's value over time, with each coin's share on hover; below it the drawdown, if given.

    Parameters
    ----------
    curve : DataFrame
        Index: times (UTC, ascending). Columns ``equity`` and optionally ``drawdown`` (a ratio: 0 at a high, -0.1 ten
        percent below the last one); every other column is shown on hover. Numbers or decimals.
        `bgresearch.research.backcast_equity.equity_curve` returns one.
    title, quote : str
        Heading; the coin that values are in.
    theme : {"auto", "light", "dark", "print"}
        ``auto`` takes the colours of its surroundings.
    height : int, optional
        In pixels.

    Raises
    ------
    InvalidInput
        There is no ``equity``, or the index is not a time with a time zone.
    ConfigurationError
        Plotly is not installed.
    """
    if "equity" not in curve.columns:
        raise InvalidInput("curve", "the column equity is missing.")
    utc_index(curve)
    go, subplots = plotly()
    sunk = "drawdown" in curve.columns
    coins = [str(name) for name in curve.columns if name not in ("equity", "drawdown")]
    shown = _broken_at_gaps(curve.astype("float64"))
    x = times(milliseconds(utc_index(shown)))
    lines = "".join(f"<br>{coin} %{{customdata[{number}]:,.2f}}" for number, coin in enumerate(coins))
    shares = {"row_heights": [0.7, 0.3], "vertical_spacing": 0.05} if sunk else {}
    figure: Figure = subplots.make_subplots(rows=1 + sunk, cols=1, shared_xaxes=True, **shares)
    figure.add_trace(
        go.Scatter(
            x=x, y=_holes(shown["equity"].round(2)), customdata=shown[coins].round(2).to_numpy().tolist(), mode="lines",
            line={"color": ACCENT, "width": 2}, name="equity", showlegend=False,
            hovertemplate=f"<b>%{{y:,.2f}} {quote}</b>{lines}<extra></extra>",
        ), row=1, col=1,
    )  # fmt: skip
    apply_layout(figure, title, "", height=height or (420 if sunk else 300), look=look_of(theme))
    figure.update_yaxes(title_text=quote, tickformat=",.0f", row=1, col=1)
    if sunk:
        depths = [None if depth is None else depth * 100 for depth in _holes(shown["drawdown"])]
        for trace in _sunken(go, x, depths):
            figure.add_trace(trace, row=2, col=1)
        figure.update_yaxes(title_text="drawdown, %", nticks=4, row=2, col=1)
    return figure


def _sunken(go: Any, x: list[str], depths: list[float | None]) -> tuple[Any, Any]:
    """The area and its edge as two traces: plotly fills an area across a hole, so the area follows zero there."""
    points: list[tuple[str, float]] = []
    for number, depth in enumerate(depths):
        hole = [(x[number - 1], 0.0), (x[number + 1], 0.0)] if depth is None and 0 < number < len(x) - 1 else []
        points += hole if depth is None else [(x[number], depth)]
    shared = {"mode": "lines", "name": "drawdown", "showlegend": False}
    area = go.Scatter(
        x=[at for at, _ in points], y=[depth for _, depth in points], fill="tozeroy", hoverinfo="skip",
        line={"width": 0, "color": DOWN}, fillcolor="rgba(229,83,75,0.18)", **shared,
    )  # fmt: skip
    edge = {"color": DOWN, "width": 1.2}
    hover = "drawdown %{y:.2f} %<extra></extra>"
    return area, go.Scatter(x=x, y=depths, line=edge, hovertemplate=hover, **shared)


def _holes(values: pd.Series) -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in values]


def _broken_at_gaps(curve: pd.DataFrame) -> pd.DataFrame:
    """The curve with an empty row wherever a time is missing, so that no line is drawn across."""
    steps = curve.index.to_series().diff()
    usual = steps.median()
    holes = curve.index[steps > usual * 1.5] - usual / 2
    return pd.concat([curve, pd.DataFrame(index=holes, columns=curve.columns, dtype="float64")]).sort_index()
