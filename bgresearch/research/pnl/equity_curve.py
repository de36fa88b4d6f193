"""An account's equity over time, and how deep and for how long it fell below its peak. Pure.

equity(t)    = sum over coins of balance(coin, t) x price(coin, t) + unrealised profit of the positions in futures
net(t)       = equity(t) - what was moved in since the first moment, at its value then
drawdown(t)  = net(t) - the highest net so far; its ratio is to that peak

Balances are those of the ledger as of the moment, prices those that were known then. A withdrawal is no loss and a
deposit no gain, so drawdowns are taken of ``net``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.decimals import ZERO, exactly, with_amounts
from bgresearch.research.pnl.futures_positions import Positions
from bgresearch.research.pnl.ledger_order import Link, booked_in_order
from bgresearch.research.pnl.matching import own_moves, sort_of
from bgresearch.research.pnl.postings import booked_order, lines_of, moment, once, pairs_of, records, word
from bgresearch.research.pnl.valuation import Prices


@exactly
def equity_curve(
    fills: pd.DataFrame, bills: pd.DataFrame, moments: pd.DatetimeIndex, *, prices: Mapping[str, pd.Series],
    marks: Mapping[str, pd.Series] | None = None, quote: str = "USDT", symbols: pd.DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return an account's equity at each of the given moments.

    Parameters
    ----------
    fills, bills, prices, marks, quote, symbols
        As of `pnl.own_pnl`; marks are needed wherever a position is open.
    moments : DatetimeIndex
        When (UTC, ascending). What happens in the very instant of the first one comes after it, of any other before it.

    Returns
    -------
    DataFrame
        Index of ``moments``; decimals in the quote coin: one column per account of the ledger, positions (unrealised
        profit), equity (their sum), moved (in since the first moment, negative if out), net (equity - moved). For
        charts: `decimals.floats`.

    Raises
    ------
    InvalidInput
        A price is missing where one is needed, or moments are not in order.
    """
    if not moments.is_monotonic_increasing:
        raise InvalidInput("moments", "they are not in order of time.", hint="Sort them.")
    known = Prices("prices", prices, quote=quote)
    lines = lines_of(once(bills, "account", "bill_id"))
    inside = own_moves(lines)
    links, positions = booked_in_order(lines), Positions("average", pairs_of(fills, symbols))
    traded = sorted(records(once(fills, "market", "symbol", "fill_id")), key=booked_order)
    trades = _Reader((moment(row), row) for row in traded if word(row["market"]) != "spot")
    books = {book: _Reader((link.line.time_ms, link) for link in found) for book, found in links.items()}
    balances = {book: found[0].before for book, found in links.items()}
    moved = ZERO
    rows: list[dict[str, Decimal]] = []
    for at_ms in pd.DatetimeIndex(moments).as_unit("ms").asi8.tolist():
        done_ms = at_ms if rows else at_ms - 1
        for row in trades.until(done_ms):
            positions.fill(row)
        row_of: dict[str, Decimal] = {}
        for book, reader in books.items():
            for link in reader.until(done_ms):
                balances[book] = link.line.balance
                moved += _moved(link, known) if rows and link.place not in inside else ZERO
            value = balances[book] * known.at(book[1], at_ms) if balances[book] else ZERO
            row_of[book[0]] = row_of.get(book[0], ZERO) + value
        row_of["positions"] = positions.value(Prices("marks", marks or {}), known, at_ms)
        equity = sum(row_of.values(), ZERO)
        rows.append(row_of | {"equity": equity, "moved": moved, "net": equity - moved})
    columns = [*dict.fromkeys(book[0] for book in links), "positions", "equity", "moved", "net"]
    return with_amounts(pd.DataFrame(rows, index=moments, columns=columns))


def drawdown(curve: pd.Series) -> pd.DataFrame:
    """Return how far below its highest value so far a curve is.

    Parameters
    ----------
    curve : Series
        Values over time, such as ``net`` of `equity_curve`.

    Returns
    -------
    DataFrame
        Index of the curve; float64: value, peak, depth (value - peak, at most 0), ratio (depth / peak; NaN where the
        peak is not positive).

    Examples
    --------
    >>> drawdown(pd.Series([100.0, 90.0, 120.0]))["depth"].tolist()
    [0.0, -10.0, 0.0]
    """
    values = curve.astype("float64")
    peak = values.cummax()
    depth = values - peak
    return pd.DataFrame({"value": values, "peak": peak, "depth": depth, "ratio": depth / peak.where(peak > 0)})


def drawdowns(curve: pd.Series) -> pd.DataFrame:
    """Return every fall below a peak, the deepest first.

    Parameters
    ----------
    curve : Series
        Values over time; the index in order.

    Returns
    -------
    DataFrame
        One row per fall: peaked, lowest, recovered (from the index; missing if it never did), depth (negative), ratio
        (to the peak), fall (peaked to lowest), duration (peaked to recovered, or to the end of the curve).
    """
    found = drawdown(curve)
    under = (found["depth"] < 0).to_numpy()
    starts = np.flatnonzero(under & ~np.append(False, under[:-1])).tolist()
    ends = np.flatnonzero(under & ~np.append(under[1:], False)).tolist()
    when = curve.index
    rows = []
    for start, end in zip(starts, ends, strict=True):
        low = int(found["depth"].iloc[start : end + 1].argmin()) + start
        over = end + 1 < len(when)
        rows.append({
            "peaked": when[start - 1], "lowest": when[low], "recovered": when[end + 1] if over else None,
            "depth": found["depth"].iloc[low], "ratio": found["ratio"].iloc[low], "fall": when[low] - when[start - 1],
            "duration": (when[end + 1] if over else when[end]) - when[start - 1],
        })  # fmt: skip
    names = ["peaked", "lowest", "recovered", "depth", "ratio", "fall", "duration"]
    return pd.DataFrame(rows, columns=names).sort_values("depth", ignore_index=True, kind="stable")


class _Reader:
    """Returns events up to an instant, each once."""

    def __init__(self, events: Iterable[tuple[int, Any]]) -> None:
        self._events = sorted(events, key=lambda pair: pair[0])
        self._done = 0

    def until(self, time_ms: int) -> list[Any]:
        start = self._done
        while self._done < len(self._events) and self._events[self._done][0] <= time_ms:
            self._done += 1
        return [row for _, row in self._events[start : self._done]]


def _moved(link: Link, prices: Prices) -> Decimal:
    line = link.line
    return line.amount * prices.at(line.coin, line.time_ms) if sort_of(line.kind) == "moved" else ZERO
