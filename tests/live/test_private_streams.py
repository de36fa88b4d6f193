"""Private streams: the rows of the account's verbs as they happen, through lost pushes and lost connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidInput,
    OfflineError,
    PermissionDenied,
)
from bgresearch.live.channels import CHANNELS
from bgresearch.live.hosts import check_login_address
from bgresearch.live.private_topics import PRIVATE_TOPICS, is_read_only
from bgresearch.live.stream import Stream
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from tests.live.test_streams import until
from vault import loopback_credential

START_MS = 1_795_132_800_000  # 2026-11-20 00:00: a day with trades in spot and contracts
KEYS = {"classic": "readonly", "unified": "unified"}
Connected = Callable[..., Client]
MARKETS = ("spot", "usdt-futures")


def case(channel: str, mode: str, market: str) -> Any:
    """One of two markets for each kind of account is enough for every run."""
    is_quick = channel == "positions" or (mode == "classic") is (market == "spot")
    return pytest.param(channel, mode, market, marks=[] if is_quick else [pytest.mark.slow])


CASES = [
    case(channel, mode, market)
    for channel in ("fills", "orders", "positions", "account")
    for mode in KEYS
    for market in MARKETS
    if (channel, market) != ("positions", "spot")
]
RECORDS = [case(channel, mode, market) for channel in ("fills", "orders") for mode in KEYS for market in MARKETS]


@pytest.fixture
def manual(model: Exchange) -> Exchange:
    """An exchange whose time the test moves."""
    new = Exchange(clock=ManualClock(START_MS), limits=False)
    new.world, new.accounts = model.world, dict(model.accounts)
    return new


@pytest.fixture
def connected(manual: Exchange, tmp_path: Path) -> Iterator[Connected]:
    made: list[Client] = []

    def new(key: str = "readonly", **options: Any) -> Client:
        usual = {"key": key, "sandbox": manual, "data_dir": tmp_path / f"data-{len(made)}", "progress": False}
        made.append(bgresearch.connect(**(usual | options)))
        return made[-1]

    yield new
    for one in made:
        one.close()


def moments(exchange: Exchange, key: str, market: str, count: int) -> list[int]:
    """When the account's first fills of the day in a market happen."""
    account = exchange.accounts[SANDBOX_KEYS[key].account]
    fills = account.history(START_MS + 86_400_000).fills
    times = sorted({fill.ts_ms for fill in fills if fill.ts_ms > START_MS and fill.market.kind == market})
    assert len(times) >= count
    return times[:count]


def move(exchange: Exchange, to_ms: int) -> None:
    """Let it be another instant; monotonic time goes on a little, so that limits of a second do not bind."""
    clock = exchange.clock
    assert isinstance(clock, ManualClock)
    clock.advance(1.5)
    clock.jump(to_ms - clock.now_ms())


def subscribed(stream: Stream) -> None:
    """Wait until the exchange has accepted the subscription."""
    [progress] = stream.intake.progress.values()
    until(lambda: progress.since_ms is not None)


def came(stream: Stream, exchange: Exchange, times: list[int]) -> list[pd.DataFrame]:
    """Move to one instant after another and return the frames that came."""
    frames = []
    for moment in times:
        seen = stream.status.messages
        move(exchange, moment)
        until(lambda seen=seen: stream.status.messages > seen)
        while (frame := stream.next_frame(0.05)) is not None:
            frames.append(frame)
    return frames


def of_rest(exchange: Exchange, client: Client, channel: str, market: str, end_ms: int) -> pd.DataFrame:
    """What the verb of the same name returns a second later."""
    move(exchange, end_ms + 1000)
    account = client.account
    if channel == "fills":
        return account.fills(START_MS + 1, end_ms + 1, market=market)
    if channel == "orders":
        return account.orders(START_MS - 86_400_000, end_ms + 1, market=market)
    return account.positions(market=market) if channel == "positions" else account.assets()


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize(("channel", "mode", "market"), CASES)
def test_a_private_stream_has_columns_dtypes_and_values_of_the_verb(
    manual: Exchange, connected: Connected, channel: str, mode: str, market: str
) -> None:
    client = connected(KEYS[mode])
    times = moments(manual, KEYS[mode], market, 3)
    with client.stream(channel, market=market) as stream:
        subscribed(stream)
        frames = came(stream, manual, times)
    plain = of_rest(manual, client, channel, market, times[-1])
    for frame in frames:
        more = [name for name in ("symbol", "received_at") if name not in plain]
        assert list(frame) == [*plain, *more]
        for name in plain:
            assert type(frame[name].dtype) is type(plain[name].dtype), name
    rows = pd.concat([frame.reset_index().astype(object) for frame in frames])
    compare(channel, rows, plain.reset_index().astype(object), market)


