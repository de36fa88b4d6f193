"""The client: research verbs over one exchange and one store. Knows neither keys nor the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import bgresearch.lenses  # noqa: F401 - makes df.bg
from bgresearch.account import AccountVerbs
from bgresearch.candles import Source, candles, foreseen
from bgresearch.clock import Clock, SystemClock
from bgresearch.errors import ConfigurationError, OfflineError
from bgresearch.gathering import WORKERS, download
from bgresearch.identity import Whose
from bgresearch.kept.recordable import recordable
from bgresearch.kept.recording import Recorder, Say
from bgresearch.kept.recordings import cadence_ms, named, recorded
from bgresearch.kept.rosters import ever_listed
from bgresearch.lenses.lens import Lens
from bgresearch.market.listings import LISTINGS
from bgresearch.market.verbs import known_market
from bgresearch.moments import Moment, span_of
from bgresearch.namespace import Api
from bgresearch.panel import PanelVerbs
from bgresearch.permissions import Permissions, permissions
from bgresearch.planning import Plan
from bgresearch.progress import Wish
from bgresearch.raw.gathering import Desk
from bgresearch.store import Store
from bgresearch.store.publishing import Choice, Published, publish
from bgresearch.store.remote import Options, Remote
from bgresearch.symbols import wire_symbol
from bgresearch.verifying import Revision, Verified, revisions, verify
from bgresearch.wire import Sender

if TYPE_CHECKING:
    import pandas as pd


class Client(PanelVerbs):
    """Asks the exchange, keeps what it answers, returns plain DataFrames; `bgresearch.connect` makes it.

    Every call works in a script, in a notebook and inside a running event loop, and may be made from several threads.

    Parameters
    ----------
    sender : Sender
        Who talks to the exchange.
    store : Store
        Where answers are kept.
    clock : Clock, optional
        What time it is; the machine's by default.
    offline : bool
        Whether asking the exchange is forbidden.
    progress : "auto", bool or callable
        Whether longer work shows a bar; a callable is told rows done and rows in all.

    Attributes
    ----------
    account : AccountVerbs
        The verbs that need a key.
    api : Api
        Every endpoint of the table as a callable.
    """

    def __init__(
        self, sender: Sender, store: Store, *, clock: Clock | None = None, offline: bool = False,
        progress: Wish = "auto",
    ) -> None:  # fmt: skip
        self._source = Source(sender, store, clock or SystemClock(), offline)
        self._progress = progress
        self._whose = Whose(sender)

    def candles(
        self, symbol: str, interval: str, start: Moment, end: Moment | None = None, *, market: str = "spot",
        price: str = "last", anchor: str = "utc", include_open: bool = False, progress: Wish | None = None,
        fill: str = "none",
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
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.
        price : str
            ``last``; futures also ``mark`` and ``index``.
        anchor : str
            ``utc``: 6h and longer open on UTC boundaries; ``exchange``: on those of UTC+8.
        include_open : bool
            Whether the candle that is still forming is wanted too; it is fetched anew every time and never stored.
        progress : "auto", bool or callable, optional
            Overrides the client's.
        fill : str
            What to do with candles that the exchange does not have although the symbol was listed: ``none`` leaves them
            out; ``nan`` puts in rows of NaN; ``ffill`` puts in the last close with a volume of 0. With either, the
            column ``filled`` (bool) says which rows are no candles. Nothing of it is stored.

        Returns
        -------
        DataFrame
            Index ``open_time`` (datetime64[ms, UTC], ascending, unique). Columns open, high, low, close (quote
            coin), volume (base coin), quote_volume (quote coin), float64. Candles the exchange does not have are
            absent and named in ``df.attrs["bgresearch"]["gaps"]`` with their cause.

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
        Disk: kept under ``candles/market=.../price=.../symbol=.../interval=...``; what is there is not asked for
        again. Budget: one request per 1000 recent or 200 older candles; at most 20 per second and endpoint.
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
        )  # fmt: skip

    def download(
        self, symbols: str | Sequence[str], interval: str, start: Moment, end: Moment | None = None, *,
        market: str = "spot", price: str = "last", workers: int = WORKERS, progress: Wish | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Bring closed candles of many symbols into the store and return what is there, a row per symbol.

        Nothing is read back, so memory stays small however much is brought. What fails for one symbol does not stop
        the others. After an interruption, what was complete is in the store and is not asked for again.

        Parameters
        ----------
        symbols : str or sequence of str
            One, several, or ``"ALL"``: every symbol that the market lists now, and those that the store knows from
            before, delisted ones among them. Spelled as for `candles`.
        interval : str
            1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 3d 1w 1M.
        start, end : str, datetime, Timestamp or int
            As for `candles`; the end is excluded, without one it is now.
        market, price : str
            As for `candles`.
        workers : int
            Symbols at a time at most; fewer where one alone uses all that the limits allow.
        progress : "auto", bool or callable, optional
            Overrides the client's.

        Returns
        -------
        DataFrame
            A row per symbol: symbol (str), candles (int64, in the store), first, last (datetime64[ms, UTC], opens),
            gaps (int64), requests (int64), error (str, missing where nothing failed).
            ``df.attrs["bgresearch"]`` has gaps and errors by symbol, and which symbols are no longer listed.

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
            progress=self._progress if progress is None else progress,
        )  # fmt: skip

    def plan(
        self, symbol: str, interval: str, start: Moment, end: Moment | None = None, *, market: str = "spot",
        price: str = "last", anchor: str = "utc",
    ) -> Plan:  # fmt: skip
        """Return what `candles` would cost: ``.requests`` by endpoint, ``.rows``, ``.bytes``, ``.seconds`` at least.

        Asks nobody; what the store has costs nothing. Parameters as for `candles`.

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
            self._source, named.symbol, interval, start, end, market=named.market, price=price, anchor=anchor
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

    def revisions(
        self, start: Moment, end: Moment | None = None, *, symbols: tuple[str, ...] = ()
    ) -> list[Revision]:  # fmt: skip
        """Return the kept closed candles that the exchange answers differently today; fetches all of them again.

        Parameters
        ----------
        start, end : str, datetime, Timestamp or int
            Only what is kept of ``[start, end)`` is compared.
        symbols : tuple of str
            Only these; all by default.

        Raises
        ------
        IncompleteData
            Part of it could not be fetched.
        """
        span = span_of(start, end, self._source.clock.now_ms())
        return list(revisions(self._source, span, symbols=symbols))

    def publish(
        self, url: str, *, symbols: str | Sequence[str] = (), market: str | None = None, exact: bool = False,
        prune: bool = False, storage_options: Options | None = None, progress: Wish | None = None,
    ) -> Published:  # fmt: skip
        """Copy what is public of the store to object storage and return what was sent; `connect(store=url)` reads it.

        Sends what is new or has changed, several objects at a time, and looks at each after it has come. The manifest
        is written last: readers see the old publication or the new one; what was interrupted is taken up by the next
        call. Account records are never published.

        Parameters
        ----------
        url : str
            ``s3://bucket/prefix``, or another address that fsspec can write: ``file:///folder``.
        symbols : str or sequence of str
            Only these, as the exchange spells them; everything by default.
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
            The address means nothing, or holds something else.
        ConfigurationError
            It holds another exchange's data, or fsspec or s3fs is not installed.
        StoreError
            Nothing is kept of it, a file is damaged, or the address does not answer, refuses, or was published to by
            somebody else meanwhile.

        Notes
        -----
        Disk: every chosen file is read. Budget: no request to the exchange.

        Examples
        --------
        >>> client.publish("s3://bucket/prices", market="usdt-futures").sent             # doctest: +SKIP
        """
        names = (symbols,) if isinstance(symbols, str) else symbols
        choice = Choice(tuple(name.upper() for name in names), known_market(market) if market else None)
        source, wish = self._source, self._progress if progress is None else progress
        return publish(
            source.store, Remote(url, storage_options), choice, now_ms=source.clock.now_ms(), exact=exact, prune=prune,
            progress=wish,
        )  # fmt: skip

    def listings(self, market: str = "spot") -> pd.DataFrame:
        """Return everything that was ever seen listed in a market, also what is gone, from the lists that are kept.

        Parameters
        ----------
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.

        Returns
        -------
        DataFrame
            The columns of `symbols` as they were seen last, then first_seen, last_seen (UTC) and gone (boolean: it is
            not in the newest list). A ticker that was used again is another row, with another time of listing.

        Raises
        ------
        OfflineError
            No list is kept yet: call `symbols` once.
        InvalidInput
            There is no such market.

        Notes
        -----
        Disk: ``lists/kind=symbols``. Budget: no request.

        Examples
        --------
        >>> client.listings("usdt-futures").query("gone")                               # doctest: +SKIP
        """
        table = ever_listed(self._source, "symbols", known_market(market)).select(LISTINGS.schema.names)
        return LISTINGS.frame(table, market=market, host=self.host)

    def recorded(
        self, kind: str, symbol: str, start: Moment, end: Moment | None = None, *, market: str | None = None,
        every: str | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return what was recorded in ``[start, end)`` of a series that the exchange tells only of now.

        ``bgresearch record open-interest BTCUSDT --every 5m`` records, and so does `recorder`.

        Parameters
        ----------
        kind : str
            ``open-interest``, ``funding-rate``, ``long-short``, ``account-long-short``, ``position-long-short``,
            ``taker-volume`` or ``order-book``.
        symbol : str
            As the exchange spells it.
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now.
        market : str, optional
            ``usdt-futures`` if not given, for order books ``spot``.
        every : str, optional
            The length between two instants, ``5m``; needed where the series was recorded more than one way.

        Returns
        -------
        DataFrame
            Index ``time`` (UTC, ascending): the instant each row was recorded for. Columns told (the exchange's own
            time of the value, NaT where it tells none), asked (when the answer came), and those of the kind, float64;
            an order book has a row per side and level. What was missed is in ``df.attrs["bgresearch"]["gaps"]`` with
            its cause; ``not recorded`` means that nobody was recording.

        Raises
        ------
        IncompleteData
            Nothing of it was ever recorded.
        InvalidInput
            An argument that means nothing.

        Notes
        -----
        Disk: ``recorded/kind=.../market=.../symbol=.../every=...``, a file a day. Budget: no request.

        Examples
        --------
        >>> client.recorded("open-interest", "BTCUSDT", "2026-11-01").open_interest   # doctest: +SKIP
        """
        return recorded(self._source, kind, symbol, start, end, market=market, every=every)

    def recorder(
        self, kind: str, *symbols: str, every: str, market: str | None = None, say: Say = lambda _words: None
    ) -> Recorder:  # fmt: skip
        """Return what records a series on a schedule, once its ``run()`` is called.

        Parameters
        ----------
        kind, market
            As of `recorded`.
        *symbols : str
            As the exchange spells them.
        every : str
            ``30s``, ``5m``, ``1h``, ``1d``: a length that divides a day. Instants are its multiples, UTC.
        say : callable, optional
            Told in words what happens.

        Raises
        ------
        OfflineError
            Connected with ``offline=True``.
        InvalidInput
            An argument that means nothing.

        Notes
        -----
        Disk: each instant is written before the next one is asked for. Budget: one request per symbol and instant.
        Source: contract/market/Get-Open-Interest, contract/market/Get-Current-Funding-Rate, common/apidata/Long-Short,
        common/apidata/Account-Long-Short, common/apidata/Position-Long-Short, common/apidata/Taker-Buy-Sell,
        uta/public/OrderBook.

        Examples
        --------
        >>> client.recorder("open-interest", "BTCUSDT", every="5m").run(count=12)     # doctest: +SKIP
        """
        what = recordable(kind)
        place, names = named(what, symbols, market)
        return Recorder(self._source, what, names, place, cadence_ms(every), say=say)

    @cached_property
    def account(self) -> AccountVerbs:
        """The verbs that need a key.

        Raises
        ------
        ConfigurationError
            Connected without a key.
        """
        self._need_key()
        return AccountVerbs(self._source, self._whose, self._progress)

    @cached_property
    def api(self) -> Api:
        """Every endpoint of the table as a callable: ``client.api.spot.tickers()``."""
        source = self._source
        return Api(Desk(source.sender, source.store, source.clock, source.offline, self._progress))

    @cached_property
    def lens(self) -> Lens:
        """The whole store at once: ``lens.duckdb()`` for SQL, ``lens.polars()`` for lazy frames."""
        return Lens(self._source)

    def permissions(self) -> Permissions:
        """Return what the key can do: ``.verdict`` in words, ``.can_trade``, ``.can_withdraw``, ``.addresses`` ...

        Two or three requests; the account-information call allows one per second.
        Source: spot/account/Get-Account-Info.

        Raises
        ------
        ConfigurationError
            Connected without a key.
        """
        self._need_key()
        if self._source.offline:
            raise OfflineError("what a key can do is known to the exchange alone, and offline=True forbids asking.")
        return permissions(self._source.sender, self._whose)

    @property
    def data_dir(self) -> str:
        """The folder that holds the store; of a published one, what was brought of it."""
        return str(self._source.store.data_dir)

    @property
    def host(self) -> str:
        """The exchange's address."""
        return self._source.sender.host

    @property
    def label(self) -> str | None:
        """The key's label, None without one."""
        return self._source.sender.label

    @property
    def requests_sent(self) -> int:
        """Requests that left so far, repeated ones included."""
        return self._source.sender.sent

    def close(self) -> None:
        """Close connections; using the client again opens new ones."""
        close = getattr(self._source.sender, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        key = f", key {self.label!r}" if self.label else ""
        offline = ", offline" if self._source.offline else ""
        return f"<Client of {self.host}{key}{offline}, data in {self._source.store.place}>"

    def _need_key(self) -> None:
        if self._source.sender.label is None:
            raise ConfigurationError(
                "this needs a key and the client has none.",
                hint="Connect with key=, the label of a stored key, or connect(sandbox=True) to try it.",
            )
