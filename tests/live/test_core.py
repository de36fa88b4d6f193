"""The protocol without a socket: samples, recordings, order books, subscriptions, limits."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import random
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import INTERVALS
from bgresearch.core.symbols import Named
from bgresearch.errors import InvalidInput
from bgresearch.live.channels import CHANNELS, Channel, Subscription, chosen_channel
from bgresearch.live.continuity import BarTail, TradeTail
from bgresearch.live.decoding import Unreadable, live_shape
from bgresearch.live.depth_book import BookBroken, DepthBook
from bgresearch.live.link import Connection
from bgresearch.live.outlet import MOST_WAITING, Outlet
from bgresearch.live.pacing import MESSAGES_PER_S, SUBSCRIBES_PER_HOUR, Pace, backoff_s
from bgresearch.live.private_decoding import market_of
from bgresearch.live.protocol_core import Acknowledged, Garbage, ProtocolCore, PushedRows, Refused, Silent, grouped
from bgresearch.live.websocket import Gone

T0 = 1_789_456_512_000
PACE = Pace()
PING_S, PONG_S, SILENCE_S, FIRST_DATA_S = PACE.ping_s, PACE.pong_s, PACE.silence_s, PACE.first_data_s
SAMPLES = Path(__file__).parents[3] / "shared" / "bitget" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the samples are not part of the repository")
BTC = Named("BTCUSDT", "spot")
BOOK = chosen_channel("order_book", "spot")
TRADE = chosen_channel("trades", "spot")


def frames() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every frame that the exchange sent in the samples of today's protocol."""
    for path in sorted((SAMPLES / "ws").glob("*.json")):
        whole = json.loads(path.read_text(encoding="utf-8"))
        for frame in (*whole["acks"], *whole["pushes"]):
            yield path.name, frame
    for path in sorted((SAMPLES / "ws_2026").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield path.name, json.loads(line)


def channel_of(argument: dict[str, str]) -> Channel | None:
    """The row of the table that a pushed argument belongs to."""
    version = "v2" if "channel" in argument else "v3"
    topic = argument.get("channel") or argument["topic"]
    topic = "candle{interval}" if topic.startswith("candle") else topic
    market = argument["instType"].lower()
    rows = [row for row in CHANNELS if (row.version, row.topic) == (version, topic) and market in (*row.markets, "uta")]
    return rows[0] if rows else None


def decoded(channel: Channel, row: Any, named: Named) -> list[dict[str, Any]]:
    """The rows that a pushed row means."""
    assert channel.decode is not None
    found = channel.decode(row, named)
    return found if isinstance(found, list) else [found]


@needs_samples
def test_every_frame_of_the_samples_is_decoded_into_the_columns_of_its_verb() -> None:
    done: Counter[str] = Counter()
    for name, frame in frames():
        if "event" in frame:
            events = ProtocolCore([], 0.0).received(json.dumps(frame), 0.0)
            assert not any(isinstance(one, Garbage) for one in events), (name, frame)
            done["replies"] += 1
            continue
        channel = channel_of(frame["arg"])
        if channel is None:
            done[f"not offered: {frame['arg'].get('channel') or frame['arg'].get('topic')}"] += 1
            continue
        symbol = frame["arg"].get("instId") or frame["arg"].get("symbol") or ""
        for row in frame["data"]:
            market = frame["arg"]["instType"].lower()
            named = Named(symbol, market_of(row) if market == "uta" else market)
            if channel.decode is None:
                assert DepthBook(channel.sides).push(frame["action"], row, frame["ts"]) == (
                    frame["action"] == "snapshot"
                )
            else:
                assert live_shape(channel.shape).table(decoded(channel, row, named)).num_rows >= 1
            done[f"{channel.version} {channel.name}"] += 1
    print(dict(done))
    assert {"v2 trades", "v3 trades", "v2 candles", "v3 candles", "v2 tickers", "v3 tickers"} <= set(done)
    private = {f"{version} {name}" for version in ("v2", "v3") for name in ("fills", "positions", "account")}
    assert private | {"v2 orders"} <= set(done)
    others = {word.removeprefix("not offered: ") for word in done if word.startswith("not")}
    assert others <= {"equity", "positions-history", "orders-algo"}


ODD = (None, [], {}, [[]], [{}], 7, -1, True, "", "x", "NaN", "1e999", [1, [2]], {"a": []})


@needs_samples
def test_a_row_with_any_odd_value_is_decoded_or_unreadable_and_nothing_else() -> None:
    done: Counter[str] = Counter()
    for _, frame in frames():
        channel = None if "event" in frame else channel_of(frame["arg"])
        if channel is None or channel.decode is None:
            continue
        market = frame["arg"]["instType"].lower()
        for row in frame["data"][:1]:
            named = Named("BTCUSDT", market_of(row) if market == "uta" else market)
            names = range(len(row)) if isinstance(row, list) else list(row)
            for name, odd in itertools.product(names, ODD):
                broken = list(row) if isinstance(row, list) else dict(row)
                broken[name] = odd
                try:
                    found = decoded(channel, broken, named)
                except Unreadable:
                    done["unreadable"] += 1
                    continue
                live_shape(channel.shape).table(found)
                done["decoded"] += 1
            for odd in ODD:
                with contextlib.suppress(Unreadable):
                    decoded(channel, odd, named)
    print(dict(done))
    assert min(done.values()) > 100


def recording() -> Iterator[dict[str, Any]]:
    """Frames of thirty seconds of 2022, renamed to today's spelling of the markets."""
    for path in sorted((SAMPLES / "ws_v1").glob("*.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                time, _, text = line.partition(": ")
                if time.replace(".", "", 1).isdigit():
                    frame = json.loads(text)
                    if "arg" in frame:
                        spelled = {"sp": "SPOT", "mc": "USDT-FUTURES"}
                        frame["arg"]["instType"] = spelled[frame["arg"]["instType"].lower()]
                    yield frame


@needs_samples
def test_every_checksum_of_a_real_recording_is_met_and_every_other_row_is_decoded() -> None:
    books: dict[tuple[str, str], DepthBook] = {}
    done: Counter[str] = Counter()
    for frame in recording():
        if "action" not in frame:
            continue
        channel = channel_of(frame["arg"])
        assert channel is not None
        named = Named(frame["arg"]["instId"], frame["arg"]["instType"].lower())
        for row in frame["data"]:
            done[channel.name] += 1
            if channel.decode is not None:
                live_shape(channel.shape).table(decoded(channel, row, named))
                continue
            book = books.setdefault(named, DepthBook())
            assert book.push(frame["action"], row, 0)
            assert row["checksum"] == book.checksum()
            image = book.image()
            assert image is not None
            assert image.bids[0][0] < image.asks[0][0]
    print(dict(done))
    assert done["order_book"] == 637
    assert min(done["trades"], done["candles"], done["tickers"]) > 100


def test_the_checksum_of_the_documented_rule() -> None:
    book = DepthBook()
    book.push(
        "snapshot",
        {
            "bids": [["27000.0", "2.710"], ["26999.5", "1.460"], ["26999.0", "0.5000"]],
            "asks": [["27000.5", "8.760"], ["27001.0", "0.400"]],
            "checksum": 1735298717,
        },
        1,
    )
    assert book.checksum() == 1735298717


def level_rows(**more: Any) -> dict[str, Any]:
    return {"asks": [["101", "1"]], "bids": [["99", "2"]], "ts": "1789456512452"} | more


def snapshot(sequence: int = 2**60) -> DepthBook:
    book = DepthBook()
    assert book.push("snapshot", level_rows(seq=sequence, pseq=0), 0)
    return book


def test_updates_are_applied_in_their_order_and_their_numbers_stay_whole() -> None:
    book = snapshot()
    update = {"asks": [["100.5", "3"], ["101", "0"]], "bids": [], "seq": 2**60 + 1, "pseq": 2**60}
    assert book.push("update", update, 1789456512500)
    assert book.image() == ([(99.0, 2.0)], [(100.5, 3.0)], 1789456512500, 2**60 + 1)
    assert not book.push("update", update, 1789456512500)  # a repeated one changes nothing
    assert book.sequence == 2**60 + 1


@pytest.mark.parametrize(
    ("cause", "update"),
    [
        ("sequence gap", {"asks": [], "bids": [], "seq": 2**60 + 9, "pseq": 2**60 + 8}),
        ("reset", {"asks": [], "bids": [], "seq": 5, "pseq": 0}),
        ("crossed", {"asks": [], "bids": [["101", "1"]], "seq": 2**60 + 1, "pseq": 2**60}),
        ("checksum", {"asks": [], "bids": [], "seq": 2**60 + 1, "pseq": 2**60, "checksum": 17}),
        ("unreadable", {"asks": [["nan", "1"]], "bids": [], "seq": 2**60 + 1, "pseq": 2**60}),
        ("unreadable", {"asks": [["1"]], "bids": [], "seq": 2**60 + 1, "pseq": 2**60}),
        ("unreadable", {"asks": None, "bids": [], "seq": 2**60 + 1, "pseq": 2**60}),
        ("unreadable", {"asks": [], "bids": [], "seq": 1.5, "pseq": 2**60}),
    ],
)
def test_a_book_that_cannot_be_continued_is_not_shown_until_the_next_snapshot(
    cause: str, update: dict[str, Any]
) -> None:
    book = snapshot()
    book.push("update", {"asks": [], "bids": [], "seq": 2**60, "pseq": 2**60}, 0)
    with pytest.raises(BookBroken) as caught:
        book.push("update", update, 0)
    assert caught.value.cause == cause
    assert book.image() is None
    assert not book.push("update", {"asks": [], "bids": [], "seq": 7, "pseq": 6}, 0)
    assert book.push("snapshot", level_rows(seq=7, pseq=0), 0)
    assert book.image() is not None


def test_numbers_that_begin_again_are_no_endless_repetition() -> None:
    book = snapshot(1000)
    for number in range(3):
        assert not book.push("update", {"asks": [], "bids": [], "seq": 11 + number, "pseq": 10 + number}, 0)
    with pytest.raises(BookBroken):
        book.push("update", {"asks": [], "bids": [], "seq": 14, "pseq": 13}, 0)


def test_a_random_book_equals_one_that_is_sorted_again_each_time() -> None:
    chance = random.Random(3)  # noqa: S311
    book, plain, last = snapshot(10), {"asks": {101.0: 1.0}, "bids": {99.0: 2.0}}, 10
    for number in range(11, 600):
        changes: dict[str, list[list[str]]] = {"asks": [], "bids": []}
        for side, low in (("asks", 100.5), ("bids", 90.0)):
            for _ in range(chance.randrange(4)):
                price, amount = low + chance.randrange(20) / 2, chance.choice([0.0, 1.0, 2.5])
                changes[side].append([f"{price:.1f}", f"{amount:.3f}"])
                plain[side] = (
                    {**plain[side], price: amount} if amount else {k: v for k, v in plain[side].items() if k != price}
                )
        assert book.push("update", {**changes, "seq": number, "pseq": last}, 1)
        last = number
        image = book.image()
        assert image is not None
        assert image.bids == sorted(plain["bids"].items(), reverse=True)
        assert image.asks == sorted(plain["asks"].items())
        best = book.image(2)
        assert best is not None
        assert best.asks == image.asks[:2]
        assert best.bids == image.bids[:2]


def core(*channels: Channel, symbols: tuple[str, ...] = ("BTCUSDT",)) -> tuple[ProtocolCore, list[Subscription]]:
    wanted = [
        Subscription(one, Named(symbol, "spot"), "1m" if one.intervals else "")
        for one in channels
        for symbol in symbols
    ]
    return ProtocolCore(wanted, 0.0), wanted


def test_subscriptions_leave_ten_at_a_time_and_within_the_limits() -> None:
    this, wanted = core(
        chosen_channel("order_book", "spot", version="v3"), symbols=tuple(f"C{n}USDT" for n in range(35))
    )
    sent: list[tuple[float, str]] = []
    for tenth in range(100):
        sent += [(tenth / 10, text) for text in this.due(tenth / 10)]
    counts = [len(json.loads(text)["args"]) for _at, text in sent]
    assert counts == [10, 10, 10, 5]
    times = [at for at, _text in sent]
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) >= 1
    assert [arg for _at, text in sent for arg in json.loads(text)["args"]] == [one.argument for one in wanted]


def test_no_more_messages_leave_in_a_second_and_an_hour_than_the_exchange_takes() -> None:
    this, wanted = core(TRADE)
    times: list[float] = []
    for tick in range(36_000):
        this.resubscribe(wanted[0])
        times += [tick / 10] * len(this.due(tick / 10))
    assert 200 < len(times) <= SUBSCRIBES_PER_HOUR + 3600 / PING_S + 1
    for at in times:
        assert sum(at <= other < at + 1 for other in times) <= MESSAGES_PER_S


def acknowledged(one: Subscription) -> str:
    return json.dumps({"event": "subscribe", "arg": one.argument})


def pushed(one: Subscription, rows: list[Any], action: str = "snapshot") -> str:
    return json.dumps({"action": action, "arg": one.argument, "data": rows, "ts": 1789456512453})


class Closing:
    """A socket that is closed by the other side after some frames."""

    def __init__(self, *frames: str) -> None:
        self._frames = list(frames)

    def send(self, text: str) -> None: ...

    def close(self) -> None: ...

    def receive(self, wait_s: float) -> str:
        if not self._frames:
            raise Gone("no connection")
        return self._frames.pop(0)


def test_frames_that_came_just_before_a_connection_was_closed_are_taken_in() -> None:
    this, wanted = core(TRADE)
    connection = Connection(Closing(acknowledged(wanted[0]), pushed(wanted[0], [{"a": 1}])), this, ManualClock(T0))
    assert [type(event) for event in connection.pump(0.0)] == [Acknowledged, PushedRows]
    with pytest.raises(Gone):
        connection.pump(0.0)


def test_a_price_that_is_spelled_in_another_way_is_the_same_level() -> None:
    book = snapshot()
    update = {"asks": [["101.0", "3.0"]], "bids": [["99.00", "0.000"]], "seq": 2**60 + 1, "pseq": 2**60}
    assert book.push("update", update, 1)
    assert book.image() == ([], [(101.0, 3.0)], 1, 2**60 + 1)
    assert book.checksum() == crc32(b"101.0:3.0")
    assert book.push("update", {"asks": [[101, 4]], "bids": [], "seq": 2**60 + 2, "pseq": 2**60 + 1}, 2)
    assert book.image() == ([], [(101.0, 4.0)], 2, 2**60 + 2)
    assert book.checksum() == crc32(b"101:4")


def crc32(text: bytes) -> int:
    found = zlib.crc32(text)
    return found - 2**32 if found >= 2**31 else found


def test_pings_are_texts_and_a_missing_pong_ends_the_connection() -> None:
    this, wanted = core(TRADE)
    this.due(0.0)
    this.received(acknowledged(wanted[0]), 1.0)
    this.received(pushed(wanted[0], [{"a": 1}]), 1.0)
    assert this.due(PING_S - 1) == []
    assert this.due(PING_S) == ["ping"]
    assert this.received("pong", PING_S + 1) == []
    assert this.failure(PING_S + PONG_S + 2) is None
    assert this.due(2 * PING_S) == ["ping"]
    this.received(pushed(wanted[0], []), 2 * PING_S + PONG_S)  # data is no pong
    assert this.failure(2 * PING_S + PONG_S + 1) == "no pong"


def test_silence_and_a_subscription_without_data_end_the_connection() -> None:
    this, wanted = core(TRADE)
    this.due(0.0)
    this.received(acknowledged(wanted[0]), 1.0)
    assert not this.ready
    assert this.failure(FIRST_DATA_S) is None
    assert this.failure(FIRST_DATA_S + 1) == "no data"
    this.received(pushed(wanted[0], []), 2.0)
    assert this.ready
    assert this.failure(FIRST_DATA_S + 1) is None
    assert this.failure(SILENCE_S + 3) == "silence"


def test_a_subscription_that_falls_silent_is_asked_for_again_and_less_often_the_longer_it_stays_so() -> None:
    this, wanted = core(TRADE)
    asked: list[float] = []
    for second in range(20_000):
        if this.silent(float(second)):
            asked.append(second)
        for text in this.due(float(second)):
            if "unsubscribe" not in text and "subscribe" in text:
                this.received(pushed(wanted[0], []), float(second))
        this.received("pong", float(second))
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert asked[0] > 60
    assert pauses == sorted(pauses)
    assert 3600 <= pauses[-1] < 3700
    this.received(pushed(wanted[0], []), 20_000.0)  # it speaks by itself again
    assert this.silent(20_060.0) == []
    assert this.silent(20_061.0) == [Silent(wanted[0])]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "nul",
        '{"action":',
        "[]",
        "1",
        '{"a":NaN}',
        '{"action":"update"}',
        '{"action":1,"arg":{},"data":[]}',
        "[" * 100_000,
    ],
)
def test_texts_that_mean_nothing_are_named(text: str) -> None:
    this, _wanted = core(TRADE)
    assert [type(one) for one in this.received(text, 1.0)] == [Garbage]


