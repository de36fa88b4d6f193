from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")


def counted(*arguments: str) -> dict[str, int]:
    script = ROOT / "benchmarks" / "vault_kill.py"
    done = subprocess.run(  # noqa: S603 -- this interpreter, our own script
        [sys.executable, script, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, int] = json.loads(done.stdout)
    return result


def test_a_kill_at_any_disk_call_of_a_save_loses_nothing() -> None:
    result = counted("steps")
    assert result["kills"] >= 20
    assert (result["lost"], result["unreadable"]) == (0, 0)
    assert 0 < result["unsaved"] < result["kills"]  # some were killed before the commit, some after it


@pytest.mark.slow
def test_a_kill_at_a_random_moment_loses_nothing() -> None:
    result = counted("random", "--rounds", "30")
    assert (result["kills"], result["lost"], result["unreadable"]) == (30, 0, 0)
    assert result["saved"] > 0


@pytest.mark.slow
def test_a_kill_at_any_disk_call_of_a_rotation_leaves_the_old_key_or_the_new_one() -> None:
    result = counted("rotations", "--rounds", "70")
    assert (result["kills"], result["lost"], result["unreadable"]) == (70, 0, 0)
    assert result["both there"] > 0  # some were killed between the new key's coming and the old one's going
    assert result["rotated before the kill"] > 0


@pytest.mark.slow
def test_a_kill_during_a_change_of_password_leaves_exactly_one_that_opens() -> None:
    result = counted("passwords", "--rounds", "6")
    assert (result["kills"], result["lost"], result["not exactly one password"]) == (6, 0, 0)
