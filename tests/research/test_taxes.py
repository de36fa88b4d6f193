"""The ledger for tax tools adds up to what the balances changed by, as a frame, as text and read back from a file."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.exports import export
from bgresearch.research.pnl.tax_ledger import TAX_COLUMNS, account_ledger, changes_of, tax_table
from tests.research.synthetic import Synthetic

SEEDS = range(1, 21)
PLAIN = re.compile(r"(0|[1-9]\d*)(\.\d*[1-9])?")


def ledger(one: Synthetic) -> pd.DataFrame:
    frames = one.frames()
    moved = {name: frames[name] for name in ("transfers", "deposits", "withdrawals")}
    return account_ledger(frames["fills"], frames["bills"], **moved)


def changes(one: Synthetic) -> dict[str, Decimal]:
    """What the invented account's own books say that each coin changed by."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (account, coin), amount in one.books.items():
        if (account, coin) in one.first:
            sums[coin] += amount - one.first[account, coin]
    return {coin: amount for coin, amount in sorted(sums.items()) if amount}


def read_back(path: Path) -> Iterable[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@pytest.mark.quick_cases(10)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_written_ledger_read_back_sums_up_to_the_change_of_every_balance(seed: int, tmp_path: Path) -> None:
    one = Synthetic(seed)
    made = ledger(one)
    assert changes_of(made) == changes(one)
    path = export(tax_table(made, internal=True), tmp_path / "tax.csv")
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in read_back(path):
        assert list(row) == list(TAX_COLUMNS)
        for name, sign in (("Received", 1), ("Sent", -1), ("Fee", -1)):
            amount, coin = row[f"{name} Amount"], row[f"{name} Currency"]
            assert bool(amount) == bool(coin)
            if amount:
                assert PLAIN.fullmatch(amount), amount
                sums[coin] += sign * Decimal(amount)
    assert {coin: amount for coin, amount in sorted(sums.items()) if amount} == changes(one)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_record_is_one_event_and_nothing_is_reported_twice(seed: int) -> None:
    one = Synthetic(seed)
    made = ledger(one)
    kinds = made["kind"].value_counts()
    spot = [row for row in one.fills if row["market"] == "spot"]
    assert kinds["trade"] == len(spot)
    assert kinds["futures"] == sum(1 for row in one.fills if row["profit"])
    assert kinds["funding"] == len(one.funding)
    assert kinds.get("deposit", 0) == len(one.deposits)
    assert kinds.get("withdrawal", 0) == len(one.withdrawals)
    assert made["time"].is_monotonic_increasing


def test_no_float_noise_and_no_exponent_comes_into_the_text() -> None:
    time = pd.DatetimeIndex([pd.Timestamp("2026-10-01 12:34:56.789", tz="UTC")] * 2, name="time")
    rows = {
        "fill_id": ["1", "2"], "market": "spot", "symbol": "PEPEUSDT", "side": "buy", "amount": [0.1, 0.2],
        "value": [3e-7, 1e-8], "fee": 0.0, "fee_coin": "PEPE", "profit": float("nan"),
    }  # fmt: skip
    nothing = pd.DataFrame()
    made = account_ledger(
        pd.DataFrame(rows, index=time), nothing, transfers=nothing, deposits=nothing, withdrawals=nothing
    )
    assert changes_of(made) == {"PEPE": Decimal("0.3"), "USDT": Decimal("-3.1E-7")}
    table = tax_table(made)
    assert table["Sent Amount"].tolist() == ["0.0000003", "0.00000001"]
    assert table["Date"].tolist() == ["2026-10-01 12:34:56 UTC"] * 2
    assert set(table.dtypes.astype(str)) == {"str"}


def test_the_two_lines_of_a_conversion_are_one_row() -> None:
    time = pd.DatetimeIndex([pd.Timestamp("2026-10-01", tz="UTC")] * 3, name="time")
    reported = {
        "bill_id": ["1", "2", "3"], "account": "spot", "symbol": None, "coin": ["BGB", "USDT", "BTC"],
        "kind": ["convert", "convert", "reward"], "amount": [-2.5, 11.2, 0.001], "fee": 0.0,
        "balance": [0.0, 11.2, 0.001],
    }  # fmt: skip
    nothing = pd.DataFrame(columns=["market", "symbol"])
    moved = dict.fromkeys(("transfers", "deposits", "withdrawals"), nothing)
    made = account_ledger(nothing, pd.DataFrame(reported, index=time), **moved)
    assert made[["kind", "sent_coin", "received_coin"]].fillna("").to_numpy().tolist() == [
        ["convert", "BGB", "USDT"], ["reward", "", "BTC"],
    ]  # fmt: skip
    assert changes_of(made) == {"BGB": Decimal("-2.5"), "BTC": Decimal("0.001"), "USDT": Decimal("11.2")}


def test_transfers_between_own_wallets_stay_out_unless_asked_for() -> None:
    made = ledger(Synthetic(1))
    assert (made["kind"] == "transfer").any()
    assert len(tax_table(made, internal=True)) - len(tax_table(made)) == (made["kind"] == "transfer").sum()


def test_losses_and_gains_of_futures_are_realized_gains_and_costs_are_costs() -> None:
    made = ledger(Synthetic(3))
    futures = made[made["kind"] == "futures"]
    assert set(futures["label"]) == {"realized gain"}
    assert futures["sent"].notna().any()
    assert futures["received"].notna().any()
    assert set(made[made["kind"] == "fee"]["label"]) == {"cost"}
    assert set(made[made["kind"] == "reward"]["label"]) == {"reward"}


def test_a_chain_s_own_transaction_is_named() -> None:
    one = Synthetic(5)
    made = ledger(one)
    moved = [*one.deposits, *one.withdrawals]
    assert {row["transaction_id"] for row in moved} <= set(made["id"])


def test_a_rebate_is_a_reward_of_its_own_and_no_fee_is_negative() -> None:
    time = pd.DatetimeIndex([pd.Timestamp("2026-10-01", tz="UTC")], name="time")
    row = {
        "fill_id": ["1"], "market": "spot", "symbol": "BTCUSDT", "side": "sell", "amount": 1.0, "value": 100.0,
        "profit": 0.0, "fee": -0.25, "fee_coin": "USDT", "other_fees": "0.001 BGB, -0.002 ETH",
    }  # fmt: skip
    nothing = pd.DataFrame()
    fills = pd.DataFrame(row, index=time)
    made = account_ledger(fills, nothing, transfers=nothing, deposits=nothing, withdrawals=nothing)
    assert made[["kind", "label", "fee_coin", "received_coin"]].fillna("").to_numpy().tolist() == [
        ["trade", "", "BGB", "USDT"], ["fee", "reward", "", "USDT"], ["fee", "reward", "", "ETH"],
    ]  # fmt: skip
    assert not any("-" in text for text in tax_table(made)["Fee Amount"])
    change = {"BGB": "-0.001", "BTC": "-1", "ETH": "0.002", "USDT": "100.25"}
    assert changes_of(made) == {coin: Decimal(text) for coin, text in change.items()}


def test_a_record_that_is_there_twice_is_one_row() -> None:
    one = Synthetic(5)
    twice = {name: pd.concat([frame, frame]) for name, frame in one.frames().items()}
    moved = {name: twice[name] for name in ("transfers", "deposits", "withdrawals")}
    made = account_ledger(twice["fills"], twice["bills"], **moved)
    assert len(made) == len(ledger(one))
    assert changes_of(made) == changes(one)
