"""A client that nobody here wrote talks to the served sandbox with its own signature and its own errors.

ccxt is pointed at loopback by its ``urls``; anything else it might call meets an adapter that refuses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange, SandboxKey
from bgresearch.sandbox.server import Server

ccxt = pytest.importorskip("ccxt", reason="ccxt is of the group exports, for make test-all")

pytestmark = pytest.mark.slow

NOW_MS = 1_780_000_000_000  # 2026-05-28
DAY_MS = 86_400_000


class NoWayOut(BaseAdapter):
    def send(self, request, *args, **kwargs):
        raise AssertionError(f"ccxt tried to leave loopback: {request.url}")

    def close(self):
        pass


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture(scope="module")
def server(clock: ManualClock) -> Iterator[Server]:
    with Server(Exchange(clock=clock)) as running:
        yield running


@pytest.fixture(scope="module")
def connect(server: Server, clock: ManualClock):
    """Return a function that builds a ccxt client for one of the sandbox's keys, or for none."""
    sessions = []

    def build(key: str | SandboxKey | None = None, **options: Any) -> ccxt.bitget:
        clock.advance(1)  # a fresh second, so that one test's calls do not count against another's
        client = ccxt.bitget({"enableRateLimit": False, "options": options})
        client.urls["api"] = dict.fromkeys(client.urls["api"], server.url)
        client.milliseconds = clock.now_ms
        client.session.trust_env = False
        client.session.mount("https://", NoWayOut())
        client.session.mount("http://", NoWayOut())
        client.session.mount(server.url, requests.adapters.HTTPAdapter())
        sessions.append(client.session)
        if key is not None:
            chosen = SANDBOX_KEYS[key] if isinstance(key, str) else key
            client.apiKey, client.secret, client.password = chosen.api_key, chosen.secret_key, chosen.passphrase
        return client

    yield build
    for session in sessions:
        session.close()


@pytest.fixture(scope="module")
def classic(connect) -> ccxt.bitget:
    client = connect("readonly")
    client.load_markets()
    return client


@pytest.fixture(scope="module")
def unified(connect) -> ccxt.bitget:
    client = connect("unified")
    client.load_markets()
    return client


def test_public_client_loads_markets_and_the_clock(connect):
    client = connect()
    markets = client.load_markets()
    assert {"BTC/USDT", "BTC/USDT:USDT"} <= set(markets)
    assert "BTC" in client.currencies
    assert abs(client.fetch_time() - client.milliseconds()) < 1000


def test_classic_account_is_recognised(classic):
    assert classic.options["uta"] is False
    assert classic.market("BTC/USDT")["spot"] is True
    assert classic.market("BTC/USDT:USDT")["linear"] is True


def test_unified_account_is_recognised(unified):
    assert unified.options["uta"] is True
    assert unified.market("BTC/USDT:USDT")["swap"] is True


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC/USDT:USDT"])
@pytest.mark.parametrize("timeframe", ["1m", "1h"])
@pytest.mark.parametrize("account", ["classic", "unified"])
def test_candles_arrive_in_order(request, clock, account, symbol, timeframe):
    clock.advance(1)
    client = request.getfixturevalue(account)
    step = client.parse_timeframe(timeframe) * 1000
    since = NOW_MS // step * step - 500 * step  # v3 serves the newest thousand candles alone
    rows = client.fetch_ohlcv(symbol, timeframe, since=since, limit=24)
    assert len(rows) == 24
    times = [row[0] for row in rows]
    assert times == sorted(set(times))
    assert all(time >= since and time % step == 0 for time in times)
    for _, opened, high, low, closed, volume in rows:
        assert 0 < low <= min(opened, closed) <= max(opened, closed) <= high
        assert volume >= 0


def test_older_candles_come_from_the_history_route(classic, clock):
    clock.advance(1)
    rows = classic.fetch_ohlcv("BTC/USDT", "1m", since=NOW_MS - 200 * DAY_MS, limit=100)
    assert len(rows) == 100
    assert rows[0][0] >= NOW_MS - 200 * DAY_MS


