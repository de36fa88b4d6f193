"""What streams push is what REST of the same exchange has for the same instants, to the character."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import INTERVALS, MINUTE_MS
from bgresearch.sandbox import Exchange, Request
from bgresearch.sandbox.streams.book_feeds import BOOKS50_UPDATES_MS, CHECKSUM_ENDS_MS, checksum
from bgresearch.sandbox.world.markets import MAINTENANCE, Kind

from .streaming import V2, V3, Listener, pushes, v2, v3

NOW_MS = 1_795_165_230_123  # 2026-11-20, in the middle of a minute
MARKETS: list[tuple[Kind, str]] = [
    ("spot", "BTCUSDT"), ("spot", "$ALTUSDT"), ("spot", "STILLUSDT"), ("usdt-futures", "ETHUSDT"),
    ("usdt-futures", "LTCUSDT"), ("usdc-futures", "BTCPERP"), ("coin-futures", "BTCUSD"),
]  # fmt: skip
V2_CANDLES = {
    "1m": "1m", "5m": "5m", "15m": "15m", "30m": "30m", "1H": "1h", "4H": "4h", "6H": "6h", "12H": "12h", "1D": "1d",
    "3D": "3d", "1W": "1w", "1M": "1M", "6Hutc": "6h", "12Hutc": "12h", "1Dutc": "1d", "3Dutc": "3d", "1Wutc": "1w",
    "1Mutc": "1M",
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Exchange:
    """Shares its world with the others of this module, as it is the same."""
    return Exchange(clock=ManualClock(NOW_MS), limits=False)


def exchange_at(model: Exchange, now_ms: int) -> Exchange:
    exchange = Exchange(clock=ManualClock(now_ms), limits=False)
    exchange.world = model.world
    return exchange


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(clock=ManualClock(NOW_MS), limits=False)


def rest(exchange: Exchange, path: str, **params: object) -> Any:
    """Return what REST says at the exchange's time now."""
    query = "&".join(f"{name}={str(value).replace('$', '%24')}" for name, value in params.items())
    answer = exchange.handle(Request("GET", f"{path}?{query}", {}, "127.0.0.1"))
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["data"]


def product(kind: Kind) -> str:
    return kind.upper()


def v3_name(kind: Kind, symbol: str) -> str:
    return f"{symbol}_CM" if kind == "coin-futures" else symbol


def asked(version: str, channel: str, kind: Kind, symbol: str) -> Mapping[str, str]:
    if version == "v2":
        return v2(channel, symbol, product(kind))
    return v3(channel, v3_name(kind, symbol), kind)


def listening(exchange: Exchange, version: str) -> Listener:
    return Listener(exchange, V2 if version == "v2" else V3)


# trades


