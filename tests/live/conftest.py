"""A sandbox whose time runs, served on loopback, and clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.sandbox import Exchange

Fresh = Callable[..., Client]


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
