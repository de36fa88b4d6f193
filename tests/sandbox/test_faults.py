"""Faults by name, by both carriers: each does what it says, counts down, and leaves other rows alone."""

from __future__ import annotations

import pytest
import requests

from bgresearch.catalogue import load
from bgresearch.sandbox import Exchange, Faults, Request, SandboxAdapter

TIME = "/api/v2/public/time"
COINS = "/api/v2/spot/public/coins"
POSITIONS = "/api/v2/mix/order/fills"
FUTURES = {"productType": "USDT-FUTURES"}


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("maintenance", 400, "45001"), ("rate429", 429, "429"), ("unknown_code", 400, "99999")],
)
def test_fault_with_an_envelope(unlimited, name, status, code):
    unlimited.exchange.faults.inject(name, times=1)
    answer = unlimited.get(TIME)
    assert (answer.status_code, answer.json()["code"], answer.json()["data"]) == (status, code, None)
    assert unlimited.get(TIME).status_code == 200


def test_http500_is_no_envelope(unlimited):
    unlimited.exchange.faults.inject("http500", times=1)
    answer = unlimited.get(TIME)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


def test_html_comes_with_status_200(unlimited):
    unlimited.exchange.faults.inject("html", times=1)
    answer = unlimited.get(TIME)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<!DOCTYPE html>")


def test_reset_breaks_the_connection(unlimited):
    unlimited.exchange.faults.inject("reset", times=1)
    with pytest.raises(requests.ConnectionError, match="Connection aborted"):
        unlimited.get(TIME)
    assert unlimited.get(TIME).status_code == 200


def test_truncation_breaks_off_in_the_middle_of_the_body(unlimited):
    unlimited.exchange.faults.inject("truncation", times=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        unlimited.get(COINS)
    assert unlimited.get(COINS).status_code == 200


def test_clock_skew_moves_the_clock_that_judges_timestamps(unlimited):
    faults = unlimited.exchange.faults
    faults.inject("clock_skew", amount=45_000)
    now = unlimited.exchange.clock.now_ms()
    assert unlimited.get(TIME).json()["data"]["serverTime"] == str(now + 45_000)
    assert unlimited.code("/api/v2/spot/account/info", key="readonly") == "40008"
    assert unlimited.code("/api/v2/spot/account/info", key="readonly", timestamp=now + 45_000) == "00000"
    faults.clear("clock_skew")
    assert unlimited.code("/api/v2/spot/account/info", key="readonly") == "00000"


def test_duplicates_and_shuffles_keep_every_row(unlimited):
    right = unlimited.get(COINS).json()["data"]
    unlimited.exchange.faults.inject("duplicates", times=1)
    doubled = unlimited.get(COINS).json()["data"]
    unlimited.exchange.faults.inject("shuffle", times=1)
    shuffled = unlimited.get(COINS).json()["data"]
    assert len(doubled) > len(right)
    assert {row["coin"] for row in doubled} == {row["coin"] for row in right}
    assert shuffled != right
    assert sorted(row["coin"] for row in shuffled) == sorted(row["coin"] for row in right)


def test_shuffled_rows_are_never_in_their_old_order_by_chance():
    faults, endpoint = Faults(), load()["spot.coins"]
    faults.inject("shuffle")
    for _ in range(50):
        assert faults.draw(endpoint.id).spoil(endpoint, [1, 2]) == [2, 1]
        assert sorted(faults.draw(endpoint.id).spoil(endpoint, [1, 2, 3])) == [1, 2, 3]


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize(
    ("name", "rows"), [("false_empty", []), ("empty_string", ""), ("wrong_type", [17, "not a row", None])]
)
def test_rows_are_replaced_where_they_are(unlimited, name, rows):
    unlimited.exchange.faults.inject(name, times=2)
    assert unlimited.get(COINS).json()["data"] == rows
    nested = unlimited.get(POSITIONS, FUTURES, key="readonly").json()["data"]
    assert nested["fillList"] == rows
    assert "endId" in nested


def test_fault_of_one_row_leaves_the_others_alone(unlimited):
    unlimited.exchange.faults.inject("http500", endpoint="spot.coins")
    assert unlimited.get(TIME).status_code == 200
    assert unlimited.get(COINS).status_code == 500


def test_countdown_ends_by_itself(unlimited):
    unlimited.exchange.faults.inject("rate429", times=3)
    assert [unlimited.get(TIME).status_code for _ in range(5)] == [429, 429, 429, 200, 200]


def test_faults_never_open_a_closed_gate(unlimited):
    for name in ("duplicates", "shuffle", "false_empty", "empty_string", "wrong_type"):
        unlimited.exchange.faults.inject(name)
    assert unlimited.code("/api/v2/spot/account/info") == "40006"


def test_latency_passes_on_the_clock_of_the_exchange(clock):
    exchange = Exchange(clock=clock)
    exchange.faults.inject("latency", amount=4.0, times=2)
    with requests.Session() as session:
        session.mount("http://127.0.0.1", SandboxAdapter(exchange))
        before = clock.now_ms()
        assert session.get("http://127.0.0.1" + TIME, timeout=(1, 5)).status_code == 200
        assert clock.now_ms() - before == 4000
        with pytest.raises(requests.ReadTimeout):
            session.get("http://127.0.0.1" + TIME, timeout=(1, 3))
        assert clock.now_ms() - before == 7000


def test_latency_holds_back_the_answer_on_a_socket(server, clock):
    server.exchange = Exchange(clock=clock)
    server.exchange.faults.inject("latency", amount=30.0, times=1)
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.ReadTimeout):
            session.get(server.url + TIME, timeout=(5, 0.05))
        assert session.get(server.url + TIME, timeout=5).status_code == 200


def test_chances_are_the_same_for_the_same_seed(clock):
    def statuses(seed):
        exchange = Exchange(clock=clock, faults=Faults(seed), limits=False)
        exchange.faults.inject("http500", probability=0.3)
        return [exchange.handle(Request("GET", TIME, {}, "127.0.0.1")).status for _ in range(200)]

    first = statuses(1)
    assert first == statuses(1)
    assert first != statuses(2)
    assert 30 < first.count(500) < 90


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "gremlins"},
        {"name": "reset", "probability": 1.5},
        {"name": "clock_skew", "times": 3},
        {"name": "clock_skew", "endpoint": "spot.coins"},
    ],
)
def test_fault_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r"gremlins|probability|clock_skew"):
        Faults().inject(**wrong)
