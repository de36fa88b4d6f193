"""The npm package bitget-api streams from the served sandbox: what it is pushed is what REST answers."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.live.depth_book import DepthBook
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.server import Server
from tests.conftest import child

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("bitget_api.cjs")
SPELLED = {
    "v2": {"trades": "trade", "candles": "candle1m", "order_book": "books"},
    "v3": {"trades": "publicTrade", "candles": "kline", "order_book": "books"},
}
versions = pytest.mark.parametrize("version", ["v2", "v3"])
LONGEST_S = 240.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(Exchange(speed=20)) as running:
        yield running


@pytest.fixture(scope="module")
def real_time() -> Iterator[Server]:
    """A login is dated by node's clock, which runs no faster."""
    with Server(Exchange()) as running:
        yield running


def client_of(server: Server, folder: Path, key: str) -> Client:
    return bgresearch.connect(key=key, sandbox=server.exchange, data_dir=folder, progress=False)


def pushes(
    server: Server, installed: Path, version: str, topic: dict[str, str], *, count: int, key: str = ""
) -> list[dict[str, Any]]:
    """Return the first pushes of a subscription."""
    address = f"{server.ws_url}/{version}/ws/{'private' if key else 'public'}"
    one = SANDBOX_KEYS[key] if key else None
    secrets = [] if one is None else [one.api_key, one.secret_key, one.passphrase]
    ahead_ms = server.exchange.clock.now_ms() - round(time.time() * 1000)
    command = ["node", str(SCRIPT), str(installed), address, version, json.dumps([topic]), str(ahead_ms), *secrets]
    found: list[dict[str, Any]] = []
    with child(*command, cwd=installed, stdout=subprocess.PIPE) as process:
        limit = threading.Timer(LONGEST_S, process.kill)
        limit.start()
        assert process.stdout is not None
        with closing(process.stdout):
            while len(found) < count and (line := process.stdout.readline()):
                found.append(json.loads(line))
        limit.cancel()
        process.kill()
        process.wait()
    assert len(found) == count, "it was refused or cut off"
    return found


def public(channel: str, version: str) -> dict[str, str]:
    instance = {"instType": "SPOT" if version == "v2" else "spot", "topic": SPELLED[version][channel]}
    more = {"interval": "1m"} if (channel, version) == ("candles", "v3") else {}
    return instance | {"symbol": "BTCUSDT"} | more


@versions
def test_its_trades_are_those_of_history(server: Server, installed: Path, tmp_path: Path, version: str) -> None:
    names = ("tradeId", "ts", "price", "size") if version == "v2" else ("i", "T", "p", "v")
    came = pushes(server, installed, version, public("trades", version), count=20)
    rows = [[row[name] for name in names] for push in came for row in push["data"]]
    times = [pd.Timestamp(int(row[1]), unit="ms", tz="UTC") for row in rows]
    with client_of(server, tmp_path, "readonly") as client:
        mine = client.trades("BTCUSDT", min(times).floor("s"), max(times).ceil("s")).set_index("trade_id")
    for key, _time, price, amount in rows:
        assert (mine.price[key], mine.amount[key]) == (float(price), float(amount))


@versions
def test_its_candles_are_those_of_history(server: Server, installed: Path, tmp_path: Path, version: str) -> None:
    names = ("start", "open", "high", "low", "close", "volume")
    came = pushes(server, installed, version, public("candles", version), count=2)
    rows = [row if version == "v2" else [row[name] for name in names] for row in came[0]["data"][-20:-1]]
    times = [pd.Timestamp(int(row[0]), unit="ms", tz="UTC") for row in rows]
    with client_of(server, tmp_path, "readonly") as client:
        mine = client.candles("BTCUSDT", "1m", times[0], times[-1] + pd.Timedelta("1min"))
    values = mine.loc[times, ["open", "high", "low", "close", "volume"]].to_numpy().tolist()
    assert values == [list(map(float, row[1:6])) for row in rows]


@versions
def test_its_order_book_frames_make_the_exchange_s_book(server: Server, installed: Path, version: str) -> None:
    book = DepthBook(("asks", "bids") if version == "v2" else ("a", "b"))
    for push in pushes(server, installed, version, public("order_book", version), count=10):
        assert book.push(push["action"], push["data"][0], push["ts"])
        image = book.image(20)
        assert image is not None
        truth = server.exchange.order_book("BTCUSDT", now_ms=image.time_ms, levels=20)
        assert image.bids == [(float(price), float(amount)) for price, amount in truth["bids"]]
        assert image.asks == [(float(price), float(amount)) for price, amount in truth["asks"]]


@versions
def test_its_login_is_taken_and_its_balance_is_that_of_the_account(
    real_time: Server, installed: Path, tmp_path: Path, version: str
) -> None:
    key = "readonly" if version == "v2" else "unified"
    topic = {"instType": "SPOT", "topic": "account", "symbol": "default"} if version == "v2" else {
        "instType": "UTA", "topic": "account"}  # fmt: skip
    [push] = pushes(real_time, installed, version, topic, count=1, key=key)
    coins = push["data"] if version == "v2" else push["data"][0]["coin"]
    with client_of(real_time, tmp_path, key) as client:
        assets = client.account.assets()
    mine = assets[assets.account == ("spot" if version == "v2" else "unified")].set_index("coin")
    assert coins
    for coin in coins:
        moves = version == "v3" and coin["coin"] == "USDT"  # with the profit of open positions
        assert float(mine.available[coin["coin"]]) == pytest.approx(
            float(coin["available"]), rel=0.02 if moves else 1e-9
        )
