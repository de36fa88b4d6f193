"""Streams of the sandbox over a real socket: what they give, and what they make of faults."""

from __future__ import annotations

import functools
import io
import socket
import threading
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock, SandboxClock
from bgresearch.core.symbols import Named
from bgresearch.errors import (
    ConfigurationError,
    InvalidInput,
    NetworkError,
    OfflineError,
    UnknownSymbol,
)
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.live.channels import Subscription, chosen_channel
from bgresearch.live.hosts import LiveAccess, count_connection
from bgresearch.live.live_recorder import LiveRecorder, shown_progress
from bgresearch.live.pacing import Pace
from bgresearch.live.stream import Stream
from bgresearch.research import order_book
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server
from tests import conftest
from tests.live.conftest import Fresh

PATIENCE_S = 120.0
CONTRACTS = {"spot": "BTCUSDT", "usdt-futures": "BTCUSDT", "usdc-futures": "BTCPERP", "coin-futures": "BTCUSD"}


until = functools.partial(conftest.until, within_s=PATIENCE_S)


def history(client: Client, channel: str, symbol: str, market: str) -> pd.DataFrame:
    """Return what the REST verb of the same name gives."""
    if channel == "candles":
        return client.candles(symbol, "1m", client.now - pd.Timedelta(minutes=10), market=market)
    verb: Callable[..., pd.DataFrame] = getattr(client, channel)
    return verb(symbol, market=market)


@pytest.mark.parametrize("market", CONTRACTS)
@pytest.mark.parametrize("channel", ["trades", "candles", "tickers", "order_book"])
def test_a_frame_has_the_columns_and_dtypes_of_the_verb_of_the_same_name(
    live: Client, channel: str, market: str
) -> None:
    symbol = CONTRACTS[market]
    plain = history(live, channel, symbol, market)
    with live.stream(channel, symbol, market=market, interval="1m" if channel == "candles" else None) as stream:
        frame = next(stream)
    more = [name for name in ("symbol", "received_at") if name not in plain]
    assert list(frame) == [*plain, *more]
    assert frame.index.name == plain.index.name
    assert frame.index.dtype == plain.index.dtype
    for name in plain:
        kinds = [type(one[name].dtype) for one in (plain, frame)]
        assert kinds[0] is kinds[1], name
        assert kinds[0] is pd.CategoricalDtype or frame[name].dtype == plain[name].dtype, name
    assert set(frame.symbol) == {symbol}
    assert str(frame.received_at.dtype) == "datetime64[ms, UTC]"


@pytest.mark.slow
@pytest.mark.parametrize("depth", [None, 1, 5, 15, 50])
def test_an_order_book_is_that_of_the_exchange_at_its_own_time(
    running: Exchange, live: Client, depth: int | None
) -> None:
    with live.stream("order_book", ["BTCUSDT", "ETHUSDT"], depth=depth) as stream:
        for _ in range(5):
            image = next(stream)
            assert_is_true(running, image)
            assert set(image.groupby("symbol").received_at.nunique()) == {1}
    if depth:
        assert image.level.max() <= depth
    assert order_book.mid(image) > 0


def assert_is_true(exchange: Exchange, image: pd.DataFrame) -> None:
    """Compare an image with the exchange's own book at that instant."""
    about = image.attrs["bgresearch"]
    now_ms = pd.Timestamp(about["time"]).value // 1_000_000
    levels = int(image.level.max())
    truth = exchange.order_book(about["symbol"], now_ms=now_ms, levels=levels)
    for side in ("bid", "ask"):
        mine = image[image.side == side]
        theirs = [(float(price), float(amount)) for price, amount in truth[f"{side}s"]]
        assert list(zip(mine.price, mine.amount, strict=True)) == theirs[: len(mine)]
    assert image[image.side == "bid"].price.max() < image[image.side == "ask"].price.min()


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("fault", ["drop", "gap", "duplicate", "reorder", "garbage", "half_snapshot", "cut_24h"])
def test_an_order_book_is_true_again_after_each_fault_and_never_crossed(
    running: Exchange, live: Client, fault: Any
) -> None:
    with live.stream("order_book", "BTCUSDT") as stream:
        next(stream)
        for _ in range(2):
            running.faults.inject(fault, endpoint="stream.order_book", times=1)
            if fault == "half_snapshot":
                running.faults.inject("drop", endpoint="stream.order_book", times=1)
            seen = stream.status.messages
            until(lambda seen=seen: stream.status.messages > seen + 2)
            assert_is_true(running, stream.book("BTCUSDT"))
        for _ in range(5):
            assert_is_true(running, next(stream))
    if fault not in ("duplicate", "reorder"):
        assert stream.status.gaps >= 1
        assert not stream.gaps.repaired.any()


