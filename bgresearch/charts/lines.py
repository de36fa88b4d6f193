"""Figures of any series over time: one panel per unit, one line per column, on one time axis."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from bgresearch.charts.figure import times
from bgresearch.charts.theme import LINES, apply_layout, look_of, plotly
from bgresearch.errors import InvalidInput
from bgresearch.research.quality.provenance import milliseconds

if TYPE_CHECKING:
    from plotly.graph_objs._figure import Figure

_BOX_PX = 240


def lines_figure(
    boxes: Mapping[str, pd.DataFrame], *, title: str = "", subtitle: str = "", steps: Collection[str] = (),
    theme: str = "auto", height: int | None = None,
) -> Figure:  # fmt: skip
    """Return a figure of series in panels, each with its own unit, below each other on one time axis.

    Parameters
    ----------
    boxes : mapping of str to DataFrame
        Unit (the axis title) to the data of its panel: index of times (UTC, ascending), one line per column. Columns
        of the same name have the same colour in every panel. NaN breaks a line.
    title, subtitle : str
        Heading and the line below it.
    steps : collection of str
        Columns that hold until the next value, such as a funding rate: drawn as steps.
    theme : {"auto", "light", "dark", "print"}
        ``auto`` takes the colours of its surroundings.
    height : int, optional
        In pixels.

    Raises
    ------
    InvalidInput
        There is nothing to draw, a value is not a DataFrame, or its index is not an ascending time with a time zone.
    ConfigurationError
        Plotly is not installed.

    Examples
    --------
    >>> client = bg.connect(sandbox=True)                                                       # doctest: +SKIP
    >>> closes = client.panel(["BTCUSDT", "ETHUSDT"], "1h", "2026-01-01", "2026-02-01")["close"]  # doctest: +SKIP
    >>> lines_figure({"share of the first price": closes / closes.iloc[0]})                     # doctest: +SKIP
    """
    for unit, frame in boxes.items():
        if not isinstance(frame, pd.DataFrame):
            raise InvalidInput("boxes", f"{unit!r} is not a DataFrame.", hint="Use series.to_frame(name).")
    if not boxes or all(frame.empty for frame in boxes.values()):
        raise InvalidInput("boxes", "there is nothing to draw.")
    go, subplots = plotly()
    look = look_of(theme)
    figure: Figure = subplots.make_subplots(rows=len(boxes), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    names = list(dict.fromkeys(str(name) for frame in boxes.values() for name in frame.columns))
    seen: set[str] = set()
    for row, (unit, frame) in enumerate(boxes.items(), start=1):
        x = times(milliseconds(_moments(unit, frame)))
        for name, column in frame.items():
            word = str(name)
            y = [None if pd.isna(value) else value for value in column]
            shape = "hv" if word in steps else "linear"
            line = {"color": LINES[names.index(word) % len(LINES)], "width": 1.6, "shape": shape}
            figure.add_trace(go.Scatter(
                x=x, y=y, mode="lines", name=word, line=line, connectgaps=False, legendgroup=word,
                showlegend=len(names) > 1 and word not in seen, hovertemplate="%{y:,.5~g}",
            ), row=row, col=1)  # fmt: skip
            seen.add(word)
        figure.update_yaxes(title_text=unit, row=row, col=1)
    apply_layout(figure, title, subtitle, height=height or 110 + _BOX_PX * len(boxes), look=look)
    figure.update_yaxes(zerolinecolor=look.ink, zerolinewidth=1)  # emphasise the sign: draw the zero line
    figure.update_layout(legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"})
    return figure


def _moments(unit: str, frame: pd.DataFrame) -> pd.DatetimeIndex:
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
        raise InvalidInput("boxes", f"the index of {unit!r} is not a time with a time zone.", hint="Use tz_localize.")
    if not index.is_monotonic_increasing:
        raise InvalidInput("boxes", f"the index of {unit!r} is not ascending.", hint="Sort it: frame.sort_index().")
    return index.tz_convert("UTC")
