"""What a frame can do by itself: ``df.bg.chart()``, ``df.bg.resample("1h")``.

The one accessor of the package. Importing this module registers it, as `bgresearch.lenses` and the client do; nothing
else is added to pandas. Every frame has it; a method that cannot mean anything for a frame says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from bgresearch.lenses.provenance import span_of
from bgresearch.lenses.quality import THRESHOLD, Quality, quality
from bgresearch.lenses.resample import resample
from bgresearch.moments import Moment, moment_ms
from bgresearch.spans import Span

if TYPE_CHECKING:
    from plotly.graph_objs._figure import Figure


@pd.api.extensions.register_dataframe_accessor("bg")
class Accessor:
    """The verbs of one frame; `pandas.DataFrame.bg` makes it.

    Parameters
    ----------
    frame : DataFrame
        What a verb of the client returned; it is read, never changed.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def chart(self, *, title: str = "") -> Figure:
        """Candlesticks of the frame."""
        from bgresearch.lenses.chart import candles_figure

        return candles_figure(self._frame, title=title)

    def resample(self, length: str, *, anchor: str | None = None, made_of: str | None = None) -> pd.DataFrame:
        """Longer candles made of the frame's, with a column ``complete``; see `bgresearch.lenses.resample.resample`.

        Parameters
        ----------
        length : str
            1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 3d 1w 1M; a multiple of the candles' own interval.
        anchor : {"utc", "exchange"}, optional
            Where bars of 6h and longer open; by default as the frame's own.
        made_of : str, optional
            The interval of the frame, where it does not say it.

        Returns
        -------
        DataFrame
            Index ``open_time`` (UTC); open, high, low, close, volumes (float64), complete (bool). No disk, no network.

        Raises
        ------
        InvalidInput
            The frame has no candles in order, or the interval is none, is shorter, or is no multiple.

        Examples
        --------
        >>> client = bg.connect(sandbox=True)                                                # doctest: +SKIP
        >>> client.candles("BTCUSDT", "1m", "2026-01-01", "2026-01-02").bg.resample("1h")    # doctest: +SKIP
        """
        return resample(self._frame, length, anchor=anchor, made_of=made_of)

    def quality(
        self, start: Moment | None = None, end: Moment | None = None, *, threshold: float = THRESHOLD
    ) -> Quality:  # fmt: skip
        """How good the candles are: coverage, gaps with causes, outliers, stillness, what cannot be.

        Parameters
        ----------
        start, end : str, datetime, Timestamp or int, optional
            Where candles are expected, ``[start, end)``; by default the closed part of what was asked for. Say it for
            a frame that is a part of what was asked for.
        threshold : float
            The modified z-score from which on a value is an outlier.

        Returns
        -------
        Quality
            Shows itself as a table; ``.coverage``, ``.sound``, ``.gaps``, ``.outliers``, ``.still``, ``.insane``,
            ``.frame()``. No disk, no network.

        Raises
        ------
        InvalidInput
            The frame has no prices, or the index is no time with a zone.

        Examples
        --------
        >>> client = bg.connect(sandbox=True)                                                # doctest: +SKIP
        >>> client.candles("BTCUSDT", "1m", "2026-01-01", "2026-01-02").bg.quality().gaps    # doctest: +SKIP
        """
        whole = span_of(self._frame)
        begin = whole.start_ms if start is None else moment_ms(start, "start")[0]
        span = Span(begin, whole.end_ms if end is None else moment_ms(end, "end")[0])
        return quality(self._frame, threshold=threshold, span=span)
