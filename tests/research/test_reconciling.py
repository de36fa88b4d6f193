"""Twenty invented accounts fit their ledgers to the last digit, and whatever is changed in one is named."""

from __future__ import annotations

import functools
import random
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.reconcile import Reconciliation, reconcile
from bgresearch.research.pnl.tax_ledger import account_ledger, changes_of
from tests.research.synthetic import Synthetic

SEEDS = range(1, 21)
Frames = dict[str, pd.DataFrame]


@functools.cache
def account(seed: int) -> Synthetic:
    return Synthetic(seed)


@functools.cache
def reported(seed: int) -> Frames:
    one = account(seed)
    return one.frames() | {"funding": pd.DataFrame(one.funding)}


def test_the_accounts_are_as_various_as_real_ones() -> None:
    every = [account(seed) for seed in SEEDS]
    fills = pd.concat([reported(seed)["fills"] for seed in SEEDS])
    bills = pd.concat([reported(seed)["bills"] for seed in SEEDS])
    assert {"spot", "usdt-futures", "usdc-futures", "coin-futures"} == set(fills["market"])
    assert {"USDT", "USDC", "BTC", "ETH", "PEPE", "BGB"} == set(fills["fee_coin"])
    assert fills["other_fees"].notna().sum() > 10
    assert {"long", "short"} == set(fills["position"].dropna())
    assert {"trade", "fee", "funding", "liquidation", "reward", "transfer_in", "transfer_out"} < set(bills["kind"])
    assert {one.unified for one in every} == {one.hedged for one in every} == {True, False}
    assert min(len(one.fills) for one in every) > 60
    assert sum(len(one.deposits) + len(one.withdrawals) for one in every) > 10
    flips = sum(1 for one in every if not one.hedged for bill in one.bills if bill["kind"].startswith("close"))
    assert flips > 50


@pytest.mark.parametrize("seed", SEEDS)
def test_an_untouched_account_has_difference_zero(seed: int) -> None:
    found = reconcile(**reported(seed))
    assert (str(found).endswith("all explained, difference 0."), found.ok, found.unexplained) == (True, True, {})
    assert not found.rows["gap"].any()
    assert (found.rows["record_id"] != "").sum() > 100
    assert not found.coins["digits"].any()
    assert len(found.rows) == len(account(seed).bills)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_balance_and_every_cause_is_what_the_books_say(seed: int) -> None:
    one, found = account(seed), reconcile(**reported(seed))
    for row in found.coins.itertuples():
        book = (row.account, row.coin)
        assert (row.opening, row.closing) == (one.first[book], one.books[book])
        causes = {cause: getattr(row, cause) for cause in one.sums[book]}
        assert causes == dict(one.sums[book])
    assert {(row.account, row.coin) for row in found.coins.itertuples()} == set(one.sums)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_line_is_traced_to_the_very_record_it_came_from(seed: int) -> None:
    found, one = reconcile(**reported(seed)), account(seed)
    nets = {bill["bill_id"]: bill for bill in one.bills}
    twins: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
    for bill in one.bills:  # equal parts of one order in one millisecond cannot be distinguished by anybody
        twins[bill["time"], bill["coin"], bill["amount"], bill["fee"]].add(bill["record_id"])
    for row in found.rows.itertuples():
        bill = nets[row.bill_id]
        if bill["record_id"] and not (one.unified and bill["kind"].startswith("transfer")):
            assert row.record_id in twins[bill["time"], bill["coin"], bill["amount"], bill["fee"]]


@pytest.mark.parametrize("seed", SEEDS)
def test_without_movements_and_fundings_the_ledgers_own_lines_count(seed: int) -> None:
    frames = reported(seed)
    found = reconcile(frames["fills"], frames["bills"])
    assert found.ok


# what is dropped, doubled or changed


def place_of(frame: pd.DataFrame, draw: random.Random, fits: Callable[[Any], bool]) -> int:
    places = [place for place, row in enumerate(frame.reset_index().to_dict("records")) if fits(row)]
    return draw.choice(places)


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - draws what is tested


