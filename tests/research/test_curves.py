from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.equity_curve import drawdown, drawdowns, equity_curve

DAYS = pd.date_range("2026-01-01", periods=9, freq="1D", tz="UTC")
CURVE = pd.Series([100.0, 110.0, 99.0, 104.5, 110.0, 121.0, 60.5, 80.0, 100.0], index=DAYS)


def test_the_depth_is_to_the_highest_value_so_far() -> None:
    found = drawdown(CURVE)
    assert found["depth"].tolist() == [0.0, 0.0, -11.0, -5.5, 0.0, 0.0, -60.5, -41.0, -21.0]
    assert found["ratio"].round(3).tolist() == [0.0, 0.0, -0.1, -0.05, 0.0, 0.0, -0.5, -0.339, -0.174]


def test_each_fall_has_its_depth_its_length_and_when_it_was_over() -> None:
    deepest, first = drawdowns(CURVE).to_dict("records")
    assert (deepest["peaked"], deepest["lowest"], deepest["ratio"]) == (DAYS[5], DAYS[6], -0.5)
    assert pd.isna(deepest["recovered"])
    assert (deepest["fall"].days, deepest["duration"].days) == (1, 3)
    assert (first["peaked"], first["recovered"], first["depth"]) == (DAYS[1], DAYS[4], -11.0)
    assert (first["fall"].days, first["duration"].days) == (1, 3)


def test_a_curve_that_only_rises_has_no_falls() -> None:
    assert drawdowns(pd.Series([1.0, 1.0, 2.0], index=DAYS[:3])).empty
    assert drawdown(pd.Series([-1.0, -2.0], index=DAYS[:2]))["ratio"].isna().all()


def test_moments_out_of_order_are_refused() -> None:
    nothing = pd.DataFrame(columns=["market", "symbol"])
    with pytest.raises(InvalidInput, match="moments: they are not in order of time"):
        equity_curve(nothing, nothing, DAYS[::-1], prices={})


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_the_deepest_fall_is_the_worst_of_all_pairs_of_moments(values: list[int]) -> None:
    curve = pd.Series([float(value) for value in values], index=pd.RangeIndex(len(values)))
    worst = min(values[late] - values[early] for early in range(len(values)) for late in range(early, len(values)))
    found = drawdowns(curve)
    assert (found["depth"].min() if len(found) else 0.0) == worst == drawdown(curve)["depth"].min()
    assert (found["depth"] < 0).all()
