"""The interface of the wizard to its pages, so that pages and wizard do not import each other."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as widgets

from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.wizard_state import AgentState, Progress
from bgresearch.keys.onboarding.purposes import Purpose
from bgresearch.keys.permissions import Permissions

if TYPE_CHECKING:
    import pandas as pd


class Navigator(Protocol):
    """The interface of the wizard to the page that it shows."""

    access: AgentAccess
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
    def agent_state(self) -> AgentState:
        """The state of vault and agent."""

    @property
    def pages_shown(self) -> int:
        """How many pages were shown: a background job of an earlier page sees that it is out of date."""

    def go_to(self, progress: Progress, *, said: str = "", quiet: bool = False) -> None:
        """Show the page of this progress."""

    def refresh(self, *, quiet: bool = False) -> None:
        """Draw the current page again."""

    def forward(self, **changes: Any) -> None:
        """Go to the next page."""

    def back(self) -> None:
        """Go to the previous page."""

    def restart(self) -> None:
        """Begin with another key."""

    def resume(self, why: str = "") -> None:
        """Go to the first page that the agent's state allows."""

    def asking(self) -> contextlib.AbstractContextManager[None]:
        """Show the agent's errors instead of raising them."""

    def say(self, text: str) -> None:
        """Announce a sentence to screen readers."""
