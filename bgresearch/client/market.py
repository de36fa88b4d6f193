"""The verbs of every market: what is listed, what it costs, what was traded. Need no key."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

import pandas as pd
import pyarrow as pa

from bgresearch.catalogue import load
from bgresearch.client.public_data import PublicVerbs
from bgresearch.core.spans import iso
from bgresearch.core.symbols import MARKETS, checked_coin, known_market, wire_symbol
from bgresearch.core.timestamps import Duration, Moment
from bgresearch.errors import BadResponse, InvalidInput
from bgresearch.http.rows import around
from bgresearch.market.archived import ArchiveUse, archived_words
from bgresearch.market.fees_and_tiers import ANNOUNCEMENTS, announcements
from bgresearch.market.history import (
    TRADES,
    past_trades,
    precision,
    recent_trades,
    times_of_ids,
    trades_series,
)
from bgresearch.market.listing_history import listed
from bgresearch.market.listings import COINS, SYMBOLS, coins, priced_but_not_listed, symbols
from bgresearch.market.quotes import ORDER_BOOK, PRICES, TICKERS, order_book, prices, tickers
from bgresearch.schemas import documented
from bgresearch.session.cached_sender import CachedSender, checked_age
from bgresearch.session.differences import say_differences

_MOST_LEVELS = 200  # uta/public/OrderBook
_T = TypeVar("_T")


class MarketVerbs(PublicVerbs):
    """Public data of every market."""

    @documented(SYMBOLS)
    def symbols(
        self, market: str | None = None, *, at: Moment | None = None, max_age: float | None = None
    ) -> pd.DataFrame:
        """Return what can be traded, with precision and times of listing and delisting.

        Parameters
        ----------
        market : str or None
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``; by default all.
        at : str, datetime, Timestamp or int, optional
            The list as it was then, from those that were kept; by default as it is now.
        max_age : float, optional
            Seconds: a kept list that was seen less long ago is given instead of asking. By default every call asks.

        Raises
        ------
        InvalidInput
            An argument that means nothing; no request was spent.
        OfflineError
            Offline, and no list is kept.

        Notes
        -----
        Disk: every list that differs from the one before is kept under ``lists/kind=symbols``, so that what is
        delisted stays known; ``df.attrs["bgresearch"]`` says when it was seen. Budget: one request per market,
        two for the first list and for one that became shorter: the symbols with a price show whether it is complete.
        """
        chosen = MARKETS if market is None else (known_market(market),)
        say_differences(self._source, "symbols")
        parts = [
            listed(
                self._source, "symbols", one, partial(symbols, self._source.sender, one), at=at, max_age=max_age,
                absent=partial(priced_but_not_listed, self._source.sender, one),
            )
            for one in chosen
        ]  # fmt: skip
        now = self._source.clock.now_ms()
        words = parts[0].words(now) if len(parts) == 1 else {
            "lists": {one: part.words(now) for one, part in zip(chosen, parts, strict=True)}
        }  # fmt: skip
        tables = [part.table.select(SYMBOLS.schema.names).cast(SYMBOLS.schema) for part in parts]
        return self._source.framed(SYMBOLS, pa.concat_tables(tables), market=market, **words)

    @documented(COINS)
    def coins(self, coin: str | None = None, *, max_age: float | None = None) -> pd.DataFrame:
        """Return the coins, one row per chain they move on.

        Parameters
        ----------
        coin : str, optional
            Only this one.
        max_age : float, optional
            Seconds: a kept answer that is younger is given instead of asking. By default every call asks.

        Raises
        ------
        UnknownSymbol
            There is no such coin.
        OfflineError
            Offline, and no answer is kept.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request, three per second.
        """
        return self._public.asked(COINS, lambda sender: coins(sender, checked_coin(coin)), max_age)

    @documented(TICKERS)
    def tickers(
        self, symbol: str | None = None, *, market: str = "spot", max_age: float | None = None
    ) -> pd.DataFrame:  # fmt: skip
        """Return prices of now and the last 24 hours in numbers.

        Parameters
        ----------
        symbol : str, optional
            ``BTCUSDT``, or as ccxt writes it, ``BTC/USDT:USDT``; by default all symbols of the market.
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.
        max_age : float, optional
            As of `coins`.

        Raises
        ------
        UnknownSymbol
            There is no such symbol; the message names near ones.
        InvalidInput, OfflineError
            An argument that means nothing; offline, and no answer is kept.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        return self._public.of_market(TICKERS, tickers, symbol, market, max_age)

    @documented(PRICES)
    def prices(
        self, symbol: str | None = None, *, market: str = "usdt-futures", max_age: float | None = None
    ) -> pd.DataFrame:
        """Return last, mark and index prices of now.

        Parameters
        ----------
        symbol, market, max_age
            As of `tickers`.

        Raises
        ------
        UnknownSymbol, InvalidInput, OfflineError
            As `tickers`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        return self._public.of_market(PRICES, prices, symbol, market, max_age, default="usdt-futures")

    @documented(ORDER_BOOK)
    def order_book(
        self, symbol: str, *, market: str = "spot", levels: int = 50, max_age: float | None = None
    ) -> pd.DataFrame:
        """Return bids and asks, best first; ``df.attrs["bgresearch"]["time"]`` is when they stood so.

        Parameters
        ----------
        symbol, market, max_age
            As of `tickers`.
        levels : int
            How many on each side, at most 200.

        Raises
        ------
        UnknownSymbol, InvalidInput, OfflineError
            As `tickers`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        if isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= _MOST_LEVELS:
            raise InvalidInput("levels", f"{levels!r} is outside what there is.", hint=f"Give 1 to {_MOST_LEVELS}.")
        named = wire_symbol(symbol, market)
        say_differences(self._source, "order_book")
        answers = CachedSender(self._source, checked_age(max_age), again=f"client.order_book({symbol!r})")
        rows, time = self._public.named(named, lambda: order_book(answers, named, levels))
        if not rows:
            self._public.must_be_listed(named, ORDER_BOOK)
        at = None if time is None else iso(time)
        return self._source.framed(ORDER_BOOK, ORDER_BOOK.table(rows), **named._asdict(), time=at, **answers.words())

    @documented(TRADES)
    def trades(
        self, symbol: str, start: Moment | None = None, end: Moment | None = None, *, market: str = "spot",
        source: str = "auto", last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return public trades: the latest, or all in ``[start, end)``.

        Parameters
        ----------
        symbol, market
            As of `tickers`.
        start, end : str, datetime, Timestamp or int, optional
            Naive means UTC, numbers are epoch milliseconds; without a start the latest trades, at most 500 in spot and
            100 of a contract; without an end up to now.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        source : str
            ``auto``: what the exchange does not answer any more (it answers 90 days back) comes from its bulk archive,
            and so does what would take much longer over REST; ``rest`` or ``archive``: that alone.

        Raises
        ------
        IncompleteData
            Part of it is neither kept nor to be had; the message says why the archive has it not.
        UnknownSymbol, InvalidInput, OfflineError
            As `tickers`.

        Warns
        -----
        UserWarning
            The exchange stopped serving pages of a contract's trades before the list ended: a trade whose id is several
            pages older than its time cannot be found then.

        Notes
        -----
        Disk: a span is kept under ``trades/market=.../symbol=...``; the latest trades are not. Budget: one request per
        1000 trades, ten per second: a busy day of a large market is some hundred thousand trades; a file of the archive
        is one request for 100,000. Times of the history are cut to seconds (``time_precision`` in
        ``df.attrs["bgresearch"]`` is ``s`` then, else ``ms``); of a span there is another column ``id_time``, the
        millisecond in the id of a trade, missing where that does not fit.
        """
        named = wire_symbol(symbol, market)
        words = named._asdict()
        say_differences(self._source, "trades")
        if start is None:
            if end is not None:
                raise InvalidInput("start", "is missing, and end is given.", hint="Give both, or none.")
            self._public.online("the latest trades are not kept")
            rows = self._public.named(named, lambda: recent_trades(self._source.sender, named))
            if not rows:
                self._public.must_be_listed(named, TRADES)
            return self._source.framed(TRADES, TRADES.table(rows), **words, time_precision="ms")
        span = self._public.span(start, end)
        use = ArchiveUse()
        table = self._public.named(named, lambda: past_trades(self._source, named, span, self._progress, source, use))
        archived = self._source.store.archived(trades_series(named), span)
        frame = self._source.framed(
            TRADES, table, **words, **archived_words(archived), asked=[iso(span.start_ms), iso(span.end_ms)],
            time_precision=precision(table.column("time")), **use.words(),
        )  # fmt: skip
        return frame.assign(id_time=times_of_ids(table).to_pandas().array)

    @documented(ANNOUNCEMENTS)
    def announcements(
        self, kind: str | None = None, *, language: str = "en_US", max_age: float | None = None
    ) -> pd.DataFrame:
        """Return what the exchange announced in the last 30 days, oldest first.

        Parameters
        ----------
        kind : str, optional
            ``coin_listings``, ``symbol_delisting``, ``maintenance_system_updates``, ``api_trading``,
            ``product_updates``, ``security`` or ``latest_news``.
        language : str
            ``en_US`` or ``zh_CN``.
        max_age : float, optional
            As of `coins`.

        Raises
        ------
        InvalidInput, OfflineError
            As `tickers`.

        Notes
        -----
        Disk: the newest answers are kept. Budget: one request per ten announcements.
        """
        params = {"language": language} | ({"annType": kind} if kind is not None else {})
        for name, value, field in (("annType", kind, "kind"), ("language", language, "language")):
            param = load()["notice.annoucements"].param(name)
            allowed = param.enum if param else ()
            if value is not None and value not in allowed:
                raise InvalidInput.unknown(field, value, allowed)
        return self._public.asked(ANNOUNCEMENTS, lambda sender: announcements(sender, params), max_age)

    def server_time(self) -> pd.Timestamp:
        """Return the exchange's clock (UTC).

        Raises
        ------
        OfflineError
            Offline.

        Notes
        -----
        Budget: one request.
        Source: common/public/Get-Server-Time.
        """
        self._public.online("the exchange's clock is known to it alone")
        time = around(self._source.sender, "common.time").time("serverTime", needed=True)
        if time is None:
            raise BadResponse("common.time", "no serverTime in the answer.")
        return pd.Timestamp(time, unit="ms", tz="UTC")
