"""Keys of the archive: three ways of naming, neighbours tried, names that differ from the API's, and the way back."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from pathlib import Path

import pytest

from bgresearch.archives.archive_file import DATA, ArchiveFile, api_symbol, archive_names, file_days
from bgresearch.archives.file_names import file_of
from bgresearch.archives.wanted import TOO_OLD, TOO_YOUNG, wanted_files
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import Span, iso, union
from tests.conftest import NOW_MS

FACTS = Path(__file__).parents[3] / "shared" / "bitget" / "bulk.json"
SYMBOLS = [
    ("spot", "BTCUSDT"), ("spot", "龙USDT"), ("spot", "$ALTUSDT"), ("usdt-futures", "ETHUSDT"),
    ("usdc-futures", "BTCPERP"), ("coin-futures", "BTCUSD"),
]  # fmt: skip
DAYS = [dt.date(2023, 5, 5), dt.date(2024, 4, 18), dt.date(2024, 4, 19), dt.date(2026, 8, 17), dt.date(2026, 8, 18)]


def day_file(market: str, symbol: str, data: str, day: str, part: int = 0) -> ArchiveFile:
    return ArchiveFile(market, symbol, data, dt.date.fromisoformat(day), part=part)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("file", "first"),
    [
        (day_file("spot", "BTCUSDT", "klines", "2024-04-18"), "kline/BTCUSDT/BTCUSDT_SP_1min_20240418.zip"),
        (day_file("spot", "BTCUSDT", "klines", "2024-04-19"), "kline/BTCUSDT/SP/20240419.zip"),
        (day_file("spot", "BTCUSDT", "klines", "2026-08-18"), "kline/BTCUSDT/SP/BTCUSDT_SP_1min_20260818.zip"),
        (day_file("coin-futures", "BTCUSD", "klines", "2026-08-17"), "kline/BTCUSD/UMCBL/20260817.zip"),
        (day_file("spot", "BTCUSDT", "trades", "2024-04-18", 3), "trades/SPBL/BTCUSDT/BTCUSDT_SPBL_20240418_003.zip"),
        (day_file("usdc-futures", "BTCPERP", "trades", "2025-01-01", 1), "trades/CMCBL/BTCPERP/20250101_001.zip"),
        (
            day_file("coin-futures", "BTCUSD", "trades", "2026-09-01", 12),
            "trades/DMCBL/BTCUSD/BTCUSD_20260901_012.zip",
        ),
        (day_file("usdt-futures", "ETHUSDT", "quotes", "2025-01-01"), "depth/ETHUSDT/2/20250101.zip"),
        (day_file("usdt-futures", "ETHUSDT", "quotes", "2026-09-01"), "depth/ETHUSDT/2/ETHUSDT_3_20260901.zip"),
        (day_file("spot", "ETHUSDT", "books", "2025-09-01"), "depth_500/ETHUSDT/1/ETHUSDT_1_20250901.zip"),
        (
            ArchiveFile("usdt-futures", "ETHUSDT", "trades", dt.date(2026, 3, 1), "month"),
            "trades_month/UMCBL/ETHUSDT/ETHUSDT_UMCBL_202603.zip",
        ),
    ],
)
def test_the_likeliest_key_is_first(file: ArchiveFile, first: str) -> None:
    assert file.candidates()[0] == first


def test_near_a_change_of_names_the_neighbours_are_candidates_too() -> None:
    for day in DAYS:
        for data in ("klines", "trades"):
            keys = ArchiveFile("spot", "BTCUSDT", data, day).candidates()
            assert len(keys) == len(set(keys)) >= 2
    old, new = day_file("spot", "BTCUSDT", "klines", "2023-05-05"), "kline/BTCUSDT/SP/20230505.zip"
    assert new in old.candidates()


@pytest.mark.skipif(not FACTS.exists(), reason=f"no fact base at {FACTS}")
def test_every_pattern_of_the_fact_base_is_made() -> None:
    facts = json.loads(FACTS.read_text("utf-8"))
    made, compared = set(), 0
    for (market, symbol), data, day in itertools.product(SYMBOLS, DATA, DAYS):
        made |= set(ArchiveFile(market, symbol, data, day, part=7).candidates())
        made |= set(ArchiveFile(market, symbol, data, day.replace(day=1), "month").candidates())
    patterns = [
        facts["paths_monthly"][name] for name in facts["paths_monthly"] if "_" in name and name != "exists_from"
    ]
    patterns += [
        text for group in facts["paths_daily"].values() if isinstance(group, dict)
        for text in group.values() if "{S}" in text
    ]  # fmt: skip
    for pattern in patterns:
        compared += 1
        words = {"{S}": "[A-Z%0-9]+", "{YYYYMMDD}": r"\d{8}", "{YYYYMM}": r"\d{6}", "{NNN}": "007", "{T}": "[A-Z]MCBL"}
        expression = re.escape(pattern)
        for word, meaning in words.items():
            expression = expression.replace(re.escape(word), meaning)
        assert any(re.fullmatch(expression, key) for key in made), pattern
    print(f"{compared} patterns of the fact base compared")
    assert compared >= 25


def test_a_name_leads_back_to_what_the_file_holds() -> None:
    count = 0
    for (market, symbol), data, day in itertools.product(SYMBOLS, DATA, DAYS):
        whole = ArchiveFile(market, symbol, data, day.replace(day=1), "month")
        for file in (ArchiveFile(market, symbol, data, day, part=2 if data == "trades" else 0), whole):
            for key in file.candidates():
                count += 1
                assert file_of(Path("/home/me/Downloads") / key) == file, key
    assert count > 300


@pytest.mark.parametrize("path", ["20250101.zip", "SP/20250101.zip", "x.csv", "BTCUSDT_20260901_001.zip", "a/b/c.zip"])
def test_a_name_that_says_too_little_says_nothing(path: str) -> None:
    assert file_of(Path(path)) is None


def test_a_file_s_day_begins_at_16_utc_of_the_day_before() -> None:
    span = day_file("spot", "BTCUSDT", "klines", "2026-09-01").span
    assert (iso(span.start_ms), iso(span.end_ms)) == ("2026-08-31T16:00:00Z", "2026-09-01T16:00:00Z")
    month = ArchiveFile("spot", "BTCUSDT", "klines", dt.date(2026, 2, 1), "month").span
    assert (iso(month.start_ms), iso(month.end_ms)) == ("2026-01-31T16:00:00Z", "2026-02-28T16:00:00Z")
    days = list(file_days(month))
    assert union(day_file("spot", "B", "klines", day.isoformat()).span for day in days) == (month,)


def test_names_that_differ_from_the_api_s() -> None:
    assert archive_names("BTCUSDU26", "coin-futures", "klines") == ("BTCUSDU26", "BTCUSD0925")
    assert "BTCCM" in archive_names("BTCUSD_CM", "coin-futures", "klines")
    assert "BTCUSDCM" in archive_names("BTCUSD_CM", "coin-futures", "books")
    assert "BONKUSDT" in archive_names("1000BONKUSDT", "usdt-futures", "books")
    assert archive_names("1000BONKUSDT", "usdt-futures", "klines") == ("1000BONKUSDT",)
    assert "KLAYUSDT" in archive_names("KAIAUSDT", "spot", "klines")
    assert api_symbol("BTCUSD0925", "coin-futures", dt.date(2026, 8, 1)) == "BTCUSDU26"
    assert api_symbol("BTCCM", "coin-futures", dt.date(2026, 8, 1)) == "BTCUSD_CM"


def test_months_are_taken_where_enough_of_their_days_are_missing() -> None:
    span = Span(ArchiveFile("spot", "B", "klines", dt.date(2026, 8, 30)).span.start_ms, NOW_MS)
    wanted = wanted_files("spot", "BTCUSDT", "klines", [span], NOW_MS)
    shown = [(file.length, str(file.day)) for file in wanted.files]
    assert shown[:4] == [("day", "2026-08-30"), ("day", "2026-08-31"), ("month", "2026-09-01"), ("month", "2026-10-01")]
    assert shown[4:] == [("day", f"2026-11-{day:02}") for day in range(1, 19)]
    assert [why for _span, why in wanted.gaps] == [TOO_YOUNG]
    assert wanted.gaps[0][0] == Span(wanted.files[-1].span.end_ms, NOW_MS)


def test_what_is_older_than_the_archive_is_named_and_not_asked_for() -> None:
    first = ArchiveFile("usdt-futures", "B", "trades", dt.date(2021, 5, 18)).span
    wanted = wanted_files("usdt-futures", "BTCUSDT", "trades", [Span(first.start_ms - DAY_MS, first.end_ms)], NOW_MS)
    assert wanted.gaps == ((Span(first.start_ms - DAY_MS, first.start_ms), TOO_OLD),)
    assert [file.day for file in wanted.files] == [dt.date(2021, 5, 18)]
