"""Made-up rows: the same call gets the same rows, filters hold, and every way of paging ends."""

from __future__ import annotations

from bgresearch.catalogue import load
from bgresearch.sandbox import Call
from bgresearch.sandbox.generic_responder import STEP_MS, invent

NOW = 1_780_000_000_000
DAY = 86_400_000


def ask(endpoint_id, now_ms=NOW, **params):
    given = {name: str(value) for name, value in params.items()}
    return invent(Call(load()[endpoint_id], given, None, now_ms, None))


def test_same_call_same_answer():
    assert ask("copy.mix_trader_order_history_track", symbol="BTCUSDT") == ask(
        "copy.mix_trader_order_history_track", symbol="BTCUSDT"
    )


def test_other_parameters_other_values():
    one, other = (ask("margin.crossed_interest_history", coin=coin)["resultList"] for coin in ("BTC", "ETH"))
    assert one
    assert [row["interestAmount"] for row in one] != [row["interestAmount"] for row in other]


def test_rows_repeat_what_was_asked_for():
    rows = ask("margin.crossed_interest_history", coin="ETH")["resultList"]
    assert rows
    assert {row["coin"] for row in rows if "coin" in row} <= {"ETH"}
    rows = ask(
        "futures.order_orders_plan_history", symbol="SOLUSDT", planType="normal_plan", productType="USDT-FUTURES"
    )
    assert {row["symbol"] for row in rows["entrustedList"]} == {"SOLUSDT"}


def test_rows_lie_inside_the_asked_window_newest_first():
    start, end = NOW - 20 * DAY, NOW - 10 * DAY
    endpoint = load()["copy.mix_trader_order_history_track"]
    rows = ask(endpoint.id, startTime=start, endTime=end)[endpoint.rows_at]
    times = [int(row[endpoint.time.rpartition(".")[2]]) for row in rows]
    assert len(times) == 20  # the default page
    assert all(start <= time <= end for time in times)
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == len(times)


def test_cursor_walk_meets_every_row_once_and_ends():
    window = {"startTime": NOW - 30 * DAY, "endTime": NOW}
    seen, cursor = [], {}
    for _ in range(100):
        page = ask("copy.mix_trader_order_history_track", limit=7, **window, **cursor)
        if not page["trackingList"]:
            assert page["endId"] == ""
            break
        seen += [row["trackingNo"] for row in page["trackingList"]]
        cursor = {"idLessThan": page["endId"]}
    else:
        raise AssertionError("paging does not end")
    assert len(seen) == len(set(seen)) == 30 * DAY // STEP_MS
    assert all(len(identifier) == 19 for identifier in seen)


def test_cursor_of_the_last_row_continues_below_it():
    endpoint = load()["uta.tax_records"]
    assert endpoint.paging.cursor_from == "last row id"
    first = ask(endpoint.id, limit=2)
    rows = first[endpoint.rows_at] if endpoint.rows_at else first
    following = ask(endpoint.id, limit=2, cursor=rows[-1]["id"])
    following = following[endpoint.rows_at] if endpoint.rows_at else following
    assert int(following[0]["id"]) < int(rows[-1]["id"])


def test_numbered_pages_meet_every_row_once_and_end():
    pages = [ask("copy.spot_trader_profit_details", pageSize=3, pageNo=number) for number in (1, 2, 3, 4)]
    flat = [str(row) for page in pages for row in page]
    assert len(flat) == len(set(flat)) > 3
    assert pages[-1] == []


def test_asking_by_id_gets_that_one_row():
    rows = ask("margin.crossed_history_orders", orderId="1234567890123456789")
    assert [row["orderId"] for row in rows["orderList"]] == ["1234567890123456789"]


def test_nothing_is_older_than_the_look_back():
    endpoint = load()["uta.liquidations"]
    assert endpoint.lookback_days == 3
    data = ask(endpoint.id, limit=1000)
    rows = data[endpoint.rows_at] if endpoint.rows_at else data
    assert 0 < len(rows) <= 3 * DAY // STEP_MS
