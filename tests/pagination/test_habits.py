"""Walks against lists with every habit that the documentation leaves open: every record once, in any case."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgresearch.catalogue import load
from bgresearch.client.api import ApiCall
from bgresearch.client.api_pages import ApiContext
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BadResponse, IncompleteData
from bgresearch.store import Store
from tests.conftest import NOW_MS
from tests.pagination.lists import Habits, ListSender

DAY = 86_400_000
STYLES = {  # row of the table -> parameters, column of the id, column of the time
    "spot.account_bills": ({"startTime": NOW_MS - 200 * DAY}, "billId", "cTime"),  # idLessThan, last row
    "futures.order_fill_history": (
        {"productType": "USDT-FUTURES", "startTime": NOW_MS - 30 * DAY}, "tradeId", "cTime",
    ),  # idLessThan, data.endId
    "uta.trade_fills": ({"startTime": NOW_MS - 80 * DAY}, "execId", "createdTime"),  # cursor, data.cursor
    "uta.account_deposit_records": (
        {"startTime": NOW_MS - 80 * DAY, "endTime": NOW_MS}, "orderId", "createdTime",
    ),  # cursor, smallest id
    "spot.account_transfer_records": (
        {"coin": "USDT", "startTime": NOW_MS - 200 * DAY}, "transferId", "ts",
    ),  # page numbers
    "spot.trade_unfilled_orders": ({}, "orderId", "cTime"),  # without times
    "copy.mix_trader_profit_details": ({}, "", ""),  # page numbers, nothing that tells rows apart
    "ins_loan.repaid_history": ({"startTime": NOW_MS - 200 * DAY}, "repayOrderId", "repaidTime"),  # time alone
}  # fmt: skip


def records(row_id: str, ages: list[int], start: int = 0) -> list[dict[str, Any]]:
    """Make rows, oldest first; ties in time included, and without ids many that are equal."""
    _, known_by, time = STYLES[row_id]
    made: list[dict[str, Any]] = []
    for place, age in enumerate(sorted(ages, reverse=True), start):
        row = {known_by: str(10**18 + place)} if known_by else {"profit": str(age % 3)}
        made.append(row | ({time: str(NOW_MS - 1 - age)} if time else {}))
    return made


def walker(tmp_path: Path, row_id: str, rows: list[dict[str, Any]], habits: Habits) -> tuple[ApiCall, ListSender]:
    _, known_by, time = STYLES[row_id]
    sender = ListSender(load()[row_id], rows, time=time, known_by=known_by, habits=habits)
    clock = ManualClock(NOW_MS)
    sender.new_row = lambda place: records(row_id, [-1 - place], start=place)[0]
    store = Store(tmp_path / "data", clock=clock)
    return ApiCall(ApiContext(sender, store, clock, progress=False), load()[row_id]), sender


def ids(rows: list[dict[str, Any]], name: str) -> Counter[str]:
    return Counter(row[name] for row in rows)


BORDERS = [  # where two windows meet, as an age
    back * DAY - 1 - count * (longest * DAY - 60_000)
    for back, longest in ((30, 7), (80, 30), (200, 90))
    for count in range(1, 5)
]
NEAR_BORDERS = [at + extra for at in BORDERS if 0 < at < 90 * DAY for extra in (-2, -1, 0, 1, 2)]
AGES = st.lists(st.one_of(st.integers(0, 29 * DAY), st.sampled_from([0, 1, *NEAR_BORDERS])), max_size=60).map(
    lambda ages: [age for age in ages if age < 29 * DAY]
)
FALSE_EMPTIES = st.sampled_from([(), (1,), (2, 3), (3,), (1, 5, 6)])
HABITS = st.builds(
    Habits, ends_included=st.booleans(), start_included=st.booleans(), cursor_included=st.booleans(),
    shuffled=st.booleans(), last_page_repeats=st.booleans(), empty=st.sampled_from([[], None, "", {}]),
)  # fmt: skip
FAST = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CURSORS = [
    "spot.account_bills", "futures.order_fill_history", "uta.trade_fills", "uta.account_deposit_records",
    "spot.trade_unfilled_orders",
]  # fmt: skip


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("row_id", CURSORS)
@FAST
@given(
    ages=AGES, habits=HABITS, limit=st.sampled_from([2, 5, 100]), pages_of=st.sampled_from([None, 2, 7]),
    lies=FALSE_EMPTIES,
)  # fmt: skip
def test_lists_with_cursors_are_whole_whatever_their_habits(
    tmp_path: Path,
    row_id: str,
    *,
    ages: list[int],
    habits: Habits,
    limit: int,
    pages_of: int | None,
    lies: tuple[int, ...],
) -> None:
    # an exchange with smaller pages than documented that also lies about the second one cannot be seen through
    habits = replace(habits, pages_of=pages_of, false_empties=() if pages_of else lies)
    rows = records(row_id, ages)
    call, _ = walker(tmp_path, row_id, rows, habits)
    frame = None
    # a full page that comes twice may also be a cursor that is ignored
    with suppress(BadResponse) if habits.last_page_repeats else nullcontext():
        frame = call.all(limit=limit, resume=False, **STYLES[row_id][0])
    if frame is None:
        return
    name = STYLES[row_id][1]
    assert Counter(frame[name]) == ids(rows, name)


@FAST
@given(
    ages=AGES, repeats=st.sampled_from(["", "last", "first"]), size=st.sampled_from([2, 5, 100]),
    arrivals=st.sets(st.integers(1, 20), max_size=4), lies=FALSE_EMPTIES,
)  # fmt: skip
def test_numbered_pages_are_whole_while_new_rows_push_them_on(
    tmp_path: Path, *, ages: list[int], repeats: str, size: int, arrivals: set[int], lies: tuple[int, ...]
) -> None:
    row_id = "spot.account_transfer_records"
    rows = records(row_id, ages)
    habits = Habits(
        last_page_repeats=repeats == "last", first_page_again=repeats == "first", arrivals=tuple(arrivals),
        false_empties=lies,
    )  # fmt: skip
    call, _ = walker(tmp_path, row_id, rows, habits)
    expected = ids(rows, "transferId")
    frame = None
    with suppress(BadResponse) if repeats else nullcontext():
        frame = call.all(limit=size, resume=False, **STYLES[row_id][0])
    if frame is None:
        return
    assert Counter(frame["transferId"]) == expected


@FAST
@given(
    ages=AGES, size=st.sampled_from([2, 5, 20]), arrivals=st.sets(st.integers(1, 25), max_size=1), repeats=st.booleans()
)  # fmt: skip
def test_equal_rows_without_ids_are_all_kept_and_those_that_were_pushed_on_are_not_counted_twice(
    tmp_path: Path, ages: list[int], size: int, arrivals: set[int], repeats: bool
) -> None:
    row_id = "copy.mix_trader_profit_details"
    rows = records(row_id, ages)
    if repeats:  # pages that are equal in truth could not be distinguished from a last page that repeats
        rows = [{"profit": str(place)} for place in range(len(ages))]
    if repeats or not rows:
        arrivals = set()  # a last page that repeats and has a new row on it looks like another page
    call, sender = walker(tmp_path, row_id, rows, Habits(arrivals=tuple(arrivals), last_page_repeats=repeats))
    sender.new_row = lambda place: {"profit": "99"}  # one that is equal to the rest nobody could tell from them
    expected = Counter(float(row["profit"]) for row in rows)
    frame = None
    with suppress(BadResponse) if repeats else nullcontext():
        frame = call.all(pageSize=size, resume=False)
    if frame is None:
        return
    assert Counter(frame["profit"]) == expected


def test_a_list_that_is_only_narrowed_by_time_is_walked_through_ties(tmp_path: Path) -> None:
    row_id = "ins_loan.repaid_history"
    rows = records(row_id, [at // 7 * DAY for at in range(95)])
    call, sender = walker(tmp_path, row_id, rows, Habits())
    frame = call.all(limit=10, **STYLES[row_id][0])
    assert Counter(frame["repayOrderId"]) == ids(rows, "repayOrderId")
    assert sender.sent > 10


def test_more_ties_than_a_page_without_a_cursor_are_named_as_missing(tmp_path: Path) -> None:
    row_id = "ins_loan.repaid_history"
    call, _ = walker(tmp_path, row_id, records(row_id, [DAY] * 30), Habits())
    with pytest.raises(IncompleteData, match="any deeper") as caught:
        call.all(limit=10, **STYLES[row_id][0])
    assert caught.value.missing


def test_an_ignored_cursor_is_distinguished_from_the_end_of_a_list(tmp_path: Path) -> None:
    row_id = "spot.account_bills"
    call, _ = walker(tmp_path, row_id, records(row_id, list(range(30))), Habits(ignores_cursor=True))
    with pytest.raises(BadResponse, match=r"spot\.account_bills: the page after .* came twice; the list has no end"):
        call.all(limit=10, **STYLES[row_id][0])


def test_windows_are_no_wider_than_the_row_says_and_leave_nothing_out(tmp_path: Path) -> None:
    row_id = "futures.order_fill_history"
    call, sender = walker(tmp_path, row_id, [], Habits())
    call.all(**STYLES[row_id][0])
    spans = sorted({(int(asked["startTime"]), int(asked["endTime"])) for asked in sender.asked})
    assert all(end - start <= 7 * DAY for start, end in spans)
    assert all(before[1] >= after[0] for before, after in pairwise(spans))
    assert (spans[0][0], spans[-1][1]) == (NOW_MS - 30 * DAY - 1, NOW_MS)


def test_what_pages_show_is_half_open_however_the_exchange_takes_the_ends(tmp_path: Path) -> None:
    row_id, start = "spot.account_bills", NOW_MS - 10 * DAY
    rows = [{"billId": str(at), "cTime": str(start + at)} for at in range(20)]
    for ends, starts in ((True, True), (False, False), (True, False), (False, True)):
        call, _ = walker(tmp_path, row_id, list(rows), Habits(ends_included=ends, start_included=starts))
        frame = call.all(startTime=start + 5, endTime=start + 15)
        assert sorted(map(int, frame["billId"])) == list(range(5, 15))
