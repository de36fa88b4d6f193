"""When candles begin and end: by bisection, believing no single answer."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.core.intervals import DAY_MS, Grid
from bgresearch.core.spans import Span, union
from bgresearch.errors import BadResponse
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.market.candles.listing_dates import find_lives
from bgresearch.market.candles.plan import Route, subject
from bgresearch.store.candle_checks import Checked, check_page

NOW_MS = 20_700 * DAY_MS + 12_345_678
START_MS = 17_897 * DAY_MS  # 2019-01-01
WHAT = subject("X", "1m", "usdt-futures", "last", "utc")


class Listed:
    """An exchange with daily candles on some days, which obeys no start and fails as configured.

    A windowed one goes back no further than its limit, whether it finds candles or not.
    """

    def __init__(
        self, days: Sequence[int], *, false_empty: float = 0.0, broken: bool = False, windowed: bool = False
    ) -> None:  # fmt: skip
        self.days, self.asked, self._windowed = days, 0, windowed
        self._false_empty, self._broken, self._rng = false_empty, broken, random.Random(7)  # noqa: S311 - mishaps

    def ask(self, route: Route, span: Span, grid: Grid) -> Checked:
        self.asked += 1
        if self._broken:
            raise BadResponse(route.endpoint, "not JSON")
        first = span.end_ms - route.rows * DAY_MS if self._windowed else 0
        days = [day for day in self.days if first <= day * DAY_MS < span.end_ms and day < NOW_MS // DAY_MS]
        days = days[-route.rows :]
        days = [] if self._rng.random() < self._false_empty else days
        times = pa.array([day * DAY_MS for day in days], pa.timestamp("ms", "UTC"))
        table = pa.Table.from_arrays([times, *([pa.array([1.0] * len(days))] * 6)], schema=CANDLE_SCHEMA)
        return check_page(table, span, grid)


@settings(deadline=None)
@given(st.integers(17_000, 20_699), st.integers(1, 3000), st.sampled_from([0.0, 0.05]))
def test_the_first_and_the_last_day_are_found_in_few_questions(first: int, length: int, false_empty: float) -> None:
    exchange = Listed(range(first, first + length), false_empty=false_empty)
    lives = find_lives(WHAT, START_MS, exchange.ask, NOW_MS)
    last = min(first + length, NOW_MS // DAY_MS)
    if last * DAY_MS <= lives.looked.start_ms:
        assert lives.never
    else:
        assert lives.ended == (last * DAY_MS <= NOW_MS - 3 * DAY_MS)
        assert lives.days == (Span(max(first * DAY_MS, lives.looked.start_ms), last * DAY_MS),)
    assert exchange.asked <= 130


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.integers(18_000, 20_600), min_size=1, max_size=6, unique=True), st.integers(1, 200), st.booleans())
def test_every_life_is_found_however_short(begins: list[int], length: int, windowed: bool) -> None:
    days = sorted({day for begin in begins for day in range(begin, min(begin + length, NOW_MS // DAY_MS))})
    exchange = Listed(days, windowed=windowed)
    lives = find_lives(WHAT, START_MS, exchange.ask, NOW_MS)
    assert lives.days == union(Span(day * DAY_MS, (day + 1) * DAY_MS) for day in days)
    assert not any(hole.intersect(life) for hole in lives.holes for life in lives.days)


def test_nothing_is_known_of_today_as_history_has_finished_days_only() -> None:
    lives = find_lives(WHAT, NOW_MS - 3600_000, Listed([]).ask, NOW_MS)
    assert lives.never
    assert lives.looked.end_ms == NOW_MS // DAY_MS * DAY_MS


def test_an_exchange_that_makes_no_sense_is_not_searched_for_ever() -> None:
    exchange = Listed([], broken=True)
    with pytest.raises(BadResponse, match="responses can be trusted"):
        find_lives(WHAT, START_MS, exchange.ask, NOW_MS)
    assert exchange.asked < 20
