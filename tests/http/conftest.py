"""A peer on a real socket that notes what came over it, and a scripted one in process that stands for all its moods."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_to_bytes

import pytest
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPResponse

from bgresearch.core.clock import ManualClock, SystemClock
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import Wire

NOW_MS = 1_780_000_000_000
HOST = "https://api.bitget.com"
API_KEY, SECRET, PASSPHRASE = "bg_made_up_key", "made-up-secret-of-the-tests", "made-up-passphrase"
SECRETS = (API_KEY, SECRET, PASSPHRASE)

Answer = tuple[int, Mapping[str, str], bytes]


def good(data: object, *, code: str = "00000", status: int = 200, **headers: str) -> Answer:
    body = json.dumps({"code": code, "msg": "success", "requestTime": 0, "data": data}).encode()
    return status, {"Content-Type": "application/json"} | headers, body


def bad(code: str, status: int = 400, msg: str = "refused", **headers: str) -> Answer:
    body = json.dumps({"code": code, "msg": msg, "data": None}).encode()
    return status, {"Content-Type": "application/json"} | headers, body


class TestSigner:
    """Signs by the documented recipe; hides nothing, so that any leak of the wire shows."""

    __test__ = False

    def __init__(self, host: str, *, demo: bool = False) -> None:
        self.name, self.host, self.demo = "research", host, demo
        self.signed: list[tuple[str, int | None]] = []

    def headers(self, method: str, target: str, body: str = "", timestamp_ms: int | None = None) -> dict[str, str]:
        self.signed.append((target, timestamp_ms))
        return {
            "ACCESS-KEY": API_KEY,
            "ACCESS-SIGN": signature(f"{timestamp_ms}{method}{target}{body}".encode()),
            "ACCESS-TIMESTAMP": str(timestamp_ms),
            "ACCESS-PASSPHRASE": PASSPHRASE,
            "Content-Type": "application/json",
        }


def signature(text: bytes) -> str:
    return base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()


def expected_signature(raw_target: str, timestamp: str) -> str:
    """What a strict exchange computes from the bytes that arrived: the query un-encoded, nothing sorted or tidied."""
    path, mark, query = raw_target.partition("?")
    return signature(f"{timestamp}GET{path}{mark}".encode() + unquote_to_bytes(query))


class Peer:
    """A loopback HTTP server; ``answer`` decides, ``seen`` holds (raw target, headers) of every request."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.answer: Callable[[str, dict[str, str]], Answer] = lambda _target, _headers: good([])
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65_536  # head and body leave in one piece

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                peer.seen.append((self.path, headers))
                status, sent, body = peer.answer(self.path, headers)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **sent}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_CONNECT(self) -> None:
                self.do_GET()

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def peer() -> Iterator[Peer]:
    server = Peer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def shared_peer() -> Iterator[Peer]:
    server = Peer()
    yield server
    server.close()


class Scripted(BaseAdapter):
    """An adapter that gives its answers one after another; an exception among them is raised."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock
        self.script: list[Answer | Exception] = []
        self.sent: list[requests.PreparedRequest] = []
        self.server_ms: Callable[[], int] = clock.now_ms
        self.latency_s = 0.0

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        self.sent.append(request)
        self.clock.sleep(self.latency_s / 2)
        if request.url.endswith("/public/time"):
            answer: Answer | Exception = good({"serverTime": str(self.server_ms())})
        else:
            answer = self.script.pop(0)
        self.clock.sleep(self.latency_s / 2)
        if isinstance(answer, BaseException):
            if isinstance(answer, requests.RequestException):
                answer.request = request
            raise answer
        response = requests.Response()
        response.status_code, response.headers = answer[0], CaseInsensitiveDict(answer[1])
        response.raw = HTTPResponse(io.BytesIO(answer[2]), status=answer[0], preload_content=False)
        response.request, response.url = request, request.url
        return response

    def close(self) -> None:
        pass

    @property
    def asked(self) -> list[requests.PreparedRequest]:
        return [request for request in self.sent if not request.url.endswith("/public/time")]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def scripted(clock: ManualClock) -> Scripted:
    return Scripted(clock)


@pytest.fixture
def make_wire(clock: ManualClock, scripted: Scripted) -> Callable[..., Wire]:
    def make(*, signer: TestSigner | None = None, seed: int = 1) -> Wire:
        session = requests.Session()
        session.mount("https://", scripted)
        limiter = LocalLimiter(clock)
        return Wire(HOST, limiter=limiter, clock=clock, signer=signer, session=session, rng=random.Random(seed))  # noqa: S311

    return make


@pytest.fixture
def real_wire() -> Iterator[Callable[..., Wire]]:
    made: list[Wire] = []

    def make(url: str, **options: object) -> Wire:
        wire = Wire(url, limiter=LocalLimiter(SystemClock()), clock=SystemClock(), **options)
        made.append(wire)
        return wire

    yield make
    for wire in made:
        wire.close()
