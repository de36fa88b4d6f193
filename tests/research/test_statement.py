"""The sandbox's accounts through the client's own verbs: reconciled, earned, drawn and reported for tax."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.client.statement import Statement
from bgresearch.core.clock import ManualClock
from bgresearch.research.pnl.postings import records
from bgresearch.research.pnl.tax_ledger import changes_of, tax_table
from bgresearch.sandbox import Exchange

NOW = pd.Timestamp("2026-05-28 10:37:41.234", tz="UTC")
START = NOW.floor("D") - pd.Timedelta(days=21)


@pytest.fixture(scope="module")
def exchange() -> Exchange:
    return Exchange(clock=ManualClock(int(NOW.timestamp() * 1000)), limits=False)


@pytest.fixture(scope="module", params=["readonly", "unified"])
def client(
    request: pytest.FixtureRequest, exchange: Exchange, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    clock = ManualClock(int(NOW.timestamp() * 1000))
    folder = tmp_path_factory.mktemp("data")
    with bgresearch.connect(sandbox=exchange, key=request.param, data_dir=folder, clock=clock, progress=False) as made:
        yield made


@pytest.fixture(scope="module")
def reported(client: Client) -> Statement:
    return client.statement(START)


@pytest.mark.quick_cases(1)
def test_every_line_of_the_ledger_is_explained_and_the_difference_is_zero(reported: Statement) -> None:
    found = reported.reconciled
    assert found.ok, str(found)
    assert len(found.rows) > 1000
    assert set(found.rows["cause"]) >= {"trading", "funding"}
    assert len(reported.transfers) + len(reported.deposits) + len(reported.withdrawals) > 2


def test_the_ledger_ends_with_what_the_account_holds(client: Client, reported: Statement) -> None:
    assets = client.account.assets()
    held = {
        (row["account"], row["coin"]): Decimal(repr(row["available"]))
        + Decimal(repr(row["frozen"]))
        + Decimal(repr(row["locked"]))
        for row in records(assets)
    }
    for row in reported.reconciled.coins.itertuples():
        if row.coin != "USDT" or row.account == "spot":  # margin coins are reported with their positions
            assert held[row.account, row.coin] == row.closing


@pytest.mark.parametrize("method", ["average", "fifo"])
def test_profit_adds_up_and_average_cost_is_what_the_exchange_books(reported: Statement, method: str) -> None:
    pnl = reported.pnl(method=method)  # type: ignore[arg-type]
    assert pnl.unexplained == 0
    assert not any(pnl.exact["rounding"])
    assert len(pnl.closes) > 300


def test_the_profit_of_each_closed_position_is_the_exchange_s(client: Client, reported: Statement) -> None:
    if reported.bills["account"].iloc[0] == "unified":
        pytest.skip("a read-only key is not told the closed positions of a unified account")
    positions = client.account.closed_positions(START, market="usdt-futures")
    closes = reported.pnl().closes
    own = closes[(closes["market"] == "usdt-futures") & closes["covered"]]
    sums = own.groupby(["name", "position", "opened"])["profit"].sum()
    exchange = {
        (row["symbol"], row["side"], pd.Timestamp(row["time"], unit="ms", tz="UTC")): Decimal(repr(row["profit"]))
        for row in records(positions)
    }
    assert len(exchange) > 60
    assert {key: sums[key] for key in exchange} == exchange


def test_the_open_positions_are_the_exchange_s(client: Client, reported: Statement) -> None:
    positions = {
        (row["symbol"], row["side"]): (Decimal(repr(row["amount"])), row["open_price"])
        for row in records(client.account.positions())
    }
    lots = reported.pnl().open
    own = lots[lots["market"] == "usdt-futures"]
    assert {(row.name_, row.position): row.amount for row in own.rename(columns={"name": "name_"}).itertuples()} == {
        key: amount for key, (amount, _) in positions.items()
    }
    for row in own.rename(columns={"name": "name_"}).itertuples():
        assert float(row.cost / row.amount) == pytest.approx(positions[row.name_, row.position][1], rel=1e-9)


def test_the_curve_of_equity_begins_and_ends_with_the_profit(reported: Statement) -> None:
    curve, pnl = reported.equity("4h"), reported.pnl(interval="4h")
    assert (curve["equity"].iloc[0], curve["equity"].iloc[-1]) == (pnl.opening, pnl.closing)
    assert curve["net"].iloc[-1] - curve["net"].iloc[0] == pnl.total
    assert curve.index.is_monotonic_increasing


def test_an_account_of_one_coin_has_a_curve_as_well_and_so_has_one_without_anything(reported: Statement) -> None:
    futures = reported.fills[reported.fills["market"] == "usdt-futures"]
    one_coin = replace(reported, fills=futures, bills=reported.bills[reported.bills["coin"] == "USDT"])
    nothing = replace(reported, fills=reported.fills.iloc[:0], bills=reported.bills.iloc[:0])
    for statement, worth in ((one_coin, True), (nothing, False)):
        curve = statement.equity("1d")
        assert (len(curve), any(curve["equity"])) == (23, worth)


def test_the_ledger_for_tax_tools_sums_up_to_the_change_of_all_balances(reported: Statement) -> None:
    coins = reported.reconciled.coins
    changed = (coins["closing"] - coins["opening"]).groupby(coins["coin"]).sum()
    assert changes_of(tax_table(reported.ledger, internal=True)) == {
        coin: change for coin, change in changed.items() if change
    }


@pytest.mark.quick_cases(1)
def test_what_is_kept_is_not_asked_for_again(client: Client, reported: Statement) -> None:
    before = client.requests_sent
    again = client.statement(START, NOW - pd.Timedelta(hours=1))
    assert again.reconciled.ok
    assert client.requests_sent - before < 12  # lists of symbols, and who asks


@pytest.mark.slow
def test_a_statement_of_what_is_kept_needs_no_exchange(exchange: Exchange, tmp_path: Path) -> None:
    clock = ManualClock(int(NOW.timestamp() * 1000))
    span = (NOW - pd.Timedelta(days=2), NOW - pd.Timedelta(hours=1))
    with bgresearch.connect(sandbox=exchange, data_dir=tmp_path, clock=clock, progress=False) as client:
        asked = client.statement(*span)
        profit = asked.pnl().total
    with bgresearch.connect(sandbox=exchange, data_dir=tmp_path, clock=clock, progress=False, offline=True) as client:
        kept = client.statement(*span)
        assert kept.reconciled.ok
        assert (kept.pnl().total, client.requests_sent) == (profit, 0)
    assert repr(kept) == repr(asked)
    assert "0 deposits" in repr(kept)
