"""The store through tools that scan it whole: DuckDB, Polars, Dask. Each is an extra, imported when used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bgresearch.core.symbols import chosen
from bgresearch.core.timestamps import Moment, span_of
from bgresearch.core.verbs import Verbs
from bgresearch.errors import ConfigurationError
from bgresearch.session.session import Session

if TYPE_CHECKING:
    import pandas as pd
    from dask.dataframe import DataFrame
    from duckdb import DuckDBPyConnection

    from bgresearch.query.polars_scans import Scans

_FIRST = "2010-01-01"  # before any exchange of this kind
BLOCK_BYTES = 8 << 20  # of files: some 20 MB as a frame; a thousand symbol-months of 1m are some 140 tasks


class Lens(Verbs):
    """Queries over the whole store, not symbol by symbol; sends no requests, changes nothing.

    Parameters
    ----------
    source : Session
        The client's: its store, and the key that says whose account records may be read.
    """

    def __init__(self, source: Session) -> None:
        self._source = source

    def duckdb(
        self, *, spill: str | os.PathLike[str] | None = None, check: bool = True
    ) -> DuckDBPyConnection:  # fmt: skip
        """Return a DuckDB connection with a view per family of series: SQL over everything that is kept.

        Parameters
        ----------
        spill : path, optional
            A folder for what does not fit into memory; without one nothing is written anywhere, and such a query says
            that memory ran out.
        check : bool
            Whether every file is read whole and its digest compared first, once per client: DuckDB compares none.

        Returns
        -------
        duckdb.DuckDBPyConnection
            In memory. Views: ``candles`` (last prices), ``candles_mark``, ``candles_index``; the same three of
            ``candles_utc8`` (bars that open on UTC+8 boundaries); ``trades``, ``funding_rates``; ``quotes`` and
            ``books`` of the bulk archive; ``recorded_open_interest`` and the other recordings; with a key the records
            of its own account, ``fills``, ``orders``, ``bills``, ..., ``assets``. Columns: the keys (market, price,
            symbol, interval, every: VARCHAR), those of the verb of that name (times TIMESTAMPTZ, numbers DOUBLE), and
            ``period``, the name of the file: a filter on it or on a key opens no other file. A view of what is not kept
            is empty and has its columns.

            Two more are read from the footers of the files. ``gaps``: series, keys, lot, start, end, cause, noticed,
            again. ``coverage``: series, keys, lot, rows, first, last (times of rows), gaps, files, bytes.

        Raises
        ------
        ConfigurationError
            duckdb is not installed.
        StoreError
            A file is damaged, or was set aside as damaged and its span is not covered again.

        Notes
        -----
        Times are compared and shown in UTC. Everything that is stored is closed and final. The check takes some 8 ms
        of a processor per symbol and month of 1m bars. Views see what is downloaded after they were made. Each file is
        seen whole: a query that meets one just as it is replaced ends with an error and can be run again, as `sql` does
        by itself. A query over many files while another process writes may see some before and some after: a pin
        (``connect(pin=...)``) never changes.
        The connection can access the folders of these views and nothing else, whatever is typed: no other file, no
        network, no extension, no other setting than threads, memory_limit and a few like them. Inside these folders
        it is for reading; DuckDB has no switch against a ``COPY ... TO`` that names one of them by its full path.
        A symbol that is stored in several markets has rows of each: name the market. `sql` checks that, the connection
        cannot.
        Frames are joined with ``connection.register("name", frame)``. Of results with times, ``.to_arrow_table()
        .to_pandas()`` is quieter than ``.df()``, which uses what pandas 3.1 warns of; `sql` gives a frame at once.

        Examples
        --------
        >>> client = bgresearch.connect(sandbox=True)                                              # doctest: +SKIP
        >>> client.lens.duckdb().sql("SELECT symbol, count(*) FROM candles GROUP BY ALL").pl()     # doctest: +SKIP
        """
        from bgresearch.query.datasets import checked, families
        from bgresearch.query.duckdb_views import connected

        if check:
            checked(self._local(), families(self._local()).values())
        return connected(self._local(), spill)

    def sql(self, query: str, **frames: pd.DataFrame) -> pd.DataFrame:
        """Return what one SQL query over the store gives, as a plain frame.

        Parameters
        ----------
        query : str
            In DuckDB's SQL, over the views that `duckdb` documents.
        **frames : DataFrame
            Tables of your own, by the name that the query uses; a named index is a column of it.

        Returns
        -------
        DataFrame
            In the order of the query. Times datetime64[us, UTC], numbers float64, whole numbers Int64, text str;
            exact decimals, among them sums of whole numbers, become float64. The query is in
            ``df.attrs["bgresearch"]``.

        Raises
        ------
        InvalidInput
            DuckDB refuses the query, or it is none; the message is DuckDB's. It wants prices of another kind than its
            table has. It does not use the column ``market`` although a symbol is stored in several markets.
        StoreError
            A file cannot be read, is damaged, or was set aside as damaged and its span is not covered again.
        ConfigurationError
            duckdb is not installed.

        Notes
        -----
        Disk: reads what the query needs, and each file of the views that it names once per client to compare its
        digest; writes nothing. Budget: no request.

        Examples
        --------
        >>> client = bgresearch.connect(sandbox=True)                                              # doctest: +SKIP
        >>> client.lens.sql(                                                                       # doctest: +SKIP
        ...     "SELECT symbol, max(high) AS high FROM candles WHERE market = 'spot' GROUP BY symbol"
        ... )
        """
        from bgresearch.query.duckdb_views import answered

        return answered(self._local(), query, frames)

    def dask(
        self, name: str = "candles", *, symbols: str | Sequence[str] | None = None,
        market: str | Sequence[str] | None = None,
        price: str | None = None, interval: str | None = None, start: Moment | None = None, end: Moment | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> DataFrame:  # fmt: skip
        """Return a Dask frame over everything that is kept or published of a family: for what outgrows one machine.

        Parameters
        ----------
        name : str
            ``candles``, ``candles_utc8``, ``trades``, ``funding_rates``, ``quotes``, ``books``,
            ``recorded_open_interest`` and the other recordings; never what an account did.
        symbols : str or sequence of str
            Only these, as the exchange spells them; all by default.
        market : str or sequence of str, optional
            Only these. It may be left out as long as no symbol is kept in two markets.
        price : str, optional
            Of candles: ``last`` by default, ``mark`` or ``index``.
        interval : str, optional
            As of `Client.candles`; all by default.
        start, end : str, datetime, Timestamp or int, optional
            Only rows of ``[start, end)``; naive means UTC, without an end up to now.
        block_bytes : int
            Bytes of files in a block; as a frame they are some two and a half times as much. A series is in one block,
            in the order of its times, unless it alone is larger.

        Returns
        -------
        dask.dataframe.DataFrame
            Index the time of the family (``open_time``; datetime64[ms, UTC]), not sorted over series. Columns: the
            keys (market, price, symbol, interval; category), then those of the verb of that name, float64.

        Raises
        ------
        OfflineError
            Nothing of it is stored.
        InvalidInput
            There is no such family, or it has no such key; no symbol is named; a symbol is stored in several markets
            and none is named.
        ConfigurationError
            dask is not installed.

        Notes
        -----
        Which files are read is known from their names, before anything is computed: those of the wanted symbols,
        markets and months. Workers need this package, and access to the files: of a local store the same folder, of a
        published one (``connect(store=...)``) the address. An object whose digest is not the manifest's is an error.
        ``storage_options=`` is sent to the workers with the graph: let them find credentials themselves.
        Rows that the exchange does not have are absent, and so are those never downloaded: `Client.plan` lists them.

        Examples
        --------
        >>> client = bgresearch.connect(store="s3://bucket/prices")                                # doctest: +SKIP
        >>> client.lens.dask(interval="1m").groupby("symbol").volume.sum().compute()               # doctest: +SKIP
        """
        from bgresearch.query.dask_frames import RowFilter, blocks
        from bgresearch.query.datasets import listed

        names = symbols if symbols is None or isinstance(symbols, str) else listed("symbols", symbols)
        keys = {"market": market, "price": price, "interval": interval}
        wanted = {key: listed(key, value) for key, value in keys.items()} | {"symbol": chosen(names)}
        now_ms = self._source.clock.now_ms()
        span = None if start is None and end is None else span_of(_FIRST if start is None else start, end, now_ms)
        return blocks(self._source, name, RowFilter(wanted, span), block_bytes)

    def polars(self, *, check: bool = True) -> Scans:
        """Return Polars' lazy frames of the same families, by the same names: ``.candles()``, ``.trades()``, ...

        Parameters
        ----------
        check : bool
            Whether a scan first reads its files whole and compares their digests, once per client: Polars compares
            none. It does so before any filter is known; a period and a market that are named leave fewer files.

        Raises
        ------
        ConfigurationError
            polars is not installed.
        StoreError
            Of a scan: a file is damaged, or was set aside as damaged and its span is not covered again.

        Notes
        -----
        A lazy frame sees the files that were there when it was made, each whole and as it is now. When it is collected,
        a filter on market, price, symbol or interval opens no other file. ``.candles(period="2026-10")`` opens only
        those of that month, for the check too.
        Last prices are in ``.candles()``, others in ``.candles_mark()`` and ``.candles_index()``. Where a symbol is in
        several markets, name one or several: ``.candles(market="spot")``.

        Examples
        --------
        >>> client = bgresearch.connect(sandbox=True)                                              # doctest: +SKIP
        >>> client.lens.polars().candles(market="spot").group_by("symbol").len().collect()         # doctest: +SKIP
        """
        from bgresearch.query.polars_scans import Scans

        return Scans(self._local(), check=check)

    def _local(self) -> Session:
        """Return the source if its store is a folder: what scans folders cannot look into an address."""
        store = self._source.store
        if store.frozen_by == "store=":
            hint = "Use lens.dask(), or download it and connect without store=."
            raise ConfigurationError(f"{store.place} is a publication, and this lens reads folders.", hint=hint)
        return self._source
