"""A client of a sandbox whose accounts hold as much as a test wants."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bgresearch.client.client import Client
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.traders.heavy_trader import Crowd, crowded
from tests.conftest import NOW_MS, Connect

Busy = Callable[..., tuple[Client, Crowd]]


@pytest.fixture
def busy(exchange: Exchange, connect: Connect) -> Busy:
    """Return a function that fills the accounts and connects to them."""

    def filled(key: str = "readonly", **amounts: float) -> tuple[Client, Crowd]:
        crowd = Crowd(NOW_MS, **amounts)  # type: ignore[arg-type]
        for name in ("classic", "unified"):
            exchange.accounts[name] = crowded(exchange.accounts[name], crowd)
        return connect(key=key), crowd

    return filled
