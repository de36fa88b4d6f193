"""The command line as its users meet it: a real process, its streams and its exit status."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bgresearch.agent.client import Agent, AgentKey
from bgresearch.agent.socket_path import Place
from bgresearch.sandbox.server import Server
from tests.cli.forking import begin
from tests.conftest import PATIENCE_S, child, inherited
from vault import FLOOR, Vault

PASSWORD = "correct horse battery"
ROOT = Path(__file__).parents[2]
SHOWN = {"COLUMNS": "120", "NO_COLOR": "1", "PYTHONWARNINGS": "default"}
TRIPLE = {"api_key": "bg_0123456789abcdef", "secret_key": "f00dfeedf00dfeed", "passphrase": "swordfish9"}


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Child:
    """A command that goes on while the test does: whatever is awaited of it is awaited for so long and no longer.

    It leads a process group of its own. Its pipe is read without blocking and never drained after its end: what it
    started may hold the other side open.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.said = ""
        self._process = process
        self._pipe = process.stdout.fileno()

    def line_with(self, pattern: str) -> re.Match[str]:
        """The first line of its output, from the start, that has the pattern."""
        end = time.monotonic() + PATIENCE_S
        while True:
            whole = self.said[: self.said.rfind("\n") + 1]  # the last line may still grow
            if found := re.search(pattern, whole, re.MULTILINE):
                return found
            if not self._hear(end):
                pytest.fail(f"{pattern} never came:\n{self.said}")

    def send(self, ending: signal.Signals) -> None:
        self._process.send_signal(ending)

    def status(self) -> int:
        """Its exit status, once it has ended and said everything."""
        end = time.monotonic() + PATIENCE_S
        while self._hear(end):
            pass
        return self._process.wait(max(0.0, end - time.monotonic()))

    def end(self) -> None:
        """End it and whatever it started that did not leave its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE_S)

    def _hear(self, end: float) -> bool:
        """Whether more came; False when nobody can say more, and a failure when the time is over."""
        if not select.select([self._pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            pytest.fail(f"the command hangs; it said:\n{self.said}")
        more = os.read(self._pipe, 65536)
        self.said += more.decode(errors="replace")
        return bool(more)


Run = Callable[..., Ran]
Kept = Callable[[], dict[str, AgentKey]]
Answer = str | Callable[[str], str]  # what is typed, or what makes it of all that was shown
Converse = Callable[[Sequence[str], Sequence[tuple[str, Answer]]], Ran]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of an embedded exchange that serves."""
    with Server() as server:
        yield server.url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the vault is."""
    return tmp_path / "keys" / "vault"


@pytest.fixture
def agent_folder() -> Iterator[str]:
    """Short, as the path of a socket has to be; whatever agent was left there is ended."""
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        yield folder
        agent = Agent(Place(Path(folder)))
        if agent.is_there():
            agent.lock()


@pytest.fixture
def environment(path: Path, tmp_path: Path, agent_folder: str) -> dict[str, str]:
    places = {"BGRESEARCH_VAULT": str(path), "BGRESEARCH_DATA_DIR": str(tmp_path / "data")}
    places["BGRESEARCH_AGENT_DIR"] = agent_folder
    return {**inherited(), **places, **SHOWN, "HOME": str(tmp_path)}


@pytest.fixture(scope="session")
def fork_server() -> Iterator[str]:
    """The socket of a process that has imported the package and forks a command for anyone who asks."""
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        path = f"{folder}/socket"
        command = (sys.executable, "-m", "tests.cli.forking", path)
        shown = {**os.environ, **SHOWN, "OPENBLAS_NUM_THREADS": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with child(*command, **pipes, cwd=ROOT, env=shown, start_new_session=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield path


@pytest.fixture
def run(environment: dict[str, str], fork_server: str, tmp_path: Path) -> Run:
    """Run one command without a terminal."""

    def one(*arguments: str, stdin: str = "", **variables: str) -> Ran:
        (given, typing), (hearing, out), (overhearing, err) = os.pipe(), os.pipe(), os.pipe()
        streams = (given, out, err)
        command = begin(fork_server, arguments, streams, folder=tmp_path, environment={**environment, **variables})
        for stream in streams:
            os.close(stream)
        with command.ended, ThreadPoolExecutor(3) as pool:
            said, complained = pool.submit(_all_of, hearing), pool.submit(_all_of, overhearing)
            pool.submit(_type, typing, stdin)
            try:
                return Ran(command.wait(PATIENCE_S), said.result(PATIENCE_S), complained.result(PATIENCE_S))
            except TimeoutError:
                command.kill()  # what it started may hold its pipes open
                pytest.fail(f"{' '.join(arguments)} hangs")

    return one


def _all_of(pipe: int) -> str:
    data = b""
    with os.fdopen(pipe, "rb", buffering=0) as file:
        while select.select([file], [], [], PATIENCE_S)[0]:
            if not (more := file.read(65536)):
                return data.decode()
            data += more
    raise TimeoutError


def _type(pipe: int, text: str) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(pipe, "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def started(environment: dict[str, str], folder: Path, *arguments: str) -> Iterator[Child]:
    """A command that goes on; its end is the end of the block."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-u", "-m", "bgresearch", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, cwd=folder, env=environment, start_new_session=True,
    )  # fmt: skip
    child = Child(process)
    with process.stdout or contextlib.nullcontext():
        try:
            yield child
        finally:
            child.end()


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    return str(file)


@pytest.fixture
def vault(environment: dict[str, str], password_file: str) -> str:
    """A vault with the key ``research``; returns the password file's path."""
    with Vault.create(Path(environment["BGRESEARCH_VAULT"]), PASSWORD, profile=FLOOR) as made:
        made.add("research", **TRIPLE)
    return password_file


@pytest.fixture
def kept(agent_folder: str) -> Kept:
    """What the agent says of its keys, by label."""

    def now() -> dict[str, AgentKey]:
        with Agent(Place(Path(agent_folder))) as agent:
            return {key.label: key for key in agent.status().keys}

    return now


@pytest.fixture
def converse(environment: dict[str, str], fork_server: str, tmp_path: Path) -> Converse:
    """Run one command on a terminal of its own and answer its questions; what the terminal showed is ``out``."""

    def one(arguments: Sequence[str], answers: Sequence[tuple[str, Answer]]) -> Ran:
        master, slave = pty.openpty()
        places = {"folder": tmp_path, "environment": environment}
        command = begin(fork_server, arguments, (slave, slave, slave), terminal=True, **places)
        os.close(slave)
        try:
            shown = ""
            for question, answer in answers:
                before = len(shown)
                while question not in shown[before:]:
                    more = _heard(master)
                    assert more, f"{question!r} never came:\n{shown}"
                    shown += more
                typed = answer if isinstance(answer, str) else answer(shown)
                os.write(master, f"{typed}\n".encode())
            while more := _heard(master):
                shown += more
            return Ran(command.wait(PATIENCE_S), shown, "")
        finally:
            os.close(master)
            command.kill()
            command.ended.close()

    return one


def _heard(master: int) -> str:
    assert select.select([master], [], [], PATIENCE_S)[0], "the command hangs"
    try:
        return os.read(master, 65536).decode(errors="replace")
    except OSError:  # Linux says so when the other side is closed
        return ""
