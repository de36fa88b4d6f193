"""Forms with a real agent and a served sandbox; what a browser would seal is sealed here."""

from __future__ import annotations

import os
import select
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bgresearch.agent.client import Agent
from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.background import at_once
from bgresearch.forms.sealed_input import SealedInput
from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.server import Server
from tests.conftest import PATIENCE_S
from vault import FLOOR, Vault
from vault.intake import seal_box

PASSWORD = "correct horse battery"

Said = list[dict[str, Any]]
Fill = Callable[[SealedInput, Mapping[str, str]], Said]


@pytest.fixture(scope="session")
def exchange() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def folder(exchange: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Somebody's own folder, named by the documented variables; short enough a path for a socket."""
    made = Path(tempfile.mkdtemp(prefix="bg-"))
    monkeypatch.setenv("BGRESEARCH_AGENT_DIR", str(made / "agent"))
    monkeypatch.setenv("BGRESEARCH_DATA_DIR", str(made / "data"))
    monkeypatch.setenv("BGRESEARCH_VAULT", str(made / "keys" / "vault"))
    monkeypatch.setenv("BGRESEARCH_BASE_URL", exchange.url)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def agent_link(folder: Path) -> Iterator[AgentAccess]:
    """An agent access without a vault yet; the agent that comes up is ended."""
    agent_link = AgentAccess(run=at_once, memory=folder / "state" / "setup.json")
    yield agent_link
    with agent_link.agent:
        if agent_link.agent.is_there():
            end_agent(agent_link.agent)


@pytest.fixture(scope="session")
def keys_folder(exchange: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a vault, made once: every test gets a copy."""
    made = tmp_path_factory.mktemp("vault") / "keys"
    with Vault.create(made / "vault", PASSWORD, profile=FLOOR) as vault:
        for label, name in (("research", "readonly"), ("risky", "unified_trader")):
            vault.add(label, **triple(name), host=exchange.url)
    return made


@pytest.fixture
def with_keys(folder: Path, keys_folder: Path, agent_link: AgentAccess) -> AgentAccess:
    """An agent access with a locked vault that holds the keys ``research`` (reads) and ``risky`` (trades)."""
    shutil.copytree(keys_folder, folder / "keys")
    return agent_link


@pytest.fixture
def opened(with_keys: AgentAccess) -> AgentAccess:
    """The same, unlocked."""
    unlock(with_keys)
    return with_keys


def unlock(agent_link: AgentAccess) -> None:
    agent_link.status()
    agent_link.agent.unlock(seal_box(agent_link.offer("unlock")["offer"], {"password": PASSWORD}))


def end_agent(agent: Agent) -> None:
    """Lock, and wait until the process has ended."""
    pid = agent.status().pid
    agent.lock()
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], PATIENCE_S)[0], "the agent does not end"
    finally:
        os.close(descriptor)


def triple(name: str) -> dict[str, str]:
    key = SANDBOX_KEYS[name]
    return {"api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}


def fill(form: SealedInput, texts: Mapping[str, str]) -> Said:
    """Seal texts as the browser does and hand the box in; return what the kernel then sent the browser."""
    said: Said = []
    form.send = lambda content, buffers=None: said.append(content)
    purpose = form._purpose
    form._heard(form, {"kind": "ask", "view": "v", "purpose": purpose, "number": 1}, [])
    offers = [one for one in said if one["kind"] == "offer"]
    if offers:
        box = seal_box(offers[-1]["offer"], texts)
        form._heard(form, {"kind": "box", "view": "v", "purpose": purpose, "box": box}, [])
    return said


def problems(said: Said) -> dict[str, str]:
    """Return what was reported as a problem, by field."""
    return {one["field"]: one["words"] for one in said if one["kind"] == "problem" and one["words"]}