@pytest.mark.parametrize("account", ["classic", "unified"])
def test_balance_is_signed_and_read(request, clock, account):
    clock.advance(1)
    balance = request.getfixturevalue(account).fetch_balance()
    held = {coin: amount for coin, amount in balance["total"].items() if amount}
    assert held
    assert all(amount > 0 for amount in held.values())


def test_futures_balance_is_read(classic, clock):
    clock.advance(1)
    balance = classic.fetch_balance({"type": "swap", "productType": "USDT-FUTURES"})
    assert balance["total"]["USDT"] > 0


@pytest.mark.parametrize(
    ("account", "symbol"),
    [("classic", "BTC/USDT"), ("classic", "BTC/USDT:USDT"), ("unified", "BTC/USDT"), ("unified", "BTC/USDT:USDT")],
)
def test_own_trades_are_read(request, clock, account, symbol):
    clock.advance(1)
    client = request.getfixturevalue(account)
    params = {} if account == "classic" else {"category": "SPOT" if symbol == "BTC/USDT" else "USDT-FUTURES"}
    trades = client.fetch_my_trades(symbol, params=params)
    assert trades
    for trade in trades:
        assert trade["symbol"] == symbol
        assert trade["price"] > 0
        assert trade["amount"] > 0
        assert trade["side"] in ("buy", "sell")
        assert trade["timestamp"] <= client.milliseconds()
        assert trade["fee"]["currency"]


def refusal(client: ccxt.bitget, call: str = "privateSpotGetV2SpotAccountAssets", **params: object) -> ccxt.BaseError:
    with pytest.raises(ccxt.BaseError) as caught:
        getattr(client, call)(params)
    return caught.value


READONLY = SANDBOX_KEYS["readonly"]


@pytest.mark.parametrize(
    ("key", "error", "code"),
    [
        (dataclasses.replace(READONLY, secret_key="0" * 64), ccxt.AuthenticationError, "40009"),
        (dataclasses.replace(READONLY, passphrase="wrong"), ccxt.AuthenticationError, "40012"),
        (dataclasses.replace(READONLY, api_key="bg_" + "0" * 32), ccxt.AuthenticationError, "40037"),
        (dataclasses.replace(READONLY, api_key="nonsense"), ccxt.AuthenticationError, "40006"),
        ("other_address", ccxt.PermissionDenied, "40018"),
        ("unified", ccxt.PermissionDenied, "40085"),
    ],
    ids=["wrong secret", "wrong passphrase", "unknown key", "malformed key", "wrong address", "unified account"],
)
def test_refusals_become_its_own_errors(connect, key, error, code):
    caught = refusal(connect(key))
    assert type(caught) is error
    assert f'"{code}"' in str(caught)


def test_missing_permission_becomes_its_own_error(connect):
    client = connect("spot_only")
    client.privateSpotGetV2SpotAccountAssets()
    caught = refusal(client, "privateMixGetV2MixAccountAccounts", productType="USDT-FUTURES")
    assert type(caught) is ccxt.PermissionDenied
    assert "40014" in str(caught)


def test_clock_that_is_off_becomes_its_own_error(connect, clock):
    client = connect("readonly")
    client.milliseconds = lambda: clock.now_ms() - 31_000
    assert type(refusal(client)) is ccxt.InvalidNonce


def test_too_many_calls_become_its_own_error(connect):
    client = connect("readonly")
    client.privateSpotGetV2SpotAccountInfo()
    assert type(refusal(client, "privateSpotGetV2SpotAccountInfo")) is ccxt.DDoSProtection


@pytest.mark.parametrize("coin", ["$ALT", "币安人生", "A B", "A+B", "50%"])
def test_awkward_parameters_are_signed_the_same_way(connect, coin):
    connect("readonly").privateSpotGetV2SpotAccountAssets({"coin": coin, "assetType": "all"})


def test_demo_key_needs_demo_mode(connect):
    assert '"40099"' in str(refusal(connect("demo")))
    connect("demo", sandboxMode=True).privateSpotGetV2SpotAccountAssets()
