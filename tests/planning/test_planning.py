"""Which route fetches which page: complete, within every limit of the exchange, and priced."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.catalogue import load
from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS
from bgresearch.core.spans import Span, union
from bgresearch.errors import InvalidInput
from bgresearch.market.candles.lookback import Learned, Lookbacks
from bgresearch.market.candles.plan import CandleSeries, Plan, plan, routes, subject

NOW_MS = 1_795_165_230_000  # 2026-11-20T09:00:30Z
MARKETS = ["spot", "usdt-futures", "usdc-futures", "coin-futures"]
BTC = "BTCUSDT"


def subjects() -> list[CandleSeries]:
    return [
        subject(BTC, interval, market, price, anchor)
        for interval in INTERVALS
        for market in MARKETS
        for price in ("last", "mark", "index")
        for anchor in ("utc", "exchange")
        if not (market == "spot" and (price != "last" or interval == "2h"))
    ]


@settings(deadline=None)
@given(st.sampled_from(subjects()), st.integers(1, 400), st.integers(0, 3000))
def test_every_page_can_be_had_on_its_routes(what: CandleSeries, candles: int, age: int) -> None:
    end = what.grid.edge(NOW_MS - age * what.interval.nominal_ms)
    span = what.grid.outer(Span(end - candles * what.interval.nominal_ms, end))
    made = plan(what, span, [span], NOW_MS)
    assert union(page.span for page in made.pages) == union([span])
    assert made.rows == what.grid.count(span)
    for page in made.pages:
        assert page.rows <= page.routes[0].rows
        for route in page.routes:
            row, params = load()[route.endpoint], route.params(page.span, page.rows)
            assert all(row.param(name) for name in params)
            assert all(param.name in params for param in row.params if param.required)
            assert route.lookback_ms is None or page.span.start_ms > NOW_MS - route.lookback_ms


@pytest.mark.quick_cases(6)
@pytest.mark.parametrize("interval", list(INTERVALS))
def test_no_request_is_wider_than_ninety_days_or_its_limit(interval: str) -> None:
    for what in [one for one in subjects() if one.interval.name == interval]:
        end = what.grid.edge(NOW_MS)
        span = what.grid.outer(Span(end - 300 * what.interval.nominal_ms, end))
        for page in plan(what, span, [span], NOW_MS).pages:
            span, rows = what.grid.asked(page.span)
            limit = int(page.routes[0].params(span, rows)["limit"])
            assert span.duration_ms <= limit * what.interval.nominal_ms
            assert what.market == "spot" or span.duration_ms <= 90 * DAY_MS


def test_a_burst_of_recent_pages_takes_the_route_with_large_ones_alone() -> None:
    what = subject(BTC, "1m", "spot", "last", "utc")
    span = Span(NOW_MS // DAY_MS * DAY_MS - 10 * DAY_MS, NOW_MS // DAY_MS * DAY_MS)
    assert set(plan(what, span, [span], NOW_MS).requests) == {"spot.candles"}


def test_what_exceeds_a_burst_goes_by_every_route_that_reaches_in_proportion_to_its_limit() -> None:
    what = subject(BTC, "1m", "spot", "last", "utc")
    span = Span(NOW_MS // DAY_MS * DAY_MS - 85 * DAY_MS, NOW_MS // DAY_MS * DAY_MS)
    made = plan(what, span, [span], NOW_MS)
    assert set(made.requests) == {"spot.candles", "spot.history_candles", "uta.history_candles"}
    old = [page for page in made.pages if page.span.start_ms < NOW_MS - 31 * DAY_MS]
    rows = Counter(page.routes[0].endpoint for page in old for _ in range(page.rows))
    assert rows["spot.history_candles"] == pytest.approx(2 * rows["uta.history_candles"], rel=0.1)
    assert made.seconds < 85 * 1440 / 6000 + 2


def test_no_page_goes_by_a_route_that_does_not_reach_it() -> None:
    what = subject(BTC, "1m", "spot", "last", "utc")
    span = Span(NOW_MS // DAY_MS * DAY_MS - 120 * DAY_MS, NOW_MS // DAY_MS * DAY_MS)
    for page in plan(what, span, [span], NOW_MS).pages:
        age_ms = NOW_MS - page.span.start_ms
        assert all(route.lookback_ms is None or age_ms < route.lookback_ms for route in page.routes)
        assert page.routes[0].endpoint == "spot.history_candles" or age_ms < 90 * DAY_MS


def test_spot_history_is_asked_by_its_end_alone() -> None:
    route = routes(subject(BTC, "1m", "spot", "last", "utc"))[1]
    params = route.params(Span(0, 200 * MINUTE_MS), 200)
    assert params == {"symbol": BTC, "granularity": "1min", "endTime": "12000000", "limit": "200"}


def test_the_recent_window_is_never_wider_than_its_limit_and_leaves_room_for_both_ends() -> None:
    route = routes(subject(BTC, "1h", "usdt-futures", "mark", "utc"))[0]
    for hours, limit in ((77, 79), (998, 1000), (1000, 1000)):
        params = route.params(Span(0, hours * HOUR_MS), hours)
        assert (int(params["endTime"]), int(params["limit"])) == (hours * HOUR_MS, limit)
    assert params["kLineType"] == "MARK"


def test_the_utc_day_is_spelled_and_the_exchange_day_is_plain() -> None:
    utc = routes(subject(BTC, "1d", "usdt-futures", "last", "utc"))
    plain = routes(subject(BTC, "1d", "usdt-futures", "last", "exchange"))
    assert {route.fixed["granularity"] for route in utc} == {"1Dutc"}
    assert plain[0].fixed["granularity"] == plain[2].fixed["interval"] == "1D"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BTC, "7m", "spot", "last", "utc"), r"interval: '7m' is unknown\. Use one of 1m, 3m"),
        ((BTC, "1m", "futures", "last", "utc"), r"market: 'futures' is unknown\. Use one of spot, usdt-futures"),
        ((BTC, "1m", "spot", "best", "utc"), r"price: 'best' is unknown\. Use one of last, mark, index"),
        ((BTC, "1m", "spot", "mark", "utc"), r"the spot market has no mark price"),
        ((BTC, "1m", "spot", "last", "moon"), r"anchor: 'moon' is unknown"),
        (("", "1m", "spot", "last", "utc"), r"symbol: '' is no symbol"),
        ((None, "1m", "spot", "last", "utc"), r"symbol: None is no symbol"),
        ((BTC, ["1m"], "spot", "last", "utc"), r"interval: \['1m'\] is unknown"),
        ((BTC, "1m", ["spot"], "last", "utc"), r"market: \['spot'\] is unknown"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_those_that_do(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        subject(*arguments)


def test_nothing_missing_costs_nothing() -> None:
    made = plan(subject(BTC, "1m", "spot", "last", "utc"), Span(0, 60_000), [], NOW_MS)
    assert made == Plan(Span(0, 60_000), rows_kept=1)
    assert (made.rows, made.requests, made.seconds) == (0, {}, 0.0)


def test_a_route_whose_look_back_is_doubted_is_asked_last_and_not_left_out() -> None:
    learned = Lookbacks({"spot.candles 1m": Learned(bad_ms=HOUR_MS, misses=3, noticed_ms=NOW_MS)})
    span = Span(NOW_MS // DAY_MS * DAY_MS - DAY_MS, NOW_MS // DAY_MS * DAY_MS)
    pages = plan(subject(BTC, "1m", "spot", "last", "utc"), span, [span], NOW_MS, learned).pages
    assert {page.routes[-1].endpoint for page in pages} == {"spot.candles"}
    assert all(page.rows <= page.routes[0].rows for page in pages)
