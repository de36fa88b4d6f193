from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.intervals import INTERVALS, MINUTE_MS, interval
from bgresearch.lenses.resample import fluid, resample

START_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z, a Monday


def candles(minutes: list[int], *, start_ms: int = START_MS) -> pd.DataFrame:
    """One-minute candles at these minutes, each telling its number: open n, high n + .5, low n - .5, close n + .25."""
    number = np.array(minutes, dtype="float64")
    index = pd.to_datetime([start_ms + minute * MINUTE_MS for minute in minutes], unit="ms", utc=True).as_unit("ms")
    columns = {"open": number, "high": number + 0.5, "low": number - 0.5, "close": number + 0.25}
    return pd.DataFrame({**columns, "volume": 1.0, "quote_volume": number}, index=index.rename("open_time"))


def test_a_longer_candle_is_first_highest_lowest_last_and_sums() -> None:
    longer = resample(candles(list(range(120))), "1h")
    assert longer.iloc[1].to_dict() == {
        "open": 60.0,
        "high": 119.5,
        "low": 59.5,
        "close": 119.25,
        "volume": 60.0,
        "quote_volume": float(sum(range(60, 120))),
    }
    assert list(longer.index) == [pd.Timestamp("2024-01-01 00:00Z"), pd.Timestamp("2024-01-01 01:00Z")]
    assert longer.index.name == "open_time"


def test_a_bar_without_source_candles_is_absent() -> None:
    assert [moment.minute for moment in resample(candles([0, 1, 10, 11]), "5m").index] == [0, 10]


@pytest.mark.parametrize("name", list(INTERVALS))
@pytest.mark.parametrize("anchor", ["utc", "exchange"])
def test_bars_open_where_the_interval_says(name: str, anchor: str) -> None:
    source = candles(list(range(0, 60 * 24 * 70, 45)), start_ms=START_MS + 7 * MINUTE_MS)
    expected = sorted({interval(name).floor(int(ms), anchor) for ms in source.index.as_unit("ms").asi8})  # type: ignore[arg-type]
    assert list(resample(source, name, anchor=anchor).index.as_unit("ms").asi8) == expected


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=60, unique=True).map(sorted),
    st.sampled_from(["5m", "1h", "1d"]),
)
def test_nothing_is_lost_or_invented(minutes: list[int], name: str) -> None:
    source = candles(minutes)
    longer = resample(source, name)
    assert longer["volume"].sum() == len(minutes)
    assert longer["high"].max() == source["high"].max()
    assert longer["low"].min() == source["low"].min()
    assert (longer["open"].iloc[0], longer["close"].iloc[-1]) == (source["open"].iloc[0], source["close"].iloc[-1])


def test_a_month_of_minutes_becomes_few_enough_bars() -> None:
    shown, length = fluid(candles(list(range(43_200))))
    assert (length, len(shown)) == ("30m", 1440)


def test_few_candles_are_shown_as_they_are() -> None:
    source = candles(list(range(300)))
    shown, length = fluid(source)
    assert length == "1m"
    assert shown is source


def test_decades_still_fit() -> None:
    source = candles(list(range(0, 60 * 24 * 365 * 30, 60 * 24 * 5)))
    assert fluid(source, max_bars=20)[1] == "1M"


def test_provenance_stays_with_the_frame() -> None:
    source = candles([0, 1])
    source.attrs["bgresearch"] = {"symbol": "BTCUSDT"}
    assert resample(source, "1h").attrs == {"bgresearch": {"symbol": "BTCUSDT"}}


def test_wrong_input_is_named() -> None:
    with pytest.raises(InvalidInput, match="interval: '7m' is unknown"):
        resample(candles([0]), "7m")
    with pytest.raises(InvalidInput, match="anchor: 'local' is unknown"):
        resample(candles([0]), "1h", anchor="local")
    with pytest.raises(InvalidInput, match="candles: the index is not a time with a time zone"):
        resample(candles([0]).tz_localize(None), "1h")
