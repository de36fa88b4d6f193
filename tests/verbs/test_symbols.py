"""Names of markets: two spellings, renames between spot and futures, unknown ones with near names."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from bgresearch.client.client import Client
from bgresearch.core.symbols import ccxt_symbol, market_name, own_symbol, renamed, wire_symbol
from bgresearch.errors import InvalidInput, UnknownSymbol

Connect = Callable[..., Client]


@pytest.mark.parametrize(
    ("symbol", "market", "expected"),
    [
        ("BTCUSDT", "spot", ("BTCUSDT", "spot")), ("btcusdt", "usdt-futures", ("BTCUSDT", "usdt-futures")),
        ("BTC/USDT", "spot", ("BTCUSDT", "spot")), ("btc/usdt:usdt", "spot", ("BTCUSDT", "usdt-futures")),
        ("BTC/USDC:USDC", "spot", ("BTCPERP", "usdc-futures")), ("BTC/USDC", "spot", ("BTCUSDC", "spot")),
        ("BTC/USD:BTC", "spot", ("BTCUSD", "coin-futures")),
        ("BTC/USD:BTC", "coin-futures", ("BTCUSD", "coin-futures")),
        ("$ALT/USDT", "spot", ("$ALTUSDT", "spot")), ("$ALT/USDT:USDT", "spot", ("ALTUSDT", "usdt-futures")),
        ("LUNA/USDT:USDT", "spot", ("LUNA2USDT", "usdt-futures")),
        ("LUNA2/USDT:USDT", "spot", ("LUNA2USDT", "usdt-futures")),
        ("MEMECOIN/USDT:USDT", "spot", ("MEMEUSDT", "usdt-futures")), ("龙/USDT", "spot", ("龙USDT", "spot")),
    ],
)  # fmt: skip
def test_both_spellings_mean_one_market(symbol: str, market: str, expected: tuple[str, str]) -> None:
    assert tuple(wire_symbol(symbol, market)) == expected


@pytest.mark.parametrize(
    ("symbol", "market", "words"),
    [
        ("BTC/USDT", "usdt-futures", "names the spot market, and market= says usdt-futures"),
        ("BTC/USDT:USDT", "coin-futures", "names the usdt-futures market"),
        ("BTC/USD:BTC-261225", "spot", "a contract with a delivery date"),
        ("BTC/USDT:BTC", "spot", "settled in a coin"),
        ("/USDT", "spot", "is not a symbol"), ("BTC/", "spot", "is not a symbol"), ("A/B/C", "spot", "is not a symbol"),
        ("BTC/USDT:", "spot", "is not a symbol"), ("", "spot", "is not a symbol"),
        (7, "spot", "is not a symbol"), ("BTCUSDT", "moon", "market: 'moon' is unknown"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_named(symbol: object, market: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        wire_symbol(symbol, market)  # type: ignore[arg-type]  # on purpose


def test_a_default_market_gives_way_to_the_one_that_is_named() -> None:
    assert wire_symbol("BTC/USD:BTC", "usdt-futures", default="usdt-futures").market == "coin-futures"
    with pytest.raises(InvalidInput, match="names the coin-futures market"):
        wire_symbol("BTC/USD:BTC", "usdt-futures")


def test_verbs_over_all_markets_take_the_market_from_the_name() -> None:
    assert own_symbol(None, None) == (None, None)
    assert own_symbol("spot", None) == ("spot", None)
    assert own_symbol(None, "btcusdt") == (None, "BTCUSDT")
    assert own_symbol(None, "BTC/USDT:USDT") == ("usdt-futures", "BTCUSDT")
    assert own_symbol("spot", "BTC/USDT:USDT") == ("usdt-futures", "BTCUSDT")


def test_renames_are_known_in_both_directions() -> None:
    for spot, futures in (("LUNAUSDT", "LUNA2USDT"), ("$ALTUSDT", "ALTUSDT"), ("MEMECOINUSDT", "MEMEUSDT")):
        assert renamed(spot, "usdt-futures") == futures
        assert renamed(futures, "spot") == spot
    assert renamed("BTCUSDT", "spot") is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, symbol: client.tickers(symbol), lambda client, symbol: client.order_book(symbol),
        lambda client, symbol: client.trades(symbol), lambda client, symbol: client.trades(symbol, "2026-11-20"),
    ],
)  # fmt: skip
def test_an_unknown_symbol_is_named_with_near_ones(client: Client, ask: Callable[[Client, str], object]) -> None:
    with pytest.raises(UnknownSymbol, match=r"'BTCUSDTT' is not listed in the spot market.*Did you mean BTCUSDT"):
        ask(client, "BTCUSDTT")


@pytest.mark.parametrize("verb", ["funding", "open_interest", "position_tiers", "prices", "tickers"])
def test_an_unknown_contract_is_named_with_its_other_name(client: Client, verb: str) -> None:
    with pytest.raises(UnknownSymbol, match=r"is not listed in the usdt-futures market.*Did you mean LUNA2USDT"):
        getattr(client, verb)("LUNAUSDT", market="usdt-futures")


def test_an_error_about_something_else_stays_what_it_is(client: Client) -> None:
    with pytest.raises(InvalidInput, match="levels"):
        client.order_book("BTCUSDT", levels=0)


def test_candles_take_both_spellings(connect: Connect) -> None:
    plain = connect().candles("BTCUSDT", "1h", "2026-11-19", "2026-11-20", market="usdt-futures")
    named = connect().candles("BTC/USDT:USDT", "1h", "2026-11-19", "2026-11-20")
    pd.testing.assert_frame_equal(plain, named)
    assert named.attrs["bgresearch"]["market"] == "usdt-futures"


def test_own_records_take_both_spellings(client: Client) -> None:
    plain = client.account.fills("2026-11-01", market="usdt-futures", symbol="BTCUSDT")
    named = client.account.fills("2026-11-01", symbol="BTC/USDT:USDT")
    assert len(named) > 10
    pd.testing.assert_frame_equal(plain, named)


@pytest.mark.parametrize("symbol", ["BTCUSD", "BTCUSD_CM"])
def test_contracts_margined_in_the_coin_have_two_spellings(symbol: str) -> None:
    assert ccxt_symbol(symbol, "coin-futures") == "BTC/USD:BTC"
    assert market_name("futures", [symbol]) == "coin-futures"
    assert wire_symbol(symbol.lower(), "coin-futures") == (symbol, "coin-futures")
