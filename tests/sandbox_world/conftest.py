"""One world for the room's tests, and a way to ask its responders as the gate would."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from bgresearch.catalogue import load
from bgresearch.sandbox.call import Call
from bgresearch.sandbox.responders import RESPONDERS
from bgresearch.sandbox.traders.accounts import Account, make_accounts
from bgresearch.sandbox.world.markets import Kind, Market, find, utc_ms
from bgresearch.sandbox.world.world import World

SEED = 7
NOW_MS = utc_ms(2026, 5, 28, 10) + 37 * 60_000 + 41_234  # a Thursday, in the middle of a minute


class Ask(Protocol):
    def __call__(self, endpoint_id: str, *, now_ms: int = ..., account: str | None = ..., **params: object) -> Any: ...


@pytest.fixture(scope="session")
def world() -> World:
    return World(SEED)


@pytest.fixture(scope="session")
def accounts(world: World) -> dict[str, Account]:
    return make_accounts(world)


@pytest.fixture(scope="session")
def ask(world: World, accounts: dict[str, Account]) -> Ask:
    def asked(endpoint_id: str, *, now_ms: int = NOW_MS, account: str | None = None, **params: object) -> Any:
        endpoint = load()[endpoint_id]
        if account is None and endpoint.private:
            account = "unified" if endpoint.version == "v3" else "classic"
        texts = {name: str(value) for name, value in params.items()}
        who = accounts[account] if account else None
        return RESPONDERS[endpoint_id](Call(endpoint, texts, who, now_ms, world))

    return asked


@pytest.fixture(scope="session")
def market() -> Any:
    def found(symbol: str, kind: Kind = "spot") -> Market:
        one = find(kind, symbol)
        assert one is not None, symbol
        return one

    return found
