"""The verbs of what came in and went out: transfers, deposits, withdrawals, conversions, margin, savings, tax."""

from __future__ import annotations

import pandas as pd

from bgresearch.account.kinds import (
    CONVERSIONS,
    DEPOSITS,
    EARN_RECORDS,
    INTEREST,
    LOANS,
    REPAYMENTS,
    TAX_RECORDS,
    TRANSFERS,
    WITHDRAWALS,
)
from bgresearch.catalogue.answer_row import spelled
from bgresearch.client.account_records import AccountRecords
from bgresearch.core.symbols import checked_coin, own_symbol
from bgresearch.core.timestamps import Duration, Moment
from bgresearch.core.verbs import Verbs
from bgresearch.errors import InvalidInput
from bgresearch.schemas import documented


class MovementVerbs(Verbs):
    """The windowed histories of an account's money."""

    def __init__(self, records: AccountRecords) -> None:
        self._records, self._source, self._history = records, records.source, records.history

    @documented(TRANSFERS.shape)
    def transfers(
        self, start: Moment | None = None, end: Moment | None = None, *, coin: str | None = None,
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return what was moved between wallets of the same owner in ``[start, end)``.

        Parameters
        ----------
        start, end, last
            As of `fills`.
        coin : str, optional
            Only this coin. By default those that the account holds or that transfers are kept of, and USDT: the
            exchange lists the transfers of a classic account coin by coin.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        A unified account's ledger names one side of a transfer, calls deposits and withdrawals transfers as well, and
        keeps what is moved between spot and futures as no transfer at all.
        Disk: kept under ``account/<uid>/transfers``. Budget: one to three requests per coin and 90 days.
        """
        coin = checked_coin(coin)
        if coin is not None and self._history.identity().mode == "unified":
            return self._records.frame("transfers", start, end, "all", coin=coin)
        return self._records.frame("transfers", start, end, None if coin is None else spelled(coin))

    @documented(DEPOSITS.shape)
    def deposits(
        self, start: Moment | None = None, end: Moment | None = None, *, coin: str | None = None,
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return what came in from outside in ``[start, end)``.

        Parameters
        ----------
        start, end, last
            As of `fills`.
        coin : str, optional
            Only this coin.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/deposits``, those on their way excepted. Budget: one request per 100, three
        per 90 days (classic) or 30 days (unified) where there is none.
        """
        return self._records.frame("deposits", start, end, coin=coin)

    @documented(WITHDRAWALS.shape)
    def withdrawals(
        self, start: Moment | None = None, end: Moment | None = None, *, coin: str | None = None,
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return what went out in ``[start, end)``.

        Parameters
        ----------
        start, end, last, coin
            As of `deposits`.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/withdrawals``, those on their way excepted. Budget: as `deposits`.
        """
        return self._records.frame("withdrawals", start, end, coin=coin)

    @documented(CONVERSIONS.shape)
    def conversions(
        self, start: Moment | None = None, end: Moment | None = None, *, source: str | None = None,
        target: str | None = None, last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return what was converted from one coin to another in ``[start, end)``.

        Parameters
        ----------
        start, end, last
            As of `fills`.
        source, target : str, optional
            The coins given and received. Unified accounts need both: the exchange answers for one pair at a time.
            Without them, of a unified account the pairs requested before.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/conversions``. Budget: one request per 100.
        """
        if (source is None) != (target is None):
            raise InvalidInput("source, target", "one is given and the other is not.", hint="Give both coins, or none.")
        source, target = checked_coin(source, "source"), checked_coin(target, "target")
        if source is None or target is None:
            return self._records.frame("conversions", start, end)
        if not self._source.offline and self._history.identity().mode == "classic":
            return self._records.frame("conversions", start, end, source_coin=source, target_coin=target)
        return self._records.frame("conversions", start, end, f"{spelled(source)}/{spelled(target)}")

    @documented(LOANS.shape)
    def loans(
        self, start: Moment | None = None, end: Moment | None = None, *, symbol: str | None = None,
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return what was borrowed on margin in ``[start, end)``.

        Parameters
        ----------
        start, end, last
            As of `fills`.
        symbol : str, optional
            Isolated margin of this symbol; by default crossed margin, and the symbols requested before.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/loans``. Budget: one request per 500; unified accounts six lists of their
        ledger.
        """
        return self._lent("loans", start, end, symbol)

    @documented(REPAYMENTS.shape)
    def repayments(
        self, start: Moment | None = None, end: Moment | None = None, *, symbol: str | None = None,
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return what was paid back of margin loans in ``[start, end)``.

        Parameters
        ----------
        start, end, last, symbol
            As of `loans`.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/repayments``. Budget: as `loans`; unified accounts twelve lists.
        """
        return self._lent("repayments", start, end, symbol)

    @documented(INTEREST.shape)
    def interest(
        self, start: Moment | None = None, end: Moment | None = None, *, symbol: str | None = None,
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the interest that margin loans cost in ``[start, end)``.

        Parameters
        ----------
        start, end, last, symbol
            As of `loans`.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/interest``. Budget: as `loans`.
        """
        return self._lent("interest", start, end, symbol)

    @documented(EARN_RECORDS.shape)
    def earn_records(
        self, start: Moment | None = None, end: Moment | None = None, *, product: str | None = None,
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return subscriptions, redemptions and interest of savings in ``[start, end)``; of classic accounts only.

        Parameters
        ----------
        start, end, last
            As of `fills`.
        product : str or None
            ``flexible`` or ``fixed``; by default both.

        Raises
        ------
        IncompleteData, OfflineError, PermissionDenied, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/earn_records``. Budget: one request per 100.
        """
        return self._records.frame("earn_records", start, end, product)

    @documented(TAX_RECORDS.shape)
    def tax_records(
        self, start: Moment | None = None, end: Moment | None = None, *, book: str | None = None,
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the lines that the exchange keeps for tax in ``[start, end)``.

        Parameters
        ----------
        start, end, last
            As of `fills`; the exchange answers a year back.
        book : str or None
            ``spot``, ``crossed-margin``, ``isolated-margin``, a futures market, ``p2p``; of unified accounts ``spot``,
            ``margin``, a futures market, ``other``. By default all.

        Raises
        ------
        PermissionDenied
            It needs a key with the tax box; unified accounts need a key made for tax.
        IncompleteData, OfflineError, InvalidInput
            As `fills`.

        Notes
        -----
        Disk: kept under ``account/<uid>/tax_records``. Budget: one request per second and 500 lines, in windows of 30
        days (classic) or 7 days (unified): a year of all books takes some minutes.
        """
        return self._records.frame("tax_records", start, end, book)

    def _lent(self, name: str, start: Moment | None, end: Moment | None, symbol: str | None) -> pd.DataFrame:
        plain = own_symbol("spot", symbol)[1]
        if plain is not None and not self._source.offline and self._history.identity().mode == "unified":
            return self._records.frame(name, start, end, "unified", symbol=plain)
        return self._records.frame(name, start, end, plain)
