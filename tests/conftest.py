from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)  # tests share a machine, and claim nothing about time
settings.load_profile("patient")
_tests = count()


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what a program remembers between runs out of the user's own folder; child processes inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def budget_of_its_own(state_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for what another one has sent: each has a request budget of its own, as have its processes."""
    monkeypatch.setenv("BGRESEARCH_STATE_DIR", str(state_home / f"test-{next(_tests)}"))
    monkeypatch.delenv("BGRESEARCH_BUDGET_URL", raising=False)


def pytest_configure() -> None:
    """Undo what a background job inherits: programs started by the tests would not hear Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
