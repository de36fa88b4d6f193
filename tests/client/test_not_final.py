"""A candle that changes after it was stored is noticed by the next call, fetched again and reported."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

from bgresearch.core.clock import ManualClock
from bgresearch.errors import UndocumentedData
from bgresearch.sandbox import Exchange
from tests.conftest import NOW, Connect

NOW_, MINUTE = pd.Timestamp(NOW).floor("min"), pd.Timedelta(minutes=1)
SPAN = (NOW_ - 20 * MINUTE, NOW_ + 20 * MINUTE)


@pytest.mark.parametrize(("market", "interval"), [("spot", "1m"), ("usdt-futures", "1m"), ("spot", "5m")])
def test_what_was_stored_too_early_is_fetched_again_and_reported(
    connect: Connect, exchange: Exchange, clock: ManualClock, market: str, interval: str
) -> None:
    exchange.habits.change("candles.final_after_ms")
    client = connect()
    client.candles("BTCUSDT", interval, *SPAN, market=market)
    for _ in range(4):
        clock.advance(60)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndocumentedData)
            client.candles("BTCUSDT", interval, *SPAN, market=market)
    if interval == "1m":
        assert "candles.final_after_ms" in (client._source.store.read_file("differences.json") or b"").decode()
    clock.advance(3600)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndocumentedData)
            got = client.candles("BTCUSDT", interval, *SPAN, market=market)
    exchange.habits.restore()
    usual = connect(data_dir=f"{client.data_dir}-usual")
    pd.testing.assert_frame_equal(got, usual.candles("BTCUSDT", interval, *SPAN, market=market))


def test_it_is_said(connect: Connect, exchange: Exchange, clock: ManualClock) -> None:
    exchange.habits.change("candles.final_after_ms")
    client = connect()
    client.candles("BTCUSDT", "1m", *SPAN)
    clock.advance(60)
    with pytest.warns(UndocumentedData, match=r"candles\.final_after_ms does not hold .* fetched again"):
        client.candles("BTCUSDT", "1m", *SPAN)


def test_nothing_is_said_or_asked_twice_where_candles_are_final(
    connect: Connect, exchange: Exchange, clock: ManualClock
) -> None:
    client = connect()
    for _ in range(4):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            client.candles("BTCUSDT", "1m", *SPAN)
        clock.advance(60)
    assert client._source.sender.sent <= 5
    assert client._source.store.read_file("differences.json") is None
