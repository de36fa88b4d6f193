"""What the form does in a real browser, without Jupyter: the kernel's side is the real one, the agent's an Intake."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from bgresearch.errors import AgentUnavailable
from bgresearch.forms import SealedField
from tests.browser.conftest import FOREIGN_NAME
from tests.browser.harness import assert_accessible
from tests.browser.stage import PASSWORD, TRIPLE, Stage
from vault.contents import Surroundings
from vault.hidden import Hidden
from vault.intake import Intake

VECTORS = Path(__file__).parents[1] / "vectors"
KEY = "bg_0123456789abcdef0123456789abcdef"
SECRET = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
PASSPHRASE = "Orchard Lane 42"
TEXTS = {"api_key": KEY, "secret_key": SECRET, "passphrase": PASSPHRASE}


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 900, "height": 900})
    yield made
    made.close()


@pytest.fixture
def stage(context: BrowserContext) -> Iterator[Stage]:
    made = Stage(context)
    yield made
    made.page.close()


def fill(stage: Stage) -> None:
    for label, text in zip(("API key", "SecretKey", "Passphrase"), TEXTS.values(), strict=True):
        stage.field(label).fill(text)


@pytest.mark.slow
def test_what_is_typed_arrives_at_the_intake_and_is_nowhere_else(stage: Stage) -> None:
    stage.show(TRIPLE, "key", submit="Seal the key")
    fill(stage)
    before = stage.seen()
    stage.button.click()
    expect(stage.status).to_have_text("")
    assert stage.opened == [TEXTS]
    assert [stage.field(field.label).input_value() for field in TRIPLE] == ["", "", ""]
    assert [text for text in TEXTS.values() if text in before + stage.seen()] == []
    assert "ciphertext" in stage.seen()  # what was sent is in there, so the search works


def test_every_box_is_sealed_by_a_new_key(stage: Stage) -> None:
    stage.show(TRIPLE, "key")
    for _ in range(2):
        fill(stage)
        stage.button.click()
        expect(stage.field("API key")).to_have_value("")
        expect(stage.status).to_have_text("")
    boxes = [one["box"] for one in stage.page.evaluate("() => window.sent") if one["kind"] == "box"]
    assert len(stage.opened) == 2
    assert [len({box[name] for box in boxes}) for name in ("nonce", "public_key", "iv", "ciphertext")] == [2, 2, 2, 2]


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("text", ["a", "ü" * 300, "\U0001f600 and \u0000 and \u2028", '"}{"\\', "x" * 1024])
def test_texts_of_every_kind_arrive_as_they_were_typed(stage: Stage, text: str) -> None:
    stage.show([SealedField("password", "Password", "password")], "unlock")
    stage.field("Password").evaluate(
        "(input, text) => { input.value = text; input.dispatchEvent(new Event('input')); }", text
    )
    stage.button.click()
    expect(stage.field("Password")).to_have_value("")
    assert stage.opened == [{"password": text}]


PAIR = """async ({sender_private_key, box}) => {
  const bytes = Uint8Array.from(sender_private_key.match(/../g), (two) => parseInt(two, 16));
  const head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];
  const raw = sealed.decoded(box.public_key, 32);
  return {
    privateKey: await crypto.subtle.importKey(
      "pkcs8", new Uint8Array([...head, ...bytes]), {name: "X25519"}, false, ["deriveKey"]),
    publicKey: await crypto.subtle.importKey("raw", raw, {name: "X25519"}, true, []),
  };
}"""


def test_the_browser_seals_as_the_pinned_box_says(stage: Stage) -> None:
    vector = json.loads((VECTORS / "sealed_box_v1.json").read_text("utf-8"))
    box = stage.page.evaluate(
        f"""async (vector) => {{
          const chance = {{pair: await ({PAIR})(vector), iv: sealed.decoded(vector.box.iv, 12)}};
          return (await sealed.seal(vector.offer, vector.fields, chance)).box;
        }}""",
        vector,
    )
    assert {name: box[name] for name in ("version", "nonce", "public_key", "iv")} == {
        name: vector["box"][name] for name in ("version", "nonce", "public_key", "iv")
    }
    random = [bytes.fromhex(vector[name]) for name in ("intake_private_key", "nonce")]
    intake = Intake(Surroundings(now_ms=lambda: vector["now_ms"], random_bytes=lambda _: random.pop(0)))
    assert intake.offer(vector["label"], vector["ttl_s"], fields=tuple(vector["fields"])) == vector["offer"]
    assert {name: text.value for name, text in intake.open(box).items()} == vector["fields"]
    shown = stage.page.evaluate("key => sealed.fingerprintOf(key)", vector["offer"]["public_key"])
    assert shown == vector["fingerprint"]


def test_the_browser_opens_the_pinned_reply(stage: Stage) -> None:
    vector = json.loads((VECTORS / "sealed_reply_v1.json").read_text("utf-8"))
    opened = stage.page.evaluate(
        f"""async (vector) => {{
          const {{privateKey}} = await ({PAIR})(vector);
          return sealed.openReply({{offer: vector.offer, sender: vector.box.public_key, privateKey}}, vector.reply);
        }}""",
        vector,
    )
    assert opened == vector["reply_fields"]


def test_pasted_texts_are_distinguished_as_the_table_says(stage: Stage) -> None:
    cases: list[dict[str, Any]] = json.loads((VECTORS / "pasted.json").read_text("utf-8"))["cases"]
    found = stage.page.evaluate(
        """(cases) => cases.map(({texts}) => {
          const kind = (name, text) =>
            name === "passphrase" ? "passphrase" : text.startsWith("-----BEGIN") ? "pem" : "key";
          const told = Object.entries(texts).map(([name, text]) => [name, sealed.blemish(kind(name, text), text)]);
          return [Object.fromEntries(told.filter(([, words]) => words)), sealed.swapped(texts)];
        })""",
        cases,
    )
    assert found == [[case["blemishes"], case["swapped"]] for case in cases]
    assert len(cases) > 50


def test_an_agent_key_of_low_order_and_malformed_offers_seal_nothing(stage: Stage) -> None:
    stage.show(TRIPLE, "key")
    refused = stage.page.evaluate(
        """async (texts) => {
          const good = {version: 1, nonce: "n", label: "l", fields: Object.keys(texts), expires_ms: 1};
          const tries = [{public_key: "A".repeat(43)}, {public_key: "AAAA"}, {public_key: "%"}, {version: 2},
            {fields: ["api_key"]}, {fields: [...good.fields, "password"]}];
          const words = [];
          for (const one of tries) {
            try { await sealed.seal({...good, ...one}, texts); words.push("sealed"); }
            catch (error) { words.push(`${error.constructor.name} ${error.message}`); }
          }
          return words;
        }""",
        TEXTS,
    )
    assert len(refused) == 6
    assert all(one.startswith("Unsealable ") for one in refused)
    assert [text for text in TEXTS.values() if text in " ".join(refused)] == []


def test_on_plain_http_from_elsewhere_nothing_can_be_typed_and_the_command_is_named(context: BrowserContext) -> None:
    stage = Stage(context, f"http://{FOREIGN_NAME}")
    stage.prepare(TRIPLE, "key")
    expect(stage.page.get_by_text("came over plain http")).to_be_visible()
    expect(stage.page.get_by_text("bgresearch vault add research")).to_be_visible()
    assert stage.page.locator("input, textarea, button").count() == 0
    assert_accessible(stage.page)
    stage.page.close()


def test_a_browser_without_x25519_says_so(context: BrowserContext) -> None:
    stage = Stage(context)
    stage.page.evaluate("() => { crypto.subtle.generateKey = async () => { throw new Error('no'); }; }")
    stage.prepare(TRIPLE, "key")
    expect(stage.page.get_by_text("does not know X25519")).to_be_visible()
    assert stage.page.locator("input").count() == 0
    stage.page.close()


@pytest.mark.slow
def test_the_keyboard_alone_is_enough(stage: Stage) -> None:
    stage.show(TRIPLE, "key")
    keyboard = stage.page.keyboard
    for text in TEXTS.values():
        keyboard.press("Tab")
        keyboard.type(text)
        keyboard.press("Tab")  # show
        outline = stage.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
    keyboard.press("Space")
    expect(stage.field("Passphrase")).to_have_attribute("type", "text")
    keyboard.press("Tab")
    expect(stage.button).to_be_focused()
    keyboard.press("Enter")
    expect(stage.field("API key")).to_have_value("")
    assert stage.opened == [TEXTS]


def test_enter_in_a_field_seals_and_says_what_is_missing(stage: Stage) -> None:
    stage.show(TRIPLE, "key")
    stage.field("API key").fill(KEY)
    stage.field("API key").press("Enter")
    expect(stage.field("SecretKey")).to_be_focused()
    expect(stage.field("SecretKey")).to_have_attribute("aria-invalid", "true")
    assert (stage.problem("SecretKey"), stage.problem("Passphrase")) == (
        "✕ SecretKey is empty.",
        "✕ Passphrase is empty.",
    )
    assert stage.field("API key").get_attribute("aria-invalid") is None
    assert stage.opened == []


def test_a_space_is_named_at_once_and_not_sealed(stage: Stage) -> None:
    stage.show(TRIPLE, "key")
    fill(stage)
    stage.field("SecretKey").fill(SECRET + " ")
    assert stage.problem("SecretKey") == "✕ SecretKey has a space at its end; paste it again without."
    described = stage.field("SecretKey").get_attribute("aria-describedby") or ""
    assert stage.page.locator(f"#{described.split()[1]}").inner_text() == stage.problem("SecretKey")
    stage.button.click()
    expect(stage.field("SecretKey")).to_be_focused()
    assert stage.opened == []
    stage.field("SecretKey").fill(SECRET)
    assert stage.problem("SecretKey") == ""
    assert stage.field("SecretKey").get_attribute("aria-invalid") is None


def test_swapped_fields_are_warned_of_and_sealed_all_the_same(stage: Stage) -> None:
    stage.show(TRIPLE, "key")
    fill(stage)
    stage.field("API key").fill(SECRET)
    stage.field("SecretKey").fill(KEY)
    assert "looks like a SecretKey" in stage.problem("API key")
    assert "looks like an API key" in stage.problem("SecretKey")
    assert stage.field("API key").get_attribute("aria-invalid") is None
    stage.button.click()
    expect(stage.field("API key")).to_have_value("")
    assert stage.opened == [{**TEXTS, "api_key": SECRET, "secret_key": KEY}]
    assert stage.problem("API key") == ""


def test_pasting_works_and_undoing_brings_nothing_back(stage: Stage) -> None:
    stage.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    stage.show([SealedField("password", "Password", "password")], "unlock")
    stage.page.evaluate("text => navigator.clipboard.writeText(text)", PASSPHRASE)
    stage.field("Password").focus()
    stage.page.keyboard.press("Control+V")
    stage.page.keyboard.press("Enter")
    expect(stage.field("Password")).to_have_value("")
    assert stage.opened == [{"password": PASSPHRASE}]
    expect(stage.field("Password")).to_be_focused()
    stage.page.keyboard.press("Control+Z")
    expect(stage.field("Password")).to_have_value("")


def test_showing_and_hiding_is_by_field_and_ends_with_the_sealing(stage: Stage) -> None:
    stage.show(TRIPLE, "key")
    fill(stage)
    toggle = stage.page.get_by_role("button", name="Show SecretKey")
    toggle.click()
    assert [stage.field(field.label).get_attribute("type") for field in TRIPLE] == ["password", "text", "password"]
    expect(stage.page.get_by_role("button", name="Hide SecretKey")).to_have_attribute("aria-pressed", "true")
    stage.button.click()
    expect(stage.field("SecretKey")).to_have_value("")
    assert stage.field("SecretKey").get_attribute("type") == "password"
    expect(stage.page.get_by_role("button", name="Show SecretKey")).to_have_text("Show")


def test_a_key_of_many_lines_is_masked_and_arrives_whole(stage: Stage) -> None:
    stage.show([SealedField("secret_key", "Private key", "pem")], "key")
    area = stage.field("Private key")
    assert area.evaluate("one => [one.tagName, getComputedStyle(one).webkitTextSecurity]") == ["TEXTAREA", "disc"]
    area.fill("-----BEGIN\nmade up\n-----END\n")
    stage.button.click()
    expect(area).to_have_value("")
    assert stage.opened == [{"secret_key": "-----BEGIN\nmade up\n-----END\n"}]


def test_no_field_invites_a_browser_to_keep_it(stage: Stage) -> None:
    stage.show([*TRIPLE, *PASSWORD], "key")
    assert stage.page.locator("form").count() == 0
    inputs = stage.page.locator(".bgs input")
    assert inputs.count() == 5
    for at in range(5):
        one = inputs.nth(at)
        shown = [one.get_attribute(name) for name in ("type", "autocomplete", "name", "spellcheck")]
        assert shown == ["password", "one-time-code", None, "false"]


def test_a_new_password_is_compared_here_and_sealed_once(stage: Stage) -> None:
    stage.show(PASSWORD, "create")
    first, second = stage.field("New master password"), stage.field("New master password, again")
    first.fill(PASSPHRASE)
    second.press_sequentially(PASSPHRASE[:5])
    assert stage.problem("New master password") == ""  # on the way to the same is not wrong yet
    second.press_sequentially("x")
    assert stage.problem("New master password") == "✕ The two are not the same."
    stage.button.click()
    assert stage.opened == []
    second.fill(PASSPHRASE)
    stage.button.click()
    expect(second).to_have_value("")
    assert stage.opened == [{"password": PASSPHRASE}]


@pytest.mark.slow
def test_the_meter_shows_what_the_agent_says_of_the_last_text(stage: Stage) -> None:
    seen: list[str] = []

    def strength(box: Any) -> dict[str, Any]:
        text = stage.intake.open(box)["password"].value
        seen.append(text)
        return {"score": min(4, len(text) // 4), "words": ["Add another word."], "password": text}

    stage.show(PASSWORD, "create", strength=strength)
    first = stage.field("New master password")
    first.fill("short")
    expect(stage.page.get_by_text("Strength: weak. Add another word.")).to_be_visible()
    first.press_sequentially(" and then long", delay=5)
    expect(stage.page.get_by_text("Strength: strong. Add another word.")).to_be_visible()
    assert seen[0] == "short"
    assert seen[-1] == "short and then long"
    assert len(seen) <= 4  # not for every key
    assert stage.page.locator(".bgs-bar").get_attribute("data-score") == "4"
    assert PASSPHRASE not in stage.seen()
    assert "short and then long" not in stage.seen()
    assert_accessible(stage.page)
    first.fill("")
    expect(stage.page.get_by_text("Strength")).to_be_hidden()
    assert stage.opened == []


def test_another_agent_than_the_one_shown_gets_nothing_until_it_was_compared(stage: Stage) -> None:
    stage.show(TRIPLE, "key")
    shown = stage.page.locator(".bgs-fingerprint")
    expect(shown).to_have_text(stage.intake.fingerprint)
    first = stage.intake.fingerprint
    stage.intake = Intake()
    fill(stage)
    stage.button.click()
    expect(stage.status).to_contain_text("The agent has changed")
    expect(shown).to_have_text(stage.intake.fingerprint)
    assert stage.intake.fingerprint != first
    assert [one["kind"] for one in stage.page.evaluate("() => window.sent")] == ["ask", "ask"]
    expect(stage.field("API key")).to_have_value(KEY)
    stage.button.click()
    expect(stage.field("API key")).to_have_value("")
    assert stage.opened == [TEXTS]


def test_labels_say_which_words_the_agent_asks_for(stage: Stage) -> None:
    words = [SealedField("first", "Group #", "code"), SealedField("second", "Group #", "code")]
    stage.show(words, "confirm")
    stage.field("Group 3").fill("AAAA")
    stage.field("Group 7").fill("BBBB")
    stage.asked = [1, 8]
    stage.button.click()
    expect(stage.status).to_contain_text("The agent now asks for other groups")
    expect(stage.field("Group 1")).to_have_value("")
    stage.field("Group 1").fill("CCCC")
    stage.field("Group 8").fill("DDDD")
    stage.button.click()
    expect(stage.field("Group 1")).to_have_value("")
    assert stage.opened == [{"first": "CCCC", "second": "DDDD"}]


def test_the_reply_is_opened_here_shown_and_put_away(stage: Stage) -> None:
    code, away = "AAAA-BBBB-CCCC-DDDD", []
    form = stage.show([SealedField("password", "Password", "password")], "recovery")
    form.on_forgotten(lambda: away.append(True))
    replies: list[Any] = []

    def open_and_reply(box: Any) -> None:
        _, reply = stage.intake.open_to_reply(box)
        replies.append(reply.seal({"recovery_code": Hidden(code)}))
        form.show_reply(replies[-1])

    form._callbacks[:] = [open_and_reply]
    stage.field("Password").fill(PASSPHRASE)
    stage.button.click()
    expect(stage.page.get_by_text(code)).to_be_visible()
    expect(stage.page.get_by_text(code)).to_be_focused()
    expect(stage.button).to_be_hidden()  # nothing is to be typed while it is shown
    assert_accessible(stage.page)
    attributes = stage.page.evaluate(
        "() => [...document.querySelectorAll('*')].flatMap((it) => [...it.attributes].map((a) => a.value)).join(' ')"
    )
    assert code not in attributes + json.dumps(stage.page.evaluate("() => window.sent"))
    stage.page.get_by_role("button", name="hide it").click()
    expect(stage.status).to_contain_text("Hidden")
    expect(stage.button).to_be_visible()
    assert code not in stage.seen()
    assert away == [True]
    stage.deliver(lambda: form.show_reply(replies[-1]))  # its key is gone
    expect(stage.status).to_contain_text("can no longer open the agent's reply")
    assert code not in stage.seen()


def test_a_reply_to_another_box_does_not_open(stage: Stage) -> None:
    form = stage.show([SealedField("password", "Password", "password")], "recovery")
    box = stage.page.evaluate(
        "async (offer) => (await sealed.seal(offer, {password: 'p'})).box",
        stage.intake.offer("o", 300, fields=("password",)),
    )
    reply = stage.intake.open_to_reply(box)[1].seal({"recovery_code": Hidden("AAAA")})
    form._callbacks[:] = [lambda _: form.show_reply(reply)]
    stage.field("Password").fill(PASSPHRASE)
    stage.button.click()
    expect(stage.status).to_contain_text("cannot be opened here")
    assert "AAAA" not in stage.seen()


def test_problems_and_words_of_the_kernel_are_shown_as_text(stage: Stage) -> None:
    form = stage.show([SealedField("password", "<b>Password</b>", "password", "<i>help</i>")], "unlock")
    stage.deliver(lambda: form.show_problem("password", "<img src=x onerror=alert(1)> is wrong"))
    expect(stage.page.get_by_text("<img src=x onerror=alert(1)> is wrong")).to_be_visible()
    expect(stage.field("<b>Password</b>")).to_be_focused()
    stage.deliver(lambda: setattr(form, "status", "<b>Opened.</b>"))
    expect(stage.status).to_have_text("<b>Opened.</b>")
    assert stage.page.locator("main :is(b, i, img)").count() == 0


def test_what_the_agent_refuses_is_said_and_the_form_goes_on(stage: Stage) -> None:
    form = stage.show([SealedField("password", "Password", "password")], "unlock")

    def refuse(_: object) -> None:
        raise AgentUnavailable("no agent is running.", hint="Type: bgresearch vault unlock.")

    form._callbacks[:] = [refuse]
    stage.field("Password").fill(PASSPHRASE)
    stage.button.click()
    expect(stage.status).to_have_text("✕ no agent is running. Type: bgresearch vault unlock.")
    expect(stage.field("Password")).to_have_value("")
    form._callbacks[:] = [stage.open]
    stage.field("Password").fill(PASSPHRASE)
    stage.button.click()
    expect(stage.field("Password")).to_have_value("")
    assert stage.opened == [{"password": PASSPHRASE}]


def test_a_kernel_that_does_not_answer_is_named_and_the_text_stays(stage: Stage) -> None:
    stage.page.clock.install()
    stage.show([SealedField("password", "Password", "password")], "unlock")
    stage.silent = True
    stage.field("Password").fill(PASSPHRASE)
    stage.button.click()
    expect(stage.status).to_have_text("Sealing …")
    stage.page.clock.fast_forward(20_000)
    expect(stage.status).to_contain_text("kernel does not respond")
    expect(stage.field("Password")).to_have_value(PASSPHRASE)
    expect(stage.field("Password")).to_be_editable()


def test_a_closed_form_takes_nothing_and_one_that_is_left_keeps_nothing(stage: Stage) -> None:
    form = stage.show(TRIPLE, "key")
    fill(stage)
    stage.deliver(lambda: setattr(form, "disabled", True))
    expect(stage.button).to_be_disabled()
    expect(stage.field("API key")).to_be_disabled()
    stage.deliver(form.clear)
    expect(stage.field("API key")).to_have_value("")
    expect(stage.field("API key")).to_be_disabled()
    stage.deliver(lambda: setattr(form, "disabled", False))
    fill(stage)
    stage.page.evaluate("() => window.dispatchEvent(new Event('pagehide'))")
    expect(stage.field("API key")).to_have_value("")
    fill(stage)
    left = stage.page.evaluate(
        "() => { const inputs = [...document.querySelectorAll('input')]; window.leave();"
        " return [inputs.map((one) => one.value).join(''), window.handlers.length]; }"
    )
    assert left == ["", 0]


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("width", [320, 900])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_can_be_read_by_everybody_in_every_theme_and_width(stage: Stage, theme: str, width: int) -> None:
    stage.page.set_viewport_size({"width": width, "height": 900})
    if theme == "dark":
        stage.page.evaluate(
            """() => { document.body.dataset.jpThemeLight = "false"; const style = document.body.style;
              style.background = "#111"; const colours = {"ui-font-color0": "#fff", "layout-color1": "#111",
              "layout-color2": "#424242", "brand-color1": "#2196f3"};
              for (const [name, value] of Object.entries(colours)) style.setProperty(`--jp-${name}`, value); }"""
        )
    stage.show([*TRIPLE, *PASSWORD], "key")
    stage.field("API key").fill(SECRET)
    stage.field("SecretKey").fill(f"{SECRET} ")
    stage.button.click()
    assert_accessible(stage.page)
    wide = stage.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    for label in ("API key", "SecretKey", "Passphrase"):
        assert re.match("[✕▲] ", stage.problem(label))  # no meaning by colour alone
