"""Returns, and the grid that keeps them from crossing a gap."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.research.regular_grid import closing_times, interval_of, on_grid, periods_per_year
from bgresearch.research.returns import log_returns, simple_returns

PRICES = st.lists(st.floats(1.0, 1000.0), min_size=2, max_size=40)


def candles(closes: list[float], *, freq: str = "1h", gone: tuple[int, ...] = ()) -> pd.DataFrame:
    index = pd.date_range("2026-01-01", periods=len(closes), freq=freq, tz="UTC", unit="ms", name="open_time")
    frame = pd.DataFrame({"close": closes}, index=index)
    return frame.drop(index=index[list(gone)])


@given(PRICES)
def test_a_price_grown_by_its_simple_returns_is_the_last_price(closes: list[float]) -> None:
    grown = closes[0]
    for change in simple_returns(candles(closes)).iloc[1:]:
        grown *= 1 + change
    assert grown == pytest.approx(closes[-1], rel=1e-9)


@given(PRICES)
def test_log_returns_add_up_to_that_of_the_whole_span(closes: list[float]) -> None:
    assert log_returns(candles(closes)).sum() == pytest.approx(math.log(closes[-1] / closes[0]), abs=1e-9)


def test_no_return_is_taken_across_a_missing_bar() -> None:
    computed = simple_returns(candles([100.0, 110.0, 1.0, 121.0, 133.1], gone=(2,)))
    assert computed.round(9).tolist()[1] == 0.1
    assert np.isnan(computed.iloc[2])
    assert computed.iloc[3] == pytest.approx(0.1)


def test_a_return_across_gaps_spans_them_when_asked_for() -> None:
    computed = simple_returns(candles([100.0, 110.0, 1.0, 121.0], gone=(2,)), across_gaps=True)
    assert computed.iloc[2] == pytest.approx(0.1)


@pytest.mark.parametrize("put_in", [math.nan, 110.0])
def test_a_row_that_was_filled_in_is_no_candle(put_in: float) -> None:
    frame = candles([100.0, 110.0, put_in, 121.0]).assign(filled=[False, False, True, False])
    assert simple_returns(frame).isna().tolist() == [True, False, True, True]
    assert simple_returns(frame, across_gaps=True).iloc[3] == pytest.approx(0.1)


def test_the_result_has_the_candles_own_times() -> None:
    frame = candles([1.0, 2.0, 3.0, 4.0], gone=(1,))
    assert log_returns(frame).index.equals(frame.index)
    assert log_returns(frame.iloc[:1]).isna().all()
    assert log_returns(frame.iloc[:0]).empty


@pytest.mark.parametrize("price", [0.0, -1.0])
def test_a_price_that_is_none_is_refused_with_its_time(price: float) -> None:
    with pytest.raises(InvalidInput, match="2026-01-01 01:00"):
        log_returns(candles([1.0, price, 2.0]))


def test_times_without_a_zone_or_in_disorder_are_refused() -> None:
    frame = candles([1.0, 2.0, 3.0])
    with pytest.raises(InvalidInput, match="time zone"):
        log_returns(frame.tz_localize(None))
    with pytest.raises(InvalidInput, match="ascending"):
        log_returns(frame.iloc[::-1])
    with pytest.raises(InvalidInput, match="no column mark"):
        log_returns(frame, column="mark")


def test_a_candle_is_known_when_it_closes_also_one_of_a_month() -> None:
    assert closing_times(candles([1.0, 2.0]))[0] == pd.Timestamp("2026-01-01 01:00Z")
    months = candles([1.0, 2.0, 3.0], freq="MS")
    assert closing_times(months).strftime("%m-%d").tolist() == ["02-01", "03-01", "04-01"]
    assert log_returns(months.drop(index=months.index[1]), interval="1M").isna().all()


def test_months_of_the_exchanges_anchor_close_on_its_boundaries() -> None:
    opens = pd.to_datetime(["2025-12-31T16:00Z", "2026-01-31T16:00Z"]).as_unit("ms").rename("open_time")
    frame = pd.DataFrame({"close": [1.0, 2.0]}, index=opens)
    frame.attrs["bgresearch"] = {"interval": "1M", "anchor": "exchange"}
    assert closing_times(frame)[0] == opens[1]
    assert log_returns(frame).notna().sum() == 1


def test_the_length_is_reported_by_name_by_provenance_or_by_the_shortest_step() -> None:
    frame = candles([1.0, 2.0, 3.0, 4.0], gone=(1,))
    assert interval_of(frame).name == "1h"
    frame.attrs["bgresearch"] = {"interval": "30m"}
    assert interval_of(frame).name == "30m"
    assert interval_of(frame, "15m").name == "15m"
    assert log_returns(frame).isna().all()  # with half-hour candles all of these stand alone
    with pytest.raises(InvalidInput, match="not known"):
        interval_of(candles([1.0]))
    with pytest.raises(InvalidInput, match="do not open every 4h"):
        on_grid(candles([1.0, 2.0]), interval="4h")


def test_candles_that_pandas_made_longer_are_not_taken_for_short_ones() -> None:
    hours = candles([float(price) for price in range(1, 97)])
    hours.attrs["bgresearch"] = {"interval": "1h"}
    days = hours.resample("1D").last()
    assert days.attrs == hours.attrs  # so pandas says
    for use in (log_returns, closing_times):
        with pytest.raises(InvalidInput, match="says 1h, but the candles are 1d apart"):
            use(days)
    assert log_returns(days, interval="1d").notna().sum() == 3
    assert closing_times(days, interval="1d")[0] == pd.Timestamp("2026-01-02", tz="UTC")


def test_a_year_has_365_days_that_never_close() -> None:
    assert (periods_per_year("1m"), periods_per_year("1d"), periods_per_year("1M")) == (525_600, 365, 12)
