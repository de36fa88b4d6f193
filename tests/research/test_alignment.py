"""What was known when: against pandas' own as-of join, and against a look at the future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.research.asof import asof, known
from bgresearch.research.trade_bars import time_bars, volume_bars

START = pd.Timestamp("2026-01-01", tz="UTC")
MINUTES = st.lists(st.integers(0, 500), max_size=30)


def at(minutes: list[int]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([START + pd.Timedelta(one, unit="min") for one in minutes], tz="UTC").as_unit("ms")


def rows(minutes: list[int]) -> pd.DataFrame:
    index = at(sorted(minutes)).rename("known_at")
    return pd.DataFrame({"value": np.arange(len(minutes), dtype="float64")}, index=index)


@given(MINUTES, MINUTES, st.none() | st.integers(0, 60))
def test_the_last_known_row_is_the_one_that_pandas_finds(
    moments: list[int], minutes: list[int], age: int | None
) -> None:
    left, right = pd.DataFrame({"at": at(sorted(moments))}), rows(minutes).reset_index()
    tolerance = None if age is None else pd.Timedelta(age, unit="min")
    expected = pd.merge_asof(left, right, left_on="at", right_on="known_at", tolerance=tolerance)
    aligned = asof(at(sorted(moments)), rows(minutes), no_older_than=tolerance)
    assert aligned["value"].fillna(-1).tolist() == expected["value"].fillna(-1).tolist()


@given(MINUTES, MINUTES, st.integers(0, 500))
def test_rows_known_later_change_nothing_before(moments: list[int], minutes: list[int], now: int) -> None:
    whole = rows(minutes)
    now_at = START + pd.Timedelta(now, unit="min")
    past = at([one for one in moments if one <= now])
    pd.testing.assert_frame_equal(asof(past, whole), asof(past, whole[whole.index <= now_at]))


def test_a_candle_is_known_when_it_closes_and_not_when_it_opens() -> None:
    candles = pd.DataFrame({"close": [1.0, 2.0]}, index=at([0, 60]).rename("open_time"))
    table = known(candles)
    assert table.index.name == "known_at"
    assert asof(at([59, 60, 119, 120]), table)["close"].fillna(0).tolist() == [0, 1, 1, 2]


def test_candles_whose_index_lost_its_name_are_still_known_when_they_close() -> None:
    candles = pd.DataFrame({"open": [1.0, 2.0], "close": [1.0, 2.0]}, index=at([0, 60]))
    assert known(candles.rename_axis("time")).index[0] == known(candles).index[0] == START + pd.Timedelta("1h")
    assert known(known(candles)).index[0] == START + pd.Timedelta("1h")  # and no later the second time


def test_a_few_candles_that_were_made_longer_are_not_known_after_their_old_length() -> None:
    hourly = pd.DataFrame({"close": np.arange(1.0, 73.0)}, index=at([60 * hour for hour in range(72)]))
    hourly = hourly.rename_axis("open_time")
    hourly.attrs["bgresearch"] = {"interval": "1h", "gaps": []}
    daily = hourly.resample("1D").last()
    with pytest.raises(InvalidInput, match="interval"):
        known(daily)
    assert known(daily, interval="1d").index[0] == START + pd.Timedelta("1D")


def test_bars_of_trades_are_known_when_they_say() -> None:
    side, amount = ["buy", "sell", "buy"], [1.0, 1.0, 1.0]
    trades = pd.DataFrame({"side": side, "price": [1.0, 2.0, 3.0], "amount": amount}, index=at([0, 7, 30]))
    assert known(time_bars(trades, "5m")).index.tolist() == at([5, 10, 35]).tolist()
    assert known(volume_bars(trades, 2.0)).index.tolist() == at([7]).tolist()


def test_a_recorded_row_is_known_when_its_answer_came() -> None:
    recorded = pd.DataFrame({"asked": at([6, 1]), "open_interest": [2.0, 1.0]}, index=at([5, 0]).rename("time"))
    assert asof(at([0, 5, 6]), known(recorded))["open_interest"].fillna(0).tolist() == [0, 1, 2]


def test_a_row_of_a_period_is_known_when_that_is_over_and_a_delay_is_added() -> None:
    ratios = pd.DataFrame({"ratio": [1.0]}, index=at([0]).rename("time"))
    assert known(ratios).index[0] == START
    assert known(ratios, interval="5m", delay="2s").index[0] == START + pd.Timedelta("5min2s")


def test_of_rows_known_at_once_the_last_one_counts() -> None:
    assert asof(at([3]), rows([3, 3, 3]))["value"].tolist() == [2]


def test_times_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match="time zone"):
        asof(at([1]), rows([1]).tz_localize(None))
    with pytest.raises(InvalidInput, match="ascending"):
        asof(at([1]), rows([1, 2]).iloc[::-1])
    with pytest.raises(InvalidInput, match="no fixed length"):
        known(pd.DataFrame({"a": [1]}, index=at([0])), interval="1M")


def test_lengths_of_time_that_are_none_are_refused_by_their_name() -> None:
    with pytest.raises(InvalidInput, match="no_older_than"):
        asof(at([1]), rows([1]), no_older_than="a while")
    with pytest.raises(InvalidInput, match="delay"):
        known(rows([1]), delay="-1h")  # known before it was
