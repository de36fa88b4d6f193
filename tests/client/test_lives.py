"""A market may have several lives: each is found whole, the hole between is named, no remembered fact hides it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span, union
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.market.candles.downloader import Download
from bgresearch.market.candles.lookback import FILE
from bgresearch.market.candles.page_fetcher import Fetched
from bgresearch.market.candles.plan import Page, plan, routes, subject
from bgresearch.store import Gap, Series, Store
from bgresearch.store.coverage import Cause
from tests.client.other_exchange import DAY, HOUR, MINUTE, Habits, Market, OtherExchange
from tests.client.test_other_exchange import NO_V3, TODAY, Start, gaps, same, truth


def at(day: str) -> int:
    return pd.Timestamp(day, tz="UTC").value // 10**6


FIRST, SECOND = (at("2024-01-01"), at("2024-05-01")), at("2026-03-01")
HOLE = (FIRST[1], SECOND)
TWO = Market(FIRST[0], gaps=(HOLE,))
CASES: dict[str, tuple[Market, list[tuple[int, int, str]]]] = {
    "relisted": (TWO, [(*HOLE, "exchange has none")]),
    "three lives": (
        Market(FIRST[0], gaps=(HOLE, (at("2026-05-01"), at("2026-08-10")))),
        [(*HOLE, "exchange has none"), (at("2026-05-01"), at("2026-08-10"), "exchange has none")],
    ),
    "a life of four days": (
        Market(FIRST[0], gaps=((FIRST[1], at("2025-02-03")), (at("2025-02-07"), SECOND))),
        [(FIRST[1], at("2025-02-03"), "exchange has none"), (at("2025-02-07"), SECOND, "exchange has none")],
    ),
    "delisted again": (
        Market(FIRST[0], at("2026-07-01"), gaps=(HOLE,)),
        [(*HOLE, "exchange has none"), (at("2026-07-01"), TODAY, "delisted")],
    ),
    "over long ago": (
        Market(at("2023-12-10"), at("2024-09-01"), gaps=((at("2024-02-01"), at("2024-07-04")),)),
        [(at("2024-02-01"), at("2024-07-04"), "exchange has none"), (at("2024-09-01"), TODAY, "delisted")],
    ),
    "late listing": (Market(at("2024-02-10"), gaps=(HOLE,)), [
        (FIRST[0], at("2024-02-10"), "before listing"), (*HOLE, "exchange has none"),
    ]),
}  # fmt: skip
HABITS: dict[str, dict[str, Any]] = {
    "by the end": {}, "reaches its limit only": {"history_reaches_only_its_limit": True, "history_obeys_start": True},
    "no v3": NO_V3, "whole candles": {"whole_candles": True},
}  # fmt: skip


def offline(exchange: OtherExchange, client: Client, clock: ManualClock) -> Client:
    options: dict[str, Any] = {"data_dir": client.data_dir, "offline": True, "clock": clock, "progress": False}
    return bgresearch.connect(base_url=exchange.url, **options)


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("case", CASES)
def test_every_life_is_whole_and_what_lies_between_is_named(
    start: Start, clock: ManualClock, case: str, habit: str
) -> None:  # fmt: skip
    (traded, holes), habits = CASES[case], HABITS[habit]
    exchange, client = start(Habits(**habits))
    exchange.markets["BTCUSDT"] = traded
    span = (FIRST[0], TODAY)
    got = client.candles("BTCUSDT", "1h", *span)
    same(got, truth(exchange, span, HOUR))
    assert gaps(got) == holes
    before = len(exchange.requests)
    for again in (client, offline(exchange, client, clock)):
        kept = again.candles("BTCUSDT", "1h", *span)
        same(kept, got)
        assert gaps(kept) == holes
    assert len(exchange.requests) == before
    assert client.plan("BTCUSDT", "1h", *span).requests == {}
    assert client.verify().sound


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    ("market", "price", "interval", "length"),
    [("spot", "last", "4h", 4 * HOUR), ("spot", "last", "1d", DAY), ("usdt-futures", "last", "1h", HOUR),
     ("usdt-futures", "mark", "2h", 2 * HOUR), ("usdt-futures", "index", "30m", 30 * MINUTE),
     ("spot", "last", "15m", 15 * MINUTE)],
)  # fmt: skip
def test_it_holds_for_every_market_price_and_length(
    start: Start, market: str, price: str, interval: str, length: int
) -> None:
    exchange, client = start()
    exchange.markets["BTCUSDT"] = TWO
    span = (FIRST[0], TODAY)
    got = client.candles("BTCUSDT", interval, *span, market=market, price=price)
    same(got, truth(exchange, span, length))
    assert gaps(got) == [(*HOLE, "exchange has none")]


@pytest.mark.slow
def test_skipping_the_hole_costs_little_and_minutes_are_whole(start: Start) -> None:
    exchange, client = start()
    exchange.markets["BTCUSDT"] = TWO
    span = (FIRST[1] - 2 * DAY, SECOND + 2 * DAY)
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))
    assert len(exchange.requests) < 250  # 4,880 pages lie in the hole


PARTS = {
    "first life": FIRST, "second life": (SECOND, TODAY), "hole": (at("2025-01-01"), at("2025-06-01")),
    "end of the first": (at("2024-04-01"), at("2024-08-01")),
    "begin of the second": (at("2025-10-01"), at("2026-04-01")),
}  # fmt: skip


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("second", PARTS)
@pytest.mark.parametrize("first", PARTS)
def test_the_order_of_questions_changes_nothing(
    start: Start, clock: ManualClock, first: str, second: str
) -> None:  # fmt: skip
    exchange, client = start()
    exchange.markets["BTCUSDT"] = TWO
    for name in (first, second):
        same(client.candles("BTCUSDT", "1h", *PARTS[name]), truth(exchange, PARTS[name], HOUR))
    span = (FIRST[0], TODAY)
    got = client.candles("BTCUSDT", "1h", *span)
    same(got, truth(exchange, span, HOUR))
    assert {cause for _start, _end, cause in gaps(got)} == {"exchange has none"}
    before = len(exchange.requests)
    for again in (client, offline(exchange, client, clock)):
        for part in (span, *PARTS.values()):
            same(again.candles("BTCUSDT", "1h", *part), truth(exchange, part, HOUR))
    assert len(exchange.requests) == before


@pytest.mark.slow
def test_a_remembered_listing_is_looked_at_again_when_older_rows_contradict_it(
    start: Start, clock: ManualClock
) -> None:
    exchange, client = start()
    exchange.markets["BTCUSDT"] = TWO
    client.candles("BTCUSDT", "1m", SECOND, SECOND + DAY)
    keys = (("market", "spot"), ("price", "last"), ("symbol", "BTCUSDT"), ("interval", "1m"))
    wrong = Gap(Span(FIRST[1] - 9 * DAY, SECOND), "before listing", clock.now_ms())  # as earlier versions noted it
    store = Store(client.data_dir, clock=clock)
    store.write(Series("candles", keys, "open_time"), CANDLE_SCHEMA.empty_table(), (), [wrong])
    client.candles("BTCUSDT", "1m", FIRST[1] - 11 * DAY, FIRST[1] - 10 * DAY)
    span = (SECOND - 30 * DAY, SECOND + DAY)
    got = client.candles("BTCUSDT", "1m", *span)
    same(got, truth(exchange, span))
    assert gaps(got) == [(span[0], SECOND, "exchange has none")]
    span = (FIRST[1] - 11 * DAY, SECOND + DAY)
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))


def test_it_is_there_in_download_and_panel(start: Start) -> None:
    exchange, client = start()
    exchange.markets["BTCUSDT"] = TWO
    span = (FIRST[0], TODAY)
    row = client.download("BTCUSDT", "1h", *span).iloc[0]
    whole = truth(exchange, span, HOUR)
    assert (row["candles"], row["first"], row["last"]) == (len(whole), whole.index[0], whole.index[-1])
    panel = client.panel("BTCUSDT", "1h", *span)
    assert int(panel.notna().to_numpy().sum()) == len(whole)


@pytest.mark.parametrize("hidden", ["/api/v2/spot/market/candles", "/api/v2/spot/market/history-candles"])
def test_a_life_that_one_route_alone_knows_is_whole(start: Start, hidden: str) -> None:
    exchange, client = start(Habits(unified_markets=False))
    exchange.markets["BTCUSDT"] = TWO
    answer = exchange._candles

    def forgetful(path: str, params: dict[str, str]) -> list[list[Any]]:
        rows = answer(path, params)
        return [row for row in rows if path != hidden or int(row[0]) < SECOND]

    exchange._candles = forgetful  # type: ignore[method-assign]
    span = (FIRST[1] - 20 * DAY, TODAY) if "history" not in hidden else (TODAY - 60 * DAY, TODAY)
    same(client.candles("BTCUSDT", "1h", *span), truth(exchange, span, HOUR))


def test_a_remembered_look_back_does_not_hide_what_one_route_alone_has(start: Start, clock: ManualClock) -> None:
    exchange, client = start(Habits(absent=("/api/v3", "/api/v2/spot/market/history-candles")))
    learned = {"spot.candles 1h": [0, HOUR, 3, clock.now_ms()]}
    Path(client.data_dir).mkdir(parents=True, exist_ok=True)
    (Path(client.data_dir) / FILE).write_text(json.dumps(learned))
    span = (TODAY - 20 * DAY, TODAY)
    same(client.candles("BTCUSDT", "1h", *span), truth(exchange, span, HOUR))


class Refuted:
    """A fetcher that skips every page, and learns afterwards that there are candles all the same."""

    unknown = None

    def __init__(self, listed_ms: int | None, cause: Cause) -> None:
        self._listed_ms, self._cause = listed_ms, cause

    def may_explore(self, _endpoint: str) -> bool:
        return False

    def fetch(self, page: Page) -> Fetched:
        return Fetched(page, gaps=[page.span], skipped=[page.span])

    def cause(self, _hole: Span) -> Cause:
        return self._cause

    def refuted(self, skipped: list[Span]) -> tuple[Span, ...]:
        return union(skipped)

    def first_ms(self) -> int | None:
        return self._listed_ms

    def stop(self) -> None:
        pass


@pytest.mark.parametrize("cause", ["exchange has none", "before listing", "delisted"])
def test_a_skipped_hole_that_turns_out_to_hold_candles_is_not_kept_as_one(
    tmp_path: Path, clock: ManualClock, cause: Cause
) -> None:
    store, what = Store(tmp_path, clock=clock), subject("BTCUSDT", "1h", "spot", "last", "utc")
    span = Span(FIRST[1], FIRST[1] + 20 * DAY)
    series, todo = what.stored, plan(what, span, [span], clock.now_ms())
    fetcher: Any = Refuted(span.end_ms, cause)
    outcome = Download(fetcher, store, clock, series, routes(what)).run(todo, lambda _rows: None)
    assert outcome.refuted == (span,)
    assert store.missing(series, span) == (span,)
    assert store.gaps(series, span) == ()
