"""Whatever arrives, the exchange answers with an envelope; it never falls over."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import SANDBOX_KEYS, Call, Exchange, Refusal, Request
from bgresearch.sandbox.generic_responder import invent
from bgresearch.sandbox.responders import RESPONDERS
from bgresearch.sandbox.validate import check

NOW_MS = 1_780_000_000_000
EXCHANGE = Exchange(clock=ManualClock(NOW_MS), limits=False)
NAMES = ("access-key", "ACCESS-SIGN", "Access-Timestamp", "ACCESS-PASSPHRASE", "content-type", "paptrading")
VALUES = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.sampled_from(
        ["", "0", "-1", "1" * 5000, "BTCUSDT", str(NOW_MS), "spot", "max", "USDT-FUTURES", "1m", "²", "1e3"]
    ),
)


@given(
    method=st.sampled_from(["GET", "POST", "get", "", "OPTIONS"]),
    target=st.one_of(st.text(max_size=60), st.sampled_from([row.path for row in load()]).flatmap(
        lambda path: st.text(max_size=40).map(lambda query: f"{path}?{query}")
    )),
    headers=st.dictionaries(st.sampled_from(NAMES), st.text(max_size=40)),
    body=st.binary(max_size=20),
)  # fmt: skip
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_request_gets_an_envelope(method, target, headers, body):
    answer = EXCHANGE.handle(Request(method, target, headers, "127.0.0.1", body))
    whole = json.loads(answer.body)
    assert set(whole) == {"code", "msg", "requestTime", "data"}
    assert (answer.status == 200) == (whole["code"] == "00000")


@pytest.mark.slow
@given(st.data())
@settings(max_examples=400, deadline=None, derandomize=True)
def test_any_parameters_are_answered_or_refused(data):
    """Past the gate: every row with any values for its own parameters."""
    endpoint = data.draw(st.sampled_from(list(load())))
    params = {
        param.name: data.draw(
            st.one_of(VALUES, st.sampled_from(param.enum)) if param.enum else VALUES, label=param.name
        )
        for param in endpoint.params
        if param.required or data.draw(st.booleans())
    }
    key = SANDBOX_KEYS["readonly" if endpoint.version == "v2" else "unified"] if endpoint.private else None
    account = EXCHANGE.accounts[key.account] if key is not None else None
    with contextlib.suppress(Refusal):
        taken = check(endpoint, {name: value for name, value in params.items() if value}, NOW_MS)
        for answer in (RESPONDERS.get(endpoint.id, invent), invent):
            json.dumps(answer(Call(endpoint, taken, account, NOW_MS, EXCHANGE.world, key)), allow_nan=False)


@pytest.mark.parametrize(
    "target", ["/api/v2/spot/market/tickers?symbol=币", "/api/v2/spot/market/tickers?symbol=\ud800"]
)
def test_target_that_is_not_percent_encoded_is_refused(target):
    assert EXCHANGE.handle(Request("GET", target, {}, "127.0.0.1")).status == 400


def test_unknown_parameters_do_not_reach_the_answer():
    plain = EXCHANGE.handle(Request("GET", "/api/v2/spot/public/coins", {}, "127.0.0.1"))
    extra = EXCHANGE.handle(Request("GET", "/api/v2/spot/public/coins?limit=abc&chains=x", {}, "127.0.0.1"))
    assert plain == extra


def test_known_keys_are_never_echoed():
    for key in SANDBOX_KEYS.values():
        headers = {"ACCESS-KEY": key.api_key, "ACCESS-SIGN": "x", "ACCESS-TIMESTAMP": str(NOW_MS)}
        headers["ACCESS-PASSPHRASE"] = key.passphrase
        body = EXCHANGE.handle(Request("GET", "/api/v2/spot/account/info", headers, "127.0.0.1")).body.decode()
        assert key.api_key not in body
        assert key.passphrase not in body
