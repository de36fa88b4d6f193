"""The client: research verbs over one exchange and one store. Knows neither keys nor the sandbox."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pandas as pd

import bgresearch.accessor  # noqa: F401 - makes df.bg
from bgresearch.client.context import ClientContext
from bgresearch.core.clock import Clock, SystemClock
from bgresearch.core.no_copies import NoCopies
from bgresearch.core.progress import Wish, checked_wish
from bgresearch.core.timestamps import Duration, Moment
from bgresearch.core.verbs import Verbs, composed_of, public_verbs
from bgresearch.errors import ConfigurationError, OfflineError
from bgresearch.http.confirming_sender import confirming
from bgresearch.http.file_host import FileHost
from bgresearch.http.sender import Sender
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session
from bgresearch.store import Store

if TYPE_CHECKING:
    from bgresearch.client.account import AccountVerbs
    from bgresearch.client.api import Api
    from bgresearch.client.candles import CandleVerbs
    from bgresearch.client.contract_events import ContractEventVerbs
    from bgresearch.client.contracts import ContractVerbs
    from bgresearch.client.doctor.findings import DoctorReport
    from bgresearch.client.live import LiveVerbs
    from bgresearch.client.market import MarketVerbs
    from bgresearch.client.panel import PanelVerbs
    from bgresearch.client.recordings import RecordingVerbs
    from bgresearch.client.sentiment import SentimentVerbs
    from bgresearch.client.statement import Statement
    from bgresearch.keys.permissions import Permissions
    from bgresearch.live.hosts import LiveAccess
    from bgresearch.query.lens import Lens
    from bgresearch.store.pins import Pin

    class _ContractParts(ContractVerbs, ContractEventVerbs):
        """The verbs of contracts."""

    class _MarketParts(CandleVerbs, RecordingVerbs, MarketVerbs, _ContractParts, SentimentVerbs, PanelVerbs):
        """What type checkers, editors and the documentation see: the verbs of these parts."""

    class _Parts(_MarketParts, LiveVerbs):
        """The same, of all parts."""
else:
    _MarketParts = _Parts = Verbs

_MARKET = {
    "bgresearch.client.candles:CandleVerbs":
        "candles download plan verify archive_changes import_archive revisions publish",
    "bgresearch.client.market:MarketVerbs":
        "symbols coins tickers prices order_book trades announcements server_time",
    "bgresearch.client.contracts:ContractVerbs":
        "funding_rates funding open_interest position_tiers fee_rates risk_reserve discount_rates interest_rates",
    "bgresearch.client.contract_events:ContractEventVerbs": "splits dividends liquidations",
    "bgresearch.client.sentiment:SentimentVerbs": "long_short taker_volume fund_flow net_flow margin_series",
    "bgresearch.client.panel:PanelVerbs": "panel",
    "bgresearch.client.recordings:RecordingVerbs": "listings recorded quotes books recorder",
}  # fmt: skip
_LIVE = {"bgresearch.client.live:LiveVerbs": "stream record recorder_of replay"}


@composed_of(_MARKET)
class MarketData(_MarketParts):
    """What ``client.market`` is: the verbs that need no key; each of them is a verb of the client as well.

    Parameters
    ----------
    context : ClientContext
        What the client is connected to.
    """

    def __init__(self, context: ClientContext) -> None:
        self._shared = context


@composed_of(_MARKET | _LIVE)
class Client(_Parts, NoCopies):
    """Asks the exchange, keeps what it answers, returns plain DataFrames; `bgresearch.connect` makes it.

    Every call works in a script, in a notebook and inside a running event loop, and may be made from several threads.

    Parameters
    ----------
    sender : Sender
        Sends requests to the exchange.
    store : Store
        The local store.
    clock : Clock, optional
        The clock; the machine's by default.
    offline : bool
        Whether requests to the exchange are forbidden.
    progress : "auto", bool or callable
        Whether longer work shows a bar; a callable is called with rows done and rows in all.
    live : LiveAccess, optional
        How streams connect; without it there are none.
    archive : FileHost, optional
        Where the exchange's bulk history is.

    Attributes
    ----------
    account : AccountVerbs
        The verbs that need a key.
    market : MarketData
        The verbs that need none, which are also the client's own.
    api : Api
        Every endpoint of the table as a callable.
    """

    def __init__(
        self, sender: Sender, store: Store, *, clock: Clock | None = None, offline: bool = False,
        progress: Wish = "auto", live: LiveAccess | None = None, archive: FileHost | None = None,
    ) -> None:  # fmt: skip
        sender = confirming(sender)
        self._source = Session(sender, store, clock or SystemClock(), offline, archive)
        self._whose, self._progress, self._live = AccountIdentity(sender), checked_wish(progress), live
        self._shared = ClientContext(self._source, progress, self._whose, live, WeakSet())

    @cached_property
    def account(self) -> AccountVerbs:
        """The verbs that need a key.

        Raises
        ------
        ConfigurationError
            Connected without a key.
        """
        self._need_key()
        from bgresearch.client.account import AccountVerbs  # noqa: PLC0415 - only for a key

        return AccountVerbs(self._shared)

    @cached_property
    def market(self) -> MarketData:
        """The verbs that need no key: ``client.market.candles`` is ``client.candles``."""
        return MarketData(self._shared)

    def statement(
        self, start: Moment | None = None, end: Moment | None = None, *, last: Duration | None = None,
    ) -> Statement:  # fmt: skip
        """Return all of the account's records of ``[start, end)`` together, and what can be said of them.

        Parameters
        ----------
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now, without a start as far back as
            all of it can be had.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.

        Returns
        -------
        Statement
            ``.fills``, ``.bills``, ``.transfers``, ``.deposits``, ``.withdrawals`` as the verbs of `account` return
            them; ``.reconciled`` compares them; ``.pnl()``, ``.equity()`` and ``.ledger`` are made of them.

        Raises
        ------
        ConfigurationError
            Connected without a key.
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As of `account.fills`.

        Notes
        -----
        Disk and budget: as of the five verbs, and one list of symbols per market.

        Examples
        --------
        >>> import bgresearch as bg, pandas as pd
        >>> client = bg.connect(sandbox=True)
        >>> print(client.statement(client.now - pd.Timedelta(days=30)).reconciled)           # doctest: +SKIP
        """
        from bgresearch.client.statement import statement  # noqa: PLC0415 - only for a key

        now_ms, account = self._source.clock.now_ms(), self.account
        if start is None:
            start = account._shared.available_since("fills", "bills", "transfers")
        return statement(account, start, end, candles=self.candles, symbols=self.symbols, now_ms=now_ms)

    @cached_property
    def api(self) -> Api:
        """Every endpoint of the table as a callable: ``client.api.spot.tickers()``."""
        from bgresearch.client.api import Api  # noqa: PLC0415 - only for raw answers
        from bgresearch.client.api_pages import ApiContext  # noqa: PLC0415

        source = self._source
        return Api(ApiContext(source.sender, source.store, source.clock, source.offline, self._progress))

    @cached_property
    def lens(self) -> Lens:
        """The whole store at once: ``lens.duckdb()`` for SQL, ``lens.polars()`` for lazy frames."""
        from bgresearch.query.lens import Lens  # noqa: PLC0415 - only for the whole store

        return Lens(self._source)

    def doctor(self, *, streams: bool = True) -> DoctorReport:
        """Return what holds and what differs of all that is assumed of the exchange, and of this machine.

        Parameters
        ----------
        streams : bool
            Whether to take a minute: to listen to streams, and to look twice at candles.

        Returns
        -------
        DoctorReport
            ``.findings``, one per assumption: it holds, differs, or could not be asked. ``.save(path)`` writes a file
            that can be attached to an issue: no secret is in it, and nothing of an account.

        Raises
        ------
        OfflineError
            Offline.

        Notes
        -----
        What differs is kept in the data folder for 30 days: verbs use it, or say it when they are called.
        Budget: at most 80 public requests, inside every limit; with a key two or three more.
        Disk: one file of the archive, removed at the end.

        Examples
        --------
        >>> import bgresearch as bg
        >>> client = bg.connect(sandbox=True)
        >>> print(client.doctor(streams=False).summary)                                  # doctest: +SKIP
        """
        from bgresearch.client.doctor.examination import Doctor  # noqa: PLC0415 - rarely used

        doctor = Doctor(self._source, self._live if streams else None, self._whose, waits=streams)
        return doctor.run(self._progress)

    def permissions(self) -> Permissions:
        """Return what the key can do: ``.verdict`` in words, ``.can_trade``, ``.can_withdraw``, ``.addresses`` ...

        Two or three requests; the account-information call allows one per second.
        Source: spot/account/Get-Account-Info.

        Raises
        ------
        ConfigurationError
            Connected without a key.
        """
        from bgresearch.keys.permissions import permissions  # noqa: PLC0415 - only for a key

        self._need_key()
        if self._source.offline:
            raise OfflineError("what a key can do is known to the exchange alone, and offline=True forbids asking.")
        return permissions(self._source.sender, self._whose)

    def pin(self, name: str, *, account: bool = False) -> Pin:
        """Freeze what the store holds now under a name, and return the pin; `connect(pin=name)` reads it.

        Parameters
        ----------
        name : str
            Letters, digits, dots, hyphens and underscores, at most 64.
        account : bool
            Whether the records of your accounts are frozen as well.

        Returns
        -------
        Pin
            ``.name``, ``.digest`` (the same digest is the same data, on any machine), ``.rows``, ``.size``.

        Raises
        ------
        InvalidInput
            The name cannot be used, or is taken.
        StoreError
            There is nothing to freeze, or the folder cannot be written.

        Notes
        -----
        Disk: hard links, which take no space of their own where the file system has them. Budget: no request.

        Examples
        --------
        >>> client.pin("paper-2026").digest                                             # doctest: +SKIP
        """
        from bgresearch.store import pins  # noqa: PLC0415 - rarely used

        store = self._source.store
        if store.frozen_by:
            raise ConfigurationError(f"this client reads {store.place}, which is frozen already.")
        return pins.create(store.data_dir, name, self._source.clock.now_ms(), private=account)

    @property
    def now(self) -> pd.Timestamp:
        """The time that this client goes by, UTC: the machine's, or that of the sandbox it is connected to.

        Examples
        --------
        >>> import bgresearch as bg, pandas as pd
        >>> client = bg.connect(sandbox=True)
        >>> fills = client.account.fills(client.now - pd.Timedelta(days=7))
        """
        return pd.Timestamp(self._source.clock.now_ms(), unit="ms", tz="UTC")

    @property
    def data_dir(self) -> str:
        """The folder of the store; of a published one, the folder of its downloaded objects."""
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
        """Requests that left so far, repeated ones and those to the bulk archive included."""
        archive = self._source.archive
        return self._source.sender.sent + (archive.sent if archive is not None else 0)

    def close(self) -> None:
        """Stop streams and recordings, and close connections; using the client again opens new ones."""
        for stream in list(self._shared.streams):
            stream.stop()
        close = getattr(self._source.sender, "close", None)
        if close is not None:
            close()
        if self._live is not None:
            self._live.close()
        if self._source.archive is not None:
            self._source.archive.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        key = f", key {self.label!r}" if self.label else ""
        offline = ", offline" if self._source.offline else ""
        return f"<Client of {self.host}{key}{offline}, data in {self._source.store.place}>"

    def _names(self) -> list[str]:
        from bgresearch.client.account import AccountVerbs  # noqa: PLC0415 - only to name a near verb

        return [*public_verbs(type(self)), *public_verbs(AccountVerbs, "account.")]

    def _need_key(self) -> None:
        if self._source.sender.label is None:
            raise ConfigurationError(
                "this needs a key and the client has none.",
                hint="Connect with key=, the label of a stored key, or connect(sandbox=True) to try it.",
            )
