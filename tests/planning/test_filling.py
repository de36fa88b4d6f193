"""Filling on demand: flagged, never beyond what was a gap, never with a value from the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.core.intervals import INTERVALS, Grid
from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput
from bgresearch.market.candles.gap_fill import check_fill, filled

MINUTE_MS = 60_000
GRID = Grid(INTERVALS["1m"])
COLUMNS = ["open", "high", "low", "close", "volume", "quote_volume"]


def candles(minutes: list[int]) -> pd.DataFrame:
    index = pd.DatetimeIndex(np.array([at * MINUTE_MS for at in minutes], "datetime64[ms]"), tz="UTC", name="open_time")
    values = np.array([[at, at + 2, at - 1, at + 1, 5.0, 50.0] for at in minutes], dtype=float).reshape(-1, 6)
    frame = pd.DataFrame(values, index=index, columns=COLUMNS)
    frame.attrs["bgresearch"] = {"verb": "candles"}
    return frame


@given(st.sets(st.integers(0, 40), min_size=1), st.integers(0, 30), st.integers(0, 30))
def test_every_absent_minute_of_a_gap_and_no_other_is_put_in(there: set[int], first: int, length: int) -> None:
    frame = candles(sorted(there))
    gap = Span(first * MINUTE_MS, (first + length) * MINUTE_MS)
    whole = filled(frame, [gap], GRID, "nan")
    expected = sorted(there | set(range(first, first + length)))
    assert [at.timestamp() // 60 for at in whole.index] == expected
    assert (whole["filled"] == [at not in there for at in expected]).all()
    assert whole.loc[~whole["filled"], COLUMNS].equals(frame)
    assert whole.loc[whole["filled"], COLUMNS].isna().all().all()


@given(st.sets(st.integers(0, 40), min_size=1))
def test_a_filled_price_is_the_last_close_before_it_and_nothing_was_traded(there: set[int]) -> None:
    whole = filled(candles(sorted(there)), [Span(0, 41 * MINUTE_MS)], GRID, "ffill")
    for at, row in zip(range(41), whole.itertuples(), strict=True):
        before = [one for one in there if one <= at]
        if at in there:
            assert not row.filled
        elif not before:
            assert np.isnan(row.close)
        else:
            close = max(before) + 1
            assert (row.open, row.high, row.low, row.close, row.volume, row.quote_volume) == (close,) * 4 + (0.0, 0.0)


def test_without_filling_the_frame_is_what_it_was() -> None:
    frame = candles([1, 5])
    assert filled(frame, [Span(0, 10 * MINUTE_MS)], GRID, "none") is frame


def test_the_report_stays_with_the_frame() -> None:
    whole = filled(candles([1, 5]), [Span(0, 10 * MINUTE_MS)], GRID, "ffill")
    assert whole.attrs["bgresearch"] == {"verb": "candles"}
    assert whole.index.name == "open_time"
    assert str(whole.index.dtype) == "datetime64[ms, UTC]"


def test_an_unknown_way_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput, match="none, ffill, nan"):
        check_fill("zero")
