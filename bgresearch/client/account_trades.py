"""The verbs of what an account traded: fills, orders, positions and the ledger, kept for good, one frame per kind."""

from __future__ import annotations

import pandas as pd

from bgresearch.account.kinds import BILLS, CLOSED_POSITIONS, FILLS, ORDERS, PLAN_ORDERS
from bgresearch.client.account_records import AccountRecords
from bgresearch.core.symbols import own_symbol
from bgresearch.core.timestamps import Duration, Moment
from bgresearch.core.verbs import Verbs
from bgresearch.schemas import documented


class RecordVerbs(Verbs):
    """The windowed histories of what an account traded."""

    def __init__(self, records: AccountRecords) -> None:
        self._source, self._records = records.source, records

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
        return self._records.frame("fills", start, end, market, symbol=symbol)

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
        return self._records.frame("orders", start, end, market, symbol=symbol)

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
        return self._records.frame("plan_orders", start, end, market, symbol=symbol)

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
        return self._records.frame("closed_positions", start, end, market, symbol=symbol)

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
        return self._records.frame("bills", start, end, book, coin=coin)
