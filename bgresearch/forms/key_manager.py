"""The key manager: a table of keys; for the chosen one check, replace, rename, remove, or what to do if it leaked."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Callable

import ipywidgets as widgets

from bgresearch.agent.client import AgentKey
from bgresearch.agent.error_codec import REFUSALS
from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.key_rotation import Rotating
from bgresearch.forms.permission_report import report
from bgresearch.forms.unlock import Unlocking
from bgresearch.forms.widgets import Form, Labelled, badge, button, listed, note, subheading, table, verdict
from bgresearch.keys.onboarding import messages

_HEADING = "Your keys"
_GONE = "Removed {label!r} here too. Make a new key with bg.setup()."
_COLUMNS = ("Name", "Verdict", "Replace by", "Environment", "Account", "Age", "Last used")


class Manager(Form):
    """The form of ``bg.keys()``.

    Parameters
    ----------
    access : AgentAccess
        Gives access to the agent.
    today : date, optional
        For tests.
    """

    def __init__(self, access: AgentAccess, *, today: dt.date | None = None) -> None:
        super().__init__("Key manager", broad=True, sandbox=access.is_sandbox)
        self.access = access
        self.today = today or dt.datetime.now(dt.UTC).date()
        self.chosen = Labelled(widgets.Dropdown(description="Key"))
        self.overview(quiet=True)

    def overview(self, said: str = "", *, quiet: bool = False) -> None:
        """Show the table of keys, and the result of the last action."""
        status = self.access.status()
        result = [verdict("good", said)] if said else []
        if not status.exists:
            body = [note("There is no vault yet. bg.setup() makes one together with your first key.")]
            self.show(_HEADING, body, [button("Refresh", self.overview)], quiet=quiet)
        elif not status.unlocked:
            self.show(_HEADING, [Unlocking(self.access, self.overview)], quiet=quiet)
        elif not status.keys:
            empty = note("The vault is open and holds no key. bg.setup() makes one.")
            self.show(_HEADING, [*result, empty], [button("Refresh", self.overview)], quiet=quiet)
        else:
            labels = [key.label for key in status.keys]
            before = self.chosen.value
            self.chosen.control.options = labels
            self.chosen.control.value = before if before in labels else labels[0]
            reminders = [f"{key.label}: {key.reminder}" for key in status.keys if key.reminder]
            due = [verdict("warn", "To do", *reminders)] if reminders else []
            rows = [self._row(key) for key in status.keys]
            body = [*result, *due, table("Keys in the vault", _COLUMNS, rows, wide=True), self.chosen]
            self.show(_HEADING, body, self._actions(), quiet=quiet)
        self.say(said)

    def ask(self, action: Callable[[], str]) -> None:
        """Run an action of the agent and go back to the table; an error is shown on the present page."""
        try:
            said = action()
        except REFUSALS as refusal:
            shown = [child for child in self.body.children if "bg-refusal" not in child._dom_classes]
            shown_refusal = verdict("bad", str(refusal))
            shown_refusal.add_class("bg-refusal")
            self.body.children = (shown_refusal, *shown)
            self.say(str(refusal))
            return
        self.overview(said)

    def _actions(self) -> list[widgets.Button]:
        return [
            button("Check", self._check, main=True),
            button("Replace", self._rotate),
            button("Rename", self._rename),
            button("Remove", self._remove),
            button("It may have leaked", self._leaked, danger=True),
        ]

    def _row(self, key: AgentKey) -> list[str]:
        return [
            html.escape(key.label), _verdict(key), html.escape(key.rotate_by or "-"), "demo" if key.demo else "live",
            html.escape(key.account or "-"), _age(key, self.today), html.escape(key.last_used or "never"),
        ]  # fmt: skip

    def _page(self, heading: str, body: list[widgets.Widget], buttons: list[widgets.Button]) -> None:
        self.show(f"{heading}: {self.chosen.value}", body, [*buttons, button("Back to the table", self.overview)])

    def _check(self) -> None:
        label = self.chosen.value
        self._page("Check", [note(messages.CHECKING)], [])
        self.access.run(lambda: self._checked(label))

    def _checked(self, label: str) -> None:
        try:
            findings, found = self.access.agent.check(label)
        except REFUSALS as refusal:
            self.body.children = (verdict("bad", str(refusal)),)
            self.say(str(refusal))
            return
        self.body.children = tuple(report(findings, found))
        self.say("The report is ready.")

    def _rotate(self) -> None:
        label = self.chosen.value
        try:
            rotating = Rotating(self, self.access.key(label))
        except REFUSALS as refusal:  # the vault was locked meanwhile, or the key removed elsewhere
            self.overview()
            self.say(str(refusal))
            return
        self._page("Replace", [listed(messages.ROTATE, ordered=True), rotating], [])

    def _rename(self) -> None:
        label = self.chosen.value
        name = Labelled(widgets.Text(value=label, description="New name"), messages.LABEL_HELP)

        def rename() -> str:
            new = name.value.strip()
            self.access.agent.rename(label, new)
            self.chosen.control.options = (new,)
            return f"{label!r} was renamed to {new!r}."

        self._page("Rename", [name], [button("Rename", lambda: self.ask(rename), main=True)])

    def _remove(self) -> None:
        label = self.chosen.value
        self._page("Remove", [verdict("warn", messages.REMOVE)], [self._remover(label, messages.REMOVED)])

    def _remover(self, label: str, said: str) -> widgets.Button:
        def remove() -> str:
            self.access.agent.remove(label)
            return said.format(label=label)

        return button("Remove it here", lambda: self.ask(remove), danger=True)

    def _leaked(self) -> None:
        """First the exchange, then the rest: the key is removed from the vault only once it is deleted there."""
        label = self.chosen.value
        deleted = widgets.Checkbox(description=messages.COMPROMISED_DELETED, indent=False)
        warning = widgets.VBox()

        def go_on() -> None:
            if not deleted.value:
                warning.children = (verdict("bad", messages.COMPROMISED_NOT_YET),)
                self.say(messages.COMPROMISED_NOT_YET)
                return
            body = [subheading("Then"), listed(messages.COMPROMISED, ordered=True)]
            self._page("It may have leaked", body, [self._remover(label, _GONE)])

        first = verdict("bad", messages.COMPROMISED_FIRST)
        self._page("It may have leaked", [first, deleted, warning], [button(messages.NEXT, go_on, main=True)])


def _verdict(key: AgentKey) -> str:
    if not key.last_verdict:
        return badge("unknown", "not checked yet")
    if key.last_verdict != "read-only":
        return badge("bad", key.last_verdict)
    return badge("good", "read-only") if key.has_addresses else badge("warn", "read-only, from anywhere")


def _age(key: AgentKey, today: dt.date) -> str:
    days = (today - dt.date.fromisoformat(key.created[:10])).days if key.created else None
    return "-" if days is None else "today" if days <= 0 else f"{days} {'day' if days == 1 else 'days'}"
