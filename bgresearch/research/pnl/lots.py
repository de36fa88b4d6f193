"""What was opened when, for how much, and what closing it brought: first in first out, or at average cost. Pure.

profit of a long part  = what closing it brought - what it had cost
profit of a short part = what opening it brought - what closing it cost

Costs leave a lot in shares that are rounded down, and whole with its last part: nothing is lost or invented, so that
realised and unrealised profit together are the same for both methods, to the last digit.
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
    """What was opened together and is not closed.

    Attributes
    ----------
    opened_ms : int or None
        When the first of it was opened; None for what was there from the start.
    amount, cost : Decimal
        How much, and what it cost (of a short: what it brought); both positive.
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
        How much, what opening it cost, what closing it brought (of a short: the other way round).
    covered : bool
        False for what was closed and never opened here: its cost is not known, and taken to be its worth.
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
    """What is held of one thing.

    Parameters
    ----------
    method : "average" or "fifo"
        Whether all of it is one lot, or every opening is one of its own and the oldest is closed first.
    side : bool or None
        Whether it can only be long (True) or short (False); None for one that flips through zero.

    Attributes
    ----------
    amount, cost : Decimal
        How much is held, and what that cost (of a short: what it brought); both positive.
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
            What that closed, oldest first; what was never opened stands last.
        """
        if not amount:
            return []
        opens = buy == self._side if self._side is not None else not self.lots or buy == self.long
        if opens:
            self._open(time_ms, buy, amount, value)
            return []
        held = min(amount, self.amount)
        back = share(value, held, amount)
        closes = self._close(held, back)
        if amount > held and self._side is None:
            self._open(time_ms, buy, amount - held, value - back)
        elif amount > held:
            closes.append(Close(None, self.long, amount - held, value - back, value - back, covered=False))
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
