"""The demo as a newcomer runs it, and what is left of it when it is interrupted."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
from pathlib import Path

import pytest

from bgresearch.core.clock import AHEAD
from tests.cli.conftest import Run, started
from tests.conftest import ahead_of


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


@pytest.mark.slow
@pytest.mark.parametrize("day", ["2027-01-31T23:59:40", "2027-12-31T23:59:40", "2028-02-29T12:00:00"])
def test_the_demo_runs_on_any_day(run: Run, day: str) -> None:
    done = run("demo", "--json", **{AHEAD: ahead_of(dt.datetime.fromisoformat(f"{day}+00:00"))})
    assert done.status == 0, done.err
    figures = done.json()
    assert (figures["verdict"], figures["candles"], figures["cache_requests"]) == ("read-only", 86_400, 0)
    assert figures["fills"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("until", "ending"),
    [
        ("Vault", signal.SIGTERM),
        pytest.param("Vault", signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("Page", signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_demo_cleans_up(
    environment: dict[str, str], tmp_path: Path, scratch: Path, until: str, ending: signal.Signals
) -> None:
    places = {**environment, "TMPDIR": str(scratch)}
    with started(places, tmp_path, "demo") as process:
        process.line_with(f"^{until} .*$")
        process.send(ending)
        assert process.status() == 128 + ending, process.said
        assert "Traceback" not in process.said
    assert list(scratch.iterdir()) == []


@pytest.mark.slow
def test_a_notebook_that_does_not_exist_is_refused_before_the_work_begins(run: Run) -> None:
    refused = run("demo", "--notebook", "nowhere.ipynb", "--json")
    assert refused.status == 2
    assert "there is no file nowhere.ipynb" in json.loads(refused.err)["error"]["message"]


@pytest.mark.slow
def test_a_page_that_cannot_be_written_is_said_before_the_work_begins(run: Run, scratch: Path) -> None:
    refused = run("demo", "--page", str(scratch / "nowhere" / "page.html"), "--json")
    assert refused.status == 1
    error = json.loads(refused.err)["error"]
    assert error["kind"] == "StoreError"
    assert os.fspath(scratch) in error["message"]