def all_trades(exchange: Exchange, version: str, kind: Kind, symbol: str) -> dict[str, dict[str, str]]:
    """Return REST's latest trades in the spelling of the version's socket, by id."""
    if version == "v3":
        rows = rest(exchange, "/api/v3/market/fills", category=product(kind), symbol=symbol, limit=100)
        names = {"i": "execId", "p": "price", "v": "size", "S": "side", "T": "ts", "L": "execLinkId", "isRPI": "isRPI"}
    elif kind == "spot":
        rows = rest(exchange, "/api/v2/spot/market/fills", symbol=symbol, limit=100)
        names = {name: name for name in ("ts", "price", "size", "side", "tradeId")}
    else:
        rows = rest(exchange, "/api/v2/mix/market/fills", symbol=symbol, productType=product(kind), limit=100)
        names = {name: name for name in ("ts", "price", "size", "side", "tradeId")}
    spelled = [{short: row[long] for short, long in names.items()} for row in rows]
    return {row.get("tradeId") or row["i"]: row for row in spelled}


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize(("kind", "symbol"), MARKETS)
def test_trades_are_those_of_rest_none_missing_and_none_twice(
    exchange: Exchange, version: str, kind: Kind, symbol: str
) -> None:
    listener = listening(exchange, version)
    _, first = listener.subscribe(asked(version, "publicTrade" if version == "v3" else "trade", kind, symbol))
    came = all_trades(exchange, version, kind, symbol)
    assert first["action"] == "snapshot"
    assert first["data"] == list(came.values())[:50]  # newest first, as on REST
    seen = [row.get("tradeId") or row["i"] for row in first["data"]]
    name = "i" if version == "v3" else "tradeId"
    for push in pushes(listener.wait(600, step_s=0.1)):
        assert push["action"] == "update"
        times = [int(row.get("ts") or row["T"]) for row in push["data"]]
        assert times == sorted(times, reverse=True)
        assert 0 < push["ts"] - times[0] <= 100
        seen = [row[name] for row in push["data"]] + seen
    came = all_trades(exchange, version, kind, symbol)
    pushed_ms = listener.clock.now_ms() // 100 * 100
    came = {known: row for known, row in came.items() if int(row.get("ts") or row["T"]) < pushed_ms}
    assert seen[: len(came)] == list(came)[: len(seen)]
    rows = {row[name]: row for push in pushes(listener.heard) for row in push["data"]}
    common = rows.keys() & came.keys()
    assert {known: rows[known] for known in common} == {known: came[known] for known in common}
    assert common == set(came) & set(seen)


def test_trade_ids_tell_their_millisecond(exchange: Exchange) -> None:
    listener = Listener(exchange)
    listener.subscribe(v2("trade"))
    listener.wait(120, step_s=1)
    rows = [row for push in pushes(listener.heard) for row in push["data"]]
    assert len(rows) > 50
    assert all((int(row["tradeId"]) >> 22) + 1_435_725_920_677 == int(row["ts"]) for row in rows)


# candles


def rest_candle(
    exchange: Exchange, version: str, market: tuple[Kind, str], *, word: str, opened: str
) -> list[str] | None:  # fmt: skip
    """Return one candle as REST has it now: open time, prices, base volume, quote volume."""
    kind, symbol = market
    contract = {"symbol": symbol, "productType": product(kind), "granularity": word, "limit": 10}
    if version == "v3":
        rows = rest(
            exchange, "/api/v3/market/candles", category=product(kind), symbol=symbol, interval=word, limit=10,
        )  # fmt: skip
    elif kind == "spot":
        interval, utc = INTERVALS[V2_CANDLES[word]], word.endswith("utc")
        spelled = interval.spelling("spot", "utc" if utc else "exchange")
        rows = rest(exchange, "/api/v2/spot/market/candles", symbol=symbol, granularity=spelled, limit=10)
        rows = [[*row[:6], row[7]] for row in rows]  # base, USDT, quote
    else:
        rows = rest(exchange, "/api/v2/mix/market/candles", **contract)
    return next((row for row in rows if row[0] == opened), None)


def candle_of(version: str, row: Any) -> list[str]:
    if version == "v3":
        return [row[name] for name in ("start", "open", "high", "low", "close", "volume", "turnover")]
    assert len(row) == 8
    assert row[6] == row[7]  # quote coin, then USDT
    return list(row[:7])


@pytest.mark.quick_cases(17)
@pytest.mark.parametrize(("kind", "symbol"), MARKETS)
@pytest.mark.parametrize(("version", "word"), [("v2", "1m"), ("v3", "1m"), ("v2", "5m"), ("v3", "3m")])
def test_a_pushed_candle_is_that_of_rest_at_the_instant_of_the_push(
    exchange: Exchange, version: str, word: str, kind: Kind, symbol: str
) -> None:
    listener = listening(exchange, version)
    argument = dict(asked(version, "kline" if version == "v3" else f"candle{word}", kind, symbol))
    if version == "v3":
        argument["interval"] = word
    listener.subscribe(argument)
    for push in pushes(listener.wait(400 if word == "1m" else 650, step_s=1)):
        [row] = push["data"]
        candle = candle_of(version, row)
        moment = exchange_as_of(exchange, push["ts"])
        assert candle == rest_candle(moment, version, (kind, symbol), word=word, opened=candle[0])
    finals = final_bars(version, listener.heard)
    assert len(finals) >= (6 if word == "1m" else 1)
    for opened, candle in finals.items():
        assert candle == rest_candle(exchange, version, (kind, symbol), word=word, opened=opened)


