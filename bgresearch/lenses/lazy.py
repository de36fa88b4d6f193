"""Polars over the store: a lazy frame per family of series."""

from __future__ import annotations

from bgresearch.candles import Source
from bgresearch.lenses.families import families


class Scans:
    """Lazy frames by the names of families."""

    def __init__(self, source: Source) -> None:
        self._source, self._families = source, families(source)
