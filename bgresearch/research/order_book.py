"""Order book measures: micro-price, imbalance, depth near the mid, cost of a market order. Pure.

With bid b and ask a, amounts q_b and q_a:

mid              (b + a) / 2                                spread  (a - b) / mid, in basis points
micro-price      (b q_a + a q_b) / (q_a + q_b)              the mid, weighted by the amount on the other side
imbalance        (sum q_b - sum q_a) / (sum q_b + sum q_a)  over the best n levels; +1: bids only
depth            sum of price * amount within x basis points of the mid, each side
cost             |average price / mid - 1| of an order of that size against the book, in basis points

Sources: S. Stoikov, The micro-price, Quantitative Finance 18 (2018) 1959-1966 (which calls this one the weighted mid;
its micro-price refines it with the book's history). M. D. Gould, J. Bonart, Queue imbalance as a
one-tick-ahead price predictor, Market Microstructure and Liquidity 2 (2016).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from bgresearch.errors import InvalidInput

_BPS = 10_000  # basis points per 1
_HINT = "Pass the result of client.order_book(...); for a recording, measures() accepts all of its books."


class Depth(NamedTuple):
    """The depth near the mid.

    Attributes
    ----------
    bid, ask : float
        Quote coin.
    bid_whole, ask_whole : bool
        Whether the given levels extend that far; otherwise there may be more.
    """

    bid: float
    ask: float
    bid_whole: bool
    ask_whole: bool


class Cost(NamedTuple):
    """The outcome of a market order.

    Attributes
    ----------
    amount, value : float
        The part of it, in base and quote coin, that the given levels fill.
    average, worst : float
        Quote coin: average and last price. NaN if the levels do not fill it.
    bps : float
        Basis points by which the average is worse than the mid; NaN if the levels do not fill it. Without fees.
    whole : bool
        Whether the given levels fill all of it.
    """

    amount: float
    value: float
    average: float
    worst: float
    bps: float
    whole: bool


def mid(book: pd.DataFrame) -> float:
    """Return the mid price (quote coin); NaN for a book with an empty side.

    Parameters
    ----------
    book : DataFrame
        One book, as ``client.order_book`` returns it: columns side (bid or ask), price, amount.

    Raises
    ------
    InvalidInput
        It is not a book, or several.
    """
    return _Sides(book).mid


def spread_bps(book: pd.DataFrame) -> float:
    """Return the distance between best bid and best ask in basis points of the mid; errors as `mid`."""
    sides = _Sides(book)
    return float((sides.asks[0][0] - sides.bids[0][0]) / sides.mid * _BPS) if sides.both else math.nan


def microprice(book: pd.DataFrame) -> float:
    """Return the mid weighted by the amounts of the other side's best level (quote coin); errors as `mid`.

    Examples
    --------
    >>> microprice(pd.DataFrame({"side": ["bid", "ask"], "price": [99.0, 101.0], "amount": [3.0, 1.0]}))
    100.5
    """
    sides = _Sides(book)
    if not sides.both:
        return math.nan
    (bid, bid_amount), (ask, ask_amount) = sides.bids[0].tolist(), sides.asks[0].tolist()
    both = bid_amount + ask_amount
    return float((bid * ask_amount + ask * bid_amount) / both) if both > 0 else math.nan


def imbalance(book: pd.DataFrame, *, levels: int = 5) -> float:
    """Return the imbalance of the best levels towards the bid side: -1 (asks only) to 1; errors as `mid`.

    Parameters
    ----------
    book : DataFrame
        As in `mid`.
    levels : int
        Number of levels on each side.

    Examples
    --------
    >>> imbalance(pd.DataFrame({"side": ["bid", "ask"], "price": [99.0, 101.0], "amount": [3.0, 1.0]}))
    0.5
    """
    if levels < 1:
        raise InvalidInput("levels", f"{levels!r} is not a number of levels.", hint="Use 1 or more.")
    sides = _Sides(book)
    bid, ask = math.fsum(sides.bids[:levels, 1]), math.fsum(sides.asks[:levels, 1])
    return (bid - ask) / (bid + ask) if bid + ask > 0 else math.nan


def depth(book: pd.DataFrame, *, bps: float = 10.0) -> Depth:
    """Return the depth of each side within ``bps`` basis points of the mid (quote coin); errors as `mid`.

    NaN for a book with an empty side, which has no mid.
    """
    if not bps > 0:
        raise InvalidInput("bps", f"{bps!r} is not above 0.")
    sides = _Sides(book)
    if not sides.both:
        return Depth(math.nan, math.nan, bid_whole=False, ask_whole=False)
    lowest, highest = sides.mid * (1 - bps / _BPS), sides.mid * (1 + bps / _BPS)
    bids, asks = sides.bids[sides.bids[:, 0] >= lowest], sides.asks[sides.asks[:, 0] <= highest]
    whole = [len(near) < len(side) for near, side in ((bids, sides.bids), (asks, sides.asks))]
    return Depth(math.fsum(bids.prod(axis=1)), math.fsum(asks.prod(axis=1)), *whole)


def market_order(
    book: pd.DataFrame, side: str, *, amount: float | None = None, value: float | None = None
) -> Cost:  # fmt: skip
    """Return the outcome of a market order against the given levels.

    Parameters
    ----------
    book : DataFrame
        As in `mid`.
    side : str
        ``buy`` takes asks, ``sell`` takes bids.
    amount, value : float
        Size in base coin or in quote coin; exactly one of them.

    Returns
    -------
    Cost
        amount, value, average, worst, bps, whole.

    Raises
    ------
    InvalidInput
        An unknown side; no size, two, or one not above 0; or as `mid`.

    Examples
    --------
    >>> book = pd.DataFrame({"side": ["bid", "ask", "ask"], "price": [99.0, 101.0, 103.0], "amount": [1.0, 1.0, 1.0]})
    >>> market_order(book, "buy", amount=2).average
    102.0
    """
    if side not in ("buy", "sell"):
        raise InvalidInput("side", f"{side!r} is unknown.", hint="Use buy or sell.")
    size = amount if value is None else value
    if size is None or (amount is not None and value is not None) or not size > 0:
        raise InvalidInput(
            "amount, value", "exactly one of them must be given, above 0.", hint="Pass amount=0.5 or value=10_000."
        )
    sides = _Sides(book)
    levels = sides.asks if side == "buy" else sides.bids
    measure = levels[:, 1] if value is None else levels.prod(axis=1)
    share = np.clip((size - (np.cumsum(measure) - measure)) / np.where(measure > 0, measure, 1.0), 0.0, 1.0)
    taken = levels[:, 1] * share
    got, paid = math.fsum(taken), math.fsum(taken * levels[:, 0])
    whole = math.fsum(measure) >= size
    if not whole or not sides.both:
        return Cost(got, paid, math.nan, math.nan, math.nan, whole)
    average = paid / got
    worst = float(levels[np.flatnonzero(taken)[-1], 0])
    return Cost(got, paid, average, worst, abs(average / sides.mid - 1) * _BPS, whole)


def measures(
    books: pd.DataFrame, *, levels: int = 5, bps: float = 10.0, value: float = 10_000.0
) -> pd.DataFrame:  # fmt: skip
    """Return all measures for every book of a recording, a row per book, or for one book.

    Parameters
    ----------
    books : DataFrame
        The result of ``client.recorded("order-book", ...)``: index ``time``, columns asked, side, price, amount; or
        that of ``client.order_book``.
    levels, bps, value
        As in `imbalance`, `depth` and `market_order` (quote coin).

    Returns
    -------
    DataFrame
        Index ``known_at``: when each response was received (if not recorded, its ``time``). Columns mid, spread_bps,
        microprice, imbalance, bid_depth, ask_depth (quote coin; NaN if the given levels do not extend that far),
        buy_bps, sell_bps (cost of an order of that value; NaN if the levels do not fill it); float64.

    Raises
    ------
    InvalidInput
        They are not books, or have no time of request.

    Examples
    --------
    >>> client = bgresearch.connect(sandbox=True)                                   # doctest: +SKIP
    >>> measures(client.order_book("BTCUSDT")).spread_bps                           # doctest: +SKIP
    """
    if not isinstance(books.index, pd.DatetimeIndex):
        received = books.attrs.get("bgresearch", {}).get("asked")
        if received is None and len(books):
            raise InvalidInput("books", "it is not recorded when they were requested.", hint=_HINT)
        asked = pd.Timestamp(received)
        books = books.set_axis(pd.DatetimeIndex([asked] * len(books)))
    rows, times = [], []
    for _, book in books.groupby(level=0, sort=True):
        near = depth(book, bps=bps)
        rows.append((
            mid(book), spread_bps(book), microprice(book), imbalance(book, levels=levels),
            near.bid if near.bid_whole else math.nan, near.ask if near.ask_whole else math.nan,
            market_order(book, "buy", value=value).bps, market_order(book, "sell", value=value).bps,
        ))  # fmt: skip
        times.append(pd.Timestamp(book["asked"].iloc[0] if "asked" in book.columns else book.index[0]))
    index = pd.DatetimeIndex(times, tz="UTC").as_unit("ms").rename("known_at")
    return pd.DataFrame(rows, index=index, columns=_MEASURES, dtype="float64")


_MEASURES = ["mid", "spread_bps", "microprice", "imbalance", "bid_depth", "ask_depth", "buy_bps", "sell_bps"]


class _Sides:
    """Prices and amounts of one book, the best first, as two arrays of two columns."""

    def __init__(self, book: pd.DataFrame) -> None:
        if not {"side", "price", "amount"} <= set(book.columns):
            raise InvalidInput("book", "it has no column side, price or amount.", hint=_HINT)
        if isinstance(book.index, pd.DatetimeIndex) and book.index.nunique() > 1:
            raise InvalidInput("book", "it contains books of several times.", hint=_HINT)
        levels = book[["price", "amount"]].to_numpy(dtype="float64")
        side = book["side"].to_numpy()
        bids, asks = levels[side == "bid"], levels[side == "ask"]
        if len(bids) + len(asks) < len(levels):
            raise InvalidInput("book", "a side is neither bid nor ask.", hint=_HINT)
        self.bids, self.asks = bids[np.argsort(-bids[:, 0])], asks[np.argsort(asks[:, 0])]
        self.both = bool(len(bids) and len(asks))
        self.mid = float(self.bids[0, 0] + self.asks[0, 0]) / 2 if self.both else math.nan