def exchange_as_of(exchange: Exchange, now_ms: int) -> Exchange:
    """Return the same exchange at another instant; its world is shared."""
    return exchange_at(exchange, now_ms)


def final_bars(version: str, messages: list[Any]) -> dict[str, list[str]]:
    """Return each bar as it was pushed last before a newer one began, by open time."""
    latest: dict[str, list[str]] = {}
    for push in pushes(messages):
        if push["action"] == "update":
            for row in push["data"]:
                candle = candle_of(version, row)
                assert not latest or int(candle[0]) >= int(max(latest, key=int))  # never back to an older bar
                latest[candle[0]] = candle
    if latest:
        del latest[max(latest, key=int)]
    return latest


@pytest.mark.parametrize("word", V2_CANDLES)
@pytest.mark.parametrize(("kind", "symbol"), [("spot", "ETHUSDT"), ("usdt-futures", "ETHUSDT")])
def test_the_first_push_of_candles_is_ascending_and_that_of_rest(
    model: Exchange, kind: Kind, symbol: str, word: str
) -> None:
    exchange = exchange_at(model, NOW_MS)
    listener = Listener(exchange)
    _, first = listener.subscribe(v2(f"candle{word}", symbol, product(kind)))
    opens = [int(row[0]) for row in first["data"]]
    assert opens == sorted(set(opens))
    assert len(opens) == 1000 if word in ("1m", "5m", "15m", "30m", "1H", "4H") else len(opens) >= 12
    for row in (first["data"][-1], first["data"][-2]):
        assert candle_of("v2", row) == rest_candle(exchange, "v2", (kind, symbol), word=word, opened=row[0])


@pytest.mark.parametrize("word", ["1m", "3m", "5m", "15m", "30m", "1H", "4H", "6H", "12H", "1D"])
def test_the_first_push_of_v3_candles_is_that_of_rest(model: Exchange, word: str) -> None:
    exchange = exchange_at(model, NOW_MS)
    _, first = Listener(exchange, V3).subscribe(v3("kline", interval=word))
    for row in first["data"][-2:]:
        assert candle_of("v3", row) == rest_candle(exchange, "v3", ("spot", "BTCUSDT"), word=word, opened=row["start"])


def test_a_closed_bar_comes_once_more_less_than_a_second_after_its_end(exchange: Exchange) -> None:
    listener = Listener(exchange)
    listener.subscribe(v2("candle1m"))
    came = [(push["ts"], int(push["data"][0][0])) for push in pushes(listener.wait(300, step_s=0.01))]
    closing = [moment for moment, opened in came if moment >= opened + MINUTE_MS]
    assert [moment % MINUTE_MS for moment in closing] == [430] * 5
    following = [min(ts for ts, opened in came if opened == moment - 430) for moment in closing]
    assert all(moment < later <= moment - 430 + 1000 for moment, later in zip(closing, following, strict=True))


def test_an_hour_of_maintenance_has_no_bars_and_the_last_one_before_is_closed(model: Exchange) -> None:
    start, stop = MAINTENANCE[1]
    exchange = exchange_at(model, start - 30_000)
    listener = Listener(exchange)
    listener.subscribe(v2("candle1m"), v2("trade"))
    came = pushes(listener.wait((stop - start) / 1000 + 120, step_s=1))
    opens = {int(push["data"][0][0]) for push in came if push["arg"]["channel"] == "candle1m"}
    assert not [opened for opened in opens if start <= opened < stop]
    assert {start - MINUTE_MS, stop} <= opens
    candles = [push for push in came if push["arg"]["channel"] == "candle1m"]
    last = [push["ts"] for push in candles if push["data"][0][0] == str(start - MINUTE_MS)][-1]
    assert last == start + 430
    trades = [int(row["ts"]) for push in came if push["arg"]["channel"] == "trade" for row in push["data"]]
    assert not [ts for ts in trades if start <= ts < stop]
    assert trades


