"""The hook in a real Jupyter server: a notebook with a secret in it is not saved."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bgresearch.agent.client import Agent
from bgresearch.agent.launcher import start
from bgresearch.agent.socket_path import Place
from bgresearch.sandbox import SANDBOX_KEYS
from tests.conftest import PATIENCE_S
from vault import FLOOR, Vault
from vault.hidden import Hidden

pytest.importorskip("jupyter_server")

KEY = SANDBOX_KEYS["readonly"]
PASSWORD = "four words which nobody guesses"
TOKEN = "0123456789abcdef"
CONFIG = """
from bgresearch.agent.jupyter_hook import refuse_secrets_of_agent
c.FileContentsManager.pre_save_hook = refuse_secrets_of_agent(strict={strict})
from tornado.ioloop import IOLoop
loop = IOLoop.current()
loop.add_callback(lambda: loop.add_callback(print, "it listens", flush=True))  # behind what binds the port
"""


class Answer(NamedTuple):
    status: int
    said: Any


class Jupyter(NamedTuple):
    """A server with its folder."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def log(self) -> str:
        """All that it said; this ends it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        said, _ = self.process.communicate(timeout=PATIENCE_S)
        return said.decode()

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, json.loads(answer.read() or b"null"))
        finally:
            connection.close()

    def save(self, name: str, source: str) -> Answer:
        cell = {
            "cell_type": "code",
            "id": "a",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        return self.ask("PUT", f"/api/contents/{name}", {"type": "notebook", "format": "json", "content": content})


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="bg-") as folder:
        here = Place(Path(folder))
        yield here
        agent = Agent(here)
        if agent.is_there():
            agent.lock()


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "vault"
    with Vault.create(path, PASSWORD, profile=FLOOR) as made:
        made.add("research", api_key=KEY.api_key, secret_key=KEY.secret_key, passphrase=KEY.passphrase)
    return path


@pytest.fixture
def serve(tmp_path: Path, place: Place) -> Iterator[Callable[..., Jupyter]]:
    running: list[subprocess.Popen[bytes]] = []

    def one(*, strict: bool = False) -> Jupyter:
        config, folder = tmp_path / "config.py", tmp_path / "notebooks"
        config.write_text(CONFIG.format(strict=strict), encoding="utf-8")
        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        own = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
        environment = {**os.environ, **own, "BGRESEARCH_AGENT_DIR": str(place.folder), "HOME": str(tmp_path)}
        options = [f"--config={config}", f"--ServerApp.root_dir={folder}", f"--ServerApp.port={port}",
                   "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0", "--no-browser", "--allow-root",
                   f"--IdentityProvider.token={TOKEN}", "--ServerApp.jpserver_extensions={}"]  # fmt: skip
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "jupyter_server", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=environment, cwd=folder, start_new_session=True,
        )  # fmt: skip
        running.append(process)
        said = process.stdout or io.BytesIO()
        assert any(b"it listens" in line for line in said), "the server did not come up"
        return Jupyter(folder, port, process)

    yield one
    for process in running:
        with contextlib.suppress(ProcessLookupError), process:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_notebook_with_a_secret_is_not_saved_and_nothing_of_it_is_said_or_logged(
    serve: Callable[..., Jupyter], place: Place, vault: Path
) -> None:
    start(vault, Hidden(PASSWORD), place=place)
    jupyter = serve()
    assert jupyter.save("fine.ipynb", "print(1)").status == 201
    for text in (KEY.secret_key, KEY.passphrase):
        refused = jupyter.save("bad.ipynb", f"key = {text!r}")
        assert refused.status == 400
        assert "Not saved, it holds a secret. cell 1" in json.dumps(refused.said)
        assert text not in json.dumps(refused.said)
    kept = jupyter.save("fine.ipynb", f"key = {KEY.secret_key!r}")
    assert kept.status == 400
    assert [path.name for path in jupyter.folder.glob("*.ipynb")] == ["fine.ipynb"]
    assert KEY.secret_key not in (jupyter.folder / "fine.ipynb").read_text(encoding="utf-8")
    assert KEY.secret_key not in jupyter.log()


@pytest.mark.slow
@pytest.mark.parametrize("runs", ["no agent", "locked"])
def test_what_cannot_be_searched_is_saved_with_a_word_in_the_log(
    serve: Callable[..., Jupyter], place: Place, vault: Path, runs: str
) -> None:
    if runs == "locked":
        start(vault, None, place=place)
    jupyter = serve()
    assert jupyter.save("fine.ipynb", "print(1)").status == 201
    assert "fine.ipynb is saved, but was not searched for secrets" in jupyter.log()


@pytest.mark.slow
def test_who_is_strict_saves_nothing_unsearched(serve: Callable[..., Jupyter], place: Place, vault: Path) -> None:
    jupyter = serve(strict=True)
    refused = jupyter.save("fine.ipynb", "print(1)")
    assert refused.status == 503
    assert "cannot be searched for secrets: no agent is running" in json.dumps(refused.said)
    assert not list(jupyter.folder.glob("*.ipynb"))
    start(vault, Hidden(PASSWORD), place=place)
    assert jupyter.save("fine.ipynb", "print(1)").status == 201, "the agent that was started meanwhile is asked"
