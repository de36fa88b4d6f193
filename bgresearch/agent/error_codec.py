"""Encodes errors as JSON and decodes them again: class, message and attributes. Pure.

Only errors of the two packages are sent, which by their own rule hold no secret; of any other only its class name is.
"""

from __future__ import annotations

from typing import Any

import bgresearch.errors
import vault.errors
from bgresearch.errors import AgentError, BgresearchError
from vault.errors import VaultError

_ATTRIBUTES = frozenset(
    {"code", "endpoint", "field", "hint", "http_status", "known", "name", "said", "until_ms", "wait_s"}
)  # fmt: skip
REFUSALS = (
    BgresearchError,
    VaultError,
)  # what a request to the agent can raise, for modules that cannot import the vault
_KINDS: dict[str, type[Exception]] = {
    name: kind
    for module, root in ((bgresearch.errors, BgresearchError), (vault.errors, VaultError))
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, root)
}


def described(error: BaseException) -> dict[str, Any]:
    """Return an error as a JSON object."""
    if _KINDS.get(type(error).__name__) is not type(error):
        inside = AgentError(f"the agent had an internal error ({type(error).__name__}).", hint="Please report this.")
        return described(inside)
    state = {name: value for name, value in vars(error).items() if name in _ATTRIBUTES and _can_cross(value)}
    return {"kind": type(error).__name__, "message": str(error), "state": state}


def rebuilt(described: object) -> Exception:
    """Return the error in a JSON object; an `AgentError` if it is malformed."""
    if not isinstance(described, dict):
        return AgentError("the agent's error is malformed.")
    kind, message, state = _KINDS.get(str(described.get("kind"))), described.get("message"), described.get("state")
    if kind is None or not isinstance(message, str) or not isinstance(state, dict):
        return AgentError("the agent's error is malformed.")
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
