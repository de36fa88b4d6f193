"""The store through tools that scan it whole: DuckDB, Polars. Each is an extra, imported when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgresearch.candles import Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from bgresearch.lenses.lazy import Scans


class Lens:
    """Ways to look at everything that is kept at once, not symbol by symbol; asks nobody, changes nothing.

    Parameters
    ----------
    source : Source
        The client's: its store, and the key that says whose account records may be looked at.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def duckdb(self) -> DuckDBPyConnection:
        """Return a DuckDB connection with a view per family of series."""
        from bgresearch.lenses.sql import connected

        return connected(self._source)

    def polars(self) -> Scans:
        """Return Polars' lazy frames of the same families, by the same names."""
        from bgresearch.lenses.lazy import Scans

        return Scans(self._source)
