"""The verbs of contracts and terms: funding, open interest, tiers, fees, collateral, interest. Need no key."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bgresearch.catalogue.answer_row import spelled
from bgresearch.client.public_data import PublicVerbs, contract
from bgresearch.core.spans import iso
from bgresearch.core.symbols import checked_coin, known_market
from bgresearch.core.timestamps import Duration, Moment
from bgresearch.errors import ExchangeError, InvalidInput, UnknownSymbol
from bgresearch.market.candles.read_through import gap_in_words
from bgresearch.market.fees_and_tiers import (
    DISCOUNT_RATES,
    FEE_RATES,
    INTEREST_RATES,
    POSITION_TIERS,
    RISK_RESERVE,
    discount_rates,
    fee_rates,
    interest_rates,
    position_tiers,
    risk_reserve,
)
from bgresearch.market.history import FUNDING, FUNDING_RATES, funding, past_funding
from bgresearch.market.quotes import OPEN_INTEREST, open_interest
from bgresearch.schemas import documented
from bgresearch.session.differences import say_differences
from bgresearch.session.unknown_symbol import UNKNOWN_CODES, unlisted_coin

_DEFAULT = "usdt-futures"


class ContractVerbs(PublicVerbs):
    """Public data of contracts and terms."""

    @documented(FUNDING_RATES)
    def funding_rates(
        self, symbol: str, start: Moment | None = None, end: Moment | None = None, *, market: str = _DEFAULT,
        last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the funding rates that were settled in ``[start, end)``, as far back as the contract was listed.

        Parameters
        ----------
        symbol : str
            ``BTCUSDT``, or as ccxt writes it, ``BTC/USDT:USDT``.
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        market : str
            ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.

        Raises
        ------
        IncompleteData
            The exchange serves no further pages although the contract traded earlier; ``.missing`` is what is unknown.
            What came is kept, and a later call asks again. Where pages of another size end at the same settlement, the
            list ends there: the time before it is in ``attrs["bgresearch"]["gaps"]`` as ``exchange has none``.
        UnknownSymbol
            There is no such contract; the message names near ones.
        OfflineError
            Offline, and part of it is not kept.
        InvalidInput
            An argument that means nothing; no request was spent.

        Notes
        -----
        Disk: kept under ``funding_rates/market=.../symbol=...``. Budget: one request per 100 settlements since the
        start: the pages are numbered from now. Where settlements seem to be missing, by the pauses before and after,
        the pages are asked for once more, and a warning names what is still missing.
        """
        named, span = contract(symbol, market), self._public.span(start, end)
        say_differences(self._source, "funding_rates")
        table, none = self._public.named(named, lambda: past_funding(self._source, named, span, self._progress))
        about: dict[str, Any] = {"asked": [iso(span.start_ms), iso(span.end_ms)]}
        if none:
            about["gaps"] = [gap_in_words(gap) for gap in none]
        return self._source.framed(FUNDING_RATES, table, **named._asdict(), **about)

    @documented(FUNDING)
    def funding(self, symbol: str, *, market: str = _DEFAULT, max_age: float | None = None) -> pd.DataFrame:
        """Return the funding rate that is due next, and when.

        Parameters
        ----------
        symbol, market
            As of `funding_rates`.
        max_age : float, optional
            Seconds: a kept answer that is younger is given instead of asking. By default every call asks.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request. `tickers` has the rates of all contracts.
        """
        named = contract(symbol, market)
        return self._public.asked(FUNDING, lambda sender: funding(sender, named), max_age, named=named)

    @documented(OPEN_INTEREST)
    def open_interest(
        self, symbol: str | None = None, *, market: str = _DEFAULT, max_age: float | None = None
    ) -> pd.DataFrame:
        """Return the present open interest, of one contract or of all.

        Parameters
        ----------
        symbol : str, optional
            As of `funding_rates`; by default all contracts of the market.
        market, max_age
            As of `funding`.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        The exchange has no history of it: ``bgresearch record open-interest`` makes one.
        Disk: the newest answer is kept. Budget: one request.
        """
        if symbol is not None or market == "spot":
            contract(symbol or "-", market)
        return self._public.of_market(OPEN_INTEREST, open_interest, symbol, market, max_age, default=_DEFAULT)

    @documented(POSITION_TIERS)
    def position_tiers(
        self, symbol: str, *, market: str = _DEFAULT, max_age: float | None = None
    ) -> pd.DataFrame:  # fmt: skip
        """Return leverage and maintenance margin by size of position.

        Parameters
        ----------
        symbol, market, max_age
            As of `funding`.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        named = contract(symbol, market)
        return self._public.asked(POSITION_TIERS, lambda sender: position_tiers(sender, named), max_age, named=named)

    @documented(FEE_RATES)
    def fee_rates(self, market: str = "spot", *, max_age: float | None = None) -> pd.DataFrame:
        """Return the public schedule of fees by VIP level; ``client.account.fee_rates`` has an account's own.

        Parameters
        ----------
        market : str
            ``spot``, or any futures market: they share one schedule.
        max_age : float, optional
            As of `funding`.

        Raises
        ------
        OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        known_market(market)
        return self._public.asked(FEE_RATES, lambda sender: fee_rates(sender, market), max_age, market=market)

    @documented(RISK_RESERVE)
    def risk_reserve(
        self, symbol: str, *, market: str = _DEFAULT, max_age: float | None = None
    ) -> pd.DataFrame:  # fmt: skip
        """Return how the insurance fund behind a contract changed, as far back as the exchange serves it.

        Parameters
        ----------
        symbol, market, max_age
            As of `funding`.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        named = contract(symbol, market)
        return self._public.asked(RISK_RESERVE, lambda sender: risk_reserve(sender, named), max_age, named=named)

    @documented(DISCOUNT_RATES)
    def discount_rates(self, account: str = "unified", *, max_age: float | None = None) -> pd.DataFrame:
        """Return how much of a coin's value counts as collateral, by amount.

        Parameters
        ----------
        account : str
            ``unified``, or ``classic`` for futures in multi-asset mode.
        max_age : float, optional
            As of `funding`.

        Raises
        ------
        OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        if account not in ("unified", "classic"):
            raise InvalidInput("account", f"{account!r} is unknown.", hint="Use unified or classic.")
        return self._public.asked(
            DISCOUNT_RATES, lambda sender: discount_rates(sender, account), max_age, account=account
        )

    @documented(INTEREST_RATES)
    def interest_rates(self, coin: str, *, history: bool = False, max_age: float | None = None) -> pd.DataFrame:
        """Return what borrowing a coin costs on margin now, or what it cost in multi-asset futures before.

        Parameters
        ----------
        coin : str
            ``USDT``.
        history : bool
            Whether the past is wanted.
        max_age : float, optional
            As of `funding`.

        Raises
        ------
        UnknownSymbol
            There is no such coin; the message names near ones.
        OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request.
        """
        name = spelled(str(checked_coin("" if coin is None else coin)))
        source, refusal = INTEREST_RATES.sources[bool(history)], None
        try:
            frame = self._public.asked(
                INTEREST_RATES, lambda sender: interest_rates(sender, name, history=history), max_age
            )
        except ExchangeError as error:
            if error.code not in UNKNOWN_CODES and not isinstance(error, UnknownSymbol):
                raise
            refusal = error
        if (refusal is not None or frame.empty) and not self._source.offline:
            refusal = unlisted_coin(self._source.sender, name, source) or refusal
        if refusal is not None:
            raise refusal
        return frame
