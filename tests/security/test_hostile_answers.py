"""An exchange that means harm: bodies that grow, trickle, nest or lie end in an error with a name, and soon."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from bgresearch.catalogue import load
from bgresearch.catalogue.response import MAX_BODY_BYTES
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BadResponse, BgresearchError, NetworkError
from bgresearch.frames import decode
from bgresearch.http import sender as wire_module
from bgresearch.http.sender import Wire
from bgresearch.keys.permissions import permissions
from bgresearch.session.identity import AccountIdentity
from tests.http.conftest import NOW_MS, good
from tests.security.conftest import Street, credential

PUBLIC, PRIVATE = load()["spot.candles"], load()["spot.account_assets"]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Talk = Callable[[socket.socket], None]


class Villain:
    """Answers every connection with whatever bytes it was configured to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.talk: Talk = lambda _peer: None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                try:
                    peer.recv(65_536)
                    self.talk(peer)
                except OSError:
                    continue

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def villain(monkeypatch: pytest.MonkeyPatch) -> Iterator[Villain]:
    monkeypatch.setattr(wire_module, "ATTEMPTS", 1)
    made = Villain()
    yield made
    made.close()


def said(body: bytes, *more: bytes) -> Talk:
    head = HEAD + b"".join(more) + b"Content-Length: %d\r\n\r\n" % len(body)
    return lambda peer: peer.sendall(head + body)


def zipped(layers: int) -> Talk:
    body = bytes(4 * MAX_BODY_BYTES)
    for _ in range(layers):
        body = gzip.compress(body)
    return said(body, b"Content-Encoding: " + b", ".join([b"gzip"] * layers) + b"\r\n")


def endless(peer: socket.socket) -> None:
    peer.sendall(HEAD + b"Content-Length: 99999999999\r\n\r\n")
    for _ in range(64):
        peer.sendall(bytes(1024 * 1024))


ANSWERS: dict[str, Talk] = {
    "a gzip bomb": zipped(1),
    "a bomb in a bomb": zipped(2),
    "a bomb in a bomb in a bomb": zipped(3),
    "an endless body": endless,
    "an unknown encoding": said(b"x", b"Content-Encoding: br\r\n"),
    "a broken encoding": said(b"x", b"Content-Encoding: gzip\r\n"),
    "a long header": lambda peer: peer.sendall(HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n{}"),
    "many headers": lambda peer: peer.sendall(HEAD + b"X: a\r\n" * 500 + b"\r\n{}"),
    "two lengths": lambda peer: peer.sendall(HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "a negative length": lambda peer: peer.sendall(HEAD + b"Content-Length: -5\r\n\r\n{}"),
    "no protocol": lambda peer: peer.sendall(b"hello"),
    "nothing": lambda peer: None,
    "status 000": lambda peer: peer.sendall(b"HTTP/1.1 000 X\r\n\r\n"),
    "status 101": lambda peer: peer.sendall(b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n"),
    "a bad chunk": lambda peer: peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a negative chunk": lambda peer: peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n"),
    "a cut chunk": lambda peer: peer.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\nabc"),
    "a place in another alphabet": lambda peer: peer.sendall(
        b"HTTP/1.1 302 X\r\nLocation: \xff\x1b[31m\r\nContent-Length: 0\r\n\r\n"
    ),
}


SAID = {"a gzip bomb": "larger than", "an endless body": "larger than", "a bomb in a bomb": "broken off"}


@pytest.mark.parametrize("name", ANSWERS)
def test_hostile_bytes_end_in_an_error_with_a_name(name: str, villain: Villain, wires: Callable[..., Wire]) -> None:
    villain.talk = ANSWERS[name]
    with pytest.raises(NetworkError, match=SAID.get(name)) as caught:
        wires(villain.url).send(PUBLIC, {})
    assert str(caught.value).isprintable()


class Ticking(ManualClock):
    """A clock on which ten seconds pass whenever somebody looks; ``looked`` says that somebody did."""

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms)
        self.looked = threading.Event()

    def monotonic_s(self) -> float:
        self.sleep(10)
        self.looked.set()
        return super().monotonic_s()


@pytest.mark.parametrize("coding", [b"Content-Length: 60000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nEA60\r\n"])
def test_a_trickling_body_ends_at_its_deadline(coding: bytes, villain: Villain, wires: Callable[..., Wire]) -> None:
    clock, over = Ticking(NOW_MS), threading.Event()

    def trickle(peer: socket.socket) -> None:
        clock.looked.clear()
        peer.sendall(HEAD + coding)
        for _ in range(100):  # a reader that wants a whole chunk would not look until it has one
            clock.looked.wait(1)  # a thread of an earlier attempt may have taken the look
            if over.is_set():
                return
            clock.looked.clear()
            peer.sendall(b" ")

    villain.talk = trickle
    with pytest.raises(NetworkError, match="no answer in time"):
        wires(villain.url, clock=clock).send(PUBLIC, {})
    over.set()
    clock.looked.set()


def nested(shape: str, depth: int) -> bytes:
    start, end = (b'{"x":', b"}") if shape == "object" else (b"[", b"]")
    return start * depth + b"1" + end * depth


@pytest.mark.parametrize("shape", ["list", "object"])
@pytest.mark.parametrize("place", [b'{"code":"1","msg":%b}', b'{"code":%b}', b'{"code":"00000","data":[{"coin":%b}]}',
                                   b'{"code":"00000","data":{"beside":%b,"coin":"1"}}'])  # fmt: skip
@pytest.mark.filterwarnings("ignore::bgresearch.errors.UndocumentedData")
def test_no_depth_of_nesting_fills_the_stack(shape: str, place: bytes) -> None:
    endings = set()
    for depth in [*range(840, 1000), 10_000, 200_000]:
        try:
            decode(load()["spot.coins"], place % nested(shape, depth))
        except BgresearchError as error:
            endings.add(type(error))
    assert BadResponse in endings


@pytest.mark.parametrize("time", ["9" * 15, "9" * 5000, "-1", "1e13", "\u0661" * 13, "", None, [], 10**30])
def test_an_odd_clock_of_the_exchange_is_refused(time: object, street: Street, wires: Callable[..., Wire]) -> None:
    street.bound.answer = lambda *_: good({"serverTime": time})
    with pytest.raises(BadResponse, match="serverTime"):
        wires(street.bound.url, signer=credential(street.bound.url)).send(PRIVATE, {})
    assert not [headers for _, headers in street.bound.seen if "access-sign" in headers]


def test_the_exchange_s_words_cannot_paint_over_a_verdict(street: Street, wires: Callable[..., Wire]) -> None:
    painted = "wwow\x1b[1A\x1b[2Kread-only\u202e\r"
    info = {"userId": "7", "uid": "7", "authorities": [painted, "wwow"], "ips": f"1.2.3.4,{painted}", "permissions": []}
    street.bound.answer = lambda target, _: (
        good({"serverTime": str(NOW_MS)}) if target.endswith("/time")
        else good(None, code="40084", status=400) if "/v3/" in target else good(info)
    )  # fmt: skip
    wire = wires(street.bound.url, signer=credential(street.bound.url))
    found = permissions(wire, AccountIdentity(wire))
    assert found.verdict == "can withdraw"
    assert all(line.isprintable() for line in str(found).splitlines())
