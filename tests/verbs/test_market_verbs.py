"""Every verb that needs no key: its columns and types, what it holds, empties, wrong arguments, offline."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import (
    BadResponse,
    IncompleteData,
    InvalidInput,
    OfflineError,
    UndocumentedData,
    UnknownSymbol,
)
from bgresearch.market.listings import COINS, SYMBOLS
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server
from bgresearch.sandbox.world.markets import MARKETS, find, of_kind
from bgresearch.schemas import Shape

Connect = Callable[..., Client]
Ask = Callable[[Client], Any]
HOUR_MS = 3_600_000

CALLS: dict[str, Ask] = {
    "symbols": lambda c: c.symbols("spot"), "coins": lambda c: c.coins(), "tickers": lambda c: c.tickers(),
    "prices": lambda c: c.prices("BTCUSDT"), "order_book": lambda c: c.order_book("BTCUSDT", levels=5),
    "trades": lambda c: c.trades("BTCUSDT"), "announcements": lambda c: c.announcements(),
    "funding_rates": lambda c: c.funding_rates("BTCUSDT", "2026-11-01"), "funding": lambda c: c.funding("BTCUSDT"),
    "open_interest": lambda c: c.open_interest("BTCUSDT"), "position_tiers": lambda c: c.position_tiers("BTCUSDT"),
    "fee_rates": lambda c: c.fee_rates(), "risk_reserve": lambda c: c.risk_reserve("BTCUSDT"),
    "discount_rates": lambda c: c.discount_rates(), "interest_rates": lambda c: c.interest_rates("USDT"),
    "long_short": lambda c: c.long_short("BTCUSDT"), "taker_volume": lambda c: c.taker_volume("BTCUSDT"),
    "fund_flow": lambda c: c.fund_flow("BTCUSDT"), "net_flow": lambda c: c.net_flow("BTCUSDT"),
    "margin_series": lambda c: c.margin_series("BTCUSDT"), "splits": lambda c: c.splits(),
    "dividends": lambda c: c.dividends("NVDAUSDT"), "liquidations": lambda c: c.liquidations("BTCUSDT", last="6h"),
}  # fmt: skip
DTYPES = {
    "time": "datetime64[ms, UTC]", "number": "float64", "count": "Int64", "flag": "boolean", "category": "category",
    "text": str(pd.Series(["text"]).dtype),
}  # fmt: skip
SNAPSHOTS = sorted(set(CALLS) - {"symbols", "trades", "funding_rates", "liquidations"})


def shape_of(verb: str) -> Shape:
    return getattr(Client, verb).shape  # type: ignore[no-any-return]


def has_shape(frame: pd.DataFrame, shape: Shape) -> None:
    plain = frame.reset_index() if shape.index else frame
    assert list(plain.columns) == [field.name for field in shape.fields]
    assert {field.name: str(plain[field.name].dtype) for field in shape.fields} == {
        field.name: DTYPES[field.kind] for field in shape.fields
    }


@pytest.fixture
def public(exchange: Exchange, clock: ManualClock, tmp_path: Path) -> Iterator[Client]:
    with Server(exchange) as server:
        options = {"data_dir": tmp_path / "public", "clock": clock, "progress": False}
        yield bgresearch.connect(base_url=server.url, **options)


def test_every_verb_is_called_here() -> None:
    verbs = {name for name in dir(Client) if hasattr(getattr(Client, name), "shape")}
    assert verbs == set(CALLS)


@pytest.mark.parametrize("verb", CALLS)
def test_a_verb_gives_its_columns_and_types_and_says_so_in_its_docstring(client: Client, verb: str) -> None:
    frame = CALLS[verb](client)
    assert len(frame) > 0
    has_shape(frame, shape_of(verb))
    assert frame.attrs["bgresearch"]["verb"] == verb
    documented = getattr(Client, verb).__doc__
    for field in shape_of(verb).fields:
        assert f"    {field.name} (" in documented
    for heading in ("Parameters\n---", "Raises\n---", "Returns\n---", "Notes\n---", "\nSource: "):
        assert heading in documented, heading


@pytest.mark.parametrize("verb", CALLS)
def test_no_answer_at_all_gives_an_empty_frame_of_the_same_shape_or_is_not_believed(
    client: Client, exchange: Exchange, verb: str
) -> None:
    for source in shape_of(verb).sources:
        exchange.faults.inject("false_empty", endpoint=source, probability=1.0)
    if verb == "order_book":  # its sides are missing
        with pytest.raises(BadResponse):
            CALLS[verb](client)
        return
    reported = pytest.warns(UndocumentedData, match="symbols is not complete")  # others still have prices
    with reported if verb == "symbols" else contextlib.nullcontext():
        frame = CALLS[verb](client)
    has_shape(frame, shape_of(verb))
    assert len(frame) == 0


@pytest.mark.parametrize("verb", SNAPSHOTS)
def test_a_young_answer_is_kept_and_offline_gives_it_again(connect: Connect, clock: ManualClock, verb: str) -> None:
    client = connect()
    first = CALLS[verb](client)
    sent = client.requests_sent
    clock.advance(30)
    offline = connect(offline=True)
    again = CALLS[verb](offline)
    pd.testing.assert_frame_equal(again, first)
    assert again.attrs["bgresearch"]["age_s"] >= 30
    assert client.requests_sent == sent


@pytest.mark.parametrize("verb", CALLS)
def test_offline_without_anything_kept_says_so(connect: Connect, verb: str) -> None:
    with pytest.raises(OfflineError):
        CALLS[verb](connect(offline=True))


WRONG: dict[str, tuple[Ask, str]] = {
    "market": (lambda c: c.tickers(market="moon"), "market: 'moon' is unknown"),
    "symbol": (lambda c: c.order_book(""), "symbol: '' is not a symbol"),
    "levels": (lambda c: c.order_book("BTCUSDT", levels=201), "levels: 201"),
    "age": (lambda c: c.tickers(max_age=-1), "max_age"),
    "spot funding": (lambda c: c.funding("BTCUSDT", market="spot"), "market: 'BTCUSDT' in spot has none"),
    "spot interest": (lambda c: c.open_interest(market="spot"), "market: .* in spot has none"),
    "spot pair": (lambda c: c.funding_rates("BTC/USDT", "2026-11-01"), "in spot has none"),
    "future": (lambda c: c.funding_rates("BTCUSDT", "2027-01-01"), "start: .* is in the future"),
    "end alone": (lambda c: c.trades("BTCUSDT", end="2026-11-01"), "start: is missing"),
    "period": (lambda c: c.long_short("BTCUSDT", period="7m"), "period: '7m' is unknown. Use one of 5m"),
    "period of margin": (lambda c: c.long_short("BTCUSDT", of="margin"), "period: '5m' is unknown. Use one of 24h"),
    "of": (lambda c: c.long_short("BTCUSDT", of="dogs"), "of: 'dogs' is unknown"),
    "kind": (lambda c: c.announcements("gossip"), "kind: 'gossip' is unknown"),
    "language": (lambda c: c.announcements(language="fr"), "language: 'fr' is unknown"),
    "account": (lambda c: c.discount_rates("mine"), "account: 'mine' is unknown"),
    "coin": (lambda c: c.interest_rates(""), "coin: '' is not a coin"),
    "fee market": (lambda c: c.fee_rates("moon"), "market: 'moon' is unknown"),
    "symbols market": (lambda c: c.symbols("moon"), "market: 'moon' is unknown"),
}


@pytest.mark.parametrize(("ask", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_before_a_request_is_spent(client: Client, ask: Ask, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ask(client)
    assert client.requests_sent == 0


def test_symbols_are_those_of_every_market_with_their_times(client: Client, clock: ManualClock) -> None:
    got = client.symbols().set_index(["market", "symbol"])
    expected = {(m.kind, m.symbol) for m in MARKETS if m.listed_ms <= clock.now_ms()}
    gone = {(m.kind, m.symbol) for m in MARKETS if m.futures and m.delisted_at(clock.now_ms())}
    assert set(got.index) == expected - gone
    row = got.loc[("usdt-futures", "LTCUSDT")]
    market = find("usdt-futures", "LTCUSDT")
    assert market is not None
    assert row.price_step == pytest.approx(market.price_step * 10.0**-market.price_places)
    assert row.listed.value // 10**6 == market.listed_ms
    spot = got.loc[("spot", "GONEUSDT")]
    assert not spot.trading
    assert str(spot.delisted) == "2026-02-10 10:00:00+00:00"
    assert list(got[~got.trading].index) == [("spot", "GONEUSDT")]
    has_shape(got.reset_index()[[field.name for field in SYMBOLS.fields]], SYMBOLS)


def test_tickers_of_a_market_and_of_one_symbol_agree(connect: Connect, clock: ManualClock) -> None:
    for market in ("spot", "usdt-futures", "usdc-futures", "coin-futures"):
        frame = connect().tickers(market=market)
        assert set(frame.symbol) == {m.symbol for m in of_kind(market, clock.now_ms())}  # type: ignore[arg-type]
        assert (frame.bid < frame.ask).all()
        assert frame.funding_rate.isna().all() == (market == "spot")
        one = connect().tickers(frame.symbol[0], market=market)
        assert one.symbol.to_list() == [frame.symbol[0]]


def test_an_order_book_is_best_first_on_both_sides(client: Client) -> None:
    book = client.order_book("BTC/USDT:USDT", levels=20)
    bids, asks = book[book.side == "bid"], book[book.side == "ask"]
    assert len(bids) == len(asks) == 20
    assert bids.price.is_monotonic_decreasing
    assert asks.price.is_monotonic_increasing
    assert bids.price.iloc[0] < asks.price.iloc[0]
    assert book.attrs["bgresearch"]["time"].startswith("2026-11-20T09:00:3")


@pytest.mark.parametrize(("market", "symbol"), [("spot", "BTCUSDT"), ("usdt-futures", "ETHUSDT")])
def test_past_trades_are_all_there_once_and_kept(
    connect: Connect, exchange: Exchange, clock: ManualClock, market: str, symbol: str
) -> None:
    start, end = clock.now_ms() - 30 * HOUR_MS, clock.now_ms() - 20 * HOUR_MS
    found = find(market, symbol)  # type: ignore[arg-type]
    assert found is not None
    truth = {str(t.trade_id) for t in exchange.world.trades(found, start, end) if start <= t.ts_ms // 1000 * 1000 < end}
    client = connect()
    got = client.trades(symbol, start, end, market=market)
    assert len(truth) > 1500
    assert set(got.trade_id) == truth
    assert got.trade_id.is_unique
    assert got.index.is_monotonic_increasing
    assert set(got.side) == {"buy", "sell"}
    sent = client.requests_sent
    pd.testing.assert_frame_equal(client.trades(symbol, start, end, market=market), got)
    pd.testing.assert_frame_equal(connect(offline=True).trades(symbol, start, end, market=market), got)
    assert client.requests_sent == sent


def test_past_trades_survive_faults(connect: Connect, exchange: Exchange, clock: ManualClock) -> None:
    start, end = clock.now_ms() - 30 * HOUR_MS, clock.now_ms() - 26 * HOUR_MS
    exchange.faults.inject("false_empty", endpoint="spot.fills_history", times=2)
    exchange.faults.inject("duplicates", endpoint="spot.fills_history", probability=0.5)
    found = find("spot", "ETHUSDT")
    assert found is not None
    truth = {str(t.trade_id) for t in exchange.world.trades(found, start, end) if start <= t.ts_ms // 1000 * 1000 < end}
    got = connect().trades("ETHUSDT", start, end)
    assert got.trade_id.is_unique
    assert set(got.trade_id) == truth


def test_trades_older_than_the_exchange_answers_are_an_error_that_says_from_when(client: Client) -> None:
    with pytest.raises(IncompleteData, match=r"90 days back; .* was never stored.* Ask from 2026-08-22"):
        client.trades("BTCUSDT", "2026-08-01", "2026-08-02", source="rest")
    assert client.requests_sent == 0


def test_funding_rates_go_back_to_the_listing_and_a_second_call_asks_for_the_new_ones_alone(
    connect: Connect, clock: ManualClock
) -> None:
    client = connect()
    listed = find("usdt-futures", "JUNEUSDT")
    assert listed is not None
    got = client.funding_rates("JUNEUSDT", "2020-01-01")
    assert got.index[0].value // 10**6 >= listed.listed_ms
    assert got.index[0].value // 10**6 < listed.listed_ms + 8 * HOUR_MS
    assert got.index.is_unique
    assert set((got.index[1:] - got.index[:-1]) // pd.Timedelta(hours=1)) == {8}
    sent = client.requests_sent
    clock.advance(24 * 3600)
    more = client.funding_rates("JUNEUSDT", "2020-01-01")
    assert client.requests_sent == sent + 1  # one page holds what is new
    assert len(more) == len(got) + 3
    pd.testing.assert_frame_equal(more.iloc[: len(got)], got)


def test_funding_over_many_pages_has_no_gap_whatever_an_answer_repeats(connect: Connect, exchange: Exchange) -> None:
    exchange.faults.inject("duplicates", endpoint="futures.history_fund_rate", probability=0.3)
    exchange.faults.inject("false_empty", endpoint="futures.history_fund_rate", times=1)
    got = connect().funding_rates("BTC/USDT:USDT", "2024-01-01", "2026-01-01")
    assert len(got) == 731 * 3
    assert set((got.index[1:] - got.index[:-1]) // pd.Timedelta(hours=1)) == {8}


def test_open_interest_of_all_contracts_comes_in_one_request(client: Client) -> None:
    everything = client.open_interest()
    assert client.requests_sent == 1
    assert len(everything) > 20
    assert everything.open_interest.gt(0).all()


def test_tiers_follow_each_other(client: Client) -> None:
    tiers = client.position_tiers("BTC/USDT:USDT")
    assert tiers.tier.to_list() == list(range(1, len(tiers) + 1))
    assert tiers.max_leverage.is_monotonic_decreasing
    assert (tiers.min_value.iloc[1:].to_numpy() == tiers.max_value.iloc[:-1].to_numpy()).all()


def test_announcements_of_all_pages_come_once_in_order(client: Client) -> None:
    got = client.announcements()
    assert got.index.is_monotonic_increasing
    assert got.announcement_id.is_unique
    assert client.requests_sent >= 2


def test_coins_have_a_row_a_chain(client: Client) -> None:
    coins = client.coins()
    assert list(coins[coins.coin == "USDT"].network) == ["ERC20", "TRC20", "BEP20"]
    has_shape(client.coins("btc"), COINS)
    with pytest.raises(UnknownSymbol, match=r"spot\.coins: .*is no coin"):
        client.coins("NOPE")


def test_the_exchanges_clock_is_reported(client: Client, clock: ManualClock) -> None:
    assert client.server_time().value // 10**6 == clock.now_ms()
    assert str(client.server_time().tz) == "UTC"


def test_market_verbs_need_no_key(public: Client) -> None:
    assert public.label is None
    for verb, ask in CALLS.items():
        assert len(ask(public)) > 0, verb
