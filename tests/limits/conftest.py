"""Books of every kind, clocks that only seem to wait, and processes of their own that count in the same file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bgresearch.catalogue import load
from bgresearch.core.clock import SystemClock
from tests.conftest import PATIENCE_S, search_path

TABLE = load()
CANDLES = TABLE["spot.candles"]  # 20 per second per address
FILLS = TABLE["spot.fills"]  # 10 per second per address
ASSETS = TABLE["spot.account_assets"]  # 10 per second per user
HOST = "https://api.bitget.com"
WORKER = Path(__file__).with_name("worker.py")


class Impatient(SystemClock):
    """The machine's clock, but a wait ends at once; ``waited_s`` says how long it would have been."""

    def __init__(self) -> None:
        self.waited_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.waited_s

    def sleep(self, seconds: float) -> None:
        self.waited_s += max(seconds, 0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "budget"


def begin(folder: Path, *order: object) -> subprocess.Popen[str]:
    """Start a process that counts in this folder."""
    command = [sys.executable, "-W", "error", str(WORKER), str(folder), *map(str, order)]
    environment = {**os.environ, "PYTHONPATH": search_path(Path(ROOT))}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603


def ended(process: subprocess.Popen[str]) -> Any:
    """Return what a process said at its end."""
    with process:
        try:
            said, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0
    return json.loads(said)


ROOT = str(Path(__file__).parents[2])
