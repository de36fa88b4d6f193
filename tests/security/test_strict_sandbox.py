"""The sandbox forgives nothing: tricks that a lenient exchange would let pass are refused on a socket."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.server import Server
from tests.conftest import PATIENCE_S
from tests.http.conftest import NOW_MS
from tests.sandbox.conftest import signed

INFO = "/api/v2/spot/account/info"
ASSETS = "/api/v2/spot/account/assets"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(Exchange(clock=ManualClock(NOW_MS), limits=False)) as running:
        yield running


def code(server: Server, target: str, headers: Mapping[str, str], *more: tuple[str, str], method: str = "GET") -> str:
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    try:
        connection.putrequest(method, target)
        for name, value in [*headers.items(), *more]:
            connection.putheader(name, value)
        connection.endheaders()
        return str(json.loads(connection.getresponse().read())["code"])
    finally:
        connection.close()


def by(name: str, target: str = INFO, *, stamp: int = NOW_MS) -> dict[str, str]:
    return signed(SANDBOX_KEYS[name], str(stamp), "GET", target)


def test_the_plain_request_passes(server: Server) -> None:
    assert code(server, INFO, by("readonly")) == "00000"
    assert code(server, INFO, {name.lower(): value for name, value in by("readonly").items()}) == "00000"


@pytest.mark.parametrize("name", ["ACCESS-KEY", "ACCESS-SIGN", "ACCESS-TIMESTAMP", "ACCESS-PASSPHRASE"])
@pytest.mark.parametrize("wrong", ["", "x", "same"])
def test_a_header_sent_twice_is_refused(server: Server, name: str, wrong: str) -> None:
    headers = by("readonly")
    value = headers[name] if wrong == "same" else wrong
    assert code(server, INFO, headers, (name, value)) != "00000"
    assert code(server, INFO, {name: value}, *headers.items()) != "00000"


@pytest.mark.parametrize("mark", ["true", "0", "2", "", "01", "1.0", "1, 1", "on"])
@pytest.mark.parametrize("name", ["demo", "readonly"])
def test_an_odd_demo_mark_is_refused(server: Server, name: str, mark: str) -> None:
    assert code(server, INFO, by(name) | {"paptrading": mark}) == "40099"


def test_two_demo_marks_are_refused(server: Server) -> None:
    assert code(server, INFO, by("demo")) == "00000"
    assert code(server, INFO, by("demo"), ("paptrading", "1")) == "40099"


@pytest.mark.parametrize(
    ("signed_target", "sent"),
    [
        (f"{ASSETS}?coin=BTC&assetType=all", f"{ASSETS}?assetType=all&coin=BTC"),
        (f"{ASSETS}?coin=BTC", f"{ASSETS}?coin=BTC&coin=ETH"),
        (f"{ASSETS}?coin=BTC", f"{ASSETS}?coin=ETH&coin=BTC"),
        (f"{ASSETS}?coin=BTC", f"{ASSETS}?coin=BTC&"),
        (f"{ASSETS}?coin=BTC", f"{ASSETS}?&coin=BTC"),
        (f"{ASSETS}?coin=BTC", f"{ASSETS}?coin=btc"),
        (f"{ASSETS}?coin=BTC", ASSETS),
        (ASSETS, f"{ASSETS}?coin=BTC"),
        (ASSETS, f"{ASSETS}?"),
        (INFO, ASSETS),
    ],
)
def test_a_signature_covers_the_query_as_it_is_sent(server: Server, signed_target: str, sent: str) -> None:
    answered = code(server, sent, by("readonly", signed_target))
    assert answered == ("00000" if sent.endswith("?") else "40009"), "an empty query is no query"


@pytest.mark.parametrize(
    "target",
    ["/api/v2/spot/account/inf%6f", "/api/v2/spot//account/info", "/api/v2/spot/./account/info",
     "/API/v2/spot/account/info", "/api/v2/spot/account/info/", "/api/v2/spot/x/../account/info",
     "/api/v2/spot/account/info;x", "//api/v2/spot/account/info", "/api/v2/spot/account\\info",
     "http://127.0.0.1/api/v2/spot/account/info"],
)  # fmt: skip
def test_another_spelling_of_a_path_is_not_found(server: Server, target: str) -> None:
    assert code(server, target, by("readonly", target)) != "00000"


@pytest.mark.parametrize("method", ["POST", "get", "Get", "HEADX", "QUERY"])
def test_another_method_is_refused_whatever_overrides_it(server: Server, method: str) -> None:
    override = ("X-HTTP-Method-Override", "GET")
    assert code(server, INFO, by("readonly"), override, method=method) != "00000"


@pytest.mark.parametrize(
    ("age_ms", "answered"),
    [
        (30_000, "00000"),
        (30_001, "40008"),
        (-30_000, "00000"),
        (-30_001, "40008"),
        (10**12, "40005"),
        (NOW_MS, "40005"),
    ],
)
def test_the_clock_is_held_to_the_millisecond(server: Server, age_ms: int, answered: str) -> None:
    assert code(server, INFO, by("readonly", stamp=NOW_MS - age_ms)) == answered


@pytest.mark.parametrize("stamp", ["1780000000000.0", "+1780000000000", " 1780000000000x", "01780000000000", "1.78e12"])
def test_another_spelling_of_the_time_is_refused(server: Server, stamp: str) -> None:
    headers = signed(SANDBOX_KEYS["readonly"], stamp.strip(), "GET", INFO)
    assert code(server, INFO, headers) == "40005"


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP", "Via"]
)
def test_no_header_moves_an_address(server: Server, name: str) -> None:
    address = SANDBOX_KEYS["other_address"].addresses[0]
    value = f"for={address}" if name == "Forwarded" else address
    assert code(server, INFO, by("other_address"), (name, value)) == "40018"
