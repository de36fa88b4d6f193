"""The wizard's page for the vault: create one with a master password and a recovery code, or unlock it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgresearch.forms.sealed_input import Answer, Box, SealedField, SealedInput
from bgresearch.forms.unlock import Unlocking
from bgresearch.forms.widgets import FormPage, button, note, verdict
from bgresearch.keys.onboarding import messages

if TYPE_CHECKING:
    from bgresearch.forms.navigator import Navigator

TERMINAL = "bgresearch setup"
_WEAKEST = 3  # of 0 to 4: no warning from this score on


class VaultPage(FormPage):
    """Create the vault, show a recovery code, confirm two of its groups; or unlock."""

    def __init__(self, wizard: Navigator) -> None:
        self._wizard = wizard
        self.sealed: SealedInput
        if wizard.agent_state.exists:
            self.unlocking = Unlocking(wizard.access, wizard.forward)
            self.body = (self.unlocking,)
        else:
            self._ask_for_password()

    def _ask_for_password(self) -> None:
        field = SealedField("password", messages.NEW_PASSWORD, "password", is_new=True)
        self.sealed = SealedInput(
            [field], offer=lambda purpose: self._wizard.access.offer("strength" if purpose == "strength" else "create"),
            purpose="create", submit=messages.CREATE_VAULT, terminal=TERMINAL, strength=self._strength,
        )  # fmt: skip
        self.sealed.on_box(self._create)
        self.body = (note(messages.NEW_VAULT), self.sealed)

    def _strength(self, box: Box) -> Answer:
        answer = self._wizard.access.agent.open(box)
        weak = [messages.PASSWORD_WEAK] if answer["score"] < _WEAKEST else []
        return {**answer, "words": [*weak, *answer["words"]]}

    def _create(self, box: Box) -> None:
        self._wizard.access.agent.open(box)
        self.sealed.clear()
        self._offer_recovery()

    def _offer_recovery(self) -> None:
        self.sealed = SealedInput(
            [SealedField("password", f"{messages.MASTER_PASSWORD}, again", "password")],
            offer=lambda _: self._wizard.access.offer("recovery"), purpose="recovery", submit=messages.SHOW_RECOVERY,
            terminal="bgresearch vault recovery",
        )  # fmt: skip
        self.sealed.on_box(self._show_code)
        self.sealed.on_forgotten(self._ask_for_groups)
        made = verdict("good", messages.VAULT_CREATED, messages.RECOVERY_OFFER)
        self.body = (made, self.sealed)
        self.buttons = (button(messages.NO_RECOVERY, self._wizard.forward),)
        self._wizard.refresh()

    def _show_code(self, box: Box) -> None:
        self.sealed.show_reply(self._wizard.access.agent.open(box)["reply"])
        self._wizard.nav.children = self._wizard.nav.children[len(self.buttons) :]  # until the code is hidden

    def _ask_for_groups(self) -> None:
        self.sealed = SealedInput(
            [SealedField("first", "Group #", "code"), SealedField("second", "Group #", "code")],
            offer=lambda _: self._wizard.access.offer("confirm"), purpose="confirm", submit=messages.COMPARE,
            terminal="bgresearch vault recovery",
        )  # fmt: skip
        self.sealed.on_box(self._confirm)
        self.body = (note(messages.RECOVERY_ASKED), self.sealed)
        self.buttons = (button("Show a new code", self._offer_recovery),)
        self._wizard.refresh()

    def _confirm(self, box: Box) -> None:
        self._wizard.access.agent.open(box)
        self.sealed.clear()
        self._wizard.forward()
