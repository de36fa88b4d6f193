"""Attempts, pauses and clocks, on a scripted adapter and a clock that costs no time."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import sys
import threading
import traceback
from collections.abc import Callable

import pytest
import requests

from bgresearch.catalogue import load
from bgresearch.core.clock import ManualClock
from bgresearch.errors import (
    AuthenticationError,
    BadResponse,
    BgresearchError,
    ExchangeError,
    ExchangeUnavailable,
    InvalidInput,
    NetworkError,
    ParameterRejected,
    RateLimited,
    TimestampError,
)
from bgresearch.http import sender as wire_module
from bgresearch.http import transport
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import ATTEMPTS, Wire
from tests.http.conftest import HOST, NOW_MS, SECRETS, Peer, Scripted, TestSigner, bad, good

TABLE = load()
PUBLIC = TABLE["spot.candles"]
PRIVATE = TABLE["spot.account_assets"]
PARAMS = {"symbol": "BTCUSDT", "granularity": "1min"}
TRANSIENT = [
    requests.ConnectionError("reset"),
    requests.ReadTimeout("late"),
    requests.ConnectTimeout("late"),
    requests.exceptions.ChunkedEncodingError("cut"),
    ConnectionResetError(104, "reset"),
    (200, {}, b"<html>"),
    (200, {}, b'{"code":"00000","data":[['),
    (502, {}, b"bad gateway"),
    bad("45001"),
    bad("40015"),
    bad("40200"),
    bad("40010"),
]


def test_a_good_answer_takes_one_attempt(make_wire: Callable[..., Wire], scripted: Scripted):
    scripted.script = [good([["1"]])]
    wire = make_wire()
    reply = wire.send(PUBLIC, PARAMS)
    assert (reply.endpoint, reply.data, reply.attempts, reply.received_ms) == (PUBLIC, [["1"]], 1, NOW_MS)
    assert reply.body.startswith(b'{"code"')
    assert wire.sent == 1
    assert "BTCUSDT" not in repr(reply)
    assert (wire.label, wire.host, wire.demo) == (None, HOST, False)


@pytest.mark.parametrize("mishap", TRANSIENT, ids=lambda m: repr(m)[:50])
def test_what_may_pass_is_asked_again(mishap, make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock):
    scripted.script = [mishap, mishap, good([])]
    reply = make_wire().send(PUBLIC, PARAMS)
    assert reply.attempts == 3
    assert clock.monotonic_s() > 0, "not at once"


@pytest.mark.parametrize("mishap", TRANSIENT, ids=lambda m: repr(m)[:50])
def test_attempts_are_bounded(mishap, make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock):
    scripted.script = [mishap] * 20
    wire = make_wire()
    with pytest.raises((NetworkError, ExchangeError)):
        wire.send(PUBLIC, PARAMS)
    assert len(scripted.asked) == wire.sent == ATTEMPTS
    assert clock.monotonic_s() < 60


@pytest.mark.parametrize("code", ["40009", "40012", "40014", "40018", "40034", "40099", "40085", "00001", "99999"])
def test_what_asking_again_cannot_help_is_asked_once(code, make_wire: Callable[..., Wire], scripted: Scripted):
    scripted.script = [bad(code)]
    with pytest.raises(ExchangeError) as caught:
        make_wire().send(PUBLIC, PARAMS)
    assert caught.value.code == code
    assert len(scripted.asked) == 1


def test_a_doubtful_parameter_error_is_asked_a_few_times_only(make_wire: Callable[..., Wire], scripted: Scripted):
    scripted.script = [bad("40808")] * 9
    with pytest.raises(ParameterRejected):
        make_wire().send(PUBLIC, PARAMS)
    assert len(scripted.asked) == 3


def test_pauses_grow_and_differ_with_the_seed(make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock):
    def total(seed: int) -> float:
        scripted.script = [requests.ConnectionError()] * ATTEMPTS
        before = clock.monotonic_s()
        with pytest.raises(NetworkError):
            make_wire(seed=seed).send(PUBLIC, PARAMS)
        return clock.monotonic_s() - before

    first = total(1)
    assert first == pytest.approx(total(1))
    assert first != pytest.approx(total(2))
    assert first <= 0.5 + 1 + 2 + 4


def test_every_attempt_is_signed_and_slotted_again(
    make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock
):
    signer = TestSigner(HOST)
    scripted.script = [bad("45001"), bad("45001"), good([])]
    make_wire(signer=signer).send(PRIVATE, {"coin": "BTC"})
    stamps = [stamp for _, stamp in signer.signed]
    assert len(set(stamps)) == 3
    assert stamps == sorted(stamps)
    assert [request.headers["ACCESS-TIMESTAMP"] for request in scripted.asked] == [str(stamp) for stamp in stamps]


def test_the_exchange_s_clock_is_learned_first_with_half_the_round_trip_taken_off(
    make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock
):
    signer = TestSigner(HOST)
    scripted.latency_s = 0.4
    scripted.server_ms = lambda: clock.now_ms() + 3_600_000
    scripted.script = [good([]), good([])]
    wire = make_wire(signer=signer)
    wire.send(PRIVATE, {})
    assert wire.clock_offset_ms == 3_600_000
    wire.send(PRIVATE, {})
    assert [request.url.endswith("/public/time") for request in scripted.sent] == [True, False, False]
    assert wire.sent == 3
    assert signer.signed[0][1] == NOW_MS + 400 + 3_600_000


def test_public_requests_do_not_ask_for_the_clock(make_wire: Callable[..., Wire], scripted: Scripted):
    scripted.script = [good([])]
    make_wire(signer=TestSigner(HOST)).send(PUBLIC, PARAMS)
    assert len(scripted.sent) == 1


@pytest.mark.parametrize("code", ["40004", "40005", "40008"])
def test_a_refused_timestamp_makes_it_learn_the_clock_again(
    code, make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock
):
    signer = TestSigner(HOST)
    scripted.script = [good([]), bad(code), good([])]
    wire = make_wire(signer=signer)
    wire.send(PRIVATE, {})
    scripted.server_ms = lambda: clock.now_ms() - 120_000
    reply = wire.send(PRIVATE, {})
    assert reply.attempts == 2
    assert wire.clock_offset_ms == -120_000
    assert signer.signed[-1][1] == NOW_MS - 120_000


def test_a_timestamp_that_is_refused_forever_is_an_error(make_wire: Callable[..., Wire], scripted: Scripted):
    scripted.script = [bad("40008")] * 20
    with pytest.raises(TimestampError, match="clock"):
        make_wire(signer=TestSigner(HOST)).send(PRIVATE, {})
    assert len(scripted.asked) == ATTEMPTS


def test_a_clock_without_a_time_is_a_bad_response(make_wire: Callable[..., Wire], scripted: Scripted):
    scripted.server_ms = lambda: "soon"
    with pytest.raises(BadResponse, match="no serverTime"):
        make_wire(signer=TestSigner(HOST)).send(PRIVATE, {})


def test_a_429_rests_at_least_the_cool_down(make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock):
    scripted.script = [bad("429", 429, **{"x-mbx-used-remain-limit": "0"}), good([])]
    assert make_wire().send(PUBLIC, PARAMS).attempts == 2
    assert clock.monotonic_s() >= 2


def test_v3_s_own_word_for_too_often_rests_too(make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock):
    scripted.script = [bad("25004"), good([])]
    assert make_wire().send(PUBLIC, PARAMS).attempts == 2
    assert clock.monotonic_s() >= 2


def test_refusals_that_do_not_stop_are_taken_for_the_address_and_said_until_when(
    make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock, caplog
):
    scripted.script = [bad("429", 429)] * 9
    wire = make_wire()
    with pytest.raises(RateLimited) as caught:
        wire.send(PUBLIC, PARAMS)
    assert len(scripted.asked) == 3
    assert caught.value.until_ms == clock.now_ms() + 300_000
    assert "nothing is sent" in caplog.text
    scripted.script = [good([])]
    wire.send(TABLE["spot.tickers"], {})
    assert clock.now_ms() >= caught.value.until_ms


def test_an_address_that_gets_answers_meanwhile_is_not_taken_for_banned(
    make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock, monkeypatch
):
    scripted.script = [bad("429", 429), bad("429", 429), good([]), bad("429", 429), good([])]
    wire, sleep = make_wire(), clock.sleep

    def meanwhile(seconds: float) -> None:
        sleep(seconds)
        if seconds and len(scripted.asked) == 2:  # between the second refusal and the third
            wire.send(TABLE["spot.tickers"], {})  # somebody else's thread

    monkeypatch.setattr(clock, "sleep", meanwhile)
    assert wire.send(PUBLIC, PARAMS).attempts == 4
    assert clock.monotonic_s() < 10


def test_refusals_with_the_endpoint_s_own_count_do_not_rest_the_address(
    make_wire: Callable[..., Wire], scripted: Scripted, clock: ManualClock
):
    scripted.script = [bad("429", 429, **{"X-MBX-Used-Remain-Limit": "0"})] * 9
    with pytest.raises(RateLimited) as caught:
        make_wire().send(PUBLIC, PARAMS)
    assert len(scripted.asked) == ATTEMPTS
    assert caught.value.until_ms <= clock.now_ms() + 2_000


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "٣", "9" * 40])
def test_an_odd_count_of_calls_left_does_no_harm(text, make_wire: Callable[..., Wire], scripted: Scripted):
    scripted.script = [good([], **{"x-mbx-used-remain-limit": text})]
    assert make_wire().send(PUBLIC, PARAMS).attempts == 1


def test_an_unsendable_parameter_costs_no_request(make_wire: Callable[..., Wire], scripted: Scripted):
    with pytest.raises(InvalidInput):
        make_wire().send(PUBLIC, {"symbol": "BTC\nUSDT"})
    assert scripted.sent == []


def test_a_body_that_is_too_large_is_not_read_to_its_end(
    make_wire: Callable[..., Wire], scripted: Scripted, monkeypatch
):
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 1000)
    scripted.script = [(200, {}, b"x" * 5000)] * ATTEMPTS
    with pytest.raises(BadResponse, match="larger than"):
        make_wire().send(PUBLIC, PARAMS)


def test_a_key_that_does_not_fit_a_header_is_said_without_showing_it(
    make_wire: Callable[..., Wire], scripted: Scripted
):
    signer = TestSigner(HOST)
    honest = signer.headers
    signer.headers = lambda *a, **k: honest(*a, **k) | {"ACCESS-PASSPHRASE": "pässphrase\n"}
    with pytest.raises(NetworkError, match="cannot be sent in a header") as caught:
        make_wire(signer=signer).send(PRIVATE, {})
    assert "pässphrase" not in everything_about(caught.value)
    assert scripted.asked == []


def everything_about(error: BaseException) -> str:
    """Whatever a log, a verbose traceback, a pickle or a debugger could show of an error."""
    shown = [repr(error), str(error), repr(vars(error)), repr(error.args)]
    seen: BaseException | None = error
    while seen is not None:
        shown += traceback.format_exception(seen)
        frame_walk = seen.__traceback__
        while frame_walk is not None:
            if "/tests/" not in frame_walk.tb_frame.f_code.co_filename:
                shown += [f"{name}={value!r}" for name, value in frame_walk.tb_frame.f_locals.items()]
            frame_walk = frame_walk.tb_next
        seen = seen.__cause__ or seen.__context__
    return "\n".join(shown)


LEAKY = [
    requests.ConnectionError("x"),
    requests.exceptions.SSLError("x"),
    requests.ReadTimeout("x"),
    bad("40009"),
    bad("40012"),
    bad("45001"),
    bad("429", 429),
    bad("40008"),
    (200, {}, b"<html>"),
    (302, {"Location": "https://evil"}, b""),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("mishap", LEAKY, ids=lambda m: repr(m)[:40])
def test_no_error_drags_a_secret_or_a_request_along(mishap, make_wire: Callable[..., Wire], scripted: Scripted, caplog):
    scripted.script = [mishap] * 9
    with caplog.at_level(logging.DEBUG), pytest.raises((BgresearchError, KeyboardInterrupt)) as caught:
        make_wire(signer=TestSigner(HOST)).send(PRIVATE, {"coin": "BTC"})
    error = caught.value
    shown = everything_about(error) + caplog.text
    assert error.__cause__ is None
    assert error.__context__ is sys.exc_info()[1]  # None, or what a trace function made Python go on handling
    assert not [secret for secret in SECRETS if secret in shown]
    assert "ACCESS" not in shown
    if isinstance(error, BgresearchError):
        assert not [secret for secret in SECRETS if secret.encode() in pickle.dumps(error)]
        held = gc.get_referents(error, *vars(error).values())
        assert not [thing for thing in held if isinstance(thing, requests.PreparedRequest | requests.Response)]


def test_the_log_names_endpoint_attempt_status_and_duration_alone(
    make_wire: Callable[..., Wire], scripted: Scripted, caplog
):
    scripted.script = [good([])]
    with caplog.at_level(logging.DEBUG, logger=wire_module.__name__):
        make_wire(signer=TestSigner(HOST)).send(PRIVATE, {"coin": "SECRETCOIN"})
    lines = [record.getMessage() for record in caplog.records if record.name == wire_module.__name__]
    assert lines == [
        "common.time attempt 1: HTTP 200 after 0.000 s",
        "spot.account_assets attempt 1: HTTP 200 after 0.000 s",
    ]


def test_an_interruption_stays_one(make_wire: Callable[..., Wire], scripted: Scripted):
    scripted.script = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        make_wire().send(PUBLIC, PARAMS)


def test_it_works_inside_a_running_event_loop(peer: Peer, real_wire: Callable[..., Wire]):
    async def cell() -> list[object]:
        return real_wire(peer.url).send(PUBLIC, PARAMS).data

    assert asyncio.run(cell()) == []


def test_threads_share_one_wire_and_learn_the_clock_once(peer: Peer, real_wire: Callable[..., Wire]):
    peer.answer = lambda target, _: good({"serverTime": str(NOW_MS)} if target.endswith("/time") else [])
    wire = real_wire(peer.url, signer=TestSigner(peer.url))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            wire.send(PRIVATE, {})
            wire.send(PUBLIC, PARAMS)
        except BgresearchError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert wire.sent == len(peer.seen) == 17
    assert sum(target.endswith("/time") for target, _ in peer.seen) == 1


def test_a_closed_port_is_a_network_error_that_names_the_host(real_wire: Callable[..., Wire], clock: ManualClock):
    gone = Peer()
    gone.close()
    with (
        Wire(gone.url, limiter=LocalLimiter(clock), clock=clock) as wire,
        pytest.raises(NetworkError, match="no connection") as caught,
    ):
        wire.send(PUBLIC, PARAMS)
    assert gone.url in str(caught.value)
    assert wire.sent == ATTEMPTS


def test_types_of_errors_tell_the_network_from_the_exchange(make_wire: Callable[..., Wire], scripted: Scripted):
    scripted.script = [bad("45001")] * ATTEMPTS
    with pytest.raises(ExchangeUnavailable):
        make_wire().send(PUBLIC, PARAMS)
    scripted.script = [bad("40012")]
    with pytest.raises(AuthenticationError):
        make_wire().send(PUBLIC, PARAMS)
