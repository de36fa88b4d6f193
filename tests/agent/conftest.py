"""Real agents on real sockets, asking the sandbox on a loopback port; and a service without a process for odd times."""

from __future__ import annotations

import os
import select
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bgresearch.agent.client import Agent, AgentStatus
from bgresearch.agent.place import Place
from bgresearch.agent.sender import AgentSender, find_key
from bgresearch.agent.start import start
from bgresearch.clock import SystemClock
from bgresearch.limits import LocalLimiter
from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.server import Server
from bgresearch.wire import Wire
from vault import FLOOR, Vault
from vault.hidden import Hidden

PASSWORD = "correct horse battery"
PATIENCE_S = 60  # whatever takes longer hangs
KEY = SANDBOX_KEYS["readonly"]
SECRETS = (KEY.secret_key, KEY.passphrase)

Start = Callable[..., AgentStatus]


@pytest.fixture(scope="session")
def exchange_url() -> Iterator[str]:
    with Server() as server:
        yield server.url


@pytest.fixture(scope="session")
def vault_file(exchange_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vault with the keys ``research`` (of the served sandbox) and ``live`` (of the exchange itself)."""
    path = tmp_path_factory.mktemp("keys") / "private" / "vault"
    with Vault.create(path, PASSWORD, profile=FLOOR) as vault:
        triple = {"api_key": KEY.api_key, "secret_key": KEY.secret_key, "passphrase": KEY.passphrase}
        vault.add("research", **triple, host=exchange_url)
        vault.add("live", **{**triple, "api_key": "bg_not_a_real_key"})
    return path


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="bg-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def place(folder: Path) -> Iterator[Place]:
    """Where no agent is yet; the one that is there afterwards is ended."""
    place = Place(folder / "agent")
    yield place
    with Agent(place) as agent:
        if agent.is_there():
            pid = agent.status().pid
            agent.lock()
            wait_for_end(pid)


@pytest.fixture
def begin(place: Place, vault_file: Path) -> Start:
    """Start an agent with the password, unless told otherwise."""

    def one(password: str | None = PASSWORD, **options: float) -> AgentStatus:
        return start(vault_file, None if password is None else Hidden(password), place=place, **options)

    return one


@pytest.fixture
def agent(begin: Start, place: Place) -> Iterator[Agent]:
    begin()
    with Agent(place) as agent:
        yield agent


@pytest.fixture
def sender(agent: Agent) -> Iterator[AgentSender]:
    key = find_key(agent, "research")
    clock = SystemClock()
    with Wire(key.host, limiter=LocalLimiter(clock), clock=clock) as public:
        yield AgentSender(key, agent=agent, public=public)


def wait_for_end(pid: int) -> None:
    """Wait until a process, which need not be a child, has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], PATIENCE_S)[0], "the agent does not end"
    finally:
        os.close(descriptor)
