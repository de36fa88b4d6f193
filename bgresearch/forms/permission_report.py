"""The permission report: what a stored key may do, as a matrix, with advice and what each area of the table needs."""

from __future__ import annotations

import html

import ipywidgets as widgets

from bgresearch.agent.error_codec import REFUSALS
from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.finding_widgets import Stages, areas, judged, rights
from bgresearch.forms.widgets import Form, button, listed, note, subheading, table, verdict
from bgresearch.keys.onboarding import messages
from bgresearch.keys.onboarding.finding import Finding
from bgresearch.keys.onboarding.purposes import PURPOSES, Box, Mode, boxes
from bgresearch.keys.permissions import Permissions


class PermissionReport(Form):
    """The form of ``bg.check("name")``.

    Parameters
    ----------
    access : AgentAccess
        Gives access to the agent.
    label : str
        The key's name.

    Attributes
    ----------
    found : Permissions or None
        The result of the last check.
    """

    def __init__(self, access: AgentAccess, label: str) -> None:
        super().__init__(f"Permission report of {label}", broad=True, sandbox=access.is_sandbox)
        self.found: Permissions | None = None
        self._access, self._label = access, label
        access.key(label)  # a wrong name is an error in the cell that has it
        self._check(quiet=True)

    def _check(self, *, quiet: bool = False) -> None:
        self.show(f"What {self._label} may do", [note(messages.CHECKING), Stages()], quiet=quiet)
        self._access.run(self._ask)

    def _ask(self) -> None:
        again = button(messages.CHECK_AGAIN, self._check)
        try:
            findings, self.found = self._access.agent.check(self._label)
        except REFUSALS as refusal:
            self.body.children, self.nav.children = (verdict("bad", str(refusal)),), (again,)
            self.say(str(refusal))
            return
        self.body.children = tuple(report(findings, self.found))
        self.nav.children = (again,)
        self.say("The report is ready.")


def report(findings: tuple[Finding, ...], found: Permissions | None) -> list[widgets.Widget]:
    """Return the result of a check: the stages alone where the exchange refused the key."""
    if found is None:
        return [verdict("bad", messages.CHECK_FAILED), Stages(findings)]
    where = ", ".join(found.addresses) or "any address"
    account = f"Account {found.uid}, {found.mode}{', demo' if found.demo else ''}; usable from {where}."
    return [
        *judged(found),
        note(account),
        subheading("Advice"),
        listed(found.advice or ["Nothing to do."]),
        rights(found),
        areas(found),
        _least(found.mode),
        subheading("The check"),
        Stages(findings),
    ]


def _least(mode: Mode) -> widgets.HTML:
    """Return the boxes that each purpose needs for an account in this mode."""
    needed = {one.title: boxes([one], mode) for one in PURPOSES.values() if not one.demo}
    rows = [[html.escape(title), html.escape(_named(ticks))] for title, ticks in needed.items() if ticks]
    return table(f"The least that each purpose needs, {mode} account", ["Purpose", "Boxes to tick (read-only)"], rows)


def _named(ticks: tuple[Box, ...]) -> str:
    return ", ".join(box.words for box in ticks)
