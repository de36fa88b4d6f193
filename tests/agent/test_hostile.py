"""Callers that mean no good, or no sense: they are refused or dropped, nothing is asked, and others are served."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start
from bgresearch.agent.protocol import (
    MAX_LINE_BYTES,
    MAX_SEARCHED_BYTES,
    VERSION,
    decode_header,
    encode_answer,
    encode_request,
)
from bgresearch.agent.requests import Examine, Fetch, Keep, Open, Rename, Search
from bgresearch.agent.server import MAX_CONNECTIONS, PATIENCE_S, WORKERS, AgentServer, listen
from bgresearch.agent.server_connection import Caller
from bgresearch.agent.socket_path import Place
from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock
from tests.agent.conftest import PASSWORD
from tests.conftest import PATIENCE_S as WAIT_S
from vault import FLOOR, Vault
from vault.hidden import Hidden


class Trap:
    """A port that a key is bound to: anyone who connects has asked."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def was_asked(self) -> bool:
        try:
            self._listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def waits_for_asking(self) -> bool:
        self._listener.settimeout(WAIT_S)
        self._listener.accept()[0].close()
        self._listener.setblocking(False)
        return True

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    trap = Trap()
    yield trap
    trap.close()


@pytest.fixture(scope="module")
def trapped(trap: Trap, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An agent whose key leads to the trap."""
    base = tmp_path_factory.mktemp("t")
    path = base / "keys" / "vault"
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault:
        vault.add("research", api_key="bg_a", secret_key="f00dfeedf00dfeed", passphrase="swordfish9", host=trap.url)
    place = Place(base / "agent")
    start(path, Hidden(PASSWORD), place=place)
    yield place
    with Agent(place) as agent:
        agent.lock()


def connected(place: Place) -> socket.socket:
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(WAIT_S)
    line.connect(str(place.socket))
    return line


def said(place: Place, sent: bytes) -> bytes:
    """What the agent answers until it hangs up or has said one line."""
    with connected(place) as line:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it hung up before everything was sent
            line.sendall(sent)
        answer = b""
        try:
            while not answer.endswith(b"\n") and (chunk := line.recv(65536)):
                answer += chunk
        except ConnectionResetError:
            return answer
        return answer


def message(**fields: Any) -> bytes:
    return json.dumps({"v": VERSION, **fields}).encode() + b"\n"


ROWS = [row for row in load() if row.private][:40]
SPELLINGS: tuple[Callable[[str, str], str], ...] = (
    lambda _, path: path,
    lambda _, path: f"https://api.bitget.com{path}",
    lambda _, path: path.replace("/", "%2F"),
    lambda row, _: f"{row}/../trade_place_order",
    lambda row, _: f"{row}%2e%2e",
    lambda row, _: f"{row}?a=b",
    lambda row, _: row.upper(),
    lambda row, _: f" {row}",
    lambda row, _: f"{row}\n",
    lambda row, _: f"{row}_x",
)
PATHS = [{"op": "fetch", "endpoint": spell(row.id, row.path)} for row, spell in itertools.product(ROWS, SPELLINGS)]
WRITES = [
    {"op": "fetch", "endpoint": endpoint}
    for endpoint in (
        "spot.trade_place_order", "spot.trade_cancel_order", "spot.trade_batch_orders", "spot.wallet_withdrawal",
        "spot.wallet_transfer", "mix.order_place_order", "futures.order_place_order", "uta.place_order", "spot", "",
        ".", "spot.", ".account_info", "../spot.account_info", "spot..account_info", "spot.account_info.", "\x00",
        "a.b",
    )
]  # fmt: skip
FIELDS = [
    {"op": "fetch", name: value}
    for name, values in {
        "method": ("POST", "PUT", "DELETE", "PATCH", "HEAD", "GET"),
        "path": ("/api/v2/spot/trade/place-order", "/", ".."),
        "url": ("https://example.com", "http://127.0.0.1", "//example.com"),
        "body": ("{}", "", None),
        "headers": ({}, {"Host": "example.com"}),
        "base_url": ("https://example.com",),
        "timestamp_ms": (1,),
        "proxy": ("http://127.0.0.1:9",),
    }.items()
    for value in values
]
OPERATIONS = [
    {"op": operation}
    for operation in (
        "post", "get", "sign", "headers", "reveal", "secret", "export", "add", "import", "unlock", "passwd", "restore",
        "close", "eval", "exec", "rotate", "pickle", "order", "withdraw", "transfer", "FETCH", "fetch ",
        "", None, 1, {}, [], True, "decrypt", "keys", "credential", "dump", "env", "stop",
    )
]  # fmt: skip
HOSTS = [
    {"op": "fetch", "host": host}
    for host in (
        "https://api.bitget.com", "http://api.bitget.com", "https://example.com", "http://127.0.0.1:1", "http://[::1]",
        "http://localhost", "", "*", "{url}/", "{url}/api", "{url}.example.com", "{url}@example.com", "{url}:80",
        " {url}", "http://127.0.0.1:0",
        "{url} ", "{url}?", "{url}#", "{url}\n", "{URL}", "ftp://127.0.0.1", "file:///etc/passwd", "unix:///x", "//x",
        "http://127.1", "http://2130706433", "http://0x7f.1", "http://127.0.0.1", "https://127.0.0.1", "javascript:1",
    )
]  # fmt: skip
REFUSED = [*PATHS, *WRITES, *FIELDS, *OPERATIONS, *HOSTS]


def filled(case: dict[str, Any], url: str) -> bytes:
    if case["op"] != "fetch":
        return message(**case)
    whole = {"key": "research", "host": url, "endpoint": "spot.account_info", "params": {}, **case}
    whole["host"] = whole["host"].replace("{url}", url).replace("{URL}", url.upper())
    return message(**whole)


def test_there_are_five_hundred_ways_to_be_refused() -> None:
    assert len({json.dumps(case) for case in REFUSED}) >= 500


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: json.dumps(case)[:60])
def test_what_is_not_a_row_of_the_table_for_the_keys_own_host_is_refused(
    case: dict[str, Any], trapped: Place, trap: Trap
) -> None:
    header = decode_header(said(trapped, filled(case, trap.url)).partition(b"\n")[0])
    assert header.error is not None
    assert header.sent == 0
    assert not trap.was_asked()


def test_the_trap_works(trapped: Place, trap: Trap) -> None:
    with connected(trapped) as line:
        line.sendall(filled({"op": "fetch"}, trap.url))
        assert trap.waits_for_asking()


def test_a_line_of_a_mebibyte_is_refused(trapped: Place) -> None:
    search = b'{"v":2,"op":"search","data":"'
    for begins, byte in ((b"", b"x"), (b"", b"["), (b"", b"\x00"), (b"", b" "), (search, b"A"), (search, b'"')):
        answer = said(trapped, begins + byte * (1 << 20))
        assert answer == b"" or "longer than" in str(decode_header(answer).error)
    with Agent(trapped) as agent:
        assert agent.is_there()


def test_the_longest_line_is_heard(trapped: Place) -> None:
    plain = message(op="status")[:-1]
    padded = plain + b" " * (MAX_LINE_BYTES - len(plain) - 1) + b"\n"
    assert decode_header(said(trapped, padded)).error is None
    assert decode_header(said(trapped, b" " + padded)).error is not None


def test_many_requests_in_one_piece_are_answered_in_order(trapped: Place) -> None:
    with connected(trapped) as line, line.makefile("rb") as answers:
        line.sendall(message(op="status") * 50 + message(op="nonsense"))
        headers = [decode_header(answers.readline()) for _ in range(51)]
        assert all(header.error is None for header in headers[:50])
        assert headers[50].error is not None
        assert answers.read() == b""


def test_five_hundred_connections_stop_nobody(trapped: Place) -> None:
    lines = []
    try:
        for number in range(500):
            lines.append(connected(trapped))
            if number % 2:
                lines[-1].sendall(b'{"v":1,"op":"sta')  # and never the rest
        with Agent(trapped) as agent:
            for _ in range(20):
                assert agent.status().unlocked
        assert decode_header(said(trapped, message(op="status"))).error is None
    finally:
        for line in lines:
            line.close()


def test_who_hangs_up_at_once_stops_nobody(trapped: Place) -> None:
    for number in range(200):
        line = connected(trapped)
        if number % 2:
            line.sendall(message(op="status"))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()
    with Agent(trapped) as agent:
        assert agent.is_there()


def test_the_longest_search_is_heard_and_nothing_else_is_as_long(trapped: Place) -> None:
    line = encode_request(Search(b"x" * MAX_SEARCHED_BYTES))
    assert decode_header(said(trapped, line)).result == {"leaks": []}
    other = line.replace(b'"op":"search","data"', b'"op":"remove","key"')
    assert "longer than 65536 bytes" in str(decode_header(said(trapped, other)).error)


class Stuck:
    """A service whose fetches wait until somebody lets them go."""

    def __init__(self) -> None:
        self.go, self.waiting = threading.Event(), threading.Semaphore(0)

    def close_unused_sockets(self) -> None:
        """Nothing to close."""

    def answer(self, request: object) -> bytes:
        if isinstance(request, Fetch):
            self.waiting.release()
            assert self.go.wait(2 * WAIT_S)
        return encode_answer({})


def test_a_person_does_not_wait_behind_research(folder: Path) -> None:
    place, stuck = Place(folder), Stuck()
    server = AgentServer(listen(place), stuck, lifetime=Forever(), clock=ManualClock(0))  # type: ignore[arg-type]
    loop = threading.Thread(target=server.run)
    loop.start()
    lines = [connected(place) for _ in range(WORKERS + 5)]
    try:
        for line in lines:
            line.sendall(encode_request(Fetch("a", "b", "spot.account_info", {})))
        assert all(stuck.waiting.acquire(timeout=WAIT_S) for _ in range(WORKERS))
        for request in (Rename("a", "b"), Open({}), Examine("a", "key"), Keep("a", "", "", "", False), Search(b"x")):
            assert decode_header(said(place, encode_request(request))).error is None
    finally:
        stuck.go.set()
        server.end("over")
        loop.join(WAIT_S)
        for line in lines:
            line.close()


class Silent:
    """A service that is never asked."""

    def close_unused_sockets(self) -> None:
        """Nothing to close."""

    def answer(self, request: object) -> bytes:
        raise AssertionError(request)


class Forever:
    """A lifetime without an end."""

    left_s = 60.0

    def over(self) -> str:
        return ""


@pytest.fixture
def server(folder: Path) -> Iterator[tuple[AgentServer, ManualClock, socket.socket]]:
    """A server in this process on a clock that is moved by hand, not running yet."""
    clock = ManualClock(0)
    listener = listen(Place(folder))
    server = AgentServer(listener, Silent(), lifetime=Forever(), clock=clock)  # type: ignore[arg-type]
    yield server, clock, listener
    server.end("over")
    server.run()


def accepted(server: AgentServer, place: Place, sent: bytes) -> tuple[socket.socket, Caller]:
    """One caller as the loop has it after it looked once."""
    line = connected(place)
    server._accept()
    caller = next(reversed(server._callers.values()))
    line.sendall(sent)
    server._serve(caller)
    return line, caller


def test_who_does_not_finish_a_line_is_dropped(
    server: tuple[AgentServer, ManualClock, socket.socket], folder: Path
) -> None:
    one, clock, _ = server
    slow, _ = accepted(one, Place(folder), b'{"v":1')
    quiet, _ = accepted(one, Place(folder), b"")
    clock.advance(PATIENCE_S)
    one._sweep()
    assert len(one._callers) == 2
    clock.advance(1.1)
    one._sweep()
    assert len(one._callers) == 1, "a connection that owes nothing may stay"
    assert slow.recv(1) == b""
    slow.close()
    quiet.close()


def test_a_byte_now_and_then_buys_no_time(server: tuple[AgentServer, ManualClock, socket.socket], folder: Path) -> None:
    one, clock, _ = server
    slow, caller = accepted(one, Place(folder), b"{")
    for _ in range(12):
        clock.advance(1.0)
        if caller.socket.fileno() >= 0:
            slow.sendall(b" ")
            one._serve(caller)
        one._sweep()
    assert not one._callers
    slow.close()


def test_who_does_not_read_is_dropped(server: tuple[AgentServer, ManualClock, socket.socket], folder: Path) -> None:
    one, clock, _ = server
    deaf, caller = accepted(one, Place(folder), b"")
    one._say(caller, b"x" * (8 << 20))
    assert caller.outgoing, "more than a socket takes"
    clock.advance(PATIENCE_S + 1.1)
    one._sweep()
    assert not one._callers
    deaf.close()


def test_who_is_silent_longest_makes_room(server: tuple[AgentServer, ManualClock, socket.socket], folder: Path) -> None:
    one, clock, _ = server
    lines = []
    for _ in range(MAX_CONNECTIONS + 1):
        lines.append(accepted(one, Place(folder), b"")[0])
        clock.advance(0.001)
    assert len(one._callers) == MAX_CONNECTIONS
    assert lines[0].recv(1) == b""
    for line in lines:
        line.close()


def test_another_user_is_not_heard(
    server: tuple[AgentServer, ManualClock, socket.socket], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _, _ = server
    monkeypatch.setattr("bgresearch.agent.server.peer_is_me", lambda _: False)
    with connected(Place(folder)) as line:
        one._accept()
        assert not one._callers
        assert line.recv(1) == b""
