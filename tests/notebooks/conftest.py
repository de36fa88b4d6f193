"""Where the forms of a notebook keep what they make."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

from bgresearch.agent.client import Agent


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have forms that ask the agent start one in a folder of its own, short enough for a socket; it is ended."""
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        monkeypatch.setenv("BGRESEARCH_AGENT_DIR", f"{folder}/agent")
        monkeypatch.setenv("BGRESEARCH_VAULT", f"{folder}/keys/vault")
        yield
        with Agent() as agent:
            if agent.is_there():
                agent.lock()
