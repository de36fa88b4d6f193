from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.connect import connect
from bgresearch.core.intervals import INTERVALS, MINUTE_MS, Anchor, interval
from bgresearch.errors import InvalidInput
from bgresearch.research.resample import fluid, resample

START_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z, a Monday


def candles(minutes: list[int], *, start_ms: int = START_MS, length: str = "1m") -> pd.DataFrame:
    """One-minute candles at these minutes, each telling its number: open n, high n + .5, low n - .5, close n + .25."""
    number = np.array(minutes, dtype="float64")
    index = pd.to_datetime([start_ms + minute * MINUTE_MS for minute in minutes], unit="ms", utc=True).as_unit("ms")
    columns = {"open": number, "high": number + 0.5, "low": number - 0.5, "close": number + 0.25}
    frame = pd.DataFrame({**columns, "volume": 1.0, "quote_volume": number}, index=index.rename("open_time"))
    frame.attrs["bgresearch"] = {"symbol": "BTCUSDT", "interval": length}
    return frame


def test_a_longer_candle_is_first_highest_lowest_last_and_sums() -> None:
    longer = resample(candles(list(range(120))), "1h")
    assert longer.iloc[1].to_dict() == {
        "complete": True,
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
    source = candles(list(range(0, 60 * 24 * 70, 45)), start_ms=START_MS + 7 * MINUTE_MS)  # a few of the minutes
    expected = sorted({interval(name).floor(int(ms), anchor) for ms in source.index.as_unit("ms").asi8})  # type: ignore[arg-type]
    assert list(resample(source, name, anchor=anchor).index.as_unit("ms").asi8) == expected


@pytest.mark.slow
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


def test_provenance_stays_with_the_frame_and_says_what_became_of_it() -> None:
    once = resample(candles([0, 1]), "5m")
    twice = resample(once, "1h")
    provenance = {"symbol": "BTCUSDT", "interval": "1h", "anchor": "utc", "resampled_from": "1m"}
    assert twice.attrs == {"bgresearch": provenance}
    assert once.attrs["bgresearch"]["interval"] == "5m"


@pytest.mark.slow
@given(
    st.lists(st.integers(0, 4000), min_size=1, max_size=80, unique=True).map(sorted),
    st.sampled_from(["1m", "3m", "15m", "1h", "4h", "12h", "1d", "3d", "1w", "1M"]),
    st.sampled_from(["utc", "exchange"]),
    st.integers(0, 60 * 24 * 400),
)
def test_every_bar_is_what_counting_by_hand_gives(minutes: list[int], name: str, anchor: Anchor, shift: int) -> None:
    source = candles(minutes, start_ms=START_MS + shift * MINUTE_MS)
    by_hand: dict[int, list[tuple[float, ...]]] = {}
    for open_ms, row in zip(source.index.as_unit("ms").asi8, source.itertuples(index=False), strict=True):
        by_hand.setdefault(interval(name).floor(int(open_ms), anchor), []).append(tuple(row))
    longer = resample(source, name, anchor=anchor)
    assert list(longer.index.as_unit("ms").asi8) == sorted(by_hand)
    for (open_ms, rows), bar in zip(sorted(by_hand.items()), longer.to_dict("records"), strict=True):
        length = interval(name).next_open(open_ms, anchor) - open_ms
        assert bar == {
            "open": rows[0][0], "high": max(row[1] for row in rows), "low": min(row[2] for row in rows),
            "close": rows[-1][3], "volume": float(len(rows)), "quote_volume": sum(row[5] for row in rows),
            "complete": len(rows) == length // MINUTE_MS,
        }  # fmt: skip


def test_a_bar_is_complete_when_every_candle_of_it_is_there() -> None:
    whole = candles(list(range(180)))
    assert list(resample(whole, "1h")["complete"]) == [True, True, True]
    assert list(resample(whole.drop(index=whole.index[70]), "1h")["complete"]) == [True, False, True]
    assert list(resample(whole.iloc[5:], "1h")["complete"]) == [False, True, True]
    assert list(resample(whole.iloc[:-1], "1h")["complete"]) == [True, True, False]


def test_a_month_is_complete_by_its_own_length() -> None:
    days = candles([1440 * day for day in range(31 + 29 + 30)], length="1d")
    assert list(resample(days, "1M")["complete"]) == [True, True, False]


def test_a_candle_that_is_still_forming_completes_nothing() -> None:
    source = candles(list(range(60)))
    source.attrs["bgresearch"]["closed"] = ["2024-01-01T00:00:00Z", "2024-01-01T00:59:00Z"]
    assert not resample(source, "1h")["complete"].item()


def test_rows_that_were_filled_in_are_no_candles() -> None:
    source = candles(list(range(180)))
    source["filled"] = [not (minute < 30 or minute >= 120) for minute in range(180)]
    longer = resample(source, "1h")
    assert list(longer["filled"]) == [False, True, False]
    assert list(longer["complete"]) == [False, False, True]
    assert longer["high"].iloc[0] == 29.5
    assert list(longer["volume"]) == [30.0, 60.0, 60.0]


def test_a_frame_without_provenance_goes_by_its_shortest_step_or_by_what_it_is_given() -> None:
    source = candles([0, 60])
    source.attrs.clear()
    assert list(resample(source, "2h")["complete"]) == [True]
    assert list(resample(source, "2h", made_of="1m")["complete"]) == [False]


@pytest.mark.parametrize(("own", "wanted"), [("5m", "3m"), ("1w", "1M"), ("3d", "1w"), ("3d", "1M"), ("1d", "12h")])
def test_what_would_cut_a_candle_in_two_is_refused(own: str, wanted: str) -> None:
    source = candles([0], length=own)
    with pytest.raises(InvalidInput, match=f"interval: {wanted} (cannot be made from {own}|is shorter)"):
        resample(source, wanted)


def test_candles_of_the_exchanges_day_make_no_day_of_utc() -> None:
    source = candles([16 * 60 + 360 * number for number in range(8)], length="6h")
    source.attrs["bgresearch"]["anchor"] = "exchange"
    assert list(resample(source, "1d")["complete"]) == [True, True]
    with pytest.raises(InvalidInput, match="1d cannot be made from 6h candles that open on exchange boundaries"):
        resample(source, "1d", anchor="utc")


@pytest.mark.parametrize(
    ("own", "longer", "days"),
    [("1m", "5m", 1), ("1m", "1h", 2), ("5m", "4h", 3), ("1h", "12h", 9), ("4h", "1d", 30), ("1d", "1w", 70),
     ("1d", "1M", 95)],
)  # fmt: skip
def test_longer_candles_are_the_exchanges_own(tmp_path: Path, own: str, longer: str, days: int) -> None:
    client = connect(sandbox=True, data_dir=tmp_path)
    end = pd.Timestamp("2026-03-01", tz="UTC")
    start = end - pd.Timedelta(days=days)
    made = client.candles("BTCUSDT", own, start, end).bg.resample(longer)
    asked = client.candles("BTCUSDT", longer, start, end)
    whole = made[made.pop("complete")]
    assert len(whole) >= max(1, len(asked) - 2)
    pd.testing.assert_frame_equal(whole, asked.loc[whole.index[0] : whole.index[-1]], rtol=1e-9)


def test_wrong_input_is_named() -> None:
    with pytest.raises(InvalidInput, match="interval: '7m' is unknown"):
        resample(candles([0]), "7m")
    with pytest.raises(InvalidInput, match="anchor: 'local' is unknown"):
        resample(candles([0]), "1h", anchor="local")
    with pytest.raises(InvalidInput, match="candles: the index is not a time with a time zone"):
        resample(candles([0]).tz_localize(None), "1h")
    with pytest.raises(InvalidInput, match="candles: the rows are not in order or not unique"):
        resample(candles([1, 0]), "1h")
    with pytest.raises(InvalidInput, match="candles: no column open, high, low, close"):
        pd.DataFrame({"price": [1.0]}).bg.resample("1h")
