"""Routes side by side: limits that are wrong in the documentation are learned, and no absence is believed for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bgresearch as bg
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import Span, union
from bgresearch.errors import IncompleteData
from bgresearch.market.candles.downloader import Queues
from bgresearch.market.candles.lookback import FILE
from bgresearch.market.candles.plan import CandleSeries, Page, plan, routes, subject
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.responders import candles as answers

NOW_MS = 1_795_165_230_000
WHAT: CandleSeries = subject("BTCUSDT", "1m", "spot", "last", "utc")


def queues(days: int) -> tuple[Queues, list[Page]]:
    end = NOW_MS // DAY_MS * DAY_MS
    pages = list(plan(WHAT, Span(end - days * DAY_MS, end), [Span(end - days * DAY_MS, end)], NOW_MS).pages)
    return Queues(pages, routes(WHAT), lambda page: Span(0, 1)), pages


def test_every_page_is_taken_once_whoever_takes_it() -> None:
    waiting, pages = queues(85)
    taken: list[Page] = []
    while waiting:
        for route in waiting.endpoints:
            if page := waiting.own(route) or waiting.shared(route):
                assert page.routes[0].endpoint == route
                assert page.rows <= page.routes[0].rows
                taken.append(page)
    assert sum(page.rows for page in taken) == sum(page.rows for page in pages)
    assert union(page.span for page in taken) == union(page.span for page in pages)


def test_a_route_without_work_takes_several_small_pages_of_another_as_one() -> None:
    waiting, _pages = queues(29)
    while waiting.own("spot.candles"):
        pass
    page = waiting.shared("spot.candles")
    assert page is not None
    assert 198 < page.rows <= 998


def test_a_route_is_explored_only_where_there_is_much_to_do() -> None:
    assert not queues(2)[0].may_explore("uta.candles")
    assert queues(60)[0].may_explore("uta.candles")
    assert queues(60)[0].newest("uta.candles") is not None


def test_a_look_back_longer_than_documented_is_found_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_UTA_CANDLES", 60_000)
    exchange = Exchange(seed=7)
    client = bg.connect(sandbox=exchange, data_dir=tmp_path, progress=False)
    frame = client.candles("BTCUSDT", "1m", "2026-10-20", "2026-11-10")
    assert len(frame) == 21 * 1440
    known = json.loads((tmp_path / FILE).read_text())
    assert known["uta.candles 1m"][0] > 5 * DAY_MS


@pytest.mark.slow
def test_a_look_back_shorter_than_documented_costs_little_and_no_candle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(answers._LOOKBACK_DAYS, "1m", 12)
    client = bg.connect(sandbox=Exchange(seed=7), data_dir=tmp_path, progress=False)
    assert len(client.candles("BTCUSDT", "1m", "2026-10-25", "2026-11-15")) == 21 * 1440
    asked = client.plan("ETHUSDT", "1m", "2026-10-25", "2026-11-15").requests
    spot = client.requests_sent
    assert len(client.candles("ETHUSDT", "1m", "2026-10-25", "2026-11-15")) == 21 * 1440
    assert asked["spot.candles"] <= 13  # twelve days of a thousand rows, not twenty-one
    assert client.requests_sent - spot <= sum(asked.values()) + 40


@pytest.mark.slow
def test_nothing_is_believed_absent_because_a_route_does_not_reach_it(tmp_path: Path) -> None:
    exchange = Exchange(seed=7)
    for route in ("spot.history_candles", "uta.history_candles"):
        exchange.faults.inject("http500", endpoint=route)
    client = bg.connect(sandbox=exchange, data_dir=tmp_path, progress=False)
    with pytest.raises(IncompleteData):
        client.candles("BTCUSDT", "1m", "2026-09-20", "2026-10-01")
    exchange.faults.clear()
    frame = client.candles("BTCUSDT", "1m", "2026-09-20", "2026-10-01")
    assert len(frame) == 11 * 1440
    assert frame.attrs["bgresearch"]["gaps"] == []
