"""Replaces a key: the new one is sealed and checked before it replaces the old one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Protocol

import ipywidgets as widgets

from bgresearch.agent.client import AgentKey
from bgresearch.agent.error_codec import REFUSALS
from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.finding_widgets import Stages, judged
from bgresearch.forms.pages_key import FIELDS
from bgresearch.forms.sealed_input import Box, SealedInput
from bgresearch.forms.widgets import button, note, verdict
from bgresearch.keys.onboarding import messages, verdicts
from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.permissions import Permissions


class KeyTable(Protocol):
    """The interface of the form that shows a rotation."""

    access: AgentAccess
    today: dt.date

    def ask(self, action: Callable[[], str]) -> None:
        """Run an action of the agent and show its result or its error."""

    def say(self, text: str) -> None:
        """Announce a sentence to screen readers."""


class Rotating(widgets.VBox):  # type: ignore[misc]  # its base has no types
    """The sealed form, then the check, then the verdict.

    Parameters
    ----------
    manager : KeyTable
        Where it is shown.
    key : AgentKey
        The one to replace.
    """

    def __init__(self, manager: KeyTable, key: AgentKey) -> None:
        self._manager, self._key = manager, key
        self.sealed = SealedInput(
            FIELDS, offer=lambda _: manager.access.offer("rotate", key.label, demo=key.demo), purpose="rotate",
            submit=messages.SEAL, terminal=f"bgresearch keys rotate {key.label}",
        )  # fmt: skip
        self.sealed.on_box(self._open)
        super().__init__([note(messages.BOUND_TO.format(label=key.label, host=key.host)), self.sealed])

    def _open(self, box: Box) -> None:
        answer = self._manager.access.agent.open(box)
        if answer["staged"] is None:
            for found in answer["findings"]:
                self.sealed.show_problem(found["field"], found["words"])
            return
        self.sealed.clear()
        staged = str(answer["staged"])
        self._manager.access.run(lambda: self._examine(staged))

    def _examine(self, staged: str) -> None:
        stages = Stages()
        self.children = (stages,)
        findings: list[Finding] = []
        try:
            examination = self._manager.access.agent.examine(staged)
            for finding in examination:
                findings.append(finding)
                self._manager.say(stages.show(finding))
        except REFUSALS as refusal:
            self._end(stages, verdict("bad", str(refusal)))
            return
        found = examination.permissions
        why_not = verdicts.may_keep(findings, found)
        if found is None or why_not:
            shown = judged(found) if found is not None else (verdict("bad", messages.CHECK_FAILED),)
            self._end(stages, *shown)
            self._manager.access.agent.discard(staged)
        else:
            self._end(stages, *judged(found), button("Replace the key", lambda: self._keep(staged, found), main=True))

    def _end(self, *shown: widgets.Widget) -> None:
        again = button("Type another key", lambda: setattr(self, "children", (self.sealed,)))
        self.children = (*shown, again)

    def _keep(self, staged: str, found: Permissions) -> None:
        manager, label = self._manager, self._key.label

        def keep() -> str:
            date = verdicts.rotate_by(manager.today, found).isoformat()
            manager.access.agent.keep(staged, account=found.uid, rotate_by=date)
            return messages.ROTATED.format(label=label)

        manager.ask(keep)
