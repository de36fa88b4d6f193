from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.errors import InvalidInput
from bgresearch.research.pnl.decimals import decimal_of, doubt, exactly, floats, plain, share


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-20, 15))
def test_a_decimal_of_15_digits_comes_back_from_a_float_unchanged(digits: int, exponent: int) -> None:
    sent = Decimal(digits).scaleb(exponent)
    assert decimal_of(float(str(sent))) == sent


@given(st.integers(0, 67_108_864 * 10**8 - 1))
def test_eight_decimals_come_back_from_every_amount_below_two_to_the_26(units: int) -> None:
    sent = Decimal(units).scaleb(-8)
    assert decimal_of(float(str(sent))) == sent


def test_above_that_they_may_not_and_show_it() -> None:
    lost = [
        sent for sent in (Decimal(9 * 10**15 + at).scaleb(-8) for at in range(99)) if decimal_of(float(sent)) != sent
    ]
    assert len(lost) > 10
    found = [doubt(float(sent)) for sent in lost]
    assert all(abs(decimal_of(float(sent)) - sent) <= far for sent, (far, _) in zip(lost, found, strict=True))
    assert sum(shown for _, shown in found) > 0.8 * len(lost)  # the others end in a zero by chance


@given(st.decimals(min_value=10**7, max_value=10**13, places=8), st.booleans())
def test_what_was_sent_is_never_farther_than_the_doubt(sent: Decimal, negative: bool) -> None:
    value = float(-sent if negative else sent)
    far, shown = doubt(value)
    assert abs(decimal_of(value) - (-sent if negative else sent)) <= far
    assert shown or len(f"{Decimal(repr(value)).normalize():f}".strip("-").replace(".", "").strip("0")) <= 15


def test_texts_and_decimals_are_taken_as_they_are_and_nothing_is_zero() -> None:
    assert decimal_of("0.12345678901234567890") == Decimal("0.12345678901234567890")
    assert decimal_of(Decimal("1E-30")) == Decimal("1E-30")
    assert [decimal_of(nothing) for nothing in (None, float("nan"), "", pd.NA)] == [0, 0, 0, 0]


@pytest.mark.parametrize("value", ["1,000", "abc", float("inf"), "NaN"])
def test_what_is_no_finite_number_is_refused_by_the_name_of_its_field(value: object) -> None:
    with pytest.raises(InvalidInput, match="fee: "):
        decimal_of(value, "fee")


def test_sums_that_would_be_rounded_raise() -> None:
    @exactly
    def added() -> Decimal:
        return Decimal("1E+60") + Decimal("1E-60")

    with pytest.raises(InvalidInput, match="amounts: some are too large or too small to add up exactly"):
        added()


amounts = st.decimals(min_value=Decimal("0.00000001"), max_value=10**9, places=8)


@given(amounts, st.lists(st.integers(1, 10**6), min_size=1, max_size=8))
def test_shares_together_give_out_the_total_and_each_is_the_rounded_quotient(total: Decimal, parts: list[int]) -> None:
    left, whole, given_out = total, Decimal(sum(parts)), Decimal(0)
    for part in map(Decimal, parts):
        one = share(left, part, whole)
        assert 0 <= Fraction(left) * Fraction(part) / Fraction(whole) - Fraction(one) < Fraction(1, 10**8)
        left, whole, given_out = left - one, whole - part, given_out + one
    assert (left, given_out) == (0, total)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.1", "0.1"), ("1E-8", "0.00000001"), ("1200", "1200"), ("1E+3", "1000"), ("-0.50", "-0.5"), ("0E-8", "0")],
)
def test_decimals_are_written_as_people_write_them(amount: str, text: str) -> None:
    assert plain(Decimal(amount)) == text


def test_only_decimals_become_floats() -> None:
    frame = pd.DataFrame({"name": ["a"], "profit": [Decimal("0.3")], "at": pd.to_datetime(["2026-01-01"], utc=True)})
    assert floats(frame).dtypes.astype(str).tolist()[1] == "float64"
    assert floats(frame)["profit"].tolist() == [0.3]
    assert floats(frame)[["name", "at"]].equals(frame[["name", "at"]])
