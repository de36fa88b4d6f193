"""Positions next to prices, as they were known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bgresearch.errors import InvalidInput
from bgresearch.research.positioning import positioning

START = pd.Timestamp("2026-01-01", tz="UTC")


def candles(count: int) -> pd.DataFrame:
    index = pd.date_range(START, periods=count, freq="5min", unit="ms", name="open_time")
    return pd.DataFrame({"close": np.arange(1.0, count + 1)}, index=index)


def recorded(values: list[float], *, late: str = "2s", **names: list[float]) -> pd.DataFrame:
    index = pd.date_range(START, periods=len(values), freq="5min", unit="ms", name="time")
    return pd.DataFrame({"asked": index + pd.Timedelta(late), "open_interest": values, **names}, index=index)


def test_open_interest_is_what_had_been_answered_when_the_candle_closed() -> None:
    table = positioning(candles(4), open_interest=recorded([10.0, 20.0, 30.0, 40.0]))
    assert table["open_interest"].tolist() == [10, 20, 30, 40]  # that of 00:05 came at 00:05:02, after the close
    assert table["open_interest_value"].tolist() == [10, 40, 90, 160]
    assert table["open_interest_change"].fillna(0).tolist() == [0, 1, 0.5, pytest.approx(1 / 3)]


def test_a_value_that_was_missed_is_not_replaced_by_an_old_one() -> None:
    missed = recorded([10.0, 20.0, 30.0, 40.0]).drop(index=START + pd.Timedelta("5min"))
    assert positioning(candles(4), open_interest=missed)["open_interest"].isna().tolist() == [False, True, False, False]
    patient = positioning(candles(4), open_interest=missed, no_older_than="1h")
    assert patient["open_interest"].tolist() == [10, 10, 30, 40]


def test_rows_of_a_period_count_when_it_is_over_whatever_their_columns_are_called() -> None:
    index = pd.date_range(START, periods=3, freq="5min", unit="ms", name="time")
    shares = pd.DataFrame({"long": [0.5, 0.6, 0.7], "short": [0.5, 0.4, 0.3], "ratio": [1.0, 1.5, 7 / 3]}, index=index)
    takers = pd.DataFrame({"buy": [3.0, 1.0, 1.0], "sell": [1.0, 1.0, 3.0]}, index=index)
    table = positioning(candles(3), long_short=shares, taker_volume=takers)
    assert table["long"].tolist() == [0.5, 0.6, 0.7]
    assert table["long_short"].iloc[0] == 1
    assert table["taker_imbalance"].tolist() == [0.5, 0, -0.5]
    kept = recorded([1.0, 1.0], buy_volume=[2.0, 2.0], sell_volume=[2.0, 1.0]).drop(columns="open_interest")
    assert positioning(candles(2), taker_volume=kept)["taker_buy"].tolist() == [2, 2]


def test_what_is_recorded_later_changes_no_earlier_row() -> None:
    whole = recorded([10.0, 20.0, 30.0, 40.0])
    now = START + pd.Timedelta("10min")
    altered = whole.copy()
    altered.loc[altered["asked"] > now, "open_interest"] = 99.0
    original, other = (positioning(candles(4), open_interest=one) for one in (whole, altered))
    pd.testing.assert_frame_equal(original.loc[:now], other.loc[:now])
    assert not original.equals(other)


def test_rows_of_an_hour_are_not_known_before_that_is_over_and_hold_until_the_next() -> None:
    index = pd.date_range(START, periods=3, freq="1h", unit="ms", name="time")
    shares = pd.DataFrame({"ratio": [1.0, 2.0, 3.0]}, index=index)
    original = positioning(candles(35), long_short=shares)["long_short"]
    hour = START + pd.Timedelta("1h")
    assert original[original.index < hour].isna().all()
    assert original[hour : hour + pd.Timedelta("55min")].eq(1).all()
    assert original[hour + pd.Timedelta("1h") :].eq(2).all()
    with pytest.raises(InvalidInput, match="period"):
        positioning(candles(4), long_short=shares.iloc[:1])
    assert positioning(candles(12), long_short=shares.iloc[:1], period="1h")["long_short"].iloc[-1] == 1


def test_open_interest_does_not_change_across_a_gap_and_filled_rows_are_no_candles() -> None:
    held = recorded([10.0, 20.0, 40.0, 80.0, 160.0])
    gap = candles(5).drop(index=START + pd.Timedelta("10min"))
    flagged = candles(5).assign(filled=[False, False, True, False, False])
    for frame in (gap, flagged):
        change = positioning(frame, open_interest=held)["open_interest_change"]
        assert change.fillna(9).tolist() == [9, 1, 9, 1]
