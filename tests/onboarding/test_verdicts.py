"""Colours and what may be kept: no key that can withdraw, no writing key by accident."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.onboarding.verdicts import judge, may_keep, on_purpose, rotate_by
from bgresearch.keys.permissions import Permissions, classify
from tests.onboarding.conftest import Look

PASSED = [Finding("reach", True, "yes"), Finding("permissions", True, "yes")]


def permissions(
    *codes: str, unified: bool = False, key_type: str = "", addresses: tuple[str, ...] = ("8.8.8.8",)
) -> Permissions:
    mode = "unified" if unified else "classic"
    return Permissions(classify(codes, unified=unified, key_type=key_type), addresses, mode, False, "1", "x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "colour", "keep"),
    [
        ("readonly", "green", "yes"), ("unified", "green", "yes"), ("demo", "green", "yes"),
        ("no_address_list", "amber", "yes"), ("trader", "red", "on purpose"), ("withdrawer", "red", "never"),
        ("unified_trader", "red", "never"),
    ],
)  # fmt: skip
def test_every_key_of_the_sandbox_has_its_colour(look: Look, name: str, colour: str, keep: str) -> None:
    findings, found = look(name)
    assert found is not None
    judgement = judge(found)
    assert (judgement.colour, judgement.keep) == (colour, keep)
    assert judgement.title.lower().startswith(colour)
    assert bool(judgement.fixes) is (colour != "green")
    assert (may_keep(findings, found) == "") is (keep == "yes")
    assert (may_keep(findings, found, accept_trade=True) == "") is (keep != "never")


@given(st.lists(st.sampled_from(["stor", "stow", "wtow", "wwow", "newx", "coor"])), st.booleans())
def test_withdrawing_is_never_kept_and_writing_only_on_purpose(codes: list[str], accept: bool) -> None:
    found = permissions(*codes)
    kept = may_keep(PASSED, found, accept_trade=accept) == ""
    assert kept is ("wwow" not in codes and (accept or set(codes) <= {"stor", "coor"}))


def test_a_key_that_was_not_examined_is_never_kept() -> None:
    good = permissions("stor")
    assert may_keep([], good, accept_trade=True)
    assert may_keep(PASSED, None, accept_trade=True)
    assert may_keep([*PASSED, Finding("address", None, "open")], good)
    assert may_keep([*PASSED, Finding("address", False, "no")], good)


def test_the_way_back_names_the_boxes_to_take_away() -> None:
    steps = " ".join(judge(permissions("stow", "coor", "zzz", addresses=())).fixes)
    assert "spot trade" in steps
    assert "zzz (not documented)" in steps
    assert "futures orders" not in steps
    assert "addresses" in steps


@pytest.mark.parametrize(("code", "can"), [("stow", "trade"), ("wtow", "move coins"), ("zzz", "trade")])
def test_the_override_says_what_is_agreed_to(code: str, can: str) -> None:
    assert can in on_purpose(permissions(code))


def test_a_key_with_an_address_list_lasts_a_year_and_one_without_90_days() -> None:
    today = dt.date(2026, 11, 20)
    assert rotate_by(today, permissions("stor")) == dt.date(2027, 11, 20)
    assert rotate_by(today, permissions("stor", addresses=())) == dt.date(2027, 2, 18)
