"""What a frame can do by itself: ``df.bg.chart()``, ``df.bg.resample("1h")``.

The one accessor of the package. Importing this module registers it, as `bgresearch.lenses` and the client do; nothing
else is added to pandas. Every frame has it; a method that cannot mean anything for a frame says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from bgresearch.lenses.exports.methods import ExportMethods
from bgresearch.lenses.resample import resample

if TYPE_CHECKING:
    from plotly.graph_objs._figure import Figure


@pd.api.extensions.register_dataframe_accessor("bg")
class Accessor(ExportMethods):
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

    def resample(self, length: str, *, anchor: str = "utc") -> pd.DataFrame:
        """Longer candles made of the frame's."""
        return resample(self._frame, length, anchor=anchor)
