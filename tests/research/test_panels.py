"""The panel's core: whatever comes later, no earlier row changes; and what is carried on, and for how long."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.research.panel import Known, assembled

START = pd.Timestamp("2026-01-01", tz="UTC")
HOURS = pd.DatetimeIndex([START + pd.Timedelta(hour, unit="h") for hour in range(1, 25)]).as_unit("ms")
EIGHT = pd.Timedelta(8, unit="h")
NAMES = ["open", "high", "low", "close", "volume", "quote_volume"]
FIELDS = ("close", "volume", "funding_rate", "open_interest")
TIMES = st.sets(st.integers(0, 26), max_size=20)
Inputs = dict[str, list[Known]]


def at(hours: set[int] | list[int], minutes: int = 0) -> pd.DatetimeIndex:
    times = [START + pd.Timedelta(hour, unit="h") + pd.Timedelta(minutes, unit="min") for hour in sorted(hours)]
    return pd.DatetimeIndex(times, tz="UTC").as_unit("ms").rename("known_at")


def numbers(index: pd.DatetimeIndex, names: list[str], seed: int) -> pd.DataFrame:
    values = np.random.default_rng(seed).random((len(index), len(names)))
    return pd.DataFrame(values, index=index, columns=names)


def sources(candles: set[int], funding: set[int], held: set[int], seed: int) -> list[Known]:
    return [
        Known(numbers(at(candles), NAMES, seed), {"close": "close", "volume": "volume"}),
        Known(numbers(at(funding), ["funding_rate"], seed + 1), {"funding_rate": "funding_rate"}, EIGHT),
        Known(numbers(at(held, 7), ["oi"], seed + 2), {"open_interest": "oi"}, pd.Timedelta(90, unit="min")),
    ]


def altered(inputs: Inputs, now: pd.Timestamp, how: str) -> Inputs:
    """Every input with another future: other numbers, none at all, or rows where there was none."""

    def change(known: Known) -> Known:
        past, later = known.frame[known.frame.index <= now], known.frame[known.frame.index > now]
        if how == "other":
            later = later * -3 + 7
        elif how == "more":
            later = numbers(pd.date_range(now + pd.Timedelta(1, unit="ms"), periods=40, freq="20min"), [*past], 99)
        elif how == "unknown":
            later = later * np.nan
        else:
            later = later.iloc[:0]
        return known._replace(frame=pd.concat([past, later.rename_axis("known_at")]))

    return {symbol: [change(one) for one in known] for symbol, known in inputs.items()}


@settings(max_examples=60)
@given(
    st.lists(st.tuples(TIMES, TIMES, TIMES), min_size=1, max_size=3), st.integers(0, 25),
    st.sampled_from(["other", "more", "unknown", "gone"]), st.sampled_from([0, 1, 5, 30]),
)  # fmt: skip
def test_nothing_that_becomes_known_later_changes_a_row(
    what: list[tuple[set[int], set[int], set[int]]], now: int, how: str, fill: int
) -> None:
    inputs = {f"S{number}": sources(*times, seed=number) for number, times in enumerate(what)}
    moment, patience = START + pd.Timedelta(now, unit="h"), pd.Timedelta(fill, unit="h")
    table = assembled(HOURS, inputs, FIELDS, fill=patience)
    other = assembled(HOURS, altered(inputs, moment, how), FIELDS, fill=patience)
    pd.testing.assert_frame_equal(table[table.index <= moment], other[other.index <= moment])


@pytest.mark.slow
@settings(max_examples=30)
@given(TIMES, TIMES, TIMES)
def test_each_value_is_the_last_one_known_and_not_too_old(candles: set[int], funding: set[int], held: set[int]) -> None:
    inputs = {"S": sources(candles, funding, held, seed=1)}
    table = assembled(HOURS, inputs, FIELDS)
    lasting = {"close": pd.Timedelta(0), "funding_rate": EIGHT, "open_interest": pd.Timedelta(90, unit="min")}
    for known in inputs["S"]:
        for field, column in known.columns.items():
            for moment in HOURS:
                past = known.frame[known.frame.index <= moment]
                young = len(past) and moment - past.index[-1] <= lasting.get(field, pd.Timedelta(0))
                value = table.loc[moment, (field, "S")]
                assert value == past[column].iloc[-1] if young else np.isnan(value)


def test_candles_carry_on_their_last_close_and_no_volume() -> None:
    candles = numbers(at([1, 2, 6]), NAMES, 1)
    inputs = {"S": [Known(candles, {name: name for name in NAMES})]}
    table = assembled(HOURS[:7], inputs, tuple(NAMES), fill=pd.Timedelta(2, unit="h")).xs("S", axis=1, level="symbol")
    assert table["close"].isna().tolist() == [False, False, False, False, True, False, False]
    for hour in (3, 4):
        assert set(table.loc[START + pd.Timedelta(hour, unit="h"), NAMES[:4]]) == {candles["close"].iloc[1]}
    assert table["volume"].iloc[2:4].tolist() == [0, 0]
    assert table["open"].iloc[1] == candles["open"].iloc[1]


def test_columns_are_in_the_order_that_was_asked_for() -> None:
    inputs = {"B": sources({1}, {1}, {1}, 1), "A": sources({1}, {1}, {1}, 2)}
    table = assembled(HOURS, inputs, ("funding_rate", "close"))
    assert table.columns.tolist() == [("funding_rate", "B"), ("funding_rate", "A"), ("close", "B"), ("close", "A")]
    assert table.columns.names == ["field", "symbol"]
    assert table.index.equals(HOURS)