def direct(exchange: Exchange, client: Client, channel: str, pace: Pace, server: Server) -> Stream:
    """Return a stream that is as patient as the test says."""
    clock = exchange.clock
    access = LiveAccess(lambda: server.ws_url, LocalLimiter(clock), pace=pace)
    one = Subscription(chosen_channel(channel, "spot"), Named("BTCUSDT", "spot"))
    return Stream(client._source, access, [one])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channel", "endpoint"),
    [
        ("order_book", "stream.order_book"), ("trades", None),
        pytest.param("order_book", None, marks=pytest.mark.slow),
        pytest.param("trades", "stream.trades", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_what_falls_silent_is_noticed_and_subscribed_to_again(
    running: Exchange, fast: Exchange, fresh: Fresh, channel: str, endpoint: str | None
) -> None:
    exchange = running if channel == "order_book" else fast  # there are few trades
    pace = Pace(ping_s=0.3, pong_s=2.0, silence_s=5.0, quiet_s=1.5, first_data_s=3.0, first_pause_s=0.05)
    with Server(exchange) as server, direct(exchange, fresh(exchange), channel, pace, server) as stream:
        next(stream)
        seen = stream.status.messages
        exchange.faults.inject("stall", endpoint=endpoint, times=1)
        more = 20 if channel == "order_book" else 1  # nothing comes any more unless the silence is noticed
        until(lambda: stream.status.messages > seen + more)
        next(stream)
        if channel == "order_book":
            assert_is_true(running, stream.book("BTCUSDT"))


@pytest.mark.slow
def test_a_connection_is_renewed_before_the_exchange_cuts_it_and_nothing_is_missed(
    running: Exchange, live: Client
) -> None:
    with (
        Server(running) as server,
        direct(running, live, "order_book", Pace(renew_s=0.6), server) as stream,
    ):
        first = stream.links[0]
        opened = until(lambda: first.opened_s)
        for _ in range(3):
            opened = until(lambda before=opened: first.opened_s if first.opened_s and first.opened_s > before else None)
            assert_is_true(running, stream.book("BTCUSDT"))
        assert stream.status.reconnects == 0
        assert stream.status.gaps == 0


@pytest.mark.slow
def test_trades_that_were_missed_while_the_connection_was_down_are_fetched_in_their_place(
    fast: Exchange, fresh: Fresh
) -> None:
    client = fresh(fast)
    frames: list[pd.DataFrame] = []
    with client.stream("trades", "BTCUSDT") as stream:
        frames.append(next(stream))
        for _ in range(4):
            fast.faults.inject("drop", endpoint="stream.trades", times=1)
            seen = stream.status.reconnects
            until(lambda seen=seen: stream.status.reconnects > seen)
            frames.append(next(stream))
        last = client.now
        while frames[-1].index[-1] < last:
            frames.append(next(stream))
    came = pd.concat(frames)
    assert came.trade_id.is_unique
    assert list(came.trade_id) == sorted(came.trade_id, key=int)
    span = came.index[0].ceil("s"), came.index[-1].floor("s")
    listed = client.trades("BTCUSDT", *span)
    inside = came[(came.index >= span[0]) & (came.index < span[1])]
    assert list(inside.trade_id) == list(listed.trade_id)
    assert stream.status.reconnects == 4


def test_a_stream_ends_from_another_thread_and_what_came_can_still_be_read(live: Client) -> None:
    stream = live.stream("trades", "BTCUSDT")
    got: list[int] = []
    reader = threading.Thread(target=lambda: got.extend(len(frame) for frame in stream))
    reader.start()
    until(lambda: got)
    stream.stop()
    stream.stop()
    reader.join(PATIENCE_S)
    assert not reader.is_alive()
    assert len(stream.frame()) == sum(got)
    assert not stream.status.connected
    assert stream.status["messages"] == stream.status.messages >= 1


def test_a_symbol_that_does_not_exist_is_named_with_near_ones(live: Client) -> None:
    with live.stream("trades", ["BTCUSDT", "BTCUSTD"]) as stream, pytest.raises(UnknownSymbol, match="BTCUSDT"):
        list(stream)


def test_offline_there_is_no_stream(running: Exchange, fresh: Fresh) -> None:
    with pytest.raises(OfflineError), fresh(running, offline=True).stream("trades", "BTCUSDT"):
        pass


@pytest.mark.parametrize(
    "arguments",
    [("trades", []), ("trades", ["BTC/USDT", "BTC/USDT:USDT"]), ("fills of the market", "BTCUSDT"), ("trades", "")],
)
def test_what_means_nothing_is_refused_before_anything_is_opened(live: Client, arguments: tuple[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        live.stream(*arguments)


@pytest.mark.parametrize("url", ["ws://ws.bitget.com", "https://ws.bitget.com", "wss://", "ws.bitget.com", "wss://a b"])
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_only_encrypted_addresses_are_used_except_on_this_machine(
    url: str, by: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BGRESEARCH_WS_URL", url if by == "environment" else "")
    with pytest.raises(ConfigurationError, match="ws_url"):
        bgresearch.connect(data_dir=tmp_path, ws_url=url if by == "argument" else None)


def test_an_exchange_that_cannot_be_reached_is_named_after_some_attempts(tmp_path: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}"
    client = bgresearch.connect(base_url=url.replace("ws", "http"), ws_url=url, data_dir=tmp_path, clock=SandboxClock())
    access = LiveAccess(lambda: url, LocalLimiter(SandboxClock()), pace=Pace(first_pause_s=0.01))
    one = Subscription(chosen_channel("trades", "spot"), Named("BTCUSDT", "spot"))
    with Stream(client._source, access, [one]) as stream, pytest.raises(NetworkError, match="not reachable"):
        next(stream)


def test_another_exchange_is_streamed_by_its_own_address(running: Exchange, tmp_path: Any) -> None:
    with (
        Server(running) as server,
        bgresearch.connect(base_url=server.url, data_dir=tmp_path) as client,
        client.stream("tickers", "ETHUSDT") as stream,
    ):
        assert next(stream)["last"].iloc[0] > 0


def test_connections_are_counted_and_a_stream_that_may_not_connect_yet_says_so_and_can_be_stopped(
    running: Exchange, live: Client
) -> None:
    with Server(running) as server:
        limiter = LocalLimiter(running.clock)
        access = LiveAccess(lambda: server.ws_url, limiter)
        one = Subscription(chosen_channel("trades", "spot"), Named("BTCUSDT", "spot"))
        with Stream(live._source, access, [one]) as stream:
            next(stream)
        for _ in range(269):
            count_connection(limiter)
        with Stream(live._source, access, [one]) as stream:
            assert 0 < until(lambda: stream.status.waits_s) <= 306
            assert not stream.status.connected
            assert "more (too many connections" in stream.chart().figure().layout.title.text
            said = ScreenOfText()
            shown_progress(said)(LiveRecorder(live._source, [stream]))
            assert f"the next one in {stream.status.waits_s} s" in said.getvalue()
        assert stream.error is None
        until(lambda: not live_threads())


class ScreenOfText(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_stream_that_waited_connects_as_soon_as_it_may(live: Client, running: Exchange) -> None:
    clock = ManualClock(running.clock.now_ms())
    limiter = LocalLimiter(clock)
    with Server(running) as server:
        access = LiveAccess(lambda: server.ws_url, limiter)
        one = Subscription(chosen_channel("trades", "spot"), Named("BTCUSDT", "spot"))
        for _ in range(270):
            count_connection(limiter)
        with Stream(live._source, access, [one]) as stream:
            until(lambda: stream.status.waits_s)
            clock.advance(310)
            next(stream)
            assert stream.status.waits_s == 0


@pytest.mark.parametrize("channel", ["candles", "order_book", "trades", "tickers"])
def test_a_chart_draws_what_came(live: Client, channel: str) -> None:
    pytest.importorskip("plotly")
    with live.stream(channel, "BTCUSDT", interval="1m" if channel == "candles" else None) as stream:
        next(stream)
        figure = stream.chart(minutes=600).figure()
    assert len(figure.data) >= 1
    assert len(figure.data[0].x) >= 1


@pytest.mark.slow
def test_the_button_of_a_chart_stops_the_stream_and_its_drawing(live: Client) -> None:
    pytest.importorskip("plotly")
    with live.stream("tickers", "BTCUSDT") as stream:
        next(stream)
        chart = stream.chart()
        widget = chart.widget()
        until(lambda: chart.drawn >= 1)
        widget.children[0].click()
        assert stream.ended
        until(lambda: not chart.is_drawing)


@pytest.mark.slow
def test_an_order_book_through_two_hundred_gaps_is_that_of_the_exchange_and_never_crossed(
    fast: Exchange, fresh: Fresh
) -> None:
    compared = through_gaps(fast, fresh(fast), gaps=60)
    assert compared >= 30


def through_gaps(exchange: Exchange, client: Client, *, gaps: int) -> int:
    """Compare images with the exchange's own while updates are lost, and return how many were equal."""
    exchange.faults.inject("gap", endpoint="stream.order_book", probability=0.05)
    compared = 0
    with client.stream("order_book", "BTCUSDT") as stream:
        while stream.status.gaps < gaps:
            image = next(stream)
            assert image[image.side == "bid"].price.max() < image[image.side == "ask"].price.min()
            if compared * 2 <= stream.status.gaps:
                assert_is_true(exchange, image)
                compared += 1
    assert set(stream.gaps.cause) <= {"sequence gap", "no connection", "subscriptions used up", "silence", "over limit"}
    return compared


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_reader_does_not_wait_for_a_connection_whose_thread_has_failed(running: Exchange, live: Client) -> None:
    def wrong() -> str:
        raise LookupError("a defect")

    one = Subscription(chosen_channel("trades", "spot"), Named("BTCUSDT", "spot"))
    access = LiveAccess(wrong, LocalLimiter(running.clock))
    with Stream(live._source, access, [one]) as stream, pytest.raises(NetworkError, match="has ended"):
        next(stream)


@pytest.mark.parametrize("by", ["stop", "close"])
def test_no_thread_of_a_stream_outlives_it(running: Exchange, fresh: Fresh, by: str) -> None:
    client = fresh(running)
    streams = [client.stream(channel, "BTCUSDT") for channel in ("trades", "order_book")]
    for stream in streams:
        next(stream)
    assert live_threads()
    if by == "close":
        client.close()
    for stream in streams:
        if by == "stop":
            stream.stop()
        assert stream.ended
    until(lambda: not live_threads())


def live_threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("bgresearch-live")]
