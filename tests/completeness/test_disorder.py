"""Lists whose ids do not follow their times: every row comes, or an error says that it did not."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bgresearch.account.kinds import FILLS
from bgresearch.account.record_history import RecordHistory, walked
from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span
from bgresearch.core.symbols import Named
from bgresearch.errors import BadResponse, BgresearchError, ExchangeError, UndocumentedData
from bgresearch.market.history import past_funding, past_trades
from bgresearch.session.identity import AccountIdentity
from bgresearch.session.session import Session
from bgresearch.store import Store
from tests.conftest import NOW_MS
from tests.verbs.scripted_answers import ScriptedSender

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
PAIR, CONTRACT = Named("BTCUSDT", "spot"), Named("BTCUSDT", "usdt-futures")
SPAN = Span(NOW_MS - DAY_MS, NOW_MS)
COUNT = 26_000  # more than are held back before the first of them are kept

Rows = list[dict[str, str]]


def trades(moved: Mapping[int, int]) -> Rows:
    """Newest id first, three a second; some of them traded at another time than their neighbours, in seconds."""
    rows = []
    for place in range(COUNT):
        at = NOW_MS - HOUR_MS - (place // 3 + moved.get(place, 0)) * 1_000
        rows.append({"tradeId": str(2**60 - place), "ts": str(at), "side": "buy", "price": "1", "size": "1"})
    return rows


ORDERS: dict[str, dict[int, int]] = {
    "one far older on the first page": {500: 40_000},
    "the last of a page far older": {999: 40_000, 20_999: 40_000},
    "one older than the span on the first page": {3: DAY_MS // 1_000},
    "mixed within a page": {place: random.Random(place).randint(-100, 100) for place in range(COUNT)},  # noqa: S311
    "mixed over many pages": {place: random.Random(place).randint(-1_500, 1_500) for place in range(COUNT)},  # noqa: S311
    "late ones": {24_000: -7_000, 25_500: -8_000, 25_999: -1_000},
}


QUICK_WALKS = {
    ("one far older on the first page", "start obeyed", "all pages"),
    ("the last of a page far older", "start obeyed", "all pages"),
    ("one older than the span on the first page", "start not obeyed", "all pages"),
    ("mixed within a page", "start obeyed", "all pages"),
    ("mixed over many pages", "start obeyed", "all pages"),
    ("late ones", "start not obeyed", "all pages"),
}
QUICK_INTERRUPTIONS = {
    ("mixed within a page", 2),
    ("mixed over many pages", 24),
    ("the last of a page far older", 22),
    ("late ones", 26),
}


class Serving:
    """Answers by id below a cursor; ``deep`` pages of each window alone, and one request is refused."""

    def __init__(self, rows: Rows, *, strict: bool, deep: int = 10**6, refused: int = 0) -> None:
        self._rows, self._strict, self._deep, self._left = rows, strict, deep, refused
        self._served: dict[str, int] = {}

    def __call__(self, row_id: str, params: Mapping[str, Any]) -> Any:
        if row_id.endswith(("contracts", "symbols")):
            return [{"symbol": "BTCUSDT"}]
        if row_id.endswith("history_candles"):
            return []
        self._left -= 1
        if self._left == 0:
            raise BadResponse(row_id, "on purpose")
        start, end = int(params["startTime"]), int(params["endTime"])
        below = int(params.get("idLessThan", 2**63))
        if "idLessThan" not in params:
            self._served[params["endTime"]] = 0
        self._served[params["endTime"]] += 1
        if self._served[params["endTime"]] > self._deep:
            return []
        found = [
            row for row in self._rows
            if int(row["tradeId"]) < below and int(row["ts"]) <= end and (not self._strict or int(row["ts"]) >= start)
        ]  # fmt: skip
        return found[: int(params["limit"])]


def walks() -> list[Any]:
    """Return every order, with a start that is obeyed or not, and with all pages or four of them; some are quick."""
    starts = {"start obeyed": PAIR, "start not obeyed": CONTRACT}
    params = []
    for order, (start, named), (pages, deep) in product(
        ORDERS, starts.items(), {"all pages": 10**6, "four pages": 4}.items()
    ):
        marks = [] if (order, start, pages) in QUICK_WALKS else [pytest.mark.slow]
        params.append(pytest.param(order, named, deep, marks=marks, id=f"{order}-{start}-{pages}"))
    return params


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(("order", "named", "deep"), walks())
def test_trades_are_whole_or_an_error_says_that_they_are_not(
    tmp_path: Path, order: str, named: Named, deep: int
) -> None:
    rows, clock = trades(ORDERS[order]), ManualClock(NOW_MS)
    inside = sorted(row["tradeId"] for row in rows if SPAN.start_ms <= int(row["ts"]) < SPAN.end_ms)
    source = Session(
        ScriptedSender(Serving(rows, strict=named is PAIR, deep=deep)), Store(tmp_path, clock=clock), clock
    )
    shallow = deep == 4 and named is CONTRACT
    out_of_reach = {str(2**60 - place) for place in ORDERS["late ones"]} if shallow and order == "late ones" else set()
    for turn in range(2):
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                found = past_trades(source, named, SPAN, False)
        except BgresearchError:
            assert deep == 4, "everything is served"
            assert order == "mixed over many pages"
            return
        assert ["no response shows" in str(one.message) for one in said] == [True] * (shallow and not turn)
        assert set(inside) - set(found.column("trade_id").to_pylist()) <= out_of_reach
        assert found.num_rows == len(set(found.column("trade_id").to_pylist()) & set(inside))


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    ("order", "refused"),
    [
        pytest.param(*case, marks=[] if case in QUICK_INTERRUPTIONS else [pytest.mark.slow])
        for case in product(ORDERS, [2, 22, 24, 26])
    ],
)
def test_an_interrupted_walk_through_trades_loses_nothing(tmp_path: Path, order: str, refused: int) -> None:
    rows, clock = trades(ORDERS[order]), ManualClock(NOW_MS)
    inside = sorted(row["tradeId"] for row in rows if SPAN.start_ms <= int(row["ts"]) < SPAN.end_ms)
    source = Session(ScriptedSender(Serving(rows, strict=True, refused=refused)), Store(tmp_path, clock=clock), clock)
    with pytest.raises(BadResponse, match="on purpose"):
        past_trades(source, PAIR, SPAN, False)
    if order == "late ones" and refused in (22, 24):
        pytest.skip("nothing that came by then shows that older ids hold newer trades")
    assert sorted(past_trades(source, PAIR, SPAN, False).column("trade_id").to_pylist()) == inside


def test_one_odd_settlement_does_not_end_a_list(tmp_path: Path) -> None:
    times = [NOW_MS - DAY_MS - n * 8 * HOUR_MS for n in range(950)]
    times[40] = NOW_MS - 2_000 * DAY_MS

    def answer(row_id: str, params: Mapping[str, Any]) -> Any:
        if row_id != "futures.history_fund_rate":
            return []
        number, size = int(params["pageNo"]), int(params["pageSize"])
        return [{"fundingRate": "0.0001", "fundingTime": str(at)} for at in times[(number - 1) * size : number * size]]

    clock = ManualClock(NOW_MS)
    source = Session(ScriptedSender(answer), Store(tmp_path, clock=clock), clock)
    span = Span(NOW_MS - 300 * DAY_MS, NOW_MS)
    inside = [at for at in times if span.start_ms <= at]
    with pytest.warns(UndocumentedData, match="settlements of BTCUSDT seem to be missing"):
        assert past_funding(source, CONTRACT, span, False)[0].num_rows == len(inside)


# own records

FILL = {
    "userId": "1", "symbol": "BTCUSDT", "orderType": "limit", "side": "buy", "priceAvg": "1", "size": "1",
    "amount": "1", "tradeScope": "taker", "feeDetail": {"deduction": "no", "feeCoin": "USDT", "totalFee": "-0.1"},
}  # fmt: skip


def fills(odd: Mapping[int, int], count: int = 950) -> Rows:
    times = {place: NOW_MS - HOUR_MS - place * 1_000 for place in range(count)}
    times |= {place: NOW_MS - ago for place, ago in odd.items()}
    return [{**FILL, "tradeId": str(10**9 - n), "orderId": str(n), "cTime": str(at)} for n, at in times.items()]  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "odd", [{199: DAY_MS - HOUR_MS}, {150: DAY_MS - HOUR_MS}, {}], ids=["at the end", "inside", "none"]
)
def test_own_records_behind_a_full_page_are_asked_for_although_one_of_it_is_far_older(odd: Mapping[int, int]) -> None:
    rows = fills(odd)
    served: dict[str, int] = {}

    def answer(_row_id: str, params: Mapping[str, Any]) -> Any:
        end, below = params["endTime"], int(params.get("idLessThan", 2**63))
        served[end] = served.get(end, 0) + 1 if "idLessThan" in params else 1
        if served[end] > 2:
            return []
        found = [
            row for row in rows
            if int(params["startTime"]) <= int(row["cTime"]) <= int(end) and int(row["tradeId"]) < below
        ]  # fmt: skip
        return found[: int(params["limit"])]

    route = FILLS.routes("classic", "spot")[0]
    assert len(walked(FILLS, route, ScriptedSender(answer), SPAN)) == len(rows)


@pytest.mark.parametrize("refused", [2, 3, 4])
@pytest.mark.parametrize(
    "odd", [{99: 20 * HOUR_MS, 199: 21 * HOUR_MS}, {150: 20 * HOUR_MS}, {}], ids=["ends", "inside", "none"]
)
def test_pages_of_an_interrupted_window_are_kept_only_as_far_as_they_show(
    tmp_path: Path, odd: Mapping[int, int], refused: int
) -> None:
    rows, left = fills(odd), refused

    def answer(row_id: str, params: Mapping[str, Any]) -> Any:
        nonlocal left
        if row_id == "uta.account_settings":
            raise ExchangeError(row_id, "40084", "a classic account")
        if row_id == "spot.account_info":
            return {"userId": "7"}
        if row_id != "spot.trade_fills":
            return []
        left -= 1
        if left == 0:
            raise BadResponse(row_id, "on purpose")
        below = int(params.get("idLessThan", 2**63))
        inside = (row for row in rows if int(params["startTime"]) <= int(row["cTime"]) <= int(params["endTime"]))
        return [row for row in inside if int(row["tradeId"]) < below][: int(params["limit"])]

    clock = ManualClock(NOW_MS)
    reported = ScriptedSender(answer)
    history = RecordHistory(
        Session(reported, Store(tmp_path, clock=clock, host=reported.host), clock), AccountIdentity(reported), False
    )
    with pytest.raises(BadResponse, match="on purpose"):
        history.table(FILLS, "spot", SPAN)
    assert history.table(FILLS, "spot", SPAN).num_rows == len(rows)
