"""Amounts, prices and sizes as the exchange writes them, and the sums over the fills of an order. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bgresearch.sandbox.traders.records import UNIT_PLACES, Fill, text
from bgresearch.sandbox.world.markets import Market


def money(amount: int) -> str:
    """Return an amount of 1e-8 units as the exchange writes it: no zeros at the end."""
    return text(amount, UNIT_PLACES, strip=True)


def price_text(market: Market, price: int) -> str:
    """Return a price with all its decimals."""
    return text(price, market.price_places)


def size_text(market: Market, size: int) -> str:
    """Return a size with all its decimals."""
    return text(size, market.size_places)


def average(market: Market, fills: Sequence[Fill]) -> str:
    """Return the average price of fills, to eight decimals; 0 if there are none."""
    size = sum(fill.size for fill in fills)
    value = sum(fill.value for fill in fills)
    return money(value * int(10**market.size_places) // size) if size else "0"


def filled(fills: Sequence[Fill]) -> tuple[int, int, int, int]:
    """Return size, value, fee and profit of fills together."""
    return (
        sum(fill.size for fill in fills), sum(fill.value for fill in fills),
        sum(fill.fee for fill in fills), sum(fill.profit for fill in fills),
    )  # fmt: skip
