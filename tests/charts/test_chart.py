from __future__ import annotations

import base64
import json
import subprocess
import sys
import zlib
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.charts.chart import candles_figure
from bgresearch.charts.downsampling import chosen, cut
from bgresearch.charts.downsampling import levels as levels_of
from bgresearch.charts.encoding import columns_packed
from bgresearch.charts.equity import equity_figure
from bgresearch.charts.overlays import marks_of
from bgresearch.charts.widget import live
from bgresearch.connect import connect
from bgresearch.errors import ConfigurationError, InvalidInput
from bgresearch.research.quality.gaps import gaps
from tests.charts.random_candles import walk


def traces(made: object) -> dict[str, object]:
    """The traces of a chart by their name."""
    return {trace.name: trace for trace in made.figure.data}  # type: ignore[attr-defined]


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


def test_missing_bars_are_not_drawn_and_a_band_says_why() -> None:
    bars = walk(50)
    bars.attrs["bgresearch"] = {
        "interval": "1m",
        "gaps": [{"start": "2024-01-01T00:10:00Z", "end": "2024-01-01T00:20:00Z", "cause": "exchange has none"}],
    }
    drawn = traces(bars.drop(index=[*bars.index[10:20], bars.index[30]]).bg.chart())
    assert len(drawn["price"].x) == 39
    band = drawn["no candles"]
    assert (band.x[0], band.x[-1], set(band.y)) == ("2024-01-01T00:10:00", "2024-01-01T00:31:00", {0.0, 1.0})
    assert sorted(set(band.text)) == [
        "no candles: exchange has none<br>2024-01-01 00:10 to 2024-01-01 00:20, 10 absent",
        "no candles: not recorded<br>2024-01-01 00:30 to 2024-01-01 00:31, 1 absent",
    ]
    assert "no candles" not in traces(bars.drop(index=bars.index[5]).bg.chart(gaps=False))


def test_rows_that_were_filled_in_are_under_a_band() -> None:
    drawn = traces(walk(10).assign(filled=[False] * 4 + [True] * 3 + [False] * 3).bg.chart())
    assert (drawn["no candles"].x[0], drawn["no candles"].x[-1]) == ("2024-01-01T00:04:00", "2024-01-01T00:07:00")


def test_candles_without_volume_have_no_volume_bars() -> None:
    assert [trace.type for trace in candles_figure(walk(5).drop(columns="volume")).data] == ["candlestick"]
    assert [trace.type for trace in walk(5).bg.chart(volume=False).figure.data] == ["candlestick"]


def test_lines_are_averages_columns_and_series_by_the_names_they_are_given() -> None:
    bars = walk(60)
    own = pd.Series([1.0, 2.0], index=bars.index[[3, 40]], name="mine")
    drawn = traces(bars.bg.chart(overlays=[5, "close", own]))
    assert set(drawn) == {"price", "volume", "average of 5", "close", "mine"}
    assert drawn["average of 5"].y[59] == pytest.approx(bars["close"].iloc[55:60].mean())
    assert np.isnan(drawn["average of 5"].y[3])
    assert list(drawn["mine"].x) == ["2024-01-01T00:03:00", "2024-01-01T00:40:00"]
    assert {"slow", "fast"} <= set(traces(bars.bg.chart(overlays={"slow": 20, "fast": 5})))
    assert {"a", "b"} <= set(traces(bars.bg.chart(overlays=pd.DataFrame({"a": bars["close"], "b": bars["open"]}))))


def test_a_line_does_not_cross_a_gap_unless_its_own_steps_are_longer() -> None:
    bars = walk(200)
    daily = pd.Series([1.0, 2.0, 3.0], index=bars.index[[0, 100, 199]], name="slow")
    seldom = pd.Series([1.0, 2.0, 3.0, 4.0], index=bars.index[[0, 20, 40, 150]], name="seldom")
    drawn = traces(bars.drop(index=bars.index[50:60]).bg.chart(overlays=["close", daily, seldom]))
    assert [at for at, value in zip(drawn["close"].x, drawn["close"].y, strict=True) if np.isnan(value)] == [
        "2024-01-01T00:50:00"
    ]
    assert list(drawn["slow"].y) == [1.0, 2.0, 3.0]
    assert list(drawn["seldom"].y) == [1.0, 2.0, 3.0, 4.0]


