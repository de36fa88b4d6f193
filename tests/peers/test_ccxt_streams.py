"""ccxt's WebSocket client streams from the served sandbox; what it makes of the frames is what REST answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.server import Server

ccxt = pytest.importorskip("ccxt.pro", reason="ccxt is of the group exports, for make test-all")

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("account", ["classic", "unified"])]

KEYS = {"classic": "readonly", "unified": "unified"}
LONGEST_S = 240


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(Exchange(speed=20)) as running:
        yield running


@pytest.fixture
def ours(server: Server, account: str, tmp_path: Path) -> Iterator[Client]:
    with bgresearch.connect(key=KEYS[account], sandbox=server.exchange, data_dir=tmp_path, progress=False) as client:
        yield client


def watched(server: Server, account: str, watch: Callable[[Any, dict[str, Any]], Awaitable[Any]]) -> Any:
    """Return what a ccxt client gives that is pointed at the sandbox and nowhere else."""

    async def run() -> Any:
        key, now_ms = SANDBOX_KEYS[KEYS[account]], server.exchange.clock.now_ms
        client = ccxt.bitget({"enableRateLimit": False, "newUpdates": True})
        paths = {"public": "/v2/ws/public", "private": "/v2/ws/private", "utaPublic": "/v3/ws/public",
                 "utaPrivate": "/v3/ws/private"}  # fmt: skip
        streams = {name: server.ws_url + path for name, path in paths.items()}
        client.urls["api"] = dict.fromkeys(client.urls["api"], server.url) | {"ws": streams, "demo": streams}
        client.apiKey, client.secret, client.password = key.api_key, key.secret_key, key.passphrase
        client.milliseconds, client.seconds = now_ms, lambda: now_ms() // 1000
        try:
            return await asyncio.wait_for(watch(client, {"uta": account == "unified"}), LONGEST_S)
        finally:
            await client.close()

    return asyncio.run(run())


def moment(time_ms: int) -> pd.Timestamp:
    return pd.Timestamp(time_ms, unit="ms", tz="UTC")


def test_its_trades_are_those_of_history(server: Server, ours: Client, account: str) -> None:
    async def watch(client: Any, params: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        while len(found) < 60:
            found += await client.watch_trades("BTC/USDT", params=params)
        return found

    theirs = watched(server, account, watch)
    start, end = (moment(pick(trade["timestamp"] for trade in theirs)) for pick in (min, max))
    rows = ours.trades("BTCUSDT", start.floor("s"), end.ceil("s")).set_index("trade_id")
    assert len({trade["id"] for trade in theirs}) >= 50
    for trade in theirs:
        row = rows.loc[trade["id"]]
        assert (row.price, row.amount, row.side) == (trade["price"], trade["amount"], trade["side"])


def test_its_order_book_is_the_exchange_s_at_its_own_time(server: Server, ours: Client, account: str) -> None:
    async def watch(client: Any, params: dict[str, Any]) -> list[Any]:
        images = []
        for _ in range(5):
            book = await client.watch_order_book("BTC/USDT", params=params)
            sides = ([tuple(level[:2]) for level in book[side][:20]] for side in ("bids", "asks"))
            images.append((book["timestamp"], *sides))
        return images

    for time_ms, bids, asks in watched(server, account, watch):
        truth = server.exchange.order_book("BTCUSDT", now_ms=time_ms, levels=20)
        assert bids == [(float(price), float(amount)) for price, amount in truth["bids"]]
        assert asks == [(float(price), float(amount)) for price, amount in truth["asks"]]


def test_its_candles_are_those_of_history(server: Server, ours: Client, account: str) -> None:
    async def watch(client: Any, params: dict[str, Any]) -> list[Any]:
        bars: dict[int, Any] = {}
        for _ in range(8):
            bars |= {bar[0]: bar for bar in await client.watch_ohlcv("BTC/USDT", "1m", params=params)}
        return sorted(bars.values())

    theirs = watched(server, account, watch)[:-1]  # the last one is still forming
    rows = ours.candles("BTCUSDT", "1m", moment(theirs[0][0]), moment(theirs[-1][0] + 60_000))
    mine = rows.loc[[moment(bar[0]) for bar in theirs], ["open", "high", "low", "close", "volume"]]
    assert mine.to_numpy().tolist() == [bar[1:6] for bar in theirs]


def test_its_balance_is_that_of_the_account(server: Server, ours: Client, account: str) -> None:
    async def watch(client: Any, params: dict[str, Any]) -> Any:
        return await client.watch_balance(params)

    theirs = watched(server, account, watch)
    assets = ours.account.assets()
    mine = assets[assets.account == ("spot" if account == "classic" else "unified")].set_index("coin")
    held = {coin: amount for coin, amount in theirs["free"].items() if amount}
    assert held
    for coin, amount in held.items():
        moves = account == "unified" and coin == "USDT"  # with the profit of open positions
        assert float(mine.available[coin]) == pytest.approx(amount, rel=0.02 if moves else 1e-9)
