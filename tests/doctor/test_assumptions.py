"""Each assumption is one entry, holds in the sandbox, and is found where the sandbox is configured otherwise."""

from __future__ import annotations

import pytest

from bgresearch.catalogue.assumptions import ASSUMPTIONS, assumption
from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.habits import HABITS
from tests.conftest import Connect
from tests.doctor.conftest import NOT_WITHOUT_DOCTOR, NOTICED, Answered, examined, finding, resting_on, same

REST = [name for name in HABITS if not name.startswith("stream.")]
QUICK = ["candles.page_rows", "symbols.whole_list", "trades.lookback_days"]


def test_every_assumption_has_one_name_a_source_and_verbs_that_exist() -> None:
    assert len({one.name for one in ASSUMPTIONS}) == len(ASSUMPTIONS)
    for one in ASSUMPTIONS:
        assert assumption(one.name) is one
        assert (one.claim[-1], one.otherwise[-1], bool(one.source)) == (".", ".", True), one.name
        assert all(hasattr(Client, verb) or hasattr(AccountVerbs, verb) for verb in one.verbs), one.name


def test_all_hold_against_the_sandbox_with_few_requests(client: Client) -> None:
    report = examined(client)
    asked = [one for one in report.findings if not one.name.startswith("stream.")]
    assert [(one.name, one.text) for one in asked if one.status != "holds"] == []
    assert {one.name for one in report.findings if one.claim} == set(HABITS)
    assert report.requests <= 80
    assert client._source.store.read_file("differences.json") is None


def found_and_survived(habit: str, exchange: Exchange, clock: ManualClock, connect: Connect) -> None:
    """Doctor finds a habit within its budget; every verb is right, refuses, or says what differs."""
    plain = Exchange(clock=clock)
    plain.world, plain.accounts = exchange.world, exchange.accounts
    usual = connect(sandbox=plain, data_dir=connect().data_dir + "-usual")
    exchange.habits.change(habit)
    for when in ("before", "after"):
        one = connect(data_dir=f"{connect().data_dir}-{when}")
        if when == "after":
            report = examined(one)
            assert finding(report, habit).status == "differs", str(report)
            assert report.requests <= 80
        for name, verb in resting_on(habit).items():
            given, truth = Answered(verb, one), Answered(verb, usual)
            right = given.frame is None or same(given.frame, truth.frame, name)
            noticed = NOTICED.get(habit, f"{habit} does not hold")
            reported = any(text.startswith(f"{habit} does not hold") or noticed in text for text in given.said)
            assert right or reported or (when == "before" and habit in NOT_WITHOUT_DOCTOR), (when, name, given.refused)


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("habit", QUICK)
def test_a_changed_habit_is_found_and_verbs_stay_right(
    habit: str, exchange: Exchange, clock: ManualClock, connect: Connect
) -> None:
    found_and_survived(habit, exchange, clock, connect)


@pytest.mark.slow
@pytest.mark.parametrize("habit", [name for name in REST if name not in QUICK])
def test_every_changed_habit_is_found_and_verbs_stay_right(
    habit: str, exchange: Exchange, clock: ManualClock, connect: Connect
) -> None:
    found_and_survived(habit, exchange, clock, connect)


def test_an_unknown_habit_is_refused(exchange: Exchange) -> None:
    with pytest.raises(ValueError, match="is no habit"):
        exchange.habits.change("limits.address")
