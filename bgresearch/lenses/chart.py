"""Plotly figures out of frames. They fit a light and a dark page alike; plotly is imported when one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.intervals import interval
from bgresearch.lenses.resample import FLUID_BARS, fluid

if TYPE_CHECKING:
    from plotly.graph_objs._figure import Figure

UP, DOWN, ACCENT = "#16a085", "#e5534b", "#4c8dff"  # 3:1 or better on white and on #15181e
_INK, _GRID = "rgba(128,134,145,1)", "rgba(128,134,145,0.22)"
_NEEDED = ("open", "high", "low", "close")


def candles_figure(candles: pd.DataFrame, *, title: str = "", max_bars: int = FLUID_BARS) -> Figure:
    """Candlesticks with their volume below, on one time axis; missing bars are empty space, nothing is filled.

    Parameters
    ----------
    candles : DataFrame
        What ``client.candles`` returns: index ``open_time`` (UTC), columns open, high, low, close and, if there,
        volume.
    title : str
        Heading; made from the frame's provenance if empty.
    max_bars : int
        More candles than that are shown as longer ones; the second line of the heading says which.

    Returns
    -------
    plotly.graph_objects.Figure
        Drag to move, scroll to zoom, buttons for a day, a week and everything.

    Raises
    ------
    InvalidInput
        An empty frame, or one without the four prices.
    ConfigurationError
        Plotly is not installed.

    Examples
    --------
    >>> client = bg.connect(sandbox=True)                                            # doctest: +SKIP
    >>> candles_figure(client.candles("BTCUSDT", "1m", "2026-01-01", "2026-02-01"))  # doctest: +SKIP
    """
    absent = [name for name in _NEEDED if name not in candles.columns]
    if absent or candles.empty:
        cause = f"no column {', '.join(absent)}." if absent else "there is no candle to draw."
        raise InvalidInput("candles", cause, hint="Hand over what client.candles(...) returned.")
    go, subplots = _plotly()
    bars, length = fluid(candles, max_bars=max_bars)
    figure: Figure = subplots.make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.76, 0.24], vertical_spacing=0.03
    )
    figure.add_trace(_candlesticks(go, bars), row=1, col=1)
    if "volume" in bars.columns:
        figure.add_trace(_volume(go, bars, interval(length).nominal_ms), row=2, col=1)
    _dress(figure, title or _title(candles), _told(candles, length), height=560)
    figure.update_xaxes(rangeslider_visible=False)
    figure.update_xaxes(rangeselector=_RANGES, row=1, col=1)
    figure.update_yaxes(title_text="price", row=1, col=1)
    figure.update_yaxes(title_text="volume", row=2, col=1, fixedrange=True, rangemode="tozero")
    figure.update_yaxes(tickformat="~s", nticks=4, row=2, col=1)
    return figure


def equity_figure(curve: pd.DataFrame, *, title: str = "Equity", quote: str = "USDT") -> Figure:
    """The account's value over time, with what each coin contributes on hover.

    Parameters
    ----------
    curve : DataFrame
        What `bgresearch.lenses.equity.equity_curve` returns.
    title, quote : str
        Heading; the coin that values are counted in.

    Raises
    ------
    ConfigurationError
        Plotly is not installed.
    """
    go, _ = _plotly()
    coins = [str(name) for name in curve.columns if name != "equity"]
    shown = _broken_at_gaps(curve)
    parts = shown[coins].round(2).to_numpy().tolist()
    lines = "".join(f"<br>{coin} %{{customdata[{number}]:,.2f}}" for number, coin in enumerate(coins))
    figure: Figure = go.Figure(
        go.Scatter(
            x=_times(shown.index),
            y=[None if pd.isna(value) else value for value in shown["equity"].round(2)],
            customdata=parts,
            mode="lines",
            line={"color": ACCENT, "width": 2},
            name="equity",
            hovertemplate=f"<b>%{{y:,.2f}} {quote}</b>{lines}<extra></extra>",
        )
    )
    _dress(figure, title, "", height=300)
    figure.update_yaxes(title_text=quote, tickformat=",.0f")
    return figure


_RANGES = {
    "buttons": [
        {"count": 1, "label": "1 day", "step": "day", "stepmode": "backward"},
        {"count": 7, "label": "1 week", "step": "day", "stepmode": "backward"},
        {"label": "all", "step": "all"},
    ],
    "bgcolor": "rgba(128,134,145,0.14)",
    "activecolor": "rgba(76,141,255,0.35)",
    "font": {"size": 12},
    "x": 0,
    "y": 1.01,
}


def _plotly() -> tuple[Any, Any]:
    try:
        import plotly.graph_objects as go
        from plotly import subplots
    except ImportError:
        raise ConfigurationError("Charts need plotly.", hint="Install it: pip install 'bgresearch[charts]'.") from None
    return go, subplots


def _times(index: pd.Index) -> list[str]:
    return list(pd.DatetimeIndex(index).tz_convert("UTC").strftime("%Y-%m-%dT%H:%M:%S"))


def _candlesticks(go: Any, bars: pd.DataFrame) -> Any:
    return go.Candlestick(
        x=_times(bars.index),
        **{name: bars[name].tolist() for name in _NEEDED},
        increasing={"line": {"color": UP, "width": 1}, "fillcolor": UP},
        decreasing={"line": {"color": DOWN, "width": 1}, "fillcolor": DOWN},
        name="price",
        showlegend=False,
    )


def _volume(go: Any, bars: pd.DataFrame, width_ms: int) -> Any:
    rising = bars["close"] >= bars["open"]
    return go.Bar(
        x=_times(bars.index),
        y=bars["volume"].tolist(),
        width=width_ms * 0.8,
        offset=-width_ms * 0.4,
        marker={"color": [UP if up else DOWN for up in rising], "line": {"width": 0}},
        opacity=0.7,
        name="volume",
        hovertemplate="volume %{y:,.4~g}<extra></extra>",
        showlegend=False,
    )


def _broken_at_gaps(curve: pd.DataFrame) -> pd.DataFrame:
    """The curve with an empty row wherever a moment is missing, so that no line is drawn across."""
    steps = curve.index.to_series().diff()
    usual = steps.median()
    holes = curve.index[steps > usual * 1.5] - usual / 2
    return pd.concat([curve, pd.DataFrame(index=holes, columns=curve.columns, dtype="float64")]).sort_index()


def _dress(figure: Figure, title: str, subtitle: str, *, height: int) -> None:
    axis = {"gridcolor": _GRID, "zerolinecolor": _GRID, "linecolor": _GRID, "tickcolor": _GRID}
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
        margin={"l": 72, "r": 20, "t": 84 if subtitle else 48, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif", "size": 12, "color": _INK},
        modebar={"bgcolor": "rgba(0,0,0,0)", "color": _INK, "activecolor": ACCENT},
        dragmode="pan",
        hovermode="x unified",
        hoverlabel={"bgcolor": "#2b303a", "bordercolor": "#2b303a", "font": {"color": "#f2f4f7"}},
        bargap=0,
    )
    figure.update_xaxes(**axis, type="date", hoverformat="%Y-%m-%d %H:%M UTC", tickangle=0, spikethickness=1)
    figure.update_yaxes(**axis, automargin=True)


def _title(candles: pd.DataFrame) -> str:
    origin = candles.attrs.get("bgresearch", {})
    return " · ".join(str(origin[name]) for name in ("symbol", "market", "price") if origin.get(name))


def _told(candles: pd.DataFrame, length: str) -> str:
    asked = candles.attrs.get("bgresearch", {}).get("interval")
    return f"{length} bars, UTC" if asked in (None, length) else f"{asked} candles shown as {length} bars, UTC"
