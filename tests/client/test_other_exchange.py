"""Whatever an exchange makes of what the documentation leaves open, candles come out exact."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock, SandboxClock
from bgresearch.core.spans import Span
from bgresearch.errors import UnknownSymbol
from tests.client.other_exchange import DAY, HOUR, MINUTE, Habits, Market, OtherExchange, bar

NOW_MS = 1_795_165_230_000  # 2026-11-20T09:00:30Z
TODAY = NOW_MS // DAY * DAY
RECENT, OLD = (TODAY - 2 * DAY, TODAY), (TODAY - 102 * DAY, TODAY - 100 * DAY)
NO_V3: dict[str, Any] = {"unified_markets": False}
ONLY_MINUTES = ("1min", "1m")
STORM = dict.fromkeys(("500", "reset", "cut", "html", "duplicates", "shuffle", "false_empty"), 0.05) | {"429": 0.02}
Start = Callable[..., tuple[OtherExchange, Client]]


def truth(exchange: OtherExchange, span: tuple[int, int], length: int = MINUTE) -> pd.DataFrame:
    market = exchange.markets["BTCUSDT"]
    opens = [at for at in range(*span, length) if market.trades_at(at)]
    rows = [[float(text) for place, text in enumerate(bar("BTCUSDT", length, at)) if place != 5] for at in opens]
    index = pd.DatetimeIndex(pd.to_datetime(opens, unit="ms", utc=True), name="open_time").as_unit("ms")
    columns = ["open", "high", "low", "close", "volume", "quote_volume"]
    return pd.DataFrame(rows, index=index, columns=columns, dtype="float64")


def same(got: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(got, expected, check_exact=True, check_freq=False)


def gaps_in_full(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = frame.attrs["bgresearch"]["gaps"]
    return found


def gaps(got: pd.DataFrame) -> list[tuple[int, int, str]]:
    found = got.attrs["bgresearch"]["gaps"]
    return [(*(pd.Timestamp(gap[end]).value // 10**6 for end in ("start", "end")), gap["cause"]) for gap in found]


HABITS: dict[str, dict[str, Any]] = {
    "as measured": {}, "candles end included": {"candles_end_included": True},
    "history end included": {"history_end_included": True},
    "start excluded": {"candles_start_excluded": True, "candles_end_included": True, "history_end_included": True},
    "filled from the start": {"candles_fill_from": "start", "candles_end_included": True},
    "history obeys a start": {"history_obeys_start": True},
    "history reaches its limit only": {"history_reaches_only_its_limit": True, "history_obeys_start": True},
    "too wide is empty": {"too_wide": "empty", "candles_end_included": True}, "newest first": {"newest_first": True},
    "numbers": {"numbers": True}, "more columns": {"extra_columns": True}, "no keep-alive": {"close_connections": True},
    "no v3": NO_V3, "short v3 pages": {"unified_rows": 100, "over_limit": "capped"},
    "short look-back": {"look_back_days": 1.0},
}  # fmt: skip


@pytest.mark.quick_cases(5)
@pytest.mark.parametrize("span", [RECENT, OLD], ids=["recent", "old"])
@pytest.mark.parametrize("habits", HABITS.values(), ids=HABITS)
def test_what_the_documentation_leaves_open_changes_nothing(
    start: Start, habits: dict[str, Any], span: tuple[int, int]
) -> None:
    exchange, client = start(Habits(**habits))
    got = client.candles("BTCUSDT", "1m", *span)
    same(got, truth(exchange, span))
    assert gaps(got) == []
    pages = 3 if span == RECENT else 15
    assert len(exchange.requests) <= pages + 2 or "look_back_days" in habits


@pytest.mark.parametrize("included", [False, True])
@pytest.mark.parametrize(("interval", "length"), [("1m", MINUTE), ("4h", 4 * HOUR), ("1d", DAY)])
def test_futures_are_exact_within_ninety_days_a_request(
    start: Start, interval: str, length: int, *, included: bool
) -> None:
    habits = Habits(candles_end_included=included, history_end_included=included, history_obeys_start=included)
    exchange, client = start(habits)
    span = (TODAY - 600 * length, TODAY)
    same(client.candles("BTCUSDT", interval, *span, market="usdt-futures"), truth(exchange, span, length))


@pytest.mark.quick_cases(5)
@pytest.mark.parametrize(
    ("empty", "windowed"),
    [([], False), ([], True), (None, True), ("", False), ("missing", True), ({}, False)],
    ids=repr,
)
@pytest.mark.parametrize("span", [RECENT, OLD], ids=["recent", "old"])
def test_a_real_gap_is_believed_however_emptiness_is_spelled(
    start: Start, empty: object, span: tuple[int, int], *, windowed: bool
) -> None:
    habits = Habits(empty=empty, history_reaches_only_its_limit=windowed, history_obeys_start=windowed, **NO_V3)
    exchange, client = start(habits)
    hole = (span[0] + 10 * HOUR, span[0] + 15 * HOUR)
    exchange.markets["BTCUSDT"].gaps = (hole,)
    got = client.candles("BTCUSDT", "1m", *span)
    same(got, truth(exchange, span))
    assert gaps(got) == [(*hole, "exchange has none")]
    assert len(exchange.requests) < 60


def test_a_gap_is_asked_again_when_it_is_due_and_what_has_come_since_is_taken(start: Start, clock: ManualClock) -> None:
    exchange, client = start()
    holes = ((OLD[0] + HOUR, OLD[0] + 2 * HOUR), (OLD[0] + 5 * HOUR, OLD[0] + 6 * HOUR))
    exchange.markets["BTCUSDT"].gaps = holes
    client.candles("BTCUSDT", "1m", *OLD)
    before = len(exchange.requests)
    exchange.markets["BTCUSDT"].gaps = holes[1:]
    clock.advance(DAY / 1000 - 60)
    assert len(client.candles("BTCUSDT", "1m", *OLD)) == len(truth(exchange, OLD)) - 60
    assert len(exchange.requests) == before
    clock.advance(120)
    got = client.candles("BTCUSDT", "1m", *OLD)
    same(got, truth(exchange, OLD))
    assert gaps(got) == [(*holes[1], "exchange has none")]
    reported = got.attrs["bgresearch"]["gaps"][0]
    assert pd.Timestamp(reported["again"]) - pd.Timestamp(reported["noticed"]) == pd.Timedelta(days=7)
    asked = len(exchange.requests)
    assert before < asked < before + 30
    client.candles("BTCUSDT", "1m", *OLD)
    assert len(exchange.requests) == asked


@pytest.mark.parametrize("dead", [True, False], ids=["dead", "no longer listed"])
def test_a_gap_that_is_due_is_no_reason_to_fail(start: Start, clock: ManualClock, *, dead: bool) -> None:
    exchange, client = start()
    exchange.markets["BTCUSDT"].gaps = ((OLD[0] + HOUR, OLD[0] + 2 * HOUR),)
    kept = client.candles("BTCUSDT", "1m", *OLD)
    clock.advance(2 * DAY / 1000)
    if dead:
        exchange.habits.faults = {"reset": 1.0}
    else:
        del exchange.markets["BTCUSDT"]
    same(client.candles("BTCUSDT", "1m", *OLD), kept)
    asked = len(exchange.requests)
    same(client.candles("BTCUSDT", "1m", *OLD), kept)
    assert len(exchange.requests) == asked
    again = gaps_in_full(client.candles("BTCUSDT", "1m", *OLD))[0]["again"]
    assert (pd.Timestamp(again) < pd.Timestamp(clock.now_ms(), unit="ms", tz="UTC")) is dead


def test_of_a_symbol_that_is_listed_no_more_the_error_says_what_is_kept(start: Start) -> None:
    exchange, client = start()
    kept = client.candles("BTCUSDT", "1m", *OLD)
    del exchange.markets["BTCUSDT"]
    with pytest.raises(UnknownSymbol, match="is not listed") as caught:
        client.candles("BTCUSDT", "1m", OLD[0], OLD[1] + DAY)
    assert caught.value.hint == f"The exchange no longer has it. The store has {Span(*OLD)}: ask for no more than that."
    same(client.candles("BTCUSDT", "1m", *OLD), kept)


def test_offline_what_is_due_is_not_missing(start: Start, clock: ManualClock) -> None:
    exchange, client = start()
    exchange.markets["BTCUSDT"].gaps = ((OLD[0] + HOUR, OLD[0] + 2 * HOUR),)
    kept = client.candles("BTCUSDT", "1m", *OLD)
    clock.advance(2 * DAY / 1000)
    offline = bgresearch.connect(
        base_url=exchange.url, data_dir=client.data_dir, offline=True, clock=clock, progress=False
    )
    same(offline.candles("BTCUSDT", "1m", *OLD), kept)


def test_what_is_absent_without_a_day_or_a_candle_that_tells_why_is_unknown(start: Start) -> None:
    habits = Habits(**NO_V3)
    habits.granularities = ONLY_MINUTES
    exchange, client = start(habits)
    exchange.markets["BTCUSDT"].gaps = ((OLD[0], OLD[0] + 6 * HOUR), (OLD[0] + 9 * HOUR, OLD[0] + 10 * HOUR))
    exchange.markets["BTCUSDT"].listed_ms = OLD[0]
    assert [cause for _start, _end, cause in gaps(client.candles("BTCUSDT", "1m", *OLD))] == [
        "unknown",
        "exchange has none",
    ]


def test_many_small_gaps_cost_few_questions(start: Start) -> None:
    exchange, client = start()
    exchange.markets["BTCUSDT"].gaps = tuple((at, at + 2 * MINUTE) for at in range(OLD[0], OLD[1], 7 * MINUTE))
    same(client.candles("BTCUSDT", "1m", *OLD), truth(exchange, OLD))
    assert len(exchange.requests) < 4 * 15


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("daily", [None, "400171", "40034"], ids=["daily candles", "400171", "40034"])
@pytest.mark.parametrize("span", [RECENT, OLD], ids=["recent", "old"])
@pytest.mark.parametrize("listed", ["inside", "afterwards"])
def test_a_listing_is_found_with_or_without_daily_candles(
    start: Start, span: tuple[int, int], listed: str, daily: str | None, *, windowed: bool
) -> None:
    habits = Habits(history_reaches_only_its_limit=windowed, history_obeys_start=windowed, **NO_V3)
    if daily is not None:
        habits.granularities, habits.unknown_granularity = ONLY_MINUTES, daily
    exchange, client = start(habits)
    # in the middle of a day whose daily candle, opening before the listing, is not there
    at = span[0] + 34 * HOUR + 7 * MINUTE if listed == "inside" else span[1] + DAY
    exchange.markets["BTCUSDT"].listed_ms = at
    got = client.candles("BTCUSDT", "1m", *span)
    same(got, truth(exchange, span))
    assert [(first, last) for first, last, _cause in gaps(got)] == [(span[0], min(at, span[1]))]
    assert len(exchange.requests) < 250
    before = len(exchange.requests)
    same(client.candles("BTCUSDT", "1m", *span), got)
    assert len(exchange.requests) == before


def test_daily_candles_that_begin_late_hide_nothing(start: Start) -> None:
    exchange, client = start()
    short = exchange._candles

    def forgetful(path: str, params: dict[str, str]) -> list[list[Any]]:
        rows = short(path, params)
        return [row for row in rows if int(row[0]) > TODAY - 50 * DAY] if params.get("granularity") == "1Dutc" else rows

    exchange._candles = forgetful  # type: ignore[method-assign]
    exchange.markets["BTCUSDT"].listed_ms = OLD[0] + 30 * HOUR
    same(client.candles("BTCUSDT", "1m", *OLD), truth(exchange, OLD))


def test_a_route_that_is_not_there_is_gone_around(start: Start) -> None:
    for body in (b"<html>404</html>", b'{"code":"40404","msg":"Request URL NOT FOUND","data":null}'):
        exchange, client = start(Habits(absent=("/api/v2/spot/market/candles", "/api/v3"), absent_body=body))
        same(client.candles("BTCUSDT", "1m", *RECENT), truth(exchange, RECENT))
        assert len(exchange.requests) < 60


@pytest.mark.parametrize("listed", [True, False], ids=["with a list", "without a list"])
@pytest.mark.parametrize(
    ("code", "status"),
    [("40034", 400), ("40034", 200), ("400171", 400), ("400172", 400), ("40102", 400), ("40054", 200)],
)  # fmt: skip
def test_an_unknown_symbol_is_called_one_whatever_its_code(
    start: Start, code: str, status: int, *, listed: bool
) -> None:
    absent = () if listed else ("/api/v2/spot/public", "/api/v3")
    exchange, client = start(Habits(unknown_symbol=code, error_status=status, absent=absent))
    with pytest.raises(UnknownSymbol, match="BTCUSTD") as caught:
        client.candles("BTCUSTD", "1m", *RECENT)
    assert caught.value.code == code
    assert ("Did you mean BTCUSDT?" in str(caught.value)) is listed
    assert len(exchange.requests) < 40


def test_a_symbol_that_is_answered_with_nothing_is_looked_up_and_not_kept(start: Start) -> None:
    exchange, client = start(Habits(unknown_symbol="empty", **NO_V3))
    with pytest.raises(UnknownSymbol, match=r"'BTCUSTD' is not listed .* has no candles.*Did you mean BTCUSDT"):
        client.candles("BTCUSTD", "1m", *OLD)
    assert not list(Path(client.data_dir).rglob("*.parquet"))
    exchange.habits.absent = ("/api/v2/spot/public",)
    assert client.candles("BTCUSTD", "1m", *OLD).empty


@pytest.mark.parametrize("forming", [False, True])
def test_only_closed_candles_come_and_late_ones_are_asked_again(start: Start, *, forming: bool) -> None:
    exchange, client = start(Habits(forming=forming, late_ms=3 * MINUTE))
    span = (TODAY, NOW_MS // MINUTE * MINUTE)
    late = client.candles("BTCUSDT", "1m", TODAY)
    same(late, truth(exchange, (TODAY, span[1] - 3 * MINUTE)))
    assert gaps(late)[0][:2] == (span[1] - 3 * MINUTE, span[1])
    exchange.habits.late_ms = 0
    same(client.candles("BTCUSDT", "1m", TODAY), truth(exchange, span))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("listed_after", [None, 34 * HOUR])
def test_a_storm_of_faults_changes_nothing(start: Start, seed: int, listed_after: int | None) -> None:
    exchange, client = start(Habits(faults=STORM), seed)
    for span in (RECENT, OLD):
        if listed_after is not None:
            exchange.markets["BTCUSDT"].listed_ms = OLD[0] + listed_after
        same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))


@pytest.mark.slow
def test_a_recent_month_of_minutes_costs_less_than_a_hundred_requests_and_a_second_look_none(start: Start) -> None:
    exchange, client = start()
    span = (TODAY - 29 * DAY, TODAY)
    client.candles("BTCUSDT", "1m", *span)
    assert exchange.count("/api/v2/spot/market/candles") <= 29 * 1440 / 1000 + 3
    assert len(exchange.requests) <= 100  # other routes help while that one's limit is used up
    before = len(exchange.requests)
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))
    assert len(exchange.requests) == before


def test_what_came_before_an_interruption_is_not_asked_again(start: Start) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 3:
            raise KeyboardInterrupt

    exchange, client = start()
    span = (TODAY - 110 * DAY, TODAY - 102 * DAY)
    with pytest.raises(KeyboardInterrupt):
        client.candles("BTCUSDT", "1m", *span, progress=stop)
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))
    pages = [params["endTime"] for path, params in exchange.requests if path.endswith("history-candles")]
    assert len(set(pages)) == len(pages) <= -(-8 * 1440 // 198) + 2 * 8  # where pages were cut, shorter ones remain


def test_threads_share_one_strict_limit_and_are_hardly_ever_refused(tmp_path: Path) -> None:
    with OtherExchange(Habits(per_second=20), SandboxClock().now_ms) as exchange:
        today = exchange.now_ms() // DAY * DAY
        for name in "ABC":
            exchange.markets[f"{name}USDT"] = Market(1_500_000_000_000)
        client = bgresearch.connect(base_url=exchange.url, data_dir=tmp_path, progress=False)
        got: dict[str, int] = {}

        def load(symbol: str) -> None:
            got[symbol] = len(client.candles(symbol, "1m", today - 8 * DAY, today))

        threads = [threading.Thread(target=load, args=(f"{name}USDT",)) for name in "ABC"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(got.values()) == {8 * 1440}
        assert exchange.refused <= 3
        assert len(exchange.requests) <= 3 * 14 + exchange.refused