def test_funding_rates_have_a_panel_of_their_own_in_percent() -> None:
    rates = pd.DataFrame(
        {"funding_rate": [0.0001, -0.0002, 0.5]},
        index=pd.to_datetime(["2024-01-01 00:00Z", "2024-01-01 08:00Z", "2024-03-01 00:00Z"]),
    )
    drawn = traces(walk(600).bg.chart(funding=rates))["funding"]
    assert list(drawn.y) == [0.01, -0.02]
    assert drawn.yaxis == "y3"
    assert "funding" not in traces(walk(10).bg.chart(funding=rates.iloc[2:]))


def own_fills() -> pd.DataFrame:
    times = pd.to_datetime(
        ["2024-01-01 00:01:10Z", "2024-01-01 00:05:20Z", "2024-01-01 00:06:00Z", "2024-01-01 00:07:00Z"]
    )
    return pd.DataFrame(
        {
            "side": ["buy", "sell", "buy", "buy"], "price": [50_000.0, 50_010.0, 1.0, 2.0],
            "amount": [0.5, 0.25, 1.0, 1.0], "fee": [0.1, float("nan"), 0.1, 0.1], "fee_coin": ["USDT"] * 4,
            "role": ["taker"] * 4, "symbol": ["BTCUSDT", "BTCUSDT", "ETHUSDT", "BTCUSDT"],
            "market": ["spot", "spot", "spot", "usdt-futures"],
        },
        index=times,
    ).astype({"side": "category", "symbol": "category", "market": "category"})  # fmt: skip


def test_own_fills_of_the_symbol_and_market_are_marked_with_their_size() -> None:
    bars = walk(60)
    bars.attrs["bgresearch"] = {"symbol": "BTCUSDT", "market": "spot", "interval": "1m"}
    drawn = traces(bars.bg.chart(fills=own_fills()))
    assert list(drawn["own buys"].text) == ["buy 0.5 at 50,000, taker<br>fee 0.1 USDT"]
    assert list(drawn["own sells"].text) == ["sell 0.25 at 50,010, taker"]
    assert list(drawn["own buys"].x) == ["2024-01-01T00:01:10"]
    assert "own buys" not in traces(bars.bg.chart(fills=own_fills().iloc[:0]))


def test_fills_of_one_bar_are_one_mark_at_their_average_price() -> None:
    fills = own_fills().iloc[[0, 0, 1]].assign(price=[100.0, 200.0, 50.0], amount=[1.0, 3.0, 1.0])
    drawn = traces(walk(6_000).bg.chart(fills=fills))
    assert list(drawn["own buys"].y) == [175.0]
    assert list(drawn["own buys"].text) == ["buy 4 in 2 fills, at 175 on average"]
    assert list(drawn["own sells"].text) == ["sell 1 at 50, taker"]


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("market", ["spot", "usdt-futures"])
def test_what_the_client_returns_can_be_drawn_at_once(tmp_path: Path, market: str) -> None:
    client = connect(sandbox=True, data_dir=tmp_path)
    end = client.now.floor("D")
    candles = client.candles("BTCUSDT", "1h", end - pd.Timedelta(days=9), end, market=market)
    fills = client.account.fills(end - pd.Timedelta(days=9), end, market=market)
    rates = client.funding_rates("BTCUSDT", end - pd.Timedelta(days=9), end) if market != "spot" else None
    made = candles.bg.chart(overlays=24, fills=fills, funding=rates)
    buys = (fills["side"] == "buy") & (fills["symbol"] == "BTCUSDT")
    assert len(traces(made)["own buys"].x) == buys.sum() > 0
    assert ("funding" in traces(made)) == (market != "spot")


