"""Lists whose pages end, repeat or are refused before the list does: all of it comes, or an error that says so."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.catalogue import Endpoint, load
from bgresearch.client.api_signatures import turning
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span
from bgresearch.core.symbols import Named
from bgresearch.errors import BadResponse, BgresearchError, ExchangeError, IncompleteData
from bgresearch.http.rows import all_rows
from bgresearch.market.history import past_funding, past_trades
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.responders import RESPONDERS
from bgresearch.sandbox.traders.heavy_trader import HeavyTrading, with_heavy_trading
from bgresearch.session.session import Session
from bgresearch.store import Store
from tests.completeness.bent import BENDS, SIZES, Bend, Bent
from tests.conftest import NOW_MS, call_of
from tests.contract.test_every_row import suitable
from tests.verbs.scripted_answers import ScriptedSender

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
CONTRACT = Named("BTCUSDT", "usdt-futures")
Ask = Callable[[Client], pd.DataFrame]
SINCE = NOW_MS - 80 * DAY_MS

PRIVATE: dict[str, tuple[str, str, Ask]] = {  # row of the table, key, verb
    "fills": ("spot.trade_fills", "readonly", lambda c: c.account.fills(SINCE)),
    "fills of contracts": (
        "futures.order_fills", "readonly", lambda c: c.account.fills(SINCE, market="usdt-futures"),
    ),
    "fills of unified": ("uta.trade_fills", "unified_trader", lambda c: c.account.fills(SINCE)),
    "orders": ("spot.trade_history_orders", "readonly", lambda c: c.account.orders(SINCE)),
    "orders of unified": ("uta.trade_history_orders", "unified_trader", lambda c: c.account.orders(SINCE)),
    "bills": ("spot.account_bills", "readonly", lambda c: c.account.bills(SINCE, book="spot")),
    "bills of unified": (
        "uta.account_financial_records", "unified_trader", lambda c: c.account.bills(SINCE, book="spot"),
    ),
    "transfers": ("spot.account_transfer_records", "readonly", lambda c: c.account.transfers(SINCE, coin="USDT")),
    "deposits": ("spot.wallet_deposit_records", "readonly", lambda c: c.account.deposits(SINCE)),
    "deposits of unified": ("uta.account_deposit_records", "unified_trader", lambda c: c.account.deposits(SINCE)),
}  # fmt: skip


@pytest.fixture(scope="module")
def bent() -> Bent:
    exchange = Bent(clock=ManualClock(NOW_MS), limits=False)
    trading = HeavyTrading(NOW_MS, fills=1_500, entries=2_500, transfers=2_500, movements=800)
    for name in ("classic", "unified"):
        exchange.accounts[name] = with_heavy_trading(exchange.accounts[name], trading)
    return exchange


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("bend", BENDS)
@pytest.mark.parametrize("verb", PRIVATE)
def test_private_records_are_whole_or_an_error_says_that_they_are_not(
    bent: Bent, tmp_path: Path, verb: str, bend: Bend
) -> None:
    row_id, key, ask = PRIVATE[verb]

    def client(folder: str) -> Client:
        return bgresearch.connect(
            sandbox=bent, key=key, clock=bent.clock, data_dir=tmp_path / folder, progress=False
        )  # fmt: skip

    whole = ask(client("whole"))
    bent.requests = 0
    with bent.bent(row_id, bend, pages=2):
        try:
            found = ask(client("bent"))
        except BgresearchError:
            found = None
    assert bent.requests < 3_000
    for frame in [found, ask(client("bent"))]:
        if frame is not None:
            pd.testing.assert_frame_equal(frame, whole)


def lists() -> list[Endpoint]:
    """Return the rows of the table with pages; of those with a life of their own in the sandbox, ten."""
    paged = [row for row in load() if row.paging.kind in ("page", "cursor", "id-cursor") and row.columns]
    return [row for row in paged if row.id not in RESPONDERS] + [row for row in paged if row.id in RESPONDERS][:10]


def reported_wrong(bent: Bent, folder: Path, rows: list[Endpoint], bend: Bend) -> dict[str, Any]:
    """Return of each row of the table what a walk gave that was neither whole nor an error."""
    clients = {
        key: bgresearch.connect(sandbox=bent, key=key, clock=bent.clock, data_dir=folder / key, progress=False)
        for key in ("readonly", "unified", "unified_trader")
    }
    found: dict[str, Any] = {}
    for row in rows:
        key = "readonly" if row.version == "v2" else "unified"
        call = call_of(clients["unified_trader" if ":read_write" in row.permission else key], row)
        params = suitable(row, without=turning(row))
        size = next((name for name in SIZES if row.param(name)), None)
        params |= {"startTime": NOW_MS - 5 * DAY_MS, "endTime": NOW_MS} if row.param("endTime") else {}
        params |= {} if size is None else {size: 50 if row.id in RESPONDERS else 3}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bent.requests = 0
            try:
                whole = call.all(resume=False, **params)
            except IncompleteData:
                continue
            needed, bent.requests = bent.requests, 0
            try:
                with bent.bent(row.id, bend, pages=2):
                    got = call.all(resume=False, **params)
            except BgresearchError:
                got = whole
        timeless = row.paging.kind != "page" and (not row.time or row.param("endTime") is None)
        if bend == "nothing" and timeless:
            continue  # three empty pages are all that there is to tell the end of such a list
        if (
            len(got) != len(whole) or bent.requests > 500 + 3 * needed
        ):  # an empty page is confirmed, and one in three is
            found[row.id] = (len(whole), len(got), bent.requests)
    return found


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("bend", BENDS)
def test_raw_lists_are_whole_or_an_error_says_that_they_are_not(bent: Bent, tmp_path: Path, bend: Bend) -> None:
    assert reported_wrong(bent, tmp_path, lists()[::6], bend) == {}


@pytest.mark.slow
@pytest.mark.parametrize("bend", BENDS)
def test_every_raw_list_is_whole_or_an_error_says_that_it_is_not(bent: Bent, tmp_path: Path, bend: Bend) -> None:
    assert len(lists()) > 100
    assert reported_wrong(bent, tmp_path, lists(), bend) == {}


# funding: numbered pages without times

SETTLED = [{"fundingRate": "0.0001", "fundingTime": str(NOW_MS - DAY_MS - n * 8 * HOUR_MS)} for n in range(16_056)]


def funding_until(page: int, after: Callable[[], Any]) -> Callable[[str, Mapping[str, Any]], Any]:
    def answer(row_id: str, params: Mapping[str, Any]) -> Any:
        if row_id == "futures.history_candles":
            return [[str(int(params["endTime"]) - DAY_MS), "1", "1", "1", "1", "1", "1"]]
        number, size = int(params["pageNo"]), int(params["pageSize"])
        return SETTLED[(number - 1) * size : number * size] if number <= page else after()

    return answer


def refused() -> Any:
    raise ExchangeError("futures.history_fund_rate", "40017", "pageNo")


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize(
    ("after", "kind"),
    [(list, IncompleteData), (refused, ExchangeError), (lambda: SETTLED[:100], BadResponse),
     (lambda: SETTLED[9_900:10_000], BadResponse)],
    ids=["nothing", "refused", "first page again", "last page again"],
)  # fmt: skip
def test_funding_behind_the_last_page_is_unknown_and_what_came_is_kept(
    tmp_path: Path, after: Callable[[], Any], kind: type[BgresearchError]
) -> None:
    clock = ManualClock(NOW_MS)
    reported = ScriptedSender(funding_until(100, after))
    source = Session(reported, Store(tmp_path, clock=clock), clock)
    whole = Span(NOW_MS - 6_000 * DAY_MS, NOW_MS)
    with pytest.raises(kind) as caught:
        past_funding(source, CONTRACT, whole, False)
    oldest = int(SETTLED[9_999]["fundingTime"])
    if isinstance(caught.value, IncompleteData):
        assert caught.value.missing == (Span(whole.start_ms, oldest),)
    sent = reported.sent
    assert sent < 110
    kept, _ = past_funding(source, CONTRACT, Span(oldest + 1, NOW_MS - DAY_MS), False)
    assert (kept.num_rows, reported.sent) == (9_998, sent)
    with pytest.raises(kind):  # asked for again, and not taken for nothing
        past_funding(source, CONTRACT, Span(oldest - 90 * DAY_MS, oldest), False)
    assert reported.sent > sent


def test_a_funding_history_that_ends_with_a_full_page_ends_where_the_candles_do(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)

    def answer(row_id: str, params: Mapping[str, Any]) -> Any:
        if row_id == "futures.history_candles":
            return []
        return SETTLED[:200][(int(params["pageNo"]) - 1) * 100 : int(params["pageNo"]) * 100]

    reported = ScriptedSender(answer)
    source = Session(reported, Store(tmp_path, clock=clock), clock)
    span = Span(NOW_MS - 3_000 * DAY_MS, NOW_MS - DAY_MS)
    assert past_funding(source, CONTRACT, span, False)[0].num_rows == 199
    sent = reported.sent
    assert past_funding(source, CONTRACT, span, False)[0].num_rows == 199
    assert reported.sent == sent


def test_trades_behind_the_last_page_of_ids_are_asked_for_by_time(tmp_path: Path) -> None:
    clock = ManualClock(NOW_MS)
    rows = [
        {"tradeId": str(10**6 - n), "ts": str(NOW_MS - HOUR_MS - n * 1_000), "side": "buy", "price": "1", "size": "1"}
        for n in range(8_000)
    ]
    served: dict[str, int] = {}

    def answer(_row_id: str, params: Mapping[str, Any]) -> Any:
        end, below = int(params["endTime"]), int(params.get("idLessThan", 2**63))
        served[str(end)] = served.get(str(end), 0) + 1
        chosen = [row for row in rows if int(row["ts"]) <= end and int(row["tradeId"]) < below]
        return chosen[: int(params["limit"])] if "idLessThan" not in params or served[str(end)] <= 3 else []

    source = Session(ScriptedSender(answer), Store(tmp_path, clock=clock), clock)
    with pytest.warns(UserWarning, match="no response shows whether there is one"):
        assert past_trades(source, CONTRACT, Span(NOW_MS - DAY_MS, NOW_MS), False).num_rows == len(rows)


@pytest.mark.parametrize("row_id", ["notice.annoucements", "uta.user_sub_list", "subaccount.virtual_subaccount_list"])
def test_a_list_without_times_that_repeats_a_full_page_is_an_error(row_id: str) -> None:
    size = load()[row_id].paging.max_rows or 100
    name = {"notice.annoucements": "annId"}.get(row_id, "subUid")
    page = [{name: str(10**6 - n)} for n in range(size)]
    rows_at = load()[row_id].rows_at
    reported = ScriptedSender(
        lambda _id, _params: {rows_at: page, "endId": "5", "cursor": "5", "hasNext": True} if rows_at else page
    )
    with pytest.raises(BadResponse, match="came twice; the list has no end"):
        all_rows(reported, row_id)
    assert reported.sent < 5


def test_the_sandbox_itself_ends_its_lists(exchange: Exchange, client: Client) -> None:
    assert len(client.api.futures.history_fund_rate.all(symbol="BTCUSDT", productType="USDT-FUTURES")) > 300
