"""The key manager, the permission report and unlocking, with a real agent and a served exchange, without a browser."""

from __future__ import annotations

import datetime as dt

import pytest

import bgresearch
from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.key_manager import Manager
from bgresearch.forms.key_rotation import Rotating
from bgresearch.forms.permission_report import PermissionReport
from bgresearch.forms.unlock import Unlock, Unlocking
from bgresearch.keys.onboarding import messages as words
from tests.forms.conftest import PASSWORD, end_agent, fill, problems, triple
from tests.forms.reading import buttons, parts, press, text_of

DEEDS = ["Check", "Replace", "Rename", "Remove", "It may have leaked"]


@pytest.fixture
def manager(opened: AgentAccess) -> Manager:
    made = dt.date.fromisoformat(opened.key("research").created[:10])
    return Manager(opened, today=made + dt.timedelta(days=3))


def labels(manager: Manager) -> list[str]:
    return [key.label for key in manager.access.status().keys]


def choose(manager: Manager, label: str) -> None:
    manager.chosen.control.value = label


def sealed(manager: Manager) -> Rotating:
    return next(part for part in parts(manager) if isinstance(part, Rotating))


def test_the_table_says_what_is_known_of_each_key(manager: Manager) -> None:
    said, due = text_of(manager), manager.access.key("research").rotate_by
    assert f"research ○ not checked yet {due} live - 3 days never" in said
    assert said.count("never") == 2
    assert buttons(manager) == DEEDS


def test_a_check_shows_the_report_and_the_table_then_has_the_verdict(manager: Manager) -> None:
    choose(manager, "research")
    press(manager, "Check")
    assert "Green: this key only reads" in text_of(manager)
    assert "What the key may do" in text_of(manager)
    press(manager, "Back to the table")
    assert "✓ read-only" in text_of(manager)
    choose(manager, "risky")
    press(manager, "Check")
    press(manager, "Back to the table")
    assert "✕ can withdraw" in text_of(manager)


def test_a_key_is_renamed_and_a_name_that_is_taken_is_refused(manager: Manager) -> None:
    choose(manager, "research")
    press(manager, "Rename")
    (name,) = [part for part in parts(manager) if getattr(part, "description", "") == "New name"]
    name.value = "risky"
    press(manager, "Rename")
    assert labels(manager) == ["research", "risky"]
    assert "bg-refusal" in manager.body.children[0]._dom_classes
    name.value = "archive"
    press(manager, "Rename")
    assert labels(manager) == ["archive", "risky"]
    assert manager.chosen.value == "archive"


def test_a_key_is_removed_here_and_the_exchange_is_not_forgotten(manager: Manager) -> None:
    choose(manager, "risky")
    press(manager, "Remove")
    assert words.REMOVE in text_of(manager)
    press(manager, "Remove it here")
    assert labels(manager) == ["research"]
    assert words.REMOVED.format(label="risky") in text_of(manager)


def test_a_leaked_key_is_deleted_at_the_exchange_before_the_vault_forgets_it(manager: Manager) -> None:
    choose(manager, "research")
    press(manager, "It may have leaked")
    assert text_of(manager.body).startswith(f"✕ {words.COMPROMISED_FIRST}")
    press(manager, words.NEXT)
    assert words.COMPROMISED_NOT_YET in text_of(manager)
    assert "Remove it here" not in buttons(manager)
    (deleted,) = [part for part in parts(manager) if getattr(part, "description", "") == words.COMPROMISED_DELETED]
    deleted.value = True
    press(manager, words.NEXT)
    assert all(sentence in text_of(manager) for sentence in words.COMPROMISED)
    press(manager, "Remove it here")
    assert labels(manager) == ["risky"]
    assert "Removed 'research' here too." in text_of(manager)
    assert "delete it on the exchange" not in text_of(manager)


