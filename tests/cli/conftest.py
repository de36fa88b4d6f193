"""The command line as its users meet it: a real process, its streams and its exit status."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bgresearch.agent.client import Agent
from bgresearch.agent.place import Place

PATIENCE_S = 60  # a process that says nothing for this long hangs

PASSWORD = "correct horse battery"
TRIPLE = {"api_key": "bg_0123456789abcdef", "secret_key": "f00dfeedf00dfeed", "passphrase": "swordfish9"}


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]
Converse = Callable[[Sequence[str], Sequence[tuple[str, str]]], Ran]


@pytest.fixture
def agent_folder() -> Iterator[str]:
    """Short, as the path of a socket has to be; whatever agent was left there is ended."""
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        yield folder
        agent = Agent(Place(Path(folder)))
        if agent.is_there():
            agent.lock()


@pytest.fixture
def environment(tmp_path: Path, agent_folder: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BGRESEARCH_")}
    places = {"BGRESEARCH_VAULT": str(tmp_path / "keys" / "vault"), "BGRESEARCH_DATA_DIR": str(tmp_path / "data")}
    places["BGRESEARCH_AGENT_DIR"] = agent_folder
    return {**kept, **places, "HOME": str(tmp_path), "COLUMNS": "120", "NO_COLOR": "1", "PYTHONWARNINGS": "default"}


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run one command without a terminal."""

    def one(*arguments: str, stdin: str = "", **variables: str) -> Ran:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "bgresearch", *arguments],
            input=stdin, capture_output=True, text=True, cwd=tmp_path, env={**environment, **variables},
            timeout=PATIENCE_S, check=False, start_new_session=True,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)

    return one


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    return str(file)


@pytest.fixture
def vault(run: Run, password_file: str) -> str:
    """A vault with the key ``research``; returns the password file's path."""
    assert run("vault", "init", "--password-file", password_file).status == 0
    added = run("vault", "add", "research", "--stdin", "--password-file", password_file, stdin=json.dumps(TRIPLE))
    assert (added.status, added.err) == (0, "")
    return password_file


_WITH_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture
def converse(environment: dict[str, str], tmp_path: Path) -> Converse:
    """Run one command on a terminal of its own and answer its questions; what the terminal showed is ``out``."""

    def one(arguments: Sequence[str], answers: Sequence[tuple[str, str]]) -> Ran:
        master, slave = pty.openpty()
        command = [sys.executable, "-c", _WITH_TERMINAL, sys.executable, "-m", "bgresearch", *arguments]
        process = subprocess.Popen(  # noqa: S603
            command, stdin=slave, stdout=slave, stderr=slave, cwd=tmp_path, env=environment, start_new_session=True
        )
        os.close(slave)
        try:
            shown = ""
            for question, answer in answers:
                before = len(shown)
                while question not in shown[before:]:
                    shown += _heard(master)
                os.write(master, f"{answer}\n".encode())
            while more := _heard(master):
                shown += more
            return Ran(process.wait(PATIENCE_S), shown, "")
        finally:
            os.close(master)
            process.kill()
            process.wait()

    return one


def _heard(master: int) -> str:
    assert select.select([master], [], [], PATIENCE_S)[0], "the command hangs"
    try:
        return os.read(master, 65536).decode()
    except OSError:  # Linux says so when the other side is closed
        return ""
