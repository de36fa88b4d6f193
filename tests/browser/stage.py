"""A sealed input on a bare page: real Python on one side, real Chromium on the other, and no Jupyter between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page

from bgresearch.forms import SealedField, SealedInput
from tests.forms.wires import Wire, hear, wired
from vault.intake import Intake

ORIGIN = "http://127.0.0.1:9"  # nothing listens there; the page comes from the test
TRIPLE = [
    SealedField("api_key", "API key", help="It starts with bg_."),
    SealedField("secret_key", "SecretKey"),
    SealedField("passphrase", "Passphrase", "passphrase"),
]
PASSWORD = [SealedField("password", "New master password", "password", "Take a few words.", is_new=True)]

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Stage</title>
<style id="style"></style></head><body><main id="stage"></main></body></html>"""
_SET_UP = """async ([script, style]) => {
  document.querySelector("#style").textContent = style;
  window.sealed = await import(URL.createObjectURL(new Blob([script], {type: "text/javascript"})));
}"""
_RAISE = """async (state) => {
  const handlers = [];
  const fire = (name, ...told) => handlers.filter(([names]) => names.split(" ").includes(name))
    .forEach(([, act]) => act(...told));
  window.deliver = (messages) => messages.forEach((message) => {
    if (message.method === "custom") fire("msg:custom", message.content, []);
    else for (const [name, value] of Object.entries(message.state)) { state[name] = value; fire(`change:${name}`); }
  });
  window.sent = [];
  const model = {
    get: (name) => state[name],
    on: (names, act) => handlers.push([names, act]),
    off: (names, act) => handlers.splice(handlers.findIndex((one) => one[1] === act), 1),
    send: async (content) => { window.sent.push(content); window.deliver(await window.toKernel(content)); },
  };
  const el = document.querySelector("#stage");
  el.replaceChildren();
  window.handlers = handlers;
  window.leave = await window.sealed.default.render({model, el});
}"""


class Stage:
    """A form shown on a page.

    Attributes
    ----------
    intake : Intake
        Who opens what is sealed; replace it, and another agent is there.
    opened : list of dict
        The texts of the boxes that came, by field.
    silent : bool
        Whether the kernel has stopped answering.
    """

    def __init__(self, context: BrowserContext, origin: str = ORIGIN) -> None:
        self.page: Page = context.new_page()
        self.intake, self.silent, self.asked = Intake(), False, [3, 7]
        self.opened: list[dict[str, str]] = []
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.expose_function("toKernel", self._hear)
        self.page.route(f"{origin}/**", lambda route: route.fulfill(body=_PAGE, content_type="text/html"))
        self.page.goto(f"{origin}/")
        self.page.evaluate(_SET_UP, [str(SealedInput._esm), str(SealedInput._css)])

    def show(self, fields: list[SealedField], purpose: str, **options: Any) -> SealedInput:
        """Show a form and wait until it knows its agent."""
        self.form = self.prepare(fields, purpose, **options)
        self.page.get_by_text("Sealed for the agent").wait_for()
        return self.form

    def prepare(self, fields: list[SealedField], purpose: str, **options: Any) -> SealedInput:
        names = tuple(field.name for field in fields)

        def offer(asked: str) -> dict[str, Any]:
            wanted = ("password",) if asked == "strength" else names
            made = {
                "offer": self.intake.offer("research ü", 300, fields=wanted),
                "fingerprint": self.intake.fingerprint,
            }
            return {**made, "asked": self.asked} if purpose == "confirm" else made

        self.form = SealedInput(
            fields, offer=offer, purpose=purpose, terminal="bgresearch vault add research", **options
        )
        self.form.on_box(self.open)
        self.wire: Wire = wired(self.form)
        state = {name: value for name, value in self.form.get_state().items() if _is_plain(value)}
        self.page.evaluate(_RAISE, state)
        return self.form

    def open(self, box: Any) -> dict[str, str]:
        texts = {name: text.value for name, text in self.intake.open(box).items()}
        self.opened.append(texts)
        return texts

    def deliver(self, act: Callable[[], object]) -> None:
        """Do something on the kernel's side and have the page receive it."""
        act()
        self.page.evaluate("messages => window.deliver(messages)", self.wire.taken())

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(label, exact=True)

    @property
    def button(self) -> Locator:
        return self.page.locator(".bgs-submit")

    @property
    def status(self) -> Locator:
        return self.page.get_by_role("status")

    def problem(self, label: str) -> str:
        """What is said beneath a field."""
        return self.page.locator(".bgs-field", has=self.field(label)).locator(".bgs-problem").inner_text()

    def seen(self) -> str:
        """Everything that the page holds where others could read it: markup with attributes, and what was sent."""
        reported = self.page.evaluate("() => [document.documentElement.outerHTML, JSON.stringify(window.sent)]")
        return "\n".join([*reported, *self.complaints])

    def _hear(self, message: Any) -> list[dict[str, Any]]:
        if self.silent:
            return []
        hear(self.form, message)
        return self.wire.taken()


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True
