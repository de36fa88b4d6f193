"""The wizard: eight pages that end in a checked key. Holds the user's progress, and nothing secret."""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import replace
from typing import Any

import pandas as pd

from bgresearch.agent.error_codec import REFUSALS
from bgresearch.errors import AgentUnavailable
from bgresearch.forms import page_vault as opening
from bgresearch.forms import pages_key as proving
from bgresearch.forms import pages_purpose as choosing
from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.widgets import Form, FormPage, button, explained, verdict
from bgresearch.forms.wizard_state import (
    STEPS,
    AgentState,
    Progress,
    Step,
    back,
    can_go_back,
    forward,
    has_lost,
    progress_text,
    resumed,
)
from bgresearch.keys.onboarding import messages
from bgresearch.keys.onboarding.glossary import TERMS, TERMS_OF
from bgresearch.keys.onboarding.purposes import PURPOSES, Purpose
from bgresearch.keys.permissions import Permissions

_PAGES: dict[Step, Any] = {
    "before": choosing.Before,
    "purpose": choosing.Purposes,
    "address": choosing.Addresses,
    "open": opening.VaultPage,
    "key": proving.Paste,
    "check": proving.CheckPage,
    "verdict": proving.Verdict,
    "done": proving.Done,
}


class Wizard(Form):
    """The form of ``bg.setup()``.

    Parameters
    ----------
    access : AgentAccess
        Gives access to the agent.
    today : date, optional
        For tests.

    Attributes
    ----------
    progress : Progress
        The current step and what was chosen.
    found : Permissions or None
        The permissions of the key that is being set up.
    balances : DataFrame or None
        The first balances, at the end.
    warnings : tuple of str
        Hints about the texts that were sealed last, without the texts.
    renew : str
        The date of the reminder.
    page : FormPage
        The page that is shown.
    """

    def __init__(self, access: AgentAccess, *, today: dt.date | None = None) -> None:
        super().__init__(messages.TITLE, sandbox=access.is_sandbox)
        self.guide.steps = [messages.STEP_NAMES[step] for step in STEPS]
        self.access = access
        self.today = today or dt.datetime.now(dt.UTC).date()
        self.found: Permissions | None = None
        self.balances: pd.DataFrame | None = None
        self.warnings: tuple[str, ...] = ()
        self.renew = ""
        self.page: FormPage
        self._pages_shown, self._said = 0, ""
        progress, said = resumed(access.recall(), access.agent_state())
        self.go_to(progress, said=said, quiet=True)

    @property
    def wanted(self) -> tuple[Purpose, ...]:
        """The chosen purposes of the key."""
        return tuple(PURPOSES[name] for name in PURPOSES if name in self.progress.purposes)

    @property
    def agent_state(self) -> AgentState:
        """The present state of vault and agent."""
        return self.access.agent_state()

    @property
    def pages_shown(self) -> int:
        """Counts the pages that were shown: results for an earlier one are ignored."""
        return self._pages_shown

    def go_to(self, progress: Progress, *, said: str = "", quiet: bool = False) -> None:
        """Show the page of another step."""
        self._pages_shown += 1
        self.progress, self._said = progress, said
        self.access.remember(progress)
        self.page = _PAGES[progress.step](self)
        self.refresh(quiet=quiet)
        self.page.shown()

    def refresh(self, *, quiet: bool = False) -> None:
        """Show the page again after it has changed."""
        navigation = [button(messages.BACK, self.back)] if can_go_back(self.progress) else []
        if self.progress.step not in {"before", "done"}:
            navigation.append(button(messages.START_OVER, self.restart))
        body = [verdict("unknown", self._said), *self.page.body] if self._said else self.page.body
        body = [*body, explained(TERMS[term] for term in TERMS_OF[self.progress.step])]
        heading = messages.STEP_TITLES[self.progress.step]
        self.guide.step = STEPS.index(self.progress.step)
        self.show(
            heading, body, [*self.page.buttons, *navigation], progress=progress_text(self.progress.step), quiet=quiet
        )
        self.say(self._said)

    def forward(self, **changes: Any) -> None:
        """Go to the next page, with the choices of this one."""
        with self.asking():
            agent_state = self.agent_state
            if has_lost(self.progress, agent_state):
                self.resume()
            else:
                self.go_to(forward(replace(self.progress, **changes), agent_state))

    def back(self) -> None:
        """Go to the previous page; a sealed key that is not saved is discarded."""
        with self.asking():
            self._discard()
            self.go_to(back(self.progress, self.agent_state))

    def restart(self) -> None:
        """Discard the choices, and a key that was sealed but not saved."""
        with self.asking():
            self._discard()
        self.warnings, self.found = (), None
        self.go_to(Progress())

    def resume(self, why: str = "") -> None:
        """Show the page to continue from after the agent has ended or locked in the middle."""
        progress, said = resumed(self.progress, self.agent_state)
        self.go_to(progress, said=said or why)

    def asking(self) -> contextlib.AbstractContextManager[None]:
        """Show the agent's errors in the form; if the agent has ended, show the page to continue from."""
        return _Asking(self)

    def show_refusal(self, refusal: Exception) -> None:
        """Show it above the page."""
        shown = [child for child in self.body.children if "bg-refusal" not in child._dom_classes]
        shown_refusal = verdict("bad", str(refusal))
        shown_refusal.add_class("bg-refusal")
        self.body.children = (shown_refusal, *shown)
        self.say(str(refusal))

    def _discard(self) -> None:
        if self.progress.staged:
            with contextlib.suppress(AgentUnavailable):
                self.access.agent.discard(self.progress.staged)


class _Asking(contextlib.AbstractContextManager[None]):
    def __init__(self, wizard: Wizard) -> None:
        self._wizard = wizard

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, AgentUnavailable):
            self._wizard.resume(str(error))
            return True
        if isinstance(error, REFUSALS):
            self._wizard.show_refusal(error)
            return True
        return False