@given(st.integers(1, 4_000), st.integers(50, 1_500), st.data())
def test_whatever_is_in_sight_is_drawn_whole_and_with_few_bars(bars: int, most: int, data: st.DataObject) -> None:
    candles = WALK.iloc[:bars]
    levels = levels_of(
        candles, {}, marks_of(None, candles, (candles.index[0], candles.index[-1])), NO_GAPS, max_bars=most
    )
    start, end = (int(moment.value // 10**6) for moment in (candles.index[0], WALK.index[bars]))
    begin = data.draw(st.integers(start, end - 60_000))
    stop = data.draw(st.integers(begin + 60_000, end))
    level = levels[chosen(levels, begin, stop, max_bars=most)]
    margin = (stop - begin) / 2
    columns = cut(level.traces["candles"], begin - margin, stop + margin)
    assert len(columns["x"]) <= max(most + 2, levels[-1].bars)
    full = level.traces["candles"]["x"]
    needed = full[(full > begin - level.length_ms) & (full <= stop)]
    assert set(needed) <= set(columns["x"])


WALK = walk(4_001)
NO_GAPS = gaps(WALK)


@given(
    st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=50), st.integers(0, 8),
    st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=50), st.booleans(),
)  # fmt: skip
def test_what_is_packed_is_what_is_unpacked(whole: list[int], decimals: int, floats: list[float], short: bool) -> None:
    times = np.cumsum(np.abs(np.array(whole, dtype="int64"))) + 1_704_067_200_000
    prices = np.array(whole) / 10.0**decimals
    packed = columns_packed(
        {"x": times, "y": prices, "f": np.array(floats), "text": np.array(["a"], dtype=object)}, short=short
    )
    assert unpacked(packed["x"]).tolist() == times.tolist()
    np.testing.assert_allclose(unpacked(packed["y"]), prices, rtol=1e-6 if short else 0)
    np.testing.assert_allclose(unpacked(packed["f"]), floats, rtol=1e-6 if short else 1e-12, atol=1e-30)
    assert packed["text"] == ["a"]


def unpacked(column: dict[str, object]) -> np.ndarray:
    """As ``fluid.js`` does it; tests/browser hold that to the frame."""
    if "floats" in column:
        return np.frombuffer(zlib.decompress(base64.b64decode(str(column["floats"]))), "<f4").astype("float64")
    if "doubles" in column:
        return np.frombuffer(zlib.decompress(base64.b64decode(str(column["doubles"]))), "<f8")
    planes = np.frombuffer(zlib.decompress(base64.b64decode(str(column["deltas"]))), "u1").reshape(4, -1)
    sums = np.cumsum(planes.T.copy().view("<i4").ravel(), dtype="int64")
    return column.get("base", 0) + sums * column.get("unit", 1) / 10.0 ** column.get("decimals", 0)  # type: ignore[operator]


def test_a_widget_draws_finer_bars_where_one_zooms_in_and_all_of_it_again() -> None:
    bars = walk(43_200)
    (_, shown) = live(bars.bg.chart(overlays=[30])).children
    shown.layout.xaxis.range = ["2024-01-10 00:00", "2024-01-10 06:00"]
    sticks, line = shown.data[0], shown.data[2]
    own = bars.loc["2024-01-09 21:00":"2024-01-10 09:00"]
    assert list(sticks.close)[1:] == own["close"].tolist()
    assert list(line.y)[-1] == pytest.approx(own["close"].iloc[-30:].mean())
    view = own.loc["2024-01-10 00:00":"2024-01-10 06:00"]
    low, high = shown.layout.yaxis.range
    assert view["low"].min() - low == pytest.approx(high - view["high"].max())
    assert "1m bars, UTC" in shown.layout.title.text
    shown.layout.xaxis.autorange = True
    assert len(shown.data[0].x) == 1440
    assert (shown.layout.xaxis.range[0][:10], shown.layout.xaxis.autorange) == ("2023-12-31", False)
    assert "30m bars" in shown.layout.title.text


def test_what_a_widget_sends_is_json_where_lines_begin_late_and_bars_are_missing() -> None:
    bars = walk(50)
    bars.loc[bars.index[5:9], ["open", "high", "low", "close", "volume"]] = np.nan
    (_, shown) = live(bars.bg.chart(overlays=[30])).children
    assert np.isnan(shown.data[2].y[0])
    json.dumps(shown.get_state(), allow_nan=False, default=len)  # what is no JSON leaves as bytes next to it


def test_a_title_is_text_and_never_markup() -> None:
    (_, shown) = live(walk(5).bg.chart(title="<b>bold</b>")).children
    assert shown.layout.title.text.startswith("&lt;b&gt;bold&lt;/b&gt;<br>")


@pytest.mark.parametrize("theme", ["auto", "light", "dark", "print"])
def test_every_theme_has_its_ink_and_its_ground(theme: str) -> None:
    figure = walk(5).bg.chart(theme=theme).figure
    clear = figure.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert clear == (theme == "auto")
    assert (figure.data[0].increasing.fillcolor == "#ffffff") == (theme == "print")


