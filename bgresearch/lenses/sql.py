"""DuckDB over the store: a connection with a view per family of series."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgresearch.candles import Source
from bgresearch.errors import ConfigurationError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def connected(source: Source) -> DuckDBPyConnection:
    """Return a connection in memory, with a view per family."""
    try:
        import duckdb
    except ImportError:
        raise ConfigurationError("SQL needs duckdb.", hint="Install it: pip install 'bgresearch[duckdb]'.") from None
    return duckdb.connect()
