"""Parameters are checked before a request is spent, and refusals name the parameter and what is allowed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgresearch.catalogue import Endpoint, load
from bgresearch.client.api_parameters import validated, validated_walk
from bgresearch.client.client import Client
from bgresearch.errors import InvalidInput

DAY_MS = 86_400_000
NOW_MS = 1_795_165_230_000
ROWS = list(load())


def given_for(row: Endpoint) -> dict[str, Any]:
    required = [param for param in row.params if param.required]
    chosen: dict[str, Any] = {param.name: param.enum[0] if param.enum else "1" for param in required}
    times = {"startTime": NOW_MS - DAY_MS, "endTime": NOW_MS}
    return chosen | {name: at for name, at in times.items() if row.param(name) is not None}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_each_row_refuses_what_its_row_rules_out(row: Endpoint) -> None:
    good = given_for(row)
    assert validated(row, good, now_ms=NOW_MS) == good
    for param in row.params:
        if param.required:
            for empty in ({**good, param.name: None}, {name: at for name, at in good.items() if name != param.name}):
                with pytest.raises(InvalidInput, match=f"^{param.name}: is required by {row.id}") as caught:
                    validated(row, empty, now_ms=NOW_MS)
                assert all(word in str(caught.value) for word in param.enum)
        if param.enum:
            with pytest.raises(InvalidInput, match=f"^{param.name}: 'no such word' is not allowed") as caught:
                validated(row, {**good, param.name: "no such word"}, now_ms=NOW_MS)
            assert all(word in str(caught.value) for word in param.enum)
        elif param.maximum is not None:
            for wrong in (0, param.maximum + 1, "many", -1, 1.5):
                with pytest.raises(InvalidInput, match=f"^{param.name}: .* Give 1 to {param.maximum}"):
                    validated(row, {**good, param.name: wrong}, now_ms=NOW_MS)
            validated(row, {**good, param.name: param.maximum}, now_ms=NOW_MS)
    with pytest.raises(InvalidInput, match=r"^notThere: is no parameter"):
        validated(row, {**good, "notThere": 1}, now_ms=NOW_MS)


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.param("startTime") and row.param("endTime")], ids=lambda row: row.id
)
def test_each_row_with_times_refuses_the_ones_it_cannot_answer(row: Endpoint) -> None:
    good = given_for(row)
    with pytest.raises(InvalidInput, match=r"^startTime: .* is later than endTime"):
        validated(row, {**good, "startTime": NOW_MS + 1}, now_ms=NOW_MS)
    days = row.max_span_days
    if days is not None:
        wide = {**good, "startTime": NOW_MS - days * DAY_MS - 1}
        with pytest.raises(InvalidInput, match=rf"^startTime: .* more than the {days} days .*\.all"):
            validated(row, wide, now_ms=None)
        assert validated_walk(row, wide, (), now_ms=None) == wide
        validated(row, {**good, "startTime": NOW_MS - days * DAY_MS}, now_ms=None)
    if row.lookback_days is not None:
        old = {**good, "startTime": NOW_MS - (row.lookback_days + 2) * DAY_MS}
        del old["endTime"]
        with pytest.raises(InvalidInput, match=rf"^startTime: .* answers {row.lookback_days} days back") as caught:
            validated_walk(row, {**old, "endTime": NOW_MS}, (), now_ms=NOW_MS)
        assert "or later" in str(caught.value)


@pytest.mark.parametrize(
    "moment",
    ["2026-11-19", "2026-11-19T00:00:00Z", dt.datetime(2026, 11, 19), pd.Timestamp("2026-11-19", tz="UTC"),  # noqa: DTZ001
     1_795_046_400_000, "1795046400000", 1_795_046_400_000.0],
)  # fmt: skip
def test_times_may_be_written_as_people_write_them(moment: object) -> None:
    row = load()["spot.account_bills"]
    assert validated(row, {"startTime": moment}, now_ms=NOW_MS) == {"startTime": 1_795_046_400_000}


@pytest.mark.parametrize("moment", ["yesterday", 1_795_046_400, 12.5, b"2026", float("nan"), pd.NaT, [], True])
def test_what_is_no_time_is_refused_by_name(moment: object) -> None:
    with pytest.raises(InvalidInput, match=r"^startTime: "):
        validated(load()["spot.account_bills"], {"startTime": moment}, now_ms=NOW_MS)


ANYTHING = st.one_of(
    st.none(), st.sampled_from(["", "1", "-1", "now", "2026-01-01", "9" * 30, "\ud800"]), st.integers(), st.floats(),
    st.binary(max_size=3), st.lists(st.integers(), max_size=2),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(["symbol", "limit", "startTime", "x"]), ANYTHING))
def test_whatever_is_given_is_taken_or_refused_by_name(params: dict[str, object]) -> None:
    row = load()["spot.trade_fills"]
    try:
        taken = validated(row, params, now_ms=NOW_MS)
    except InvalidInput as error:
        assert error.field in params  # noqa: PT017
    else:
        assert set(taken) <= set(params)


def test_walks_turn_their_pages_themselves_and_need_a_start_where_nobody_states_one(client: Client) -> None:
    with pytest.raises(InvalidInput, match=r"^idLessThan: is what \.all"):
        client.api.spot.trade_fills.all(idLessThan="1")
    with pytest.raises(InvalidInput, match=r"^pageNo: "):
        client.api.futures.history_fund_rate.all(symbol="BTCUSDT", productType="USDT-FUTURES", pageNo=2)
    with pytest.raises(InvalidInput, match=r"^startTime: is needed to read all of spot\.account_bills"):
        client.api.spot.account_bills.all()
    with pytest.raises(InvalidInput, match=r"^granularity: is required"):
        client.api.spot.candles.all(symbol="BTCUSDT", startTime="2026-11-01")
    with pytest.raises(InvalidInput, match=r"^starttime: is no parameter"):
        client.api.spot.account_bills.pages(starttime="2026-11-01")
    assert client.requests_sent == 0
