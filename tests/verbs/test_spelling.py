"""One coin has one spelling, the exchange's, whichever verb tells of it; an unknown symbol is answered alike by all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.symbols import Named
from bgresearch.errors import UnknownSymbol
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.authentication import signature
from bgresearch.sandbox.messages import Request, Response
from bgresearch.sandbox.traders.keys import SANDBOX_KEYS
from bgresearch.session.unknown_symbol import did_you_mean
from tests.conftest import NOW_MS
from tests.verbs.test_odd_answers import PRIVATE, PUBLIC

COIN = "rBTC"
NAMING: dict[str, Callable[[Client], pd.DataFrame]] = {  # verbs that are asked for a coin by its name
    "conversions": lambda c: c.account.conversions("2026-11-16", source=COIN, target=COIN),
}
KEYS = ["readonly", "unified_trader"]


def plain(request: Request) -> Request:
    """Return a request for BTC instead of rBTC, signed again if it was signed."""
    changed = request._replace(target=request.target.replace(f"={COIN}", "=BTC"))
    signer = next((key for key in SANDBOX_KEYS.values() if key.api_key == request.headers.get("ACCESS-KEY")), None)
    if changed == request or signer is None:
        return changed
    sign = signature(signer.secret_key, request.headers["ACCESS-TIMESTAMP"], changed)
    return changed._replace(headers={**request.headers, "ACCESS-SIGN": sign})


class Respelled(Exchange):
    """The sandbox, which spells the coin BTC rBTC, as the exchange does with coins of stocks."""

    def handle(self, request: Request) -> Response:
        response = super().handle(plain(request))
        body = response.body
        for quote in (b'"', b'\\"'):  # also in JSON inside a text
            body = body.replace(quote + b"BTC" + quote, quote + COIN.encode() + quote)
        return response._replace(body=body)


@pytest.fixture
def spelled(model: Exchange, tmp_path: Path) -> Callable[..., Client]:
    def connect(key: str = "readonly") -> Client:
        clock = ManualClock(NOW_MS)
        exchange = Respelled(clock=clock, limits=False)
        exchange.world, exchange.accounts = model.world, dict(model.accounts)
        return bgresearch.connect(
            sandbox=exchange, key=key, data_dir=tmp_path / key, clock=clock, progress=False
        )  # fmt: skip

    return connect


def coins_in(frame: pd.DataFrame) -> set[str]:
    """Return every value of the columns that hold coins."""
    columns = [name for name in frame.columns if name in {"base", "quote"} or "coin" in name]
    return {str(value) for name in columns for value in frame[name].dropna()}


@pytest.mark.parametrize("verb", [verb for verb in PUBLIC if not verb.startswith(("recorder", "server_time", "raw"))])
def test_public_verbs_spell_a_coin_as_the_exchange_does(spelled: Callable[..., Client], verb: str) -> None:
    assert not {"BTC", "RBTC", "rbtc"} & coins_in(PUBLIC[verb](spelled()))


@pytest.mark.quick_cases(20)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "verb", [verb for verb in PRIVATE if verb not in {"permissions", "plan_orders in spot", "raw fills"}]
)
def test_verbs_of_an_account_spell_a_coin_as_the_exchange_does(
    spelled: Callable[..., Client], key: str, verb: str
) -> None:
    ask = NAMING.get(verb, PRIVATE[verb])
    assert not {"BTC", "RBTC", "rbtc"} & coins_in(ask(spelled(key)))


def test_the_spelling_is_one(spelled: Callable[..., Client]) -> None:
    client = spelled()
    assert COIN in set(client.symbols("spot")["base"])
    assert COIN in set(client.coins()["coin"])
    assert COIN in set(client.coins(COIN)["coin"])
    assert COIN in set(client.account.assets()["coin"])
    for asked in (COIN, "RBTC"):
        bills = client.account.bills("2026-11-16", book="spot", coin=asked)
        assert set(bills["coin"]) == {COIN}


def test_rows_in_lower_case_are_the_coins_they_mean(connect: Callable[..., Client], tmp_path: Path) -> None:
    class Lower(Exchange):
        def handle(self, request: Request) -> Response:
            response = super().handle(request)
            return response._replace(body=response.body.replace(b'"USDT"', b'"usdt"'))

    client = connect(sandbox=Lower(clock=ManualClock(NOW_MS)), data_dir=tmp_path / "lower")
    assert "usdt" not in coins_in(client.account.fills("2026-11-18", market="usdt-futures"))
    assert "USDT" in coins_in(client.account.fills("2026-11-18", market="usdt-futures"))


ASKS: dict[str, Callable[[Client, str, str], Any]] = {
    "tickers": lambda c, symbol, market: c.tickers(symbol, market=market),
    "candles": lambda c, symbol, market: c.candles(symbol, "1h", "2026-11-19", "2026-11-20", market=market),
    "trades": lambda c, symbol, market: c.trades(symbol, market=market),
    "order_book": lambda c, symbol, market: c.order_book(symbol, market=market),
}  # fmt: skip


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    ("symbol", "market", "near"), [("BTCUSDTT", "spot", "BTCUSDT"), ("LUNAUSDT", "usdt-futures", "LUNA2USDT")]
)
def test_every_verb_offers_the_same_near_names(client: Client, ask: str, symbol: str, market: str, near: str) -> None:
    listed = client.symbols(market)["symbol"].tolist()
    question = did_you_mean(Named(symbol, market), listed)
    assert question.startswith(f"Did you mean {near}")
    with pytest.raises(UnknownSymbol) as caught:
        ASKS[ask](client, symbol, market)
    assert question in str(caught.value)


class Exact(Exchange):
    """The sandbox, with nothing for a coin in another spelling than its own."""

    def handle(self, request: Request) -> Response:
        coin = dict(parse_qsl(request.target.partition("?")[2])).get("coin")
        response = super().handle(request)
        if coin is None or coin == coin.upper():
            return response
        whole = json.loads(response.body)
        data = whole["data"]
        whole["data"] = {**data, "list": [], "resultList": []} if isinstance(data, dict) else []
        return response._replace(body=json.dumps(whole).encode())


OF_A_COIN: dict[str, Callable[[Client, str], pd.DataFrame]] = {
    "transfers": lambda c, coin: c.account.transfers("2026-11-01", coin=coin),
    "deposits": lambda c, coin: c.account.deposits("2026-11-01", coin=coin),
    "withdrawals": lambda c, coin: c.account.withdrawals("2026-11-01", coin=coin),
    "conversions": lambda c, coin: c.account.conversions("2026-11-01", source=coin, target="USDT"),
    "coins": lambda c, coin: c.coins(coin),
}


@pytest.mark.quick_cases(20)
@pytest.mark.parametrize("coin", ["usdt", "Usdt", "uSDT", " USDT ", "\tusdt"])
@pytest.mark.parametrize("verb", OF_A_COIN)
@pytest.mark.parametrize("key", KEYS)
def test_another_spelling_of_a_coin_finds_its_rows_or_is_refused_with_the_right_one(
    model: Exchange, tmp_path: Path, key: str, verb: str, coin: str
) -> None:
    clock = ManualClock(NOW_MS)
    exchange = Exact(clock=clock, limits=False)
    exchange.world, exchange.accounts = model.world, dict(model.accounts)
    client = bgresearch.connect(sandbox=exchange, key=key, data_dir=tmp_path, clock=clock, progress=False)
    ask = OF_A_COIN[verb]
    try:
        found = ask(client, coin)
    except UnknownSymbol as error:
        assert "USDT" in error.hint or verb == "coins"  # noqa: PT017 - either way is right
        return
    assert len(found) == len(ask(client, "USDT"))
