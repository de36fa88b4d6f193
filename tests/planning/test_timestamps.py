"""What people write for a time, and what is refused before a request is spent."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from bgresearch.core.spans import Span
from bgresearch.core.timestamps import moment_ms, span_of
from bgresearch.errors import InvalidInput

JAN_MS = 1_704_067_200_000  # 2024-01-01T00:00Z
NOW_MS = JAN_MS + 400 * 86_400_000


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-01", "2024", "2024-01", "2024-01-01T00:00", "2024-01-01 00:00:00", "2024-01-01T00:00:00Z",
        "2024-01-01T08:00+08:00", "1704067200000", dt.date(2024, 1, 1), dt.datetime(2024, 1, 1),  # noqa: DTZ001
        dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2023, 12, 31, 19, tzinfo=ZoneInfo("America/New_York")),
        pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01 01:00", tz="Europe/Paris"), JAN_MS, np.int64(JAN_MS),
    ],
    ids=str,
)  # fmt: skip
def test_every_spelling_of_one_instant_means_it(value: object) -> None:
    assert moment_ms(value, "start")[0] == JAN_MS  # type: ignore[arg-type]


def test_naive_means_utc_whatever_the_machine_thinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert moment_ms("2024-01-01", "start") == (JAN_MS, False)


@pytest.mark.parametrize(
    "value",
    ["yesterday", "now", "", "2024-13-01", "24-1-1", None, 1.5, True, [], pd.NaT, 1_704_067_200, 10**18],
    ids=str,
)
def test_what_is_no_time_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"^start: "):
        moment_ms(value, "start")  # type: ignore[arg-type]


def test_seconds_are_not_taken_for_milliseconds() -> None:
    with pytest.raises(InvalidInput, match="looks like seconds"):
        moment_ms(1_704_067_200, "start")


def test_naive_and_aware_do_not_mix() -> None:
    with pytest.raises(InvalidInput, match="one has a time zone and the other has none"):
        span_of("2024-01-01", "2024-01-02T00:00Z", NOW_MS)


def test_two_zones_mean_their_instants_and_numbers_go_with_both() -> None:
    span = span_of("2024-01-01T08:00+08:00", "2024-01-01T02:00+01:00", NOW_MS)
    assert span == Span(JAN_MS, JAN_MS + 3_600_000)
    assert span_of(JAN_MS, "2024-01-01T01:00", NOW_MS) == span == span_of(JAN_MS, "2024-01-01T01:00Z", NOW_MS)


def test_an_end_before_the_start_is_refused_with_both_in_utc() -> None:
    with pytest.raises(InvalidInput, match=r"end: 2023-12-31T00:00:00Z is before the start 2024-01-01T00:00:00Z"):
        span_of("2024-01-01", "2023-12-31", NOW_MS)


def test_an_empty_span_is_refused() -> None:
    with pytest.raises(InvalidInput, match="equals the start"):
        span_of("2024-01-01", "2024-01-01", NOW_MS)


def test_a_future_range_is_refused_naming_now() -> None:
    with pytest.raises(InvalidInput, match=r"start: 2030-01-01T00:00:00Z is in the future; it is now 2025-02-04"):
        span_of("2030-01-01", "2030-02-01", NOW_MS)


def test_without_an_end_it_is_now() -> None:
    assert span_of("2024-01-01", None, NOW_MS) == Span(JAN_MS, NOW_MS)
