"""Bars of trades: exact sums, and the rule by which each kind closes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.research.trade_bars import dollar_bars, tick_bars, time_bars, volume_bars

TRADES = st.lists(
    st.tuples(st.integers(0, 200), st.booleans(), st.integers(1, 10**6), st.integers(1, 10**5)), min_size=1, max_size=60
)
Rows = list[tuple[int, bool, int, int]]
START = pd.Timestamp("2026-01-01", tz="UTC")


def trades(rows: Rows) -> pd.DataFrame:
    """Seconds, whether bought, price in tenths, amount in thousandths."""
    rows = sorted(rows, key=lambda row: row[0])
    index = pd.DatetimeIndex(START + pd.to_timedelta([row[0] for row in rows], unit="s"))
    columns: dict[str, Any] = {
        "side": ["buy" if row[1] else "sell" for row in rows],
        "price": [row[2] / 10 for row in rows], "amount": [row[3] / 1000 for row in rows],
    }  # fmt: skip
    return pd.DataFrame(columns, index=index.as_unit("ms").rename("time"))


def exactly(values: pd.Series) -> float:
    return float(sum((Fraction(one) for one in values.tolist()), Fraction(0)))


@settings(max_examples=60)
@given(TRADES)
def test_time_bars_hold_exactly_the_trades_of_their_minute(rows: Rows) -> None:
    frame = trades(rows)
    bars = time_bars(frame, "1m")
    opens = pd.DatetimeIndex(frame.index).floor("1min")
    assert bars.index.tolist() == opens.unique().tolist()
    for at, group in frame.groupby(opens):
        bar = bars.loc[at]
        assert [bar[name] for name in ("open", "high", "low", "close", "trades")] == [
            group["price"].iloc[0], group["price"].max(), group["price"].min(), group["price"].iloc[-1], len(group)
        ]  # fmt: skip
        assert bar["volume"] == exactly(group["amount"])
        assert bar["quote_volume"] == exactly(group["price"] * group["amount"])
        assert bar["buy_volume"] == exactly(group["amount"][group["side"] == "buy"])
        assert bar["sell_volume"] == exactly(group["amount"][group["side"] == "sell"])
        assert bar["vwap"] == bar["quote_volume"] / bar["volume"]
        assert bar["low"] * (1 - 1e-12) <= bar["vwap"] <= bar["high"] * (1 + 1e-12)
        assert bar["known_at"] == at + pd.Timedelta(1, unit="min") > bar["last"] >= bar["first"] >= at


@given(TRADES, st.integers(1, 10))
def test_tick_bars_have_so_many_trades(rows: Rows, count: int) -> None:
    bars = tick_bars(trades(rows), count)
    assert len(bars) == len(rows) // count
    assert (bars["trades"] == count).all()


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("kind", [volume_bars, dollar_bars])
@settings(max_examples=60)
@given(TRADES, st.integers(1, 10**6))
def test_a_bar_closes_with_the_trade_that_fills_it(kind: Any, rows: Rows, size: int) -> None:
    frame = trades(rows)
    bars = kind(frame, size / 10, include_open=True)
    terms = frame["amount"] * (frame["price"] if kind is dollar_bars else 1)
    assert bars["trades"].sum() == len(frame)
    first, closed = 0, 0
    for count in bars["trades"]:
        held = terms.iloc[first : first + count]
        assert exactly(held.iloc[:-1]) < size / 10 * (1 + 1e-9)
        closed += exactly(held) >= size / 10 * (1 - 1e-9)
        first += count
    assert len(kind(frame, size / 10)) == closed >= len(bars) - 1


def test_ten_times_a_tenth_fill_a_bar_of_one() -> None:
    bars = volume_bars(trades([(second, True, 1000, 100) for second in range(30)]), 1.0)
    assert bars["trades"].tolist() == [10, 10, 10]


def test_imbalance_is_what_takers_bought_more_than_they_sold() -> None:
    bars = tick_bars(trades([(0, True, 10, 3000), (1, False, 10, 1000), (2, False, 10, 500), (3, False, 10, 500)]), 2)
    assert bars["imbalance"].tolist() == [0.5, -1]
    assert bars["known_at"].tolist() == [START + pd.Timedelta(second, unit="s") for second in (1, 3)]


@pytest.mark.slow
@settings(max_examples=40)
@given(TRADES, st.integers(0, 200))
def test_trades_to_come_change_no_bar_that_was_over(rows: Rows, now: int) -> None:
    frame, at = trades(rows), START + pd.Timedelta(now, unit="s")
    for make in (lambda one: time_bars(one, "1m"), lambda one: dollar_bars(one, 1e5)):
        whole, past = make(frame), make(frame[frame.index < at])
        before = whole[whole["known_at"] < at]
        pd.testing.assert_frame_equal(before, past.loc[before.index])


def test_no_trades_are_no_bars() -> None:
    none = trades([(0, True, 1, 1)]).iloc[:0]
    for bars in (time_bars(none, "1m"), tick_bars(none, 5), volume_bars(none, 1, include_open=True)):
        assert bars.empty
        assert {"vwap", "known_at"} <= set(bars.columns)


def test_what_means_nothing_is_refused_in_words() -> None:
    frame = trades([(0, True, 1, 1), (1, True, 1, 1)])
    with pytest.raises(InvalidInput, match="size"):
        volume_bars(frame, 0)
    with pytest.raises(InvalidInput, match="ascending"):
        time_bars(frame.iloc[::-1], "1m")
    with pytest.raises(InvalidInput, match="side, price"):
        tick_bars(frame.drop(columns="side"), 1)
    assert np.isfinite(time_bars(frame, "1d")["vwap"]).all()
    with pytest.raises(InvalidInput, match="neither buy nor sell"):
        time_bars(trades([(0, True, 1, 1)]).assign(side="Buy"), "1m")
