"""The sealed input where people have it: in JupyterLab, Notebook and Voila, with the kernel's own messages between."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from bgresearch.keys.onboarding import messages as words
from tests.browser.conftest import FOREIGN_NAME, Open
from tests.browser.harness import Home, Place, Sheet, assert_accessible
from tests.browser.stage import ORIGIN
from tests.browser.walkthrough import SETUP

pytestmark = pytest.mark.slow

TEXTS = {
    "API key": "bg_5ec0de5ec0de5ec0de5ec0de5ec0de00",
    "SecretKey": "b1e55edb1e55edb1e55edb1e55ed0042",
    "Passphrase": "HarbourBridge77",
}
ORDINARY = "Plantedville77"
CELL = f"""
import json, subprocess, sys
from bgresearch.forms import SealedField, SealedInput
receiver = subprocess.Popen(
    [sys.executable, {str(Path(__file__).parent / "receiver.py")!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    text=True, bufsize=1)
def ask(**what):
    print(json.dumps(what), file=receiver.stdin, flush=True)
    return json.loads(receiver.stdout.readline())
def take(box):
    form.status = "Arrived: " + str(sum(ask(box=box)["lengths"].values()))
form = SealedInput(
    [SealedField("api_key", "API key"), SealedField("secret_key", "SecretKey"),
     SealedField("passphrase", "Passphrase", "passphrase")],
    offer=lambda purpose: ask(purpose=purpose), purpose="key", terminal="bgresearch vault add research")
form.on_box(take)
form
"""
ARRIVED = f"Arrived: {sum(map(len, TEXTS.values()))}"


def fill(sheet: Sheet) -> None:
    sheet.wait_for("Sealed for the agent")
    for label, text in TEXTS.items():
        sheet.page.get_by_label(label, exact=True).fill(text)


def seal(sheet: Sheet) -> None:
    fill(sheet)
    sheet.page.get_by_role("button", name="Seal", exact=True).click()
    sheet.wait_for(ARRIVED)


@pytest.mark.parametrize("place", ["lab", "notebook", "voila"])
def test_what_is_typed_arrives_and_is_neither_sent_nor_saved_in_clear(open_sheet: Open, place: Place) -> None:
    sheet = open_sheet([CELL], place=place)
    seal(sheet)
    assert_accessible(sheet.page)
    reported = b"".join(sheet.frames).decode("utf-8", "replace") + "".join(sheet.complaints)
    saved = sheet.save() if place != "voila" else ""
    assert [text for text in TEXTS.values() if text in reported + saved] == []
    assert '"ciphertext"' in reported
    if place == "lab":
        widgets = json.loads(saved)["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
        (state,) = [one["state"] for one in widgets.values() if one["model_name"] == "AnyModel"]
        assert state["status"] == ARRIVED
        assert not {"nonce", "ciphertext", "public_key"} & set(json.dumps({**state, "_esm": ""}).split('"'))


def test_keys_pressed_in_a_field_or_on_a_button_are_no_commands_of_the_notebook(open_sheet: Open) -> None:
    sheet = open_sheet([CELL])
    sheet.wait_for("Sealed for the agent")
    sheet.page.get_by_label("API key", exact=True).focus()
    sheet.page.keyboard.type("abxdd")  # commands to insert, to cut and to delete a cell
    sheet.page.keyboard.press("Tab")
    sheet.page.keyboard.type("abxdd")
    expect(sheet.page.locator(".jp-Notebook .jp-Cell")).to_have_count(1)
    sheet.page.keyboard.press("Enter")
    expect(sheet.page.get_by_label("API key", exact=True)).to_have_attribute("type", "text")
    expect(sheet.page.get_by_label("API key", exact=True)).to_have_value("abxdd")


def test_nor_are_keys_pressed_on_a_button_of_the_wizard(open_sheet: Open, person: Home) -> None:
    sheet = open_sheet([person.cell, SETUP])
    sheet.page.get_by_role("button", name=words.BEGIN).focus()
    sheet.page.keyboard.type("abxdd")
    expect(sheet.page.locator(".jp-Notebook .jp-Cell")).to_have_count(2)
    expect(sheet.page.get_by_role("button", name=words.BEGIN)).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read_in_both_themes_of_jupyterlab_and_in_a_narrow_pane(open_sheet: Open, theme: str) -> None:
    sheet = open_sheet([CELL], width=640)
    sheet.theme("dark" if theme == "dark" else "light")
    fill(sheet)
    sheet.page.get_by_label("SecretKey", exact=True).fill(TEXTS["API key"] + " ")
    sheet.wait_for("has a space at its end")
    assert_accessible(sheet.page)
    beyond = sheet.page.evaluate(
        """() => { const right = (one) => one.getBoundingClientRect().right;
          const edge = right(document.querySelector('.bgs')) + 1;
          const beyond = [...document.querySelectorAll('.bgs *')].filter((one) => right(one) > edge);
          return beyond.map((one) => one.className); }"""
    )
    assert beyond == []


def test_a_reload_keeps_what_the_kernel_said_and_nothing_that_was_typed(open_sheet: Open) -> None:
    sheet = open_sheet([CELL])
    seal(sheet)
    fill(sheet)
    sheet.save()
    sheet.page.on("dialog", lambda dialog: dialog.accept())
    sheet.page.reload()
    sheet.wait_for(ARRIVED)
    assert [sheet.page.get_by_label(label, exact=True).input_value() for label in TEXTS] == ["", "", ""]
    seal(sheet)


def test_jupyter_over_plain_http_under_another_name_is_refused_with_the_command(open_sheet: Open) -> None:
    sheet = open_sheet([CELL], host=FOREIGN_NAME)
    sheet.wait_for("came over plain http")
    sheet.wait_for("bgresearch vault add research")
    assert sheet.page.locator(".bgs :is(input, textarea, button)").count() == 0


def submit_an_ordinary_form(context: BrowserContext) -> None:
    """What a browser does keep, to show that this one keeps such things and that they are found."""
    page = context.new_page()
    form = '<form method="post"><label>City <input name="city"></label><button>Go</button></form>'
    page.route(f"{ORIGIN}/**", lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto(f"{ORIGIN}/form")
    page.get_by_label("City").click()
    page.keyboard.type(ORDINARY)
    with page.expect_navigation():
        page.get_by_role("button").click()


def test_the_browser_keeps_nothing_of_it(open_sheet: Open, profile: BrowserContext, tmp_path: Path) -> None:
    submit_an_ordinary_form(profile)
    sheet = open_sheet([CELL], context=profile)
    fill(sheet)
    for label in TEXTS:  # the worst case: shown as plain text, as a form's field would be
        sheet.page.get_by_role("button", name=f"Show {label}").click()
    sheet.page.get_by_role("button", name="Seal", exact=True).click()
    sheet.wait_for(ARRIVED)
    sheet.page.goto("about:blank")  # leaving a page is when a browser keeps what was typed
    profile.close()
    folder = tmp_path / "profile" / "Default"
    with sqlite3.connect(folder / "Web Data") as database:
        assert database.execute("select value from autofill").fetchall() == [(ORDINARY,)]
    with sqlite3.connect(folder / "Login Data") as database:
        assert database.execute("select count(*) from logins").fetchone() == (0,)
    held = {path.name: path.read_bytes() for path in (tmp_path / "profile").rglob("*") if path.is_file()}
    assert "Web Data" in [name for name, data in held.items() if ORDINARY.encode() in data]
    assert [name for name, data in held.items() if any(text.encode() in data for text in TEXTS.values())] == []
