"""Lists cut short without a sign: what is missing is asked for again and named, and nothing is taken as whole."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.catalogue import load
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import HOUR_MS
from bgresearch.errors import IncompleteData, UndocumentedData
from bgresearch.market.settlements import holes, next_due
from bgresearch.sandbox import Exchange, Request, Response
from tests.conftest import NOW

Cut = Callable[[list[Any]], list[Any]]
NOW_, DAY = pd.Timestamp(NOW), pd.Timedelta(days=1)
FUNDING = "futures.history_fund_rate"


class Cutting(Exchange):
    """The sandbox; the first answers of one endpoint are cut."""

    def __init__(self, model: Exchange, clock: ManualClock) -> None:
        super().__init__(clock=clock, limits=False)
        self.world, self.accounts = model.world, dict(model.accounts)
        self.row_id, self.times, self.asked = "", 0, 0
        self.cut: Cut = list

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        endpoint = load().at_path(request.target.partition("?")[0])
        if endpoint is None or endpoint.id != self.row_id:
            return response
        self.asked += 1
        if self.asked > self.times:
            return response
        whole = json.loads(response.body)
        return response._replace(body=json.dumps(whole | {"data": self.cut(whole["data"])}).encode())


@pytest.fixture
def cutting(model: Exchange, clock: ManualClock) -> Cutting:
    return Cutting(model, clock)


def client_of(exchange: Exchange, folder: Path) -> Client:
    return bgresearch.connect(sandbox=exchange, clock=exchange.clock, data_dir=folder, progress=False)


def heard(ask: Callable[[], pd.DataFrame]) -> tuple[pd.DataFrame, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = ask()
    return frame, [str(one.message) for one in caught if one.category is UndocumentedData]


CUTS: dict[str, Cut] = {
    "one in the middle": lambda rows: rows[:40] + rows[41:],
    "some at the end": lambda rows: rows[:-5],
    "some at the beginning": lambda rows: rows[3:],
    "all but one": lambda rows: rows[:1],
    "every second": lambda rows: rows[::2],
}


def rates(client: Client) -> pd.DataFrame:
    return client.funding_rates("BTCUSDT", NOW_ - 80 * DAY, NOW_)


@pytest.mark.parametrize("cut", CUTS)
def test_settlements_missing_in_one_answer_are_fetched_again(cutting: Cutting, tmp_path: Path, cut: str) -> None:
    whole = rates(client_of(cutting, tmp_path / "whole"))
    cutting.row_id, cutting.times, cutting.cut = FUNDING, 1, CUTS[cut]
    frame, said = heard(lambda: rates(client_of(cutting, tmp_path / "cut")))
    pd.testing.assert_frame_equal(frame, whole)
    assert said == []


@pytest.mark.parametrize("cut", CUTS)
def test_settlements_that_stay_missing_are_named_at_every_call(cutting: Cutting, tmp_path: Path, cut: str) -> None:
    whole = rates(client_of(cutting, tmp_path / "whole"))
    cutting.row_id, cutting.times, cutting.cut = FUNDING, 1000, CUTS[cut]
    client = client_of(cutting, tmp_path / "cut")
    for _ in range(2):
        frame, said = heard(lambda: rates(client))
        assert len(frame) < len(whole)
        assert len(said) == 1
        assert "settlements of BTCUSDT seem to be missing" in said[0]
    if cut == "some at the beginning":  # the newest are asked for again: they may only be late
        cutting.times = 0
        newest, _ = heard(lambda: rates(client))
        assert len(newest.loc[NOW_ - 2 * DAY :]) == len(whole.loc[NOW_ - 2 * DAY :])


def test_a_last_page_cut_at_its_end_is_an_error(cutting: Cutting, tmp_path: Path) -> None:
    cutting.row_id, cutting.times = FUNDING, 1000
    cutting.cut = lambda rows: rows[:-30] if len(rows) < 100 else rows
    with pytest.raises(IncompleteData, match="from before 2020-"):
        client_of(cutting, tmp_path).funding_rates("BTCUSDT", NOW_ - 3000 * DAY, NOW_)


def begins(first: pd.Timestamp) -> Cut:
    """Return the list of a contract that was paid funding from an instant on, whatever the size of its pages."""
    return lambda rows: [row for row in rows if int(row["fundingTime"]) >= first.value // 10**6]


def test_a_contract_that_traded_before_its_first_settlement_has_none_before_it(
    cutting: Cutting, tmp_path: Path
) -> None:
    first = NOW_.floor("8h") - 130 * DAY
    cutting.row_id, cutting.times, cutting.cut = FUNDING, 1000, begins(first)
    client = client_of(cutting, tmp_path)
    start = NOW_.floor("D") - 200 * DAY
    none = {"start": start, "end": first, "cause": "exchange has none"}
    for _ in range(2):
        frame = client.funding_rates("BTCUSDT", start, NOW_)
        assert (frame.index[0], len(frame)) == (first, 391)
        [gap] = frame.attrs["bgresearch"]["gaps"]
        assert {"start": pd.Timestamp(gap["start"]), "end": pd.Timestamp(gap["end"]), "cause": gap["cause"]} == none
    sent = client.requests_sent
    assert len(client.funding_rates("BTCUSDT", start, first)) == 0
    assert client.requests_sent == sent


def test_a_list_that_ends_with_a_full_page_may_go_on(cutting: Cutting, tmp_path: Path) -> None:
    cutting.row_id, cutting.times, cutting.cut = FUNDING, 1000, begins(NOW_.floor("8h") - 99 * (DAY / 3))
    with pytest.raises(IncompleteData, match="from before"):
        client_of(cutting, tmp_path).funding_rates("BTCUSDT", NOW_ - 200 * DAY, NOW_)


def at(pauses: list[int]) -> list[int]:
    hours = [0]
    for pause in pauses:
        hours.append(hours[-1] + pause)
    return [hour * HOUR_MS for hour in hours]


@pytest.mark.parametrize(
    ("pauses", "after"),
    [
        ([8, 8, 16, 8], [16]), ([8, 16, 16, 8], [8, 24]), ([16, 8, 8], [0]), ([8, 8, 16], [16]), ([24, 24], [0, 24]),
        ([4, 4, 8, 4, 4], [8]), ([4, 4, 4, 8, 8, 4, 4], [12, 20]), ([1, 1, 2, 1], [2]), ([8, 4, 4, 4], []),
        ([4, 4, 8, 8], []), ([8, 8, 4, 4, 4, 1, 1, 1, 8, 8, 8], []), ([8], []), ([], []), ([4, 4, 4, 8], []),
    ],
)  # fmt: skip
def test_a_pause_longer_than_those_around_it_is_a_hole_and_a_changed_interval_is_none(
    pauses: list[int], after: list[int]
) -> None:
    assert [(one.start_ms - 1) // HOUR_MS for one in holes(at(pauses))] == after


def test_what_is_due_follows_the_last_settlements() -> None:
    assert next_due(at([8, 8, 4, 4, 4])) == 32 * HOUR_MS
    assert next_due(at([8, 48])) == 64 * HOUR_MS
    assert next_due([0]) is None


PAST: dict[str, Callable[[Client], pd.DataFrame]] = {
    "spot": lambda one: one.trades("BTCUSDT", NOW_ - 50 * DAY, NOW_ - 49.98 * DAY, source="rest"),
    "contract": lambda one: one.trades(
        "BTCUSDT", NOW_ - 50 * DAY, NOW_ - 49.98 * DAY, market="usdt-futures", source="rest"
    ),
    "four minutes": lambda one: one.trades(
        "ETHUSDT", NOW_ - 50 * DAY, NOW_ - 50 * DAY + pd.Timedelta(minutes=4), source="rest"
    ),
    "over the end": lambda one: one.trades("BTCUSDT", NOW_ - 30.1 * DAY, NOW_ - 29.98 * DAY, source="rest"),
}


@pytest.mark.parametrize("name", PAST)
def test_trades_that_are_not_served_although_candles_show_some_are_an_error(
    cutting: Cutting, tmp_path: Path, name: str
) -> None:
    cutting.habits.change("trades.lookback_days")
    client = client_of(cutting, tmp_path)
    for _ in range(2):
        with pytest.raises(IncompleteData, match=r"serves no trades of .* although its candles show some") as caught:
            PAST[name](client)
        assert caught.value.missing
    cutting.habits.restore()
    assert len(PAST[name](client)) == len(PAST[name](client_of(cutting, tmp_path / "usual"))) > 0


def test_a_list_of_symbols_that_is_cut_is_asked_for_again_and_reported(cutting: Cutting, tmp_path: Path) -> None:
    whole = client_of(cutting, tmp_path / "whole").symbols("spot")
    for times in (1, 1000):
        cutting.row_id, cutting.asked, cutting.times = "spot.symbols", 0, times
        cutting.cut = lambda rows: rows[: len(rows) * 2 // 3]
        client = client_of(cutting, tmp_path / f"cut {times}")
        frame, said = heard(lambda: client.symbols("spot"))  # noqa: B023 - called at once
        assert (len(frame) == len(whole), said == []) == (times == 1, times == 1)
        assert all("spot symbols is not complete" in one for one in said)


def test_a_list_that_became_shorter_is_compared_too(cutting: Cutting, tmp_path: Path) -> None:
    client = client_of(cutting, tmp_path)
    client.symbols("usdt-futures")
    assert heard(lambda: client.symbols("usdt-futures"))[1] == []
    cutting.clock.advance(60)
    cutting.row_id, cutting.times, cutting.cut = "futures.contracts", 1000, lambda rows: rows[: len(rows) * 2 // 3]
    assert "usdt-futures symbols is not complete" in heard(lambda: client.symbols("usdt-futures"))[1][0]
