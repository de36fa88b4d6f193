"""One short run of the script whose long run stands in docs/security.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.conftest import chromium
from tests.conftest import PATIENCE_S

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "form_secrets.py"

needs_chromium = pytest.mark.skipif(
    chromium() is None and os.environ.get("CI") != "true", reason="Chromium is not installed: apt-get install chromium"
)


@needs_chromium
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_typed_in_the_wizard_is_with_the_agent_and_nowhere_else() -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["runs"], found["leaks"], found["blind"]) == (1, {}, [])
    assert {
        "kernel",
        "Jupyter server",
        "browser profile",
        "notebooks and checkpoints",
        "history",
        "web sockets",
    } <= set(found["searched"])
    if os.geteuid() == 0:  # who else may not look into the agent, which is its point
        assert found["agent"][0] > 0
        assert found["not_searched"] == []
