"""The agent and the kernel send from one address, so they count in one budget."""

from __future__ import annotations

from pathlib import Path

import pytest

import bgresearch as bg
from bgresearch.agent.client import Agent
from bgresearch.agent.socket_path import Place
from bgresearch.core.clock import SystemClock
from bgresearch.http.ratelimit.limiter import ADDRESS, ADDRESS_COUNT, Log, LogLimiter
from bgresearch.http.ratelimit.sqlite_file import default_folder
from bgresearch.http.ratelimit.sqlite_log import SqliteLogStore
from tests.limits.conftest import ASSETS, CANDLES, Impatient


@pytest.fixture
def client(agent: Agent, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bg.Client:
    monkeypatch.setenv("BGRESEARCH_AGENT_DIR", str(place.folder))
    return bg.connect(key="research", data_dir=tmp_path / "data")


@pytest.mark.slow
def test_kernel_and_agent_together_never_exceed_the_address_budget(client: bg.Client, exchange_url: str) -> None:
    book = SqliteLogStore(default_folder(), exchange_url, SystemClock())
    clock = Impatient()
    left = 6

    def almost_used_up(now_s: float, logs: list[Log]) -> None:
        logs[0].counted(ADDRESS_COUNT - left, now_s)

    book.change((ADDRESS,), almost_used_up)
    client.api.spot.tickers(symbol="BTCUSDT")
    of_the_kernel = client.requests_sent
    client.api.spot.account_assets()
    client.api.spot.account_assets(coin="BTC")
    of_both = client.requests_sent
    assert (of_the_kernel, of_both) == (1, 4), "the agent asks the exchange's clock first"
    assert book.change((ADDRESS,), lambda _now_s, logs: len(logs[0])) == ADDRESS_COUNT - left + of_both
    other = LogLimiter(clock, SqliteLogStore(default_folder(), exchange_url, clock))
    for _ in range(left - of_both):
        other.acquire(CANDLES, "")
    assert clock.waited_s == 0
    other.acquire(CANDLES, "")
    assert clock.waited_s > 30, "six requests are all that were left of this minute"


@pytest.mark.slow
def test_a_429_elsewhere_pauses_the_agent(client: bg.Client, exchange_url: str) -> None:
    clock = SystemClock()
    book = SqliteLogStore(default_folder(), exchange_url, clock)
    name = f"{ASSETS.id} key research"
    LogLimiter(clock, book).rejected(ASSETS, "key research", address_wide=False)
    until_s = book.change((name,), lambda _now_s, logs: logs[0].paused_until_s)
    client.api.spot.account_assets()
    left_s = book.change((name,), lambda _now_s, logs: logs[0].arrived[-1])
    assert left_s >= until_s
