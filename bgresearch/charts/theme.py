"""Chart styling: colours by theme, the common layout, one style per trace. Independent of the data.

``auto`` has a transparent background and a grey that is readable on white and on black; pages and notebooks replace it
with their own text colour. ``print`` is for paper: white background, black lines, rising candles hollow, so that they
are distinguishable in grey copies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from bgresearch.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from plotly.graph_objs._figure import Figure

Theme = Literal["auto", "light", "dark", "print"]

UP, DOWN, ACCENT = "#16a085", "#e5534b", "#4c8dff"  # 3:1 or better on white and on #15181e
LINES = ("#4c8dff", "#d98200", "#a66bd4", "#0097b2", "#d6568f", "#8a8f00")
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
_BUY, _SELL = "#2f6fe4", "#c77700"


@dataclass(frozen=True)
class Look:
    """The colours of a theme."""

    ink: str
    grid: str
    ground: str
    band: str
    rim: str
    hollow: bool = False


LOOKS: dict[str, Look] = {
    "auto": Look("rgba(128,134,145,1)", "rgba(128,134,145,0.22)", "rgba(0,0,0,0)", "rgba(128,134,145,0.16)", "#ffffff"),
    "light": Look("#1b1f27", "#e1e5eb", "#ffffff", "rgba(93,102,117,0.14)", "#ffffff"),
    "dark": Look("#e6e9ef", "#2b313c", "#15181e", "rgba(154,164,180,0.16)", "#15181e"),
    "print": Look("#000000", "#d9d9d9", "#ffffff", "rgba(0,0,0,0.08)", "#ffffff", hollow=True),
}


def look_of(theme: str) -> Look:
    """Return the colours of a theme.

    Raises
    ------
    InvalidInput
        There is no theme of that name.
    """
    if theme not in get_args(Theme):
        raise InvalidInput("theme", f"{theme!r} is unknown.", hint="Use auto, light, dark or print.")
    return LOOKS[theme]


def plotly() -> tuple[Any, Any]:
    """Return plotly's graph objects and its subplots.

    Raises
    ------
    ConfigurationError
        Plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
        from plotly import subplots
    except ImportError:
        raise ConfigurationError("Charts need plotly.", hint="Install it: pip install 'bgresearch[charts]'.") from None
    return go, subplots


def apply_layout(figure: Figure, title: str, subtitle: str, *, height: int, look: Look) -> None:
    """Set the title, margins, fonts and grid of a figure."""
    axis = {"gridcolor": look.grid, "zerolinecolor": look.grid, "linecolor": look.grid, "tickcolor": look.grid}
    figure.update_layout(
        template="none",
        title={
            "text": title,
            "subtitle": {"text": subtitle, "font": {"size": 12}},
            "x": 0.01,
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 12},
            "font": {"size": 16},
        },
        height=height,
        margin={"l": 72, "r": 20, "t": 84 if subtitle else 48, "b": 54},
        paper_bgcolor=look.ground,
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": look.ink},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": look.ink, "activecolor": ACCENT},
        dragmode="pan",
        hovermode="x unified",
        hoverlabel={"bgcolor": "#2b303a", "bordercolor": "#2b303a", "font": {"color": "#f2f4f7"}},
        bargap=0,
    )
    figure.update_xaxes(
        **axis, type="date", hoverformat="%Y-%m-%d %H:%M UTC", tickangle=0, tickformatstops=_TIMES, spikethickness=1
    )
    figure.update_yaxes(**axis, automargin=True)


_DAY_MS, _DATE = 86_400_000, "\n%b %-d<br>%Y"  # the year below: on one line neighbours touch in a narrow pane
_TIMES = [
    {"dtickrange": [None, 59_999], "value": f"%H:%M:%S{_DATE}"},
    {"dtickrange": [60_000, _DAY_MS - 1], "value": f"%H:%M{_DATE}"},
]


def ranges(look: Look, days: float) -> dict[str, Any]:
    """Return the buttons above a time axis: a day, a week, a month as far as the span is longer, everything."""
    steps = [(1, "1 day", "day"), (7, "1 week", "day"), (1, "1 month", "month")][: 3 if days > 45 else 2]
    return {
        "buttons": [
            *({"count": count, "label": label, "step": step, "stepmode": "backward"} for count, label, step in steps),
            {"label": "all", "step": "all"},
        ],
        "bgcolor": "rgba(128,134,145,0.14)", "activecolor": "rgba(76,141,255,0.35)",
        "font": {"size": 12, "color": look.ink}, "x": 0, "y": 1.01,
    }  # fmt: skip


def style(drawn: str, number: int, look: Look) -> dict[str, Any]:
    """Return the style of a trace: its plotly type and all attributes except its data.

    Parameters
    ----------
    drawn : str
        candles, volume, gaps, buy, sell, funding, or ``line <name>``.
    number : int
        Number of the line among the lines.
    look : Look
        The theme's colours.
    """
    if drawn.startswith("line "):
        color = LINES[number % len(LINES)]
        return {
            "type": "scatter", "mode": "lines", "name": drawn.removeprefix("line "),
            "line": {"color": color, "width": 1.6}, "connectgaps": False, "hovertemplate": "%{y:,.8~g}",
        }  # fmt: skip
    return _STYLES[drawn](look)


def _candles(look: Look) -> dict[str, Any]:
    return {
        "type": "candlestick", "name": "price", "showlegend": False,
        "increasing": {"line": {"color": UP, "width": 1}, "fillcolor": look.ground if look.hollow else UP},
        "decreasing": {"line": {"color": DOWN, "width": 1}, "fillcolor": DOWN},
    }  # fmt: skip


def _volume(_look: Look) -> dict[str, Any]:
    return {
        "type": "bar", "name": "volume", "showlegend": False, "opacity": 0.7,
        "marker": {"line": {"width": 0}, "colorscale": [[0, DOWN], [1, UP]], "cmin": 0, "cmax": 1, "showscale": False},
        "hovertemplate": "volume %{y:,.4~g}<extra></extra>",
    }  # fmt: skip


def _gaps(look: Look) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "name": "no candles", "showlegend": False, "fill": "tozeroy",
        "fillcolor": look.band, "line": {"width": 0, "color": look.ink}, "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _mark(name: str, symbol: str, color: str, look: Look) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": name, "hovertemplate": "%{text}<extra></extra>",
        "marker": {"symbol": symbol, "size": 11, "color": color, "line": {"color": look.rim, "width": 1.2}},
    }  # fmt: skip


def _funding(_look: Look) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "name": "funding", "showlegend": False, "fill": "tozeroy",
        "line": {"color": ACCENT, "width": 1.2, "shape": "hv"}, "fillcolor": "rgba(76,141,255,0.18)",
        "hovertemplate": "funding %{y:.4f} %<extra></extra>",
    }  # fmt: skip


_STYLES: dict[str, Callable[[Look], dict[str, Any]]] = {
    "candles": _candles,
    "volume": _volume,
    "gaps": _gaps,
    "funding": _funding,
    "buy": partial(_mark, "own buys", "triangle-up", _BUY),
    "sell": partial(_mark, "own sells", "triangle-down", _SELL),
}
