"""Lots against published examples, and against brute force that closes one unit after the other."""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.lots import Close, Method, OpenPosition

D = Decimal
# what is bought and sold: amounts in whole units, values in cents
trades = st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(1, 10_000)), min_size=1, max_size=25)


def bought(method: Method) -> OpenPosition:
    """The inventory of the usual textbook example: 100 at 50, 125 at 55, 75 at 59."""
    position = OpenPosition(method)
    for at, (amount, price) in enumerate([(100, 50), (125, 55), (75, 59)]):
        assert position.trade(at, buy=True, amount=D(amount), value=D(amount * price)) == []
    return position


@pytest.mark.parametrize(
    ("method", "cost", "left"),
    [("fifo", "11050", "5250"), ("average", "11410", "4890")],  # 210 sold; average 16,300 / 300
)
def test_the_textbook_example_costs_what_the_textbook_says(method: Method, cost: str, left: str) -> None:
    position = bought(method)
    closes = position.trade(9, buy=False, amount=D(210), value=D(210 * 60))
    assert sum(close.cost for close in closes) == D(cost)
    assert position.cost == D(left)
    assert sum(close.profit for close in closes) == D(210 * 60) - D(cost)


def test_first_in_first_out_says_when_each_part_was_opened() -> None:
    closes = bought("fifo").trade(9, buy=False, amount=D(210), value=D(12_600))
    assert [(close.opened_ms, close.amount, close.cost, close.worth) for close in closes] == [
        (0, 100, 5000, 6000), (1, 110, 6050, 6600),
    ]  # fmt: skip


def test_a_short_position_earns_when_the_price_falls() -> None:
    position = OpenPosition("average")
    position.trade(1, buy=False, amount=D(2), value=D(200))
    assert position.unrealised(D(180)) == 20
    assert position.trade(2, buy=True, amount=D(2), value=D(150)) == [Close(1, False, D(2), D(200), D(150))]
    assert Close(1, False, D(2), D(200), D(150)).profit == 50


def test_a_trade_through_zero_closes_all_and_opens_the_rest_the_other_way() -> None:
    position = OpenPosition("fifo")
    position.trade(1, buy=True, amount=D(2), value=D(200))
    closes = position.trade(2, buy=False, amount=D(5), value=D(600))
    assert closes == [Close(1, True, D(2), D(200), D(240))]
    assert (position.long, position.amount, position.cost) == (False, 3, 360)


def test_what_was_never_opened_is_said_to_be_so_where_nothing_flips() -> None:
    position = OpenPosition("fifo", side=True)
    position.trade(1, buy=True, amount=D(1), value=D(10))
    known, unknown = position.trade(2, buy=False, amount=D(3), value=D(33))
    assert (known.covered, known.profit) == (True, 1)
    assert (unknown.covered, unknown.amount, unknown.profit) == (False, 2, 0)
    assert position.amount == 0


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(InvalidInput, match="method: 'lifo' is unknown"):
        OpenPosition("lifo")  # type: ignore[arg-type]


def brute_fifo(orders: list[tuple[bool, int, int]]) -> tuple[Fraction, deque[Fraction], bool]:
    """Return profit, cost of each unit held, and its side, one unit after the other."""
    held: deque[Fraction] = deque()
    long, profit = True, Fraction(0)
    for buy, amount, cents in orders:
        each = Fraction(cents, 100) / amount
        for _ in range(amount):
            if held and buy != long:
                cost = held.popleft()
                profit += each - cost if long else cost - each
            else:
                long = buy
                held.append(each)
    return profit, held, long


@given(trades)
def test_fifo_is_what_closing_unit_by_unit_gives_but_for_rounding_to_eight_decimals(
    orders: list[tuple[bool, int, int]],
) -> None:  # fmt: skip
    position = OpenPosition("fifo")
    closes = [
        close
        for at, (buy, amount, cents) in enumerate(orders)
        for close in position.trade(at, buy=buy, amount=D(amount), value=D(cents) / 100)
    ]
    profit, held, long = brute_fifo(orders)
    slack = Fraction(len(closes) * 2 + 1, 10**8)
    assert abs(Fraction(sum((close.profit for close in closes), D(0))) - profit) <= slack
    assert position.amount == len(held)
    assert abs(Fraction(position.cost) - sum(held)) <= slack
    assert not held or position.long == long


@given(trades, st.integers(1, 10_000))
def test_both_methods_earn_the_same_in_all_to_the_last_digit(orders: list[tuple[bool, int, int]], mark: int) -> None:
    totals = []
    for method in ("average", "fifo"):
        position = OpenPosition(method)  # type: ignore[arg-type]
        realised = sum(
            (
                close.profit
                for at, (buy, amount, cents) in enumerate(orders)
                for close in position.trade(at, buy=buy, amount=D(amount), value=D(cents) / 100)
            ),
            D(0),
        )
        totals.append(realised + position.unrealised(position.amount * D(mark) / 100))
    cash = sum((D(-cents if buy else cents) / 100 for buy, _, cents in orders), D(0))
    held = sum(amount if buy else -amount for buy, amount, _ in orders)
    assert totals[0] == totals[1] == cash + held * D(mark) / 100


@given(trades)
def test_the_average_is_that_of_everything_bought_since_it_was_flat(orders: list[tuple[bool, int, int]]) -> None:
    position, cost, held = OpenPosition("average"), Fraction(0), 0
    for at, (buy, amount, cents) in enumerate(orders):
        position.trade(at, buy=buy, amount=D(amount), value=D(cents) / 100)
        sign = 1 if buy else -1
        if held * sign >= 0:
            cost, held = cost + Fraction(cents, 100), held + sign * amount
        elif amount <= abs(held):
            cost, held = cost * (abs(held) - amount) / abs(held), held + sign * amount
        else:
            cost, held = Fraction(cents, 100) * (amount - abs(held)) / amount, held + sign * amount
        assert position.amount == abs(held)
        assert abs(Fraction(position.cost) - cost) <= Fraction(at + 1, 10**8)
