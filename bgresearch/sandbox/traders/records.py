"""The records that an account's history is made of. Pure; every amount is an integer in units of 1e-8 of its coin."""

from __future__ import annotations

from typing import NamedTuple

from bgresearch.sandbox.world.markets import Market

UNIT_PLACES = 8
UNIT: int = 10**UNIT_PLACES


class Fill(NamedTuple):
    """One execution.

    Attributes
    ----------
    price, size : int
        In units of the market's last decimals.
    value, fee, profit : int
        Price times size in quote coin; what was paid, at least 0; realised profit of a closing fill.
    deducted : bool
        Whether the fee was taken from the balance of BGB.
    """

    fill_id: int
    order_id: int
    ts_ms: int
    market: Market
    buy: bool
    action: str  # "" in spot, else open_long, close_long, open_short, close_short
    maker: bool
    price: int
    size: int
    value: int
    fee: int
    fee_coin: str
    profit: int = 0
    deducted: bool = False


class Order(NamedTuple):
    """One order and its fills; without fills it is cancelled when it ends.

    Attributes
    ----------
    limit : int or None
        Its price in units of the market's last decimal; None for a market order.
    """

    order_id: int
    ts_ms: int
    done_ms: int
    market: Market
    buy: bool
    action: str
    limit: int | None
    size: int
    fills: tuple[Fill, ...]


class LedgerEntry(NamedTuple):
    """One line of the ledger: ``balance`` is that of the wallet afterwards, ``unified`` that of the whole account."""

    entry_id: int
    ts_ms: int
    wallet: str  # spot, usdt-futures, funding
    coin: str
    reason: str
    symbol: str
    change: int
    fee: int = 0
    internal: bool = False  # moves within what a unified account keeps as one balance
    balance: int = 0
    unified: int = 0


class Transfer(NamedTuple):
    """Coins moved between two wallets of the same owner."""

    transfer_id: int
    ts_ms: int
    coin: str
    source: str
    target: str
    size: int


class Movement(NamedTuple):
    """A deposit from outside or a withdrawal to it."""

    movement_id: int
    ts_ms: int
    coin: str
    size: int
    fee: int
    incoming: bool


class PositionRecord(NamedTuple):
    """One position from its first opening fill to its last closing fill.

    Attributes
    ----------
    funding : tuple of (int, int)
        Settlements while it was open: when, and what was received.
    """

    position_id: int
    market: Market
    long: bool
    opening: tuple[Fill, ...]
    closing: tuple[Fill, ...]
    funding: tuple[tuple[int, int], ...]

    @property
    def opened_ms(self) -> int:
        """When the first fill opened it."""
        return self.opening[0].ts_ms

    @property
    def closed_ms(self) -> int:
        """When the last fill closed it."""
        return self.closing[-1].ts_ms


def scaled(market: Market, price: int, size: int) -> int:
    """Return price times size in units of 1e-8 quote coin: exact where both together have at most 8 decimals."""
    return price * size * int(10 ** (UNIT_PLACES - market.price_places - market.size_places))


def base_units(market: Market, size: int) -> int:
    """Return a size in units of 1e-8 base coin, exactly."""
    return size * int(10 ** (UNIT_PLACES - market.size_places))


def text(amount: int, places: int = UNIT_PLACES, *, strip: bool = False) -> str:
    """Return an integer amount as a decimal string with exactly that many decimals, or without trailing zeros."""
    if places == 0:
        return str(amount)
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), 10**places)
    shown = f"{sign}{whole}.{rest:0{places}d}"
    return shown.rstrip("0").rstrip(".") if strip else shown