def sent(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def with_digit_changed(value: float, draw: random.Random) -> float:
    """Return it with one of its digits, not the first, another one."""
    digits = list(f"{sent(value):f}")
    places = [at for at, digit in enumerate(digits) if digit.isdigit()][1:] or [0]
    at = draw.choice(places)
    digits[at] = draw.choice([digit for digit in "0123456789" if digit != digits[at]])
    return float("".join(digits))


def changed(frame: pd.DataFrame, place: int, column: str, value: float) -> pd.DataFrame:
    copy = frame.copy()
    copy.iloc[place, copy.columns.get_loc(column)] = value
    return copy


def without(frame: pd.DataFrame, place: int) -> pd.DataFrame:
    return frame.iloc[[at for at in range(len(frame)) if at != place]]


def twice(frame: pd.DataFrame, place: int) -> pd.DataFrame:
    return frame.iloc[sorted([*range(len(frame)), place])]


def traded(row: Any) -> bool:
    return row["market"] == "spot" or bool(row["profit"])


def ids_of(found: Reconciliation) -> set[str]:
    return {*found.problems["record_id"].dropna(), *found.problems["bill_id"].dropna()}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dropped_fill_leaves_its_lines_unexplained(seed: int) -> None:
    frames, draw = reported(seed), chance(seed)
    place = place_of(frames["fills"], draw, traded)
    fill = frames["fills"].iloc[place]
    found = reconcile(**frames | {"fills": without(frames["fills"], place)})
    lines = [bill for bill in account(seed).bills if bill["record_id"] == fill["fill_id"]]
    assert not found.ok
    assert set(found.problems["what"]) == {"missing record"}
    assert sorted(found.problems["booked"]) == sorted(sent(b["amount"]) - sent(b["fee"]) for b in lines)
    assert set(found.problems["time"]) == {fill.name}
    assert sum(map(abs, found.unexplained.values())) > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_doubled_fill_is_named_and_counts_once(seed: int) -> None:
    frames, draw = reported(seed), chance(seed)
    place = place_of(frames["fills"], draw, lambda _row: True)
    found = reconcile(**frames | {"fills": twice(frames["fills"], place)})
    assert found.problems[["what", "record_id"]].to_numpy().tolist() == [
        ["doubled fill", frames["fills"].iloc[place]["fill_id"]]
    ]
    assert (found.ok, found.unexplained) == (False, {})


@pytest.mark.quick_cases(25)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("column", ["amount", "value", "fee", "profit"])
def test_a_digit_changed_in_a_fill_is_found_and_the_fill_named(seed: int, column: str) -> None:
    frames, draw = reported(seed), chance(seed)
    spot = {"amount": True, "value": True, "fee": None, "profit": False}[column]

    def fits(row: Any) -> bool:
        return bool(row[column]) and spot in (None, row["market"] == "spot")

    place = place_of(frames["fills"], draw, fits)
    fill = frames["fills"].iloc[place]
    other = with_digit_changed(fill[column], draw)
    found = reconcile(**frames | {"fills": changed(frames["fills"], place, column, other)})
    assert not found.ok
    # equal parts of one order in one millisecond stand for each other
    twins = {row["fill_id"] for row in account(seed).fills if row["time"] == account(seed).fills[place]["time"]}
    assert set(found.problems["record_id"]) & twins
    assert found.unexplained


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dropped_line_is_named_by_its_record(seed: int) -> None:
    frames, draw = reported(seed), chance(seed)
    records = [bill["record_id"] for bill in account(seed).bills]
    place = place_of(frames["bills"], draw, lambda row: row["kind"] == "trade")
    found = reconcile(**frames | {"bills": without(frames["bills"], place)})
    assert not found.ok
    assert set(found.problems["what"]) == {"missing line"}
    assert len(found.problems) == 1
    problem = found.problems.iloc[0]
    bill = frames["bills"].iloc[place]
    assert problem["told"] == sent(bill["amount"]) - sent(bill["fee"])
    same = [b["record_id"] for b in account(seed).bills if b["time"] == account(seed).bills[place]["time"]]
    assert problem["record_id"] in {records[place], *same}


@pytest.mark.quick_cases(21)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("renamed", [False, True])
def test_a_doubled_line_is_named_whatever_its_id(seed: int, renamed: bool) -> None:
    frames, draw = reported(seed), chance(seed)
    place = place_of(frames["bills"], draw, lambda _row: True)
    bills = twice(frames["bills"], place)
    if renamed:
        ids = bills["bill_id"].to_numpy().copy()
        ids[place + 1] = str(int(ids[place]) + 500_000)
        bills = bills.assign(bill_id=ids)
    found = reconcile(**frames | {"bills": bills})
    assert found.problems["what"].tolist() == ["doubled line"]
    assert found.problems["bill_id"].iloc[0] in set(bills["bill_id"].iloc[[place, place + 1]])
    assert (found.ok, found.unexplained) == (False, {})


@pytest.mark.quick_cases(13)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("column", ["amount", "fee", "balance"])
def test_a_digit_changed_in_a_line_is_found_and_the_line_named(seed: int, column: str) -> None:
    frames, draw = reported(seed), chance(seed)
    bills = frames["bills"]
    seen: set[tuple[str, str]] = set()
    inner = set()
    for place, row in enumerate(bills.to_dict("records")):  # neither the first nor the last of its balance
        inner |= {place} if (row["account"], row["coin"]) in seen else set()
        seen.add((row["account"], row["coin"]))
    rows = [row["bill_id"] for row in bills.to_dict("records")]
    last = {(row["account"], row["coin"]): at for at, row in enumerate(bills.to_dict("records"))}
    inner -= set(last.values())
    place = place_of(bills, draw, lambda row: rows.index(row["bill_id"]) in inner and bool(row[column]))
    bill = bills.iloc[place]
    found = reconcile(**frames | {"bills": changed(bills, place, column, with_digit_changed(bill[column], draw))})
    assert not found.ok
    near = bills[(bills.index == bill.name) & (bills["coin"] == bill["coin"])]["bill_id"]
    assert set(found.problems["bill_id"].dropna()) & {bill["bill_id"], *near}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["deposits", "withdrawals", "transfers", "funding"])