MOVING = {"mark_price", "unrealised_profit", "liquidation_price", "total", "usd_value", "maintenance_rate", "index"}


def compare(channel: str, rows: pd.DataFrame, plain: pd.DataFrame, market: str) -> None:
    """Compare the last state of everything that came with what REST says of it."""
    key = {"fills": ["fill_id"], "orders": ["order_id"], "positions": ["symbol", "side"], "account": ["coin"]}[channel]
    if channel == "account":
        plain = plain[plain.account.isin(set(rows.account))]
    last = rows.groupby(key, sort=True).tail(1).set_index(key).sort_index()
    if channel == "positions":
        last = last[last.amount != 0]
    plain = plain.set_index(key).sort_index()
    if channel in ("orders", "account"):  # the others had no push, or are not over yet
        both = last.index.intersection(plain.index)
        last, plain = last.loc[both], plain.loc[both]
    assert len(plain) > 0
    assert list(last.index) == list(plain.index)
    for name in plain:
        for mine, theirs in zip(last[name], plain[name], strict=True):
            if name == "filled_value":
                assert mine == pytest.approx(theirs, rel=1e-6)
            elif name not in MOVING and (name != "available" or channel != "account" or set(rows.account) == {"spot"}):
                assert (pd.isna(mine) and pd.isna(theirs)) or mine == theirs, name


@pytest.mark.parametrize(("channel", "mode", "market"), RECORDS)
def test_what_was_pushed_while_nothing_arrived_is_fetched_after_the_reconnect(
    manual: Exchange, connected: Connected, channel: str, mode: str, market: str
) -> None:
    client = connected(KEYS[mode])
    times = moments(manual, KEYS[mode], market, 4)
    with client.stream(channel, market=market) as stream:
        subscribed(stream)
        frames = came(stream, manual, times[:1])
        endpoint = f"stream.{channel}"
        manual.faults.inject("drop", endpoint=endpoint, times=1)
        move(manual, times[2])
        until(lambda: stream.status.reconnects == 1)
        until(lambda: stream.status.connected and stream.gaps.repaired.sum() == 1)
        frames += came(stream, manual, times[3:])
        until(lambda: not stream.intake.progress[stream._subscriptions[0].key].segments)
        while (frame := stream.next_frame(0.05)) is not None:
            frames.append(frame)
    plain = of_rest(manual, client, channel, market, times[-1]).reset_index()
    rows = pd.concat([frame.reset_index().astype(object) for frame in frames])
    assert rows.duplicated(["fill_id"] if channel == "fills" else ["order_id", "status", "filled"]).sum() == 0
    if channel == "fills":
        assert sorted(rows.fill_id) == sorted(plain.fill_id)
    else:
        changed = plain[plain.updated > pd.Timestamp(START_MS, unit="ms", tz="UTC")]
        assert set(changed.order_id) <= set(rows.order_id)
        assert (rows.updated >= pd.Timestamp(START_MS, unit="ms", tz="UTC")).all()
        seen = plain[plain.updated <= pd.Timestamp(times[-1], unit="ms", tz="UTC")]
        compare("orders", rows, seen.astype(object), market)
    [gap] = stream.gaps.itertuples()
    assert (gap.cause, gap.repaired) == ("no connection", True)


@pytest.mark.parametrize("mode", KEYS)
def test_a_position_that_is_closed_is_given_with_the_amount_zero(
    manual: Exchange, connected: Connected, mode: str
) -> None:
    client = connected(KEYS[mode])
    times = moments(manual, KEYS[mode], "usdt-futures", 3)
    with client.stream("positions", market="usdt-futures") as stream:
        subscribed(stream)
        rows = pd.concat([frame.reset_index() for frame in came(stream, manual, times)])
    held = {(row.symbol, row.side) for row in client.account.positions(market="usdt-futures").itertuples()}
    last = rows.groupby(["symbol", "side"], observed=True).tail(1)
    assert {(row.symbol, row.side) for row in last.itertuples() if row.amount} == held


def test_symbols_narrow_what_is_given(manual: Exchange, connected: Connected) -> None:
    times = moments(manual, "readonly", "spot", 3)
    client = connected()
    bought = set(client.account.fills(START_MS - 30 * 86_400_000).symbol)
    one = sorted(bought)[0]
    with client.stream("fills", one) as stream:
        subscribed(stream)
        frames = came(stream, manual, times)
    assert all(set(frame.symbol) == {one} for frame in frames)


