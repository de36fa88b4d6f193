"""Where a command about keys runs: in the agent that has this vault open, else in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bgresearch.agent.socket_path import default_vault
from bgresearch.cli.agent import holds
from bgresearch.cli.prompts import opened
from bgresearch.http.sender import ATTEMPTS

if TYPE_CHECKING:
    from bgresearch.agent.client import AgentVerbs
    from bgresearch.agent.in_process import OwnAgent


@contextmanager
def session(path: Path | None, password_file: str, *, attempts: int = ATTEMPTS) -> Iterator[AgentVerbs]:
    """Give the running agent if it has this vault open and no password is given, else one in this process."""
    from bgresearch.agent.client import Agent

    if not password_file and holds(path):
        with Agent() as agent:
            yield agent
        return
    with own_session(path, password_file, attempts=attempts) as own:
        yield own


@contextmanager
def own_session(path: Path | None, password_file: str, *, attempts: int = ATTEMPTS) -> Iterator[OwnAgent]:
    """Give an agent in this process, after the vault was opened with its master password or the keyring."""
    from bgresearch.agent.in_process import OwnAgent

    with OwnAgent(path or default_vault(), lambda: opened(path, password_file), attempts=attempts) as own:
        yield own