def test_a_dropped_movement_or_funding_leaves_its_line_unexplained(name: str) -> None:
    tried = 0
    for seed in SEEDS:
        frames, one = reported(seed), account(seed)
        rows = frames[name].reset_index().to_dict("records")
        if one.unified and name != "funding":  # its own ledger tells deposits and withdrawals a second time
            rows = [row for row in rows if name == "transfers" and not _is_movement(one, row)]
        if not rows:
            continue
        kept = frames[name].reset_index().to_dict("records")
        found = reconcile(**frames | {name: without(frames[name], kept.index(rows[0]))})
        assert (found.ok, set(found.problems["what"])) == (False, {"missing record"})
        assert found.unexplained
        tried += 1
    assert tried >= 4


def _is_movement(one: Synthetic, row: dict[str, Any]) -> bool:
    ids = {moved["deposit_id"] for moved in one.deposits} | {moved["withdrawal_id"] for moved in one.withdrawals}
    return any(bill["bill_id"] == row["transfer_id"] and bill["record_id"] in ids for bill in one.bills)


# other shapes of ledgers


def test_a_deposit_that_is_not_done_moves_nothing() -> None:
    frames = reported(1)
    waiting = frames["deposits"].iloc[:0].copy()
    row = {"deposit_id": "77", "coin": "USDT", "amount": 5.0, "status": "pending"}
    when = pd.DatetimeIndex([frames["bills"].index[5]], name="time")
    waiting = pd.concat([frames["deposits"], pd.DataFrame([row], index=when)])
    assert reconcile(**frames | {"deposits": waiting}).ok


def test_what_was_asked_for_outside_the_span_counts_only_where_its_line_lies_in_it() -> None:
    start = pd.Timestamp("2026-10-01", tz="UTC")
    span = Span(int(start.timestamp() * 1000), int(start.timestamp() * 1000) + 3_600_000)
    hours = {"early": (-2, -2), "booked in it": (-1, 0.2), "late": (0.5, 1.5)}
    rows = [
        {
            "deposit_id": name,
            "coin": "USDT",
            "amount": 5.0,
            "status": "success",
            "updated": start + pd.Timedelta(hours=last),
        }
        for name, (_, last) in hours.items()
    ]
    asked = pd.DatetimeIndex([start + pd.Timedelta(hours=first) for first, _ in hours.values()], name="time")
    deposits = pd.DataFrame(rows, index=asked)
    bills = lines(("1", "USDT", "transfer_in", 5.0, 0.0, 5.0))
    nothing = pd.DataFrame()
    others = {"transfers": nothing, "withdrawals": nothing}
    found = reconcile(one_fill().iloc[:0], bills, deposits=deposits, span=span, **others)
    assert (found.ok, found.coins["deposits"].tolist()) == (True, [5])
    assert not reconcile(one_fill().iloc[:0], bills, deposits=deposits, **others).ok
    ledger = account_ledger(one_fill().iloc[:0], bills, deposits=deposits, span=span, **others)
    assert changes_of(ledger) == {"USDT": 5}
    inside = deposits.iloc[[1]].set_axis(deposits.index[[1]] + pd.Timedelta(hours=1.1))
    assert not reconcile(one_fill().iloc[:0], lines(), deposits=inside, span=span, **others).ok


