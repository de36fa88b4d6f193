"""Streams over a real socket: what only the carrier can get wrong, and a clock that runs faster."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.fast_clock import FastClock
from bgresearch.sandbox.server import Server
from tests.conftest import PATIENCE_S, child

from .streaming import V2, V2_PRIVATE, login, v2, v3

NOW_MS = 1_795_165_230_000


@pytest.fixture
def exchange(server: Server) -> Exchange:
    server.exchange = Exchange(clock=ManualClock(NOW_MS))
    return server.exchange


def opened(server: Server, path: str = V2, **options: Any) -> ClientConnection:
    return connect(
        server.ws_url + path, compression=None, max_size=2**23, ping_interval=None, open_timeout=PATIENCE_S,
        close_timeout=1,  # this client reads nothing while it closes, and the server has much to say
        proxy=None, **options,
    )  # fmt: skip


@pytest.fixture
def socket(server: Server, exchange: Exchange) -> Iterator[ClientConnection]:
    with opened(server) as connection:
        yield connection


def heard(connection: ClientConnection) -> Any:
    return json.loads(connection.recv(timeout=PATIENCE_S))


def request(connection: ClientConnection, *arguments: dict[str, str], op: str = "subscribe") -> None:
    connection.send(json.dumps({"op": op, "args": arguments}))


def test_a_ping_and_a_subscription(socket: ClientConnection) -> None:
    socket.send("ping")
    assert socket.recv(timeout=PATIENCE_S) == "pong"
    request(socket, v2("books1"))
    assert heard(socket) == {"event": "subscribe", "arg": v2("books1")}
    assert heard(socket)["action"] == "snapshot"


def test_pushes_come_when_the_clock_of_the_exchange_moves(socket: ClientConnection, exchange: Exchange) -> None:
    request(socket, v2("ticker"))
    heard(socket), heard(socket)
    exchange.clock.sleep(5)
    assert heard(socket)["ts"] == NOW_MS + 5000


@pytest.mark.parametrize("path", ["/v2/ws/nothing", "/", "/api/v2/public/time"])
def test_a_wrong_path_is_404(server: Server, exchange: Exchange, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        opened(server, path)
    assert refused.value.response.status_code == 404


def test_too_many_connections_are_429_and_closing_one_makes_room(server: Server, exchange: Exchange) -> None:
    held = [exchange.connect(V2, {}, "127.0.0.1") for _ in range(99)]
    with opened(server) as last:
        with pytest.raises(InvalidStatus) as refused:
            opened(server)
        assert refused.value.response.status_code == 429
        last.send("ping")
        assert last.recv(timeout=PATIENCE_S) == "pong"
    until = time.monotonic() + PATIENCE_S
    while exchange._addresses._open["127.0.0.1"] > len(held):
        assert time.monotonic() < until
        time.sleep(0.01)
    with opened(server):
        pass


def test_compression_is_not_offered_and_no_protocol_pings_are_sent(server: Server, exchange: Exchange) -> None:
    connection = connect(server.ws_url + V2, compression="deflate", ping_interval=None, proxy=None)
    with connection:
        assert "Sec-WebSocket-Extensions" not in connection.response.headers
    seen = []

    class Watching(ClientConnection):
        def process_event(self, event: Any) -> None:
            seen.append(event)
            super().process_event(event)

    with opened(server, create_connection=Watching) as watching:
        request(watching, v2("ticker"))
        for _ in range(3):
            heard(watching)
            exchange.clock.sleep(40)
    assert not [event for event in seen if isinstance(event, Frame) and event.opcode is Opcode.PING]


@pytest.mark.parametrize("fault", ["drop", "half_snapshot"])
def test_a_cut_connection_ends_without_a_closing_handshake(server: Server, exchange: Exchange, fault: str) -> None:
    exchange.faults.inject(fault, times=1)
    with opened(server) as connection, pytest.raises(ConnectionClosed) as ended:  # noqa: PT012
        request(connection, v2("books"))
        while True:
            connection.recv(timeout=PATIENCE_S)
    assert ended.value.rcvd is None


def test_without_a_ping_the_connection_is_gone(socket: ClientConnection, exchange: Exchange) -> None:
    exchange.clock.sleep(120.5)
    with pytest.raises(ConnectionClosed) as ended:
        socket.recv(timeout=PATIENCE_S)
    assert ended.value.rcvd is None


@pytest.mark.parametrize(
    ("cause", "code"), [("login", 1000), ("too many", 1008), ("too long", 1008), ("a day", 1001), ("cut_24h", 1001)]
)
def test_other_ends_have_a_closing_handshake(server: Server, exchange: Exchange, cause: str, code: int) -> None:
    with opened(server, V2_PRIVATE if cause == "login" else V2) as connection:
        if cause == "login":
            connection.send(json.dumps(login("readonly", 1)))
        elif cause == "too many":
            for _ in range(11):
                connection.send("ping")
        elif cause == "too long":
            request(connection, v2("x" * 5000))
        elif cause == "cut_24h":
            exchange.faults.inject("cut_24h", times=1)
            request(connection, v2("ticker"))
        else:
            keep_alive(connection, exchange)
        with pytest.raises(ConnectionClosed) as ended:  # noqa: PT012
            while True:
                connection.recv(timeout=PATIENCE_S)
    assert ended.value.rcvd.code == code


def keep_alive(connection: ClientConnection, exchange: Exchange) -> None:
    """Let a day of the exchange's clock pass with a ping every 115 seconds."""
    for _ in range(86_400 // 115 + 1):
        exchange.clock.sleep(115)
        try:
            connection.send("ping")
            connection.recv(timeout=PATIENCE_S)
        except ConnectionClosed:
            return


def test_a_message_larger_than_the_server_reads_ends_the_connection(socket: ClientConnection) -> None:
    socket.send("x" * 100_000)
    with pytest.raises(ConnectionClosed) as ended:
        socket.recv(timeout=PATIENCE_S)
    assert ended.value.rcvd.code == 1009


def test_a_demo_key_logs_in_where_the_handshake_says_demo(server: Server, exchange: Exchange) -> None:
    message = json.dumps(login("demo", NOW_MS // 1000))
    with opened(server, V2_PRIVATE, additional_headers={"paptrading": "1"}) as connection:
        connection.send(message)
        assert heard(connection)["event"] == "login"
    with opened(server, V2_PRIVATE) as connection:
        connection.send(message)
        assert heard(connection)["code"] == 40099


def test_rest_is_answered_while_streams_flow(server: Server) -> None:
    server.exchange = Exchange(speed=20)
    with opened(server) as connection:
        request(connection, v2("books"), v2("ticker"))
        for _ in range(20):
            heard(connection)
            assert requests.get(server.url + "/api/v2/public/time", timeout=PATIENCE_S).status_code == 200


def test_the_server_stops_with_connections_open(exchange: Exchange) -> None:
    with contextlib.ExitStack() as held:
        with Server(exchange) as own:
            connections = [held.enter_context(opened(own)) for _ in range(3)]
            for connection in connections:
                request(connection, v2("ticker"))
                heard(connection)
        for connection in connections:
            with pytest.raises(ConnectionClosed):  # noqa: PT012
                while True:
                    connection.recv(timeout=PATIENCE_S)


@pytest.mark.slow
def test_many_connections_receive_the_same(server: Server, exchange: Exchange) -> None:
    with contextlib.ExitStack() as held:
        connections = [held.enter_context(opened(server)) for _ in range(8)]
        for connection in connections:
            request(connection, v2("trade"), v2("candle1m"))
            for _ in range(4):
                heard(connection)
        exchange.clock.sleep(100)
        everything = [[heard(connection) for _ in range(12)] for connection in connections]
    assert all(one == everything[0] for one in everything)


# speed


def test_a_fast_clock_speeds_up_its_wall_time_alone() -> None:
    inner = ManualClock(NOW_MS)
    inner.advance(7)
    fast = FastClock(inner, 60)
    assert (fast.now_ms(), fast.monotonic_s()) == (NOW_MS + 7000, 7)
    fast.sleep(1.5)
    assert (fast.now_ms(), fast.monotonic_s()) == (NOW_MS + 7000 + 90_000, 8.5)


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_speed_is_positive(speed: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Exchange(speed=speed)


def test_ten_minutes_of_the_markets_pass_at_speed_and_equal_rest(server: Server) -> None:
    exchange = server.exchange = Exchange(clock=ManualClock(NOW_MS), speed=60)
    with opened(server, "/v3/ws/public") as connection:
        request(connection, v3("kline", interval="1m"))
        heard(connection), heard(connection)
        latest: dict[str, Any] = {}
        exchange.clock.sleep(10)  # seconds of the machine
        while len(latest) < 11:
            for row in heard(connection)["data"]:
                latest[row["start"]] = row
    assert exchange.clock.now_ms() == NOW_MS + 600_000
    path = "/api/v3/market/candles?category=SPOT&symbol=BTCUSDT&interval=1m&limit=11"
    rows = requests.get(server.url + path, timeout=PATIENCE_S).json()["data"]
    names = ("start", "open", "high", "low", "close", "volume", "turnover")
    reported_rows = [[latest[row[0]][name] for name in names] for row in rows]
    assert reported_rows[:-1] == [row[:7] for row in rows[:-1]]


def test_the_command_serves_streams_at_a_speed() -> None:
    with child(
        sys.executable, "-m", "bgresearch", "sandbox", "--speed", "600", "--json", stdout=subprocess.PIPE
    ) as process:  # fmt: skip
        addresses = json.loads(process.stdout.readline())
        with connect(addresses["ws_url"] + V2, compression=None, proxy=None) as connection:
            request(connection, v2("ticker"))
            heard(connection)
            first, second = heard(connection)["ts"], heard(connection)["ts"]
            assert second > first
        assert requests.head(addresses["archive_url"] + "/kline/X.zip", timeout=PATIENCE_S).status_code == 403
        process.kill()
        process.communicate(timeout=PATIENCE_S)
