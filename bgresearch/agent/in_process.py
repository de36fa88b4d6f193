"""The agent's operations in this process, for one command: the same code answers, and nothing crosses a socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bgresearch.agent.client import AgentVerbs
from bgresearch.agent.lifetime import Lifetime
from bgresearch.agent.protocol import Header, decode_header
from bgresearch.agent.requests import Request
from bgresearch.agent.service import Service
from bgresearch.core.clock import Clock, SystemClock
from bgresearch.http.ratelimit.limiter import Limiter
from bgresearch.http.sender import ATTEMPTS, Signer, Wire
from vault import Vault


class OwnAgent(AgentVerbs):
    """An agent inside this process; it ends with the block that it is made for.

    Parameters
    ----------
    path : Path
        The vault's file.
    make : callable
        Opens the vault.
    attempts : int
        How often one request is sent at most.

    Attributes
    ----------
    vault : Vault
        The opened vault.
    """

    def __init__(self, path: Path, make: Callable[[], Vault], *, attempts: int = ATTEMPTS) -> None:
        def sender(host: str, limiter: Limiter, clock: Clock, signer: Signer) -> Wire:
            return Wire(host, limiter=limiter, clock=clock, signer=signer, attempts=attempts)

        clock = SystemClock()
        self._service = Service(path, clock=clock, lifetime=Lifetime(clock), make_sender=sender)
        self.vault = self._service.adopt(make)

    def __enter__(self) -> OwnAgent:
        return self

    def __exit__(self, *_: object) -> None:
        self.vault.close()

    def _ask(self, request: Request, patience_s: float) -> tuple[Header, bytes]:
        header, _, body = self._service.answer(request).partition(b"\n")
        return decode_header(header + b"\n"), body