def test_what_cannot_be_drawn_is_named() -> None:
    with pytest.raises(InvalidInput, match="candles: it has no candles"):
        candles_figure(walk(5).iloc[:0])
    with pytest.raises(InvalidInput, match="candles: no column high, low"):
        candles_figure(walk(5)[["open", "close"]])
    with pytest.raises(InvalidInput, match="candles: the rows are not in order"):
        walk(5).iloc[::-1].bg.chart()
    with pytest.raises(InvalidInput, match="overlays: there is no column 'vwap'"):
        walk(5).bg.chart(overlays="vwap")
    with pytest.raises(InvalidInput, match="overlays: an average needs at least two candles"):
        walk(5).bg.chart(overlays=[1])
    with pytest.raises(InvalidInput, match="overlays: float cannot be drawn"):
        walk(5).bg.chart(overlays=[1.5])
    with pytest.raises(InvalidInput, match="overlays: the index of the Series is not a time"):
        walk(5).bg.chart(overlays=pd.Series([1.0]))
    with pytest.raises(InvalidInput, match="funding: it has no column funding_rate"):
        walk(5).bg.chart(funding=walk(5))
    with pytest.raises(InvalidInput, match="fills: no column side"):
        walk(5).bg.chart(fills=walk(5).assign(price=1.0, amount=1.0))
    with pytest.raises(InvalidInput, match="theme: 'blue' is unknown"):
        walk(5).bg.chart(theme="blue")


def test_the_equity_line_is_broken_where_moments_are_missing() -> None:
    curve = pd.DataFrame({"BTC": 1.0, "equity": 2.0}, index=walk(10).index).drop(index=walk(10).index[4:7])
    line = equity_figure(curve).data[0]
    assert list(line.y) == [2.0] * 4 + [None] + [2.0] * 3
    assert list(line.x) == sorted(line.x)


def test_a_drawdown_stands_below_the_equity_in_percent() -> None:
    curve = pd.DataFrame({"equity": [10.0, 12.0, 9.0], "drawdown": [0.0, 0.0, -0.25]}, index=walk(3).index)
    equity, area, drawdown = equity_figure(curve).data
    assert (equity.yaxis, drawdown.yaxis, list(drawdown.y)) == ("y", "y2", [0.0, 0.0, -25.0])
    assert list(area.y) == [0.0, 0.0, -25.0]
    with pytest.raises(InvalidInput, match="curve: the column equity is missing"):
        equity_figure(walk(3))


def test_the_area_of_a_drawdown_does_not_cross_a_hole() -> None:
    index = walk(6).index.delete(3)
    curve = pd.DataFrame({"equity": 1.0, "drawdown": [-0.1, -0.2, -0.3, -0.4, -0.5]}, index=index)
    _, area, drawdown = equity_figure(curve).data
    assert list(drawdown.y) == [-10.0, -20.0, -30.0, None, -40.0, -50.0]
    assert [(at[14:16], depth) for at, depth in zip(area.x, area.y, strict=True)] == [
        ("00", -10.0), ("01", -20.0), ("02", -30.0), ("02", 0.0), ("04", 0.0), ("04", -40.0), ("05", -50.0)
    ]  # fmt: skip


def test_a_curve_of_decimals_is_drawn_as_well() -> None:
    curve = pd.DataFrame({"spot": [Decimal(1), Decimal(2)], "equity": [Decimal(1), Decimal(2)]}, index=walk(2).index)
    assert list(equity_figure(curve).data[0].y) == [1.0, 2.0]


def test_without_plotly_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ConfigurationError, match="pip install 'bgresearch\\[charts\\]'"):
        walk(5).bg.chart()


def test_importing_the_lenses_imports_no_extra() -> None:
    code = (
        "import sys, bgresearch.charts.chart, bgresearch.charts.html_page; "
        "sys.exit(bool({'plotly', 'ipywidgets', 'anywidget', 'kaleido'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603


def test_the_accessor_comes_with_the_client_and_only_once() -> None:
    code = "import bgresearch as bg; bg.Client; import bgresearch.accessor, pandas; pandas.DataFrame.bg"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0  # noqa: S603
