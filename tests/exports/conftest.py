"""What verbs of the sandbox return: candles, fills, tickers, funding rates."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange

NOW = pd.Timestamp("2026-11-20 09:00:30", tz="UTC")
START = NOW.floor("D") - pd.Timedelta(days=20)


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    clock = ManualClock(int(NOW.timestamp() * 1000))
    with bgresearch.connect(
        sandbox=Exchange(clock=clock), data_dir=tmp_path_factory.mktemp("data"), clock=clock, progress=False
    ) as connected:
        yield connected


@pytest.fixture(scope="session")
def frames(client: Client) -> dict[str, pd.DataFrame]:
    return {
        "candles": client.candles("BTCUSDT", "1h", START, NOW.floor("D")),
        "mark": client.candles("BTCUSDT", "1h", START, NOW.floor("D"), market="usdt-futures", price="mark"),
        "futures": client.candles("BTCUSDT", "1h", START, NOW.floor("D"), market="usdt-futures"),
        "funding": client.funding_rates("BTCUSDT", START, NOW.floor("D"), market="usdt-futures"),
        "fills": client.account.fills(START),
        "tickers": client.tickers(market="usdt-futures"),
        "symbols": client.symbols(),
        "raw": client.api.spot.account_assets(),
    }


@pytest.fixture
def candles(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return frames["candles"]
