"""The verbs of who is long, who buys and where money flows. Need no key."""

from __future__ import annotations

import pandas as pd

from bgresearch.client.public_data import PublicVerbs
from bgresearch.core.symbols import only_of
from bgresearch.market.sentiment import (
    FUND_FLOW,
    LONG_SHORT,
    MARGIN_SERIES,
    NET_FLOW,
    TAKER_VOLUME,
    fund_flow,
    long_short,
    margin_series,
    net_flow,
    taker_volume,
)
from bgresearch.schemas import documented

_DEFAULT = "usdt-futures"


class SentimentVerbs(PublicVerbs):
    """Public data of positions and flows; one request a second."""

    @documented(LONG_SHORT)
    def long_short(
        self, symbol: str, *, period: str = "5m", of: str = "trades", max_age: float | None = None
    ) -> pd.DataFrame:
        """Return the ratio of longs to shorts.

        Parameters
        ----------
        symbol : str
            Of a USDT contract, or for ``margin`` of spot: ``BTCUSDT``, ``BTC/USDT:USDT``.
        period : str
            5m 15m 30m 1h 2h 4h 6h 12h 1d; for ``margin`` 24h 30d.
        of : str
            ``trades`` (volume of active buyers and sellers), ``accounts``, ``positions``, or ``margin``.
        max_age : float, optional
            As of `funding`.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        How far back the rows go is not documented: ``bgresearch record long-short`` keeps them.
        Disk: the newest answer is kept. Budget: one request, one per second.
        """
        named = only_of("spot" if of == "margin" else _DEFAULT, symbol)
        return self._public.asked(
            LONG_SHORT, lambda sender: long_short(sender, named.symbol, period, of), max_age, named=named, of=of
        )  # fmt: skip

    @documented(TAKER_VOLUME)
    def taker_volume(self, symbol: str, *, period: str = "5m", max_age: float | None = None) -> pd.DataFrame:
        """Return what takers bought and sold of a USDT contract.

        Parameters
        ----------
        symbol, max_age
            As of `long_short`.
        period : str
            5m 15m 30m 1h 2h 4h 6h 12h 1d.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request, one per second.
        """
        named = only_of(_DEFAULT, symbol)
        return self._public.asked(
            TAKER_VOLUME, lambda sender: taker_volume(sender, named.symbol, period), max_age, named=named
        )

    @documented(FUND_FLOW)
    def fund_flow(self, symbol: str, *, period: str = "15m", max_age: float | None = None) -> pd.DataFrame:
        """Return what large, middle and small orders bought and sold in spot, over the last period.

        Parameters
        ----------
        symbol, max_age
            As of `tickers`.
        period : str
            15m 30m 1h 2h 4h 1d.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        The answer has no time; ``df.attrs["bgresearch"]["asked"]`` is when it came.
        Disk: the newest answer is kept. Budget: one request, one per second.
        """
        named = only_of("spot", symbol)
        return self._public.asked(
            FUND_FLOW, lambda sender: fund_flow(sender, named.symbol, period), max_age, named=named
        )

    @documented(NET_FLOW)
    def net_flow(self, symbol: str, *, whales: bool = False, max_age: float | None = None) -> pd.DataFrame:
        """Return what came into a spot market less what went out.

        Parameters
        ----------
        symbol, max_age
            As of `tickers`.
        whales : bool
            Whether large orders alone count, a row a day.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Disk: the newest answer is kept. Budget: one request, one per second.
        """
        named = only_of("spot", symbol)
        return self._public.asked(
            NET_FLOW, lambda sender: net_flow(sender, named.symbol, whales=whales), max_age, named=named, whales=whales
        )  # fmt: skip

    @documented(MARGIN_SERIES)
    def margin_series(self, symbol: str, *, period: str = "24h", max_age: float | None = None) -> pd.DataFrame:
        """Return how borrowing on margin develops.

        Parameters
        ----------
        symbol, max_age
            As of `tickers`.
        period : str
            24h or 30d.

        Raises
        ------
        UnknownSymbol, OfflineError, InvalidInput
            As `funding_rates`.

        Notes
        -----
        Disk: the newest answers are kept. Budget: two requests, one per second each.
        """
        named = only_of("spot", symbol)
        return self._public.asked(
            MARGIN_SERIES, lambda sender: margin_series(sender, named.symbol, period), max_age, named=named
        )
