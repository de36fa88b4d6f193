"""The wizard from the first page to the first balances, with a real agent and a served exchange, without a browser."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from ipywidgets import Widget

from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.page_vault import VaultPage
from bgresearch.forms.pages_key import Paste, Verdict
from bgresearch.forms.pages_purpose import Addresses, Purposes
from bgresearch.forms.sealed_input import SealedInput
from bgresearch.forms.wizard import Wizard
from bgresearch.keys.onboarding import messages as words
from bgresearch.keys.onboarding.glossary import TERMS
from bgresearch.keys.onboarding.purposes import COMMON
from bgresearch.sandbox.server import Server
from tests.forms.conftest import PASSWORD, end_agent, fill, problems, triple, unlock
from tests.forms.reading import buttons, parts, press, text_of

TODAY = dt.date(2026, 11, 20)


def start(agent_link: AgentAccess) -> Wizard:
    return Wizard(agent_link, today=TODAY)


def choose(page: Purposes, *names: str) -> None:
    """Tick these purposes and no others."""
    for name, box in page.choices.items():
        box.value = name in names


def walk_to_vault(wizard: Wizard, *purposes: str, addresses: str = "8.8.8.8") -> None:
    """Go through the first three pages."""
    press(wizard, words.BEGIN)
    assert isinstance(wizard.page, Purposes)
    choose(wizard.page, *(purposes or ("spot",)))
    press(wizard, words.NEXT)
    assert isinstance(wizard.page, Addresses)
    wizard.page.typed.control.value = addresses
    press(wizard, words.NEXT)


def hand_in(wizard: Wizard, key: str, label: str = "mine", **changed: str) -> dict[str, str]:
    """Name the key and seal it; return the problems that the form received."""
    assert isinstance(wizard.page, Paste)
    wizard.page.label.control.value = label
    press(wizard, words.NEXT)
    return problems(fill(wizard.page.sealed, {**triple(key), **changed}))


def heading(wizard: Wizard) -> tuple[str, str]:
    return wizard.guide.progress, wizard.guide.heading


@pytest.fixture
def at_key(opened: AgentAccess) -> Wizard:
    """A wizard on the page of the key; the vault is open."""
    wizard = start(opened)
    walk_to_vault(wizard)
    return wizard


def test_from_nothing_to_balances_with_a_new_vault(agent_link: AgentAccess, folder: Path) -> None:
    wizard = start(agent_link)
    assert heading(wizard) == ("Step 1 of 8", words.STEP_TITLES["before"])
    assert all(sentence in text_of(wizard) for sentence in words.BEFORE)
    walk_to_vault(wizard)
    assert heading(wizard)[0] == "Step 4 of 8"
    assert isinstance(wizard.page, VaultPage)
    assert problems(fill(wizard.page.sealed, {"password": PASSWORD})) == {}
    assert "recovery code" in text_of(wizard)
    press(wizard, words.NO_RECOVERY)
    assert hand_in(wizard, "readonly") == {}
    assert heading(wizard)[0] == "Step 6 of 8"
    assert text_of(wizard).count(": OK.") == 9
    press(wizard, words.SEE_VERDICT)
    assert "Green: this key only reads" in text_of(wizard)
    assert agent_link.status().keys == ()
    press(wizard, words.SAVE_KEY)
    assert heading(wizard)[0] == "Step 8 of 8"
    (kept,) = agent_link.status().keys
    assert (kept.label, kept.rotate_by, kept.last_verdict) == ("mine", "2027-11-20", "read-only")
    assert wizard.found is not None
    assert kept.account == wizard.found.uid != ""
    assert wizard.balances is not None
    assert {"account", "coin", "total"} <= set(wizard.balances.columns)
    assert words.DONE in text_of(wizard)
    assert "2027-11-20" in text_of(wizard)
    assert 'bg.connect(key="mine")' in text_of(wizard)
    assert str(wizard.balances["coin"].iloc[0]) in text_of(wizard)


@pytest.mark.slow
def test_a_recovery_code_is_shown_sealed_and_two_groups_are_asked_back(agent_link: AgentAccess) -> None:
    wizard = start(agent_link)
    walk_to_vault(wizard)
    assert isinstance(wizard.page, VaultPage)
    fill(wizard.page.sealed, {"password": PASSWORD})
    said = fill(wizard.page.sealed, {"password": PASSWORD})
    (reply,) = [one for one in said if one["kind"] == "reply"]
    assert set(reply["box"]) == {"version", "iv", "ciphertext"}
    wizard.page.sealed._heard(wizard.page.sealed, {"kind": "forgotten"}, [])
    assert words.RECOVERY_ASKED in text_of(wizard)
    said = fill(wizard.page.sealed, {"first": "WRONG", "second": "WRONG"})
    assert len([one for one in said if one["kind"] == "offer" and len(one["asked"]) == 2]) == 1
    assert problems(said)
    assert heading(wizard)[0] == "Step 4 of 8"


@pytest.mark.slow
def test_a_wrong_new_recovery_password_is_said_in_the_form(agent_link: AgentAccess) -> None:
    wizard = start(agent_link)
    walk_to_vault(wizard)
    assert isinstance(wizard.page, VaultPage)
    fill(wizard.page.sealed, {"password": PASSWORD})
    assert "" in problems(fill(wizard.page.sealed, {"password": "something else"}))


def test_a_vault_that_is_there_is_unlocked_and_a_wrong_password_is_said_in_the_form(with_keys: AgentAccess) -> None:
    wizard = start(with_keys)
    walk_to_vault(wizard)
    assert isinstance(wizard.page, VaultPage)
    assert "password" in problems(fill(wizard.page.unlocking.sealed, {"password": "wrong"}))[""]
    assert heading(wizard)[0] == "Step 4 of 8"


def test_an_open_vault_is_not_asked_for(at_key: Wizard) -> None:
    assert heading(at_key)[0] == "Step 5 of 8"
    press(at_key, words.BACK)
    assert heading(at_key)[0] == "Step 3 of 8"


def test_market_data_alone_needs_no_key_and_stops_kindly(agent_link: AgentAccess) -> None:
    wizard = start(agent_link)
    press(wizard, words.BEGIN)
    assert isinstance(wizard.page, Purposes)
    choose(wizard.page, "market")
    press(wizard, words.NEXT)
    assert "You need no key." in text_of(wizard)
    assert "bg.connect().candles(" in text_of(wizard)
    assert buttons(wizard) == [words.BACK, words.START_OVER]


def test_something_has_to_be_chosen_and_demo_stands_alone(agent_link: AgentAccess) -> None:
    wizard = start(agent_link)
    press(wizard, words.BEGIN)
    assert isinstance(wizard.page, Purposes)
    choose(wizard.page)
    press(wizard, words.NEXT)
    assert "Choose at least one." in text_of(wizard)
    choose(wizard.page, "spot", "demo")
    assert "Choose at least one." not in text_of(wizard)
    press(wizard, words.NEXT)
    assert "a key of its own" in text_of(wizard)


def test_the_boxes_to_tick_follow_the_purposes_and_the_mode(agent_link: AgentAccess) -> None:
    wizard = start(agent_link)
    press(wizard, words.BEGIN)
    assert isinstance(wizard.page, Purposes)
    page = wizard.page
    choose(page)
    assert "for a classic account" not in text_of(wizard)
    page.choices["tax"].value = True
    assert "for a classic account" in text_of(page.instructions)
    assert "classic account Box What can be read with it tax tax records" in text_of(page.instructions)
    page.mode.control.value = "Unified"
    assert "for a classic account" not in text_of(page.instructions)
    page.choices["tax"].value = False
    assert text_of(page.instructions) == ""


@pytest.mark.parametrize("address", ["192.168.1.2", "127.0.0.1", "100.64.0.1", "203.0.113.7", "example.com"])
def test_an_address_that_cannot_be_listed_is_refused_with_the_reason_next_to_the_field(
    agent_link: AgentAccess, address: str
) -> None:
    wizard = start(agent_link)
    walk_to_vault(wizard, addresses=f"8.8.8.8 {address}")
    assert isinstance(wizard.page, Addresses)
    assert address in text_of(wizard.page.typed)
    assert heading(wizard)[0] == "Step 3 of 8"


def test_no_address_at_all_is_warned_of_once(agent_link: AgentAccess) -> None:
    wizard = start(agent_link)
    walk_to_vault(wizard, addresses="")
    assert words.ADDRESS_NONE in text_of(wizard)
    press(wizard, words.NEXT)
    assert heading(wizard)[0] == "Step 4 of 8"
    press(wizard, words.BACK)
    assert heading(wizard)[0] == "Step 3 of 8"


def test_a_name_that_is_taken_or_impossible_is_refused_next_to_it(at_key: Wizard) -> None:
    assert isinstance(at_key.page, Paste)
    for name in ("research", "two\nlines", ""):
        at_key.page.label.control.value = name
        press(at_key, words.NEXT)
        assert at_key.page.label._problem.value, name
        assert heading(at_key)[0] == "Step 5 of 8"


def test_a_space_around_a_text_is_named_next_to_its_field_and_nothing_is_staged(at_key: Wizard) -> None:
    found = hand_in(at_key, "readonly", secret_key=triple("readonly")["secret_key"] + " ")
    assert "space" in found["secret_key"]
    assert heading(at_key)[0] == "Step 5 of 8"


def test_swapped_fields_are_warned_of_and_never_blocked(at_key: Wizard) -> None:
    key = triple("readonly")
    hand_in(at_key, "readonly", api_key=key["secret_key"], secret_key=key["api_key"])
    assert heading(at_key)[0] == "Step 6 of 8"
    assert "API key looks like a SecretKey." in text_of(at_key)
    assert words.CHECK_FAILED in text_of(at_key)


@pytest.mark.parametrize(
    ("key", "changed", "stage"),
    [
        ("readonly", {"secret_key": "0" * 64}, "SecretKey"),
        ("readonly", {"passphrase": "wrong"}, "Passphrase"),
        ("readonly", {"api_key": "bg_" + "0" * 32}, "API key"),
        ("other_address", {}, "Network address"),
    ],
)
def test_a_key_that_is_refused_names_the_stage_and_is_not_kept(
    at_key: Wizard, key: str, changed: dict[str, str], stage: str
) -> None:
    assert hand_in(at_key, key, **changed) == {}
    said = text_of(at_key)
    assert f"{stage}: failed" in said
    assert buttons(at_key)[0] == words.TYPE_AGAIN
    assert words.SEE_VERDICT not in buttons(at_key)
    assert len(at_key.access.status().keys) == 2
    press(at_key, words.TYPE_AGAIN)
    assert isinstance(at_key.page, Paste)
    assert at_key.page.label.value == "mine"


@pytest.mark.slow
def test_a_demo_key_is_checked_in_its_own_environment(opened: AgentAccess) -> None:
    wizard = start(opened)
    walk_to_vault(wizard, "demo")
    hand_in(wizard, "demo", "play")
    press(wizard, words.SEE_VERDICT)
    press(wizard, words.SAVE_KEY)
    assert opened.key("play").demo


def test_a_demo_key_for_live_purposes_is_distinguished(at_key: Wizard) -> None:
    hand_in(at_key, "demo")
    assert "Demo or live: failed" in text_of(at_key)


def test_a_unified_account_is_recognised_and_its_balances_come(opened: AgentAccess) -> None:
    wizard = start(opened)
    walk_to_vault(wizard, "unified")
    hand_in(wizard, "unified")
    press(wizard, words.SEE_VERDICT)
    press(wizard, words.SAVE_KEY)
    assert wizard.found is not None
    assert wizard.found.mode == "unified"
    assert wizard.balances is not None
    assert not wizard.balances.empty


@pytest.mark.slow
def test_a_key_from_anywhere_is_amber_and_due_sooner(at_key: Wizard) -> None:
    hand_in(at_key, "no_address_list")
    press(at_key, words.SEE_VERDICT)
    assert "Amber" in text_of(at_key)
    press(at_key, words.SAVE_KEY)
    assert at_key.access.key("mine").rotate_by == "2027-02-18"


@pytest.mark.slow
def test_a_trading_key_is_kept_only_on_purpose(at_key: Wizard) -> None:
    hand_in(at_key, "trader")
    press(at_key, words.SEE_VERDICT)
    assert "Red: this key can trade" in text_of(at_key)
    assert isinstance(at_key.page, Verdict)
    page = at_key.page
    assert buttons(at_key)[:2] == [words.CHECK_AGAIN, words.SAVE_KEY]
    press(at_key, words.SAVE_KEY)
    page.accepted.value = True
    press(at_key, words.SAVE_KEY)
    page.accepted.value, page.typed.control.value = False, "mine"
    press(at_key, words.SAVE_KEY)
    assert len(at_key.access.status().keys) == 2
    page.accepted.value = True
    press(at_key, words.SAVE_KEY)
    assert at_key.access.key("mine").last_verdict == "can trade"


def test_a_withdrawing_key_cannot_be_kept_at_all(at_key: Wizard) -> None:
    hand_in(at_key, "withdrawer")
    press(at_key, words.SEE_VERDICT)
    assert "Red: this key can send coins away." in text_of(at_key)
    assert buttons(at_key) == [words.CHECK_AGAIN, words.BACK, words.START_OVER]
    press(at_key, words.START_OVER)
    assert heading(at_key)[0] == "Step 1 of 8"


@pytest.mark.slow
def test_the_boxes_that_a_purpose_lacks_are_named(opened: AgentAccess) -> None:
    wizard = start(opened)
    walk_to_vault(wizard, "spot", "tax")
    hand_in(wizard, "spot_only")
    press(wizard, words.SEE_VERDICT)
    assert "these boxes are missing: tax, wallet transfer" in text_of(wizard)


@pytest.mark.slow
def test_a_key_that_is_in_the_vault_already_is_refused_in_words(at_key: Wizard) -> None:
    hand_in(at_key, "readonly")
    press(at_key, words.SEE_VERDICT)
    press(at_key, words.SAVE_KEY)
    assert heading(at_key)[0] == "Step 7 of 8"
    assert "bg-refusal" in at_key.body.children[0]._dom_classes
    assert "research" in text_of(at_key.body.children[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("date", "problem"),
    [(None, words.REMIND_MISSING), (TODAY, words.REMIND_PAST), (dt.date(2020, 1, 31), words.REMIND_PAST)],
)
def test_a_reminder_is_a_date_in_the_future_or_the_field_says_why_not(
    at_key: Wizard, date: dt.date | None, problem: str
) -> None:
    hand_in(at_key, "no_address_list")
    press(at_key, words.SEE_VERDICT)
    assert isinstance(at_key.page, Verdict)
    assert at_key.page.renew.value == dt.date(2027, 2, 18)
    at_key.page.renew.control.value = date
    press(at_key, words.SAVE_KEY)
    assert problem in text_of(at_key.page.renew)
    assert heading(at_key)[0] == "Step 7 of 8"
    at_key.page.renew.control.value = dt.date(2027, 2, 1)
    press(at_key, words.SAVE_KEY)
    assert at_key.access.key("mine").rotate_by == "2027-02-01"


def steps(wizard: Wizard) -> list[str]:
    """The list of steps, each with its sign."""
    done = wizard.guide.step
    return [f"{'✓' if at < done else '●' if at == done else '○'} {name}" for at, name in enumerate(wizard.guide.steps)]


def unexplained(wizard: Wizard) -> list[str]:
    """The terms that are used on the page and not explained on it."""
    said = " ".join([text_of(wizard), *sealed_texts(wizard)])
    for question, answer in TERMS.values():
        said = said.replace(f"{question} {answer}", "")
    return [
        term
        for term, (question, _) in TERMS.items()
        if re.search(rf"\b{term}", said, re.IGNORECASE) and question not in text_of(wizard)
    ]


def sealed_texts(wizard: Wizard) -> list[str]:
    forms = [part for part in parts(wizard) if isinstance(part, SealedInput)]
    return [text for form in forms for field in form._fields for text in (field["label"], field["help"])]


def test_the_short_way_for_the_own_history_asks_for_addresses_password_and_key_alone(agent_link: AgentAccess) -> None:
    wizard = start(agent_link)
    assert steps(wizard)[:2] == ["● Start", "○ Purpose"]
    assert unexplained(wizard) == []
    press(wizard, words.QUICK)
    assert isinstance(wizard.page, Addresses)
    assert steps(wizard)[:4] == ["✓ Start", "✓ Purpose", "● Addresses", "○ Vault"]
    assert wizard.progress.purposes == COMMON
    assert unexplained(wizard) == []
    wizard.page.typed.control.value = "8.8.8.8"
    press(wizard, words.NEXT)
    assert unexplained(wizard) == []
    assert isinstance(wizard.page, VaultPage)
    fill(wizard.page.sealed, {"password": PASSWORD})
    assert unexplained(wizard) == []
    press(wizard, words.NO_RECOVERY)
    assert unexplained(wizard) == []
    assert hand_in(wizard, "readonly") == {}
    assert unexplained(wizard) == []
    press(wizard, words.SEE_VERDICT)
    assert "boxes are missing" not in text_of(wizard)
    assert unexplained(wizard) == []
    press(wizard, words.SAVE_KEY)
    assert steps(wizard)[-2:] == ["✓ Verdict", "● Balances"]
    assert unexplained(wizard) == []


def test_the_common_purposes_are_ticked_already_and_their_boxes_listed(agent_link: AgentAccess) -> None:
    wizard = start(agent_link)
    press(wizard, words.BEGIN)
    assert isinstance(wizard.page, Purposes)
    assert tuple(one.name for one in wizard.page.wanted) == COMMON
    assert "Boxes to tick, classic account" in text_of(wizard)
    assert unexplained(wizard) == []


@pytest.mark.slow
def test_another_kernel_goes_on_where_the_last_one_was(at_key: Wizard) -> None:
    hand_in(at_key, "no_address_list")
    press(at_key, words.SEE_VERDICT)
    other = start(at_key.access)
    assert heading(other)[0] == "Step 6 of 8"
    assert "You continue where you stopped." in text_of(other)
    press(other, words.SEE_VERDICT)
    press(other, words.SAVE_KEY)
    assert other.access.key("mine").label == "mine"


@pytest.mark.slow
def test_an_agent_that_locks_in_the_middle_costs_the_typed_secret_alone(at_key: Wizard) -> None:
    hand_in(at_key, "readonly")
    press(at_key, words.SEE_VERDICT)
    end_agent(at_key.access.agent)
    press(at_key, words.SAVE_KEY)
    assert heading(at_key)[0] == "Step 4 of 8"
    assert "locked meanwhile" in text_of(at_key)
    assert (at_key.progress.purposes, at_key.progress.addresses) == (("spot",), ("8.8.8.8",))
    assert isinstance(at_key.page, VaultPage)
    fill(at_key.page.unlocking.sealed, {"password": PASSWORD})
    assert heading(at_key)[0] == "Step 5 of 8"
    assert isinstance(at_key.page, Paste)
    assert at_key.page.label.value == "mine"


@pytest.mark.slow
def test_an_agent_that_locks_before_the_verdict_is_noticed_at_once(at_key: Wizard) -> None:
    hand_in(at_key, "readonly")
    end_agent(at_key.access.agent)
    press(at_key, words.SEE_VERDICT)
    assert heading(at_key)[0] == "Step 4 of 8"
    assert "locked meanwhile" in text_of(at_key)


def test_a_vault_that_locked_is_noticed_before_the_three_texts_are_typed(at_key: Wizard) -> None:
    end_agent(at_key.access.agent)
    press(at_key, words.NEXT)
    assert heading(at_key)[0] == "Step 4 of 8"
    assert "locked meanwhile" in text_of(at_key)


def test_the_page_of_the_key_says_what_to_make_on_the_exchange_with_everything_chosen_before(
    opened: AgentAccess,
) -> None:
    wizard = start(opened)
    walk_to_vault(wizard, "spot", addresses="8.8.8.8 8.8.4.4")
    said = text_of(wizard)
    assert "Tick, for a classic account: spot trade, wallet transfer." in said
    assert "Add to its address list: 8.8.8.8, 8.8.4.4." in said
    assert "Choose a passphrase there" in said


@pytest.mark.slow
def test_another_agent_has_forgotten_what_was_sealed_and_the_wizard_says_so(at_key: Wizard) -> None:
    hand_in(at_key, "readonly")
    end_agent(at_key.access.agent)
    unlock(at_key.access)
    other = start(at_key.access)
    assert heading(other)[0] == "Step 5 of 8"
    assert "discarded the sealed key" in text_of(other)


def test_progress_is_remembered_for_its_owner_alone_and_without_a_secret(at_key: Wizard, folder: Path) -> None:
    hand_in(at_key, "readonly")
    (kept,) = (folder / "state").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not [secret for secret in triple("readonly").values() if secret in kept.read_text("utf-8")]


def test_no_secret_is_in_the_state_of_any_widget(at_key: Wizard) -> None:
    hand_in(at_key, "readonly")
    press(at_key, words.SEE_VERDICT)
    state = str(Widget.get_manager_state())
    assert "mine" in state
    assert not [secret for secret in (*triple("readonly").values(), PASSWORD) if secret in state]


@pytest.mark.parametrize(("code", "stage"), [("40008", "Clock"), ("40018", "Network address")])
def test_a_stage_that_fails_at_the_exchange_stops_before_anything_can_be_saved(
    at_key: Wizard, exchange: Server, code: str, stage: str
) -> None:
    exchange.exchange.restrict("classic", code)
    try:
        hand_in(at_key, "readonly")
    finally:
        exchange.exchange.restrict("classic", "")
    assert f"{stage}: failed" in text_of(at_key)
    assert not {words.SEE_VERDICT, words.SAVE_KEY} & set(buttons(at_key))


@pytest.mark.slow
def test_the_sandbox_says_so_and_fills_in_a_key_of_its_own_with_one_click(agent_link: AgentAccess) -> None:
    wizard = start(agent_link)
    assert text_of(wizard).startswith(f"▲ {words.SANDBOX}")
    walk_to_vault(wizard)
    assert isinstance(wizard.page, VaultPage)
    fill(wizard.page.sealed, {"password": PASSWORD})
    press(wizard, words.NO_RECOVERY)
    assert isinstance(wizard.page, Paste)
    press(wizard, words.NEXT)
    press(wizard, words.SANDBOX_KEY)
    press(wizard, words.SEE_VERDICT)
    press(wizard, words.SAVE_KEY)
    assert wizard.balances is not None
    assert len(wizard.balances) > 0


def test_the_sandbox_does_not_call_a_real_key_deleted(at_key: Wizard) -> None:
    assert hand_in(at_key, "readonly", api_key="bg_" + "0123456789abcdef" * 2) == {}
    assert "This is the sandbox, which knows its own keys only" in text_of(at_key)
    assert "deleted or expired" not in text_of(at_key)


def test_a_wizard_for_the_real_exchange_has_neither_banner_nor_sandbox_keys(
    opened: AgentAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BGRESEARCH_BASE_URL")
    wizard = start(AgentAccess(agent=opened.agent, run=opened.run, memory=opened._memory))
    walk_to_vault(wizard)
    assert words.SANDBOX not in text_of(wizard)
    assert isinstance(wizard.page, Paste)
    wizard.page.label.control.value = "mine"
    press(wizard, words.NEXT)
    assert words.SANDBOX_KEY not in buttons(wizard)
