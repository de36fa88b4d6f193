"""Own profit and loss: adds up on twenty invented accounts, and is what small examples say by hand."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from typing import Any

import pandas as pd
import pytest

from bgresearch.account.kinds import BILLS, FILLS
from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.equity_curve import equity_curve
from bgresearch.research.pnl.lots import Method
from bgresearch.research.pnl.pnl import Pnl, own_pnl
from bgresearch.research.pnl.postings import pairs_of
from bgresearch.research.pnl.valuation import closes
from tests.research.synthetic import START_MS, Synthetic

SEEDS = range(1, 21)
D = Decimal
T0 = pd.Timestamp("2026-10-01", tz="UTC")


@functools.cache
def account(seed: int) -> Synthetic:
    return Synthetic(seed)


@functools.cache
def reported(seed: int, method: Method) -> Pnl:
    one, frames = account(seed), account(seed).frames()
    return own_pnl(
        frames["fills"], frames["bills"], START_MS, one.end, prices=one.prices(), marks=one.contract_marks(),
        method=method,
    )  # fmt: skip


@pytest.mark.quick_cases(13)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("method", ["average", "fifo"])
def test_profit_and_transfers_are_the_change_of_equity_to_the_last_digit(seed: int, method: Method) -> None:
    pnl, one = reported(seed, method), account(seed)
    assert pnl.unexplained == 0
    assert Fraction(pnl.opening) == one.equity(at_the_start=True)
    assert Fraction(pnl.closing) == one.equity(at_the_start=False)
    moved = sum(pnl.exact["transfers"], D(0))
    assert pnl.total + moved == pnl.closing - pnl.opening


@pytest.mark.parametrize("seed", SEEDS)
def test_the_profit_of_futures_at_average_cost_is_what_the_exchange_booked(seed: int) -> None:
    assert not any(reported(seed, "average").exact["rounding"])


@pytest.mark.quick_cases(8)
@pytest.mark.parametrize("seed", SEEDS)
def test_both_methods_agree_on_all_but_when_it_was_earned(seed: int) -> None:
    average, fifo = (reported(seed, method).exact.set_index(["market", "name"]) for method in ("average", "fifo"))
    for kind in ("fees", "funding", "transfers", "other", "total"):
        pd.testing.assert_series_equal(average[kind], fifo[kind].reindex(average.index))
    assert reported(seed, "average").total == reported(seed, "fifo").total


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_open_is_what_the_books_say(seed: int) -> None:
    one = account(seed)
    for method in ("average", "fifo"):
        lots = reported(seed, method).open  # type: ignore[arg-type]
        sums = lots.groupby(["market", "name", "position"])["amount"].sum().to_dict()
        held: dict[tuple[str, str, str], Decimal] = {}
        for (market, symbol, _), position in one.held.items():
            if position.size:
                held[market, symbol, "long" if position.size > 0 else "short"] = abs(position.size)
        for (account_, coin), amount in one.books.items():
            if coin != "USDT" and amount and (account_, coin) in {(b["account"], b["coin"]) for b in one.bills}:
                held["spot", coin, "long"] = held.get(("spot", coin, "long"), D(0)) + amount
        assert sums == held


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_curve_starts_and_ends_where_the_profit_does(seed: int) -> None:
    one, frames = account(seed), account(seed).frames()
    times = pd.to_datetime([START_MS, *[row["time"] for row in one.marks[1::5]], one.end], unit="ms", utc=True)
    curve = equity_curve(
        frames["fills"], frames["bills"], pd.DatetimeIndex(times), prices=one.prices(), marks=one.contract_marks()
    )
    pnl = reported(seed, "average")
    assert (curve["equity"].iloc[0], curve["equity"].iloc[-1]) == (pnl.opening, pnl.closing)
    assert curve["net"].iloc[-1] - curve["net"].iloc[0] == pnl.total


def test_a_fill_that_is_missing_leaves_something_unexplained() -> None:
    one, frames = account(2), account(2).frames()
    pnl = own_pnl(
        frames["fills"].iloc[1:], frames["bills"], START_MS, one.end, prices=one.prices(), marks=one.contract_marks()
    )
    assert pnl.unexplained != 0
    assert f"unexplained {pnl.unexplained.normalize():f}" in str(pnl)


@pytest.mark.parametrize("seed", [1, 2, 3, 6])
def test_rows_and_prices_in_another_order_earn_the_same(seed: int) -> None:
    one, frames = account(seed), account(seed).frames()
    prices = {coin: series[::-1] for coin, series in one.prices().items()}
    for bills in (frames["bills"], frames["bills"].reset_index()):
        pnl = own_pnl(
            frames["fills"][::-1], bills[::-1], START_MS, one.end, prices=prices, marks=one.contract_marks(),
            method="fifo",
        )  # fmt: skip
        pd.testing.assert_frame_equal(pnl.exact, reported(seed, "fifo").exact)
        pd.testing.assert_frame_equal(pnl.open, reported(seed, "fifo").open)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_there_twice_is_earned_once(seed: int) -> None:
    one, frames = account(seed), account(seed).frames()
    twice = [pd.concat([frames[name], frames[name].iloc[3:9]]) for name in ("fills", "bills")]
    pnl = own_pnl(*twice, START_MS, one.end, prices=one.prices(), marks=one.contract_marks())
    assert (pnl.total, pnl.unexplained, pnl.doubtful) == (reported(seed, "average").total, 0, ())


@pytest.mark.parametrize("seed", SEEDS)
def test_no_contract_is_doubtful_where_all_fills_are_there(seed: int) -> None:
    assert reported(seed, "average").doubtful == reported(seed, "fifo").doubtful == ()


def test_totals_have_all_digits_whatever_the_context_of_decimals() -> None:
    time = pd.DatetimeIndex([T0 + pd.Timedelta(hours=1)] * 2, name="time")
    bills = pd.DataFrame({
        "bill_id": ["1", "2"], "account": "spot", "coin": ["PEPE", "USDT"], "kind": "reward", "symbol": None,
        "amount": ["123456.12345678", "9000000000.12345678"], "fee": 0.0,
        "balance": ["123456.12345678", "9000000000.12345678"],
    }, index=time)  # fmt: skip
    prices = {"PEPE": pd.Series([0.00001234567890123, 0.00002345678901234], index=[T0, T0 + pd.Timedelta(hours=2)])}
    with localcontext(Context(prec=28)):
        pnl = own_pnl(fills(), bills, T0, T0 + pd.Timedelta(days=1), prices=prices)
        total, unexplained = pnl.total, pnl.unexplained
    worth = Fraction("123456.12345678") * Fraction("0.00002345678901234") + Fraction("9000000000.12345678")
    assert (Fraction(total), unexplained) == (worth, 0)


# small examples, reckoned by hand


def fills(*rows: Mapping[str, Any]) -> pd.DataFrame:
    reported = [
        {"time": int(T0.timestamp() * 1000) + 60_000 * (at + 1), "fill_id": f"f{at}", "order_id": "1", "fee": 0.0,
         "fee_coin": "USDT", **row}
        for at, row in enumerate(rows)
    ]  # fmt: skip
    return FILLS.shape.frame(FILLS.shape.table(reported))


def contract(side: str, amount: float, price: float, profit: float = 0.0, **more: Any) -> dict[str, Any]:
    row = {"market": "usdt-futures", "symbol": "BTCUSDT", "side": side, "amount": amount, "value": amount * price}
    return {**row, "price": price, "profit": profit, **more}


def earned(frame: pd.DataFrame, mark: float, *, method: Method = "average", coin_price: float = 1.0) -> Pnl:
    """Return the profit with a ledger that books just what the fills say."""
    pair = pairs_of(frame)
    rows, balance = [], D(10_000)
    for at, fill in enumerate(frame.reset_index().to_dict("records")):
        assert pair
        coin = "BTC" if fill["market"] == "coin-futures" else "USDT"
        balance += D(repr(fill["profit"])) - D(repr(fill["fee"]))
        rows.append({"time": int(fill["time"].timestamp() * 1000), "bill_id": str(at), "account": fill["market"],
                     "coin": coin, "kind": "open_long", "amount": fill["profit"], "fee": fill["fee"],
                     "balance": float(balance)})  # fmt: skip
    bills = BILLS.shape.frame(BILLS.shape.table(rows))
    end = T0 + pd.Timedelta(days=1)
    marks = {"BTCUSDT": pd.Series([mark], index=[T0]), "BTCUSD": pd.Series([mark], index=[T0])}
    prices = {"BTC": pd.Series([coin_price], index=[T0])}
    return own_pnl(frame, bills, T0, end, prices=prices, marks=marks, method=method)


def of(pnl: Pnl, kind: str, name: str = "BTCUSDT") -> Decimal:
    return sum(pnl.exact.set_index("name").loc[[name], kind], D(0))


def test_a_long_is_closed_in_part_and_the_rest_valued_at_the_mark() -> None:
    pnl = earned(fills(contract("buy", 2.0, 100.0), contract("sell", 0.5, 120.0, 10.0)), 90.0)
    assert (of(pnl, "realised"), of(pnl, "unrealised"), pnl.unexplained) == (10, -15, 0)


def test_a_position_flips_through_zero_in_one_way_mode() -> None:
    pnl = earned(fills(contract("buy", 1.0, 100.0), contract("sell", 3.0, 120.0, 20.0)), 110.0)
    assert (of(pnl, "realised"), of(pnl, "unrealised")) == (20, 20)
    assert pnl.open[["position", "amount"]].to_numpy().tolist() == [["short", 2]]


def test_in_hedge_mode_long_and_short_stand_side_by_side() -> None:
    pnl = earned(
        fills(
            contract("buy", 1.0, 100.0, position="long"),
            contract("sell", 2.0, 110.0, position="short"),
            contract("sell", 1.0, 120.0, 20.0, position="long"),
            contract("buy", 1.0, 120.0, -10.0, position="short"),
        ),
        100.0,
    )
    assert (of(pnl, "realised"), of(pnl, "unrealised")) == (10, 10)
    assert pnl.closes[["position", "profit"]].to_numpy().tolist() == [["long", 20], ["short", -10]]


def test_first_in_first_out_takes_the_oldest_and_the_average_all() -> None:
    rows = fills(contract("buy", 1.0, 100.0), contract("buy", 1.0, 140.0), contract("sell", 1.0, 130.0, 10.0))
    average, fifo = (earned(rows, 130.0, method=method) for method in ("average", "fifo"))
    assert (of(average, "realised"), of(average, "unrealised")) == (10, 10)
    assert (of(fifo, "realised"), of(fifo, "unrealised")) == (30, -10)
    assert (average.unexplained, fifo.unexplained) == (0, 0)


def test_a_coin_margined_profit_is_value_at_entry_times_the_difference_of_reciprocals() -> None:
    row = {"market": "coin-futures", "symbol": "BTCUSD", "fee_coin": "BTC"}
    rows = fills(contract("buy", 2.0, 100.0) | row, contract("sell", 1.0, 125.0, 0.2) | row)
    pnl = earned(rows, 80.0, coin_price=50.0)
    assert 100 * (Fraction(1, 100) - Fraction(1, 125)) == Fraction(1, 5)
    assert of(pnl, "realised", "BTCUSD") == D("0.2") * 50
    assert of(pnl, "unrealised", "BTCUSD") == 100 * (D(1) / 100 - D(1) / 80) * 50
    assert (of(pnl, "rounding", "BTCUSD"), pnl.unexplained) == (0, 0)


def test_a_close_of_what_was_opened_before_is_reported_by_the_exchange() -> None:
    for position in (None, "long"):
        pnl = earned(fills(contract("sell", 1.0, 120.0, 33.0, position=position)), 100.0)
        assert pnl.closes[["covered", "profit"]].to_numpy().tolist() == [[False, 33]]
        assert (of(pnl, "realised"), pnl.unexplained) == (33, 0)


def test_a_position_that_was_open_at_the_start_is_said_to_be_doubtful() -> None:
    pnl = earned(fills(contract("buy", 2.0, 100.0), contract("sell", 4.0, 120.0, 200.0)), 50.0)
    assert pnl.doubtful == (("usdt-futures", "BTCUSDT"),)
    assert str(pnl).endswith("unexplained 0; closed what these fills did not open: BTCUSDT (usdt-futures)")
    assert earned(fills(contract("sell", 1.0, 120.0, 33.0)), 100.0).doubtful
    assert not earned(fills(contract("buy", 2.0, 100.0), contract("sell", 4.0, 120.0, 40.0)), 50.0).doubtful


def test_a_fill_of_futures_that_is_missing_or_altered_makes_its_contract_doubtful() -> None:
    rows = [contract("buy", 2.0, 100.0), contract("buy", 2.0, 110.0), contract("sell", 4.0, 120.0, 60.0)]
    assert not earned(fills(*rows), 50.0).doubtful
    assert earned(fills(*rows[1:]), 50.0).doubtful
    assert earned(fills(rows[0] | {"value": 210.0}, *rows[1:]), 50.0).doubtful


def test_the_fee_of_a_withdrawal_is_a_cost_and_what_was_withdrawn_is_none() -> None:
    time = pd.DatetimeIndex([T0 + pd.Timedelta(hours=1)], name="time")
    row = {"bill_id": "1", "account": "spot", "coin": "USDT", "kind": "transfer_out", "symbol": None}
    bills = pd.DataFrame([row | {"amount": -200.0, "fee": 1.0, "balance": 99.0}], index=time)
    end = T0 + pd.Timedelta(days=1)
    pnl = own_pnl(fills(), bills, T0, end, prices={})
    assert (of(pnl, "fees", "USDT"), of(pnl, "transfers", "USDT"), pnl.total, pnl.unexplained) == (-1, -200, -1, 0)
    curve = equity_curve(fills(), bills, pd.DatetimeIndex([T0, end]), prices={})
    assert curve[["moved", "net"]].to_numpy().tolist() == [[0, 300], [-200, 299]]


def test_a_transfer_between_own_accounts_closes_nothing_however_long_it_takes() -> None:
    time = pd.DatetimeIndex([T0 + pd.Timedelta(seconds=at) for at in (10, 50)], name="time")
    row = {"coin": "BTC", "symbol": None, "fee": 0.0}
    bills = pd.DataFrame([
        row | {"bill_id": "1", "account": "spot", "kind": "transfer_out", "amount": -1.0, "balance": 0.0},
        row | {"bill_id": "2", "account": "coin-futures", "kind": "transfer_in", "amount": 1.0, "balance": 1.0},
    ], index=time)  # fmt: skip
    end = T0 + pd.Timedelta(days=1)
    prices = {"BTC": pd.Series([100.0, 150.0], index=[T0, T0 + pd.Timedelta(seconds=30)])}
    pnl = own_pnl(fills(), bills, T0, end, prices=prices, method="fifo")
    assert (pnl.total, pnl.unexplained, len(pnl.closes), len(pnl.open)) == (50, 0, 0, 1)
    curve = equity_curve(fills(), bills, pd.DatetimeIndex([T0, end]), prices=prices)
    assert curve[["moved", "net"]].to_numpy().tolist() == [[0, 100], [0, 150]]
    bills.index = pd.DatetimeIndex([time[0], time[0] + pd.Timedelta(seconds=61)], name="time")
    assert len(own_pnl(fills(), bills, T0, end, prices=prices).closes) == 1


@pytest.mark.parametrize("start", ["2026-10-01 00:02", "2026-09-30"])
def test_rows_from_outside_the_span_are_refused(start: str) -> None:
    rows = fills(contract("buy", 1.0, 100.0), contract("sell", 1.0, 100.0))
    bills = BILLS.shape.frame(BILLS.shape.table([]))
    end = pd.Timestamp(start, tz="UTC") + pd.Timedelta(minutes=1)
    with pytest.raises(InvalidInput, match="fills: one is of 2026-10-01T00:01:00Z, which is not between start and end"):
        own_pnl(rows, bills, pd.Timestamp(start, tz="UTC"), end, prices={})


def test_what_the_exchange_rounds_otherwise_stands_apart() -> None:
    pnl = earned(fills(contract("buy", 3.0, 100.0), contract("sell", 3.0, 110.0, 30.00000001)), 100.0)
    assert (of(pnl, "realised"), of(pnl, "rounding"), pnl.unexplained) == (30, D("0.00000001"), 0)


def test_a_price_that_is_not_known_yet_is_never_used() -> None:
    rows = fills(contract("buy", 1.0, 100.0))
    bills = BILLS.shape.frame(BILLS.shape.table([]))
    late = {"BTCUSDT": pd.Series([1.0], index=[T0 + pd.Timedelta(days=2)])}
    with pytest.raises(InvalidInput, match="marks: none of BTCUSDT is known at 2026-10-02"):
        own_pnl(rows, bills, T0, T0 + pd.Timedelta(days=1), prices={}, marks=late)


def test_a_close_is_known_when_its_candle_has_ended() -> None:
    index = pd.date_range(T0, periods=3, freq="1h")
    series = closes(pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=index))
    assert series.index.tolist() == [at + pd.Timedelta(hours=1) for at in index]


def test_an_unknown_method_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="method: 'lifo' is unknown"):
        earned(fills(contract("buy", 1.0, 100.0)), 1.0, method="lifo")  # type: ignore[arg-type]


def test_symbols_are_taken_apart_by_their_quote_coin_or_as_the_list_says() -> None:
    names = [("spot", "ETHBTC"), ("usdc-futures", "BTCPERP"), ("coin-futures", "ETHUSD-261225"), ("spot", "龙USDT")]
    frame = pd.DataFrame(names, columns=["market", "symbol"])
    assert [tuple(pair) for _, pair in sorted(pairs_of(frame).items())] == [
        ("ETH", "USD"), ("ETH", "BTC"), ("龙", "USDT"), ("BTC", "USDC"),
    ]  # fmt: skip
    odd = pd.DataFrame([("spot", "ODDXYZ")], columns=["market", "symbol"])
    with pytest.raises(InvalidInput, match="symbols: the coins of ODDXYZ are not known"):
        pairs_of(odd)
    listed = pd.DataFrame([("spot", "ODDXYZ", "ODD", "XYZ")], columns=["market", "symbol", "base", "quote"])
    assert pairs_of(odd, listed)["spot", "ODDXYZ"] == ("ODD", "XYZ")


def test_the_attribution_is_in_float64_and_the_exact_one_in_decimals() -> None:
    pnl = reported(1, "average")
    kinds = [name for name in pnl.exact.columns if name not in ("market", "name")]
    assert {str(kind) for kind in pnl.attribution[kinds].dtypes} == {"float64"}
    assert all(isinstance(value, Decimal) for value in pnl.exact["total"])
    assert pnl.attribution["total"].tolist() == [float(value) for value in pnl.exact["total"]]
