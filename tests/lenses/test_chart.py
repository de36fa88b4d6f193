from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.lenses.chart import candles_figure
from bgresearch.lenses.curves import equity_figure
from tests.lenses.frames import walk


def test_a_month_of_minutes_is_drawn_with_few_bars_and_says_so() -> None:
    candles = walk(43_200)
    candles.attrs["bgresearch"] = {"symbol": "BTCUSDT", "market": "spot", "price": "last", "interval": "1m"}
    figure = candles_figure(candles)
    sticks, volume = figure.data
    assert len(sticks.x) == len(volume.x) == 1440
    assert figure.layout.title.text == "BTCUSDT · spot · last"
    assert figure.layout.title.subtitle.text == "1m candles shown as 30m bars, UTC"
    assert sum(volume.y) == pytest.approx(candles["volume"].sum())
    assert max(sticks.high) == candles["high"].max()


def test_few_candles_are_drawn_as_they_are() -> None:
    candles = walk(50)
    figure = candles_figure(candles, title="Mine")
    assert list(figure.data[0].close) == candles["close"].tolist()
    assert figure.data[0].x[1] == "2024-01-01T00:01:00"
    assert (figure.layout.title.text, figure.layout.title.subtitle.text) == ("Mine", "1m bars, UTC")


def test_a_title_of_ones_own_does_not_hide_that_bars_are_longer() -> None:
    assert candles_figure(walk(43_200), title="Mine").layout.title.subtitle.text == "1m candles shown as 30m bars, UTC"


def test_missing_bars_are_not_drawn() -> None:
    candles = walk(50).drop(index=walk(50).index[10:20])
    assert len(candles_figure(candles).data[0].x) == 40


def test_candles_without_volume_have_no_volume_bars() -> None:
    assert [trace.type for trace in candles_figure(walk(5).drop(columns="volume")).data] == ["candlestick"]


def test_what_cannot_be_drawn_is_named() -> None:
    with pytest.raises(InvalidInput, match="candles: there is no candle"):
        candles_figure(walk(5).iloc[:0])
    with pytest.raises(InvalidInput, match="candles: no column high, low"):
        candles_figure(walk(5)[["open", "close"]])


def test_the_equity_line_is_broken_where_moments_are_missing() -> None:
    curve = pd.DataFrame({"BTC": 1.0, "equity": 2.0}, index=walk(10).index).drop(index=walk(10).index[4:7])
    line = equity_figure(curve).data[0]
    assert list(line.y) == [2.0] * 4 + [None] + [2.0] * 3
    assert list(line.x) == sorted(line.x)


def test_without_plotly_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ConfigurationError, match="pip install 'bgresearch\\[charts\\]'"):
        candles_figure(walk(5))


def test_importing_the_lenses_imports_no_plotly() -> None:
    code = "import sys, bgresearch.lenses.chart, bgresearch.lenses.page; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
