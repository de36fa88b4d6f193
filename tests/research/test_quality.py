from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.connect import connect
from bgresearch.errors import InvalidInput
from bgresearch.research.quality.gaps import gaps
from bgresearch.research.quality.report import modified_z
from tests.charts.random_candles import walk


def reported(frame: pd.DataFrame, start: str, end: str, *holes: tuple[str, str, str]) -> pd.DataFrame:
    """The frame with what the client would have noted."""
    named = [{"start": f"{begin}:00Z", "end": f"{stop}:00Z", "cause": cause} for begin, stop, cause in holes]
    frame.attrs["bgresearch"] = {
        "symbol": "BTCUSDT", "market": "spot", "price": "last", "interval": "1m", "anchor": "utc",
        "closed": [f"{start}:00Z", f"{end}:00Z"], "gaps": named,
    }  # fmt: skip
    return frame


def test_a_whole_frame_is_sound() -> None:
    report = reported(walk(1440), "2024-01-01T00:00", "2024-01-02T00:00").bg.quality()
    assert report.sound
    assert (report.expected, report.candles, report.coverage) == (1440, 1440, 1.0)
    assert set(report.frame()["found"][2:]) == {0}


def test_gaps_carry_the_cause_that_was_noted_and_are_cut_where_it_changes() -> None:
    bars = walk(60)
    bars = reported(
        bars.drop(index=[*bars.index[:5], *bars.index[10:20], *bars.index[40:43]]),
        "2024-01-01T00:00", "2024-01-01T01:00",
        ("2024-01-01T00:00", "2024-01-01T00:05", "before listing"),
        ("2024-01-01T00:10", "2024-01-01T00:14", "exchange has none"),
        ("2024-01-01T00:14", "2024-01-01T00:20", "unknown"),
    )  # fmt: skip
    report = bars.bg.quality()
    minutes = [(f"{start:%H:%M}", f"{end:%H:%M}", *rest) for start, end, *rest in report.gaps.itertuples(index=False)]
    assert minutes == [
        ("00:00", "00:05", 5, "before listing"),
        ("00:10", "00:14", 4, "exchange has none"),
        ("00:14", "00:20", 6, "unknown"),
        ("00:40", "00:43", 3, "not recorded"),
    ]
    assert (report.candles, report.expected, report.sound) == (42, 60, False)
    assert "42, 70.00 %" in repr(report)


@given(st.sets(st.integers(0, 199), max_size=199))
def test_gaps_and_candles_together_are_the_whole(absent: set[int]) -> None:
    bars = walk(200)
    found = gaps(reported(bars.drop(index=bars.index[sorted(absent)]), "2024-01-01T00:00", "2024-01-01T03:20"))
    minutes = [
        minute
        for start, end in zip(found["start"], found["end"], strict=True)
        for minute in range(int((start - bars.index[0]).seconds // 60), int((end - bars.index[0]).seconds // 60))
    ]
    assert minutes == sorted(absent)
    assert found["candles"].sum() == len(absent)
    assert (found["start"].to_numpy()[1:] > found["end"].to_numpy()[:-1]).all()


def test_rows_that_were_filled_in_are_absent() -> None:
    bars = walk(10).assign(filled=[False] * 7 + [True] * 3)
    report = bars.bg.quality()
    assert (report.filled, report.candles, report.gaps["candles"].tolist()) == (3, 7, [3])


def test_a_candle_that_is_still_forming_is_neither_present_nor_too_much() -> None:
    report = reported(walk(60), "2024-01-01T00:00", "2024-01-01T00:59").bg.quality()
    assert (report.expected, report.candles, report.forming, report.outside, report.sound) == (59, 59, 1, 0, True)


def test_a_part_of_what_was_asked_for_is_judged_by_the_span_that_is_said() -> None:
    bars = reported(walk(1440), "2024-01-01T00:00", "2024-01-02T00:00").loc["2024-01-01 12:00":"2024-01-01 12:59"]
    assert bars.bg.quality().coverage == pytest.approx(60 / 1440)
    assert bars.bg.quality("2024-01-01T12:00", "2024-01-01T13:00").coverage == 1.0


def test_months_are_counted_by_the_calendar() -> None:
    months = pd.date_range("2024-01-01", periods=5, freq="MS", tz="UTC", name="open_time")
    bars = walk(5).set_axis(months).drop(index=months[1])
    found = gaps(bars)
    assert [f"{moment:%Y-%m-%d}" for moment in (*found["start"], *found["end"])] == ["2024-02-01", "2024-03-01"]


def test_duplicates_disorder_and_rows_off_the_grid_are_counted() -> None:
    bars = walk(20)
    moved = bars.iloc[[7]].set_axis(bars.index[[7]] + pd.Timedelta(seconds=20))
    report = pd.concat([bars.iloc[:10], bars.iloc[3:5], bars.iloc[10:], moved]).bg.quality()
    assert (report.duplicates, report.disorder, report.candles, report.expected) == (2, 2, 20, 20)
    reported_bars = reported(pd.concat([bars, moved]).sort_index(), "2024-01-01T00:00", "2024-01-01T00:20")
    assert reported_bars.bg.quality().off_grid == 1


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("close", np.nan, "a price is missing or infinite"),
        ("open", -1.0, "a price is not above 0"),
        ("high", 1.0, "high is below another price"),
        ("low", 1e9, "high is below another price"),
        ("volume", -1.0, "a volume is negative or missing"),
    ],
)
def test_what_cannot_be_is_named(column: str, value: float, words: str) -> None:
    bars = walk(20)
    bars.loc[bars.index[4], column] = value
    found = bars.bg.quality().insane
    assert found["problem"].to_dict() == {bars.index[4]: words}


