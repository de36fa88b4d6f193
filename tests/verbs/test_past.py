"""Public histories against an exchange with habits of its own: long lists, ties at borders, short pages, no end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span
from bgresearch.core.symbols import Named
from bgresearch.errors import BadResponse
from bgresearch.market.history import past_funding, past_trades
from bgresearch.session.session import Session
from bgresearch.store import Store
from tests.verbs.scripted_answers import Answer, ScriptedSender

NOW_MS = 1_795_165_230_000  # 2026-11-20T09:00:30Z
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PAIR, CONTRACT = Named("BTCUSDT", "spot"), Named("BTCUSDT", "usdt-futures")


def source(tmp_path: Path, answer: Answer) -> tuple[Session, ScriptedSender]:
    sender, clock = ScriptedSender(answer), ManualClock(NOW_MS)
    return Session(sender, Store(tmp_path, clock=clock), clock), sender


def trades(count: int, per_second: int) -> list[dict[str, str]]:
    """Newest last; ids above 2^53; times to the second, as the exchange gives them."""
    start = NOW_MS - DAY_MS - DAY_MS % 1000
    return [
        {"tradeId": str(2**60 + n), "ts": str((start + n // per_second * 1000) // 1000 * 1000), "side": "Buy",
         "price": "1", "size": "2"}
        for n in range(count)
    ]  # fmt: skip


def serving(rows: list[dict[str, str]], size: int) -> Answer:
    """Newest first below the cursor; the start is not obeyed, as of contracts."""

    def answer(_row_id: str, params: Mapping[str, Any]) -> Any:
        below = int(params.get("idLessThan", 2**63))
        chosen = [
            row for row in reversed(rows) if int(row["tradeId"]) < below and int(row["ts"]) <= int(params["endTime"])
        ]
        return chosen[:size]

    return answer


@pytest.mark.slow
def test_a_list_that_is_kept_on_the_way_loses_nothing_and_has_nothing_twice(tmp_path: Path) -> None:
    rows = trades(46_000, per_second=700)  # a second is longer than what is left of a page
    place, sender = source(tmp_path, serving(rows, 1000))
    span = Span(NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS + HOUR_MS)
    got = past_trades(place, CONTRACT, span, False)
    assert got.column("trade_id").to_pylist() == [row["tradeId"] for row in rows]
    asked = sender.sent
    assert past_trades(place, CONTRACT, span, False).num_rows == len(rows)
    assert sender.sent == asked


@pytest.mark.slow
def test_what_was_kept_before_an_interruption_is_not_asked_for_again(tmp_path: Path) -> None:
    rows = trades(46_000, per_second=700)
    serve, left = serving(rows, 1000), 30

    def stumbling(row_id: str, params: Mapping[str, Any]) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise BadResponse(row_id, "on purpose")
        return serve(row_id, params)

    place, sender = source(tmp_path, stumbling)
    span = Span(NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS + HOUR_MS)
    with pytest.raises(BadResponse, match="on purpose"):
        past_trades(place, CONTRACT, span, False)
    before = sender.sent
    assert past_trades(place, CONTRACT, span, False).column("trade_id").to_pylist() == [row["tradeId"] for row in rows]
    assert sender.sent - before < 30  # of 47 pages


def test_pages_shorter_than_documented_are_no_end(tmp_path: Path) -> None:
    rows = trades(2_345, per_second=3)
    place, _ = source(tmp_path, serving(rows, 100))
    got = past_trades(place, PAIR, Span(NOW_MS - 2 * DAY_MS, NOW_MS), False)
    assert got.num_rows == len(rows)
    settled = [{"fundingRate": "0.0001", "fundingTime": str(NOW_MS - n * 8 * HOUR_MS)} for n in range(400)]

    def numbered(row_id: str, params: Mapping[str, Any]) -> Any:
        if row_id != "futures.history_fund_rate":
            return []
        page = int(params["pageNo"])
        return settled[(page - 1) * 40 : page * 40]

    place, _ = source(tmp_path, numbered)
    assert (
        past_funding(place, CONTRACT, Span(NOW_MS - 500 * DAY_MS, NOW_MS), False)[0].num_rows == 399
    )  # the end is excluded


def test_four_hundred_pages_of_funding_come_once_though_a_settlement_shifts_them(tmp_path: Path) -> None:
    settled = [{"fundingRate": "0.0001", "fundingTime": str(NOW_MS - DAY_MS - n * HOUR_MS)} for n in range(40_000)]
    shifted = [{"fundingRate": "0.0002", "fundingTime": str(NOW_MS - DAY_MS + HOUR_MS)}, *settled]
    asked = 0

    def numbered(row_id: str, params: Mapping[str, Any]) -> Any:
        nonlocal asked
        if row_id != "futures.history_fund_rate":
            return []
        asked += 1
        page, rows = int(params["pageNo"]), settled if asked < 200 else shifted
        return rows[(page - 1) * 100 : page * 100]

    place, _ = source(tmp_path, numbered)
    span = Span(NOW_MS - 1700 * DAY_MS, NOW_MS - DAY_MS + 1)
    got, _ = past_funding(place, CONTRACT, span, False)
    assert asked >= 400
    times = got.column("time").cast("int64").to_pylist()
    assert times == sorted(int(row["fundingTime"]) for row in settled)


def test_a_list_of_trades_without_an_end_is_an_error(tmp_path: Path) -> None:
    page = trades(1000, per_second=1)
    place, _ = source(tmp_path, lambda _id, _params: page)
    with pytest.raises(BadResponse, match="came twice; the list has no end"):
        past_trades(place, PAIR, Span(NOW_MS - 2 * DAY_MS, NOW_MS), False)