def test_a_private_channel_needs_a_key_an_exchange_and_a_market_that_has_it(
    manual: Exchange, connected: Connected
) -> None:
    with pytest.raises(ConfigurationError, match="key"):
        bgresearch.connect(base_url="http://127.0.0.1:9").stream("fills")
    with pytest.raises(OfflineError):
        connected(offline=True).stream("fills")
    with pytest.raises(InvalidInput, match="market"):
        connected().stream("positions", market="spot")
    with pytest.raises(InvalidInput, match="symbols"):
        connected().stream("account", "BTCUSDT")
    with pytest.raises(InvalidInput, match="recorded"):
        connected().record("fills", "BTCUSDT", seconds=1)


def test_a_key_that_may_not_read_a_market_is_refused(connected: Connected) -> None:
    with connected("spot_only").stream("orders", market="usdt-futures") as stream, pytest.raises(PermissionDenied):
        next(stream)


@pytest.mark.parametrize(("wrong", "error"), [("secret_key", AuthenticationError), ("passphrase", AuthenticationError)])
def test_a_refused_login_ends_the_stream_with_the_exchange_s_reason_and_no_secret(
    connected: Connected, wrong: str, error: type[Exception]
) -> None:
    right = SANDBOX_KEYS["readonly"]
    triple = {"api_key": right.api_key, "secret_key": right.secret_key, "passphrase": right.passphrase}
    bad = loopback_credential("bad", **(triple | {wrong: "x" * 32}), host="http://127.0.0.1:1")
    client = connected()
    stream = client.stream("fills")
    client._live.private.signer._signer = bad  # type: ignore[union-attr]
    with stream, pytest.raises(error) as caught:
        next(stream)
    assert "x" * 32 not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_login_that_is_too_old_is_signed_again_by_the_exchange_s_clock(
    manual: Exchange, connected: Connected
) -> None:
    client = connected()
    with client.stream("account") as stream:
        next(stream)
    manual.faults.inject("clock_skew", amount=40_000)
    with client.stream("account") as stream:
        assert len(next(stream))


@pytest.mark.parametrize(
    ("host", "base", "demo", "fits"),
    [
        ("https://api.bitget.com", "wss://ws.bitget.com", False, True),
        ("https://api.bitget.com", "wss://wspap.bitget.com", True, True),
        ("https://api.bitget.com", "wss://ws.bitget.com", True, False),
        ("https://api.bitget.com", "wss://ws.bitget.example", False, False),
        ("https://api.bitget.com", "ws://127.0.0.1:9", False, False),
        ("https://other.example", "wss://other.example", False, True),
        ("http://127.0.0.1:1", "ws://127.0.0.1:9", False, True),
        ("http://127.0.0.1:1", "ws://127.0.0.1:1", False, True),
        ("http://127.0.0.1:1", "wss://ws.bitget.com", False, False),
    ],
)
def test_a_login_goes_to_the_key_s_own_exchange_alone(host: str, base: str, demo: bool, fits: bool) -> None:
    for own in (False, True):
        if fits and (own or not base.endswith(":9")):
            check_login_address(host, base, demo=demo, own=own)
            continue
        with pytest.raises(ConfigurationError, match="never sent"):
            check_login_address(host, base, demo=demo, own=own)


def test_the_agent_s_list_of_topics_is_that_of_the_channels() -> None:
    for version, topics in PRIVATE_TOPICS.items():
        assert {row.topic for row in CHANNELS if row.private and row.version == version} == topics


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("ping", True),
        ('{"op":"subscribe","args":[{"instType":"SPOT","channel":"orders","instId":"default"}]}', True),
        ('{"op":"unsubscribe","args":[{"instType":"SPOT","channel":"account","coin":"default"}]}', True),
        ('{"op":"trade","args":[{"instType":"SPOT","channel":"orders","instId":"default"}]}', False),
        ('{"op":"subscribe","args":[{"instType":"SPOT","channel":"place-order","instId":"default"}]}', False),
        ('{"op":"subscribe","args":[{"instType":"SPOT","channel":"orders","side":"buy"}]}', False),
        ('{"op":"subscribe","args":[{"instType":"SPOT","channel":"orders","instId":7}]}', False),
        ('{"op":"subscribe","args":[{"instType":"SPOT","topic":"order"}]}', False),
        ('{"op":"subscribe","id":"1","args":[{"instType":"SPOT","channel":"orders"}]}', False),
        ('{"op":"login","args":[{"apiKey":"x"}]}', False),
        ('{"op":"subscribe","args":[]}', False), ("", False), ("[]", False), ("pong", False),
    ],
)  # fmt: skip
def test_only_pings_and_subscriptions_of_private_channels_are_relayed(text: str, fits: bool) -> None:
    assert is_read_only("v2", text) is fits
