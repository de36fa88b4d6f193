"""The wizard's last pages: the sealed key, its live check, the verdict, and the first balances."""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets as widgets

from bgresearch.agent.error_codec import REFUSALS
from bgresearch.connect import connect, sealed_sandbox_key
from bgresearch.errors import AgentUnavailable, BgresearchError
from bgresearch.forms.finding_widgets import Stages, balances_table, judged
from bgresearch.forms.sealed_input import Answer, Box, SealedField, SealedInput
from bgresearch.forms.widgets import FormPage, Labelled, button, code, listed, note, subheading, verdict
from bgresearch.keys.onboarding import messages, verdicts
from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.onboarding.key_check import passed
from bgresearch.keys.onboarding.purposes import DEMO_FIRST, KINDS_OF_KEY, READ_ONLY, Mode, boxes, lacking, surplus
from bgresearch.keys.onboarding.purposes import Box as Tick

if TYPE_CHECKING:
    from bgresearch.forms.navigator import Navigator

TERMINAL = "bgresearch setup"
FIELDS = (
    SealedField("api_key", "API key", "key"),
    SealedField("secret_key", "SecretKey", "key"),
    SealedField("passphrase", "Passphrase", "passphrase", "The one you chose for this key, not your login password."),
)


class Paste(FormPage):
    """First the key's name, then the sealed form; the name is part of the agent's offer."""

    def __init__(self, wizard: Navigator) -> None:
        self._wizard = wizard
        self.sealed: SealedInput
        demo = any(one.demo for one in wizard.wanted)
        self._demo = demo
        suggested = wizard.progress.label or ("demo" if demo else "research")
        self.label = Labelled(widgets.Text(value=suggested, description=messages.KEY_NAME), messages.LABEL_HELP)
        self._made = (subheading("Make the key on the exchange now"), listed(_to_make(wizard), ordered=True))
        self.body = (*self._made, subheading("Then come back and name it"), self.label)
        self.buttons = (button(messages.NEXT, self._name, main=True),)

    def _name(self) -> None:
        label = self.label.value.strip()
        with self._wizard.asking():
            status = self._wizard.access.status()
            if not status.unlocked:  # locked meanwhile: find out before three texts are typed
                self._wizard.resume()
                return
            taken = {key.label for key in status.keys}
            try:
                if label in taken:
                    self._refuse(messages.LABEL_TAKEN)
                    return
                self._wizard.access.offer("key", label, demo=self._demo)  # whether the vault accepts the name
            except AgentUnavailable:
                raise
            except REFUSALS as refusal:
                self._refuse(str(refusal))
                return
            self._ask_for_key(label)

    def _refuse(self, why: str) -> None:
        self.label.problem(why)
        self._wizard.say(why)

    def _ask_for_key(self, label: str) -> None:
        self.sealed = SealedInput(
            FIELDS, offer=lambda _: self._offer(label), purpose="key", submit=messages.SEAL, terminal=TERMINAL
        )
        self.sealed.on_box(lambda box: self._open(label, box))
        self.body = (note(f"{messages.KEY_NAME}: {label}", messages.KEY_HELP), self.sealed)
        self.buttons = (button(messages.CHANGE_NAME, lambda: self._rename(label)),)
        if self._wizard.access.is_sandbox:
            self.body = (note(messages.SANDBOX_KEY_HELP), *self.body)
            self.buttons = (
                button(messages.SANDBOX_KEY, lambda: self._use_sandbox_key(label), main=True),
                *self.buttons,
            )
        self._wizard.refresh()

    def _rename(self, label: str) -> None:
        self.label.control.value = label
        self.body, self.buttons = (*self._made, self.label), (button(messages.NEXT, self._name, main=True),)
        self._wizard.refresh()

    def _offer(self, label: str) -> Answer:
        try:
            return self._wizard.access.offer("key", label, demo=self._demo)
        except AgentUnavailable as gone:
            self._wizard.resume(str(gone))
            raise

    def _use_sandbox_key(self, label: str) -> None:
        with self._wizard.asking():
            offer = self._wizard.access.offer("key", label, demo=self._demo)["offer"]
            self._open(label, sealed_sandbox_key(offer, "demo" if self._demo else "readonly"))

    def _open(self, label: str, box: Box) -> None:
        with self._wizard.asking():
            answer = self._wizard.access.agent.open(box)
            if answer["staged"] is None:
                for found in answer["findings"]:
                    self.sealed.show_problem(found["field"], found["words"])
                return
            self.sealed.clear()
            self._wizard.warnings = tuple(f"{_named(found['field'])} {found['words']}." for found in answer["findings"])
            holder = self._wizard.agent_state.fingerprint
            self._wizard.forward(label=label, staged=str(answer["staged"]), holder=holder)


