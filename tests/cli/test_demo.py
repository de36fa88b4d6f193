"""The demo as a newcomer runs it, and what is left of it when it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PATIENCE_S, Run


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def test_the_demo_leaves_the_page_and_nothing_else(run: Run, tmp_path: Path, scratch: Path) -> None:
    done = run("demo", "--json", TMPDIR=str(scratch))
    assert done.status == 0, done.err
    figures = done.json()
    assert (figures["verdict"], figures["candles"], figures["cache_requests"]) == ("read-only", 86_400, 0)
    assert figures["download_requests"] > 80
    assert figures["fills"] > 0
    page = Path(figures["page"])
    assert page == tmp_path / "bgresearch-demo.html"
    assert "BTCUSDT" in page.read_text(encoding="utf-8")
    assert list(scratch.iterdir()) == []
    assert not Path(str(tmp_path / "data")).exists()
    for step in ("Exchange", "Vault", "Permissions", "Download", "Cache", "Account", "Page", "Notebook", "Done"):
        assert f"\n{step}" in f"\n{done.err}"


@pytest.mark.parametrize(
    ("until", "ending"), [("Vault", signal.SIGINT), ("Vault", signal.SIGTERM), ("Page", signal.SIGINT)]
)
def test_an_interrupted_demo_cleans_up(
    environment: dict[str, str], tmp_path: Path, scratch: Path, until: str, ending: signal.Signals
) -> None:
    places = {**environment, "TMPDIR": str(scratch)}
    command = [sys.executable, "-u", "-m", "bgresearch", "demo"]
    process = subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path, env=places
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith(until):
                break
        process.send_signal(ending)
        rest, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 128 + ending, said + rest
    assert "Traceback" not in rest
    assert list(scratch.iterdir()) == []


def test_a_page_that_cannot_be_written_is_said_before_the_work_begins(run: Run, scratch: Path) -> None:
    refused = run("demo", "--page", str(scratch / "nowhere" / "page.html"), "--json")
    assert refused.status == 1
    error = json.loads(refused.err)["error"]
    assert error["kind"] == "StoreError"
    assert os.fspath(scratch) in error["message"]
