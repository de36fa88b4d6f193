"""The wizard: eight pages that end in a checked key. Knows where somebody is, and nothing secret."""

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
from bgresearch.forms.widgets import Form, FormPage, button, verdict
from bgresearch.forms.wizard_state import (
    Progress,
    Standing,
    Step,
    back,
    can_go_back,
    forward,
    has_lost,
    resumed,
    words_of,
)
from bgresearch.keys.onboarding import messages as words
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
    desk : Desk
        The agent.
    today : date, optional
        For tests.

    Attributes
    ----------
    progress : Progress
        Where somebody is and what was chosen.
    found : Permissions or None
        What the exchange says about the key in hand.
    balances : DataFrame or None
        The first balances, at the end.
    warnings : tuple of str
        What looked odd in the texts that were sealed last, without the texts.
    renew : str
        The date of the reminder.
    page : Page
        What is shown.
    """

    def __init__(self, desk: AgentAccess, *, today: dt.date | None = None) -> None:
        super().__init__(words.TITLE)
        self.desk = desk
        self.today = today or dt.datetime.now(dt.UTC).date()
        self.found: Permissions | None = None
        self.balances: pd.DataFrame | None = None
        self.warnings: tuple[str, ...] = ()
        self.renew = ""
        self.page: FormPage
        self._turns, self._said = 0, ""
        progress, said = resumed(desk.recall(), desk.standing())
        self.turn(progress, said=said, quiet=True)

    @property
    def wanted(self) -> tuple[Purpose, ...]:
        """What is to be done with the key."""
        return tuple(PURPOSES[name] for name in PURPOSES if name in self.progress.purposes)

    @property
    def standing(self) -> Standing:
        """What the agent says just now."""
        return self.desk.standing()

    @property
    def turns(self) -> int:
        """Counts the pages that were shown: work for an older one has come too late."""
        return self._turns

    def turn(self, progress: Progress, *, said: str = "", quiet: bool = False) -> None:
        """Show the page of another step."""
        self._turns += 1
        self.progress, self._said = progress, said
        self.desk.remember(progress)
        self.page = _PAGES[progress.step](self)
        self.refresh(quiet=quiet)
        self.page.shown()

    def refresh(self, *, quiet: bool = False) -> None:
        """Show the page as it is now, after it has changed."""
        around = [button("Back", self.back)] if can_go_back(self.progress) else []
        if self.progress.step not in {"before", "done"}:
            around.append(button("Start over", self.restart))
        body = [verdict("unknown", self._said), *self.page.body] if self._said else self.page.body
        heading = words.STEP_TITLES[self.progress.step]
        self.show(heading, body, [*self.page.buttons, *around], progress=words_of(self.progress.step), quiet=quiet)
        self.say(self._said)

    def forward(self, **changes: Any) -> None:
        """Go on, with what was chosen here."""
        with self.asking():
            standing = self.standing
            if has_lost(self.progress, standing):
                self.resume()
            else:
                self.turn(forward(replace(self.progress, **changes), standing))

    def back(self) -> None:
        """Go to the page before; a sealed key that is not kept is forgotten."""
        with self.asking():
            self._discard()
            self.turn(back(self.progress, self.standing))

    def restart(self) -> None:
        """Forget what was chosen, and what was sealed but not kept."""
        with self.asking():
            self._discard()
        self.warnings, self.found = (), None
        self.turn(Progress())

    def resume(self, why: str = "") -> None:
        """Show where somebody stands after the agent has ended or locked in the middle."""
        progress, said = resumed(self.progress, self.standing)
        self.turn(progress, said=said or why)

    def asking(self) -> contextlib.AbstractContextManager[None]:
        """Have what the agent refuses shown in words; if it has gone, where that leaves the person."""
        return _Asking(self)

    def show_refusal(self, refusal: Exception) -> None:
        """Show it above the page."""
        shown = [child for child in self.body.children if "bg-refusal" not in child._dom_classes]
        told = verdict("bad", str(refusal))
        told.add_class("bg-refusal")
        self.body.children = (told, *shown)
        self.say(str(refusal))

    def _discard(self) -> None:
        if self.progress.staged:
            with contextlib.suppress(AgentUnavailable):
                self.desk.agent.discard(self.progress.staged)


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