class CheckPage(FormPage):
    """The live check: a line for each stage, filled in as the exchange answers."""

    def __init__(self, wizard: Navigator) -> None:
        self._wizard = wizard
        self._page_number = wizard.pages_shown
        self.stages = Stages()
        warned = (verdict("warn", "Check what you typed", *wizard.warnings),) if wizard.warnings else ()
        self.body = (note(messages.CHECKING), *warned, self.stages)

    def shown(self) -> None:
        self._wizard.access.run(self._examine)

    @property
    def _is_late(self) -> bool:
        return self._page_number != self._wizard.pages_shown

    def _examine(self) -> None:
        wizard = self._wizard
        findings: list[Finding] = []
        try:
            examination = wizard.access.agent.examine(wizard.progress.staged)
            for finding in examination:
                if self._is_late:
                    return
                findings.append(finding)
                wizard.say(self.stages.show(finding))
        except REFUSALS as refusal:
            if not self._is_late:
                wizard.resume(str(refusal)) if isinstance(refusal, AgentUnavailable) else self._forgotten(refusal)
            return
        if not self._is_late:
            wizard.found = examination.permissions
            self._show_result(findings)

    def _show_result(self, findings: list[Finding]) -> None:
        again = button(messages.CHECK_AGAIN, lambda: self._wizard.go_to(self._wizard.progress))
        if passed(findings) and self._wizard.found is not None:
            self.buttons = (button(messages.SEE_VERDICT, self._wizard.forward, main=True), again)
            end = verdict("good", messages.CHECK_PASSED)
        else:
            self.buttons = (button(messages.TYPE_AGAIN, self._wizard.back, main=True), again)
            end = verdict("bad", messages.CHECK_FAILED)
        self.body = (*self.body, end)
        self._wizard.refresh()

    def _forgotten(self, refusal: Exception) -> None:
        self.body = (*self.body, verdict("bad", str(refusal)))
        self._wizard.refresh()


class Verdict(FormPage):
    """What the key can do, how to fix it, and whether to keep it; nothing is saved before this."""

    def __init__(self, wizard: Navigator) -> None:
        self._wizard = wizard
        found = wizard.found
        if found is None:
            raise AgentUnavailable("the key has to be checked again.")
        self._found = found
        judgement = verdicts.judge(found)
        self.accepted = widgets.Checkbox(description=verdicts.on_purpose(found), indent=False)
        self.typed = Labelled(
            widgets.Text(description="Type the key's name to keep it anyway"),
            f"The name is {wizard.progress.label}.",
        )
        self.renew = Labelled(
            widgets.DatePicker(value=verdicts.rotate_by(wizard.today, found), description=messages.REMIND),
            messages.REMIND_HELP,
        )
        again = button(
            messages.CHECK_AGAIN,
            lambda: wizard.go_to(replace(wizard.progress, step="check")),
            main=judgement.keep != "yes",
        )
        keep = button(messages.SAVE_KEY, self._keep, main=judgement.keep == "yes", danger=judgement.keep != "yes")
        asked: dict[str, tuple[widgets.Widget, ...]] = {
            "yes": (self.renew,), "on purpose": (self.accepted, self.typed, self.renew), "never": (),
        }  # fmt: skip
        self.body = (
            *judged(found), *_advice(wizard), *asked[judgement.keep],
        )  # fmt: skip
        self.buttons = {"yes": (keep, again), "on purpose": (again, keep), "never": (again,)}[judgement.keep]
        self._on_purpose = judgement.keep == "on purpose"

    def _keep(self) -> None:
        wizard = self._wizard
        self.typed.problem("")
        self.renew.problem("")
        if self._on_purpose and not (self.accepted.value and self.typed.value.strip() == wizard.progress.label):
            self.typed.problem(f"Tick the box above and type {wizard.progress.label}.")
            wizard.say("The key is not saved: tick the box and type its name.")
            return
        date: dt.date | None = self.renew.value
        if date is None or date <= wizard.today:
            wrong = messages.REMIND_MISSING if date is None else messages.REMIND_PAST
            self.renew.problem(wrong)
            wizard.say(wrong)
            return
        with wizard.asking():
            account, staged = self._found.uid, wizard.progress.staged
            wizard.access.agent.keep(staged, account=account, rotate_by=str(date), accept_trade=self._on_purpose)
            wizard.renew = str(date)
            wizard.forward(staged="", holder="")


