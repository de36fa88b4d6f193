"""The verbs of what an account traded: fills, orders, positions and the ledger, kept for good, one frame per kind."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.account.kinds import BILLS, CLOSED_POSITIONS, FILLS, KINDS, ORDERS, PLAN_ORDERS
from bgresearch.account.record_history import RecordHistory
from bgresearch.account.record_type import RecordKind
from bgresearch.core.progress import Wish
from bgresearch.core.spans import Span, iso
from bgresearch.core.symbols import MARKETS, checked_coin, own_symbol
from bgresearch.core.timestamps import Moment, span_of
from bgresearch.market.listing_history import was_listed
from bgresearch.schemas import Shape, documented
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session
from bgresearch.session.unknown_symbol import unlisted_anywhere, unlisted_coin

_NONE_TOLD = "The exchange tells this account no {} without naming a {}, and none are kept: the frame is empty."
_log = logging.getLogger(__name__)


class RecordVerbs:
    """The windowed histories of one account.

    Parameters
    ----------
    source : Source
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
        self, start: Moment, end: Moment | None = None, *, market: str | None = "spot", symbol: str | None = None
    ) -> pd.DataFrame:  # fmt: skip
        """Return the account's own trades in ``[start, end)``, in the order of their times.

        Parameters
        ----------
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now.
        market : str or None
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``; None for all.
        symbol : str, optional
            Only this one: ``BTCUSDT``, or as ccxt writes it, ``BTC/USDT:USDT``, which names the market as well. All
            symbols are fetched and kept whichever is asked for.

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
        self, start: Moment, end: Moment | None = None, *, market: str | None = "spot", symbol: str | None = None
    ) -> pd.DataFrame:  # fmt: skip
        """Return the account's orders that were placed in ``[start, end)`` and are over; `open_orders` has the others.

        Parameters
        ----------
        start, end, market, symbol
            As of `fills`.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/orders``; asked for again is the instant of an order that still stands.
        Budget: one request per 100 orders, a few more per 90 days (classic) or 30 days (unified).
        """
        return self._records("orders", start, end, market, symbol=symbol)

    @documented(PLAN_ORDERS.shape)
    def plan_orders(
        self, start: Moment, end: Moment | None = None, *, market: str | None = None, symbol: str | None = None
    ) -> pd.DataFrame:  # fmt: skip
        """Return the plan orders (trigger, trailing, take profit and stop loss) made in ``[start, end)`` that are over.

        Parameters
        ----------
        start, end, symbol
            As of `fills`.
        market : str or None
            One market; None, the default, for all. Unified accounts are told those of futures alone.

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
        self, start: Moment, end: Moment | None = None, *, market: str | None = "usdt-futures",
        symbol: str | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the positions that were opened in ``[start, end)`` and are closed; `positions` has the open ones.

        Parameters
        ----------
        start, end, symbol
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
        missing instant is asked for again, as the documentation does not say by which time the windows go.
        """
        market, symbol = own_symbol(market, symbol, default="usdt-futures")
        return self._records("closed_positions", start, end, market, symbol=symbol)

    @documented(BILLS.shape)
    def bills(
        self, start: Moment, end: Moment | None = None, *, book: str | None = None, coin: str | None = None
    ) -> pd.DataFrame:  # fmt: skip
        """Return the lines of the account's ledger in ``[start, end)``: every change of a balance.

        Parameters
        ----------
        start, end
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
        self, name: str, start: Moment, end: Moment | None, lot: str | None = None, **only: str | None
    ) -> pd.DataFrame:  # fmt: skip
        """Return the records of one lot, or of all lots, in order; ``only`` narrows what is shown, not what is kept."""
        kind = KINDS[name]
        for name_of, value in only.items():
            if name_of != "symbol":
                checked_coin(value, name_of)
        market, symbol = own_symbol(lot if kind.lot == "market" else None, only.get("symbol"))
        lot = market if kind.lot == "market" else lot
        if "symbol" in only:
            only["symbol"] = symbol
        if lot is not None:
            kind.checked(lot)  # a wrong market is named before anything is asked
        now = self._source.clock.now_ms()
        asked = span_of(start, end, now)
        span = Span(asked.start_ms, min(asked.end_ms, now))
        named = self._named_by(kind, lot)
        if named and not self._source.offline and lot not in self._history.kept_lots(kind):
            self._must_be_listed(kind, lot, named)  # before an empty list of something unknown is kept
        lots = self._history.lots(kind) if lot is None else (lot,)
        tables = [self._history.table(kind, one, span) for one in lots]
        table = pa.concat_tables([kind.shape.schema.empty_table(), *tables])
        table = table.sort_by([(kind.time, "ascending"), (kind.id, "ascending")])
        for column, value in only.items():
            if value is not None:
                table = table.filter(pc.equal(pc.utf8_upper(table.column(column)), value.upper()))
        if lots and not table.num_rows:
            self._must_be_listed(kind, lot, {name: value for name, value in only.items() if value is not None})
        words: dict[str, Any] = {kind.lot: lot, **only} if kind.lot else dict(only)
        if not lots:  # an empty frame that does not mean that there was nothing
            words["not_told"] = _NONE_TOLD.format(kind.title, kind.lot)
            _log.warning(words["not_told"])
        return self._told(kind.shape, table, **words, asked=[iso(span.start_ms), iso(span.end_ms)])

    def _named_by(self, kind: RecordKind, lot: str | None) -> dict[str, str]:
        """Return the symbol or the coins that a lot is about, by what they are; none for a market or a book."""
        if lot is None or lot in kind.all_lots:
            return {}
        if kind.lot == "pair":
            return dict(zip(("source_coin", "target_coin"), lot.split("/"), strict=False))
        return {"symbol" if kind.lot == "margin" else kind.lot: lot}

    def _must_be_listed(self, kind: RecordKind, lot: str | None, named: Mapping[str, str]) -> None:
        """Raise `UnknownSymbol` if records of a symbol or coin are asked for that the exchange never listed."""
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

    def _told(self, shape: Shape, table: pa.Table, **words: Any) -> pd.DataFrame:
        sender = self._source.sender
        return shape.frame(table, host=sender.host, label=sender.label, demo=sender.demo, **words)
