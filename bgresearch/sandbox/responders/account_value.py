"""The value of an account at an instant: open positions at the mark price, margins, equity. Pure.

Amounts are integers in units of 1e-8 of the coin they are in, as everywhere in an account's history.
"""

from __future__ import annotations

from dataclasses import dataclass

from bgresearch.sandbox.traders.accounts import LEVERAGE, Account, Holding
from bgresearch.sandbox.traders.records import UNIT, PositionRecord, scaled
from bgresearch.sandbox.world.funding import tiers
from bgresearch.sandbox.world.markets import Market, find
from bgresearch.sandbox.world.world import World


@dataclass(frozen=True, slots=True)
class Valued:
    """An open position at the mark price.

    Attributes
    ----------
    size : int
        What is still open, in units of the market's last size decimal.
    cost, worth, unrealised, margin : int
        Cost and value of the open part, the unrealised profit, and the margin.
    """

    position: PositionRecord
    mark: int
    size: int
    cost: int
    worth: int

    @property
    def market(self) -> Market:
        """The market of the position."""
        return self.position.market

    @property
    def unrealised(self) -> int:
        """Profit if it were closed at the mark price."""
        return self.worth - self.cost if self.position.long else self.cost - self.worth

    @property
    def margin(self) -> int:
        """What backs it."""
        return self.cost // LEVERAGE

    @property
    def realised(self) -> int:
        """Profit taken so far, before fees."""
        return sum(fill.profit for fill in self.position.closing)

    @property
    def fees(self) -> int:
        """Fees paid so far."""
        return sum(fill.fee for fill in (*self.position.opening, *self.position.closing))

    @property
    def funding(self) -> int:
        """Funding received so far; negative if paid."""
        return sum(received for _, received in self.position.funding)

    @property
    def maintenance_ratio(self) -> str:
        """The first tier's maintenance margin ratio."""
        return tiers(self.market)[0][3]


def open_positions(account: Account, world: World, now_ms: int) -> list[Valued]:
    """Return the account's open positions, the latest first."""
    rows = []
    for position in reversed(account.positions(now_ms, closed=False)):
        market = position.market
        opened = sum(fill.size for fill in position.opening)
        size = opened - sum(fill.size for fill in position.closing)
        cost = sum(fill.value for fill in position.opening) * size // opened
        mark = world.price(market, now_ms, price="mark")
        rows.append(Valued(position, mark, size, cost, scaled(market, mark, size)))
    return rows


def coin_price(world: World, coin: str, now_ms: int) -> int:
    """Return what one coin costs, in units of 1e-8 USDT."""
    if coin == "USDT":
        return UNIT
    market = find("spot", f"{coin}USDT")
    if market is None or now_ms < market.listed_ms:
        return 0
    places = market.price_places
    return world.price(market, now_ms) * UNIT // int(10**places)


def worth(world: World, holdings: dict[str, Holding], now_ms: int) -> int:
    """Return the value of holdings, in units of 1e-8 USDT."""
    return sum(row.total * coin_price(world, coin, now_ms) // UNIT for coin, row in holdings.items())


@dataclass(frozen=True, slots=True)
class ContractWallet:
    """The USDT wallet behind the contracts."""

    total: int
    frozen: int
    margin: int
    unrealised: int

    @classmethod
    def of(cls, account: Account, world: World, now_ms: int) -> ContractWallet:
        """Return the wallet at an instant."""
        wallet = account.holdings("usdt-futures", now_ms).get("USDT", Holding(0, 0, 0))
        positions = open_positions(account, world, now_ms)
        margin = sum(row.margin for row in positions)
        return cls(wallet.total, wallet.frozen, margin, sum(row.unrealised for row in positions))

    @property
    def equity(self) -> int:
        """Balance and unrealised profit."""
        return self.total + self.unrealised

    @property
    def free(self) -> int:
        """What new positions could use."""
        return max(self.equity - self.margin - self.frozen, 0)
