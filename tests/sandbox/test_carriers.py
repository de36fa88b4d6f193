"""The two ways to reach an exchange: what only one of them can get wrong."""

from __future__ import annotations

import http.client
import pickle
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange, Request, SandboxAdapter
from bgresearch.sandbox.server import Server
from tests.conftest import PATIENCE_S, child

TIME = "/api/v2/public/time"
NOW_MS = 1_780_000_000_000


def test_server_takes_a_free_loopback_port_and_gives_it_back():
    with Server(Exchange(clock=ManualClock(NOW_MS))) as server:
        parts = urlsplit(server.url)
        assert parts.hostname == "127.0.0.1"
        assert parts.port
        assert requests.get(server.url + TIME, timeout=PATIENCE_S).status_code == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S)
    with Server(Exchange(clock=ManualClock(NOW_MS)), port=parts.port) as again:
        assert again.url == server.url


def test_an_answer_waits_for_no_acknowledgement_of_the_part_before(server):
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S) as connection:
        connection.sendall(f"GET {TIME} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        assert connection.recv(1)
        transports = [one.transport for one in server._uvicorn.server_state.connections]
        accepted = [transport.get_extra_info("socket") for transport in transports]
        assert [one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in accepted] != []
        assert all(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in accepted)


def test_taken_port_is_an_error(server):
    with pytest.raises(OSError, match="in use"):
        Server(Exchange(clock=ManualClock(NOW_MS)), port=urlsplit(server.url).port)


def test_server_that_never_started_can_be_closed():
    server = Server(Exchange(clock=ManualClock(NOW_MS)))
    server.close()
    server.close()


def test_connection_is_kept_alive(server):
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", TIME)
        connection.getresponse().read()
        ours = connection.sock.getsockname()
        connection.request("GET", TIME)
        assert connection.getresponse().status == 200
        assert connection.sock.getsockname() == ours
    finally:
        connection.close()


def test_target_arrives_as_it_was_sent(server):
    seen = []

    class Listening(Exchange):
        def handle(self, request):
            seen.append(request)
            return super().handle(request)

    server.exchange = Listening(clock=ManualClock(NOW_MS))
    target = "/api/v2/spot/market/tickers?symbol=%24ALT&x=a%20b+c&y=%E5%B8%81&z=%2f"
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", target, headers={"X-Mixed-Case": "kept"})
        connection.getresponse().read()
    finally:
        connection.close()
    assert [(request.method, request.target, request.address) for request in seen] == [("GET", target, "127.0.0.1")]


def test_exchange_behind_a_running_server_can_be_replaced(server):
    for moment in (NOW_MS, NOW_MS + 1):
        server.exchange = Exchange(clock=ManualClock(moment))
        answer = requests.get(server.url + TIME, timeout=PATIENCE_S).json()
        assert answer["requestTime"] == moment


def test_many_threads_never_get_more_than_the_limit(clock):
    exchange = Exchange(clock=clock)
    count = load()["common.time"].limit.count
    start = threading.Barrier(8)

    def hammer(_):
        start.wait()
        return [exchange.handle(Request("GET", TIME, {}, "127.0.0.1")).status for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        statuses = [status for batch in pool.map(hammer, range(8)) for status in batch]
    assert statuses.count(200) == count
    assert statuses.count(429) == 400 - count


def test_adapter_answers_only_where_it_is_mounted():
    with requests.Session() as session:
        session.mount("https://api.bitget.com", SandboxAdapter(Exchange(clock=ManualClock(NOW_MS))))
        answer = session.get("https://api.bitget.com" + TIME)
        assert answer.json()["code"] == "00000"
        assert answer.headers["content-length"] == str(len(answer.content))
        assert answer.reason == "OK"
        assert pickle.loads(pickle.dumps(answer)).json() == answer.json()  # noqa: S301 - our own bytes


def test_adapter_can_stand_at_another_address(clock):
    with requests.Session() as session:
        exchange = Exchange(clock=clock)
        session.mount("http://127.0.0.1", SandboxAdapter(exchange, address="203.0.113.9"))
        session.get("http://127.0.0.1" + TIME)
        assert exchange.handle(Request("GET", TIME, {}, "127.0.0.1")).headers["x-mbx-used-remain-limit"] == "19"


def test_both_carriers_tell_the_same(server, clock):
    exchange = Exchange(clock=clock, limits=False)
    server.exchange = exchange
    with requests.Session() as session:
        session.mount("http://in.process", SandboxAdapter(exchange))
        for target in (TIME, "/api/v2/spot/public/coins", "/api/v2/spot/market/tickers?symbol=%24X", "/nothing"):
            near, far = session.get("http://in.process" + target), session.get(server.url + target)
            assert (near.status_code, near.content) == (far.status_code, far.content)


def test_foreground_server_announces_itself_and_stops_when_told():
    script = (
        "from bgresearch.sandbox.server import serve_forever\n"
        "serve_forever(0, on_ready=lambda url: print(url, flush=True))"
    )
    command = (sys.executable, "-c", script)
    with child(*command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        url = process.stdout.readline().strip()
        assert requests.get(url + TIME, timeout=PATIENCE_S).json()["code"] == "00000"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)


def test_keys_are_distinguished_and_fixed():
    assert set(SANDBOX_KEYS) >= {
        "readonly", "unified", "trader", "withdrawer", "no_address_list", "spot_only", "other_address", "demo",
        "unified_trader",
    }  # fmt: skip
    triples = [(key.api_key, key.secret_key, key.passphrase) for key in SANDBOX_KEYS.values()]
    for column in zip(*triples, strict=True):
        assert len(set(column)) == len(SANDBOX_KEYS)
    assert SANDBOX_KEYS["readonly"].api_key == "bg_a4edc89993af33cf430ee22744909cf2"


def test_repr_of_a_key_shows_none_of_its_triple():
    for key in SANDBOX_KEYS.values():
        shown = repr(key)
        assert key.name in shown
        assert not [text for text in (key.api_key, key.secret_key, key.passphrase) if text in shown]
