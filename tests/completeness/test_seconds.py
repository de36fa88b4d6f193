"""Lists that show times cut to seconds and compare the exact ones: what shares a second with a border is not lost."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bgresearch.account.kinds import FILLS, KINDS
from bgresearch.account.record_history import walked
from bgresearch.catalogue import Endpoint, load
from bgresearch.client.api import ApiCall
from bgresearch.client.api_pages import ApiContext
from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span
from bgresearch.core.symbols import Named
from bgresearch.errors import BadResponse, IncompleteData
from bgresearch.http.pagination.strategy import way_of
from bgresearch.market.history import past_trades
from bgresearch.session.session import Session
from bgresearch.store import Store
from tests.conftest import NOW_MS
from tests.contract.test_every_row import suitable
from tests.verbs.scripted_answers import ScriptedSender

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
TURNS = ("idLessThan", "cursor", "pageNo", "pageNum")


class Event(NamedTuple):
    at: int
    id: int

    @property
    def shown(self) -> str:
        return str(self.at // 1_000 * 1_000)


def events(count: int, step_ms: int, since: int = NOW_MS - 2 * HOUR_MS) -> list[Event]:
    """Return what happened, newest first, at times that are no full seconds."""
    return [Event(since - n * step_ms - 7, 10**9 - n) for n in range(count)]


def serve(found: list[Event], params: Mapping[str, Any], size: int) -> list[Event]:
    """Return one page: windows are compared with the exact times."""
    start, end = int(params.get("startTime", 0)), int(params.get("endTime", NOW_MS))
    inside = [one for one in found if start <= one.at <= end]
    turn = next((name for name in TURNS if name in params), "")
    if turn.startswith("page"):
        number = int(params[turn])
        return inside[(number - 1) * size : number * size]
    return [one for one in inside if not turn or one.id < int(params[turn])][:size]


class Deep:
    """Serves so many pages of a window and not one more."""

    def __init__(self, pages: int) -> None:
        self._pages, self._served = pages, dict[str, set[str]]()

    def allows(self, params: Mapping[str, Any]) -> bool:
        turn = next((str(params[name]) for name in TURNS if name in params), "1")
        window = f"{params.get('startTime')} {params.get('endTime')}"
        served = self._served.setdefault(window, set())
        served |= {turn} if len(served) < self._pages else set()
        return turn in served


def timed_lists() -> list[Endpoint]:
    """Return the rows of the table whose windows can be narrowed, down to the records of one second."""
    found = []
    for row in load():
        way = way_of(row, {}) if row.paging.kind in ("page", "cursor", "id-cursor") else None
        ends = row.param("endTime") is not None and row.param("startTime") is not None and row.time
        if way is not None and ends and len(way.known_by) == 1 and way.size_name and not row.time.startswith("index"):
            found.append(row)
    return found


@pytest.mark.quick_cases(15)
@pytest.mark.parametrize("row", timed_lists(), ids=lambda row: row.id)
def test_raw_lists_that_are_served_no_deeper_lose_nothing_within_a_second(tmp_path: Path, row: Endpoint) -> None:
    way, found, deep = way_of(row, {}), events(60, 220), Deep(3)

    def answer(_row_id: str, params: Mapping[str, Any]) -> Any:
        page = serve(found, params, 3) if deep.allows(params) else []
        rows = [{way.known_by[0]: str(one.id), row.time: one.shown} for one in page]
        cursor = {name: rows[-1][way.known_by[0]] for name in ("endId", "minId", "cursor", "idLessThan") if rows}
        return {row.rows_at: rows, **cursor, "nextFlag": len(page) == 3} if row.rows_at else rows

    clock = ManualClock(NOW_MS)
    call = ApiCall(ApiContext(ScriptedSender(answer), Store(tmp_path, clock=clock), clock, progress=False), row)
    params = suitable(row, without=frozenset(TURNS)) | {"startTime": NOW_MS - 5 * HOUR_MS, way.size_name: 3}
    params |= {"endTime": NOW_MS}
    came = call.all(resume=False, **params)
    assert len(came) == len(found)


@pytest.mark.parametrize("row", timed_lists(), ids=lambda row: row.id)
def test_a_second_with_more_than_is_served_of_it_is_an_error(tmp_path: Path, row: Endpoint) -> None:
    way, found = way_of(row, {}), events(60, 20)

    def answer(_row_id: str, params: Mapping[str, Any]) -> Any:
        first = next((params[name] for name in TURNS if name in params), "1") == "1"
        page = serve(found, params, int(params[way.size_name])) if first else []
        rows = [{way.known_by[0]: str(one.id), row.time: one.shown} for one in page]
        return {row.rows_at: rows} if row.rows_at else rows

    clock = ManualClock(NOW_MS)
    call = ApiCall(ApiContext(ScriptedSender(answer), Store(tmp_path, clock=clock), clock, progress=False), row)
    params = suitable(row, without=frozenset(TURNS)) | {"startTime": NOW_MS - 5 * HOUR_MS, way.size_name: 3}
    params |= {"endTime": NOW_MS}
    with pytest.raises((IncompleteData, BadResponse)):
        call.all(resume=False, **params)


@pytest.mark.slow
@pytest.mark.parametrize("named", [Named("BTCUSDT", "spot"), Named("BTCUSDT", "usdt-futures")], ids=["spot", "futures"])
@pytest.mark.parametrize("pages", [1, 3, 10**6])
@pytest.mark.parametrize("border", [0, 1, 500, 999])
def test_trades_of_a_second_that_a_border_divides_are_all_there(
    tmp_path: Path, named: Named, pages: int, border: int
) -> None:
    found, deep, clock = events(5_200, 3), Deep(pages), ManualClock(NOW_MS)

    def answer(row_id: str, params: Mapping[str, Any]) -> Any:
        if row_id.endswith(("contracts", "symbols")):
            return [{"symbol": "BTCUSDT"}]
        page = serve(found, params, int(params["limit"])) if deep.allows(params) else []
        return [{"tradeId": str(one.id), "ts": one.shown, "side": "buy", "price": "1", "size": "1"} for one in page]

    source = Session(ScriptedSender(answer), Store(tmp_path, clock=clock), clock)
    middle = found[2_600].at // 1_000 * 1_000 + border
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The exchange stopped serving pages")
        came = [past_trades(source, named, span, False) for span in
                (Span(NOW_MS - DAY_MS, middle), Span(middle, NOW_MS), Span(NOW_MS - DAY_MS, NOW_MS))]  # fmt: skip
    assert came[0].num_rows + came[1].num_rows == came[2].num_rows == len(found)


LISTS = sorted({
    (name, mode, lot)
    for name, kind in KINDS.items()
    for mode in ("classic", "unified")
    for lot in (("USDT",) if kind.lots[mode] == "coins" else kind.lots[mode])
    if kind.routes(mode, lot)
})  # fmt: skip


@pytest.mark.parametrize(("kind", "mode", "lot"), LISTS)
def test_windows_of_own_records_hold_whole_seconds(kind: str, mode: Any, lot: str) -> None:
    span = Span(NOW_MS - HOUR_MS + 300, NOW_MS - 2_300)
    for route in KINDS[kind].routes(mode, lot):
        sender = ScriptedSender(lambda _row_id, _params: [])
        walked(KINDS[kind], route, sender, span)
        asked = sender.asked[0][1]
        assert int(str(asked["startTime"])) <= span.start_ms // 1_000 * 1_000
        assert int(str(asked["endTime"])) >= -(-span.end_ms // 1_000) * 1_000


FILL = {
    "userId": "1", "symbol": "BTCUSDT", "orderType": "limit", "side": "buy", "priceAvg": "1", "size": "1",
    "amount": "1", "tradeScope": "taker", "feeDetail": {"deduction": "no", "feeCoin": "USDT", "totalFee": "-0.1"},
}  # fmt: skip


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("pages", [1, 2, 10**6])
@pytest.mark.parametrize("border", [0, 1, 500, 999])
def test_own_records_of_a_second_that_a_border_divides_are_all_there(pages: int, border: int) -> None:
    found, deep = events(900, 30), Deep(pages)

    def answer(_row_id: str, params: Mapping[str, Any]) -> Any:
        page = serve(found, params, int(params["limit"])) if deep.allows(params) else []
        return [FILL | {"tradeId": str(one.id), "orderId": str(one.id), "cTime": one.shown} for one in page]

    middle = found[450].at // 1_000 * 1_000 + border
    route, sender = FILLS.routes("classic", "spot")[0], ScriptedSender(answer)
    came = [walked(FILLS, route, sender, span) for span in (Span(NOW_MS - DAY_MS, middle), Span(middle, NOW_MS))]
    assert sum(map(len, came)) == len(found)
