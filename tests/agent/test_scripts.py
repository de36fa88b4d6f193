"""The counted promises: short runs of the scripts whose long runs stand in docs/security.md."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from bgresearch.agent.protocol import decode_request
from bgresearch.agent.requests import PURPOSES, Lock, Offer, Request
from tests.conftest import PATIENCE_S

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def figures(script: str, *arguments: str) -> Any:
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(BENCHMARKS / script), *arguments],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_of_many_starters_one_agent_comes_and_all_are_served() -> None:
    assert figures("agent_race.py", "--rounds", "5", "--clients", "10") == {
        "rounds": 5, "clients": 10, "agents": 5, "served": 50,
    }  # fmt: skip


@pytest.mark.slow
@needs_proc
def test_broken_frames_do_no_harm() -> None:
    found = figures("agent_fuzz.py", "--frames", "2000")
    assert found["frames"] == 2000
    assert [found[bad] for bad in ("crashes", "hangs", "leaks")] == [0, 0, 0]


def test_the_frames_to_break_are_of_every_operation_but_the_one_that_ends_the_agent() -> None:
    script = importlib.util.spec_from_file_location("agent_fuzz", BENCHMARKS / "agent_fuzz.py")
    assert script is not None
    assert script.loader is not None
    fuzz = importlib.util.module_from_spec(script)
    script.loader.exec_module(fuzz)
    requests = [decode_request(frame) for frame in fuzz.frames()]
    assert {type(request) for request in requests} == set(get_args(Request)) - {Lock}
    assert {request.purpose for request in requests if isinstance(request, Offer)} == set(PURPOSES)


@needs_proc
def test_the_same_user_cannot_read_the_agent() -> None:
    found = figures("agent_protection.py")
    assert found["uid"] != 0
    assert found["control"]["environ"], "the control must be readable, else nothing is proved"
    assert not any(found["agent"].values())
    assert (found["core"], found["weak"]) == ("0", [])


@pytest.mark.slow
@needs_proc
def test_a_kernel_that_asked_through_the_agent_holds_no_secret() -> None:
    found = figures("kernel_memory.py")
    assert found["agent"]["requests"] > 10
    assert all(found["agent"]["marker"].values()), "the search must find what is there, in every form"
    assert found["in process"]["secrets"]["utf-8"] > 0, "a kernel that opens the vault itself does hold them"
    assert not any(found["agent"]["secrets"].values())
