"""Frames that are not, or no longer, what a verb returned: refused in words, or reported for what they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bgresearch.accessor  # noqa: F401 - brings df.bg
from bgresearch.charts.overlays import lines_of, marks_of, rates_of
from bgresearch.charts.widget import _spread
from bgresearch.errors import InvalidInput
from tests.charts.random_candles import walk

CANDLES = ("chart", "resample", "quality", "to_backtesting", "to_vectorbt", "to_ccxt", "to_nautilus", "to_freqtrade")
RULES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def hours(count: int = 240, *, symbol: str = "BTCUSDT", seed: int = 1) -> pd.DataFrame:
    """Candles of an hour that say so."""
    frame = walk(count, seed=seed).set_axis(
        pd.date_range("2024-01-01", periods=count, freq="1h", tz="UTC", unit="ms", name="open_time"), axis=0
    )
    span = [frame.index[0].isoformat(), (frame.index[-1] + pd.Timedelta(hours=1)).isoformat()]
    about = {"symbol": symbol, "market": "spot", "price": "last", "interval": "1h", "closed": span, "gaps": []}
    frame.attrs["bgresearch"] = {"verb": "candles", **about}
    return frame


def ask(frame: pd.DataFrame, method: str) -> object:
    return getattr(frame.bg, method)(*(["1d"] if method == "resample" else []))


@pytest.mark.parametrize("method", CANDLES)
def test_two_symbols_side_by_side_are_refused(method: str) -> None:
    both = pd.concat([hours(), hours(symbol="ETHUSDT", seed=2)], axis=1)
    with pytest.raises(InvalidInput, match=r"several columns named open, high, low, close, volume.* one symbol"):
        ask(both, method)


@pytest.mark.parametrize("method", [one for one in CANDLES if one != "quality"])
@pytest.mark.parametrize("shape", ["one upon the other", "backwards"])
def test_rows_out_of_order_reach_no_backtester(method: str, shape: str) -> None:
    frame = hours()
    frame = frame.iloc[::-1] if shape == "backwards" else pd.concat([frame, hours(symbol="ETHUSDT", seed=2)])
    with pytest.raises(InvalidInput, match="not in order or not unique"):
        ask(frame, method)


@pytest.mark.parametrize("method", CANDLES)
def test_prices_as_text_are_refused(method: str) -> None:
    with pytest.raises(InvalidInput, match=r"open, high, low, close, volume: not a numeric column.*astype"):
        ask(hours().astype("str"), method)


@pytest.mark.parametrize("method", CANDLES)
@pytest.mark.parametrize(
    ("spoil", "hint"),
    [
        (lambda frame: frame.tz_localize(None), r'tz_localize\("UTC"\)'),
        (lambda frame: frame.reset_index(), r'set_index\("open_time"\)'),
        (lambda frame: frame.set_axis(frame.index.where(np.arange(len(frame)) != 5)), r"no time \(NaT\).*notna"),
    ],
)
def test_times_that_are_none_are_refused_with_the_way_out(method: str, spoil, hint: str) -> None:
    with pytest.raises(InvalidInput, match=hint):
        ask(spoil(hours()), method)


@pytest.mark.parametrize("method", ["chart", "quality", "to_nautilus", "to_freqtrade"])
def test_what_pandas_made_longer_is_not_taken_for_the_candles_it_says_it_is(method: str) -> None:
    days = hours().resample("1D").agg(RULES)
    assert days.attrs["bgresearch"]["interval"] == "1h"
    with pytest.raises(InvalidInput, match=r"says 1h, but the rows are 1 days.*df\.bg\.resample"):
        ask(days, method)
    days.attrs.clear()
    ask(days, method)


def test_candles_that_are_rare_because_the_exchange_has_no_others_are_no_misfit() -> None:
    rare = hours().iloc[::3]
    starts = rare.index[:-1] + pd.Timedelta(hours=1)
    rare.attrs["bgresearch"]["gaps"] = [
        {"start": start.isoformat(), "end": (start + pd.Timedelta(hours=2)).isoformat(), "cause": "no trade"}
        for start in starts
    ]
    assert set(rare.bg.quality().gaps["cause"].head(len(starts))) == {"no trade"}


def test_rows_without_prices_complete_no_bar_and_are_not_present() -> None:
    frame = hours()
    holes = frame.drop(frame.index[30:33]).reindex(frame.index)
    assert holes.bg.resample("1d")["complete"].tolist() == [True, False, *[True] * 8]
    report = holes.bg.quality()
    assert (report.candles, report.gaps["candles"].tolist()) == (237, [3])
    half = frame.astype({"open": "float64"})
    half.loc[half.index[24], "open"] = np.nan
    assert half.bg.resample("1d")["complete"].tolist() == [True, False, *[True] * 8]


def test_a_week_of_days_of_which_one_is_incomplete_is_incomplete() -> None:
    frame = hours(24 * 21)
    days = frame.drop(frame.index[24 * 8 + 3]).bg.resample("1d")
    assert days.bg.resample("1w")["complete"].tolist() == [True, False, True]
    assert days.bg.resample("1d")["complete"].equals(days["complete"])


def test_quality_of_a_span_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InvalidInput, match="end"):
        hours().bg.quality("2024-01-05", "2024-01-02")


def test_two_lines_of_one_name_are_both_drawn() -> None:
    frame, other = hours(), hours(seed=2)
    lines = lines_of(frame, [frame.close, other.close, frame.close + 1])
    assert list(lines) == ["close", "close (2)", "close (3)"]
    assert lines["close (2)"].equals(other.close)


@pytest.mark.parametrize("overlays", [20.0, None, [None], pd.Series(["a"] * 240, hours().index), "note"])
def test_what_is_no_line_is_refused_in_words(overlays: object) -> None:
    frame = hours().assign(note="x")
    if overlays is None:
        assert lines_of(frame, None) == {}
        return
    with pytest.raises(InvalidInput, match=r"overlays: .*(cannot be drawn|does not hold numbers)"):
        lines_of(frame, overlays)  # type: ignore[arg-type]


def test_one_number_of_numpy_is_an_average_too() -> None:
    assert list(lines_of(hours(), np.int64(5))) == ["average of 5"]  # type: ignore[arg-type]


def test_funding_rates_of_another_symbol_are_called_theirs() -> None:
    frame = hours()
    rates = pd.DataFrame({"funding_rate": 0.0001}, index=frame.index[::8])
    rates.attrs["bgresearch"] = {"symbol": "ETHUSDT"}
    words = [note.text for note in frame.bg.chart(funding=rates).figure.layout.annotations]
    assert "funding rate of ETHUSDT, %" in words
    rates.attrs["bgresearch"] = {"symbol": "BTCUSDT"}
    words = [note.text for note in frame.bg.chart(funding=rates).figure.layout.annotations]
    assert "funding rate, %" in words


@pytest.mark.parametrize("wrong", ["words", pd.Series(["x"] * 240, hours().index)])
def test_what_is_no_funding_rate_is_refused_in_words(wrong: object) -> None:
    frame = hours()
    with pytest.raises(InvalidInput, match="funding: "):
        rates_of(wrong, frame, (frame.index[0], frame.index[-1]))  # type: ignore[arg-type]


def fills(*symbols: str) -> pd.DataFrame:
    columns = {"symbol": symbols, "side": "buy", "price": 100.0, "amount": 1.0}
    return pd.DataFrame(columns, index=hours().index[: len(symbols)])


@pytest.mark.parametrize("wrong", ["words", [], fills("BTCUSDT").assign(amount="much")])
def test_what_are_no_fills_is_refused_in_words(wrong: object) -> None:
    frame = hours()
    with pytest.raises(InvalidInput, match="fills: "):
        marks_of(wrong, frame, (frame.index[0], frame.index[-1]))  # type: ignore[arg-type]


def test_fills_of_several_symbols_need_candles_that_say_theirs() -> None:
    frame, both = hours(), fills("BTCUSDT", "ETHUSDT")
    span = (frame.index[0], frame.index[-1])
    assert len(marks_of(both, frame, span)) == 1
    frame.attrs.clear()
    with pytest.raises(InvalidInput, match="2 symbols"):
        marks_of(both, frame, span)


@pytest.mark.parametrize(("name", "value"), [("max_bars", 0), ("max_bars", "x"), ("height", -5)])
def test_sizes_that_are_none_are_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=name):
        hours().bg.chart(**{name: value})


def test_axes_stay_where_they_are_in_sight_of_rows_without_prices() -> None:
    nothing = np.full(3, np.nan)
    assert _spread({"x": np.arange(3), "low": nothing, "high": nothing}, 0, 3) is None
    assert _spread({"x": np.arange(3), "y": nothing}, 0, 3) is None


@pytest.mark.parametrize("name", ["<!--<script>", "</script><script>alert(1)</script>"])
def test_the_name_of_a_line_cannot_leave_the_page_s_data(name: str) -> None:
    frame = hours(30)
    plain, named = frame.bg.chart(overlays={"x": 5}).page(), frame.bg.chart(overlays={name: 5}).page()
    assert [named.count(mark) for mark in ("<!--", "<script", "</script")] == [
        plain.count(mark) for mark in ("<!--", "<script", "</script")
    ]
