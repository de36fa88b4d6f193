"""The exchange's limits: strict windows on its clock, and the ban."""

from __future__ import annotations

from bgresearch.catalogue import load
from bgresearch.sandbox import Exchange, Request
from bgresearch.sandbox.quotas import ADDRESS_BUDGET, ADDRESS_WINDOW_MS, BAN_MS

TIME = "/api/v2/public/time"
INFO = "/api/v2/spot/account/info"
REMAINING = "x-mbx-used-remain-limit"


def test_remaining_calls_count_down_and_the_next_call_is_refused(caller, clock):
    count = load()["common.time"].limit.count
    left = [int(caller.get(TIME).headers[REMAINING]) for _ in range(count)]
    assert left == list(range(count - 1, -1, -1))
    refused = caller.get(TIME)
    assert (refused.status_code, refused.json()["code"]) == (429, "429")
    clock.advance(1.0)
    assert caller.get(TIME).status_code == 200


def test_window_slides(caller, clock):
    count = load()["common.time"].limit.count
    for _ in range(count - 1):
        caller.get(TIME)
    clock.advance(0.6)
    assert caller.get(TIME).status_code == 200
    assert caller.get(TIME).status_code == 429
    clock.advance(0.4)  # the first calls are a second old now, the one above is not
    assert caller.get(TIME).headers[REMAINING] == str(count - 2)


def test_rows_are_counted_apart(caller):
    for _ in range(load()["common.time"].limit.count):
        caller.get(TIME)
    assert caller.get(TIME).status_code == 429
    assert caller.get("/api/v2/spot/public/coins").status_code == 200


def test_account_limit_is_shared_by_the_keys_of_one_account(caller):
    assert caller.code(INFO, key="readonly") == "00000"  # 1 per second per account
    assert caller.code(INFO, key="trader") == "429"
    assert caller.code(INFO, key="demo") == "00000"


def test_refused_signature_does_not_spend_the_account_limit(caller):
    assert caller.code(INFO, key="readonly", change={"ACCESS-SIGN": "wrong"}) == "40009"
    assert caller.code(INFO, key="readonly") == "00000"


def test_refused_parameters_do_spend_the_limit(caller):
    answer = caller.get("/api/v2/mix/account/bill", key="readonly")
    assert answer.json()["code"] == "40019"
    assert int(answer.headers[REMAINING]) == load()["futures.account_bill"].limit.count - 1


def test_address_budget_ends_in_a_ban_of_five_minutes(clock):
    exchange = Exchange(clock=clock)
    public = Request("GET", "/api/v2/nothing/here", {}, "127.0.0.1")
    assert [exchange.handle(public).status for _ in range(ADDRESS_BUDGET)] == [404] * ADDRESS_BUDGET
    assert exchange.handle(public).status == 429
    clock.advance(BAN_MS / 1000 - 0.001)
    assert exchange.handle(public).status == 429
    assert exchange.handle(public._replace(address="127.0.0.2")).status == 404
    clock.advance(0.001)
    assert exchange.handle(public).status == 404


def test_requests_during_a_ban_do_not_prolong_it(clock):
    exchange = Exchange(clock=clock)
    public = Request("GET", "/api/v2/nothing/here", {}, "127.0.0.1")
    for _ in range(ADDRESS_BUDGET + 1):
        exchange.handle(public)
    for _ in range(10):
        clock.advance(BAN_MS / 10_000)
        last = exchange.handle(public)
    assert last.status == 404


def test_budget_slides_with_the_minute(clock):
    exchange = Exchange(clock=clock)
    public = Request("GET", "/api/v2/nothing/here", {}, "127.0.0.1")
    for _ in range(ADDRESS_BUDGET // 2):
        exchange.handle(public)
    clock.advance(ADDRESS_WINDOW_MS / 2000)
    for _ in range(ADDRESS_BUDGET // 2):
        exchange.handle(public)
    clock.advance(ADDRESS_WINDOW_MS / 2000)
    assert [exchange.handle(public).status for _ in range(ADDRESS_BUDGET // 2)] == [404] * (ADDRESS_BUDGET // 2)
    assert exchange.handle(public).status == 429


def test_longest_window_is_shorter_than_what_is_remembered():
    assert max(row.limit.seconds for row in load()) * 1000 <= ADDRESS_WINDOW_MS


def test_moving_the_exchange_clock_by_a_fault_does_not_refill_limits(clock):
    exchange = Exchange(clock=clock)
    public = Request("GET", TIME, {}, "127.0.0.1")
    for _ in range(load()["common.time"].limit.count):
        exchange.handle(public)
    exchange.faults.inject("clock_skew", amount=60_000)
    assert exchange.handle(public).status == 429


def test_moving_the_exchange_clock_by_a_fault_does_not_refill_the_address_budget(clock):
    exchange = Exchange(clock=clock)
    public = Request("GET", "/api/v2/nothing/here", {}, "127.0.0.1")
    for _ in range(ADDRESS_BUDGET):
        exchange.handle(public)
    exchange.faults.inject("clock_skew", amount=ADDRESS_WINDOW_MS)
    assert exchange.handle(public).status == 429


def test_limits_off_means_nothing_is_counted(clock):
    exchange = Exchange(clock=clock, limits=False)
    answers = [exchange.handle(Request("GET", TIME, {}, "127.0.0.1")) for _ in range(50)]
    assert {answer.status for answer in answers} == {200}
    assert REMAINING not in answers[-1].headers
