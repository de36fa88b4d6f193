"""What an account earned and why, in one coin, by first in first out or at average cost, to the last digit. Pure.

equity at an instant  = sum over coins of balance x price + unrealised profit of the positions in futures
equity at the end - equity at the start
    = realised + unrealised + fees + funding + transfers + other + rounding

Balances are the ledger's; everything else comes from fills, prices and the ledger's other lines. The two sides are
computed independently, so `Pnl.unexplained` is a check: it is 0, or the records do not fit the ledger.

Coins: an amount received opens a lot at its value, an amount sent closes lots, whatever the cause. The balance at the
start counts as opened at the start, at the price of then. A fee in one of the trade's coins is valued at the trade's
price.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from bgresearch.core.spans import iso
from bgresearch.core.timestamps import Moment, moment_ms
from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.decimals import ZERO, exactly, floats, plain
from bgresearch.research.pnl.earnings import KINDS, Earnings, Thing
from bgresearch.research.pnl.ledger_order import Link, booked_in_order
from bgresearch.research.pnl.lots import Method
from bgresearch.research.pnl.matching import own_moves, sort_of
from bgresearch.research.pnl.postings import LedgerLine, booked_order, lines_of, moment, once, pairs_of, records
from bgresearch.research.pnl.valuation import Prices


@dataclass(frozen=True, repr=False)
class Pnl:
    """What an account earned between two instants.

    Attributes
    ----------
    exact : DataFrame
        One row per coin of the spot account and per contract: market, name, then in the quote coin as decimals
        realised, unrealised, fees, funding, transfers, other, rounding and total. ``rounding`` is by how much the
        exchange booked more profit than the fills give.
    closes : DataFrame
        One row per part that was closed: time (UTC), record_id (of the fill or line), market, name, position (long or
        short), coin (of cost, worth and profit), opened (UTC; missing for the balance at the start), amount, cost,
        worth, profit (decimals), covered (False: the fills do not open it, and its profit is the exchange's).
    open : DataFrame
        One row per lot that is open at the end, valued then: market, name, position, coin, opened, amount, cost, worth,
        unrealised (decimals).
    opening, closing : Decimal
        Equity at the start and the end, in the quote coin.
    quote : str
        The quote coin.
    method : str
        average or fifo.
    doubtful : tuple of tuple
        Market and symbol of contracts that closed what the fills do not open: a position was open at the start, or
        fills are missing. Their realised profit and rounding together are what the exchange booked; how much is open
        at the end, and its value at the start, are unknown.
    """

    exact: pd.DataFrame
    closes: pd.DataFrame
    open: pd.DataFrame
    opening: Decimal
    closing: Decimal
    quote: str
    method: str
    doubtful: tuple[Thing, ...] = ()

    @property
    def attribution(self) -> pd.DataFrame:
        """What was earned by kind, a row per market and name, in float64; ``exact`` has the same in decimals."""
        return floats(self.exact)

    @property
    @exactly
    def total(self) -> Decimal:
        """What was earned: everything but what was moved in and out."""
        return sum((sum(self.exact[kind], ZERO) for kind in KINDS if kind != "transfers"), ZERO)

    @property
    @exactly
    def unexplained(self) -> Decimal:
        """By how much equity changed beyond the attribution: 0, or records and ledger do not fit."""
        return (self.closing - self.opening) - sum(self.exact["total"], ZERO) or ZERO

    def __repr__(self) -> str:
        parts = ", ".join(f"{kind} {sum(self.exact[kind], ZERO):,.2f}" for kind in KINDS)
        names = ", ".join(f"{name} ({market})" for market, name in self.doubtful)
        doubts = f"; closed what these fills did not open: {names}" if names else ""
        return (
            f"{self.total:+,.2f} {self.quote} ({self.method}): {parts}; equity {self.opening:,.2f} to "
            f"{self.closing:,.2f}, unexplained {plain(self.unexplained)}{doubts}"
        )


@exactly
def own_pnl(
    fills: pd.DataFrame, bills: pd.DataFrame, start: Moment, end: Moment, *, prices: Mapping[str, pd.Series],
    marks: Mapping[str, pd.Series] | None = None, method: Method = "average", quote: str = "USDT",
    symbols: pd.DataFrame | None = None,
) -> Pnl:  # fmt: skip
    """Return what an account earned between two instants, and why.

    Parameters
    ----------
    fills, bills : DataFrame
        What ``client.account.fills(start, end, market=None)`` and ``client.account.bills(start, end)`` returned.
    start, end : str, datetime, Timestamp or int
        The same instants.
    prices : mapping of str to Series
        Price of each coin but the quote coin, in the quote coin; `valuation.closes` makes one of candles. Looked up as
        of an instant, never later.
    marks : mapping of str to Series, optional
        Mark price of each contract, by symbol; for those that are open at the end.
    method : "average" or "fifo"
        Whether closing takes a share of the whole position, or the oldest lots first.
    quote : str
        The coin that everything is counted in.
    symbols : DataFrame, optional
        What ``client.symbols()`` returned; by default coins are derived from the names of symbols.

    Returns
    -------
    Pnl
        ``.attribution``, ``.closes``, ``.open``, ``.total``, ``.unexplained``.

    Raises
    ------
    InvalidInput
        A price is missing where one is needed, a method is unknown, an amount is no number, or a row is not between the
        instants.

    Notes
    -----
    Sends and stores nothing. A coin without a line of the ledger between the instants is not in it, nor is a position
    in futures that was opened before the start, until it closes.
    Source: the average price of a position as in contract/position/get-all-position; coin-margined contracts as in
    `futures_positions`.

    Examples
    --------
    >>> month = client.now - pd.Timedelta(days=30)                               # doctest: +SKIP
    >>> pnl = client.statement(month).pnl(method="fifo")                         # doctest: +SKIP
    """
    span = (moment_ms(start, "start")[0], moment_ms(end, "end")[0])
    run = Earnings(Prices("prices", prices, quote=quote), quote, method, pairs_of(fills, symbols))
    links = booked_in_order(lines_of(once(bills, "account", "bill_id")))
    opening, balances = _balances(links, run.prices, span[0], last=False)
    for coin, amount in balances.items():
        run.move(coin, amount, amount * run.prices.at(coin, span[0]), None, "")
    lines = [link.line for book in links.values() for link in book]
    _check_span(fills, lines, span)
    inside = own_moves(lines)
    lines = [line for place, line in enumerate(lines) if place not in inside]
    for event in _events(once(fills, "market", "symbol", "fill_id"), lines):
        run.take(event)
    closing = _balances(links, run.prices, span[1], last=True)[0]
    closing += run.value(Prices("marks", marks or {}), span[1])
    doubtful = tuple(sorted(set(run.doubtful)))
    return Pnl(run.attribution(), run.closes(), run.open(), opening, closing, quote, method, doubtful)


def _check_span(fills: pd.DataFrame, lines: Sequence[LedgerLine], span: tuple[int, int]) -> None:
    times = (("fills", (moment(row) for row in records(fills))), ("bills", (line.time_ms for line in lines)))
    for name, instants in times:
        outside = next((at for at in instants if not span[0] <= at < span[1]), None)
        if outside is not None:
            hint = "Give what the verbs returned for the same start and end."
            raise InvalidInput(name, f"one is of {iso(outside)}, which is not between start and end.", hint=hint)


def _events(fills: pd.DataFrame, lines: Sequence[LedgerLine]) -> list[Mapping[str, Any]]:
    """Return fills, and lines without a fill, in order; lines of one instant, coin and kind are one event."""
    traded = sorted(records(fills), key=booked_order)
    keyed: list[tuple[tuple[int, int], Mapping[str, Any]]] = [((moment(row), 1), row) for row in traded]
    sums: dict[tuple[object, ...], LedgerLine] = {}
    for line in lines:
        sort = sort_of(line.kind)
        if sort == "trade":
            continue
        key = (line.time_ms, line.coin, sort, line.symbol)
        before = sums.get(key)
        if before is not None:
            line = line._replace(net=before.net + line.net, amount=before.amount + line.amount)  # noqa: PLW2901
        sums[key] = line
    keyed += [((line.time_ms, 0 if line.net > 0 else 2), {"line": line}) for line in sums.values() if line.net]
    return [event for _, event in sorted(keyed, key=lambda pair: pair[0])]


def _balances(
    links: Mapping[Thing, Sequence[Link]], prices: Prices, time_ms: int, *, last: bool
) -> tuple[Decimal, dict[str, Decimal]]:
    """Return the value of the balances at one end of the ledger, and the balance of each coin."""
    amounts: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for (_, coin), book in links.items():
        amounts[coin] += book[-1].line.balance if last else book[0].before
    total = sum((amount * prices.at(coin, time_ms) for coin, amount in amounts.items() if amount), ZERO)
    return total, {coin: amount for coin, amount in amounts.items() if amount}
