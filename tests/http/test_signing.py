"""What is signed is what arrives: a real socket, and a signature computed from the bytes on the other side."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgresearch.catalogue import load
from bgresearch.core.clock import SystemClock
from bgresearch.http.sender import Wire, plain_target, query_pairs, wire_target
from tests.http.conftest import API_KEY, PASSPHRASE, Peer, TestSigner, expected_signature, good

PRIVATE = load()["spot.account_assets"]
PUBLIC = load()["spot.candles"]
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "signing_targets.json").read_text("utf-8"))
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
AWKWARD = st.sampled_from(
    ["", " ", "+", "&", "=", "?", "#", "%", "%20", "$ALTUSDT", "a b&c=d+e", "币安", "ß😀", "a/b\\c", "'\"<>|^`{}"]
)


class NoLimit:
    """Property tests send many requests to a peer that has no limits."""

    def acquire(self, *_: object) -> None: ...
    def answered(self, *_: object) -> None: ...
    def observed(self, *_: object) -> None: ...
    def rejected(self, *_: object, **__: object) -> int:
        raise AssertionError("the peer rejects nothing")


def serve_clock(target: str, _headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    return good({"serverTime": str(SystemClock().now_ms())} if target.endswith("/public/time") else [])


@pytest.fixture(scope="module")
def signed_wire(shared_peer: Peer):
    shared_peer.answer = serve_clock
    wire = Wire(shared_peer.url, limiter=NoLimit(), clock=SystemClock(), signer=TestSigner(shared_peer.url))
    yield wire
    wire.close()


@pytest.mark.parametrize("vector", VECTORS["cases"], ids=lambda vector: vector["what"])
def test_targets_are_the_documented_ones(vector):
    pairs = query_pairs(vector["params"])
    assert plain_target(vector["path"], pairs) == vector["signed"]
    assert wire_target(vector["path"], pairs) == vector["sent"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    params=st.dictionaries(
        st.sampled_from(["coin", "symbol", "limit", "idLessThan", "Z", "a"]),
        st.one_of(AWKWARD, TEXTS, st.integers(), st.booleans()),
        max_size=5,
    )
)
def test_a_strict_exchange_finds_every_signature_right(signed_wire: Wire, shared_peer: Peer, params: dict[str, object]):
    signed_wire.send(PRIVATE, params)
    target, headers = shared_peer.seen[-1]
    shared_peer.seen.clear()
    assert headers["access-sign"] == expected_signature(target, headers["access-timestamp"])
    assert target == wire_target(PRIVATE.path, query_pairs(params))


def test_signing_the_encoded_text_would_be_noticed(signed_wire: Wire, shared_peer: Peer):
    signed_wire.send(PRIVATE, {"coin": "$ALT"})
    target, headers = shared_peer.seen[-1]
    encoded = expected_signature(target.replace("%24", "%2524"), headers["access-timestamp"])
    assert headers["access-sign"] != encoded


def test_private_requests_carry_the_documented_headers(peer: Peer, real_wire: Callable[..., Wire]):
    peer.answer = serve_clock
    real_wire(peer.url, signer=TestSigner(peer.url)).send(PRIVATE, {})
    _, headers = peer.seen[-1]
    assert headers["access-key"] == API_KEY
    assert headers["access-passphrase"] == PASSPHRASE
    assert headers["content-type"] == "application/json"
    assert headers["locale"] == "en-US"
    assert headers["user-agent"].startswith("bgresearch")
    assert headers["host"] == peer.url.removeprefix("http://")
    assert "paptrading" not in headers
    assert "cookie" not in headers


def test_public_requests_carry_no_access_header_even_with_a_key(peer: Peer, real_wire: Callable[..., Wire]):
    peer.answer = serve_clock
    real_wire(peer.url, signer=TestSigner(peer.url)).send(PUBLIC, {"symbol": "BTCUSDT"})
    ((_, headers),) = peer.seen
    assert not [name for name in headers if name.startswith("access")]


def test_demo_keys_say_so_but_not_to_the_clock(peer: Peer, real_wire: Callable[..., Wire]):
    peer.answer = serve_clock
    wire = real_wire(peer.url, signer=TestSigner(peer.url, demo=True))
    wire.send(PRIVATE, {})
    wire.send(PUBLIC, {"symbol": "BTCUSDT"})
    wire.send(load()["uta.current_fund_rate"], {"symbol": "BTCUSDT"})
    marks = {target.partition("?")[0]: headers.get("paptrading") for target, headers in peer.seen}
    assert marks == {
        "/api/v2/public/time": None,
        PRIVATE.path: "1",
        PUBLIC.path: "1",
        "/api/v3/market/current-fund-rate": None,
    }