@pytest.mark.slow
def test_a_key_is_replaced_only_by_one_that_was_checked(manager: Manager) -> None:
    choose(manager, "research")
    press(manager, "Replace")
    assert all(step in text_of(manager) for step in words.ROTATE)
    assert words.BOUND_TO.format(label="research", host=manager.access.key("research").host) in text_of(manager)
    before = manager.access.key("research").fingerprint
    fill(sealed(manager).sealed, triple("trader"))
    assert "Red: this key can trade" in text_of(manager)
    assert "Replace the key" not in buttons(sealed(manager))
    press(manager, "Type another key")
    fill(sealed(manager).sealed, triple("readonly") | {"passphrase": "wrong"})
    assert words.CHECK_FAILED in text_of(manager)
    press(manager, "Type another key")
    assert manager.access.key("research").fingerprint == before
    fill(sealed(manager).sealed, triple("no_address_list"))
    press(manager, "Replace the key")
    assert words.ROTATED.format(label="research") in text_of(manager)
    assert manager.access.key("research").fingerprint != before
    assert manager.access.key("research").has_addresses is False
    assert manager.access.key("research").account != ""


def test_a_locked_vault_is_opened_in_place(with_keys: AgentAccess) -> None:
    manager = Manager(with_keys)
    assert words.OPEN_VAULT in text_of(manager)
    (unlocking,) = [part for part in parts(manager) if isinstance(part, Unlocking)]
    fill(unlocking.sealed, {"password": PASSWORD})
    assert buttons(manager) == DEEDS


def test_an_agent_that_ended_is_said_and_nothing_is_lost(manager: Manager) -> None:
    choose(manager, "risky")
    press(manager, "Remove")
    end_agent(manager.access.agent)
    press(manager, "Remove it here")
    assert "no agent is running" in text_of(manager)
    press(manager, "Back to the table")
    assert words.OPEN_VAULT in text_of(manager)


def test_replacing_with_a_locked_vault_asks_to_open_it_first(manager: Manager) -> None:
    choose(manager, "risky")
    end_agent(manager.access.agent)
    press(manager, "Replace")
    assert words.OPEN_VAULT in text_of(manager)
    assert "locked" in manager.guide.said


def test_without_a_vault_the_way_to_one_is_named(agent_link: AgentAccess) -> None:
    assert "bg.setup() makes one" in text_of(Manager(agent_link))
    assert "bg.setup() makes one" in text_of(Unlock(agent_link))


@pytest.mark.slow
def test_the_report_has_rights_areas_and_what_the_rest_would_need(opened: AgentAccess) -> None:
    report = PermissionReport(opened, "research")
    said = text_of(report)
    assert report.found is not None
    assert "spot trade ✓ reads ○ no" in said
    assert "wallet withdrawal ○ no ○ no" in said
    assert "spot ✓ all:" in said
    assert "classic account Purpose Boxes to tick (read-only) My own spot history spot trade, wallet transfer" in said
    assert "unified" not in said
    risky = text_of(PermissionReport(opened, "risky"))
    assert "✕ withdraw" in risky
    assert "How to fix it on the exchange" in risky


def test_a_report_of_a_key_that_is_not_there_names_those_that_are(opened: AgentAccess) -> None:
    with pytest.raises(bgresearch.ConfigurationError, match="'research', 'risky'"):
        PermissionReport(opened, "reserch")


def test_unlocking_says_who_is_there_and_locks_again(with_keys: AgentAccess) -> None:
    form = Unlock(with_keys)
    (unlocking,) = [part for part in parts(form) if isinstance(part, Unlocking)]
    assert "password" in problems(fill(unlocking.sealed, {"password": "wrong"}))[""]
    press(form, "Use the recovery code instead")
    assert words.OPEN_VAULT not in text_of(form)
    assert "recovery code" in text_of(form)
    assert problems(fill(unlocking.sealed, {"recovery_code": "AAAA"}))
    press(form, "Use the master password instead")
    assert unlocking.sealed._purpose == "unlock"


def test_an_open_vault_can_be_locked(opened: AgentAccess) -> None:
    form = Unlock(opened)
    assert "It holds 2 keys." in text_of(form)
    press(form, "Lock")
    assert words.OPEN_VAULT in text_of(form)
