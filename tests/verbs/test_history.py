"""What is kept for good and what is not yet: orders that stand, positions that are open, money on its way."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bgresearch.account.kinds import CLOSED_POSITIONS, DEPOSITS, FILLS, KINDS, ORDERS, TRANSFERS
from bgresearch.account.record_history import FINAL_MS, RecordHistory
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span
from bgresearch.errors import BadResponse, IncompleteData, OfflineError, ParameterRejected, PermissionDenied
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session
from bgresearch.store import Store
from tests.verbs.scripted_answers import Answer, ScriptedSender

Connect = Callable[..., Client]
DAY_MS = 86_400_000
NOW_MS = 1_795_165_230_000  # 2026-11-20T09:00:30Z


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("key", ["readonly", "unified_trader"])
@pytest.mark.parametrize(
    "case", [("orders", "spot"), ("orders", "usdt-futures"), ("closed_positions", "usdt-futures")], ids=str
)
def test_what_was_not_over_comes_later_and_nothing_final_is_asked_again(
    connect: Connect, clock: ManualClock, tmp_path: Path, key: str, case: tuple[str, str]
) -> None:
    verb, market = case
    early = getattr(connect(key=key).account, verb)("2026-11-09", market=market)
    before = pd.Timestamp(clock.now_ms(), unit="ms", tz="UTC")
    clock.advance(4 * 86_400)
    now = clock.now_ms() - 10 * 60_000
    later = getattr(connect(key=key).account, verb)("2026-11-09", now, market=market)
    fresh = getattr(connect(key=key, data_dir=tmp_path / "other").account, verb)("2026-11-09", now, market=market)
    pd.testing.assert_frame_equal(later, fresh, check_categorical=False)
    assert len(later[later.index < before]) > len(early)  # there was something to be missed


def test_offline_after_everything_is_over_asks_nobody(connect: Connect) -> None:
    got = connect().account.orders("2026-10-01", "2026-11-01", market="usdt-futures")
    offline = connect(offline=True)
    pd.testing.assert_frame_equal(offline.account.orders("2026-10-01", "2026-11-01", market="usdt-futures"), got)
    assert offline.requests_sent == 0


def history(
    tmp_path: Path, answer: Answer, *, mode: str = "unified", offline: bool = False
) -> tuple[RecordHistory, ScriptedSender, ManualClock]:  # fmt: skip
    def with_settings(row_id: str, params: Mapping[str, object]) -> Any:
        if row_id == "uta.account_settings" and mode == "classic":
            raise PermissionDenied(row_id, "40084", "You are in Classic Account mode")
        settings = {"uta.account_settings": {"uid": "7"}, "spot.account_info": {"userId": "8"}}
        return settings[row_id] if row_id in settings else answer(row_id, params)

    reported, clock = ScriptedSender(with_settings), ManualClock(NOW_MS)
    source = Session(reported, Store(tmp_path / "data", clock=clock), clock, offline)
    return RecordHistory(source, AccountIdentity(reported), False), reported, clock


def deposit(number: int, time_ms: int, status: str = "success") -> dict[str, str]:
    return {
        "orderId": str(number), "recordId": f"tx{number}", "coin": "USDT", "size": "1.5", "status": status,
        "createdTime": str(time_ms), "updatedTime": str(time_ms), "dest": "on_chain", "chain": "TRC20",
    }  # fmt: skip


def within(rows: list[dict[str, str]], params: Mapping[str, Any], time: str) -> list[dict[str, str]]:
    start, end = int(params.get("startTime", 0)), int(params.get("endTime", 2**53))
    return [row for row in rows if start <= int(row[time]) <= end]


def paged(rows: list[dict[str, str]], params: Mapping[str, Any], key: str, size: int) -> list[dict[str, str]]:
    """Newest first, below the cursor, as the exchange does."""
    below = int(params.get("cursor") or params.get("idLessThan") or 2**63)
    return sorted((row for row in rows if int(row[key]) < below), key=lambda row: -int(row[key]))[:size]


def test_money_on_its_way_is_shown_and_asked_for_again_until_it_arrived(tmp_path: Path) -> None:
    at = NOW_MS - DAY_MS
    rows = [deposit(1, at - 5), deposit(2, at, "pending"), deposit(3, at + 5)]
    past, reported, _ = history(
        tmp_path, lambda _id, params: paged(within(rows, params, "createdTime"), params, "orderId", 9)
    )
    span = Span(at - 1000, at + 1000)
    first = past.table(DEPOSITS, "", span)
    assert first.column("status").to_pylist() == ["success", "pending", "success"]
    assert past.missing(DEPOSITS, "", span) == (Span(at, at + 1),)
    rows[1] = deposit(2, at)
    assert past.table(DEPOSITS, "", span).column("status").to_pylist() == ["success"] * 3
    asked = reported.sent
    assert past.table(DEPOSITS, "", span).num_rows == 3
    assert reported.sent == asked
    assert past.missing(DEPOSITS, "", span) == ()


def test_orders_of_one_instant_are_shown_though_one_of_them_still_stands(tmp_path: Path) -> None:
    at = NOW_MS - DAY_MS
    rows = [
        {"orderId": str(number), "symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "orderStatus": status,
         "createdTime": str(at), "updatedTime": str(at), "qty": "1", "price": "2"}
        for number, status in ((1, "filled"), (2, "live"))
    ]  # fmt: skip

    def answer(row_id: str, params: Mapping[str, Any]) -> Any:
        reported = [row for row in rows if (row["orderStatus"] == "live") == (row_id == "uta.trade_unfilled_orders")]
        return {"list": [] if params.get("cursor") else within(reported, params, "createdTime"), "cursor": ""}

    past, _, _ = history(tmp_path, answer)
    span = Span(at - 1000, at + 1000)
    for _ in range(2):
        assert past.table(ORDERS, "spot", span).column("order_id").to_pylist() == ["1"]
    rows[1]["orderStatus"] = "cancelled"
    for _ in range(2):
        assert past.table(ORDERS, "spot", span).column("order_id").to_pylist() == ["1", "2"]


def test_the_last_minutes_are_shown_and_not_kept(tmp_path: Path) -> None:
    rows = [deposit(1, NOW_MS - FINAL_MS - 1), deposit(2, NOW_MS - FINAL_MS)]
    past, _, _ = history(tmp_path, lambda _id, params: paged(within(rows, params, "createdTime"), params, "orderId", 9))
    span = Span(NOW_MS - DAY_MS, NOW_MS)
    assert past.table(DEPOSITS, "", span).num_rows == 2
    assert past.missing(DEPOSITS, "", span) == (Span(NOW_MS - FINAL_MS, NOW_MS),)


@pytest.mark.parametrize("by", ["createdTime", "updatedTime"])
def test_a_position_is_found_whichever_time_the_exchanges_windows_go_by(tmp_path: Path, by: str) -> None:
    rows = [
        {
            "positionId": str(number), "symbol": "BTCUSDT", "posSide": "long", "marginCoin": "USDT",
            "createdTime": str(NOW_MS - (80 - number) * DAY_MS), "updatedTime": str(NOW_MS - (70 - number) * DAY_MS),
        }
        for number in range(70)
    ]  # fmt: skip

    def answer(row_id: str, params: Mapping[str, Any]) -> Any:
        if row_id == "uta.position_current_position":
            return {"list": []}
        page = paged(within(rows, params, by), params, "positionId", 10)
        return {"list": page, "cursor": page[-1]["positionId"] if page else ""}

    past, _, _ = history(tmp_path, answer)
    span = Span(NOW_MS - 85 * DAY_MS, NOW_MS)
    halves = [Span(span.start_ms, NOW_MS - 45 * DAY_MS), span]
    for part in halves:
        got = past.table(CLOSED_POSITIONS, "usdt-futures", part).column("position_id").to_pylist()
        assert got == [row["positionId"] for row in rows if int(row["createdTime"]) < part.end_ms]


def test_ties_in_time_at_the_border_of_pages_and_ids_above_2_53_lose_nothing(tmp_path: Path) -> None:
    big = 2**53
    rows = [deposit(big + number, NOW_MS - DAY_MS - number // 40 * 1000) for number in range(330)]
    past, _, _ = history(
        tmp_path, lambda _id, params: paged(within(rows, params, "createdTime"), params, "orderId", 100)
    )
    got = past.table(DEPOSITS, "", Span(NOW_MS - 2 * DAY_MS, NOW_MS))
    assert sorted(got.column("deposit_id").to_pylist()) == sorted(row["orderId"] for row in rows)


def test_numbered_pages_are_walked_to_the_end(tmp_path: Path) -> None:
    rows = [
        {"transferId": str(n), "coin": "USDT", "size": "1", "fromType": "spot", "toType": "usdt_futures",
         "status": "Successful", "ts": str(NOW_MS - DAY_MS + n)} for n in range(1234)
    ]  # fmt: skip

    def answer(_row_id: str, params: Mapping[str, Any]) -> Any:
        size, number = int(params["limit"]), int(params["pageNum"])
        return within(rows[::-1], params, "ts")[(number - 1) * size : number * size]

    past, reported, _ = history(tmp_path, answer, mode="classic")
    got = past.table(TRANSFERS, "USDT", Span(NOW_MS - 2 * DAY_MS, NOW_MS))
    assert got.num_rows == 1234
    assert got.column("target").to_pylist()[0] == "usdt-futures"
    assert [params["pageNum"] for row_id, params in reported.asked if "transfer" in row_id][:3] == ["1", "2", "3"]


def test_a_window_with_more_than_one_list_serves_is_halved(tmp_path: Path) -> None:
    rows = [
        {"transferId": str(n), "coin": "USDT", "size": "1", "fromType": "spot", "toType": "usdt_futures",
         "status": "Successful", "ts": str(NOW_MS - DAY_MS + n // 3 * 1000)} for n in range(7_000)
    ]  # fmt: skip

    def answer(row_id: str, params: Mapping[str, Any]) -> Any:
        size, number = int(params["limit"]), int(params["pageNum"])
        if (number - 1) * size >= 2_000:
            raise ParameterRejected(row_id, "40303", "Can only query up to 2,000 data")
        return within(rows[::-1], params, "ts")[(number - 1) * size : number * size]

    past, _, _ = history(tmp_path, answer, mode="classic")
    got = past.table(TRANSFERS, "USDT", Span(NOW_MS - 2 * DAY_MS, NOW_MS))
    assert sorted(map(int, got.column("transfer_id").to_pylist())) == list(range(7_000))


@pytest.mark.slow
def test_where_there_are_many_records_windows_grow_short_and_where_there_are_few_long_again(tmp_path: Path) -> None:
    start = NOW_MS - 80 * DAY_MS
    times = [start + n * 10_000 for n in range(60_000)] + [start + (20 + n) * DAY_MS for n in range(59)]
    rows = [
        {"execId": str(10**18 + n), "orderId": "1", "symbol": "BTCUSDT", "side": "buy", "createdTime": str(at),
         "execPrice": "1", "execQty": "1"}
        for n, at in enumerate(times)
    ]  # fmt: skip

    def answer(_row_id: str, params: Mapping[str, Any]) -> Any:
        first = bisect.bisect_left(times, int(params["startTime"]))
        last = min(bisect.bisect_right(times, int(params["endTime"])), int(params.get("cursor", 10**19)) - 10**18)
        page = rows[max(first, last - 100) : last][::-1]
        return {"list": page, "cursor": page[-1]["execId"] if page else ""}

    past, reported, _ = history(tmp_path, answer)
    got = past.table(FILLS, "spot", Span(start, NOW_MS))
    assert got.num_rows == len(rows)
    asked = {(int(str(p["startTime"])), int(str(p["endTime"]))) for _, p in reported.asked if "startTime" in p}
    lengths = [(end - begin) / DAY_MS for begin, end in sorted(asked)]
    assert max(lengths[:4]) < 4.1
    assert min(lengths[:4]) < 2.1
    assert max(lengths) > 25
    assert len(asked) < 16


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        ({"size": "lots"}, r"\(orderId 1, .*size lots is not a number"),
        ({"createdTime": ""}, r"\(orderId 1.*time is missing"),
        ({"createdTime": "yesterday"}, r"\(orderId 1.*createdTime yesterday is not a time"),
    ],
)  # fmt: skip
def test_a_row_that_makes_no_sense_is_an_error_and_nothing_is_kept(
    tmp_path: Path, spoilt: dict[str, str], words: str
) -> None:
    past, _, _ = history(tmp_path, lambda _id, _params: [deposit(1, NOW_MS - DAY_MS) | spoilt])
    span = Span(NOW_MS - 2 * DAY_MS, NOW_MS)
    with pytest.raises(BadResponse, match=words):
        past.table(DEPOSITS, "", span)
    assert past.missing(DEPOSITS, "", span) == (span,)


def test_a_list_without_an_end_is_an_error(tmp_path: Path) -> None:
    page = [deposit(number, NOW_MS - DAY_MS) for number in range(100)]
    past, _, _ = history(tmp_path, lambda _id, _params: page)
    with pytest.raises(BadResponse, match="came twice; the list has no end"):
        past.table(DEPOSITS, "", Span(NOW_MS - 2 * DAY_MS, NOW_MS))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_says_what_is_gone_and_offline_what_is_missing(tmp_path: Path, kind: Any) -> None:
    past, reported, clock = history(tmp_path, lambda _id, _params: [])
    lot = "USDT/BTC" if kind.name == "conversions" else (past.lots(kind) or ("",))[0]
    if not kind.routes("unified", lot):
        pytest.skip("unified accounts have no such list")
    past.identity()
    asked = reported.sent
    with pytest.raises(IncompleteData, match=r"of the last .* days; .* was never stored"):
        past.table(kind, lot, Span(clock.now_ms() - 800 * DAY_MS, clock.now_ms()))
    assert reported.sent == asked
    offline, _, _ = history(tmp_path, lambda _id, _params: [], offline=True)
    with pytest.raises(OfflineError, match="are not complete in the store"):
        offline.table(kind, lot, Span(NOW_MS - DAY_MS, NOW_MS))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("mode", ["classic", "unified"])
def test_every_route_of_every_kind_is_a_private_row_and_documented_as_a_source(kind: Any, mode: Any) -> None:
    lots = kind.lots[mode]
    for lot in ("USDT",) if lots == "coins" else lots:
        for route in (*kind.routes(mode, lot), *kind.open(mode, lot)):
            assert route.row.private
            assert route.row.version == ("v2" if mode == "classic" else "v3")
            assert set(route.fixed) <= {param.name for param in route.row.params}
        assert {route.endpoint for route in kind.routes(mode, lot)} <= set(kind.shape.sources)
    assert kind.id in kind.shape.schema.names
    assert kind.time == "time"
    assert not kind.changing or "status" in kind.shape.schema.names