def test_amounts_net_of_their_fees_are_read_as_such() -> None:
    frames = reported(4)
    bills = frames["bills"].copy()
    bills["amount"] = [float(sent(a) - sent(f)) for a, f in zip(bills["amount"], bills["fee"], strict=True)]
    assert reconcile(**frames | {"bills": bills}, fees="within").ok
    assert not reconcile(**frames | {"bills": bills}).ok


def test_a_fee_booked_on_a_line_of_its_own_belongs_to_the_same_fill() -> None:
    bills = lines(
        ("1", "BTC", "trade", 1.0, 0.0, 1.0),
        ("2", "BTC", "fee", -0.001, 0.0, 0.999),
        ("3", "USDT", "trade", -9.0, 0.0, 91.0),
    )
    found = reconcile(one_fill(), bills)
    assert (found.ok, set(found.rows["record_id"])) == (True, {"f1"})


def test_parts_that_are_booked_a_moment_apart_belong_together() -> None:
    rows = [("1", "BTC", "trade", 1.0, 0.0, 1.0), ("2", "BTC", "fee", -0.001, 0.0, 0.999)]
    bills = lines(*rows, ("3", "USDT", "trade", -9.0, 0.0, 91.0))
    later = [pd.Timedelta(milliseconds=at) for at in (0, 700, 0)]
    bills.index = pd.DatetimeIndex(bills.index + pd.TimedeltaIndex(later), name="time")
    assert reconcile(one_fill(), bills).ok
    bills.index = pd.DatetimeIndex(bills.index + pd.TimedeltaIndex(later) * 10, name="time")
    assert not reconcile(one_fill(), bills).ok


def test_equal_amounts_far_apart_in_time_are_not_the_same_event() -> None:
    bills = lines(("1", "BTC", "trade", 1.0, 0.001, 0.999), ("3", "USDT", "trade", -9.0, 0.0, 91.0))
    for seconds, known in ((59, True), (61, False)):
        later = bills.copy()
        later.index = pd.DatetimeIndex(bills.index + pd.Timedelta(seconds=seconds), name="time")
        found = reconcile(one_fill(), later)
        assert found.ok is known
    assert sorted(found.problems["what"]) == ["missing line"] * 2 + ["missing record"] * 2


@pytest.mark.parametrize("seed", [1, 2, 3, 6])
def test_a_ledger_that_tells_whole_seconds_in_any_order_fits_as_well(seed: int) -> None:
    frames, draw = reported(seed), chance(seed)
    bills = frames["bills"].copy()
    bills.index = bills.index.floor("s")  # some rows of the exchange have times of ten digits
    places = list(range(len(bills)))
    draw.shuffle(places)
    bills = bills.iloc[places]
    found = reconcile(**frames | {"bills": bills})
    assert found.ok, str(found)


def test_an_account_without_anything_has_nothing_to_explain() -> None:
    found = reconcile(one_fill().iloc[:0], lines())
    assert (found.ok, len(found.coins), len(found.rows)) == (True, 0, 0)


def test_digits_that_float64_cannot_hold_are_no_problem_and_are_counted_apart() -> None:
    draw, balance, rows = chance(1), Decimal(0), []
    for at in range(40):  # amounts and balances above 2**26 with eight decimals
        amount = Decimal(draw.randrange(10**16, 2 * 10**16)) * Decimal("1e-8")
        balance += amount
        rows.append((str(at), "PEPE", "reward", float(amount), 0.0, float(balance)))
    found = reconcile(one_fill().iloc[:0], lines(*rows))
    assert found.rows["gap"].any()
    assert (found.ok, found.unexplained) == (True, {})
    assert any(found.coins["digits"])
    assert str(found).endswith("difference 0, but for digits that floats are too short for.")
    wrong = [*rows[:20], (*rows[20][:3], rows[20][3] + 1e-5, *rows[20][4:]), *rows[21:]]
    assert not reconcile(one_fill().iloc[:0], lines(*wrong)).ok


def test_decimals_as_they_were_sent_need_no_float_and_lose_nothing() -> None:
    bills = lines(("1", "PEPE", "reward", 0.0, 0.0, 0.0), ("2", "PEPE", "reward", 0.0, 0.0, 0.0)).astype(object)
    exact = {"amount": ["80000000.12345678901", "80000000.12345678902"], "fee": ["0", "0"]}
    bills = bills.assign(**exact, balance=[Decimal("80000000.12345678901"), Decimal("160000000.24691357803")])
    found = reconcile(one_fill().iloc[:0], bills)
    assert (found.ok, found.coins["closing"].iloc[0]) == (True, Decimal("160000000.24691357803"))
    bills["balance"] = [Decimal("80000000.12345678901"), Decimal("160000000.24691357804")]
    assert not reconcile(one_fill().iloc[:0], bills).ok


