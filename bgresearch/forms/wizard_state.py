"""The wizard's eight steps as values: what comes next, what before, where to go on after an interruption. Pure.

What is remembered between two kernels is in `Progress`, and nothing in it is secret: the typed secrets are nowhere, and
what was sealed lies with the agent under a number.
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
    """How far somebody has come.

    Attributes
    ----------
    step : str
        Where the person is.
    purposes : tuple of str
        Names of what is to be done.
    addresses : tuple of str
        What goes into the exchange's address list.
    label : str
        The key's name here.
    staged : str
        The number under which the agent holds the sealed key, until it is kept; "" for none.
    holder : str
        Fingerprint of the agent that holds it: another agent knows nothing of it.
    """

    step: Step = "before"
    purposes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    label: str = ""
    staged: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the agent says.

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


def words_of(step: Step) -> str:
    """Return how far that is, for the person."""
    return f"Step {STEPS.index(step) + 1} of {len(STEPS)}"


def forward(progress: Progress, standing: Standing) -> Progress:
    """Return the next step; an open vault needs no password."""
    following = STEPS[min(STEPS.index(progress.step) + 1, len(STEPS) - 1)]
    if following == "open" and standing.unlocked:
        following = "key"
    return replace(progress, step=following)


def back(progress: Progress, standing: Standing) -> Progress:
    """Return the step before. Once a key was sealed that is the form again, and what was sealed is to be dropped."""
    if progress.step in {"check", "verdict"}:
        return replace(progress, step="key", staged="", holder="")
    before = STEPS[max(STEPS.index(progress.step) - 1, 0)]
    if before == "open" and standing.unlocked:
        before = "address"
    return replace(progress, step=before)


def can_go_back(progress: Progress) -> bool:
    """Return whether there is a step before; what was kept in the vault is not taken back by a button."""
    return progress.step not in {"before", "done"}


def has_lost(progress: Progress, standing: Standing) -> bool:
    """Return whether what was sealed and not kept is gone with the agent that held it."""
    return progress.staged != "" and not (standing.unlocked and standing.fingerprint == progress.holder)


def resumed(progress: Progress, standing: Standing) -> tuple[Progress, str]:
    """Return where to go on with another kernel, page or agent, and what to say about it.

    A verdict is never remembered: a key that was sealed is checked again.
    """
    if progress.step in {"before", "done"}:
        return Progress(), ""
    sealed = progress.step in {"check", "verdict"}
    if (sealed or progress.step == "key") and not standing.unlocked:
        return _without_key(progress, "open"), LOCKED
    if sealed and (progress.holder != standing.fingerprint or not progress.staged):
        return _without_key(progress, "key"), FORGOTTEN
    if sealed:
        return replace(progress, step="check"), CONTINUED
    return (forward(replace(progress, step="address"), standing) if progress.step == "open" else progress), CONTINUED


CONTINUED = "You go on where you were. Start over, if you would rather."
LOCKED = (
    "The vault was locked meanwhile, and what was sealed but not saved is forgotten. Your choices are still here; "
    "only the secrets have to be typed again."
)
FORGOTTEN = "The agent has forgotten the sealed key, as it was not saved. Your choices are still here; paste it again."


def to_text(progress: Progress) -> str:
    """Return it as JSON."""
    return json.dumps(asdict(progress))


def from_text(text: str) -> Progress:
    """Return what `to_text` wrote; the beginning if it makes no sense."""
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
