"""Real agents on real sockets, asking the sandbox on a loopback port; and a service without a process for odd times."""

from __future__ import annotations

import atexit
import functools
import os
import secrets
import select
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bgresearch.agent.agent_sender import AgentSender, find_key
from bgresearch.agent.client import Agent, AgentStatus
from bgresearch.agent.launcher import start
from bgresearch.agent.lifetime import Lifetime
from bgresearch.agent.protocol import decode_header
from bgresearch.agent.requests import Examine, Keep, Offer, Open, Request
from bgresearch.agent.service import Service
from bgresearch.agent.socket_path import Place
from bgresearch.core.clock import Clock, ManualClock, SystemClock
from bgresearch.http.ratelimit.limiter import Limiter, LocalLimiter
from bgresearch.http.sender import Signer, Wire
from bgresearch.http.transport import new_session
from bgresearch.sandbox import SANDBOX_KEYS, Exchange, SandboxAdapter
from bgresearch.sandbox.server import Server
from tests.conftest import PATIENCE_S
from vault import FLOOR, FileSystem, Surroundings, Vault, open_reply, seal_box
from vault.hidden import Hidden
from vault.storage import VaultFile

PASSWORD = "correct horse battery"
KEY = SANDBOX_KEYS["readonly"]
SECRETS = (KEY.secret_key, KEY.passphrase)
HERE = "http://127.0.0.1:1"  # where the sandbox in this process is mounted

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
    """Start an agent with the password, unless asked otherwise."""

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


class ServiceDriver:
    """A service without process and socket, on a clock that is moved by hand; it asks the sandbox in this process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ManualClock(time.time_ns() // 1_000_000)
        self.exchange = Exchange(clock=self.clock, limits=False)
        self.lifetime = Lifetime(self.clock, slept_s=lambda: 0.0)
        self.service = Service(
            path, clock=self.clock, lifetime=self.lifetime, make_sender=self._sender, profile=lambda: FLOOR
        )
        self.said = b""  # everything that was ever answered

    def _sender(self, host: str, limiter: Limiter, clock: Clock, signer: Signer) -> Wire:
        session = new_session()
        session.mount(HERE, SandboxAdapter(self.exchange))
        return Wire(host, limiter=limiter, clock=clock, signer=signer, session=session)

    def ask(self, request: Request) -> dict[str, Any]:
        answer = self.service.answer(request)
        self.said += answer
        header = decode_header(answer.partition(b"\n")[0])
        if header.error is not None:
            raise header.error
        return header.result

    def offer(self, purpose: str, label: str = "x", host: str = HERE, *, demo: bool = False) -> dict[str, Any]:
        return self.ask(Offer(purpose, label, host, demo))

    def seal(self, purpose: str, label: str = "x", *, demo: bool = False, **texts: str) -> dict[str, Any]:
        return self.ask(Open(seal_box(self.offer(purpose, label, demo=demo)["offer"], texts)))

    def open(self) -> ServiceDriver:
        """With a vault of its own, empty and unlocked."""
        shutil.copytree(_empty_vault().path.parent, self.path.parent)
        self.service._session.adopt(self.vault(), ())
        return self

    def vault(self) -> Vault:
        """The vault as another process has it, without deriving a key."""
        known = _empty_vault()
        twin = Vault(VaultFile(self.path, FileSystem(), 0.1), Surroundings(lock_timeout_s=0.1), known._state())
        twin.reload()
        return twin

    def stage(self, name: str, label: str = "", purpose: str = "key", **changed: str) -> dict[str, Any]:
        """Type in one of the sandbox's keys."""
        return self.seal(purpose, label or name, demo=SANDBOX_KEYS[name].demo, **{**triple_of(name), **changed})

    def examined(self, name: str, label: str = "", purpose: str = "key", **changed: str) -> str:
        staged = self.stage(name, label, purpose, **changed)["staged"]
        self.ask(Examine(staged, "reach"))
        self.ask(Examine(staged, "key"))
        return str(staged)

    def keep(self, staged: str, *, note: str = "", accept_trade: bool = False) -> dict[str, Any]:
        return dict(self.ask(Keep(staged, note, "", "", accept_trade))["key"])

    def new_code(self, password: str = PASSWORD) -> str:
        """The recovery code, as the browser would show it."""
        offer, private_key = self.offer("recovery")["offer"], secrets.token_bytes(32)
        answer = self.ask(Open(seal_box(offer, {"password": password}, private_key=private_key)))
        return open_reply(offer, answer["reply"], private_key=Hidden(private_key))["recovery_code"].value


@functools.cache
def _empty_vault() -> Vault:
    folder = Path(tempfile.mkdtemp(prefix="bg-"))
    atexit.register(shutil.rmtree, folder)
    return Vault.create(folder / "keys" / "vault", PASSWORD, profile=FLOOR)


def triple_of(name: str) -> dict[str, str]:
    key = SANDBOX_KEYS[name]
    return {"api_key": key.api_key, "secret_key": key.secret_key, "passphrase": key.passphrase}


@pytest.fixture
def driver(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceDriver:
    """Without a vault yet; generations of the other tests' vaults, which are twins, are not remembered."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    return ServiceDriver(folder / "keys" / "vault")


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
