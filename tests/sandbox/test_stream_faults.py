"""Each fault of a stream does what it says to the next push, and to nothing else."""

from __future__ import annotations

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange, Request
from bgresearch.sandbox.faults import FAULT_NAMES, STREAM_FAULTS

from .streaming import V2, V2_PRIVATE, Listener, login, pushes, v2

NOW_MS = 1_795_165_230_000
CHANNELS = {
    "stream.trades": "trade",
    "stream.candles": "candle1m",
    "stream.tickers": "ticker",
    "stream.order_book": "books",
}


@pytest.fixture
def exchange() -> Exchange:
    return Exchange(clock=ManualClock(NOW_MS), limits=False)


@pytest.fixture
def listener(exchange: Exchange) -> Listener:
    made = Listener(exchange)
    made.subscribe(v2("books"))
    return made


def undisturbed(seconds: float) -> list[dict]:
    """Return the pushes of a connection that nothing befalls."""
    quiet = Listener(Exchange(clock=ManualClock(NOW_MS), limits=False))
    quiet.subscribe(v2("books"))
    return pushes(quiet.wait(seconds))


def test_drop_cuts_the_connection_before_the_push(listener: Listener) -> None:
    listener.exchange.faults.inject("drop", times=1)
    assert listener.wait(1) == []
    assert (listener.endings, listener.connection.ended) == (["abort"], True)
    assert listener.send("ping") == []


def test_cut_24h_closes_in_good_order(listener: Listener) -> None:
    listener.exchange.faults.inject("cut_24h", times=1)
    assert listener.wait(1) == []
    assert listener.endings == ["expired"]


def test_gap_loses_one_push_and_the_chain_shows_it(listener: Listener) -> None:
    listener.exchange.faults.inject("gap", times=1)
    came, whole = pushes(listener.wait(2)), undisturbed(2)
    assert came == whole[1:]
    assert came[0]["data"][0]["pseq"] == whole[0]["data"][0]["seq"]


def test_duplicate_sends_a_push_twice(listener: Listener) -> None:
    listener.exchange.faults.inject("duplicate", times=2)
    whole = undisturbed(2)
    assert pushes(listener.wait(2)) == [whole[0], whole[0], whole[1], whole[1], *whole[2:]]


def test_reorder_sends_a_push_after_the_next_one(listener: Listener) -> None:
    listener.exchange.faults.inject("reorder", times=1)
    whole = undisturbed(2)
    assert pushes(listener.wait(2)) == [whole[1], whole[0], *whole[2:]]


def test_garbage_comes_instead_of_a_push(listener: Listener) -> None:
    listener.exchange.faults.inject("garbage", times=8)
    came = listener.wait(3)
    assert [one for one in came if isinstance(one, dict) and isinstance(one.get("data"), list)] == undisturbed(3)[8:]
    assert len({str(one) for one in came[:8]}) > 1
    assert not listener.connection.ended


def test_stall_of_everything_silences_pongs_and_acknowledgements_too(listener: Listener) -> None:
    listener.exchange.faults.inject("stall", times=1)
    assert listener.wait(60) == []
    assert listener.send("ping") == []
    assert listener.subscribe(v2("ticker")) == []
    assert (listener.endings, listener.connection.ended) == ([], False)


def test_stall_ends_after_its_seconds_and_what_was_in_between_is_lost(listener: Listener) -> None:
    listener.exchange.faults.inject("stall", times=1, amount=3)
    came, whole = pushes(listener.wait(10)), undisturbed(10)
    assert came == [push for push in whole if push["ts"] >= came[0]["ts"]]
    assert 3000 <= came[0]["ts"] - whole[0]["ts"] < 3500


def test_stall_of_one_stream_leaves_the_others_and_the_pongs(exchange: Exchange) -> None:
    listener = Listener(exchange)
    listener.subscribe(v2("books"), v2("ticker"))
    exchange.faults.inject("stall", endpoint="stream.order_book", times=1)
    came = pushes(listener.wait(20))
    assert {push["arg"]["channel"] for push in came} == {"ticker"}
    assert listener.send("ping") == ["pong"]


def test_half_a_snapshot_comes_and_then_nothing(exchange: Exchange) -> None:
    listener = Listener(exchange)
    exchange.faults.inject("half_snapshot", times=1)
    acknowledged, half = listener.subscribe(v2("books"))
    assert acknowledged["event"] == "subscribe"
    assert isinstance(half, str)  # no JSON
    assert half.startswith('{"action":"snapshot"')
    assert listener.endings == ["abort"]


def test_half_a_snapshot_befalls_first_pushes_alone(listener: Listener) -> None:
    listener.exchange.faults.inject("half_snapshot", times=1)
    assert pushes(listener.wait(1)) == undisturbed(1)
    again = Listener(listener.exchange)
    again.subscribe(v2("books"))
    assert again.endings == ["abort"]


@pytest.mark.parametrize("name", sorted({"gap", "duplicate", "reorder"}))
def test_what_befalls_a_sequence_spares_the_first_push(exchange: Exchange, name: str) -> None:
    exchange.faults.inject(name, times=1)
    _, image = Listener(exchange).subscribe(v2("books"))
    assert image["action"] == "snapshot"


@pytest.mark.quick_cases(11)
@pytest.mark.parametrize("name", sorted(STREAM_FAULTS))
@pytest.mark.parametrize("stream", CHANNELS)
def test_a_fault_of_one_stream_hits_that_stream_and_counts_down(exchange: Exchange, stream: str, name: str) -> None:
    exchange.faults.inject(name, endpoint=stream, times=1)
    for other, channel in CHANNELS.items():
        if other != stream:
            spared = Listener(exchange)
            spared.subscribe(v2(channel))
            spared.wait(20, step_s=1)
            assert not spared.connection.ended
    listener = Listener(exchange)
    listener.subscribe(v2(CHANNELS[stream]))
    listener.wait(60, step_s=1)
    assert not exchange.faults._on
    if name in ("drop", "cut_24h", "half_snapshot"):
        assert listener.connection.ended


def test_faults_of_rest_do_not_touch_streams_nor_streams_rest(exchange: Exchange) -> None:
    for name in FAULT_NAMES:
        if name not in STREAM_FAULTS and name != "clock_skew":
            exchange.faults.inject(name)
    listener = Listener(exchange)
    listener.subscribe(v2("books"))
    assert pushes(listener.wait(1)) == undisturbed(1)
    exchange.faults.clear()
    for name in STREAM_FAULTS:
        exchange.faults.inject(name, times=1)
    assert exchange.handle(Request("GET", "/api/v2/public/time", {}, "127.0.0.1")).status == 200
    assert len(exchange.faults._on) == len(STREAM_FAULTS)


@pytest.mark.slow
def test_faults_reach_private_streams(exchange: Exchange) -> None:
    listener = Listener(exchange, V2_PRIVATE)
    listener.send(login("readonly", NOW_MS // 1000))
    exchange.faults.inject("drop", endpoint="stream.account")
    listener.subscribe({"instType": "SPOT", "channel": "account", "coin": "default"})
    assert listener.endings == ["abort"]


def test_chances_are_the_same_for_the_same_seed() -> None:
    came = []
    for _ in range(2):
        exchange = Exchange(clock=ManualClock(NOW_MS), limits=False)
        exchange.faults.inject("gap", probability=0.3)
        listener = Listener(exchange, V2)
        listener.subscribe(v2("books"))
        came.append(pushes(listener.wait(10)))
    whole = undisturbed(10)
    assert came[0] == came[1]
    assert len(whole) * 0.5 < len(came[0]) < len(whole) * 0.9
