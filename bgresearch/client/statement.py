"""An account's statement: all its records of a span together, and what can be said of them. Asks through the verbs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from bgresearch.client.account import AccountVerbs
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.intervals import interval as length_of
from bgresearch.core.spans import Span, iso
from bgresearch.core.timestamps import Moment, span_of
from bgresearch.core.verbs import Verbs
from bgresearch.errors import IncompleteData, OfflineError
from bgresearch.research.pnl.earnings import Thing
from bgresearch.research.pnl.equity_curve import equity_curve
from bgresearch.research.pnl.lots import Method
from bgresearch.research.pnl.matching import FAR_MS
from bgresearch.research.pnl.pnl import Pnl, own_pnl
from bgresearch.research.pnl.postings import pairs_of
from bgresearch.research.pnl.reconcile import Reconciliation, reconcile
from bgresearch.research.pnl.tax_ledger import account_ledger
from bgresearch.research.pnl.valuation import closes

Candles = Callable[..., pd.DataFrame]
_BEFORE = 2 * DAY_MS, 3  # ms and candles before the start, so that rarely traded symbols have a price then


@dataclass(frozen=True, repr=False)
class Statement(Verbs):
    """What happened in an account in a span.

    Attributes
    ----------
    span : Span
        Half-open, UTC.
    fills, bills, transfers, deposits, withdrawals : DataFrame
        As the verbs of ``client.account`` return them; fills of all markets, bills of all books. Deposits and
        withdrawals of a week before the span as well, where they are to be had, as they may have been booked in it.
    symbols : DataFrame
        What can be traded, and of which coins it is made.
    """

    span: Span
    fills: pd.DataFrame
    bills: pd.DataFrame
    transfers: pd.DataFrame
    deposits: pd.DataFrame
    withdrawals: pd.DataFrame
    symbols: pd.DataFrame
    _candles: Candles

    @cached_property
    def reconciled(self) -> Reconciliation:
        """The records against the ledger: ``.ok``, ``.coins``, ``.rows``, ``.problems``."""
        return reconcile(
            self.fills, self.bills, transfers=self.transfers, deposits=self.deposits, withdrawals=self.withdrawals,
            symbols=self.symbols, span=self.span,
        )  # fmt: skip

    @cached_property
    def ledger(self) -> pd.DataFrame:
        """Everything that changed a balance, one row per event, as `taxes.account_ledger` says."""
        found = account_ledger(
            self.fills, self.bills, transfers=self.transfers, deposits=self.deposits, withdrawals=self.withdrawals,
            symbols=self.symbols, span=self.span,
        )  # fmt: skip
        provenance = self.bills.attrs.get("bgresearch", {})
        words = {name: provenance[name] for name in ("host", "label", "demo") if name in provenance}
        asked = [iso(self.span.start_ms), iso(self.span.end_ms)]
        found.attrs["bgresearch"] = {"verb": "account.ledger", **words, "asked": asked}
        return found

    def pnl(self, *, method: Method = "average", quote: str = "USDT", interval: str = "1h") -> Pnl:
        """Return what the account earned, and why.

        Parameters
        ----------
        method : "average" or "fifo"
            Whether closing takes a share of the whole position, or the oldest lots first.
        quote : str
            The coin that everything is counted in; each other coin needs a spot market in it.
        interval : str
            Length of the candles that prices are taken from.

        Returns
        -------
        Pnl
            As `pnl.own_pnl` says.

        Raises
        ------
        InvalidInput, UnknownSymbol, IncompleteData
            A price is missing where one is needed.

        Notes
        -----
        Disk and budget: candles of each coin and contract for the span, kept as ever.
        """
        prices, marks = self._prices(quote, interval)
        return own_pnl(
            self.fills, self.bills, self.span.start_ms, self.span.end_ms, prices=prices, marks=marks, method=method,
            quote=quote, symbols=self.symbols,
        )  # fmt: skip

    def equity(self, interval: str = "1h", *, quote: str = "USDT") -> pd.DataFrame:
        """Return what the account was worth at the end of each interval, as `curves.equity_curve` says.

        Parameters
        ----------
        interval : str
            A candle's length; also that of the candles that prices are taken from.
        quote : str
            As of `pnl`.
        """
        prices, marks = self._prices(quote, interval)
        first = pd.Timestamp(self.span.start_ms, unit="ms", tz="UTC")
        last = pd.Timestamp(self.span.end_ms, unit="ms", tz="UTC")
        known = {at for series in (*prices.values(), *marks.values()) for at in series.index}
        inside = known or pd.date_range(first, last, freq=pd.Timedelta(milliseconds=length_of(interval).nominal_ms))
        moments = pd.DatetimeIndex([first, *sorted(at for at in inside if first < at < last), last]).as_unit("ms")
        return equity_curve(
            self.fills, self.bills, moments, prices=prices, marks=marks, quote=quote, symbols=self.symbols
        )  # fmt: skip

    def _prices(self, quote: str, interval: str) -> tuple[Mapping[str, pd.Series], Mapping[str, pd.Series]]:
        pairs = pairs_of(self.fills, self.symbols)
        coins = {*self.bills["coin"].astype(str), *self.fills["fee_coin"].dropna().astype(str)}
        coins |= {coin for (market, _), pair in pairs.items() if market == "spot" for coin in pair}
        prices = {coin: closes(self._bars(f"{coin}{quote}", interval)) for coin in sorted(coins - {quote})}
        contracts: list[Thing] = [one for one in pairs if one[0] != "spot"]
        marks = {
            symbol: closes(self._bars(symbol, interval, market=market, price="mark")) for market, symbol in contracts
        }
        return prices, marks

    def _bars(self, symbol: str, interval: str, **which: str) -> pd.DataFrame:
        before = max(_BEFORE[0], _BEFORE[1] * length_of(interval).nominal_ms)
        return self._candles(symbol, interval, self.span.start_ms - before, self.span.end_ms, **which)

    def __repr__(self) -> str:
        counts = {name: len(getattr(self, name)) for name in ("fills", "bills", "transfers", "deposits", "withdrawals")}
        counted = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        return f"{iso(self.span.start_ms)} to {iso(self.span.end_ms)}: {counted}"


def statement(
    account: AccountVerbs, start: Moment | None, end: Moment | None, *, candles: Candles,
    symbols: Callable[[], pd.DataFrame], now_ms: int,
) -> Statement:  # fmt: skip
    """Return the statement of a span, fetching what is not stored."""
    asked = span_of(start, end, now_ms)
    span = Span(asked.start_ms, min(asked.end_ms, now_ms))
    first, last = span.start_ms, span.end_ms
    return Statement(
        span, account.fills(first, last, market=None), account.bills(first, last), account.transfers(first, last),
        _movements(account.deposits, span), _movements(account.withdrawals, span), symbols(), candles,
    )  # fmt: skip


def _movements(verb: Callable[..., pd.DataFrame], span: Span) -> pd.DataFrame:
    """Return the movements of a span and of the week before it; of the span alone where there is nothing earlier."""
    try:
        return verb(span.start_ms - FAR_MS, span.end_ms)
    except (IncompleteData, OfflineError):
        return verb(span.start_ms, span.end_ms)
