"""A page is believed only if it could be true; what is harmless is put right and nothing else."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.core.intervals import DAY_MS, INTERVALS, MINUTE_MS, Grid
from bgresearch.core.spans import Span
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.store.candle_checks import check_page

JAN_MS = 1_704_067_200_000
SPAN = Span(JAN_MS, JAN_MS + 10 * MINUTE_MS)
GRID = Grid(INTERVALS["1m"])
Row = tuple[float, ...]


def rows(span: Span = SPAN, step: int = MINUTE_MS) -> list[Row]:
    return [(at, 10.0, 12.0, 9.0, 11.0, 5.0, 55.0) for at in range(span.start_ms, span.end_ms, step)]


def page(of: list[Row]) -> pa.Table:
    columns = list(zip(*of, strict=True)) if of else [()] * 7
    arrays = [pa.array([int(at) for at in columns[0]], pa.int64()).cast(pa.timestamp("ms", "UTC"))]
    arrays += [pa.array([float(value) for value in column], pa.float64()) for column in columns[1:]]
    return pa.Table.from_arrays(arrays, schema=CANDLE_SCHEMA)


def test_a_good_page_is_believed_as_it_is() -> None:
    checked = check_page(page(rows()), SPAN, GRID)
    assert (checked.table, checked.fault, checked.absent) == (page(rows()), "", ())


@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_shuffles_and_identical_twins_are_put_right(rng: random.Random, twins: int) -> None:
    spoilt = rows() + rows()[:twins]
    rng.shuffle(spoilt)
    checked = check_page(page(spoilt), SPAN, GRID)
    assert checked.fault == ""
    assert checked.table == page(rows())


@given(st.sets(st.integers(0, 9)))
def test_absent_candles_are_named(kept: set[int]) -> None:
    checked = check_page(page([row for at, row in enumerate(rows()) if at in kept]), SPAN, GRID)
    named = {(at - JAN_MS) // MINUTE_MS for part in checked.absent for at in range(*part, MINUTE_MS)}
    assert checked.fault == ""
    assert named == set(range(10)) - kept


def test_older_rows_than_asked_are_dropped_and_prove_nothing_wrong() -> None:
    older = rows(Span(JAN_MS - 5 * MINUTE_MS, JAN_MS))
    assert check_page(page(older + rows()), SPAN, GRID).table == page(rows())
    assert check_page(page(older), SPAN, GRID).absent == (SPAN,)


def bad_pages() -> list[tuple[str, list[Row]]]:
    def changed(**values: float) -> list[Row]:
        names = ["open_time", "open", "high", "low", "close", "volume", "quote_volume"]
        return [
            *rows()[:3],
            tuple(values.get(name, old) for name, old in zip(names, rows()[3], strict=True)),
            *rows()[4:],
        ]

    nan = float("nan")
    return [
        ("two different candles", [*rows(), (*rows()[3][:-1], 56.0)]),
        ("between two boundaries", changed(open_time=JAN_MS + 3 * MINUTE_MS + 1)),
        ("outside its own high", changed(high=10.5)), ("outside its own high", changed(low=10.5)),
        ("missing or infinite", changed(close=nan)), ("missing or infinite", changed(open=float("inf"))),
        ("is negative", changed(volume=-1.0)), ("is negative", changed(low=-1.0)),
    ]  # fmt: skip


@pytest.mark.parametrize(("problem", "spoilt"), bad_pages())
def test_a_candle_that_cannot_be_true_is_left_out_and_named_alone(problem: str, spoilt: list[Row]) -> None:
    checked = check_page(page(spoilt), SPAN, GRID)
    place = Span(JAN_MS + 3 * MINUTE_MS, JAN_MS + 4 * MINUTE_MS)
    assert checked.fault == ""
    assert checked.table == page([*rows()[:3], *rows()[4:]])
    assert checked.absent == (place,)
    [odd] = checked.odd
    assert (odd.span, problem in odd.problem) == (place, True)
    readable = "outside" in problem or "negative" in problem
    assert odd.row == (spoilt[3][1:] if readable else None)


def test_a_row_without_a_time_stands_for_the_candle_that_is_absent() -> None:
    whole = page(rows())
    times = pa.array(
        [None if at == 3 else value for at, value in enumerate(whole.column(0))], whole.schema.field(0).type
    )
    checked = check_page(whole.set_column(0, whole.schema.field(0), times), SPAN, GRID)
    assert [(odd.span.start_ms, odd.row) for odd in checked.odd] == [(JAN_MS + 3 * MINUTE_MS, None)]


def test_an_answer_to_another_question_is_not_believed() -> None:
    later = rows(Span(SPAN.end_ms + MINUTE_MS, SPAN.end_ms + 5 * MINUTE_MS))
    for words, spoilt in (("the requested span", later), ("between two", [(row[0] + 1, *row[1:]) for row in rows()])):
        checked = check_page(page(spoilt), SPAN, GRID)
        assert words in checked.fault
        assert (checked.table.num_rows, checked.absent) == (0, (SPAN,))


def test_an_empty_page_is_no_fault_but_leaves_everything_absent() -> None:
    checked = check_page(page([]), SPAN, GRID)
    assert (checked.fault, checked.absent) == ("", (SPAN,))


@pytest.mark.parametrize("day", range(3))
def test_three_day_candles_on_any_day_are_believed_if_they_agree(day: int) -> None:
    grid, span = Grid(INTERVALS["3d"]), Span(JAN_MS, JAN_MS + 30 * DAY_MS)
    came = rows(Span(JAN_MS + day * DAY_MS, span.end_ms), 3 * DAY_MS)
    checked = check_page(page(came), span, grid)
    assert (checked.fault, checked.absent, checked.table.num_rows) == ("", (), 10)
    moved = [*came[:4], (came[4][0] + DAY_MS, *came[4][1:]), *came[5:]]
    [odd] = check_page(page(moved), span, grid).odd
    assert odd.span == Span(came[4][0], came[5][0])