def test_lines_of_one_instant_may_come_in_any_order() -> None:
    rows = [(str(9 - at), "USDT", "reward", 1.0, 0.0, 1.0 + at) for at in range(8)]
    bills = lines(*rows)
    bills.index = pd.DatetimeIndex([bills.index[0]] * 8, name="time")
    assert reconcile(one_fill().iloc[:0], bills).ok


def test_an_amount_that_is_no_number_is_refused_by_name() -> None:
    bills = lines(("1", "USDT", "reward", np.inf, 0.0, 1.0))
    with pytest.raises(InvalidInput, match="amount: inf is not finite"):
        reconcile(one_fill().iloc[:0], bills)


def test_two_wrong_amounts_that_make_up_for_each_other_are_named() -> None:
    fills = pd.concat([one_fill(), one_fill().assign(fill_id="f2", amount=2.0, fee=0.0, value=18.0)])
    rows = [("1", "BTC", "trade", 1.0, 0.001, 0.999), ("2", "BTC", "trade", 2.0, 0.0, 2.999)]
    rows += [("3", "USDT", "trade", -9.0, 0.0, 91.0), ("4", "USDT", "trade", -18.0, 0.0, 73.0)]
    assert reconcile(fills, lines(*rows)).ok
    wrong = fills.assign(value=[10.0, 17.0])
    found = reconcile(wrong, lines(*rows))
    assert (found.ok, set(found.problems["what"])) == (False, {"changed record"})
    assert set(found.problems["record_id"]) == {"f1", "f2"}


def test_a_wrong_fee_is_named_although_amount_less_fee_is_right() -> None:
    bills = lines(("1", "BTC", "trade", 1.0, 0.001, 0.999), ("3", "USDT", "trade", -9.0, 0.0, 91.0))
    assert reconcile(one_fill(), bills).ok
    found = reconcile(one_fill().assign(amount=1.002, fee=0.003), bills)
    assert (found.ok, found.problems["what"].tolist()) == (False, ["changed record"])
    assert found.problems[["told", "booked"]].to_numpy().tolist() == [[Decimal("0.003"), Decimal("0.001")]]
    assert "the fee is 0.003 in the record and 0.001 in the line" in str(found)


@pytest.mark.parametrize("column", ["amount", "balance"])
def test_a_line_without_an_amount_or_a_balance_is_refused_and_not_taken_for_zero(column: str) -> None:
    bills = lines(("7", "USDT", "reward", 1.0, 0.0, 1.0))
    bills[column] = np.nan
    with pytest.raises(InvalidInput, match=f"{column}: line 7 of the ledger has none"):
        reconcile(one_fill().iloc[:0], bills)


@pytest.mark.parametrize("column", ["amount", "value"])
def test_a_fill_without_an_amount_or_a_value_is_refused(column: str) -> None:
    with pytest.raises(InvalidInput, match=f"{column}: fill f1 has none"):
        reconcile(one_fill().assign(**{column: np.nan}), lines())


def test_a_fee_in_an_unknown_coin_is_refused_and_not_left_out() -> None:
    bills = lines(("1", "BTC", "trade", 1.0, 0.0, 1.0), ("3", "USDT", "trade", -9.0, 0.0, 91.0))
    assert reconcile(one_fill().assign(fee=0.0, fee_coin=None), bills).ok
    with pytest.raises(InvalidInput, match=r"fee_coin: fill f1 has a fee of 0\.001 and no coin of it"):
        reconcile(one_fill().assign(fee_coin=None), bills)


def lines(*rows: tuple[str, str, str, float, float, float]) -> pd.DataFrame:
    names = ["bill_id", "coin", "kind", "amount", "fee", "balance"]
    frame = pd.DataFrame(list(rows), columns=names).assign(account="spot", market="spot", symbol=None, word="")
    frame.index = pd.DatetimeIndex([pd.Timestamp("2026-10-01", tz="UTC")] * len(rows), name="time")
    return frame


def one_fill() -> pd.DataFrame:
    row = {
        "fill_id": "f1", "market": "spot", "symbol": "BTCUSDT", "side": "buy", "price": 9.0, "amount": 1.0,
        "value": 9.0, "fee": 0.001, "fee_coin": "BTC", "other_fees": None, "profit": np.nan, "position": None,
    }  # fmt: skip
    return pd.DataFrame([row], index=pd.DatetimeIndex([pd.Timestamp("2026-10-01", tz="UTC")], name="time"))
