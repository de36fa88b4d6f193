"""Every quirk of the candle routes, at its strictest."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS, WEEK_MS
from bgresearch.sandbox.call import Refusal
from bgresearch.sandbox.world.markets import MAINTENANCE, utc_ms

from .conftest import NOW_MS, Ask

FORMING_MS = NOW_MS - NOW_MS % MINUTE_MS
SPOT = {"symbol": "BTCUSDT", "granularity": "1min"}
FUTURES = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "granularity": "1m"}
UTA = {"symbol": "BTCUSDT", "category": "USDT-FUTURES", "interval": "1m"}
RECENT = {"spot.candles": SPOT, "futures.candles": FUTURES, "uta.candles": UTA}
HISTORY = {
    "spot.history_candles": SPOT,
    "futures.history_candles": FUTURES,
    "futures.history_mark_candles": FUTURES,
    "futures.history_index_candles": FUTURES,
    "uta.history_candles": UTA,
}


def opens(rows: list[list[str]]) -> list[int]:
    return [int(row[0]) for row in rows]


@pytest.mark.parametrize("route", [*RECENT, *HISTORY])
def test_rows_are_strings_oldest_first_a_hundred_by_default(ask: Ask, route: str) -> None:
    rows = ask(route, **{**RECENT, **HISTORY}[route], endTime=FORMING_MS)
    times = opens(rows)
    assert len(rows) == 100
    assert times == sorted(set(times))
    assert all(isinstance(value, str) for row in rows for value in row)
    assert {len(row) for row in rows} == {8 if route.startswith("spot") else 7}


def test_spot_columns_are_base_usdt_and_quote_volume(ask: Ask) -> None:
    for *_, low, close, base, usdt, quote in ask("spot.candles", **SPOT):
        assert usdt == quote
        assert float(quote) == pytest.approx(float(base) * float(close), rel=0.02)
        assert float(low) <= float(close)


def test_prices_carry_exactly_the_decimals_of_their_market(ask: Ask) -> None:
    for symbol, places in (("BTCUSDT", 2), ("PEPEUSDT", 10), ("GIGAUSDT", 1), ("SHIBUSDT", 9)):
        for row in ask("spot.candles", symbol=symbol, granularity="1h"):
            assert {len(price.partition(".")[2]) for price in row[1:5]} == {places}


@pytest.mark.parametrize("route", RECENT)
def test_recent_candles_include_the_forming_one(ask: Ask, route: str) -> None:
    assert opens(ask(route, **RECENT[route]))[-1] == FORMING_MS


@pytest.mark.parametrize("route", HISTORY)
def test_history_never_shows_the_forming_candle(ask: Ask, route: str) -> None:
    rows = ask(route, **HISTORY[route], endTime=NOW_MS + DAY_MS)
    assert opens(rows)[-1] == FORMING_MS - MINUTE_MS


@pytest.mark.parametrize("route", HISTORY)
def test_history_ends_before_end_time_and_ignores_start_time(ask: Ask, route: str) -> None:
    end = FORMING_MS - HOUR_MS
    rows = ask(route, **HISTORY[route], endTime=end, startTime=end - 5 * MINUTE_MS, limit=50)
    assert opens(rows) == list(range(end - 50 * MINUTE_MS, end, MINUTE_MS))


@pytest.mark.parametrize("route", HISTORY)
def test_walking_back_by_the_oldest_open_time_repeats_and_skips_nothing(ask: Ask, route: str) -> None:
    end, seen = FORMING_MS, []
    for _ in range(3):
        times = opens(ask(route, **HISTORY[route], endTime=end, limit=100))
        seen = times + seen
        end = times[0]
    assert seen == list(range(FORMING_MS - 300 * MINUTE_MS, FORMING_MS, MINUTE_MS))


@pytest.mark.parametrize(
    ("word", "days"),
    [("1m", 30), ("5m", 30), ("15m", 52), ("30m", 62), ("1H", 83), ("2H", 120), ("4H", 240), ("6H", 360)],
)
def test_recent_candles_end_silently_at_the_look_back(ask: Ask, word: str, days: int) -> None:
    interval = INTERVALS[word.lower()]
    edge = interval.ceil(NOW_MS - days * DAY_MS, "exchange")
    length = interval.nominal_ms
    asked = FUTURES | {"granularity": word}
    beyond = ask("futures.candles", **asked, startTime=edge - 10 * length, endTime=edge)
    across = ask("futures.candles", **asked, startTime=edge - 10 * length, endTime=edge + 10 * length)
    assert beyond == []
    assert opens(across) == [edge + at * length for at in range(10)]
    older = ask("futures.history_candles", **asked, endTime=edge, limit=10)
    assert len(older) == 10


@pytest.mark.parametrize("route", RECENT)
def test_a_window_wider_than_the_limit_brings_an_empty_list(ask: Ask, route: str) -> None:
    end = FORMING_MS
    fits = ask(route, **RECENT[route], startTime=end - 600 * MINUTE_MS, endTime=end, limit=600)
    wide = ask(route, **RECENT[route], startTime=end - 601 * MINUTE_MS, endTime=end, limit=600)
    assert opens(fits) == list(range(end - 600 * MINUTE_MS, end, MINUTE_MS))
    assert wide == []


def test_recent_v3_candles_are_a_thousand_in_all(ask: Ask) -> None:
    assert len(ask("uta.candles", **UTA, limit=1000)) == 1000
    assert ask("uta.candles", **UTA, endTime=FORMING_MS - 1000 * MINUTE_MS, limit=1000) == []


def test_v3_history_reaches_ninety_days_back(ask: Ask) -> None:
    edge = NOW_MS - 90 * DAY_MS
    assert ask("uta.history_candles", **UTA, endTime=edge) == []
    across = ask("uta.history_candles", **UTA, endTime=edge + 5 * MINUTE_MS)
    assert len(across) == 5
    assert opens(across)[0] >= edge
    assert len(ask("futures.history_candles", **FUTURES, endTime=edge)) == 100


def test_contract_routes_round_times_down_and_spot_does_not(ask: Ask) -> None:
    end = FORMING_MS - HOUR_MS + 30_000
    assert opens(ask("futures.candles", **FUTURES, endTime=end))[-1] == end - 30_000 - MINUTE_MS
    assert opens(ask("spot.candles", **SPOT, endTime=end))[-1] == end - 30_000


def test_plain_long_candles_open_in_utc8_and_the_utc_ones_in_utc(ask: Ask) -> None:
    for plain, spelled in (("6H", "6Hutc"), ("12H", "12Hutc"), ("1D", "1Dutc"), ("3D", "3Dutc"), ("1W", "1Wutc")):
        shifted = opens(ask("futures.candles", **FUTURES | {"granularity": plain}))
        straight = opens(ask("futures.candles", **FUTURES | {"granularity": spelled}))
        length = INTERVALS[plain.lower()].nominal_ms
        assert {(b - a) for a, b in pairwise(shifted)} == {length}
        assert {time % DAY_MS % (6 * HOUR_MS) for time in straight} == {0}
        assert {(time + 8 * HOUR_MS) % DAY_MS % (6 * HOUR_MS) for time in shifted} == {0}
        assert not set(shifted) & set(straight)


def test_days_weeks_and_months_open_where_the_documentation_says(ask: Ask) -> None:
    day = opens(ask("spot.candles", symbol="BTCUSDT", granularity="1day"))[-1]
    week = opens(ask("spot.candles", symbol="BTCUSDT", granularity="1Wutc"))[-1]
    plain_week = opens(ask("futures.candles", **FUTURES | {"granularity": "1W"}))[-1]
    months = opens(ask("spot.candles", symbol="BTCUSDT", granularity="1Mutc", limit=3))
    assert day == utc_ms(2026, 5, 27, 16)
    assert week == utc_ms(2026, 5, 25)
    assert plain_week == utc_ms(2026, 5, 24, 16)
    assert months == [utc_ms(2026, month, 1) for month in (3, 4, 5)]
    assert (week + 3 * DAY_MS) % WEEK_MS == 0


def test_mark_and_index_candles_come_by_either_route_and_trade_nothing(ask: Ask) -> None:
    last = ask("futures.candles", **FUTURES, endTime=FORMING_MS)
    for kind, one_route in (("MARK", "futures.history_mark_candles"), ("INDEX", "futures.history_index_candles")):
        recent = ask("futures.candles", **FUTURES, kLineType=kind, endTime=FORMING_MS)
        assert recent == ask(one_route, **FUTURES, endTime=FORMING_MS)
        assert recent == ask("uta.candles", **UTA, type=kind.lower(), endTime=FORMING_MS)
        assert recent == ask("uta.history_candles", **UTA, type=kind, endTime=FORMING_MS)
        assert opens(recent) == opens(last)
        assert recent != last
        assert {float(row[5]) + float(row[6]) for row in recent} == {0.0}


def test_v3_premium_is_a_small_share_and_not_a_price(ask: Ask) -> None:
    rows = ask("uta.candles", **UTA, type="premium", limit=50)
    assert len(rows) == 50
    assert all(abs(float(value)) < 0.01 for row in rows for value in row[1:5])
    assert any(float(row[4]) for row in rows)
    assert all(float(row[3]) <= float(row[1]) <= float(row[2]) for row in rows)


def test_v2_and_v3_agree_on_the_same_candles(ask: Ask) -> None:
    assert ask("uta.candles", **UTA) == ask("futures.candles", **FUTURES)
    spot = ask("spot.candles", **SPOT)
    assert ask("uta.candles", **UTA | {"category": "SPOT"}) == [[*row[:6], row[7]] for row in spot]


def test_hours_of_maintenance_are_absent_and_pages_stay_full(ask: Ask) -> None:
    start, stop = MAINTENANCE[1]
    times = opens(ask("spot.history_candles", **SPOT, endTime=stop + 10 * MINUTE_MS, limit=100))
    assert times == [
        *range(start - 90 * MINUTE_MS, start, MINUTE_MS),
        *range(stop, stop + 10 * MINUTE_MS, MINUTE_MS),
    ]


def test_ranges_before_the_listing_and_in_the_future_are_empty(ask: Ask) -> None:
    listed = utc_ms(2025, 12, 29)
    assert ask("spot.history_candles", symbol="FRESHUSDT", granularity="1min", endTime=listed) == []
    young = ask("spot.history_candles", symbol="FRESHUSDT", granularity="1min", endTime=listed + 7 * MINUTE_MS)
    assert opens(young)[0] == listed
    assert len(young) == 7
    future = {"startTime": NOW_MS + HOUR_MS, "endTime": NOW_MS + 2 * HOUR_MS}
    for route, asked in RECENT.items():
        assert ask(route, **asked, **future) == []


@pytest.mark.parametrize(
    ("route", "asked", "code"),
    [
        ("spot.candles", SPOT | {"symbol": "NOPEUSDT"}, "40034"),
        ("spot.candles", SPOT | {"symbol": "JUNEUSDT"}, "40034"),  # to be listed three weeks later
        ("futures.candles", FUTURES | {"symbol": "STILLUSDT"}, "40034"),
        ("futures.history_candles", FUTURES | {"symbol": "GONEUSDT"}, "40309"),
        ("uta.candles", UTA | {"symbol": "NOPEUSDT"}, "25100"),
        ("uta.history_candles", UTA | {"symbol": "GONEUSDT"}, "25100"),
    ],
)
def test_symbols_that_do_not_trade_are_refused(ask: Ask, route: str, asked: dict[str, str], code: str) -> None:
    with pytest.raises(Refusal) as caught:
        ask(route, **asked, endTime=NOW_MS)
    assert caught.value.code == code


def test_a_delisted_spot_symbol_keeps_its_history(ask: Ask) -> None:
    last = utc_ms(2026, 2, 10, 10)
    rows = ask("spot.history_candles", symbol="GONEUSDT", granularity="1h", endTime=NOW_MS, limit=5)
    assert opens(rows) == list(range(last - 5 * HOUR_MS, last, HOUR_MS))


def test_renamed_coins_keep_one_price_under_both_names(ask: Ask) -> None:
    for spot, contract in (("LUNAUSDT", "LUNA2USDT"), ("$ALTUSDT", "ALTUSDT"), ("MEMECOINUSDT", "MEMEUSDT")):
        ours = ask("spot.candles", symbol=spot, granularity="1h")
        theirs = ask("futures.candles", **FUTURES | {"symbol": contract, "granularity": "1H"})
        for one, other in zip(ours, theirs, strict=True):
            assert float(one[4]) == pytest.approx(float(other[4]), rel=0.01)
