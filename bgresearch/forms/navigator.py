"""What a page of the wizard may do with the wizard, so that pages and wizard do not import each other."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as widgets

from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.wizard_state import Progress, Standing
from bgresearch.keys.onboarding.purposes import Purpose
from bgresearch.keys.permissions import Permissions

if TYPE_CHECKING:
    import pandas as pd


class Navigator(Protocol):
    """What a page of the wizard may do with the wizard it is shown in."""

    desk: AgentAccess
    progress: Progress
    found: Permissions | None
    balances: pd.DataFrame | None
    warnings: tuple[str, ...]
    renew: str
    today: dt.date
    nav: widgets.Box

    @property
    def wanted(self) -> tuple[Purpose, ...]:
        """The chosen purposes."""

    @property
    def standing(self) -> Standing:
        """The state of vault and agent."""

    @property
    def turns(self) -> int:
        """How many pages were shown: a background job of an earlier page sees that it is no longer wanted."""

    def turn(self, progress: Progress, *, said: str = "", quiet: bool = False) -> None:
        """Show the page of this progress."""

    def refresh(self, *, quiet: bool = False) -> None:
        """Draw the current page again."""

    def forward(self, **changes: Any) -> None:
        """Go to the next page."""

    def back(self) -> None:
        """Go to the page before."""

    def restart(self) -> None:
        """Begin with another key."""

    def resume(self, why: str = "") -> None:
        """Go to the first page that the agent's state allows."""

    def asking(self) -> contextlib.AbstractContextManager[None]:
        """Show what the agent refuses instead of raising it."""

    def say(self, words: str) -> None:
        """Announce a sentence to screen readers."""
