"""The client's verbs of snapshot-only endpoints, of past listings, and of what only the bulk archive has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgresearch.archives.archive_file import Data
from bgresearch.client.context import ClientContext
from bgresearch.core.spans import Span
from bgresearch.core.symbols import known_market, wire_symbol
from bgresearch.core.timestamps import Duration, Moment, span_of
from bgresearch.core.verbs import Verbs
from bgresearch.market.archived_books import archived_books
from bgresearch.market.listing_history import ever_listed
from bgresearch.market.listings import LISTINGS
from bgresearch.market.recorder.reader import cadence_ms, named, recorded
from bgresearch.market.recorder.recorder import Recorder, Say
from bgresearch.market.recorder.series import recordable

if TYPE_CHECKING:
    import pandas as pd


class RecordingVerbs(Verbs):
    """Recordings and kept lists."""

    def __init__(self, context: ClientContext) -> None:
        self._source, self._progress = context.source, context.progress

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
        >>> client.symbols("usdt-futures")                                              # doctest: +SKIP
        >>> client.listings("usdt-futures").query("gone")                               # doctest: +SKIP
        """
        table = ever_listed(self._source, "symbols", known_market(market)).select(LISTINGS.schema.names)
        return LISTINGS.frame(table, market=market, host=self._source.sender.host)

    def recorded(
        self, kind: str, symbol: str, start: Moment | None = None, end: Moment | None = None, *,
        market: str | None = None, every: str | None = None, last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return what was recorded in ``[start, end)`` of a snapshot-only endpoint.

        ``bgresearch record open-interest BTCUSDT --every 5m`` records, and so does `recorder`.

        Parameters
        ----------
        kind : str
            ``open-interest``, ``funding-rate``, ``long-short``, ``account-long-short``, ``position-long-short``,
            ``taker-volume`` or ``order-book``; ``order_book`` is what `record` keeps of a stream.
        symbol : str
            As the exchange spells it.
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        market : str, optional
            ``usdt-futures`` if not given, for order books ``spot``.
        every : str, optional
            The length between two instants, ``5m``; needed where the series was recorded more than one way.

        Returns
        -------
        DataFrame
            Index ``time`` (UTC, ascending): the instant each row was recorded for. Columns told (the exchange's own
            time of the value, NaT where it sends none), asked (when the response was received), and those of the kind,
            float64; an order book has a row per side and level. Missed instants are in
            ``df.attrs["bgresearch"]["gaps"]`` with their cause; ``not recorded`` means that no recorder was running.

        Raises
        ------
        IncompleteData
            Nothing of it was ever recorded.
        InvalidInput
            An argument that means nothing.

        Notes
        -----
        Disk: ``recorded/kind=.../market=.../symbol=.../every=...``, a file a day, of live order books an hour. Budget:
        no request.

        Examples
        --------
        >>> client.recorded("open-interest", "BTCUSDT", "2026-11-01").open_interest   # doctest: +SKIP
        """
        return recorded(self._source, kind, symbol, start, end, market=market, every=every)

    def quotes(
        self, symbol: str, start: Moment | None = None, end: Moment | None = None, *, market: str = "spot",
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return best bids and asks of ``[start, end)``, some seconds apart, from the exchange's bulk archive.

        Parameters
        ----------
        symbol : str
            As the exchange spells it, or ccxt.
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.

        Returns
        -------
        DataFrame
            Index ``time`` (UTC, ascending, to the second). Columns place (Int64: 0, then 1, 2 ... where several share
            a second), bid, bid_size, ask, ask_size (float64, quote and base coin; missing where a side was empty). The
            archive has them since 2024-07-09, and of a day two days later; what it lacks is in
            ``df.attrs["bgresearch"]["gaps"]`` with its cause.

        Raises
        ------
        ConfigurationError
            No archive of this exchange is known, or python-calamine, which reads its daily files, is not installed.
        NetworkError, OfflineError, InvalidInput
            The archive does not answer; offline, and part of it is not kept; an argument that means nothing.

        Notes
        -----
        Disk: ``recorded/kind=quotes/market=.../symbol=.../every=archive``, whole files at a time. Budget: one request
        per day, or per month where much of it is missing.

        Examples
        --------
        >>> client.quotes("BTCUSDT", "2026-11-01", "2026-11-02").ask                  # doctest: +SKIP
        """
        return self._archived("quotes", symbol, start, end, market)

    def books(
        self, symbol: str, start: Moment | None = None, end: Moment | None = None, *, market: str = "spot",
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return order books of up to 500 levels in ``[start, end)``, about 20 s apart, from the bulk archive.

        Parameters
        ----------
        symbol, start, end, last, market
            As of `quotes`.

        Returns
        -------
        DataFrame
            Index ``time`` (UTC, ascending, to the second). Columns place (as of `quotes`), side (category, bid or ask),
            level (Int64, 1 is the best), price (quote coin), amount (base coin), float64. The archive has them since
            2025-08-01; gaps as of `quotes`.

        Raises
        ------
        ConfigurationError, NetworkError, OfflineError, InvalidInput
            As of `quotes`.

        Notes
        -----
        Disk: ``recorded/kind=books``, a day is some million rows. Budget: one request per day.

        Examples
        --------
        >>> client.books("BTCUSDT", "2026-11-01", "2026-11-02").price                 # doctest: +SKIP
        """
        return self._archived("books", symbol, start, end, market)

    def _archived(self, data: Data, symbol: str, start: Moment | None, end: Moment | None, market: str) -> pd.DataFrame:
        now = self._source.clock.now_ms()
        named, asked = wire_symbol(symbol, market), span_of(start, end, now)
        span = Span(asked.start_ms, min(asked.end_ms, now))
        return archived_books(self._source, data, named, span, self._progress)

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
            Called with a sentence about every event.

        Raises
        ------
        OfflineError
            Connected with ``offline=True``.
        InvalidInput
            An argument that means nothing.

        Notes
        -----
        Disk: each instant is written before the next one is requested. Budget: one request per symbol and instant.
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