def test_refusals_of_both_versions_name_their_subscription() -> None:
    v3 = chosen_channel("order_book", "usdt-futures", version="v3")
    wanted = [Subscription(TRADE, Named("NOPEUSDT", "spot")), Subscription(v3, Named("NOPEUSDT", "usdt-futures"))]
    this = ProtocolCore(wanted, 0.0)
    first = {"event": "error", "arg": wanted[0].argument, "code": 30001, "msg": "doesn't exist", "op": "subscribe"}
    said = '{"instType":"usdt-futures","symbol":"NOPEUSDT","topic":"books"} doesn\'t exist'
    second = {"event": "error", "code": 30001, "msg": said, "connId": "0a"}
    found = [*this.received(json.dumps(first), 0.0), *this.received(json.dumps(second), 0.0)]
    assert [one.subscription for one in found if isinstance(one, Refused)] == wanted
    assert {one.code for one in found if isinstance(one, Refused)} == {"30001"}


def test_a_push_belongs_to_its_subscription_in_either_spelling() -> None:
    wanted = [Subscription(chosen_channel("candles", "spot", interval="3m"), BTC, "3m")]
    this = ProtocolCore(wanted, 0.0)
    for symbol in ("symbol", "instId"):
        argument = {"instType": "SPOT", "topic": "kline", symbol: "BTCUSDT", "interval": "3m"}
        frame = json.dumps({"action": "update", "arg": argument, "data": [1], "ts": 5})
        assert this.received(frame, 0.0) == [PushedRows(wanted[0], "update", [1], 5)]