def test_a_low_above_the_close_is_named() -> None:
    bars = walk(20)
    bars.loc[bars.index[4], "low"] = max(bars["open"].iloc[4], bars["close"].iloc[4])
    assert bars.bg.quality().insane["problem"].tolist() == ["low is above another price"]


def test_runs_without_volume_end_at_a_trade_and_at_a_gap() -> None:
    bars = walk(30)
    bars.loc[bars.index[[3, 10, 11, 12, 20, 21, 22, 23]], "volume"] = 0.0
    found = bars.drop(index=bars.index[22]).bg.quality().still
    runs = [(start.minute, end.minute, count) for start, end, count in found.itertuples(index=False)]
    assert runs == [(3, 4, 1), (10, 13, 3), (20, 22, 2), (23, 24, 1)]


def test_a_jump_and_a_wick_are_outliers_and_a_gap_is_none() -> None:
    bars = walk(500, seed=4)
    wicks = np.random.default_rng(1).uniform(0, 0.0008, (2, 500))
    top, bottom = bars[["open", "close"]].max(axis=1), bars[["open", "close"]].min(axis=1)
    bars["high"], bars["low"] = top * (1 + wicks[0]), bottom * (1 - wicks[1])
    assert bars.bg.quality().outliers.empty
    bars.loc[bars.index[100:], ["open", "high", "low", "close"]] *= 1.05
    bars.loc[bars.index[200], "high"] *= 1.04
    bars.loc[bars.index[301:], ["open", "high", "low", "close"]] *= 0.9
    found = bars.drop(index=bars.index[300]).bg.quality().outliers
    assert list(zip(found.index, found["measure"], strict=True)) == [
        (bars.index[100], "return"),
        (bars.index[200], "upper wick"),
    ]
    assert found["value"].iloc[0] == pytest.approx(np.log(bars["close"].iloc[100] / bars["close"].iloc[99]))


def test_the_score_is_that_of_iglewicz_and_hoaglin() -> None:
    # median 2.95; the median of the distances from it 0.3
    values = pd.Series([2.1, 2.6, 2.9, 3.0, 3.2, 9.2])
    assert modified_z(values).iloc[-1] == pytest.approx(0.6745 * 6.25 / 0.3)
    assert modified_z(pd.Series([1.0, 1.0, 1.0, 1.0, 5.0])).iloc[-1] == pytest.approx(4 / (1.2533 * 0.8))
    assert modified_z(pd.Series([3.0, 3.0])).tolist() == [0.0, 0.0]


def test_the_report_shows_what_it_was_handed_as_text_and_as_escaped_html() -> None:
    bars = reported(walk(10), "2024-01-01T00:00", "2024-01-01T00:10")
    bars.attrs["bgresearch"]["symbol"] = "<script>alert(1)</script>"
    report = bars.bg.quality()
    assert repr(report).startswith("<script>alert(1)</script> · spot · last · 1m: sound\n")
    assert "<script>" not in report._repr_html_()
    assert list(report.frame().index) == [line.split("  ")[0] for line in repr(report).splitlines()[1:]]


def test_coverage_is_never_rounded_up_to_all() -> None:
    bars = walk(50_000)
    assert "99.99 %" in repr(bars.drop(index=bars.index[70]).bg.quality())


def test_an_empty_frame_of_an_answered_call_has_the_gap_it_was_told() -> None:
    hole = ("2024-01-01T00:00", "2024-01-01T00:10", "before listing")
    report = reported(walk(10).iloc[:0], "2024-01-01T00:00", "2024-01-01T00:10", hole).bg.quality()
    assert (report.candles, report.gaps["candles"].tolist(), report.sound) == (0, [10], False)


def test_what_the_client_returns_is_judged_by_what_it_was_asked_for(tmp_path: Path) -> None:
    client = connect(sandbox=True, data_dir=tmp_path)
    report = client.candles("BTCUSDT", "1h", "2026-01-01", "2026-01-08").bg.quality()
    assert (report.expected, report.coverage, report.disorder) == (168, 1.0, 0)


def test_wrong_input_is_named() -> None:
    with pytest.raises(InvalidInput, match="candles: no column high, low"):
        walk(5)[["open", "close"]].bg.quality()
    with pytest.raises(InvalidInput, match="candles: the index is not a time"):
        walk(5).tz_localize(None).bg.quality()
    with pytest.raises(InvalidInput, match="threshold: 0 is not above 0"):
        walk(5).bg.quality(threshold=0)
