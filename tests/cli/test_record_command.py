"""Record against a served sandbox, by a clock that runs: real processes, ended, killed, and two at once."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import bgresearch
from bgresearch.sandbox.server import Server
from tests.cli.conftest import Child, Run, started

COMMAND = ("record", "open-interest", "BTCUSDT", "--every", "1s")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


@pytest.fixture
def places(environment: dict[str, str], server: Server) -> dict[str, str]:
    return {**environment, "BGRESEARCH_BASE_URL": server.url}


def said(child: Child) -> list[str]:
    return re.findall(r"^(\S+Z) BTCUSDT: recorded$", child.said, re.MULTILINE)


def read(server: Server, places: dict[str, str]) -> pd.DataFrame:
    with bgresearch.connect(base_url=server.url, data_dir=Path(places["BGRESEARCH_DATA_DIR"]) / ".sandbox") as client:
        return client.recorded("open-interest", "BTCUSDT", client.now - pd.Timedelta("1h"))


def times(frame: pd.DataFrame) -> list[str]:
    return [at.strftime("%Y-%m-%dT%H:%M:%SZ") for at in frame.index]


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_ended_recorder_keeps_everything_says_what_and_ends_with_0(
    places: dict[str, str], tmp_path: Path, server: Server, ending: signal.Signals
) -> None:
    with started(places, tmp_path, *COMMAND) as child:
        child.line_with(r"BTCUSDT: recorded$")
        child.send(ending)
        assert child.status() == 0
    assert re.search(rf"^BTCUSDT +{len(said(child))} +0 +0 ", child.said, re.MULTILINE)
    assert "Traceback" not in child.said
    assert times(read(server, places)) == said(child)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_sigkill_loses_at_most_the_row_under_way(places: dict[str, str], tmp_path: Path, server: Server) -> None:
    with started(places, tmp_path, *COMMAND) as child:
        child.line_with(r"(?s)BTCUSDT: recorded.*BTCUSDT: recorded$")
        child.send(signal.SIGKILL)
        child.status()
    kept = times(read(server, places))
    assert kept[: len(said(child))] == said(child)
    assert len(kept) <= len(said(child)) + 1
    with started(places, tmp_path, *COMMAND, "--count", "1") as child:  # and nothing has to be repaired
        assert child.status() == 0
    assert len(read(server, places)) == len(kept) + 1


@pytest.mark.slow
def test_two_recorders_at_once_double_no_row(places: dict[str, str], tmp_path: Path, server: Server) -> None:
    command = (*COMMAND, "--count", "2")
    with started(places, tmp_path, *command) as one, started(places, tmp_path, *command) as two:
        assert [one.status(), two.status()] == [0, 0]
    frame = read(server, places)
    assert frame.index.is_unique
    assert set(times(frame)) == {*said(one), *said(two)}


def test_wrong_usage_is_said_in_words_and_the_result_is_reported_as_json(run: Run, server: Server) -> None:
    wrong = run("record", "open-interest", "BTCUSDT", "--every", "7m", BGRESEARCH_BASE_URL=server.url)
    assert (wrong.status, "--every: a day is no whole number of 7m" in wrong.err) == (2, True)
    wrong = run("record", "moon", "BTCUSDT", "--every", "5m", BGRESEARCH_BASE_URL=server.url)
    assert (wrong.status, "kind: 'moon' is unknown" in wrong.err) == (2, True)
    ran = run(*COMMAND[:3], "NOPEUSDT", "--every", "1s", "--count", "1", "--json", BGRESEARCH_BASE_URL=server.url)
    assert ran.status == 1
    found = {one["symbol"]: one for one in ran.json()["series"]}
    assert found["BTCUSDT"]["recorded"] == 1
    assert "40034" in found["NOPEUSDT"]["failed"]
    assert "1 of 2 symbols failed" in ran.err
