"""Long lists of the sandbox, walked to their ends: nothing is lost and nothing comes twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgresearch.core.clock import ManualClock
from bgresearch.errors import IncompleteData
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.world.funding import FUNDING_MS, next_funding_ms
from bgresearch.sandbox.world.markets import find
from tests.conftest import NOW_MS, Connect
from tests.pagination.conftest import Busy

DAY_MS = 86_400_000


def same(found: Iterable[object], expected: Iterable[object]) -> bool:
    return Counter(map(str, found)) == Counter(map(str, expected))


@pytest.mark.slow
def test_20_000_fills_with_ties_longer_than_a_page_and_arrivals_come_once_each(busy: Busy) -> None:
    client, crowd = busy(fills=20_000, arrivals=300)
    spot = [fill for fill in crowd.until(0).fills if not fill.market.futures]
    frame = client.api.spot.trade_fills.all()
    before = [fill.fill_id for fill in spot if fill.ts_ms < NOW_MS]
    assert same(frame["tradeId"], before)
    assert min(before) > 2**53
    assert frame["cTime"].is_monotonic_decreasing
    ties = Counter(fill.ts_ms for fill in spot)
    print(f"\n{len(frame)} of 20,000 fills are spot, up to {max(ties.values())} in one millisecond")
    futures = client.api.futures.order_fills.all(
        productType="USDT-FUTURES", startTime=NOW_MS - 88 * DAY_MS, endTime=NOW_MS
    )
    contract = [fill.fill_id for fill in crowd.until(0).fills if fill.market.futures and fill.ts_ms < NOW_MS]
    assert same(futures["tradeId"], contract)


def test_the_unified_account_s_cursor_walks_through_windows_of_30_days(busy: Busy) -> None:
    client, crowd = busy("unified", fills=5_000, arrivals=100)
    frame = client.api.uta.trade_fills.all()
    assert same(frame["execId"], [fill.fill_id for fill in crowd.until(0).fills if fill.ts_ms < NOW_MS])
    assert frame["createdTime"].is_monotonic_decreasing


def test_5_000_bills_over_85_days_that_differ_in_nothing_but_their_id(busy: Busy) -> None:
    client, crowd = busy(entries=5_000, arrivals=50)
    frame = client.api.spot.account_bills.all(startTime=NOW_MS - 86 * DAY_MS)
    assert same(frame["billId"], [entry.entry_id for entry in crowd.until(0).entries if entry.ts_ms < NOW_MS])
    assert frame.duplicated(subset=["cTime", "businessType", "size"]).sum() > 500


def test_the_largest_pages_are_asked_for_unless_others_are_wanted(busy: Busy) -> None:
    client, _ = busy(entries=900)
    client.api.spot.account_bills.all(startTime=NOW_MS - 86 * DAY_MS)
    large = client.requests_sent
    client.api.spot.account_bills.all(startTime=NOW_MS - 86 * DAY_MS, limit=50)
    assert client.requests_sent - large > 4 * large


def test_400_funding_pages_come_to_their_end_while_a_new_rate_pushes_them_on(
    connect: Connect, exchange: Exchange, clock: ManualClock
) -> None:
    clock.advance(24_800)  # ten minutes before the next settlement
    exchange.faults.inject("latency", endpoint="futures.history_fund_rate", amount=3)
    newest = next_funding_ms(clock.now_ms()) - FUNDING_MS
    frame = connect().api.futures.history_fund_rate.all(symbol="BTCUSDT", productType="USDT-FUTURES", pageSize=17)
    times = frame["fundingTime"].astype("int64").tolist()
    market = find("usdt-futures", "BTCUSDT")
    assert market is not None
    assert next_funding_ms(clock.now_ms()) > newest + 2 * FUNDING_MS - 1  # it did come
    assert frame.attrs["bgresearch"]["requests"] > 410
    assert 0 <= times[-1] - market.listed_ms < FUNDING_MS
    assert times == list(range(newest, times[-1] - 1, -FUNDING_MS))


def test_the_v3_cursor_that_is_a_page_number_is_counted_up(connect: Connect) -> None:
    frame = connect().api.uta.history_fund_rate.all(symbol="BTCUSDT", category="USDT-FUTURES")
    times = frame["fundingRateTimestamp"]
    assert times.is_unique
    assert times.diff().dropna().eq(pd.Timedelta(milliseconds=-FUNDING_MS)).all()


def test_a_list_that_is_served_100_pages_deep_says_what_is_missing(connect: Connect) -> None:
    with pytest.raises(IncompleteData, match=r"uta\.history_fund_rate.*any deeper"):
        connect().api.uta.history_fund_rate.all(symbol="BTCUSDT", category="USDT-FUTURES", limit=10)


def test_a_list_deeper_than_20_000_rows_is_walked_in_narrower_windows(busy: Busy) -> None:
    client, crowd = busy(transfers=20_700)
    frame = client.api.spot.account_transfer_records.all(coin="USDT", startTime=NOW_MS - 86 * DAY_MS)
    assert same(frame["transferId"], [row.transfer_id for row in crowd.until(0).transfers])


def test_deposits_are_walked_by_the_smallest_id_of_a_page(busy: Busy) -> None:
    client, crowd = busy("unified", movements=700, arrivals=20)
    frame = client.api.uta.account_deposit_records.all(startTime=NOW_MS - 86 * DAY_MS, endTime=NOW_MS)
    assert same(frame["orderId"], [row.movement_id for row in crowd.until(0).movements if row.ts_ms < NOW_MS])


def test_candles_are_walked_forward_window_by_window(connect: Connect, exchange: Exchange) -> None:
    call = connect().api.spot.history_candles
    frame = call.all(symbol="BTCUSDT", granularity="1min", startTime="2026-01-01T00:00:30", endTime="2026-01-02T00:01")
    opens = frame["open_time"]
    assert opens.is_unique
    assert len(opens) == 1440
    assert (opens.iloc[0], opens.iloc[-1]) == (pd.Timestamp("2026-01-01T00:01Z"), pd.Timestamp("2026-01-02T00:00Z"))
    unified = connect().api.uta.candles.all(
        category="USDT-FUTURES",
        symbol="BTCUSDT",
        interval="1m",
        startTime="2026-11-20T00:00",
        endTime="2026-11-20T02:00",
    )
    assert len(unified) == 120
    futures = connect().api.futures.history_candles.all(
        symbol="BTCUSDT", productType="USDT-FUTURES", granularity="1m", startTime="2026-01-01", endTime="2026-01-02",
        limit=50,
    )  # fmt: skip
    assert futures["open_time"].is_unique
    assert len(futures) == 1440


def test_public_trades_of_contracts_come_without_the_ones_before_the_start(connect: Connect) -> None:
    api = connect().api
    about = {"symbol": "BTCUSDT", "startTime": "2026-11-10T00:00:00", "endTime": "2026-11-10T02:00:00"}
    futures = api.futures.fills_history.all(productType="USDT-FUTURES", limit=100, **about)
    assert futures["tradeId"].is_unique
    assert futures["ts"].between("2026-11-10T00:00:00Z", "2026-11-10T01:59:59Z").all()
    more = api.futures.fills_history.all(productType="USDT-FUTURES", **about)
    assert same(futures["tradeId"], more["tradeId"])
    spot = api.spot.fills_history.all(limit=50, **about)
    assert same(spot["tradeId"], api.spot.fills_history.all(**about)["tradeId"])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(0, 260), days=st.sampled_from([0.0001, 1.5, 45.0, 89.0]), limit=st.sampled_from([3, 20, 100]),
    mishap=st.sampled_from(["", "shuffle", "duplicates", "false_empty", "http500"]),
)  # fmt: skip
def test_whatever_befalls_the_pages_every_record_comes_once(
    busy: Busy, exchange: Exchange, *, count: int, days: float, limit: int, mishap: str
) -> None:
    client, crowd = busy(fills=count, entries=count, days=days, arrivals=20)
    exchange.faults.clear()
    if mishap:
        chance = 0.02 if mishap == "false_empty" else 0.2  # three in a row would be believed
        for row in ("spot.account_bills", "futures.order_fill_history"):
            exchange.faults.inject(mishap, probability=chance, endpoint=row)  # type: ignore[arg-type]
    start = NOW_MS - 89 * DAY_MS
    history, now = crowd.until(0), exchange.clock.now_ms()
    bills = client.api.spot.account_bills.all(startTime=start, limit=limit)
    assert same(bills["billId"], [row.entry_id for row in history.entries if row.ts_ms < now])
    now = exchange.clock.now_ms()
    fills = client.api.futures.order_fill_history.all(productType="USDT-FUTURES", startTime=start, limit=limit)
    assert same(fills["tradeId"], [row.fill_id for row in history.fills if row.market.futures and row.ts_ms < now])
