"""An error on one side of the socket to the same error on the other: class, message and attributes. Pure.

Only errors of the two packages cross, which by their own rule hold no secret; of any other its class name alone does.
"""

from __future__ import annotations

from typing import Any

import bgresearch.errors
import vault.errors
from bgresearch.errors import AgentError, BgresearchError
from vault.errors import VaultError

_ATTRIBUTES = frozenset(
    {"code", "endpoint", "field", "hint", "http_status", "known", "name", "said", "until_ms"}
)  # fmt: skip
REFUSALS = (BgresearchError, VaultError)  # what asking the agent can raise, for who may not know the vault
_KINDS: dict[str, type[Exception]] = {
    name: kind
    for module, root in ((bgresearch.errors, BgresearchError), (vault.errors, VaultError))
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, root)
}


def described(error: BaseException) -> dict[str, Any]:
    """Return an error as JSON can carry it."""
    if _KINDS.get(type(error).__name__) is not type(error):
        inside = AgentError(f"the agent failed inside ({type(error).__name__}).", hint="Please report this.")
        return described(inside)
    state = {name: value for name, value in vars(error).items() if name in _ATTRIBUTES and _can_cross(value)}
    return {"kind": type(error).__name__, "message": str(error), "state": state}


def rebuilt(told: object) -> Exception:
    """Return the error that was described; an `AgentError` if it makes no sense."""
    if not isinstance(told, dict):
        return AgentError("the agent's error makes no sense.")
    kind, message, state = _KINDS.get(str(told.get("kind"))), told.get("message"), told.get("state")
    if kind is None or not isinstance(message, str) or not isinstance(state, dict):
        return AgentError("the agent's error makes no sense.")
    error = kind.__new__(kind)
    error.args = (message,)
    for name, value in state.items():
        if name in _ATTRIBUTES and _can_cross(value):
            error.__dict__[name] = tuple(value) if isinstance(value, list) else value
    return error


def _can_cross(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(isinstance(one, str) for one in value)
    return value is None or isinstance(value, (str, int))
