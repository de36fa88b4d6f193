"""One caller, two carriers: the contract suite runs in process and over a real socket."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import quote

import pytest
import requests

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange, SandboxAdapter, SandboxKey
from bgresearch.sandbox.server import Server

NOW_MS = 1_780_000_000_000  # 2026-05-28


class Caller:
    """Signs by hand, from the documentation's recipe, so that no signer of the product vouches for itself."""

    def __init__(self, exchange: Exchange, session: requests.Session, base_url: str) -> None:
        self.exchange = exchange
        self.session = session
        self.base_url = base_url

    def get(
        self,
        path: str,
        params: Mapping[str, object] | None = None,
        *,
        key: str | SandboxKey | None = None,
        change: Mapping[str, str | None] | None = None,
        method: str = "GET",
        timestamp: object = None,
        timeout: float = 10,
    ) -> requests.Response:
        """Send a signed or public request; ``change`` overrides headers (None removes one)."""
        raw = "&".join(f"{name}={value}" for name, value in (params or {}).items())
        encoded = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in (params or {}).items())
        headers: dict[str, str] = {}
        if key is not None:
            chosen = SANDBOX_KEYS[key] if isinstance(key, str) else key
            stamp = str(self.exchange.clock.now_ms() if timestamp is None else timestamp)
            headers = signed(chosen, stamp, method, path + ("?" + raw if raw else ""))
        for name, value in (change or {}).items():
            headers.pop(name, None)
            if value is not None:
                headers[name] = value
        target = self.base_url + path + ("?" + encoded if encoded else "")
        return self.session.request(method, target, headers=headers, timeout=timeout)

    def code(self, path: str, params: Mapping[str, object] | None = None, **options: object) -> str:
        return str(self.get(path, params, **options).json()["code"])  # type: ignore[arg-type]


def signed(key: SandboxKey, stamp: str, method: str, target: str) -> dict[str, str]:
    digest = hmac.new(key.secret_key.encode(), f"{stamp}{method}{target}".encode(), hashlib.sha256).digest()
    headers = {
        "ACCESS-KEY": key.api_key,
        "ACCESS-SIGN": base64.b64encode(digest).decode(),
        "ACCESS-TIMESTAMP": stamp,
        "ACCESS-PASSPHRASE": key.passphrase,
        "Content-Type": "application/json",
    }
    if key.demo:
        headers["paptrading"] = "1"
    return headers


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests; each puts its own exchange behind it."""
    with Server() as running:
        yield running


@pytest.fixture(params=["in process", "over a socket"])
def calling(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Callable[..., Caller]]:
    """Return a function that builds an exchange and somebody who calls it."""
    session = requests.Session()
    session.trust_env = False

    def call(*, limits: bool = True) -> Caller:
        exchange = Exchange(clock=clock, limits=limits)
        if request.param == "in process":
            session.mount("http://127.0.0.1", SandboxAdapter(exchange))
            return Caller(exchange, session, "http://127.0.0.1")
        server = request.getfixturevalue("server")
        server.exchange = exchange
        return Caller(exchange, session, server.url)

    with session:
        yield call


@pytest.fixture
def caller(calling: Callable[..., Caller]) -> Caller:
    """A caller of an exchange with every limit in force."""
    return calling()


@pytest.fixture
def unlimited(calling: Callable[..., Caller]) -> Caller:
    """A caller for tests that are not about limits."""
    return calling(limits=False)


@pytest.fixture(scope="session")
def inventing() -> Iterator[Caller]:
    """A caller in process that only reads, for many small looks at one exchange."""
    exchange = Exchange(clock=ManualClock(NOW_MS), limits=False)
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://127.0.0.1", SandboxAdapter(exchange))
        yield Caller(exchange, session, "http://127.0.0.1")
