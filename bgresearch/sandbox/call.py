"""What a responder is given and what it may give back: the one face between the gate and the sandbox's data.

A responder sees only calls that passed every check of the gate. It must know nothing of headers, signatures or limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from bgresearch.catalogue import Endpoint

if TYPE_CHECKING:
    from bgresearch.sandbox.traders.accounts import Account
    from bgresearch.sandbox.traders.keys import SandboxKey
    from bgresearch.sandbox.world.world import World


class Call(NamedTuple):
    """One accepted call.

    Attributes
    ----------
    endpoint : Endpoint
        The row of the table.
    params : mapping of str to str
        Decoded parameters; empty ones are left out.
    account : Account or None
        The account of the key that signed it; None for public rows.
    now_ms : int
        The exchange's clock.
    world : World
        The markets of this exchange.
    key : SandboxKey or None
        The key that signed it; None for public rows.
    habits : frozenset of str
        What this exchange does differently.
    """

    endpoint: Endpoint
    params: Mapping[str, str]
    account: Account | None
    now_ms: int
    world: World
    key: SandboxKey | None = None
    habits: frozenset[str] = frozenset()


class Refusal(Exception):
    """The exchange says no: becomes an envelope with that code, HTTP 400 unless another status is given."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        self.code = code
        self.message = message
        self.status = status
        super().__init__(f"{code}: {message}")


Responder = Callable[[Call], Any]
