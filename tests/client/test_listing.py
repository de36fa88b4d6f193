"""When candles begin and end: by bisection, believing no single answer."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.checks import Checked, check_page
from bgresearch.errors import BadResponse
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.intervals import DAY_MS
from bgresearch.listing import find_life
from bgresearch.paging import Grid
from bgresearch.planning import Route, subject
from bgresearch.spans import Span

NOW_MS = 20_700 * DAY_MS + 12_345_678
START_MS = 17_897 * DAY_MS  # 2019-01-01
WHAT = subject("X", "1m", "usdt-futures", "last", "utc")


class Listed:
    """An exchange with daily candles between two days, which obeys no start and fails as told."""

    def __init__(self, first_day: int, last_day: int, *, false_empty: float = 0.0, broken: bool = False) -> None:
        self.days = range(first_day, last_day)
        self.asked = 0
        self._false_empty, self._broken, self._rng = false_empty, broken, random.Random(7)  # noqa: S311 - mishaps

    def ask(self, road: Route, span: Span, grid: Grid) -> Checked:
        self.asked += 1
        if self._broken:
            raise BadResponse(road.endpoint, "not JSON")
        days = [day for day in self.days if day * DAY_MS < span.end_ms and day < NOW_MS // DAY_MS][-road.rows :]
        days = [] if self._rng.random() < self._false_empty else days
        times = pa.array([day * DAY_MS for day in days], pa.timestamp("ms", "UTC"))
        table = pa.Table.from_arrays([times, *([pa.array([1.0] * len(days))] * 6)], schema=CANDLE_SCHEMA)
        return check_page(table, span, grid)


@settings(deadline=None)
@given(st.integers(17_000, 20_699), st.integers(1, 3000), st.sampled_from([0.0, 0.05]))
def test_the_first_and_the_last_day_are_found_in_few_questions(first: int, length: int, false_empty: float) -> None:
    exchange = Listed(first, first + length, false_empty=false_empty)
    life = find_life(WHAT, START_MS, exchange.ask, NOW_MS)
    last = min(first + length, NOW_MS // DAY_MS)
    if last * DAY_MS <= START_MS:
        assert life.never
    else:
        alive = last * DAY_MS > NOW_MS - 3 * DAY_MS
        assert life.first_ms == max(first * DAY_MS, START_MS)
        assert life.last_ms == (life.looked.end_ms if alive else last * DAY_MS)
    assert exchange.asked <= 110


def test_nothing_is_known_of_today_as_history_has_finished_days_only() -> None:
    life = find_life(WHAT, NOW_MS - 3600_000, Listed(0, 0).ask, NOW_MS)
    assert life.never
    assert life.looked.duration_ms == 0


def test_an_exchange_that_makes_no_sense_is_not_searched_for_ever() -> None:
    exchange = Listed(0, 0, broken=True)
    with pytest.raises(BadResponse, match="none to be believed"):
        find_life(WHAT, START_MS, exchange.ask, NOW_MS)
    assert exchange.asked < 20