def trade(number: int) -> dict[str, Any]:
    return {"time": 1_789_456_512_000 + number, "trade_id": str(number), "side": "buy", "price": 1.0, "amount": 1.0}


def test_each_trade_is_given_once_and_a_snapshot_without_a_common_id_is_a_gap() -> None:
    tail = TradeTail()
    assert tail.joins([trade(5)])
    assert tail.fresh([trade(6), trade(5)]) == [trade(5), trade(6)]
    assert tail.joins([trade(8), trade(6)])
    assert tail.fresh([trade(8), trade(6)]) == [trade(8)]
    assert not tail.joins([trade(12), trade(11)])
    assert not TradeTail(newest_ms=1, _ids=tail._ids).joins([])


def test_a_candle_is_final_when_a_newer_one_starts_and_given_once() -> None:
    def bar(minute: int, close: float) -> dict[str, Any]:
        return {"open_time": minute * 60_000, "close": close}

    tail = BarTail(INTERVALS["1m"])
    assert tail.closed([bar(1, 1.0), bar(2, 2.0), bar(3, 3.0)]) == [bar(1, 1.0), bar(2, 2.0)]
    assert tail.closed([bar(3, 3.5)]) == []
    assert tail.closed([bar(2, 9.0)]) == []
    before = tail.final_ms
    done = tail.closed([bar(4, 4.0)])
    assert done == [bar(3, 3.5)]
    assert tail.missing(done, before) is None
    before = tail.final_ms
    done = tail.closed([bar(7, 7.0), bar(8, 1.0)])
    assert done == [bar(4, 4.0), bar(7, 7.0)]
    assert tail.closed([bar(4, 4.0), bar(7, 7.0), bar(8, 1.0)]) == []


