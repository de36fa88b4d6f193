"""The wizard's eight steps as values: the next one, the previous one, where to continue after an interruption. Pure.

What is stored between two kernels is in `Progress`, and nothing in it is secret: typed secrets are not stored, and a
sealed key is held by the agent under an id.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

Step = Literal["before", "purpose", "address", "open", "key", "check", "verdict", "done"]
STEPS: tuple[Step, ...] = get_args(Step)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of the wizard.

    Attributes
    ----------
    step : str
        The current step.
    purposes : tuple of str
        Names of the chosen purposes.
    addresses : tuple of str
        The addresses for the exchange's address list.
    label : str
        The key's name here.
    staged : str
        The id under which the agent holds the sealed key, until it is saved; "" for none.
    holder : str
        Fingerprint of the agent that holds it: another agent does not have it.
    """

    step: Step = "before"
    purposes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    label: str = ""
    staged: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class AgentState:
    """The state of vault and agent, on which the next step depends.

    Attributes
    ----------
    exists, unlocked : bool
        Of the vault.
    fingerprint : str
        The agent's own.
    """

    exists: bool
    unlocked: bool
    fingerprint: str


def progress_text(step: Step) -> str:
    """Return the number of the step, for the user."""
    return f"Step {STEPS.index(step) + 1} of {len(STEPS)}"


def forward(progress: Progress, agent_state: AgentState) -> Progress:
    """Return the next step; an open vault needs no password."""
    following = STEPS[min(STEPS.index(progress.step) + 1, len(STEPS) - 1)]
    if following == "open" and agent_state.unlocked:
        following = "key"
    return replace(progress, step=following)


def back(progress: Progress, agent_state: AgentState) -> Progress:
    """Return the previous step. Once a key was sealed that is the form again, and the sealed key is to be dropped."""
    if progress.step in {"check", "verdict"}:
        return replace(progress, step="key", staged="", holder="")
    before = STEPS[max(STEPS.index(progress.step) - 1, 0)]
    if before == "open" and agent_state.unlocked:
        before = "address"
    return replace(progress, step=before)


def can_go_back(progress: Progress) -> bool:
    """Return whether there is a previous step; a key that was saved in the vault is not removed by a button."""
    return progress.step not in {"before", "done"}


def has_lost(progress: Progress, agent_state: AgentState) -> bool:
    """Return whether a key that was sealed and not saved is gone with the agent that held it."""
    return progress.staged != "" and not (agent_state.unlocked and agent_state.fingerprint == progress.holder)


def resumed(progress: Progress, agent_state: AgentState) -> tuple[Progress, str]:
    """Return where to continue with another kernel, page or agent, and the message about it.

    A verdict is never stored: a key that was sealed is checked again.
    """
    if progress.step in {"before", "done"}:
        return Progress(), ""
    sealed = progress.step in {"check", "verdict"}
    if (sealed or progress.step == "key") and not agent_state.unlocked:
        return _without_key(progress, "open"), LOCKED
    if sealed and (progress.holder != agent_state.fingerprint or not progress.staged):
        return _without_key(progress, "key"), FORGOTTEN
    if sealed:
        return replace(progress, step="check"), CONTINUED
    return (forward(replace(progress, step="address"), agent_state) if progress.step == "open" else progress), CONTINUED


CONTINUED = "You continue where you stopped. To begin again, press Start over."
LOCKED = (
    "The vault was locked meanwhile, so the agent discarded the key that was not saved. Your choices are still here; "
    "only the secrets have to be typed again."
)
FORGOTTEN = "The agent discarded the sealed key, as it was not saved. Your choices are still here; paste the key again."


def to_text(progress: Progress) -> str:
    """Return it as JSON."""
    return json.dumps(asdict(progress))


def from_text(text: str) -> Progress:
    """Return what `to_text` wrote; the first step if it is malformed."""
    try:
        said = json.loads(text)
    except ValueError:
        return Progress()
    if not isinstance(said, dict) or set(said) != set(_READ):
        return Progress()
    if not all(fits(said[name]) for name, fits in _READ.items()):
        return Progress()
    read: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    return Progress(**read)


def _without_key(progress: Progress, step: Step) -> Progress:
    return replace(progress, step=step, staged="", holder="")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


_READ: dict[str, Callable[[Any], bool]] = {
    "step": lambda value: value in STEPS, "purposes": _is_texts, "addresses": _is_texts, "label": _is_text,
    "staged": _is_text, "holder": _is_text,
}  # fmt: skip
