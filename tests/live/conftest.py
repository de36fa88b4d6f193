"""A sandbox whose time runs, served on loopback, and clients of it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.sandbox import Exchange

Fresh = Callable[..., Client]
LONGEST_S = 300  # of one test: what takes longer hangs


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Fail a test that hangs, and one that leaves a thread of a stream behind."""

    def ring(*_: object) -> None:
        raise AssertionError(f"the test takes longer than {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(LONGEST_S)
    yield
    try:
        while [one for one in threading.enumerate() if one.name.startswith("bgresearch-live")]:
            time.sleep(0.05)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def running(model: Exchange) -> Exchange:
    """An exchange whose markets live in real time, from the tests' own instant on."""
    new = Exchange()
    new.world, new.accounts = model.world, dict(model.accounts)
    return new


@pytest.fixture
def fast(model: Exchange) -> Exchange:
    """An exchange whose markets live sixty times as fast."""
    new = Exchange(speed=60)
    new.world, new.accounts = model.world, dict(model.accounts)
    return new


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Fresh]:
    """Return a function that connects to an exchange with an empty folder, and close what it made."""
    made: list[Client] = []

    def new(exchange: Exchange, **options: object) -> Client:
        usual = {"sandbox": exchange, "data_dir": tmp_path / f"data-{len(made)}", "progress": False}
        made.append(bgresearch.connect(**(usual | options)))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.fixture
def live(running: Exchange, fresh: Fresh) -> Client:
    return fresh(running)
