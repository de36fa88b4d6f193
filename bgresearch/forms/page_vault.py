"""The wizard's page for the vault: a new one with a master password and a recovery code, or the one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgresearch.forms.sealed_input import Answer, Box, SealedField, SealedInput
from bgresearch.forms.unlock import Unlocking
from bgresearch.forms.widgets import FormPage, button, note, verdict
from bgresearch.keys.onboarding import messages as words

if TYPE_CHECKING:
    from bgresearch.forms.navigator import Navigator

TERMINAL = "bgresearch setup"
_WEAKEST = 3  # of 0 to 4: from here on a password is not warned of


class VaultPage(FormPage):
    """Create, recovery code, two of its groups asked back; or unlock."""

    def __init__(self, wizard: Navigator) -> None:
        self._wizard = wizard
        self.sealed: SealedInput
        if wizard.standing.exists:
            self.unlocking = Unlocking(wizard.desk, wizard.forward)
            self.body = (self.unlocking,)
        else:
            self._ask_for_password()

    def _ask_for_password(self) -> None:
        field = SealedField("password", "New master password", "password", is_new=True)
        self.sealed = SealedInput(
            [field], offer=lambda purpose: self._wizard.desk.offer("strength" if purpose == "strength" else "create"),
            purpose="create", submit="Make the vault", terminal=TERMINAL, strength=self._strength,
        )  # fmt: skip
        self.sealed.on_box(self._create)
        self.body = (note(words.NEW_VAULT), self.sealed)

    def _strength(self, box: Box) -> Answer:
        answer = self._wizard.desk.agent.open(box)
        weak = [words.PASSWORD_WEAK] if answer["score"] < _WEAKEST else []
        return {**answer, "words": [*weak, *answer["words"]]}

    def _create(self, box: Box) -> None:
        self._wizard.desk.agent.open(box)
        self.sealed.clear()
        self._offer_recovery()

    def _offer_recovery(self) -> None:
        self.sealed = SealedInput(
            [SealedField("password", "Master password, once more", "password")],
            offer=lambda _: self._wizard.desk.offer("recovery"), purpose="recovery", submit="Show a recovery code",
            terminal="bgresearch vault recovery",
        )  # fmt: skip
        self.sealed.on_box(self._show_code)
        self.sealed.on_forgotten(self._ask_back)
        made = verdict("good", "Your vault is made and open.", words.RECOVERY_OFFER)
        self.body = (made, self.sealed)
        self.buttons = (button("Go on without a recovery code", self._wizard.forward),)
        self._wizard.refresh()

    def _show_code(self, box: Box) -> None:
        self.sealed.show_reply(self._wizard.desk.agent.open(box)["reply"])
        self._wizard.nav.children = self._wizard.nav.children[len(self.buttons) :]  # it is there: put it away first

    def _ask_back(self) -> None:
        self.sealed = SealedInput(
            [SealedField("first", "Group #", "code"), SealedField("second", "Group #", "code")],
            offer=lambda _: self._wizard.desk.offer("confirm"), purpose="confirm", submit="Compare",
            terminal="bgresearch vault recovery",
        )  # fmt: skip
        self.sealed.on_box(self._confirm)
        self.body = (note(words.RECOVERY_ASKED), self.sealed)
        self.buttons = (button("Show a new code", self._offer_recovery),)
        self._wizard.refresh()

    def _confirm(self, box: Box) -> None:
        self._wizard.desk.agent.open(box)
        self.sealed.clear()
        self._wizard.forward()
