"""The verbs of what an account has now: balances, positions, standing orders, fees, savings, sub-accounts."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from bgresearch.account.holdings import (
    BALANCES,
    EARN,
    OWN_FEE_RATES,
    SUB_ACCOUNTS,
    balances,
    earn,
    own_fee_rates,
    sub_accounts,
)
from bgresearch.account.kinds import CLOSED_POSITIONS, ORDERS, PLAN_ORDERS
from bgresearch.account.kinds.orders import OPEN_ORDERS, OPEN_PLAN_ORDERS
from bgresearch.account.kinds.positions import OPEN_POSITIONS
from bgresearch.account.record_history import walked
from bgresearch.account.record_type import RecordKind
from bgresearch.client.account_records import AccountRecords
from bgresearch.core.symbols import MARKETS, own_symbol, wire_symbol
from bgresearch.core.verbs import Verbs
from bgresearch.errors import ExchangeError, UnknownSymbol
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row, Shape, documented
from bgresearch.session.cached_sender import CachedSender, checked_age
from bgresearch.session.identity import Mode
from bgresearch.session.unknown_symbol import UNKNOWN_CODES, unknown_symbol, unlisted

_RATES = "common.trade_rate"


class HoldingVerbs(Verbs):
    """What an account has now; every call asks, unless a kept answer is young enough."""

    def __init__(self, records: AccountRecords) -> None:
        self._records, self._source, self._history = records, records.source, records.history

    @documented(BALANCES)
    def balances(self, *, max_age: float | None = None) -> pd.DataFrame:
        """Return what each wallet of the account is worth; `assets` has the coins in them.

        Parameters
        ----------
        max_age : float, optional
            Seconds: a kept answer that is younger is given instead of asking. By default every call asks.

        Raises
        ------
        OfflineError
            Offline, and no answer is kept.
        PermissionDenied
            The key lacks a permission; the message names the box to tick.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request (classic, one per second) or two (unified).
        """
        return self._now(BALANCES, balances, max_age)

    @documented(OPEN_POSITIONS)
    def positions(
        self, *, market: str | None = None, symbol: str | None = None, max_age: float | None = None
    ) -> pd.DataFrame:
        """Return the positions that are open; `closed_positions` has the others.

        Parameters
        ----------
        market : str or None
            One futures market; by default all three.
        symbol : str, optional
            Only this one.
        max_age : float, optional
            As of `balances`.

        Raises
        ------
        OfflineError, PermissionDenied, InvalidInput
            As `balances`; an argument that means nothing.

        Notes
        -----
        Disk: the newest answer is kept. Budget: a request per market, two where there is none.
        """
        return self._open(OPEN_POSITIONS, CLOSED_POSITIONS, market, symbol, max_age)

    @documented(OPEN_ORDERS)
    def open_orders(
        self, *, market: str | None = None, symbol: str | None = None, max_age: float | None = None
    ) -> pd.DataFrame:
        """Return the open orders; `orders` has those that are over.

        Parameters
        ----------
        market : str or None
            One market; by default all four.
        symbol, max_age
            As of `positions`.

        Raises
        ------
        OfflineError, PermissionDenied, InvalidInput
            As `positions`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: a request per 100 orders and market, two where there is none.
        """
        return self._open(OPEN_ORDERS, ORDERS, market, symbol, max_age)

    @documented(OPEN_PLAN_ORDERS)
    def open_plan_orders(
        self, *, market: str | None = None, symbol: str | None = None, max_age: float | None = None
    ) -> pd.DataFrame:
        """Return the plan orders that wait; `plan_orders` has those that are over.

        Parameters
        ----------
        market, symbol, max_age
            As of `open_orders`.

        Raises
        ------
        OfflineError, PermissionDenied, InvalidInput
            As `positions`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: up to ten lists, two requests for each that is empty.
        """
        return self._open(OPEN_PLAN_ORDERS, PLAN_ORDERS, market, symbol, max_age)

    @documented(OWN_FEE_RATES)
    def fee_rates(self, symbol: str, *, market: str = "spot", max_age: float | None = None) -> pd.DataFrame:
        """Return what this account pays for trading a symbol; ``client.fee_rates()`` has the public schedule.

        Parameters
        ----------
        symbol : str
            ``BTCUSDT``, or as ccxt writes it, ``BTC/USDT:USDT``.
        market : str
            The symbol's.
        max_age : float, optional
            As of `balances`.

        Raises
        ------
        OfflineError, PermissionDenied, UnknownSymbol, InvalidInput
            As `balances`; a symbol or a market that does not exist.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        found = wire_symbol(symbol, market)

        def ask(sender: Sender, mode: Mode) -> list[Row]:
            try:
                rows = own_fee_rates(sender, mode, found.market, found.symbol)
            except ExchangeError as error:
                if error.code not in UNKNOWN_CODES and not isinstance(error, UnknownSymbol):
                    raise
                raise unknown_symbol(self._source.sender, found, error) from None
            unknown = None if rows or self._source.offline else unlisted(self._source.sender, found, _RATES)
            if unknown is not None:
                raise unknown
            return rows

        return self._now(OWN_FEE_RATES, ask, max_age)

    @documented(EARN)
    def earn(self, *, max_age: float | None = None) -> pd.DataFrame:
        """Return the holdings in the exchange's earn products.

        Parameters
        ----------
        max_age : float, optional
            As of `balances`.

        Raises
        ------
        OfflineError, PermissionDenied
            As `balances`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        return self._now(EARN, earn, max_age)

    @documented(SUB_ACCOUNTS)
    def sub_accounts(self, *, max_age: float | None = None) -> pd.DataFrame:
        """Return the sub-accounts of a main account.

        Parameters
        ----------
        max_age : float, optional
            As of `balances`.

        Raises
        ------
        OfflineError, PermissionDenied
            As `balances`; sub-accounts have none, and the exchange refuses to list them.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request per 100 (unified) or 500 (classic).
        """
        return self._now(SUB_ACCOUNTS, sub_accounts, max_age)

    def _now(
        self, shape: Shape, ask: Callable[[Sender, Mode], list[Row]], max_age: float | None
    ) -> pd.DataFrame:  # fmt: skip
        """Send requests, or use cached responses that are young enough."""
        answers = CachedSender(self._source, checked_age(max_age), again=f"client.{shape.verb}()")
        table = shape.table(ask(answers, self._history.mode()))
        return self._source.framed(shape, table, **answers.words())

    def _open(
        self, shape: Shape, kind: RecordKind, market: str | None, symbol: str | None, max_age: float | None
    ) -> pd.DataFrame:
        market, plain = own_symbol(market, symbol)
        if market is not None:
            kind.checked(market)

        def ask(sender: Sender, mode: Mode) -> list[Row]:
            lots = [market] if market is not None else [lot for lot in MARKETS if lot in kind.lots[mode]]
            routes = [route for lot in lots for route in kind.open(mode, lot)]
            rows = [row for route in routes for row in walked(kind, route, sender)]
            chosen = [row for row in rows if plain is None or row["symbol"] == plain]
            return sorted(chosen, key=lambda row: (row[kind.time], row[kind.id]))

        frame = self._now(shape, ask, max_age)
        if plain is not None and frame.empty:
            self._records.must_be_listed(kind, market, {"symbol": plain})
        return frame
