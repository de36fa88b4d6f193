"""A client of a sandbox whose accounts hold as much as a test wants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

import bgresearch
from bgresearch.client import Client
from bgresearch.clock import ManualClock
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.crowds import Crowd, crowded

NOW_MS = int(dt.datetime(2026, 11, 20, 9, 0, 30, tzinfo=dt.UTC).timestamp() * 1000)

Busy = Callable[..., tuple[Client, Crowd]]
Connect = Callable[..., Client]


@pytest.fixture(scope="session")
def model() -> Exchange:
    return Exchange()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_MS)


@pytest.fixture
def exchange(model: Exchange, clock: ManualClock) -> Exchange:
    new = Exchange(clock=clock)
    new.world, new.accounts = model.world, dict(model.accounts)
    return new


@pytest.fixture
def connect(exchange: Exchange, clock: ManualClock, tmp_path: Path) -> Connect:
    def new(**options: object) -> Client:
        defaults = {"sandbox": exchange, "data_dir": tmp_path / "data", "clock": clock, "progress": False}
        return bgresearch.connect(**(defaults | options))  # type: ignore[arg-type]

    return new


@pytest.fixture
def busy(exchange: Exchange, connect: Connect) -> Busy:
    """Return a function that fills the accounts and connects to them."""

    def filled(key: str = "readonly", **amounts: float) -> tuple[Client, Crowd]:
        crowd = Crowd(NOW_MS, **amounts)  # type: ignore[arg-type]
        for name in ("classic", "unified"):
            exchange.accounts[name] = crowded(exchange.accounts[name], crowd)
        return connect(key=key), crowd

    return filled
