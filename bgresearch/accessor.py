"""The pandas accessor: ``df.bg.chart()``, ``df.bg.resample("1h")``.

Importing this module registers it, as the client does; nothing else is added to pandas. Every frame
has it; a method raises an error if it does not apply to the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from bgresearch.core.spans import Span
from bgresearch.core.timestamps import Moment, moment_ms
from bgresearch.core.verbs import Verbs, composed_of
from bgresearch.errors import InvalidInput
from bgresearch.research.quality.provenance import span_of
from bgresearch.research.quality.report import THRESHOLD, Quality, quality
from bgresearch.research.resample import FLUID_BARS, resample

if TYPE_CHECKING:
    from pathlib import Path

    from bgresearch.charts.chart import Chart
    from bgresearch.charts.frame_chart import FigureChart
    from bgresearch.charts.overlays import Overlays
    from bgresearch.exports.accessor_methods import ExportMethods as _Parts
else:
    _Parts = Verbs


@pd.api.extensions.register_dataframe_accessor("bg")
@composed_of({
    "bgresearch.exports.accessor_methods:ExportMethods":
        "export to_backtesting to_vectorbt to_ccxt to_nautilus to_freqtrade",
})  # fmt: skip
class Accessor(_Parts):
    """The verbs of one frame; `pandas.DataFrame.bg` makes it.

    Parameters
    ----------
    frame : DataFrame
        The result of a verb of the client; it is not changed.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = self._shared = frame

    def chart(
        self, *, overlays: Overlays | None = None, funding: pd.DataFrame | pd.Series | None = None,
        fills: pd.DataFrame | None = None, volume: bool = True, gaps: bool = True, title: str = "",
        theme: str = "auto", height: int | None = None, max_bars: int = FLUID_BARS,
    ) -> Chart | FigureChart:  # fmt: skip
        """Candlesticks with volume, lines, funding rates and own fills; of any other frame its numbers.

        Order books are drawn as depth, equity with its drawdown, frames by time as lines (a box per column, a line per
        symbol), the present values of many symbols as a ranking.

        Parameters
        ----------
        overlays : int, str, Series, several of them, a mapping of names to them, or a DataFrame, optional
            Lines over the candles: a moving average over that many closes, a column, a Series by time (UTC).
        funding : DataFrame or Series, optional
            The result of ``client.funding_rates``: shown in its own panel.
        fills : DataFrame, optional
            The result of ``client.account.fills``, spot or futures: those of the symbol and market are marked.
        volume, gaps : bool
            Whether to draw volumes; a light band with the cause wherever candles are absent.
        title : str
            Heading; made from the frame's provenance if empty.
        theme : {"auto", "light", "dark", "print"}
            ``auto`` takes the colours of the notebook or the browser.
        height : int, optional
            In pixels.
        max_bars : int
            If more candles are visible, longer ones are drawn.

        Returns
        -------
        Chart or FigureChart
            Displayed in a notebook, finer when zoomed in; ``.show()`` displays it anywhere, outside a notebook in the
            browser; ``.figure`` is plotly's, ``.save("chart.html")`` writes a
            page that needs no kernel, ``.picture("chart.svg")`` an image for print. No disk, no network.

        Raises
        ------
        InvalidInput
            The frame does not hold candles in order, or an overlay cannot be drawn; it has no numbers; overlays,
            funding or fills for a frame without candles.
        ConfigurationError
            Plotly is not installed.

        Examples
        --------
        >>> client = bg.connect(sandbox=True)                                                # doctest: +SKIP
        >>> client.candles("BTCUSDT", "1m", "2026-01-01", "2026-02-01").bg.chart(overlays=[20])    # doctest: +SKIP
        """
        from bgresearch.charts.chart import chart
        from bgresearch.charts.frame_chart import frame_chart

        if not {"open", "high", "low"} & {*self._frame.columns}:
            if any(one is not None for one in (overlays, funding, fills)):
                raise InvalidInput("overlays, funding, fills", "they go with candles, and this frame has none.")
            return frame_chart(self._frame, title=title, theme=theme, height=height)
        return chart(
            self._frame, overlays=overlays, funding=funding, fills=fills, volume=volume, gaps=gaps, title=title,
            theme=theme, height=height, max_bars=max_bars,
        )  # fmt: skip

    def picture(
        self, path: str | Path, *, width: int = 1000, height: int = 600, theme: str = "print", force: bool = False,
        **drawn: Any,
    ) -> Path:  # fmt: skip
        """Write an image of the chart for print and return its absolute path.

        Parameters
        ----------
        path : str or Path
            Ending in .png, .svg or .pdf; the folder must exist.
        width, height : int
            Size of the layout in pixels; a PNG has three times as many.
        theme : {"print", "light", "dark"}
            ``print``: white background, black lines, rising candles hollow, so that they are distinguishable in grey
            copies.
        force : bool
            Whether an existing file may be replaced.
        **drawn
            Content as for `chart`: overlays, funding, fills, volume, gaps, title.

        Raises
        ------
        InvalidInput, ConfigurationError
            As `chart`; an unknown suffix; kaleido or a browser is not installed.
        StoreError
            The file exists and ``force`` is not set, or the folder is not writable.

        Notes
        -----
        Disk: the file, written atomically. An installed Chromium or Chrome renders it, without network access.

        Examples
        --------
        >>> client = bg.connect(sandbox=True)                                                # doctest: +SKIP
        >>> client.candles("BTCUSDT", "1h", "2026-01-01", "2026-02-01").bg.picture("btc.svg")    # doctest: +SKIP
        """
        from bgresearch.charts.chart import chart

        return chart(self._frame, **drawn).picture(path, width=width, height=height, theme=theme, force=force)

    def resample(self, length: str, *, anchor: str | None = None, made_of: str | None = None) -> pd.DataFrame:
        """Longer candles, with a column ``complete``; see `bgresearch.research.resample.resample`.

        Parameters
        ----------
        length : str
            1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 3d 1w 1M; a multiple of the candles' own interval.
        anchor : {"utc", "exchange"}, optional
            Where bars of 6h and longer open; by default the frame's own anchor.
        made_of : str, optional
            The interval of the frame, if its provenance does not have it.

        Returns
        -------
        DataFrame
            Index ``open_time`` (UTC); open, high, low, close, volumes (float64), complete (bool). No disk, no network.

        Raises
        ------
        InvalidInput
            The frame does not hold candles in order, or the interval is unknown, shorter, or not a multiple.

        Examples
        --------
        >>> client = bg.connect(sandbox=True)                                                # doctest: +SKIP
        >>> client.candles("BTCUSDT", "1m", "2026-01-01", "2026-01-02").bg.resample("1h")    # doctest: +SKIP
        """
        return resample(self._frame, length, anchor=anchor, made_of=made_of)

    def quality(
        self, start: Moment | None = None, end: Moment | None = None, *, threshold: float = THRESHOLD
    ) -> Quality:  # fmt: skip
        """Data quality of the candles: coverage, gaps with causes, outliers, impossible values.

        Parameters
        ----------
        start, end : str, datetime, Timestamp or int, optional
            Span in which candles are expected, ``[start, end)``; by default the closed part of the requested span. Pass
            it for a part of a frame.
        threshold : float
            The modified z-score at and above which a value is an outlier.

        Returns
        -------
        Quality
            Displayed as a table; ``.coverage``, ``.sound``, ``.gaps``, ``.outliers``, ``.still``, ``.insane``,
            ``.frame()``. No disk, no network.

        Raises
        ------
        InvalidInput
            The frame has no prices, the index is not a time with a time zone, or ``end`` is before ``start``.

        Examples
        --------
        >>> client = bg.connect(sandbox=True)                                                # doctest: +SKIP
        >>> client.candles("BTCUSDT", "1m", "2026-01-01", "2026-01-02").bg.quality().gaps    # doctest: +SKIP
        """
        whole = span_of(self._frame)
        begin = whole.start_ms if start is None else moment_ms(start, "start")[0]
        span = Span(begin, whole.end_ms if end is None else moment_ms(end, "end")[0])
        if span.end_ms < span.start_ms:
            raise InvalidInput("end", f"{span} ends before it starts.", hint="Pass the earlier time first.")
        return quality(self._frame, threshold=threshold, span=span)
