"""A short run of the script that kills downloads; its long run stands in benchmarks/README.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "download_kill.py"


def test_a_killed_download_loses_nothing_damages_nothing_and_asks_only_again_what_was_on_its_way() -> None:
    arguments = ("--kills", "4", "--symbols", "2", "--days", "3")
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["kills"], outcome["damaged"], outcome["wrong"]) == (4, 0, 0)
