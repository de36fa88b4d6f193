"""What people type: common spellings of intervals, symbols, markets and times mean the same in every verb."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from bgresearch.client.statement import Statement
from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import interval_name
from bgresearch.core.symbols import known_market, wire_symbol
from bgresearch.core.timestamps import length_of, span_of
from bgresearch.errors import BgresearchError, InvalidInput, UnknownName, WrongArguments
from bgresearch.query.lens import Lens
from bgresearch.sandbox import Exchange
from tests.conftest import NOW_MS

DAY_MS = 86_400_000
INTERVALS = {
    "1m": ["1min", "1Min", "60s", "1minute", "minute"], "15m": ["15min", "15 minutes"],
    "1h": ["1H", "60min", "60m", "1hour", "1 hour", "hourly", pd.Timedelta("1h")], "4h": ["4H", "240min", "4hours"],
    "1d": ["1D", "1day", "24h", "daily", "1Dutc", "1440m"], "1w": ["1W", "1week", "7d", "1Wutc"],
    "1M": ["1mo", "1month", "monthly", "1Mutc"],
}  # fmt: skip
SYMBOLS = {
    ("BTCUSDT", "spot"): [
        "BTC-USDT", "BTC_USDT", "btcusdt", "btc-usdt", "BTC/USDT", "BTC USDT", "BTCUSDT_SPBL", " BTCUSDT ",
    ],
    ("BTCUSDT", "usdt-futures"): [
        "BTCUSDT_UMCBL", "BTC/USDT:USDT", "BTC-USDT-SWAP", "BTCUSDT.P", "BTCUSDT_PERP", "BITGET:BTCUSDT.P",
    ],
    ("BTCPERP", "usdc-futures"): ["BTCPERP_CMCBL", "BTC/USDC:USDC", "BTC-USDC-SWAP"],
    ("BTCUSD", "coin-futures"): ["BTCUSD_DMCBL", "BTC/USD:BTC", "BTC-USD-SWAP", "btcusd_perp"],
}  # fmt: skip
MARKETS = {
    "spot": ["SPOT", "Spot", " spot"],
    "usdt-futures": ["USDT-FUTURES", "usdt_futures", "USDT-M", "umcbl", "usdt-perp", "futures", "perp", "swap"],
}  # fmt: skip
MOMENTS = {"30d": "2026-10-21T09:00", "720h": "2026-10-21T09:00", "1mo": "2026-10-20T09:00", "1M": "2026-10-20T09:00",
           "2w": "2026-11-06T09:00", "ytd": "2026-01-01", "YTD": "2026-01-01", "1y": "2025-11-20T09:00"}  # fmt: skip
NOW = int(pd.Timestamp("2026-11-20T09:00Z").timestamp() * 1000)


@pytest.mark.parametrize(("name", "typed"), [(name, one) for name, many in INTERVALS.items() for one in many])
def test_an_interval_is_read_in_any_common_spelling(name: str, typed: Any) -> None:
    assert interval_name(typed) == name


@pytest.mark.parametrize(
    "typed", ["1T", "60M", "m", "M", "60", 60, "", "1x", "1 m m", "0m", "2M", "45m", "H1", None, "-1h"]
)
def test_what_may_mean_several_intervals_is_refused_with_what_there_is(typed: Any) -> None:
    with pytest.raises(InvalidInput, match="Use one of 1m, 3m"):
        interval_name(typed)


def test_a_minute_and_a_month_are_distinguished_by_their_letter_alone() -> None:
    assert (interval_name("1m"), interval_name("1M")) == ("1m", "1M")
    with pytest.raises(InvalidInput, match="60 months"):
        interval_name("60M")
    with pytest.raises(InvalidInput):
        interval_name("1Dutc", anchor="exchange")


@pytest.mark.parametrize(("named", "typed"), [(named, one) for named, many in SYMBOLS.items() for one in many])
def test_a_symbol_is_read_in_any_common_spelling(named: tuple[str, str], typed: str) -> None:
    symbol, market = named
    assert wire_symbol(typed, market) == named
    assert wire_symbol(typed, "futures" if market != "spot" else "spot") == named
    other = "coin-futures" if market != "coin-futures" else "usdt-futures"
    if any(mark in typed.upper() for mark in ("/", "BL", "SWAP", ".P", "_PERP")):  # it names its market
        with pytest.raises(InvalidInput, match="names the"):
            wire_symbol(typed, other)
    else:
        assert wire_symbol(typed, other).symbol == symbol


@pytest.mark.parametrize(("name", "typed"), [(name, one) for name, many in MARKETS.items() for one in many])
def test_a_market_is_read_in_any_common_spelling(name: str, typed: str) -> None:
    assert known_market(typed, ["BTCUSDT"]) == name


@pytest.mark.parametrize("typed", ["futures", "perp", "linear", "bogus", ""])
def test_a_market_that_may_be_any_of_three_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match="usdt-futures, usdc-futures, coin-futures"):
        known_market(typed)
    if typed == "futures":
        with pytest.raises(InvalidInput):
            known_market(typed, ["BTCUSDT", "BTCPERP"])


@pytest.mark.parametrize(("typed", "moment"), MOMENTS.items())
def test_a_start_counts_back_from_now(typed: str, moment: str) -> None:
    assert span_of(typed, None, NOW) == span_of(moment, None, NOW)


def test_months_end_with_their_last_day() -> None:
    length = length_of("1mo")
    assert length is not None
    for day, before in {"2024-03-31": "2024-02-29", "2026-01-15": "2025-12-15", "2026-12-31": "2026-11-30"}.items():
        end, start = (int(pd.Timestamp(one, tz="UTC").timestamp() * 1000) for one in (day, before))
        assert length.before(end) == start


# ---- every verb

USUAL: dict[str, Any] = {
    "symbol": "BTCUSDT", "symbols": ["BTCUSDT"], "interval": "1h", "start": NOW_MS - 2 * DAY_MS,
    "market": "usdt-futures",
    "max_age": 1e9, "kind": "open-interest", "coin": "USDT", "every": "5m", "channel": "candles",
}  # fmt: skip
TYPED: dict[str, list[Any]] = {
    "symbol": ["BTC-USDT", "btcusdt"], "symbols": [["BTC_USDT"], "btc-usdt"], "interval": ["1H", "60min"],
    "start": ["2d", "48h"], "market": ["USDT-FUTURES", "perp"], "period": ["1H"], "length": ["1H"],
}  # fmt: skip
NEEDED = {
    "announcements": {}, "import_archive": {"paths": []}, "publish": {"url": "file:///nowhere/at/all"},
    "recorded": {"every": None}, "interest_rates": {},
}  # fmt: skip
SPOT_ONLY = {"fund_flow", "net_flow", "margin_series"}
ENDLESS = {"record"}  # begins a stream


def verbs(kind: type) -> list[str]:
    return [name for name, one in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")]


QUICK = {"candles", "tickers", "fills", "recorder", "panel"}
CASES = [
    pytest.param(kind, name, parameter, typed, marks=[] if name in QUICK else [pytest.mark.slow])
    for kind in (Client, AccountVerbs)
    for name in verbs(kind)
    if name not in ENDLESS
    for parameter in inspect.signature(getattr(kind, name)).parameters
    for typed in TYPED.get(parameter, [])
]


@pytest.fixture(scope="module")
def shared(model: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """One client for all verbs: what one fetched the next has."""
    clock = ManualClock(NOW_MS)
    exchange = Exchange(clock=clock, limits=False)
    exchange.world, exchange.accounts = model.world, dict(model.accounts)
    folder: Path = tmp_path_factory.mktemp("spelled")
    return bgresearch.connect(sandbox=exchange, data_dir=folder, clock=clock, progress=False)


STARTING = [
    pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])
    for name in sorted({str(case.values[1]) for case in CASES if case.values[2] == "start"})
]


def outcome(verb: Callable[..., Any], given: dict[str, Any]) -> Any:
    """Return a frame without its provenance, the text of an error, or the shape of anything else."""
    arguments: list[Any] = []
    if inspect.Parameter.VAR_POSITIONAL in {one.kind for one in inspect.signature(verb).parameters.values()}:
        symbols = given.pop("symbols")
        arguments = [given.pop("kind"), *([symbols] if isinstance(symbols, str) else symbols)]
    try:
        found = verb(*arguments, **given)
    except BgresearchError as error:
        return type(error).__name__, str(error)
    if isinstance(found, pd.DataFrame):
        return found.drop(columns="requests", errors="ignore").to_csv()  # what is stored by then costs fewer
    return vars(found).get("asked", type(found).__name__) if hasattr(found, "__dict__") else type(found).__name__


@pytest.mark.parametrize(
    ("kind", "name", "parameter", "typed"), CASES, ids=lambda one: getattr(one, "__name__", str(one))
)
def test_every_verb_takes_any_common_spelling(
    shared: Client, kind: type, name: str, parameter: str, typed: Any
) -> None:
    verb = getattr(shared if kind is Client else shared.account, name)
    known = inspect.signature(verb).parameters
    given = {one: value for one, value in USUAL.items() if one in known} | NEEDED.get(name, {})
    if name in SPOT_ONLY or parameter in ("symbol", "symbols"):
        given.pop("market", None)
    if parameter == "market" and "symbols" not in known and "symbol" not in known and typed == "perp":
        typed = "usdt_futures"  # without a symbol it may be any of three
    if parameter == "period":
        given["period"] = "1h"
    if parameter == "start":  # the clock moves with every request that waits for its turn
        now_ms = int(shared.now.timestamp() * 1000)
        given |= {"start": now_ms - 2 * DAY_MS, "end": now_ms}
    assert outcome(verb, given | {parameter: typed}) == outcome(verb, dict(given))


def test_the_sweep_covers_every_verb_with_a_entry() -> None:
    assert len({case.values[1] for case in CASES}) >= 35
    for kind in (Client, AccountVerbs, Lens, Statement):
        for name in verbs(kind):
            assert hasattr(getattr(kind, name), "__wrapped__"), name


@pytest.mark.parametrize("name", STARTING)
def test_every_verb_with_a_start_takes_a_length_instead(shared: Client, name: str) -> None:
    verb = getattr(shared, name, None) if name in verbs(Client) else getattr(shared.account, name)
    assert verb is not None
    given = {one: value for one, value in USUAL.items() if one in inspect.signature(verb).parameters}
    given |= NEEDED.get(name, {})
    start = given.pop("start")
    end = start + DAY_MS
    assert outcome(verb, given | {"last": "1d", "end": end}) == outcome(verb, given | {"start": start, "end": end})
    with pytest.raises(InvalidInput, match="Leave one of them out"):
        verb(**given, start=start, last="1d")
    with pytest.raises(InvalidInput, match="not a length"):
        verb(**given, last="yesterday")


RECORDS = ("orders", "plan_orders", "closed_positions", "bills", "transfers", "deposits", "withdrawals", "conversions",
           "loans", "repayments", "interest", "earn_records", "tax_records")  # fmt: skip


@pytest.mark.parametrize("verb", ["fills", *(pytest.param(name, marks=pytest.mark.slow) for name in RECORDS)])
def test_records_without_a_start_go_as_far_back_as_there_is(shared: Client, verb: str) -> None:
    found = getattr(shared.account, verb)()
    begin = pd.Timestamp(found.attrs["bgresearch"]["asked"][0])
    assert shared.now - begin >= pd.Timedelta(days=89)
    with pytest.raises(InvalidInput, match="Give a start"):
        getattr(shared.account, verb)(end="2020-01-01")


def test_what_is_stored_from_before_the_look_back_is_returned_as_well(model: Exchange, tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    exchange = Exchange(clock=clock)
    exchange.world, exchange.accounts = model.world, dict(model.accounts)
    client = bgresearch.connect(sandbox=exchange, data_dir=tmp_path, clock=clock, progress=False)
    first = client.account.fills()
    clock.advance(40 * 86_400)
    later = client.account.fills()
    assert list(first.fill_id) == list(later.fill_id)[: len(first)]


WRONG = {
    "klines": "candles", "ohlcv": "candles", "get_candles": "candles", "fetch_ohlcv": "candles", "ticker": "tickers",
    "get_tickers": "tickers", "orderbook": "order_book", "fetch_order_book": "order_book",
    "fundingRates": "funding_rates",
    "balance": "account.balances", "get_balance": "account.balances", "fills": "account.fills", "candle": "candles",
    "my_trades": "account.fills", "positions": "account.positions", "openinterest": "open_interest",
}  # fmt: skip


@pytest.mark.parametrize(("wrong", "right"), WRONG.items())
def test_a_common_wrong_name_is_answered_with_the_right_one(shared: Client, wrong: str, right: str) -> None:
    with pytest.raises(UnknownName, match=rf"It is called {right}\.") as caught:
        getattr(shared, wrong)
    assert isinstance(caught.value, AttributeError)
    assert not hasattr(shared, wrong)
    if right.startswith("account.") and wrong in ("balance", "my_trades"):
        with pytest.raises(UnknownName, match=right.removeprefix("account.")):
            getattr(shared.account, wrong)


@pytest.mark.parametrize(
    ("call", "right"),
    [
        (lambda c: c.candles("BTCUSDT", "1h", since="2026-11-01"), "start"),
        (lambda c: c.candles("BTCUSDT", "1h", "2026-11-01", until="2026-11-02"), "end"),
        (lambda c: c.candles("BTCUSDT", timeframe="1h", start="1d"), "interval"),
        (lambda c: c.candles(pair="BTCUSDT", interval="1h", start="1d"), "symbol"),
        (lambda c: c.candles("BTCUSDT", "1h", "1d", limit=100), r"\.tail\(n\)"),
        (lambda c: c.account.fills(since="1d"), "start"),
        (lambda c: c.account.fills(limit=5), r"\.head\(n\)"),
        (lambda c: c.account.archive(start="1d"), "since"),
        (lambda c: c.order_book("BTCUSDT", limit=5), "levels"),
        (lambda c: c.tickers(productType="USDT-FUTURES"), "market"),
        (lambda c: c.trades("BTCUSDT", startTime="1d"), "start"),
        (lambda c: c.candles("BTCUSDT"), "interval"),
        (lambda c: c.candles("BTCUSDT", "1h", "1d", None, "spot"), "by name"),
        (lambda c: c.candles("BTCUSDT", "1h"), 'last="30d"'),
        (lambda c: c.candles("BTCUSDT", "1h", "1d").bg.plot(), "chart"),
        (lambda c: c.lens.sqls("select 1"), "sql"),
    ],
)
def test_a_wrong_argument_is_answered_with_the_right_one(
    shared: Client, call: Callable[[Client], Any], right: str
) -> None:
    with pytest.raises(InvalidInput, match=right):
        call(shared)


def test_a_wrong_argument_is_a_type_error_as_well(shared: Client) -> None:
    with pytest.raises(TypeError) as caught:
        shared.server_time(1)
    assert isinstance(caught.value, WrongArguments)
