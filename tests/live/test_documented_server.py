"""Streams against a server that was written from the documentation, and knows nothing of the package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bgresearch.core.clock import SystemClock
from bgresearch.core.symbols import Named
from bgresearch.errors import AuthenticationError, ExchangeError
from bgresearch.http.ratelimit.limiter import LocalLimiter
from bgresearch.http.sender import Wire
from bgresearch.live.channels import Subscription, chosen_channel
from bgresearch.live.hosts import LiveAccess, OwnLogin, Version
from bgresearch.live.pacing import Pace
from bgresearch.live.stream import Stream
from bgresearch.session.session import Session
from bgresearch.store import Store
from tests.live import documented_server as documented
from tests.live.documented_server import T0, DocumentedServer
from tests.live.test_streams import until
from vault import loopback_credential

CLOCK = SystemClock()
PACE = Pace(ping_s=0.2, first_pause_s=0.05)
versions = pytest.mark.parametrize("version", ["v2", "v3"])
RIGHT = {
    "api_key": documented.API_KEY, "secret_key": documented.SECRET_KEY, "passphrase": documented.PASSPHRASE,
}  # fmt: skip


@dataclass(frozen=True)
class Signs:
    """Signs a login with one key."""

    host: str
    triple: dict[str, str] = field(repr=False)
    demo: bool = False

    def login(self, read_clock: bool = False) -> Any:
        return loopback_credential("documented", **self.triple, host=self.host).login(CLOCK.now_ms())


@pytest.fixture
def server() -> Iterator[DocumentedServer]:
    with DocumentedServer() as running:
        yield running
    assert running.broken == []


def streamed(
    server: DocumentedServer, folder: Path, channel: str, version: Version, *, symbols: tuple[str, ...] = ("BTCUSDT",),
    **key: str,
) -> Stream:  # fmt: skip
    """Return a stream of that server; nothing answers over REST."""
    limiter, host = LocalLimiter(CLOCK), server.url.replace("ws", "http", 1)
    sender = Wire("http://127.0.0.1:1", limiter=limiter, clock=CLOCK, attempts=1)
    private = OwnLogin(lambda: server.url, limiter, Signs(host, RIGHT | key))
    access = LiveAccess(lambda: server.url, limiter, private, pace=PACE)
    interval = "1m" if channel == "candles" else None
    row = chosen_channel(channel, "spot", interval=interval, version=version)
    wanted = [Subscription(row, Named(symbol, "spot"), interval or "") for symbol in symbols]
    return Stream(Session(sender, Store(folder), CLOCK), access, wanted)


def rows_of(stream: Stream, count: int) -> pd.DataFrame:
    frames: list[pd.DataFrame] = []
    while sum(map(len, frames)) < count:
        frames.append(next(stream))
    return pd.concat(frames)


@versions
def test_trades_come_oldest_first_and_each_once(server: DocumentedServer, tmp_path: Path, version: Version) -> None:
    with streamed(server, tmp_path, "trades", version) as stream:
        rows = rows_of(stream, 4)
    expected = [*reversed(documented.TRADES), *documented.MORE_TRADES]
    assert rows.trade_id.tolist() == [trade[0] for trade in expected]
    assert rows.index.tolist() == [pd.Timestamp(T0 + trade[1], unit="ms", tz="UTC") for trade in expected]
    assert rows.side.tolist() == [trade[2] for trade in expected]
    assert rows.price.tolist() == [float(trade[3]) for trade in expected]
    assert rows.amount.tolist() == [float(trade[4]) for trade in expected]


@versions
def test_candles_are_given_when_the_next_one_begins(server: DocumentedServer, tmp_path: Path, version: Version) -> None:
    with streamed(server, tmp_path, "candles", version) as stream:
        rows = rows_of(stream, 3)
        assert stream.open_bars()["BTCUSDT"]["open_time"] == T0 + 180_000
    for (opened, *numbers), row in zip(documented.CANDLES, rows.itertuples(), strict=True):
        assert row.Index == pd.Timestamp(opened, unit="ms", tz="UTC")
        assert [row.open, row.high, row.low, row.close, row.volume, row.quote_volume] == list(map(float, numbers))


@versions
def test_a_ticker_has_every_documented_number(server: DocumentedServer, tmp_path: Path, version: Version) -> None:
    with streamed(server, tmp_path, "tickers", version) as stream:
        [row] = next(stream).itertuples()
    assert (row.symbol, row.market) == ("BTCUSDT", "spot")
    assert (row.last, row.bid, row.bid_size, row.ask, row.ask_size) == (101.4, 101.25, 3.5, 101.75, 7.25)
    assert (row.open_24h, row.high_24h, row.low_24h, row.change_24h) == (99.0, 105.0, 98.5, 0.0242)
    assert (row.volume_24h, row.quote_volume_24h) == (1234.5, 125000.75)


@versions
@pytest.mark.parametrize("lost", [None, 0, 1, 2])
def test_an_order_book_is_the_server_s_also_after_a_lost_update(
    tmp_path: Path, version: Version, lost: int | None
) -> None:
    with DocumentedServer(lost_update=lost) as server, streamed(server, tmp_path, "order_book", version) as stream:
        last = documented.SEQUENCE + 7 * len(documented.UPDATES)
        if lost == 2:  # the last one: that it is missing shows only with the next
            last -= 7
        until(lambda: stream.book("BTCUSDT").attrs["bgresearch"]["sequence"] == last)
        book = stream.book("BTCUSDT")
        operations = [message["op"] for message in server.asked if message["op"] != "ping"]
    assert server.broken == []
    assert operations == (["subscribe", "unsubscribe", "subscribe"] if lost in (0, 1) else ["subscribe"])
    if lost != 2:
        assert levels(book, "ask") == [(101.75, 7.25), (102.0, 2.75)]
        assert levels(book, "bid") == [(101.25, 3.5), (100.5, 4.75)]


def levels(book: pd.DataFrame, side: str) -> list[tuple[float, float]]:
    part = book[book.side == side]
    return list(zip(part.price, part.amount, strict=True))


@versions
def test_a_login_is_signed_as_documented_and_the_account_is_read(
    server: DocumentedServer, tmp_path: Path, version: Version
) -> None:
    with streamed(server, tmp_path, "account", version, symbols=("",)) as stream:
        [row] = next(stream).itertuples()
    assert (row.coin, row.available) == ("USDT", 12.5)
    assert [message["op"] for message in server.asked][:2] == ["login", "subscribe"]


@versions
@pytest.mark.parametrize(("wrong", "code"), [("api_key", "30011"), ("passphrase", "30012"), ("secret_key", "30015")])
def test_a_login_that_is_refused_ends_the_stream_with_the_code(
    server: DocumentedServer, tmp_path: Path, version: Version, wrong: str, code: str
) -> None:
    with (
        streamed(server, tmp_path, "account", version, symbols=("",), **{wrong: "of_somebody_else"}) as stream,
        pytest.raises(AuthenticationError) as caught,
    ):
        next(stream)
    assert caught.value.code == code


@versions
def test_an_unknown_symbol_ends_the_stream(server: DocumentedServer, tmp_path: Path, version: Version) -> None:
    with (
        streamed(server, tmp_path, "trades", version, symbols=("NOPEUSDT",)) as stream,
        pytest.raises(ExchangeError) as caught,
    ):
        next(stream)
    assert caught.value.code == "30001"


@versions
def test_many_symbols_are_subscribed_to_within_the_limits_and_pings_are_texts(
    server: DocumentedServer, tmp_path: Path, version: Version
) -> None:
    symbols = tuple(f"C{number}USDT" for number in range(25))
    with streamed(server, tmp_path, "tickers", version, symbols=symbols) as stream:
        assert set(rows_of(stream, 25).symbol) == set(symbols)
        until(lambda: {"op": "ping"} in server.asked)
        assert stream.status.reconnects == 0
