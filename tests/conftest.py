"""What all tests use: settings, folders of their own, and a client of the sandbox in this process."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import bgresearch
from bgresearch.catalogue import Endpoint
from bgresearch.client.client import Client
from bgresearch.core.clock import AHEAD, ManualClock
from bgresearch.sandbox import Exchange
from bgresearch.session.session import Session

NOW = dt.datetime(2026, 11, 20, 9, 0, 30, tzinfo=dt.UTC)
NOW_MS = int(NOW.timestamp() * 1000)
LONG = ("browser", "cli", "notebooks")
PATIENCE_S = 600  # whatever takes longer hangs: a busy machine is a dozen times slower than a quiet one
Connect = Callable[..., Client]
SessionOf = Callable[[Client], Session]

# Tests share a machine, and claim nothing about time. `make test-long` tries as many examples as Hypothesis proposes.
settings.register_profile("quick", deadline=None, max_examples=30)
settings.register_profile("thorough", deadline=None)
settings.load_profile("quick")
_BEGAN_S = time.monotonic()
_tests = count()


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what a program remembers between runs out of the user's own folder; child processes inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def time_of_the_sandboxes() -> Iterator[None]:
    """Let it be NOW, and then later, in every sandbox without a clock of its own and for who asks it.

    Child processes inherit it, so no test depends on the day on which it runs.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(AHEAD, ahead_of(NOW))
        yield


@pytest.fixture(autouse=True)
def budget_of_its_own(state_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for what another one has sent: each has a request budget of its own, as have its processes."""
    monkeypatch.setenv("BGRESEARCH_STATE_DIR", str(state_home / f"test-{next(_tests)}"))
    monkeypatch.delenv("BGRESEARCH_BUDGET_URL", raising=False)


def search_path(first: Path) -> str:
    """Return a PYTHONPATH with this folder before what is in it already."""
    return os.pathsep.join(filter(None, (str(first), os.environ.get("PYTHONPATH"))))


def ahead_of(moment: dt.datetime) -> str:
    """Return how far ahead sandboxes have to be for it to be that moment there, as they are configured."""
    return f"{moment.timestamp() - time.time():.3f}"


def inherited(*foreign: str) -> dict[str, str]:
    """Return what a child process may have of this environment: no place of this package's, but its sandbox's time."""
    dropped = ("BGRESEARCH_", *foreign)
    return {name: value for name, value in os.environ.items() if name == AHEAD or not name.startswith(dropped)}


@contextlib.contextmanager
def child(*command: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Give a process that is ended, and whose pipes are closed, however the block ends."""
    with subprocess.Popen(command, text=True, **options) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], Any], *, within_s: float = PATIENCE_S) -> Any:
    """Wait for an event with a generous bound, and return what the condition gave."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def call_of(client: Client, row: Endpoint) -> Any:
    """The callable of a row of the table in the raw namespace."""
    return getattr(getattr(client.api if row.documented else client.api.undocumented, row.area), row.name)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--within", type=float, metavar="MINUTES", help="skip the tests that were not begun by then")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is begun too late, so that what failed before is reported in time, and what was not run is counted."""
    within_min = item.config.getoption("--within")
    if within_min is not None and time.monotonic() - _BEGAN_S > 60 * within_min:
        pytest.skip("the minutes of --within are over")


def pytest_configure() -> None:
    """Undo what a background job inherits: programs started by the tests would not hear Ctrl-C.

    And of faketime the moved monotonic clock, in workers and children; tests/shifted says why.
    """
    if "FAKETIME" in os.environ:
        os.environ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
        os.environ["PYTHONPATH"] = search_path(Path(__file__).with_name("shifted"))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow what ``quick_cases`` leaves out, and begin with the files that take longest.

    The last of the workers would go on alone with one of these files. The quick cases are the same in every run, and
    chosen by their names' checksums: an even spread over pairs of parameters can meet the same one of a pair each time.
    """
    matrices: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("quick_cases") and not item.get_closest_marker("slow"):
            matrices.setdefault((item.path, item.name.partition("[")[0]), []).append(item)
    for cases in matrices.values():
        (wanted,) = next(cases[0].iter_markers("quick_cases")).args
        for case in sorted(cases, key=lambda case: zlib.crc32(case.name.encode()))[wanted:]:
            case.add_marker("slow")
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture(scope="session")
def model() -> Exchange:
    """An exchange whose world and histories the others share, as telling them takes a second."""
    return Exchange()


@pytest.fixture
def exchange(model: Exchange, clock: ManualClock) -> Exchange:
    new = Exchange(clock=clock)
    new.world, new.accounts = model.world, dict(model.accounts)
    return new


@pytest.fixture
def connect(exchange: Exchange, clock: ManualClock, tmp_path: Path) -> Connect:
    """Return a function that connects to the exchange of this test; what is said wins over what is usual."""

    def new(**options: object) -> Client:
        usual = {"sandbox": exchange, "data_dir": tmp_path / "data", "clock": clock, "progress": False}
        return bgresearch.connect(**(usual | options))  # type: ignore[arg-type]

    return new


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect()


@pytest.fixture
def session_of() -> SessionOf:
    """Return a function that gives the session which a client hands its verbs."""
    return lambda client: client._source
