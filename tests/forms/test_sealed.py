"""The kernel's side of a sealed input: it relays, and knows words alone."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ipywidgets import embed

from bgresearch.errors import AgentUnavailable, InvalidInput
from bgresearch.forms import SealedField, SealedInput
from tests.forms.wires import Wire, hear, said, wired
from vault.errors import BoxRefused
from vault.intake import Intake, seal_box

TEXTS = {"api_key": "bg_madeup", "secret_key": "made-up-secret", "passphrase": "Orchard Lane 42"}
FIELDS = [
    SealedField("api_key", "API key"),
    SealedField("secret_key", "SecretKey"),
    SealedField("passphrase", "Passphrase", "passphrase"),
]
ROOT = Path(__file__).parents[2]
SCRIPTS = ("sealing.js", "pasted.js", "typed.js", "sealed.js")


class FormDriver:
    """A form, the intake behind it and what went over the wire."""

    def __init__(self, **options: Any) -> None:
        self.intake, self.boxes = Intake(), []
        self.asked: list[str] = []
        self.form = SealedInput(FIELDS, offer=self.offer, purpose="key", **options)
        self.form.on_box(self.boxes.append)
        self.wire: Wire = wired(self.form)

    def offer(self, purpose: str) -> dict[str, Any]:
        self.asked.append(purpose)
        fields = ("password",) if purpose == "strength" else tuple(TEXTS)
        return {"offer": self.intake.offer("research", 300, fields=fields), "fingerprint": self.intake.fingerprint}

    def ask(self, purpose: str = "key") -> list[dict[str, Any]]:
        hear(self.form, {"kind": "ask", "purpose": purpose, "number": 4, "view": "v"})
        return said(self.wire)

    def seal(self) -> dict[str, Any]:
        box = seal_box(self.ask()[0]["offer"], TEXTS)
        hear(self.form, {"kind": "box", "purpose": "key", "box": box, "view": "v"})
        return box


def test_the_box_reaches_the_callback_as_it_came() -> None:
    driver = FormDriver()
    box = driver.seal()
    assert driver.boxes == [box]
    assert {name: text.value for name, text in driver.intake.open(box).items()} == TEXTS
    assert said(driver.wire) == [{"kind": "taken", "view": "v"}]


def test_every_box_has_an_offer_of_its_own_and_its_asker_is_answered() -> None:
    driver = FormDriver()
    first, second = driver.ask()[0], driver.ask()[0]
    assert first["offer"]["nonce"] != second["offer"]["nonce"]
    assert {(one["kind"], one["view"], one["number"], one["purpose"]) for one in (first, second)} == {
        ("offer", "v", 4, "key")
    }


@pytest.mark.parametrize("purpose", ["unlock", "strength", "", "recovery"])
def test_the_browser_cannot_ask_for_another_purpose(purpose: str) -> None:
    driver = FormDriver()
    assert driver.ask(purpose) == []
    hear(driver.form, {"kind": "box", "purpose": purpose, "box": {"version": 1}, "view": "v"})
    assert (driver.asked, driver.boxes, said(driver.wire)) == ([], [], [])


@pytest.mark.parametrize(
    "message",
    [None, [], "box", {}, {"kind": "box"}, {"kind": "box", "purpose": "key"}, {"kind": "ask"},
     {"kind": "box", "purpose": "key", "box": 1}, {"kind": ["ask"], "purpose": {"key": 1}}],
)  # fmt: skip
def test_a_malformed_message_is_no_message(message: object) -> None:
    driver = FormDriver()
    hear(driver.form, message)
    assert (driver.asked, driver.boxes, said(driver.wire)) == ([], [], [])


@pytest.mark.parametrize("refusal", [BoxRefused("64 offers are open"), AgentUnavailable("no agent is running.")])
def test_what_the_agent_refuses_is_said_in_the_form_that_asked(refusal: Exception) -> None:
    driver = FormDriver()

    def refuse(_: object) -> None:
        raise refusal

    driver.form._offer = refuse
    assert driver.ask() == [{"kind": "problem", "view": "v", "number": 4, "field": "", "words": str(refusal)}]
    driver.form.on_box(refuse)
    hear(driver.form, {"kind": "box", "purpose": "key", "box": {"version": 1}, "view": "v"})
    kinds = [(one["kind"], one.get("words", "")) for one in said(driver.wire)]
    assert kinds == [("problem", str(refusal)), ("taken", "")]


def test_a_failing_callback_is_not_swallowed_and_the_form_does_not_hang() -> None:
    driver = FormDriver()
    driver.form.on_box(lambda box: box["nothing"])
    with pytest.raises(KeyError):
        driver.form._heard(None, {"kind": "box", "purpose": "key", "box": {"version": 1}, "view": "v"}, [])
    assert [one["kind"] for one in said(driver.wire)] == ["taken"]


def test_the_meter_is_reported_score_and_words_and_nothing_else_of_the_answer() -> None:
    driver = FormDriver(strength=lambda box: {"score": 3, "words": ["Good."], "password": TEXTS["passphrase"]})
    assert [one["kind"] for one in driver.ask("strength")] == ["offer"]
    hear(driver.form, {"kind": "box", "purpose": "strength", "box": {"version": 1}, "number": 4, "view": "v"})
    assert said(driver.wire) == [{"kind": "strength", "view": "v", "number": 4, "score": 3, "words": ["Good."]}]
    assert driver.boxes == []


def test_a_reply_goes_to_the_view_that_sealed_the_box_and_is_in_no_trait() -> None:
    driver = FormDriver()
    driver.seal()
    said(driver.wire)
    reply = {"version": 1, "iv": "aa", "ciphertext": "bb"}
    driver.form.show_reply(reply)
    assert said(driver.wire) == [{"kind": "reply", "view": "v", "box": reply}]
    away: list[bool] = []
    driver.form.on_forgotten(lambda: away.append(True))
    hear(driver.form, {"kind": "forgotten", "view": "v"})
    assert away == [True]


def test_box_and_reply_are_in_no_state_that_a_notebook_would_save() -> None:
    driver = FormDriver()
    box = driver.seal()
    driver.form.show_reply({"version": 1, "iv": "iv-of-the-reply", "ciphertext": "text-of-the-reply"})
    driver.form.show_problem("api_key", "is too short")
    state = {name: value for name, value in driver.form.get_state().items() if name not in {"_esm", "_css"}}
    saved = json.dumps(
        [state, embed.dependency_state([driver.form])["wire"]["state"] | {"_esm": "", "_css": ""}], default=str
    )
    looked_for = [box["ciphertext"], box["nonce"], "of-the-reply", *TEXTS.values()]
    assert [text for text in looked_for if text in saved + repr(driver.form) + str(driver.form)] == []
    assert "SecretKey" in saved  # the labels are there, so the search works
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(driver.form)


def test_a_form_that_makes_no_sense_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="at least one"):
        SealedInput([], offer=dict)
    with pytest.raises(InvalidInput, match="name of its own"):
        SealedInput([FIELDS[0], FIELDS[0]], offer=dict)
    with pytest.raises(InvalidInput, match="not one of"):
        SealedField("api_key", "API key", "text")
    with pytest.raises(InvalidInput, match="a label"):
        SealedField("api key", "API key")
    with pytest.raises(InvalidInput, match="not a field of this form"):
        FormDriver().form.show_problem("password", "is empty")


def test_naming_the_forms_loads_no_widgets() -> None:
    code = "import sys, bgresearch.forms; dir(bgresearch.forms); sys.exit('ipywidgets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0  # noqa: S603


def test_the_script_sets_no_html_from_data_and_writes_to_no_console_or_store() -> None:
    script = "".join((ROOT / "bgresearch/forms" / name).read_text("utf-8") for name in SCRIPTS)
    markup = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "<form"]
    stores = ["console.", "localStorage", "sessionStorage", "indexedDB", "model.set", "save_changes"]
    assert [word for word in (*markup, *stores, "eval(", "fetch(", "XMLHttpRequest") if word in script] == []


def test_the_wheel_brings_the_scripts(tmp_path: Path) -> None:
    build = pytest.importorskip("hatchling.build")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        name = build.build_wheel(str(tmp_path))
    files = zipfile.ZipFile(tmp_path / name).namelist()
    assert {f"bgresearch/forms/{one}" for one in (*SCRIPTS, "sealed.css")} <= set(files)
