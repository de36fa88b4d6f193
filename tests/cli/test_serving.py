"""What stays open: started for real, asked over a real socket, ended by its process id."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from bgresearch.core.version import notebooks
from tests.cli.conftest import started
from tests.conftest import PATIENCE_S


def patient() -> requests.Session:
    """For JupyterLab, which tells its address before it listens there."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=Retry(connect=8, backoff_factor=0.1)))
    return session


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_answers_until_it_is_stopped(
    environment: dict[str, str], tmp_path: Path, ending: signal.Signals
) -> None:
    with started(environment, tmp_path, "sandbox", "--json") as process:
        announced = json.loads(process.line_with(r"^\{.*\}$")[0])
        answer = requests.get(announced["url"] + "/api/v2/public/time", timeout=PATIENCE_S)
        assert answer.json()["code"] == "00000"
        assert "readonly" in [key["name"] for key in announced["keys"]]
        process.send(ending)
        assert process.status() == (0 if ending is signal.SIGINT else 128 + ending)
        assert "Traceback" not in process.said
        with pytest.raises(requests.ConnectionError):
            requests.get(announced["url"], timeout=PATIENCE_S)


@pytest.mark.slow
def test_a_taken_port_is_said_in_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    with started(environment, tmp_path, "sandbox", "--json") as first:
        port = json.loads(first.line_with(r"^\{.*\}$")[0])["url"].rpartition(":")[2]
        with started(environment, tmp_path, "sandbox", "--port", port) as second:
            assert (second.status(), second.said.count("\n")) == (1, 1)
            assert "Address already in use" in second.said


@pytest.mark.slow
def test_the_lab_brings_the_notebooks_of_the_package_where_there_are_none(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with started(environment, tmp_path, "lab", "--no-browser", "--port", free_port()) as process:
        copied = process.line_with(r"notebooks that come with the package were copied to (.*)\.$")[1]
        process.line_with(r"http://127\.0\.0\.1:\d+/lab/tree/01_quickstart\.ipynb\?token=")
        process.send(signal.SIGTERM)
        process.status()
    assert Path(copied).resolve() == (tmp_path / "notebooks").resolve()
    names = {path.name for path in Path(copied).iterdir()}
    assert names == {path.name for path in notebooks().glob("*.ipynb")}
    assert "01_quickstart.ipynb" in names


def test_the_lab_refuses_a_folder_that_does_not_exist(environment: dict[str, str], tmp_path: Path) -> None:
    with started(environment, tmp_path, "lab", "--no-browser", "--folder", "nowhere") as process:
        assert process.status() == 1
        assert "There is no folder nowhere. Leave --folder out" in process.said


def test_the_lab_opens_on_loopback_with_a_token_and_ends_with_its_kernel_server(
    environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    with started(
        environment, tmp_path, "lab", "--no-browser", "--port", free_port(), "--folder", str(folder)
    ) as process:
        exchange = process.line_with(r"sandbox exchange answers at (http://127\.0\.0\.1:\d+)")[1]
        opened = process.line_with(r"(http://127\.0\.0\.1:\d+)/lab\S*\?token=([0-9a-f]{20,})")
        address, token = opened[1], opened[2]
        assert requests.get(f"{exchange}/api/v2/public/time", timeout=PATIENCE_S).status_code == 200
        page = patient().get(f"{address}/lab", params={"token": token}, timeout=PATIENCE_S)
        assert (page.status_code, "JupyterLab" in page.text) == (200, True)
        assert requests.get(f"{address}/api/contents", timeout=PATIENCE_S).status_code == 403  # without the token
        notes = f"{address}/lab/api/settings/@jupyterlab/apputils-extension:notification"
        reported = requests.get(notes, params={"token": token}, timeout=PATIENCE_S).json()
        asked = reported["schema"]["properties"]["fetchNews"]
        assert asked["default"] == "false"  # "none" would ask every newcomer whether to fetch news
        process.send(signal.SIGTERM)
        assert process.status() == 128 + signal.SIGTERM
        for gone in (address, exchange):
            with pytest.raises(requests.ConnectionError):
                requests.get(gone, timeout=PATIENCE_S)
