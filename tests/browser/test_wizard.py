"""The wizard in a real browser: every kind of key, every barrier, the keyboard alone, and what interrupts it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from bgresearch.agent.client import Agent
from bgresearch.agent.socket_path import Place
from bgresearch.keys.onboarding import messages as words
from bgresearch.keys.onboarding.glossary import TERMS
from tests.browser.conftest import FOREIGN_NAME, Open
from tests.browser.harness import ANSWER_MS, Home, assert_accessible
from tests.browser.harness import Place as JupyterPlace
from tests.browser.walkthrough import PASSWORD, SETUP, Walk, by_keyboard, prepare

pytestmark = pytest.mark.slow

_CUT_OFF = """() => {
  const form = [...document.querySelectorAll(".bg-form")].at(-1);
  const frame = form.getBoundingClientRect();
  return [...form.querySelectorAll("p, li, h2, h3, button, label, input, td, th, pre, span")].filter(one => {
    const box = one.getBoundingClientRect();
    if (!box.width || one.closest(".bg-said, .bg-wide")) return false;
    return box.right > frame.right + 1 || box.left < frame.left - 1;
  }).map(one => one.outerHTML.slice(0, 120));
}"""


class Inspector:
    """Looks at every page that a walk passes: barriers, and words that reach out of the form."""

    def __init__(self, page: Page) -> None:
        self.page, self.seen = page, []

    def __call__(self, name: str) -> None:
        assert_accessible(self.page)
        assert self.page.evaluate(_CUT_OFF) == [], name
        self.seen.append(name)


@pytest.fixture
def vault_holder(person: Home) -> Home:
    """Somebody with an open vault, in front of the page of the new key."""
    prepare(person, keys={"old": "unified_trader"})
    return person


@pytest.fixture
def agent(person: Home) -> Iterator[Agent]:
    with Agent(Place(person.agent)) as agent:
        yield agent


def mistakes(sheet_complaints: list[str]) -> list[str]:
    return [one for one in sheet_complaints if "bgresearch" in one or "anywidget" in one or "TypeError" in one]


def test_from_nothing_to_the_first_balances_without_a_barrier_on_any_page(
    open_sheet: Open, person: Home, agent: Agent
) -> None:
    sheet = open_sheet([person.cell, SETUP])
    looked = Inspector(sheet.page)
    walk = Walk(sheet.page, looked)
    walk.choose("My own spot history", "8.8.8.8")
    walk.make_vault()
    walk.hand_in("readonly")
    walk.see(words.CHECK_PASSED)
    walk.look("check")
    walk.press(words.SEE_VERDICT)
    walk.at("verdict")
    walk.see("Green: this key only reads")
    assert agent.status().keys == ()
    walk.press(words.SAVE_KEY)
    walk.at("done", "done-begun")
    walk.see(words.BALANCES_SHOWN)
    walk.look("done")
    walk.see(words.DONE)
    assert [key.label for key in agent.status().keys] == ["research"]
    assert len(looked.seen) == 15
    assert mistakes(sheet.complaints) == []


def test_in_a_narrow_dark_pane_nothing_is_cut_off(open_sheet: Open, vault_holder: Home) -> None:
    sheet = open_sheet([vault_holder.cell, SETUP], width=480)
    sheet.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    sheet.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    sheet.page.locator("body[data-jp-theme-light='false']").wait_for(state="attached", timeout=ANSWER_MS)
    looked = Inspector(sheet.page)
    walk = Walk(sheet.page, looked)
    walk.hand_in("trader")
    walk.see(words.CHECK_PASSED)
    walk.press(words.SEE_VERDICT)
    walk.at("verdict")
    walk.press(words.START_OVER)
    walk.choose("Tax records", "8.8.8.8")
    assert "address" in looked.seen


def test_each_mistake_is_caught_where_it_happens_and_nothing_is_saved(
    open_sheet: Open, vault_holder: Home, agent: Agent
) -> None:
    sheet = open_sheet([vault_holder.cell, SETUP])
    looked = Inspector(sheet.page)
    walk = Walk(sheet.page, looked)
    for name, changed, said in (
        ("readonly", {"SecretKey": "0" * 64}, "SecretKey: failed"),
        ("readonly", {"Passphrase": "wrong"}, "Passphrase: failed"),
        ("other_address", {}, "Network address: failed"),
        ("demo", {}, "Demo or live: failed"),
    ):
        walk.hand_in(name, **changed)
        walk.see(said)
        walk.see(words.CHECK_FAILED)
        walk.look(f"refused-{name}")
        walk.press(words.BACK)
    assert [key.label for key in agent.status().keys] == ["old"]


def test_a_withdrawing_key_is_refused_and_a_trading_one_kept_only_on_purpose(
    open_sheet: Open, vault_holder: Home, agent: Agent
) -> None:
    sheet = open_sheet([vault_holder.cell, SETUP])
    walk = Walk(sheet.page, Inspector(sheet.page))
    walk.hand_in("withdrawer")
    walk.see(words.CHECK_PASSED)
    walk.press(words.SEE_VERDICT)
    walk.at("verdict", "verdict-withdraws")
    walk.see("Red: this key can send coins away.")
    assert walk.form.get_by_role("button", name=words.SAVE_KEY).count() == 0
    walk.press(words.BACK)
    walk.hand_in("trader", "risky")
    walk.see(words.CHECK_PASSED)
    walk.press(words.SEE_VERDICT)
    walk.at("verdict", "verdict-trades")
    walk.press(words.SAVE_KEY)
    field = walk.form.get_by_label("Type the key's name to keep it anyway")
    walk.see("Tick the box above and type risky.")
    assert field.get_attribute("aria-invalid") == "true"
    described = str(field.get_attribute("aria-describedby")).split()
    assert "Tick the box" in "".join(sheet.page.locator(f"#{one}").inner_text() for one in described)
    assert [key.label for key in agent.status().keys] == ["old"]
    walk.tick("I know that this key can trade")
    field.fill("risky")
    walk.press(words.SAVE_KEY)
    walk.at("done", "done-risky")
    assert [key.label for key in agent.status().keys] == ["old", "risky"]


@pytest.mark.parametrize(("purpose", "key"), [("demo", "demo"), ("unified", "unified")])
def test_a_demo_key_and_a_unified_account_end_in_balances_too(
    open_sheet: Open, person: Home, agent: Agent, purpose: str, key: str
) -> None:
    prepare(person, (purpose,))
    sheet = open_sheet([person.cell, SETUP])
    walk = Walk(sheet.page)
    walk.hand_in(key)
    walk.see(words.CHECK_PASSED)
    walk.press(words.SEE_VERDICT)
    walk.press(words.SAVE_KEY)
    walk.see(words.BALANCES_SHOWN)
    (kept,) = agent.status().keys
    assert kept.demo == (key == "demo")


def test_the_keyboard_is_enough_and_the_focus_follows_on_the_short_way(open_sheet: Open, person: Home) -> None:
    sheet = open_sheet([person.cell, SETUP])
    assert list(by_keyboard(sheet.page)) == list(words.STEP_NAMES.values())


def test_a_question_opens_its_answer_by_keyboard_and_the_list_of_steps_says_where_one_is(
    open_sheet: Open, person: Home
) -> None:
    sheet = open_sheet([person.cell, SETUP])
    walk = Walk(sheet.page)
    walk.at("before")
    term = TERMS["passphrase"]
    assert not walk.form.get_by_text(term.answer).is_visible()
    walk.form.get_by_text(term.question).focus()
    sheet.page.keyboard.press("Enter")
    walk.see(term.answer)
    assert walk.form.locator("[aria-current='step']").inner_text() == words.STEP_NAMES["before"]
    walk.press(words.QUICK)
    walk.at("address")
    assert walk.form.locator("[aria-current='step']").inner_text() == words.STEP_NAMES["address"]
    assert walk.form.locator(".bg-steps .bg-done").count() == 2
    assert_accessible(sheet.page)


@pytest.mark.parametrize("host", ["127.0.0.1", FOREIGN_NAME])
def test_lines_are_copied_with_one_press_on_a_page_that_is_not_secure_too(
    open_sheet: Open, person: Home, host: str
) -> None:
    sheet = open_sheet([person.cell, SETUP], host=host)
    walk = Walk(sheet.page)
    walk.at("before")
    walk.press(words.BEGIN)
    walk.choose_purposes("Market data only")
    walk.press(words.NEXT)
    walk.see("You need no key.")
    lines = walk.form.locator("pre").inner_text()
    walk.press("Copy")
    walk.see("Copied")
    sheet.page.evaluate("() => document.body.append(Object.assign(document.createElement('textarea'), {id: 'pasted'}))")
    sheet.page.locator("#pasted").focus()
    sheet.page.keyboard.press("ControlOrMeta+v")
    assert sheet.page.locator("#pasted").input_value() == lines


def test_a_kernel_that_starts_again_and_an_agent_that_locks_cost_the_typed_secret_alone(
    open_sheet: Open, vault_holder: Home, agent: Agent
) -> None:
    sheet = open_sheet([vault_holder.cell, SETUP])
    walk = Walk(sheet.page)
    walk.hand_in("readonly")
    walk.see(words.CHECK_PASSED)
    sheet.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    sheet.run()
    walk.see("You continue where you stopped.")
    walk.see(words.CHECK_PASSED)
    agent.lock()
    walk.press(words.SEE_VERDICT)
    walk.at("open")
    walk.see("locked meanwhile")
    walk.type(words.MASTER_PASSWORD, PASSWORD)
    walk.press(words.UNLOCK)
    walk.at("key")
    assert walk.form.get_by_label(words.KEY_NAME).input_value() == "research"


def test_a_recovery_code_is_shown_once_and_two_groups_are_asked_back(
    open_sheet: Open, person: Home, agent: Agent
) -> None:
    sheet = open_sheet([person.cell, SETUP])
    walk = Walk(sheet.page, Inspector(sheet.page))
    walk.choose("My own spot history", "8.8.8.8")
    walk.make_vault(with_recovery=True)
    secret = walk.form.locator(".bgs-secret")
    secret.wait_for(timeout=ANSWER_MS)
    groups = secret.inner_text().strip().split("-")
    walk.press("I have written it down: hide it")
    walk.see(words.RECOVERY_ASKED)
    assert secret.count() == 0
    walk.form.get_by_text(re.compile(r"Group \d")).first.wait_for(timeout=ANSWER_MS)
    asked = [int(one.split()[-1]) for one in walk.form.locator("label", has_text="Group").all_inner_texts()]
    for number in asked:
        walk.type(f"Group {number}", groups[number - 1])
    walk.look("asked-back")
    walk.press(words.COMPARE)
    walk.at("key")
    assert "recovery" in agent.status().unlocks


def test_a_page_that_is_loaded_again_in_any_step_shows_the_same_step(
    open_sheet: Open, person: Home, agent: Agent
) -> None:
    sheet = open_sheet([person.cell, SETUP])
    again: list[str] = []

    def load_again(name: str) -> None:
        if name in words.STEP_TITLES:
            sheet.save()
            sheet.page.reload()
            walk.form.get_by_role("heading", name=words.STEP_TITLES[name]).wait_for(timeout=ANSWER_MS)
            again.append(name)

    walk = Walk(sheet.page, load_again)
    walk.at("before")
    walk.press(words.BEGIN)
    walk.at("purpose")
    walk.tick("My own spot history")
    walk.press(words.NEXT)
    walk.at("address")
    walk.type(words.ADDRESS_QUESTION, "8.8.8.8")
    walk.press(words.NEXT)
    walk.at("open")
    memory = json.loads((person.folder / "state" / "bgresearch" / "setup.json").read_text("utf-8"))
    assert memory["step"] == "open"
    walk.type(words.NEW_PASSWORD, PASSWORD)
    walk.type(f"{words.NEW_PASSWORD}, again", PASSWORD)
    walk.press(words.CREATE_VAULT)
    walk.press(words.NO_RECOVERY)
    walk.at("key")
    walk.type_key("readonly")
    walk.press(words.SEAL)
    walk.at("check")
    walk.see(words.CHECK_PASSED)
    walk.press(words.SEE_VERDICT)
    walk.at("verdict")
    walk.press(words.SAVE_KEY)
    walk.at("done")
    walk.see(words.BALANCES_SHOWN)
    assert again == list(words.STEP_TITLES)
    assert [key.label for key in agent.status().keys] == ["research"]


def test_a_kernel_that_starts_again_while_a_key_is_typed_costs_the_typed_texts_alone(
    open_sheet: Open, vault_holder: Home
) -> None:
    sheet = open_sheet([vault_holder.cell, SETUP])
    walk = Walk(sheet.page)
    walk.at("key")
    walk.type_key("readonly")
    sheet.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    sheet.run()
    walk.see("You continue where you stopped.")
    walk.type_key("readonly")
    walk.press(words.SEAL)
    walk.see(words.CHECK_PASSED)


@pytest.mark.parametrize("place", ["notebook", "voila"])
def test_notebook_and_voila_show_the_whole_wizard_and_the_keys_too(
    open_sheet: Open, person: Home, agent: Agent, place: JupyterPlace
) -> None:
    sheet = open_sheet([person.cell, SETUP], place=place)
    walk = Walk(sheet.page)
    walk.choose("My own spot history", "8.8.8.8")
    walk.make_vault()
    walk.hand_in("readonly")
    walk.see(words.CHECK_PASSED)
    walk.press(words.SEE_VERDICT)
    walk.press(words.SAVE_KEY)
    walk.see(words.BALANCES_SHOWN)
    assert_accessible(sheet.page)
    assert [key.label for key in agent.status().keys] == ["research"]
    keys = Walk(open_sheet([person.cell, "import bgresearch as bg\nbg.keys()"], place=place).page)
    keys.see("Keys in the vault")
    keys.press("Check")
    keys.see("What the key may do")
