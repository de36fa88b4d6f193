"""The verbs of what an account traded: fills, orders, positions and the ledger, kept for good, one frame per kind."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.account.kinds import BILLS, CLOSED_POSITIONS, FILLS, KINDS, ORDERS, PLAN_ORDERS
from bgresearch.account.record_history import RecordHistory
from bgresearch.account.record_type import RecordKind
from bgresearch.core.intervals import HOUR_MS
from bgresearch.core.lengths import Duration
from bgresearch.core.progress import Wish
from bgresearch.core.spans import Span, iso
from bgresearch.core.symbols import MARKETS, checked_coin, own_symbol
from bgresearch.core.timestamps import Moment, moment_ms, span_of
from bgresearch.core.verbs import Verbs
from bgresearch.errors import InvalidInput
from bgresearch.market.listing_history import was_listed
from bgresearch.schemas import documented
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session
from bgresearch.session.unknown_symbol import unlisted_anywhere, unlisted_coin

_NAME_NEEDED = "The exchange lists no {} of this account unless a {} is named, and none are stored: the frame is empty."
_READING_MS = HOUR_MS  # what the look-backs may move on while several lists are read
_log = logging.getLogger(__name__)


class RecordVerbs(Verbs):
    """The windowed histories of one account.

    Parameters
    ----------
    source : Session
        Exchange and store.
    whose : Whose
        Learns the account's mode and user id.
    progress : "auto", bool or callable
        As on `connect`.
    """

    def __init__(self, source: Session, whose: AccountIdentity, progress: Wish = "auto") -> None:
        self._source = source
        self._history = RecordHistory(source, whose, progress)

    @documented(FILLS.shape)
    def fills(
        self, start: Moment | None = None, end: Moment | None = None, *, market: str | None = "spot",
        symbol: str | None = None, last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the account's own trades in ``[start, end)``, in the order of their times.

        Parameters
        ----------
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now. Without a start: as far back as
            the exchange answers, and what is stored from before.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        market : str or None
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``; None for all.
        symbol : str, optional
            Only this one: ``BTCUSDT``, or as ccxt writes it, ``BTC/USDT:USDT``, which names the market as well. All
            symbols are fetched and stored in any case.

        Raises
        ------
        IncompleteData
            Part of it is neither kept nor on the exchange any more (it answers 90 days back), or could not be
            fetched.
        OfflineError
            Offline, and part of it is not kept.
        PermissionDenied
            The key lacks a permission; the message names the box to tick.
        InvalidInput
            An argument that means nothing; no request was spent.

        Notes
        -----
        One order may fill many times in a millisecond: the index is not unique.
        Disk: kept under ``account/<uid>/fills``; a second call asks only for the last five minutes.
        Budget: one request per 100 fills, one or two more per 90 days (classic) or 30 days (unified).
        """
        return self._records("fills", start, end, market, symbol=symbol)

    @documented(ORDERS.shape)
    def orders(
        self, start: Moment | None = None, end: Moment | None = None, *, market: str | None = "spot",
        symbol: str | None = None, last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the account's orders that were placed in ``[start, end)`` and are over; `open_orders` has the others.

        Parameters
        ----------
        start, end, last, market, symbol
            As of `fills`.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/orders``; the instants of orders that are still open are requested again.
        Budget: one request per 100 orders, a few more per 90 days (classic) or 30 days (unified).
        """
        return self._records("orders", start, end, market, symbol=symbol)

    @documented(PLAN_ORDERS.shape)
    def plan_orders(
        self, start: Moment | None = None, end: Moment | None = None, *, market: str | None = None,
        symbol: str | None = None, last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the plan orders (trigger, trailing, take profit and stop loss) made in ``[start, end)`` that are over.

        Parameters
        ----------
        start, end, last, symbol
            As of `fills`.
        market : str or None
            One market; None, the default, for all. Of unified accounts the exchange lists those of futures only.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/plan_orders``. Budget: one request per 100, three lists per futures market.
        """
        return self._records("plan_orders", start, end, market, symbol=symbol)

    @documented(CLOSED_POSITIONS.shape)
    def closed_positions(
        self, start: Moment | None = None, end: Moment | None = None, *, market: str | None = "usdt-futures",
        symbol: str | None = None, last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the positions that were opened in ``[start, end)`` and are closed; `positions` has the open ones.

        Parameters
        ----------
        start, end, last, symbol
            As of `fills`.
        market : str or None
            ``usdt-futures``, ``usdc-futures`` or ``coin-futures``; None for all.

        Raises
        ------
        PermissionDenied
            Of unified accounts the exchange wants a key that may also write, although this only reads.
        IncompleteData, OfflineError, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/closed_positions``. Budget: one request per 100; everything since the oldest
        missing instant is requested again, as the documentation does not say which time the windows filter by.
        """
        market, symbol = own_symbol(market, symbol, default="usdt-futures")
        return self._records("closed_positions", start, end, market, symbol=symbol)

    @documented(BILLS.shape)
    def bills(
        self, start: Moment | None = None, end: Moment | None = None, *, book: str | None = None,
        coin: str | None = None, last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the lines of the account's ledger in ``[start, end)``: every change of a balance.

        Parameters
        ----------
        start, end, last
            As of `fills`.
        book : str or None
            One ledger: ``spot`` or a futures market; unified accounts also have ``margin`` and ``other``. By default
            all.
        coin : str, optional
            Only this coin.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        ``kind`` is common to both kinds of account: a unified ledger calls a deposit a transfer, and so does ``kind``;
        ``word`` has what the exchange said. Coins that move between two wallets of a classic account that a unified
        one keeps as one balance are lines of the classic ledger alone.
        Disk: kept under ``account/<uid>/bills``. Budget: one request per 500 lines in spot, per 100 elsewhere.
        """
        return self._records("bills", start, end, book, coin=coin)

    def _records(
        self, name: str, start: Moment | None, end: Moment | None, lot: str | None = None, **only: str | None
    ) -> pd.DataFrame:  # fmt: skip
        """Return the records of one lot, or of all lots, in order; ``only`` narrows what is shown, not what is kept."""
        kind = KINDS[name]
        for name_of, value in only.items():
            if name_of != "symbol":
                only[name_of] = checked_coin(value, name_of)
        market, symbol = own_symbol(lot if kind.lot == "market" else None, only.get("symbol"))
        lot = market if kind.lot == "market" else lot
        if "symbol" in only:
            only["symbol"] = symbol
        if lot is not None:
            kind.checked(lot)  # a wrong market is named before anything is asked
        now = self._source.clock.now_ms()
        asked = None if start is None else span_of(start, end, now)
        last_ms = now if end is None else min(moment_ms(end, "end", now)[0], now)
        named = self._named_by(kind, lot)
        if named and not self._source.offline and lot not in self._history.kept_lots(kind):
            self._must_be_listed(kind, lot, named)  # before an empty list of something unknown is stored
        lots = self._history.lots(kind) if lot is None else (lot,)
        table, span = self._read(kind, lots, None if asked is None else Span(asked.start_ms, last_ms), last_ms)
        for column, value in only.items():
            if value is not None:
                table = table.filter(pc.equal(pc.utf8_upper(table.column(column)), value.upper()))
        if lots and not table.num_rows:
            self._must_be_listed(kind, lot, {name: value for name, value in only.items() if value is not None})
        words: dict[str, Any] = {kind.lot: lot, **only} if kind.lot else dict(only)
        if not lots:  # the frame is empty, although there may be records
            words["not_told"] = _NAME_NEEDED.format(kind.title, kind.lot)
            _log.warning(words["not_told"])
        return self._source.framed(kind.shape, table, **words, asked=[iso(span.start_ms), iso(span.end_ms)])

    def _read(
        self, kind: RecordKind, lots: Sequence[str], asked: Span | None, last_ms: int
    ) -> tuple[pa.Table, Span]:  # fmt: skip
        """Return the records of several lots in order, and the span that they are of."""
        tables, since_ms = [kind.shape.schema.empty_table()], last_ms if asked is None else asked.start_ms
        for lot in lots:  # each look-back is taken just before its list is read: it moves on meanwhile
            part = asked or self._answered(kind, lot, last_ms)
            since_ms = min(since_ms, part.start_ms)
            tables.append(self._history.table(kind, lot, part))
        table = pa.concat_tables(tables).sort_by([(kind.time, "ascending"), (kind.id, "ascending")])
        return table, Span(since_ms, last_ms)

    def _available_since(self, *names: str) -> int:
        """Return the first instant from which records of several kinds can all be had, while they are read."""
        return _READING_MS + max(
            self._history.available_since(KINDS[name], lot) for name in names for lot in self._history.lots(KINDS[name])
        )

    def _answered(self, kind: RecordKind, lot: str, last_ms: int) -> Span:
        """Return what can be had of a lot up to an instant: the exchange's look-back, and what is stored before it."""
        since_ms = self._history.available_since(kind, lot)
        if last_ms <= since_ms:
            cause = f"{iso(last_ms)} is before the first {kind.title} that can be had, {iso(since_ms)}."
            raise InvalidInput("end", cause, hint="Give a start as well.")
        return Span(since_ms, last_ms)

    def _named_by(self, kind: RecordKind, lot: str | None) -> dict[str, str]:
        """Return the symbol or the coins of a lot, by what they are; none for a market or a book."""
        if lot is None or lot in kind.all_lots:
            return {}
        if kind.lot == "pair":
            return dict(zip(("source_coin", "target_coin"), lot.split("/"), strict=False))
        return {"symbol" if kind.lot == "margin" else kind.lot: lot}

    def _must_be_listed(self, kind: RecordKind, lot: str | None, named: Mapping[str, str]) -> None:
        """Raise `UnknownSymbol` if the exchange never listed the requested symbol or coin."""
        sender, source = self._source.sender, kind.shape.sources[0]
        if self._source.offline:
            return
        for name, value in named.items():
            if name == "symbol":
                markets = [lot] if lot in MARKETS else [one for one in MARKETS if one in kind.all_lots] or ["spot"]
                if any(was_listed(self._source, value, market) for market in markets):
                    continue
                error = unlisted_anywhere(sender, value, markets, source)
            else:
                error = unlisted_coin(sender, value, source)
            if error is not None:
                raise error
