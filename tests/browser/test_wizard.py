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
from bgresearch.sandbox import SANDBOX_KEYS
from tests.browser.conftest import Open
from tests.browser.harness import PATIENCE_MS, Home, assert_accessible
from tests.browser.harness import Place as JupyterPlace
from tests.browser.walkthrough import PASSWORD, SETUP, Walk, prepare

pytestmark = pytest.mark.slow

_MOST_TABS = 60  # until somebody gives up
_NAME = """(one) => {
  const label = one.labels?.[0]?.textContent || one.getAttribute("aria-label") || one.textContent;
  return (label || "").trim();
}"""
_ACTIVE = f"() => ({_NAME})(document.activeElement)"
_THERE = f"""(name) => [...document.querySelectorAll(".bg-form :is(button, input, textarea, select)")]
  .some((one) => one.checkVisibility() && ({_NAME})(one).startsWith(name))"""
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
    sheet.page.locator("body[data-jp-theme-light='false']").wait_for(state="attached", timeout=PATIENCE_MS)
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


def test_the_keyboard_is_enough_and_the_focus_follows(open_sheet: Open, person: Home) -> None:
    sheet = open_sheet([person.cell, SETUP])
    walk = Walk(sheet.page)
    walk.see(words.BEGIN)
    sheet.page.locator(".bg-heading").evaluate("heading => heading.focus()")  # somebody who has just come into the form

    def reach(name: str) -> None:
        sheet.page.wait_for_function(_THERE, arg=name, timeout=PATIENCE_MS)  # a page comes after its heading
        for _ in range(_MOST_TABS):
            if sheet.page.evaluate(_ACTIVE).startswith(name):
                return
            sheet.page.keyboard.press("Tab")
        pytest.fail(f"{name!r} cannot be reached with Tab")

    def press(name: str, key: str = "Enter") -> None:
        reach(name)
        sheet.page.keyboard.press(key)

    def arrived(step: str) -> None:
        walk.form.locator(".bg-heading:focus", has_text=words.STEP_TITLES[step]).wait_for(timeout=PATIENCE_MS)

    def write(name: str, text: str) -> None:
        reach(name)
        sheet.page.keyboard.press("ControlOrMeta+a")
        sheet.page.keyboard.type(text)

    press(words.BEGIN)
    arrived("purpose")
    press("My own spot history", "Space")
    press(words.NEXT)
    arrived("address")
    write(words.ADDRESS_QUESTION, "8.8.8.8")
    press(words.NEXT)
    arrived("open")
    sheet.page.locator(".bgs-fingerprint").wait_for(timeout=PATIENCE_MS)
    write(words.NEW_PASSWORD, PASSWORD)
    sheet.page.keyboard.press("Tab")
    write(f"{words.NEW_PASSWORD}, again", PASSWORD)
    press(words.CREATE_VAULT)
    walk.see(words.VAULT_CREATED)
    arrived("open")
    press(words.NO_RECOVERY)
    arrived("key")
    press(words.NEXT)
    walk.see(words.KEY_HELP[:30])
    sheet.page.locator(".bgs-fingerprint").wait_for(timeout=PATIENCE_MS)
    key = SANDBOX_KEYS["readonly"]
    for label, text in (("API key", key.api_key), ("SecretKey", key.secret_key), ("Passphrase", key.passphrase)):
        write(label, text)
        sheet.page.keyboard.press("Tab")
    press(words.SEAL)
    walk.see(words.CHECK_PASSED)
    press(words.SEE_VERDICT)
    arrived("verdict")
    press(words.SAVE_KEY)
    arrived("done")
    walk.see(words.BALANCES_SHOWN)


def test_a_kernel_that_starts_anew_and_an_agent_that_locks_cost_the_typed_secret_alone(
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
    secret.wait_for(timeout=PATIENCE_MS)
    groups = secret.inner_text().strip().split("-")
    walk.press("I have written it down: hide it")
    walk.see(words.RECOVERY_ASKED)
    assert secret.count() == 0
    walk.form.get_by_text(re.compile(r"Group \d")).first.wait_for(timeout=PATIENCE_MS)
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
            walk.form.get_by_role("heading", name=words.STEP_TITLES[name]).wait_for(timeout=PATIENCE_MS)
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


def test_a_kernel_that_starts_anew_while_a_key_is_typed_costs_the_typed_texts_alone(
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
