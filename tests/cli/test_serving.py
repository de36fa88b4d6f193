"""What stays open: started for real, asked over a real socket, ended by its process id."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.cli.conftest import PATIENCE_S

Process = subprocess.Popen[str]


@contextmanager
def started(environment: dict[str, str], folder: Path, *arguments: str) -> Iterator[Process]:
    command = [sys.executable, "-u", "-m", "bgresearch", *arguments]
    process = subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def line_with(process: Process, pattern: str) -> re.Match[str]:
    """The first line of output that has the pattern; the process ends with the test run's patience otherwise."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := re.search(pattern, line):
            return found
    pytest.fail(f"{pattern} never came:\n{''.join(seen)}")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_answers_until_it_is_stopped(
    environment: dict[str, str], tmp_path: Path, ending: signal.Signals
) -> None:
    with started(environment, tmp_path, "sandbox", "--json") as process:
        announced = json.loads(line_with(process, r"^\{.*\}$")[0])
        answer = requests.get(announced["url"] + "/api/v2/public/time", timeout=10)
        assert answer.json()["code"] == "00000"
        assert "readonly" in [key["name"] for key in announced["keys"]]
        process.send_signal(ending)
        rest, _ = process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in rest
        with pytest.raises(requests.ConnectionError):
            requests.get(announced["url"], timeout=10)


def test_a_taken_port_is_said_in_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    with started(environment, tmp_path, "sandbox", "--json") as first:
        port = json.loads(line_with(first, r"^\{.*\}$")[0])["url"].rpartition(":")[2]
        with started(environment, tmp_path, "sandbox", "--port", port) as second:
            said, _ = second.communicate(timeout=PATIENCE_S)
            assert (second.returncode, said.count("\n")) == (1, 1)
            assert "Address already in use" in said


def test_the_lab_opens_on_loopback_with_a_token_and_ends_with_its_kernel_server(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    with started(
        environment, tmp_path, "lab", "--no-browser", "--port", free_port(), "--folder", str(folder)
    ) as process:
        exchange = line_with(process, r"sandbox exchange answers at (http://127\.0\.0\.1:\d+)")[1]
        opened = line_with(process, r"(http://127\.0\.0\.1:\d+)/lab\S*\?token=([0-9a-f]{20,})")
        address, token = opened[1], opened[2]
        assert requests.get(f"{exchange}/api/v2/public/time", timeout=10).status_code == 200
        page = requests.get(f"{address}/lab", params={"token": token}, timeout=30)
        assert (page.status_code, "JupyterLab" in page.text) == (200, True)
        assert requests.get(f"{address}/api/contents", timeout=30).status_code == 403  # without the token
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
        for gone in (address, exchange):
            with pytest.raises(requests.ConnectionError):
                requests.get(gone, timeout=10)
