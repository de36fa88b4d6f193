"""Figures of many symbols at once say what the numbers say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bgresearch.charts.cross_section import ranking_figure, spread_figure
from bgresearch.errors import InvalidInput

INDEX = pd.date_range("2026-01-01", periods=20, freq="D", tz="UTC", unit="ms")


def test_a_ranking_has_the_largest_on_top_and_leaves_out_what_is_no_number() -> None:
    values = pd.Series({"A": 1.0, "B": 30.0, "C": np.nan, "D": 7.25})
    figure = ranking_figure(values, title="x", unit="%", marked=["D"], note="gone")
    assert list(figure.layout.yaxis.categoryarray) == ["A", "D", "B"]  # from the bottom up
    drawn = {name: text for bar in figure.data for name, text in zip(bar.y, bar.text, strict=True)}
    assert drawn == {"A": "1.00 %", "B": "30.00 %", "D": "7.25 %"}
    assert [(bar.name, list(bar.y), bar.showlegend) for bar in figure.data][1] == ("gone", ["D"], True)


def test_a_spread_has_the_quantiles_of_those_that_are_there_on_a_day() -> None:
    values = pd.DataFrame(np.random.default_rng(7).normal(50, 9, (20, 30)), INDEX).add_prefix("S")
    values.iloc[10:, 5:] = np.nan
    figure = spread_figure(values, title="x", lines=["S9"])
    drawn = [np.array(line.y, dtype=float) for line in figure.data]
    for line, quantile in zip(drawn, (0.1, 0.9, 0.25, 0.75, 0.5), strict=False):
        left = [np.quantile(row[~np.isnan(row)], quantile) for row in values.to_numpy()]
        np.testing.assert_allclose(line, left, rtol=1e-12)
    np.testing.assert_array_equal(drawn[5], values["S9"].to_numpy())
    assert [line.name for line in figure.data if line.showlegend is not False] == [
        "middle 80 %",
        "middle 50 %",
        "median",
        "S9",
    ]


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(InvalidInput, match="none of the values is a number"):
        ranking_figure(pd.Series({"A": np.nan}), title="x")
    with pytest.raises(InvalidInput, match="S9 is not a column"):
        spread_figure(pd.DataFrame({"A": 1.0}, INDEX), title="x", lines=["S9"])
