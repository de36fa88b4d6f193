"""What each event of an account did to what it holds: lots opened and closed, fees, fundings, transfers. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

from bgresearch.research.pnl.decimals import ZERO, decimal_of, share, with_amounts
from bgresearch.research.pnl.futures_positions import Contract, Positions, profit_of
from bgresearch.research.pnl.lots import Close, Method, OpenPosition
from bgresearch.research.pnl.matching import sort_of
from bgresearch.research.pnl.postings import LedgerLine, Pair, fees_of, moment, traded, word
from bgresearch.research.pnl.valuation import Prices

KINDS = ("realised", "unrealised", "fees", "funding", "transfers", "other", "rounding")
_CLOSE = (
    "time", "record_id", "market", "name", "position", "coin", "opened", "amount", "cost", "worth", "profit", "covered",
)  # fmt: skip
_OPEN = ("market", "name", "position", "coin", "opened", "amount", "cost", "worth", "unrealised")
_ROUNDED = Decimal("0.0001")  # of the size of a fill: how far rounded average prices may lead
_CAUSES = {"funding": "funding", "moved": "transfers"}

Thing = tuple[str, str]
"""A market and a coin of it or a symbol of it."""


class Earnings:
    """Processes events in order and collects profits, closed and open lots.

    Parameters
    ----------
    prices : Prices
        Of coins, in the quote coin.
    quote : str
        The quote coin.
    method : "average" or "fifo"
        How closing takes from what was opened.
    pairs : mapping
        Coins of the symbols.

    Attributes
    ----------
    doubtful : list of tuple
        Market and symbol of each fill that the exchange says earned something else than the fills before it do.
    """

    def __init__(self, prices: Prices, quote: str, method: Method, pairs: Mapping[Thing, Pair]) -> None:
        self.prices = prices
        self._quote, self._method, self._pairs = quote, method, pairs
        self._coins: dict[str, OpenPosition] = {}
        self._positions, self._booked_as = Positions(method, pairs), Positions("average", pairs)
        self._sums: defaultdict[Thing, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        self.doubtful: list[Thing] = []
        self._closes: list[dict[str, Any]] = []
        self._open: list[dict[str, Any]] = []

    def take(self, event: Mapping[str, Any]) -> None:
        """Process a fill, or lines of the ledger that have no fill."""
        if "line" in event:
            self._line(event["line"])
        elif word(event["market"]) == "spot":
            self._spot(event)
        else:
            self._contract(event)

    def move(self, coin: str, amount: Decimal, value: Decimal, time_ms: int | None, record_id: str) -> None:
        """Change the position in a coin by an amount, given its value."""
        if coin == self._quote or not amount:
            return
        position = self._coins.setdefault(coin, OpenPosition(self._method, side=True))
        for close in position.trade(time_ms, buy=amount > 0, amount=abs(amount), value=abs(value)):
            self._closed(("spot", coin), close, close.profit, self._quote, (time_ms, record_id))
            self._sums["spot", coin]["realised"] += close.profit

    def _line(self, line: LedgerLine) -> None:
        cause = _CAUSES.get(sort_of(line.kind), "other")
        price = self.prices.at(line.coin, line.time_ms)
        thing = (line.account, line.symbol) if cause == "funding" else ("", line.coin)
        self._sums[thing][cause] += line.amount * price
        self._sums[thing]["fees"] -= (line.amount - line.net) * price
        self.move(line.coin, line.net, line.net * price, line.time_ms, line.bill_id)

    def _spot(self, row: Mapping[str, Any]) -> None:
        pair, time_ms, record_id = self._pairs["spot", word(row["symbol"])], moment(row), str(row["fill_id"])
        amount, paid = traded(row)
        value = paid * self.prices.at(pair.quote, time_ms)
        sign = 1 if row["side"] == "buy" else -1
        for coin, change in ((pair.base, sign * amount), (pair.quote, -sign * paid)):
            self.move(coin, change, value, time_ms, record_id)
        self._pay(row, ("spot", pair.base), {pair.base: (amount, value), pair.quote: (paid, value)})

    def _pay(self, row: Mapping[str, Any], thing: Thing, known: Mapping[str, tuple[Decimal, Decimal]]) -> None:
        """Pay the fees of a fill; ``known`` has the amounts of its coins with their values."""
        time_ms = moment(row)
        for coin, fee in fees_of(row).items():
            amount, value = known.get(coin, (ZERO, ZERO))
            price = self.prices.at(coin, time_ms) if coin == self._quote or not amount else None
            worth = share(value, fee, amount) if price is None else fee * price
            self._sums[thing]["fees"] -= worth
            self.move(coin, -fee, worth, time_ms, str(row["fill_id"]))

    def _contract(self, row: Mapping[str, Any]) -> None:
        time_ms, record_id, booked = moment(row), str(row["fill_id"]), decimal_of(row["profit"], "profit")
        as_booked = self._booked_as.fill(row)[1]
        contract, closes = self._positions.fill(row)
        coin, thing = self._positions.coin(contract), (contract.market, contract.symbol)
        if _differs(contract, as_booked, booked, row):
            self.doubtful.append(thing)
        price = self.prices.at(coin, time_ms)
        self._sums[thing]["booked"] += booked * price
        self.move(coin, booked, booked * price, time_ms, record_id)
        known = ZERO
        for close in closes:
            profit = profit_of(contract, close) if close.covered else booked - known
            known += profit
            self._closed(thing, close, profit, coin, (time_ms, record_id))
            self._sums[thing]["realised"] += profit * price
        self._pay(row, thing, {})

    def _closed(self, thing: Thing, close: Close, profit: Decimal, coin: str, when: tuple[int | None, str]) -> None:
        worth = close.worth if close.covered or thing[0] == "spot" else None
        self._closes.append({
            "time": when[0], "record_id": when[1], "market": thing[0], "name": thing[1],
            "position": "long" if close.long else "short", "coin": coin, "opened": close.opened_ms,
            "amount": close.amount, "cost": close.cost if close.covered else None, "worth": worth, "profit": profit,
            "covered": close.covered,
        })  # fmt: skip

    def value(self, marks: Prices, end_ms: int) -> Decimal:
        """Value what is open and return the unrealised profit of positions as the exchange reckons it."""
        for coin, position in self._coins.items():
            price = self.prices.at(coin, end_ms) if position.lots else ZERO
            self._sums["spot", coin]["unrealised"] += position.unrealised(position.amount * price)
            self._opened(("spot", coin), "long", self._quote, position, price)
        for contract, position in self._positions.by_contract.items():
            self._value_contract(contract, position, marks, end_ms)
        for sums in self._sums.values():
            if "booked" in sums:
                sums["rounding"] = sums.pop("booked") + sums.pop("marked", ZERO) - sums["realised"] - sums["unrealised"]
        return self._booked_as.value(marks, self.prices, end_ms)

    def _value_contract(self, contract: Contract, position: OpenPosition, marks: Prices, end_ms: int) -> None:
        if not position.lots:
            return
        mark, sums = marks.at(contract.symbol, end_ms), self._sums[contract.market, contract.symbol]
        coin = self._positions.coin(contract)
        price = self.prices.at(coin, end_ms)
        sums["unrealised"] += self._positions.unrealised(contract, mark) * price
        sums["marked"] += self._booked_as.unrealised(contract, mark) * price
        self._opened((contract.market, contract.symbol), contract.side, coin, position, mark)

    def _opened(self, thing: Thing, side: str, coin: str, position: OpenPosition, price: Decimal) -> None:
        for lot in position.lots:
            worth = lot.amount * price
            self._open.append({
                "market": thing[0], "name": thing[1], "position": "long" if position.long else "short", "coin": coin,
                "opened": lot.opened_ms, "amount": lot.amount, "cost": lot.cost, "worth": worth,
                "unrealised": worth - lot.cost if position.long else lot.cost - worth,
            })  # fmt: skip

    def attribution(self) -> pd.DataFrame:
        """Return what each thing earned by each cause."""
        rows = []
        for (market, name), sums in sorted(self._sums.items()):
            parts = {kind: sums[kind] or ZERO for kind in KINDS}
            if any(parts.values()):
                rows.append({"market": market, "name": name, **parts, "total": sum(parts.values(), ZERO)})
        return with_amounts(pd.DataFrame(rows, columns=["market", "name", *KINDS, "total"]))

    def closes(self) -> pd.DataFrame:
        """Return what was closed."""
        return _timed(pd.DataFrame(self._closes, columns=list(_CLOSE)))

    def open(self) -> pd.DataFrame:
        """Return what is open."""
        return _timed(pd.DataFrame(self._open, columns=list(_OPEN)))


def _differs(contract: Contract, closes: Sequence[Close], booked: Decimal, row: Mapping[str, Any]) -> bool:
    """Return whether the fills did not open what was closed: the booked profit differs by more than rounding."""
    amount, value = traded(row)
    size = amount if contract.market == "coin-futures" else value
    earned = sum((profit_of(contract, close) for close in closes), ZERO)
    return not all(close.covered for close in closes) or abs(booked - earned) > size * _ROUNDED


def _timed(frame: pd.DataFrame) -> pd.DataFrame:
    for name in {"time", "opened"} & set(frame.columns):
        frame[name] = pd.to_datetime(frame[name].astype("Int64"), unit="ms", utc=True).dt.as_unit("ms")
    return with_amounts(frame)
