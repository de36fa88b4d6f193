"""The verbs of what happens to contracts: splits, dividends, liquidations. Need no key."""

from __future__ import annotations

import pandas as pd

from bgresearch.client.public_data import PublicVerbs, contract
from bgresearch.core.spans import iso
from bgresearch.core.symbols import Named, known_market, only_of
from bgresearch.core.timestamps import Duration, Moment
from bgresearch.errors import InvalidInput
from bgresearch.market.contract_events import (
    DIVIDENDS,
    LIQUIDATIONS,
    SPLITS,
    dividends,
    liquidations,
    liquidations_from_ms,
    splits,
)
from bgresearch.schemas import documented
from bgresearch.session.differences import say_differences

_DEFAULT = "usdt-futures"


class ContractEventVerbs(PublicVerbs):
    """What everybody may ask of events of contracts."""

    @documented(SPLITS)
    def splits(self, symbol: str | None = None, *, max_age: float | None = None) -> pd.DataFrame:
        """Return the splits of the stocks behind contracts, past and announced, oldest first.

        Parameters
        ----------
        symbol : str, optional
            Only of this contract: ``NVDAUSDT``, or as ccxt writes it, ``NVDA/USDT:USDT``.
        max_age : float, optional
            As of `funding`.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        ``candles(..., adjust="splits")`` uses them. Stock tokens of the spot market have no records of this kind.
        Disk: the newest answer is kept. Budget: one request.
        """
        named = None if symbol is None else only_of(_DEFAULT, symbol)
        only = None if named is None else named.symbol
        return self._public.asked(SPLITS, lambda sender: splits(sender, only), max_age, named=named)

    @documented(DIVIDENDS)
    def dividends(self, symbol: str, *, max_age: float | None = None) -> pd.DataFrame:
        """Return the cash dividends of the stock behind a contract, paid and announced, oldest first.

        Parameters
        ----------
        symbol, max_age
            As of `splits`.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Candles are never adjusted for dividends. Amounts are gross, per share as it was then: after a later split one
        share of then is several of today.
        Disk: the newest answers are kept. Budget: two requests.
        """
        named = only_of(_DEFAULT, symbol)
        return self._public.asked(DIVIDENDS, lambda sender: dividends(sender, named.symbol), max_age, named=named)

    @documented(LIQUIDATIONS)
    def liquidations(
        self, symbol: str | None = None, start: Moment | None = None, end: Moment | None = None, *,
        market: str = _DEFAULT, last: Duration | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Return the positions that were liquidated in ``[start, end)``, of one contract or of a whole market.

        Parameters
        ----------
        symbol : str, optional
            As of `funding_rates`; by default all contracts of the market.
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now, without a start as far back as
            the exchange serves them, three days.
        last : str or timedelta, optional
            Instead of a start, how long before the end: ``7d``, ``12h``, ``1mo``.
        market : str
            ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.

        Raises
        ------
        IncompleteData
            Part of it is older than three days.
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        The exchange lists at most the largest one per side and contract in a second, and gives them no ids.
        Disk: nothing is kept; ``client.stream("liquidations", ...)`` streams them. Budget: one request per 100 of them
        since the start, five per second: the list is read from now.
        """
        named = Named("", known_market(market)) if symbol is None else contract(symbol, market)
        if named.market == "spot":
            raise InvalidInput("market", "spot has no liquidations.", hint="Use a futures market.")
        now_ms = self._source.clock.now_ms()
        span = self._public.span(liquidations_from_ms(now_ms) if start is None else start, end)
        say_differences(self._source, "liquidations")
        self._public.online("liquidations are not kept")
        only = named.symbol or None
        rows = self._public.named(named, lambda: liquidations(self._source.sender, named.market, only, span, now_ms))
        if only and not rows:
            self._public.must_be_listed(named, LIQUIDATIONS)
        words = {"market": named.market, **({"symbol": only} if only else {})}
        asked = [iso(span.start_ms), iso(span.end_ms)]
        return self._source.framed(LIQUIDATIONS, LIQUIDATIONS.table(rows), **words, asked=asked)