# tickers


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize(("kind", "symbol"), MARKETS)
def test_a_ticker_is_that_of_rest_at_the_instant_of_the_push(
    exchange: Exchange, version: str, kind: Kind, symbol: str
) -> None:
    listener = listening(exchange, version)
    listener.subscribe(asked(version, "ticker", kind, symbol))
    listener.clock.advance((1000 - NOW_MS % 1000) / 1000)
    listener.wait(0, step_s=1)
    listener.wait(20, step_s=1)
    came = pushes(listener.heard)
    assert len(came) == 22
    assert {push["action"] for push in came} == {"snapshot"}
    for push in came:
        moment = exchange_as_of(exchange, push["ts"])
        [row] = push["data"]
        if version == "v3":
            [same] = rest(moment, "/api/v3/market/tickers", category=product(kind), symbol=symbol)
        elif kind == "spot":
            [same] = rest(moment, "/api/v2/spot/market/tickers", symbol=symbol)
            same["open24h"] = same["open"]
        else:
            [same] = rest(moment, "/api/v2/mix/market/ticker", symbol=symbol, productType=product(kind))
        if kind != "spot":
            [funding] = rest(moment, "/api/v2/mix/market/funding-time", symbol=symbol, productType=product(kind))
            same["nextFundingTime"] = funding["nextFundingTime"]
        same["instId"] = symbol
        own = {"symbolType", "deliveryPrice"}
        assert {name: value for name, value in row.items() if name not in own} == {
            name: same[name] for name in row if name not in own
        }
        if version == "v2":
            assert row["ts"] == str(push["ts"])
        assert ("markPrice" in row) is (kind != "spot")


# order books


