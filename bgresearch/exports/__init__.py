"""Frames to files, and candles to backtesters: one file, written atomically, with its provenance. No network."""

from bgresearch.exports.backtesters import to_backtesting, to_ccxt, to_freqtrade, to_nautilus, to_vectorbt
from bgresearch.exports.export import export, export_pieces
from bgresearch.exports.formats import FORMATS

__all__ = [
    "FORMATS", "export", "export_pieces", "to_backtesting", "to_ccxt", "to_freqtrade", "to_nautilus", "to_vectorbt",
]  # fmt: skip