class Done(FormPage):
    """The label, the reminder, the first balances and lines of code to continue with."""

    def __init__(self, wizard: Navigator) -> None:
        self._wizard = wizard
        self._label = wizard.progress.label
        self.balances = widgets.VBox([note("Loading your balances …")])
        lines = "\n".join(messages.DONE_LINES).format(label=self._label)
        self.body = (
            verdict("good", messages.DONE, f"Key: {self._label}", messages.REMINDER.format(date=wizard.renew)),
            subheading("In Python"), code(lines), subheading("Your balances"), self.balances,
        )  # fmt: skip
        self.buttons = (button(messages.ANOTHER_KEY, wizard.restart),)

    def shown(self) -> None:
        self._wizard.access.run(self._ask)

    def _ask(self) -> None:
        key = self._wizard.access.key(self._label)
        try:
            with connect(key=self._label, base_url=key.host, progress=False) as client, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the table's caption names what the key may not read
                frame = client.account.assets()
        except BgresearchError as error:
            self.balances.children = (verdict("warn", "No balances yet.", str(error)),)
            return
        self._wizard.balances = frame
        self.balances.children = (balances_table(frame),)
        self._wizard.say(f"{messages.DONE}. Your balances are loaded: {len(frame)} rows.")


def _to_make(wizard: Navigator) -> list[str]:
    """Return what to do on the exchange's page, with the choices of the earlier pages."""
    modes: tuple[Mode, ...] = ("unified", "classic")
    ticks = {
        mode: _listed(boxes(wizard.wanted, mode)) for mode in modes if any(mode in one.modes for one in wizard.wanted)
    }
    allowed = ", ".join(wizard.progress.addresses)
    return [
        *([DEMO_FIRST] if any(one.demo for one in wizard.wanted) else []),
        "Sign in on the exchange's site, open its page of API keys, and make a new key.",
        "Choose a passphrase there, and note it: you need it here.",
        READ_ONLY,
        KINDS_OF_KEY,
        *(f"Tick, for a {mode} account: {named}." for mode, named in ticks.items()),
        f"Add to its address list: {allowed}." if allowed else "Leave its address list empty.",
        "Leave the page with the SecretKey open: it is shown once.",
    ]


def _advice(wizard: Navigator) -> tuple[widgets.Widget, ...]:
    """Return what the key lacks for the chosen purposes, and what it does not need."""
    found = wizard.found
    if found is None:
        return ()
    said = []
    if missing := lacking(wizard.wanted, found):
        said.append(messages.LACKING.format(boxes=_listed(missing)))
    if spare := surplus(wizard.wanted, found):
        said.append(messages.LEAST.format(boxes=_listed(spare)))
    return (note(*said),) if said else ()


def _listed(ticks: tuple[Tick, ...]) -> str:
    return ", ".join(tick.words for tick in ticks)


def _named(field: str) -> str:
    return next(one.label for one in FIELDS if one.name == field)
