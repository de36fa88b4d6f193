"""Lots: what was opened when and at which cost, and the profit of closing it, first in first out or average cost. Pure.

profit of a long part  = proceeds of closing it - its cost
profit of a short part = proceeds of opening it - cost of closing it

Each close takes a share of a lot's cost, rounded down, and the last one takes the rest: no digit is lost, so realised
and unrealised profit together are the same for both methods, to the last digit.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.decimals import ZERO, share

Method = Literal["average", "fifo"]


@dataclass(slots=True)
class Lot:
    """An amount that was opened together and is still open.

    Attributes
    ----------
    opened_ms : int or None
        When its first part was opened; None for a balance from the start.
    amount, cost : Decimal
        How much, and its cost (of a short: its proceeds); both positive.
    """

    opened_ms: int | None
    amount: Decimal
    cost: Decimal


class Close(NamedTuple):
    """One part that was closed.

    Attributes
    ----------
    long : bool
        Whether it was bought first.
    amount, cost, worth : Decimal
        How much, the cost of opening it, the proceeds of closing it (of a short: the other way round).
    covered : bool
        False if the fills never opened it: its cost is unknown, and set to its proceeds.
    """

    opened_ms: int | None
    long: bool
    amount: Decimal
    cost: Decimal
    worth: Decimal
    covered: bool = True

    @property
    def profit(self) -> Decimal:
        """What closing it earned, in the coin of cost and worth."""
        return self.worth - self.cost if self.long else self.cost - self.worth


class OpenPosition:
    """The open position in one coin or contract.

    Parameters
    ----------
    method : "average" or "fifo"
        Whether all of it is one lot, or every opening is one of its own and the oldest is closed first.
    side : bool or None
        Whether it can only be long (True) or short (False); None for one that flips through zero.

    Attributes
    ----------
    amount, cost : Decimal
        How much is open, and its cost (of a short: its proceeds); both positive.
    """

    def __init__(self, method: Method, side: bool | None = None) -> None:
        if method not in ("average", "fifo"):
            raise InvalidInput("method", f"{method!r} is unknown.", hint="Use average or fifo.")
        self._one_lot = method == "average"
        self._side = side
        self.long = side if side is not None else True
        self.lots: deque[Lot] = deque()
        self.amount = self.cost = ZERO

    def unrealised(self, worth: Decimal) -> Decimal:
        """Return the profit if all of it were closed for that."""
        return worth - self.cost if self.long else self.cost - worth

    def trade(self, time_ms: int | None, *, buy: bool, amount: Decimal, value: Decimal) -> list[Close]:
        """Buy or sell: open, close, or both in one when the position flips.

        Parameters
        ----------
        time_ms : int or None
            When.
        buy : bool
            Which way.
        amount, value : Decimal
            How much, and for how much; positive.

        Returns
        -------
        list of Close
            What it closed, oldest first; what was never opened is last.
        """
        if not amount:
            return []
        opens = buy == self._side if self._side is not None else not self.lots or buy == self.long
        if opens:
            self._open(time_ms, buy, amount, value)
            return []
        closing = min(amount, self.amount)
        back = share(value, closing, amount)
        closes = self._close(closing, back)
        if amount > closing and self._side is None:
            self._open(time_ms, buy, amount - closing, value - back)
        elif amount > closing:
            closes.append(Close(None, self.long, amount - closing, value - back, value - back, covered=False))
        return closes

    def _open(self, time_ms: int | None, buy: bool, amount: Decimal, value: Decimal) -> None:
        self.long = buy
        self.amount, self.cost = self.amount + amount, self.cost + value
        if self._one_lot and self.lots:
            self.lots[0].amount += amount
            self.lots[0].cost += value
        else:
            self.lots.append(Lot(time_ms, amount, value))

    def _close(self, amount: Decimal, worth: Decimal) -> list[Close]:
        closes = []
        while amount:
            lot = self.lots[0]
            part = min(lot.amount, amount)
            cost, back = share(lot.cost, part, lot.amount), share(worth, part, amount)
            closes.append(Close(lot.opened_ms, self.long, part, cost, back))
            lot.amount, lot.cost = lot.amount - part, lot.cost - cost
            self.amount, self.cost = self.amount - part, self.cost - cost
            amount, worth = amount - part, worth - back
            if not lot.amount:
                self.lots.popleft()
        return closes
