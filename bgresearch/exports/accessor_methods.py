"""Export methods of ``df.bg``: to a file, or to a backtester in this process."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from bgresearch.core.verbs import Verbs
from bgresearch.exports import backtesters as bars
from bgresearch.exports.export import export


class ExportMethods(Verbs):
    """Part of the accessor; the frame is read and not changed."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def export(
        self, path: str | os.PathLike[str], *,
        format: str | None = None,  # noqa: A002 - as the function
        force: bool = False,
    ) -> Path:  # fmt: skip
        """Write the frame to one file, atomically; see `bgresearch.exports.export`."""
        return export(self._frame, path, format=format, force=force)

    def to_backtesting(self) -> pd.DataFrame:
        """Return candles for backtesting.py; see `bgresearch.exports.to_backtesting`."""
        return bars.to_backtesting(self._frame)

    def to_vectorbt(self) -> pd.DataFrame:
        """Return candles for vectorbt; see `bgresearch.exports.to_vectorbt`."""
        return bars.to_vectorbt(self._frame)

    def to_ccxt(self) -> list[list[float]]:
        """Return candles as ccxt's lists; see `bgresearch.exports.to_ccxt`."""
        return bars.to_ccxt(self._frame)

    def to_nautilus(self) -> pd.DataFrame:
        """Return candles for Nautilus Trader's wrangler; see `bgresearch.exports.to_nautilus`."""
        return bars.to_nautilus(self._frame)

    def to_freqtrade(self) -> pd.DataFrame:
        """Return candles or funding rates in freqtrade's layout; see `bgresearch.exports.to_freqtrade`."""
        return bars.to_freqtrade(self._frame)
