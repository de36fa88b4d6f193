"""Lines over time: every value where it belongs, one colour per name, gaps as gaps."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from bgresearch.charts.lines import lines_figure
from bgresearch.errors import InvalidInput

INDEX = pd.date_range("2026-01-01", periods=4, freq="1h", tz="UTC", name="known_at")


def frame(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame(columns, index=INDEX)


def test_every_column_is_a_line_in_its_own_box_with_its_values() -> None:
    prices, rates = frame(spot=[1, 2, 3, 4], contract=[5, 6, 7, 8]), frame(rate=[0.1, 0.2, 0.3, 0.4])
    figure = lines_figure({"USDT": prices, "%": rates})
    drawn = {line.name: (line.yaxis, list(line.y)) for line in figure.data}
    assert drawn == {"spot": ("y", [1, 2, 3, 4]), "contract": ("y", [5, 6, 7, 8]), "rate": ("y2", [0.1, 0.2, 0.3, 0.4])}
    assert [figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text] == ["USDT", "%"]
    assert figure.data[0].x[0] == "2026-01-01T00:00:00"


def test_a_gap_breaks_the_line_and_a_rate_that_holds_is_a_step() -> None:
    figure = lines_figure({"%": frame(rate=[0.1, math.nan, 0.3, 0.4], premium=[1, 2, 3, 4])}, steps=["rate"])
    rate, premium = figure.data
    assert rate.y[1] is None
    assert rate.connectgaps is False
    assert [rate.line.shape, premium.line.shape] == ["hv", "linear"]


def test_one_name_has_one_colour_and_one_entry_in_the_legend() -> None:
    figure = lines_figure({"a": frame(BTC=[1, 2, 3, 4], ETH=[1, 2, 3, 4]), "b": frame(ETH=[1, 2, 3, 4])})
    btc, eth, again = figure.data
    assert eth.line.color == again.line.color != btc.line.color
    assert [line.showlegend for line in figure.data] == [True, True, False]
    assert not lines_figure({"a": frame(BTC=[1, 2, 3, 4])}).data[0].showlegend


def test_what_cannot_be_drawn_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="nothing to draw"):
        lines_figure({"a": frame(b=[1, 2, 3, 4]).iloc[:0]})
    with pytest.raises(InvalidInput, match="time zone"):
        lines_figure({"a": frame(b=[1, 2, 3, 4]).tz_localize(None)})
    with pytest.raises(InvalidInput, match="ascending"):
        lines_figure({"a": frame(b=[1, 2, 3, 4]).iloc[::-1]})
    with pytest.raises(InvalidInput, match="not a DataFrame"):
        lines_figure({"a": frame(b=[1, 2, 3, 4])["b"]})
    with pytest.raises(InvalidInput, match="theme"):
        lines_figure({"a": frame(b=[1, 2, 3, 4])}, theme="neon")
