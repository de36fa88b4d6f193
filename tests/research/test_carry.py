"""Funding and basis: by hand, and on the sandbox's contract."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.research.carry import annual_basis, annual_funding, basis, carry, funding_hours, funding_received

START = pd.Timestamp("2026-01-01", tz="UTC")
STEPS = st.lists(st.tuples(st.sampled_from([1, 2, 4, 8]), st.floats(-0.01, 0.01)), min_size=2, max_size=60)


def rates(steps: list[tuple[float, float]]) -> pd.DataFrame:
    """Settlements: hours since the one before, and the rate."""
    times = START + pd.to_timedelta(np.cumsum([hours for hours, _ in steps]), unit="h")
    index = pd.DatetimeIndex(times).as_unit("ms").rename("time")
    return pd.DataFrame({"funding_rate": [rate for _, rate in steps]}, index=index)


def candles(closes: list[float], *, start: pd.Timestamp = START, freq: str = "1h") -> pd.DataFrame:
    index = pd.date_range(start, periods=len(closes), freq=freq, unit="ms", name="open_time")
    return pd.DataFrame({"close": closes}, index=index)


@given(STEPS)
def test_funding_of_a_year_weighted_by_its_hours_is_what_was_paid(steps: list[tuple[float, float]]) -> None:
    frame = rates(steps)
    yearly, hours = annual_funding(frame, first_hours=steps[0][0]), funding_hours(frame, first_hours=steps[0][0])
    assert (yearly * hours / 8760).sum() == pytest.approx(frame["funding_rate"].sum(), abs=1e-12)


def test_hours_are_those_that_went_by_and_change_with_the_contract() -> None:
    hours = funding_hours(rates([(8, 0), (8, 0), (4, 0), (1, 0), (2, 0), (8, 0)]))
    assert hours.fillna(0).tolist() == [0, 8, 4, 1, 2, 8]


def test_a_missing_settlement_is_no_long_interval() -> None:
    frame = rates([(8, 0.0001)] * 6).drop(index=START + pd.Timedelta(24, unit="h"))
    assert funding_hours(frame).isna().tolist() == [True, False, True, False, False]
    assert annual_funding(frame).isna().tolist() == [True, False, True, False, False]


def test_a_trailing_year_needs_every_settlement_of_its_span() -> None:
    frame = rates([(8, 0.0001)] * 12)
    result = annual_funding(frame, over="1D")
    assert result.isna().tolist() == [True] * 3 + [False] * 9  # the first row's hours are not known
    assert result.dropna().to_numpy() == pytest.approx(np.full(9, 3 * 0.0001 * 365))
    holed = annual_funding(frame.drop(index=frame.index[6]), over="1D")
    assert holed.isna().sum() == 3 + 3
    unknown = frame.copy()
    unknown.iloc[6] = math.nan
    assert annual_funding(unknown, over="1D").isna().sum() == 3 + 3


def test_a_trailing_year_holds_intervals_of_any_length() -> None:
    steps = [(8, 0.0008), (8, 0.0008), (4, 0.0004), (4, 0.0004), (1, 0.0001), *[(1, 0.0001)] * 11, (8, 0.0008)]
    result = annual_funding(rates(steps), over="24h").dropna()
    assert result.to_numpy() == pytest.approx(0.0001 * 8760)


@given(STEPS, st.floats(1, 1e6))
def test_what_longs_pay_shorts_receive(steps: list[tuple[float, float]], value: float) -> None:
    frame = rates(steps)
    long, short = (funding_received(frame, side=side, value=value) for side in ("long", "short"))
    assert (long + short).abs().to_numpy().max() == 0
    assert short["total"].iloc[-1] == pytest.approx(value * frame["funding_rate"].sum(), abs=1e-9 * value)


def test_funding_is_paid_on_the_value_that_the_position_had_at_the_settlement() -> None:
    frame = rates([(8, 0.01), (8, 0.01)])
    marks = pd.Series([100.0, 200.0, 999.0], index=START + pd.to_timedelta([8, 15, 17], unit="h"))
    assert funding_received(frame, side="long", value=2 * marks)["received"].tolist() == [-2.0, -4.0]
    late = funding_received(frame, side="long", value=marks.iloc[1:])
    assert late["total"].isna().all()  # the first payment is not known, so no sum is


def test_an_annual_basis_is_earned_by_the_delivery() -> None:
    times = pd.DatetimeIndex([START, START + pd.Timedelta(30, unit="D"), START + pd.Timedelta(73, unit="D")])
    price, reference = pd.Series(102.0, times), pd.Series(100.0, times)
    expiry = START + pd.Timedelta(73, unit="D")
    simple = annual_basis(price, reference, expiry)
    assert simple.iloc[0] == pytest.approx(0.02 * 5)
    assert np.isnan(simple.iloc[2])
    grown = annual_basis(price, reference, expiry.tz_localize(None), compounded=True)
    assert (1 + grown.iloc[0]) ** (73 / 365) == pytest.approx(1.02)
    assert annual_basis(reference, price, expiry).iloc[0] < 0
    with pytest.raises(InvalidInput, match="perpetual"):
        annual_basis(price, reference, pd.NaT)


@given(st.floats(0.5, 2), st.floats(0.5, 2))
def test_a_basis_does_not_depend_on_the_unit(price: float, reference: float) -> None:
    one = basis(pd.Series([price]), pd.Series([reference]))[0]
    assert basis(pd.Series([price * 1e4]), pd.Series([reference * 1e4]))[0] == pytest.approx(one, abs=1e-12)


def test_carry_puts_side_by_side_what_was_known_when_a_candle_closed() -> None:
    table = carry(
        spot=candles([100.0, 100.0, 100.0]), last=candles([101.0, 102.0, 103.0]),
        mark=candles([102.0, 102.0]), index=candles([100.0, 100.0]),
        funding=rates([(1, 0.001), (1, 0.002)]),
    )  # fmt: skip
    assert table.index.tolist() == [START + pd.Timedelta(hour, unit="h") for hour in (1, 2, 3)]
    assert table["basis"].round(9).tolist() == [0.01, 0.02, 0.03]
    assert table["premium"].fillna(9).round(9).tolist() == [0.02, 0.02, 9]  # no mark closed at three
    assert table["funding_rate"].tolist() == [0.001, 0.002, 0.002]
    assert table["annual_funding"].fillna(0).round(9).tolist() == [0, 17.52, 17.52]


def test_carry_of_candles_of_different_lengths_carries_on_only_what_is_young_enough() -> None:
    spot, last = candles([1.0, 1.0, 1.0, 1.0], freq="30min"), candles([2.0, 2.0])
    assert carry(spot=spot, last=last)["last"].notna().tolist() == [False, True, False, True]
    assert carry(spot=spot, last=last, no_older_than="30min")["last"].notna().tolist() == [False, True, True, True]


def test_filled_rows_are_no_prices() -> None:
    spot, last = candles([1.0, 1.0, 1.0]), candles([2.0, 2.0, 2.0]).assign(filled=[False, True, False])
    assert carry(spot=spot, last=last)["basis"].isna().tolist() == [False, True, False]


def test_a_funding_rate_is_not_carried_on_where_settlements_are_missing() -> None:
    table = carry(last=candles([1.0] * 24), funding=rates([(2, 0.001), (4, 0.001)]))
    assert table["funding_rate"].notna().sum() == 14 - 2 + 1  # from the close at two to eight hours after six


def test_later_candles_and_settlements_change_no_earlier_row() -> None:
    random = np.random.default_rng(1)
    prices = [random.uniform(90, 110, 48).tolist() for _ in range(4)]
    steps = [(4.0, float(rate)) for rate in random.normal(0, 1e-4, 12)]
    now = START + pd.Timedelta(20, unit="h")

    def result(factor: float) -> pd.DataFrame:
        frames = [candles(one) for one in prices]
        for frame in frames:
            frame[frame.index + pd.Timedelta(1, unit="h") > now] *= factor
        funding = rates(steps)
        funding[funding.index > now] *= factor
        spot, last, mark, index = frames
        return carry(spot=spot, last=last, mark=mark, index=index, funding=funding)

    pd.testing.assert_frame_equal(result(3.0).loc[:now], result(1.0).loc[:now])
    assert not result(3.0).equals(result(1.0))


def test_what_means_nothing_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="side"):
        funding_received(rates([(8, 0)]), side="both")
    with pytest.raises(InvalidInput, match="none is given"):
        carry()
    with pytest.raises(InvalidInput, match="funding_rate"):
        annual_funding(candles([1.0, 2.0]))
    for over in ("1M", "0s", "-1D"):
        with pytest.raises(InvalidInput, match="over"):
            annual_funding(rates([(8, 0)] * 3), over=over)
    with pytest.raises(InvalidInput, match="funding_rates"):
        annual_funding(rates([(8, 0)]).tz_localize(None))
