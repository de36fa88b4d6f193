"""The world's own candles to compare with, and another exchange, written from the documentation alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.core.intervals import INTERVALS
from bgresearch.core.timestamps import moment_ms
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.world.markets import find
from tests.client.other_exchange import Habits, OtherExchange

Truth = Callable[..., pd.DataFrame]
Start = Callable[..., tuple[OtherExchange, Client]]


@pytest.fixture
def truth(exchange: Exchange, clock: ManualClock) -> Truth:
    """Return the closed candles of the world itself, as the client should give them."""

    def made(
        symbol: str, interval: str, start: str, end: str, *, market: str = "spot", price: str = "last",
        anchor: str = "utc",
    ) -> pd.DataFrame:  # fmt: skip
        found = find(market, symbol)
        assert found is not None
        length, now = INTERVALS[interval], clock.now_ms()
        start_ms, end_ms = moment_ms(start, "start")[0], moment_ms(end, "end")[0]
        bars = exchange.world.bars(found, length, start_ms, end_ms, now_ms=now, price=price, anchor=anchor)
        margin = 2_000 if price == "last" else 60_000
        closed = np.array([length.next_open(int(at), anchor) <= now - margin for at in bars.open_ms], dtype=bool)
        scales = [10.0**found.price_places] * 4 + [10.0**found.size_places, 10.0**4]
        columns = {
            name: bars.values[place][closed] / scale
            for place, (name, scale) in enumerate(
                zip(["open", "high", "low", "close", "volume", "quote_volume"], scales, strict=True)
            )
        }
        index = pd.DatetimeIndex(pd.to_datetime(bars.open_ms[closed], unit="ms", utc=True), name="open_time")
        return pd.DataFrame(columns, index=index.as_unit("ms"))

    return made


@pytest.fixture
def start(tmp_path: Path, clock: ManualClock) -> Iterator[Start]:
    """Start an exchange with habits, and a client of it; both on one clock that is moved by hand."""
    running: list[OtherExchange] = []

    def started(habits: Habits | None = None, seed: int = 1, **options: Any) -> tuple[OtherExchange, Client]:
        exchange = OtherExchange(habits, clock.now_ms, seed).__enter__()
        running.append(exchange)
        options = {"clock": clock, "progress": False, "data_dir": tmp_path / str(len(running))} | options
        return exchange, bgresearch.connect(base_url=exchange.url, **options)

    yield started
    for exchange in running:
        exchange.__exit__()
