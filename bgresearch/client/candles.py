"""The client's verbs of candles and of the store: candles, download, plan, verify, compare, publish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bgresearch.archives.fetched_files import ChangedFile
from bgresearch.client.context import ClientContext
from bgresearch.core.progress import Wish
from bgresearch.core.symbols import chosen, known_market, several, wire_symbol
from bgresearch.core.timestamps import Duration, Moment, span_of
from bgresearch.core.verbs import Verbs
from bgresearch.market.archive_import import Paths, import_archive
from bgresearch.market.archived import archive_changes
from bgresearch.market.candles.bulk_download import WORKERS, download
from bgresearch.market.candles.plan import Plan
from bgresearch.market.candles.read_through import candles, foreseen
from bgresearch.market.candles.verify import Revision, Verified, revisions, verify
from bgresearch.store.remote.object_storage import Options, Remote
from bgresearch.store.remote.upload import Choice, Published, publish

if TYPE_CHECKING:
    import pandas as pd


class CandleVerbs(Verbs):
    """Candles, and what is kept of them."""

    def __init__(self, context: ClientContext) -> None:
        self._source, self._progress = context.source, context.progress

    def candles(
        self, symbol: str, interval: str, start: Moment | None = None, end: Moment | None = None, *,
        market: str = "spot", price: str = "last", anchor: str = "utc", include_open: bool = False,
        progress: Wish | None = None, fill: str = "none", adjust: str = "none", last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return every candle that opens in ``[start, end)`` and is closed.

        Parameters
        ----------
        symbol : str
            As the exchange spells it: ``BTCUSDT``, futures in USDC ``BTCPERP``; or as ccxt does: ``BTC/USDT:USDT``,
            which names the market as well.
        interval : str
            1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 3d 1w 1M.
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; the end is excluded, without one it is now.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.
        price : str
            ``last``; futures also ``mark`` and ``index``.
        anchor : str
            ``utc``: 6h and longer open on UTC boundaries; ``exchange``: on those of UTC+8.
        include_open : bool
            Whether to include the candle that is still forming; it is fetched every time and never stored.
        progress : "auto", bool or callable, optional
            Overrides the client's.
        fill : str
            What to do with candles that the exchange does not have although the symbol was listed: ``none`` leaves them
            out; ``nan`` puts in rows of NaN; ``ffill`` puts in the last close with a volume of 0. With either, the
            column ``filled`` (bool) says which rows are no candles. Nothing of it is stored.
        adjust : str
            ``splits``, of contracts on stocks: prices before a split are divided by its ratio and volumes multiplied,
            so that all rows are in shares of today; ``df.attrs["bgresearch"]["splits"]`` names the splits. What is
            stored stays as it was traded, which is what ``none`` returns.

        Returns
        -------
        DataFrame
            Index ``open_time`` (datetime64[ms, UTC], ascending, unique). Columns open, high, low, close (quote
            coin), volume (base coin), quote_volume (quote coin), float64. Candles the exchange does not have are
            absent and named in ``df.attrs["bgresearch"]["gaps"]`` with their cause: ``before listing``, ``delisted``,
            ``exchange has none`` (there are candles before and after), ``maintenance``, ``unknown``, or ``contradictory
            answer``: whatever route is asked, it cannot be read, opens between two boundaries or has two versions.
            Candles that contradict themselves, like an open above the high, on every route are given as they were sent
            and named in ``["contradictory"]``; ``df.bg.quality()`` lists both.

        Raises
        ------
        InvalidInput
            An argument that means nothing; no request was spent.
        UnknownSymbol
            The exchange does not know the symbol; the message names near ones.
        IncompleteData
            Part of it could not be fetched; ``missing`` names the spans, what was complete is in the store.
        OfflineError
            Offline, and ``missing`` is not in the store.
        StoreError
            The data folder cannot be read or written.

        Notes
        -----
        Disk: kept under ``candles/market=.../price=.../symbol=.../interval=...``; what is there is not requested
        again. Budget: one request per 1000 recent or 200 older candles; at most 20 per second and endpoint. Long spans
        of 1m candles come from the exchange's bulk archive where that is cheaper, as of `download`;
        ``df.attrs["bgresearch"]["archived"]`` names them. With ``adjust="splits"`` one request more for the splits, and
        candles that a split is in the middle of are made of shorter ones.
        Source: spot/market/Get-Candle-Data, spot/market/Get-History-Candle-Data, contract/market/Get-Candle-Data,
        contract/market/Get-History-Candle-Data, uta/public/Get-Candle-Data.

        Examples
        --------
        >>> client = bgresearch.connect(sandbox=True)                                   # doctest: +SKIP
        >>> client.candles("BTCUSDT", "1h", "2026-01-01", "2026-01-02").close.iloc[-1]  # doctest: +SKIP
        """
        named = wire_symbol(symbol, market)
        return candles(
            self._source, named.symbol, interval, start, end, market=named.market, price=price, anchor=anchor,
            include_open=include_open, progress=self._progress if progress is None else progress, fill=fill,
            adjust=adjust,
        )  # fmt: skip

    def download(
        self, symbols: str | Sequence[str], interval: str, start: Moment | None = None, end: Moment | None = None, *,
        market: str = "spot", price: str = "last", workers: int = WORKERS, source: str = "auto",
        progress: Wish | None = None, last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Download closed candles of many symbols into the store and return what is stored, a row per symbol.

        No rows are read back, so memory stays small however much is downloaded. An error of one symbol does not stop
        the others. After an interruption, what was complete is in the store and is not requested again.

        Parameters
        ----------
        symbols : str or sequence of str
            One, several, or ``"ALL"``: every symbol that the market lists now, and those that are in the store from
            before, delisted ones among them. Spelled as for `candles`.
        interval : str
            1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 3d 1w 1M.
        start, end : str, datetime, Timestamp or int
            As for `candles`; the end is excluded, without one it is now.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        market, price : str
            As for `candles`.
        workers : int
            Symbols at a time at most; fewer where one alone uses all that the limits allow.
        source : str
            ``rest``: the exchange's API. ``archive``: its bulk archive alone, which has 1m candles of last prices since
            2018; what it lacks (the launch day, the last two days) is named among the gaps. ``auto``: whichever is
            cheaper of the two, and REST for what the archive lacks.
        progress : "auto", bool or callable, optional
            Overrides the client's.

        Returns
        -------
        DataFrame
            A row per symbol: symbol (str), candles (int64, in the store), first, last (datetime64[ms, UTC], opens),
            gaps (int64), requests (int64), error (str, missing where nothing failed).
            ``df.attrs["bgresearch"]`` has gaps and errors by symbol, which symbols are no longer listed, and under
            ``archive`` what the bulk archive gave and which of its files were set aside.

        Raises
        ------
        InvalidInput
            An argument that means nothing; no request was spent.
        NetworkError, IncompleteData
            Eight symbols in a row got no answer.
        StoreError
            The data folder cannot be read or written.
        BgresearchError
            A single symbol was given as a str, and it failed; or ``"ALL"``, and the list of symbols cannot be had.

        Notes
        -----
        Budget: as `candles`, and one request for the list of symbols.
        Source: spot/market/Get-Symbols, contract/market/Get-All-Symbols-Contracts, and those of `candles`.

        Examples
        --------
        >>> client = bgresearch.connect(sandbox=True)                                            # doctest: +SKIP
        >>> client.download(["BTCUSDT", "ETHUSDT"], "1h", "2026-01-01", "2026-02-01").candles    # doctest: +SKIP
        """
        return download(
            self._source, symbols, interval, start, end, market=market, price=price, workers=workers,
            choice=source, progress=self._progress if progress is None else progress,
        )  # fmt: skip

    def plan(
        self, symbol: str, interval: str, start: Moment | None = None, end: Moment | None = None, *,
        market: str = "spot", price: str = "last", anchor: str = "utc", source: str = "auto",
        last: Duration | None = None,
    ) -> Plan:  # fmt: skip
        """Return what `candles` would cost: ``.requests`` by endpoint, ``.rows``, ``.bytes``, ``.seconds`` at least.

        Sends no requests; what is in the store costs nothing. A market that closes at night and at weekends costs up to
        half more, as its holes are confirmed by longer candles. Parameters as for `candles`; ``source`` as for
        `download`: ``.requests["archive"]`` counts files of the bulk archive, where those are cheaper.

        Raises
        ------
        InvalidInput
            An argument that means nothing.
        StoreError
            The data folder cannot be read.

        Examples
        --------
        >>> client = bgresearch.connect(sandbox=True)                                   # doctest: +SKIP
        >>> client.plan("BTCUSDT", "1m", "2026-01-01", "2026-02-01").requests           # doctest: +SKIP
        """
        named = wire_symbol(symbol, market)
        return foreseen(
            self._source, named.symbol, interval, start, end, market=named.market, price=price, anchor=anchor,
            choice=source,
        )  # fmt: skip

    def verify(self, *, repair: bool = False) -> Verified:
        """Return what is wrong with the kept data: ``.flaws``, ``.sound``; with ``repair``, what was fetched again.

        Reads every file of the data folder. Damaged files are set aside, never deleted; only what is bad is fetched.

        Raises
        ------
        StoreError
            The data folder cannot be read or written.
        """
        return verify(self._source, repair=repair)

    def archive_changes(self) -> list[ChangedFile]:
        """Return the files of the bulk archive that were uploaded again, or deleted, since they were fetched.

        Asks for the headers of every file that was fetched into this store, ten a second, and for no file.

        Raises
        ------
        ConfigurationError
            No archive of this exchange is known.
        AccessBlocked, NetworkError, OfflineError
            The archive refuses this client, or does not answer; connected with ``offline=True``.
        """
        return archive_changes(self._source)

    def import_archive(
        self, paths: Paths, *, market: str | None = None, symbol: str | None = None, progress: Wish | None = None
    ) -> pd.DataFrame:
        """Import files of the exchange's bulk archive that were downloaded by hand into the store, a row per file.

        Each file is checked like one that is fetched: readable, of the days that its name says, with prices of its
        symbol. Rows already stored stay, and differences are reported. Files are neither moved nor deleted.

        Parameters
        ----------
        paths : path or sequence of paths
            ``.zip``, ``.csv`` and ``.xlsx`` files, or folders of them. Names say what they hold:
            ``BTCUSDT_SP_1min_20240101.zip``; names of 2024 to 2026 are a date, and say it together with the archive's
            folders, ``kline/BTCUSDT/SP/20250101.zip``.
        market, symbol : str, optional
            What files hold whose names do not say it.
        progress : "auto", bool or callable, optional
            Overrides the client's.

        Returns
        -------
        DataFrame
            A row per file: file, market, symbol, data (``klines``, ``trades``, ``quotes``, ``books``), start, end
            (UTC), state (``stored``, ``stored in part``, ``set aside``), reason. ``df.attrs["bgresearch"]`` has the
            rows added, gaps with their cause, and differences from what was stored.

        Raises
        ------
        InvalidInput
            There is no such file.
        ConfigurationError
            A file is XLSX, and python-calamine is not installed.
        StoreError
            The data folder cannot be read or written.

        Notes
        -----
        Budget: daily candles to compare prices with, one request per 100 days.
        """
        wish = self._progress if progress is None else progress
        return import_archive(self._source, paths, market=market, symbol=symbol, progress=wish)

    def revisions(
        self, start: Moment | None = None, end: Moment | None = None, *, symbols: tuple[str, ...] = (),
        last: Duration | None = None,
    ) -> list[Revision]:  # fmt: skip
        """Return the kept closed candles that the exchange answers differently today; fetches all of them again.

        Parameters
        ----------
        start, end : str, datetime, Timestamp or int
            Only what is kept of ``[start, end)`` is compared.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        symbols : tuple of str
            Only these; all by default.

        Raises
        ------
        IncompleteData
            Part of it could not be fetched.
        """
        span = span_of(start, end, self._source.clock.now_ms())
        return list(revisions(self._source, span, symbols=several("symbols", symbols)))

    def publish(
        self, url: str, *, symbols: str | Sequence[str] | None = None, market: str | None = None, exact: bool = False,
        prune: bool = False, storage_options: Options | None = None, progress: Wish | None = None,
    ) -> Published:  # fmt: skip
        """Copy the public part of the store to object storage and return what was sent; `connect(store=url)` reads it.

        Uploads what is new or has changed, several objects at a time, and checks each after its upload. The manifest is
        written last: readers see the old publication or the new one; after an interruption the next call goes on.
        Account records are never published.

        Parameters
        ----------
        url : str
            ``s3://bucket/prefix``, or another address that fsspec can write: ``file:///folder``.
        symbols : str or sequence of str
            Only these, as the exchange spells them; everything by default. None at all is an error, not everything.
        market : str, optional
            Only this one.
        exact : bool
            The publication is what was chosen and nothing else; by default what was published before stays in it.
        prune : bool
            Delete the objects that only older publications need, and their manifests.
        storage_options : mapping, optional
            For the driver: ``{"endpoint_url": ...}``. Credentials are the driver's own affair (``AWS_PROFILE`` ...).
        progress : "auto", bool or callable, optional
            Overrides the client's.

        Raises
        ------
        InvalidInput
            The address means nothing, or holds something else; no symbol is named.
        ConfigurationError
            It holds another exchange's data, or fsspec or s3fs is not installed.
        StoreError
            Nothing of it is stored, a file is damaged, or the address does not respond, refuses, or was published to
            by another process meanwhile.

        Notes
        -----
        Disk: every chosen file is read. Budget: no request to the exchange.

        Examples
        --------
        >>> client.publish("s3://bucket/prices", market="usdt-futures").sent             # doctest: +SKIP
        """
        choice = Choice(tuple(name.upper() for name in chosen(symbols)), known_market(market) if market else None)
        source, wish = self._source, self._progress if progress is None else progress
        return publish(
            source.store, Remote(url, storage_options), choice, now_ms=source.clock.now_ms(), exact=exact, prune=prune,
            progress=wish,
        )  # fmt: skip
