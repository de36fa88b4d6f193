"""Unlocks the vault: the master password or the recovery code, sealed in the browser.

The system's keyring is not offered here, on purpose: it is set up in a terminal.
"""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from bgresearch.agent.requests import Purpose
from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.sealed_input import Box, SealedField, SealedInput
from bgresearch.forms.widgets import Form, button, note, verdict
from bgresearch.keys.onboarding import messages

TERMINAL = "bgresearch vault unlock"
_FIELDS: dict[Purpose, SealedField] = {
    "unlock": SealedField("password", messages.MASTER_PASSWORD, "password"),
    "recover": SealedField("recovery_code", "Recovery code", "code"),
}
_HELP: dict[Purpose, str] = {
    "unlock": messages.OPEN_VAULT,
    "recover": "Your vault is locked. Type the recovery code that you wrote down: eight groups, dashes or not.",
}
_OTHER_WAY: dict[Purpose, tuple[str, Purpose]] = {
    "unlock": ("Use the recovery code instead", "recover"),
    "recover": ("Use the master password instead", "unlock"),
}


class Unlocking(widgets.VBox):  # type: ignore[misc]  # its base has no types
    """The sealed form and a button for the other one.

    Parameters
    ----------
    access : AgentAccess
        Gives access to the agent.
    opened : callable
        Called once the vault is open.
    """

    def __init__(self, access: AgentAccess, opened: Callable[[], object]) -> None:
        super().__init__()
        self._access, self._opened = access, opened
        self.sealed: SealedInput
        self._choose("unlock")

    def _choose(self, purpose: Purpose) -> None:
        self.sealed = SealedInput(
            [_FIELDS[purpose]], offer=lambda _: self._access.offer(purpose), purpose=purpose, submit=messages.UNLOCK,
            terminal=TERMINAL,
        )  # fmt: skip
        self.sealed.on_box(self._open)
        caption, other = _OTHER_WAY[purpose]
        row = widgets.HBox([button(caption, lambda: self._choose(other))])
        row.add_class("bg-nav")
        self.children = (note(_HELP[purpose]), self.sealed, row)

    def _open(self, box: Box) -> None:
        self._access.agent.unlock(box)
        self.sealed.clear()
        self._opened()


class Unlock(Form):
    """The form of ``bg.unlock()``."""

    def __init__(self, access: AgentAccess) -> None:
        super().__init__("Unlock the vault", sandbox=access.is_sandbox)
        self._access = access
        self._show(quiet=True)

    def _show(self, *, quiet: bool = False) -> None:
        status = self._access.status()
        if not status.exists:
            body = [verdict("unknown", "There is no vault yet.", "bg.setup() makes one together with your first key.")]
            self.show("Unlock the vault", body, [button("Refresh", self._show)], quiet=quiet)
        elif status.unlocked:
            count = len(status.keys)
            counted = f"It holds {count} {'key' if count == 1 else 'keys'}."
            until = f"It locks by itself after {status.locks_in_s / 60:.0f} minutes without a request."
            body = [verdict("good", "The vault is open.", counted, until)]
            self.show("Your vault", body, [button("Lock", self._lock)], quiet=quiet)
            self.say("The vault is open.")
        else:
            self.show("Unlock the vault", [Unlocking(self._access, self._show)], quiet=quiet)

    def _lock(self) -> None:
        self._access.agent.lock()
        self._show()