class Book:
    """A book kept by the documentation's rule; complains where the rule is broken."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[str, str]] = {}
        self.seq = 0

    def apply(self, push: Mapping[str, Any]) -> None:
        [row] = push["data"]
        asks, bids = (row["a"], row["b"]) if "a" in row else (row["asks"], row["bids"])
        assert isinstance(row["seq"], int)
        if push["action"] == "snapshot":
            assert row.get("pseq", 0) == 0
            self.sides = {"bids": {}, "asks": {}}
        else:
            assert row["pseq"] == self.seq
            assert row["seq"] > row["pseq"] > 0
        self.seq = row["seq"]
        for name, levels in (("bids", bids), ("asks", asks)):
            prices = [float(price) for price, _ in levels]
            assert prices == sorted(set(prices), reverse=name == "bids")
            for price, size in levels:
                if size == "0":
                    del self.sides[name][price]  # only what was there is taken away
                else:
                    assert self.sides[name].get(price) != size  # only what changed is pushed
                    self.sides[name][price] = size

    def image(self) -> dict[str, list[list[str]]]:
        return {
            name: [[price, levels[price]] for price in sorted(levels, key=float, reverse=name == "bids")]
            for name, levels in self.sides.items()
        }


DEPTHS = {
    "v2": {"books": None, "books1": 1, "books5": 5, "books15": 15},
    "v3": {"books": 1000, "books1": 1, "books5": 5, "books50": 50},
}


def depth(version: str, channel: str, kind: Kind) -> int:
    small = kind in ("usdc-futures", "coin-futures")
    return DEPTHS[version][channel] or (200 if small else 500)


@pytest.mark.quick_cases(10)
@pytest.mark.parametrize(("kind", "symbol"), MARKETS)
@pytest.mark.parametrize(("version", "channel"), [(one, channel) for one, all_ in DEPTHS.items() for channel in all_])
def test_a_kept_book_is_the_exchanges_at_every_push(
    exchange: Exchange, version: str, channel: str, kind: Kind, symbol: str
) -> None:
    listener = listening(exchange, version)
    _, first = listener.subscribe(asked(version, channel, kind, symbol))
    book, levels = Book(), depth(version, channel, kind)
    seconds, every = (60, 1) if levels <= 50 else (12, 7)
    came = [first, *pushes(listener.wait(seconds, step_s=0.5))]
    for place, push in enumerate(came):
        book.apply(push)
        if place % every == 0:
            true = exchange.order_book(symbol, kind=kind, now_ms=push["ts"], levels=levels)
            assert book.image() == true
            assert len(true["asks"]) == levels
            assert float(true["bids"][0][0]) < float(true["asks"][0][0])
    incremental = channel in ("books", "books50")
    assert {push["action"] for push in came[1:]} == {"update" if incremental else "snapshot"}
    assert len(came) > 10
    assert all((push["data"][0]["seq"] > 2**53) is (kind == "coin-futures") for push in came)
    assert book.image() == exchange.order_book(symbol, kind=kind, now_ms=came[-1]["ts"], levels=levels)


@pytest.mark.parametrize(("kind", "symbol"), MARKETS)
def test_the_true_book_is_that_of_rest_and_around_the_last_price(exchange: Exchange, kind: Kind, symbol: str) -> None:
    for seconds in (0, 0.05, 0.1, 7, 61):
        exchange.clock.sleep(seconds)
        now_ms = exchange.clock.now_ms()
        true = exchange.order_book(symbol, kind=kind, now_ms=now_ms, levels=50)
        if kind == "spot":
            came = rest(exchange, "/api/v2/spot/market/orderbook", symbol=symbol, limit=50)
            last = rest(exchange, "/api/v2/spot/market/tickers", symbol=symbol)[0]["lastPr"]
            assert (came["bids"], came["asks"]) == (true["bids"], true["asks"])
        else:
            last = rest(exchange, "/api/v2/mix/market/ticker", symbol=symbol, productType=product(kind))[0]["lastPr"]
        unified = rest(exchange, "/api/v3/market/orderbook", category=product(kind), symbol=symbol, limit=50)
        assert (unified["b"], unified["a"]) == (true["bids"], true["asks"])
        assert float(true["bids"][0][0]) < float(last) < float(true["asks"][0][0])


def test_a_book_changes_in_a_few_levels_between_two_updates(exchange: Exchange) -> None:
    listener = Listener(exchange)
    listener.subscribe(v2("books"))
    sizes = [len(push["data"][0]["asks"]) + len(push["data"][0]["bids"]) for push in pushes(listener.wait(20))]
    assert sorted(sizes)[len(sizes) // 2] < 40


def test_v2_pushes_have_a_checksum_until_it_was_given_up_and_then_none(model: Exchange) -> None:
    for now_ms, there in ((CHECKSUM_ENDS_MS - 60_000, True), (CHECKSUM_ENDS_MS, False)):
        exchange = exchange_at(model, now_ms)
        for channel in ("books", "books5"):
            listener = Listener(exchange)
            _, first = listener.subscribe(v2(channel))
            book = Book()
            for push in [first, *pushes(listener.wait(5))]:
                [row] = push["data"]
                assert ("checksum" in row, "pseq" in row) == (there, not there)
                if there and channel == "books":
                    row["pseq"] = book.seq if push["action"] == "update" else 0
                    book.apply(push)
                    image = book.image()
                    assert row["checksum"] == checksum(image["bids"], image["asks"])
                    assert -(2**31) <= row["checksum"] < 2**31
                elif there:
                    assert row["checksum"] == 0
    listener = Listener(exchange_at(model, CHECKSUM_ENDS_MS - 60_000), V3)
    assert "checksum" not in listener.subscribe(v3("books"))[1]["data"][0]


def test_the_checksum_is_that_of_the_computed_vector() -> None:
    bids = [["27000.0", "2.710"], ["26999.5", "1.460"], ["26999.0", "0.5000"]]
    asks = [["27000.5", "8.760"], ["27001.0", "0.400"]]
    assert checksum(bids, asks) == 1735298717


def test_books50_changes_from_images_to_updates_in_the_middle_of_a_connection(model: Exchange) -> None:
    exchange = exchange_at(model, BOOKS50_UPDATES_MS - 10_000)
    listener = Listener(exchange, V3)
    _, first = listener.subscribe(v3("books50"))
    book = Book()
    actions = []
    for push in [first, *pushes(listener.wait(20))]:
        book.apply(push)
        actions.append((push["ts"] >= BOOKS50_UPDATES_MS, push["action"]))
        assert book.image() == exchange.order_book("BTCUSDT", now_ms=push["ts"], levels=50)
    assert set(actions) == {(False, "snapshot"), (True, "update")}


def test_v3_rows_name_their_deepest_level(exchange: Exchange) -> None:
    _, first = Listener(exchange, V3).subscribe(v3("books"))
    assert list(first["data"][0]) == ["a", "b", "seq", "pseq", "ts", "maxdepth"]
    assert first["data"][0]["maxdepth"] == "1000"


# liquidations


@pytest.mark.parametrize("product", ["usdt-futures", "usdc-futures", "coin-futures"])
def test_liquidations_of_a_product_are_at_its_trades_and_of_no_symbol(exchange: Exchange, product: str) -> None:
    listener = Listener(exchange, V3)
    [answer] = listener.subscribe({"instType": product, "topic": "liquidation"})
    assert answer["event"] == "subscribe"
    came = pushes(listener.wait(1800, step_s=1))
    rows = [row for push in came for row in push["data"]]
    assert rows
    assert all(set(row) == {"symbol", "side", "price", "amount", "ts"} for row in rows)
    assert [int(row["ts"]) for row in rows] == sorted(int(row["ts"]) for row in rows)
    row = rows[-1]
    moment = exchange_as_of(exchange, int(row["ts"]))
    [latest, *_] = rest(moment, "/api/v2/mix/market/fills", symbol=row["symbol"], productType=product.upper(), limit=1)
    assert (latest["price"], latest["size"], latest["ts"]) == (row["price"], row["amount"], row["ts"])


# time


def test_what_is_pushed_does_not_depend_on_how_often_one_looks(exchange: Exchange) -> None:
    arguments = [v2("trade"), v2("candle1m"), v2("books")]
    came = []
    for step_s in (0.05, 0.5, 1.5):
        listener = Listener(exchange_at(exchange, NOW_MS))
        listener.subscribe(*arguments)
        listener.wait(60, step_s=step_s)
        came.append(pushes(listener.heard))
    assert came[0] == came[1] == came[2]
    times = [push["ts"] for push in came[0]]
    assert times == sorted(times)


def test_a_delisted_market_falls_silent(model: Exchange) -> None:
    delisted = 1_770_717_600_000  # GONEUSDT, 2026-02-10 10:00
    exchange = exchange_at(model, delisted - 60_000)
    listener = Listener(exchange)
    channels = ("trade", "candle1m", "ticker", "books", "books5")
    listener.subscribe(*(v2(channel, "GONEUSDT") for channel in channels))
    before = pushes(listener.wait(59))
    assert {push["arg"]["channel"] for push in before} == set(channels)
    after = pushes(listener.wait(120))
    assert {push["ts"] for push in after if push["ts"] > delisted + 1000} == set()
    closing = [push for push in after if push["arg"]["channel"] == "candle1m"][-1]
    assert (closing["ts"], closing["data"][0][0]) == (delisted + 430, str(delisted - MINUTE_MS))
    assert listener.subscribe(v2("trade", "GONEUSDT", "SPOT") | {"channel": "books1"})[0]["code"] == 30001
