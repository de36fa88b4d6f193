"""Two accounts that lived the same life, one classic (v2), one unified (v3): their frames are equal.

What one version truly lacks is named here and nowhere else: the test fails if it begins to be reported.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from bgresearch.client.client import Client

Connect = Callable[..., Client]
START = "2026-09-21"
MARKETS = ["spot", "usdt-futures"]


@pytest.fixture
def both(connect: Connect) -> tuple[Client, Client]:
    return connect(key="readonly"), connect(key="unified_trader")  # closed positions of v3 want a key that may write


def equal(classic: pd.DataFrame, unified: pd.DataFrame, *, not_reported: dict[str, str]) -> None:
    """Compare all columns but those that one of the two is not reported, and see that it is not."""
    assert list(classic.columns) == list(unified.columns)
    assert classic.dtypes.astype(str).to_list() == unified.dtypes.astype(str).to_list()
    for column, version in not_reported.items():
        lacking, having = (classic, unified) if version == "v2" else (unified, classic)
        assert lacking[column].isna().all(), column
        assert having[column].notna().any(), column
    pd.testing.assert_frame_equal(
        classic.drop(columns=list(not_reported)), unified.drop(columns=list(not_reported)), check_categorical=False
    )


@pytest.mark.parametrize("market", MARKETS)
def test_fills(both: tuple[Client, Client], market: str) -> None:
    classic, unified = (client.account.fills(START, market=market) for client in both)
    assert len(classic) > 500
    equal(classic, unified, not_reported={})


@pytest.mark.parametrize(
    ("market", "not_reported"),
    [("spot", {}), ("usdt-futures", {"profit": "v3", "cancel_reason": "v2"})],
)
def test_orders_that_are_over(both: tuple[Client, Client], market: str, not_reported: dict[str, str]) -> None:
    classic, unified = (client.account.orders(START, market=market) for client in both)
    assert len(classic) > 300
    assert set(classic.status) == {"filled", "cancelled"}
    equal(classic, unified, not_reported=not_reported)


def test_orders_that_stand(both: tuple[Client, Client]) -> None:
    classic, unified = (client.account.open_orders() for client in both)
    assert len(classic) > 0
    equal(classic, unified, not_reported={"profit": "v3"})


def test_positions_that_are_closed(both: tuple[Client, Client]) -> None:
    classic, unified = (client.account.closed_positions(START) for client in both)
    assert len(classic) > 100
    equal(classic, unified, not_reported={})


def test_positions_that_are_open(both: tuple[Client, Client]) -> None:
    classic, unified = (client.account.positions() for client in both)
    assert len(classic) > 0
    moving = ["mark_price", "unrealised_profit"]  # the second answer comes some milliseconds later
    equal(classic.drop(columns=moving), unified.drop(columns=moving), not_reported={})
    pd.testing.assert_series_equal(classic.mark_price, unified.mark_price, rtol=1e-3)


def test_bills(both: tuple[Client, Client]) -> None:
    classic, unified = (client.account.bills("2026-10-15") for client in both)
    # what moves between spot and futures of a classic account stays inside the one balance of a unified one
    transfers = classic[classic.kind.isin(["transfer_in", "transfer_out"])]
    inside = transfers[transfers.duplicated(["coin"], keep=False) & transfers.index.duplicated(keep=False)]
    classic = classic[~classic.bill_id.isin(inside.bill_id)]
    assert len(classic) > 1000
    assert set(unified.account) == {"unified"}
    assert set(classic.account) == {"spot", "usdt-futures"}
    own = ["account", "word", "balance"]  # about the wallet; in the exchange's own words
    having = classic[classic.symbol.notna()]
    assert (having.account == "usdt-futures").all()  # classic spot lines name no symbol
    pd.testing.assert_frame_equal(
        classic.drop(columns=[*own, "symbol"]), unified.drop(columns=[*own, "symbol"]), check_categorical=False
    )
    merged = having.merge(unified, on="bill_id", suffixes=("", "_v3"))
    assert (merged.symbol.astype(str) == merged.symbol_v3.astype(str)).all()


def test_bills_add_up_to_what_is_held(both: tuple[Client, Client]) -> None:
    for client, wallet in zip(both, ("spot", "unified"), strict=True):
        bills = client.account.bills("2026-11-01")
        own = bills[(bills.account == wallet) & (bills.coin == "BTC")]
        steps = (own.amount - own.fee).iloc[1:]
        assert steps.sum() == pytest.approx(own.balance.iloc[-1] - own.balance.iloc[0], abs=1e-9)


def test_transfers(both: tuple[Client, Client]) -> None:
    classic, unified = (client.account.transfers(START) for client in both)
    assert list(classic.columns) == list(unified.columns)
    joined = {"spot", "usdt-futures"}  # wallets that a unified account keeps as one balance
    crossing = classic[~(classic.source.isin(joined) & classic.target.isin(joined))]
    money = [both[1].account.deposits(START), both[1].account.withdrawals(START)]  # the v3 ledger calls these transfers
    outside = {(row.Index, row.amount) for frame in money for row in frame.itertuples()}
    having = unified[[(row.Index, row.amount) not in outside for row in unified.itertuples()]]
    assert len(crossing) >= 1
    for one in (crossing, having):
        one.index.name = "time"
    pd.testing.assert_frame_equal(crossing[["amount"]], having[["amount"]])
    assert list(having.source) == ["unified"] * len(having)
    assert list(crossing.source) == ["spot"] * len(crossing)
    assert list(crossing.target) == ["funding"] * len(crossing)
    assert unified.client_id.isna().all()


def test_deposits_and_withdrawals(both: tuple[Client, Client]) -> None:
    for verb in ("deposits", "withdrawals"):
        classic, unified = (getattr(client.account, verb)(START) for client in both)
        assert len(classic) >= 2
        equal(classic, unified, not_reported={})


def test_assets_come_to_the_same_by_coin(both: tuple[Client, Client]) -> None:
    classic, unified = (client.account.assets() for client in both)
    assert list(classic.columns) == list(unified.columns)
    totals = [frame.groupby("coin").total.sum() for frame in (classic, unified)]
    totals = [total[total != 0] for total in totals]
    pd.testing.assert_series_equal(totals[0], totals[1])


@pytest.mark.parametrize(
    "verb",
    ["plan_orders", "conversions", "loans", "repayments", "interest", "earn_records", "tax_records"],
)
def test_the_other_histories_have_one_shape(both: tuple[Client, Client], verb: str) -> None:
    classic, unified = (getattr(client.account, verb)("2026-11-10") for client in both)
    assert list(classic.columns) == list(unified.columns)
    assert classic.dtypes.astype(str).to_list() == unified.dtypes.astype(str).to_list()
    assert str(classic.index.dtype) == str(unified.index.dtype) == "datetime64[ms, UTC]"
    assert classic.index.is_monotonic_increasing
    assert unified.index.is_monotonic_increasing


@pytest.mark.parametrize("verb", ["balances", "earn", "sub_accounts", "open_plan_orders"])
def test_what_is_reported_of_now_has_one_shape(both: tuple[Client, Client], verb: str) -> None:
    classic, unified = (getattr(client.account, verb)() for client in both)
    assert list(classic.columns) == list(unified.columns)
    assert classic.dtypes.astype(str).to_list() == unified.dtypes.astype(str).to_list()
    assert len(classic) > 0


def test_own_fee_rates_have_one_shape(both: tuple[Client, Client]) -> None:
    classic, unified = (client.account.fee_rates("BTC/USDT:USDT") for client in both)
    assert list(classic.columns) == list(unified.columns) == ["market", "symbol", "maker", "taker"]
    for frame in (classic, unified):
        assert frame[["market", "symbol"]].to_numpy().tolist() == [["usdt-futures", "BTCUSDT"]]
