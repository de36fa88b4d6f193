"""A client of a sandbox whose accounts hold as much as a test wants."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bgresearch.client.client import Client
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.traders.heavy_trader import HeavyTrading, with_heavy_trading
from tests.conftest import NOW_MS, Connect

Busy = Callable[..., tuple[Client, HeavyTrading]]


@pytest.fixture
def busy(exchange: Exchange, connect: Connect) -> Busy:
    """Return a function that fills the accounts and connects to them."""

    def filled(key: str = "readonly", **amounts: float) -> tuple[Client, HeavyTrading]:
        trading = HeavyTrading(NOW_MS, **amounts)  # type: ignore[arg-type]
        for name in ("classic", "unified"):
            exchange.accounts[name] = with_heavy_trading(exchange.accounts[name], trading)
        return connect(key=key), trading

    return filled