def test_pauses_grow_to_a_bound_and_differ() -> None:
    chance = random.Random(1)  # noqa: S311
    pauses = [[backoff_s(attempt, chance) for attempt in range(1, 12)] for _ in range(20)]
    assert all(0.25 <= one[0] <= 0.5 for one in pauses)
    assert all(15 <= one[-1] <= 30 for one in pauses)
    assert len({one[5] for one in pauses}) == 20


@pytest.mark.parametrize("market", ["spot", "usdt-futures", "usdc-futures", "coin-futures"])
def test_every_channel_and_market_has_a_subscription_of_its_own(market: str) -> None:
    keys = [Subscription(row, Named("BTCUSDT", market), "1m" if row.intervals else "").key for row in CHANNELS]
    v2 = {key for key, row in zip(keys, CHANNELS, strict=True) if row.version == "v2"}
    v3 = {key for key, row in zip(keys, CHANNELS, strict=True) if row.version == "v3"}
    assert len(v2) + len(v3) == len(CHANNELS)


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        ("channel", {"name": "orderbook"}),
        ("market", {"name": "liquidations"}),
        ("interval", {"name": "candles"}),
        ("interval", {"name": "candles", "interval": "2h"}),
        ("interval", {"name": "candles", "interval": "6 parsecs"}),
        ("interval", {"name": "trades", "interval": "1m"}),
        ("depth", {"name": "order_book", "depth": 7}),
        ("depth", {"name": "order_book", "depth": True}),
        ("depth", {"name": "trades", "depth": 5}),
    ],
)
def test_arguments_that_mean_nothing_are_named(field: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        chosen_channel(market="spot", **arguments)
    assert caught.value.field == field


def test_a_connection_carries_one_version_and_fewer_than_fifty_channels() -> None:
    rows = [chosen_channel("order_book", "spot"), chosen_channel("order_book", "spot", version="v3")]
    wanted = [Subscription(row, Named(f"C{number}USDT", "spot")) for row in rows for number in range(60)]
    groups = grouped(wanted, 49)
    assert [len(group) for group in groups] == [49, 11, 49, 11]
    assert all(len({one.channel.version for one in group}) == 1 for group in groups)


def test_a_reader_that_is_too_slow_loses_the_oldest_rows_and_learns_which() -> None:
    lost: list[dict[str, Any]] = []
    outlet = Outlet(lost.extend)
    for start in range(0, MOST_WAITING + 30_000, 1_000):
        outlet.add([{"number": number} for number in range(start, start + 1_000)])
    kept = []
    while isinstance(rows := outlet.take(0.0), list):
        kept += rows
    assert len(kept) <= MOST_WAITING
    assert [row["number"] for row in (*lost, *kept)] == list(range(MOST_WAITING + 30_000))
    outlet.close()
    assert outlet.take() is None


def test_of_what_came_recently_so_many_rows_are_kept_as_was_asked_for() -> None:
    outlet = Outlet(lambda _rows: None)
    outlet.add([{"number": number} for number in range(30)])
    outlet.remember(10)
    assert [row["number"] for row in outlet.latest()] == list(range(20, 30))
    outlet.add([{"number": 30}])
    assert [row["number"] for row in outlet.latest()] == list(range(21, 31))


def test_only_the_newest_state_of_a_book_waits_for_its_reader() -> None:
    outlet = Outlet(lambda _rows: None)
    for number in range(5):
        outlet.changed([("a",), ("b",)], number)
    assert [outlet.take(0.0), outlet.take(0.0), outlet.take(0.0)] == [(("a",), 4), (("b",), 4), None]
