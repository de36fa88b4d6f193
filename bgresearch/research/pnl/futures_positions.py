"""Positions in futures as an account's fills made them: realised and unrealised profit of each. Pure.

Linear contracts (USDT, USDC) settle in the coin that they are priced in:
    profit = (exit price - entry price) x amount, of a short its opposite
Coin-margined ones are priced in USD and settle in the base coin, by the same amount at the exit's price:
    profit = (exit price - entry price) x amount / exit price = value at entry x (1 / entry price - 1 / exit price)
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from bgresearch.research.pnl.decimals import ZERO, decimal_of, divided
from bgresearch.research.pnl.lots import Close, Method, OpenPosition
from bgresearch.research.pnl.postings import Pair, margin_coin, moment, traded, word
from bgresearch.research.pnl.valuation import Prices

_SIDES = {"long": True, "short": False}


class Contract(NamedTuple):
    """The contract of one position.

    Attributes
    ----------
    side : str
        long or short in hedge mode, net in one-way mode.
    """

    market: str
    symbol: str
    side: str


class Positions:
    """All positions of an account, fed with its fills in order.

    Parameters
    ----------
    method : "average" or "fifo"
        How closing takes from what was opened. The exchange's own profit is that at average cost.
    pairs : mapping
        Coins of the symbols.
    """

    def __init__(self, method: Method, pairs: Mapping[tuple[str, str], Pair]) -> None:
        self._method, self._pairs = method, pairs
        self.by_contract: dict[Contract, OpenPosition] = {}

    def fill(self, row: Mapping[str, Any]) -> tuple[Contract, list[Close]]:
        """Take one fill of a futures market and return what it closed.

        A fill with a profit of the exchange's, while no position is open that it could close, closes one that was
        opened before the first fill.
        """
        side = word(row.get("position"))
        contract = Contract(word(row["market"]), word(row["symbol"]), side or "net")
        position = self.by_contract.setdefault(contract, OpenPosition(self._method, _SIDES.get(side)))
        amount, value = traded(row)
        buy = row["side"] == "buy"
        booked = decimal_of(row["profit"], "profit")
        opens = not position.lots or position.long == buy
        if side == "" and opens and booked:
            return contract, [Close(None, not buy, amount, value, value, covered=False)]
        return contract, position.trade(moment(row), buy=buy, amount=amount, value=value)

    def coin(self, contract: Contract) -> str:
        """Return the coin that a contract settles in."""
        return margin_coin(contract.market, self._pairs[contract.market, contract.symbol])

    def unrealised(self, contract: Contract, price: Decimal) -> Decimal:
        """Return the profit of what is open at a price, in the coin of the margin."""
        position = self.by_contract[contract]
        value = position.amount * price
        return settled(contract.market, position.unrealised(value), position.amount, value)

    def value(self, marks: Prices, prices: Prices, time_ms: int) -> Decimal:
        """Return the unrealised profit of all positions at an instant, in the quote coin of the prices."""
        total = ZERO
        for contract, position in self.by_contract.items():
            if position.lots:
                profit = self.unrealised(contract, marks.at(contract.symbol, time_ms))
                total += profit * prices.at(self.coin(contract), time_ms)
        return total


def profit_of(contract: Contract, close: Close) -> Decimal:
    """Return what a close earned, in the coin of the margin."""
    return settled(contract.market, close.profit, close.amount, close.worth)


def settled(market: str, profit: Decimal, amount: Decimal, value: Decimal) -> Decimal:
    """Return a profit in quote coin in the coin of the margin, at the price of the exit, to 8 decimals if divided."""
    if market != "coin-futures" or not value:
        return profit
    return divided(profit * amount, value)
