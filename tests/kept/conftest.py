"""A client on the sandbox exchange, a clock moved by hand, and the source that rooms below the client are given."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

import bgresearch
from bgresearch.candles import Source
from bgresearch.client import Client
from bgresearch.clock import ManualClock
from bgresearch.sandbox import Exchange

NOW = dt.datetime(2026, 11, 20, 9, 0, 30, tzinfo=dt.UTC)
Connect = Callable[..., Client]
SourceOf = Callable[..., Source]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(int(NOW.timestamp() * 1000))


@pytest.fixture(scope="session")
def model() -> Exchange:
    """An exchange whose world and histories the others share, as telling them takes a second."""
    return Exchange()


@pytest.fixture
def exchange(model: Exchange, clock: ManualClock) -> Exchange:
    new = Exchange(clock=clock)
    new.world, new.accounts = model.world, model.accounts
    return new


@pytest.fixture
def connect(exchange: Exchange, clock: ManualClock, tmp_path: Path) -> Connect:
    def new(**options: object) -> Client:
        defaults = {"sandbox": exchange, "data_dir": tmp_path / "data", "clock": clock, "progress": False}
        return bgresearch.connect(**(defaults | options))

    return new


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect()


@pytest.fixture
def source_of() -> SourceOf:
    """What the client hands its verbs."""
    return lambda client: client._source
