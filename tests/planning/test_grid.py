"""Cutting spans of candles: nothing lost, nothing twice, never wider than a request may be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, Grid, windows
from bgresearch.core.spans import Span, subtract, union
from bgresearch.http.pagination.cursor import next_cursor

grids = st.builds(Grid, st.sampled_from(list(INTERVALS.values())), st.sampled_from(["utc", "exchange"]))
spans = st.builds(
    lambda start, length: Span(start, start + length), st.integers(1_500_000_000_000, 1_800_000_000_000),
    st.integers(1, 200 * DAY_MS),
)  # fmt: skip
JAN_MS = 1_704_067_200_000


def short(grid: Grid, span: Span) -> Span:
    """Return no more than a few hundred candles of the span."""
    return grid.outer(Span(span.start_ms, min(span.end_ms, span.start_ms + 300 * grid.interval.nominal_ms)))


@given(grids, spans, st.integers(1, 50))
def test_pages_join_up_and_hold_no_more_candles_than_asked(grid: Grid, span: Span, rows: int) -> None:
    span = short(grid, span)
    pages = list(grid.cut(span, rows))
    assert union(pages) == union([span])
    assert all(left.end_ms == right.start_ms for left, right in itertools.pairwise(pages))
    assert all(grid.count(page) <= rows for page in pages)
    assert [at for page in pages for at in grid.opens(page)] == grid.opens(span)


@given(grids, spans)
def test_cutting_at_opens_changes_no_open(grid: Grid, span: Span) -> None:
    span = Span(span.start_ms, min(span.end_ms, span.start_ms + 300 * grid.interval.nominal_ms))
    assert grid.opens(grid.outer(span)) == grid.opens(span)
    assert grid.count(grid.outer(span)) == len(grid.opens(span))
    assert all(grid.holds(at) for at in grid.opens(span))


@given(grids, spans, st.data())
def test_absent_candles_are_exactly_those_that_did_not_come(grid: Grid, span: Span, data: st.DataObject) -> None:
    span = short(grid, span)
    opens = grid.opens(span)
    if not opens:
        return
    grid = grid.learned(opens[0])
    came = sorted(data.draw(st.sets(st.sampled_from(opens))))
    absent = grid.absent(span, came)
    assert [at for part in absent for at in grid.opens(part)] == [at for at in opens if at not in came]
    assert not subtract(absent, [span])


@given(grids, spans)
def test_a_closed_candle_ends_before_now(grid: Grid, span: Span) -> None:
    now = span.start_ms
    edge = grid.closed_before(now)
    before = grid.opens(Span(edge - 5 * grid.interval.nominal_ms, edge))
    assert all(grid.interval.next_open(at, grid.anchor) <= now for at in before)
    after = grid.opens(Span(edge, edge + 2 * grid.interval.nominal_ms))
    assert all(grid.interval.next_open(at, grid.anchor) > now for at in after)


def test_three_day_candles_may_open_on_any_day_but_all_on_the_same() -> None:
    grid = Grid(INTERVALS["3d"])
    second_day = grid.opens(Span(JAN_MS, JAN_MS + 3 * DAY_MS))[0] + DAY_MS
    learned = grid.learned(second_day)
    assert grid.phase_unknown
    assert not learned.phase_unknown
    assert learned.opens(Span(JAN_MS, JAN_MS + 9 * DAY_MS))[0] % (3 * DAY_MS) == second_day % (3 * DAY_MS)
    assert not learned.holds(second_day + DAY_MS)


@pytest.mark.parametrize("phase", range(3))
@pytest.mark.parametrize("day", range(3))
def test_what_is_asked_holds_every_open_even_after_rounding_down(phase: int, day: int) -> None:
    span = Span(JAN_MS + day * DAY_MS, JAN_MS + (day + 10) * DAY_MS)
    grid = Grid(INTERVALS["3d"], phase_ms=phase * DAY_MS)
    wide, rows = Grid(INTERVALS["3d"]).asked(span)
    rounded = Span(*(at - (at - phase * DAY_MS) % (3 * DAY_MS) for at in wide))
    assert set(grid.opens(span)) <= set(grid.opens(rounded))
    assert len(grid.opens(rounded)) <= rows


def test_a_week_opens_on_monday_and_a_month_on_the_first_in_either_zone() -> None:
    whole = Span(JAN_MS - 10 * DAY_MS, JAN_MS + 70 * DAY_MS)
    assert JAN_MS in Grid(INTERVALS["1w"]).opens(whole)  # 2024-01-01 was a Monday
    assert JAN_MS - 8 * HOUR_MS in Grid(INTERVALS["1w"], "exchange").opens(whole)
    assert Grid(INTERVALS["1M"], "exchange").opens(whole)[0] == JAN_MS - 8 * HOUR_MS


@given(spans, st.integers(1, 10**10))
def test_windows_join_up_and_are_never_longer(span: Span, longest: int) -> None:
    longest = max(longest, span.duration_ms // 1000 + 1)
    parts = list(windows(span, longest))
    assert union(parts) == (span,)
    assert max(part.duration_ms for part in parts) <= longest


@pytest.mark.parametrize(
    ("where", "data", "rows", "expected"),
    [
        ("data.endId", {"endId": "7"}, [{}], "7"), ("data.endId", {"endId": None}, [{}], ""),
        ("data.endId", {"endId": "7"}, [], ""), ("data.cursor", {"cursor": ""}, [{}], ""),
        ("last row tradeId", None, [{"tradeId": "9"}, {"tradeId": "8"}], "8"), ("last row tradeId", None, ["x"], ""),
        ("data.idLessThan while data.nextFlag", {"idLessThan": "5"}, [{}], "5"), ("data.endId", [], [{}], ""),
    ],
)  # fmt: skip
def test_the_cursor_is_read_where_the_table_says(where: str, data: object, rows: list[object], expected: str) -> None:
    assert next_cursor(where, data, rows) == expected
