"""The client: research verbs over one exchange and one store. Knows neither keys nor the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bgresearch.account import AccountVerbs
from bgresearch.candles import Source, candles, foreseen
from bgresearch.clock import Clock, SystemClock
from bgresearch.errors import ConfigurationError, OfflineError
from bgresearch.gathering import WORKERS, download
from bgresearch.identity import Whose
from bgresearch.moments import Moment, span_of
from bgresearch.namespace import Api
from bgresearch.permissions import Permissions, permissions
from bgresearch.planning import Plan
from bgresearch.progress import Wish
from bgresearch.store import Store
from bgresearch.verifying import Revision, Verified, revisions, verify
from bgresearch.wire import Sender

if TYPE_CHECKING:
    import pandas as pd


class Client:
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
            As the exchange spells it: ``BTCUSDT``, futures in USDC ``BTCPERP``.
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
        return candles(
            self._source, symbol, interval, start, end, market=market, price=price, anchor=anchor,
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
            before, delisted ones among them.
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
        return foreseen(self._source, symbol, interval, start, end, market=market, price=price, anchor=anchor)

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
        return Api(self._source.sender, offline=self._source.offline)

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
        """The folder that holds the store."""
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
        return f"<Client of {self.host}{key}{offline}, data in {self.data_dir}>"

    def _need_key(self) -> None:
        if self._source.sender.label is None:
            raise ConfigurationError(
                "this needs a key and the client has none.",
                hint="Connect with key=, the label of a stored key, or connect(sandbox=True) to try it.",
            )
