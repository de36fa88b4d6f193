"""Holdings and own trades: one shape for both kinds of account, walked to the end, kept for good, private."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import ConfigurationError, IncompleteData, InvalidInput, OfflineError, PermissionDenied
from bgresearch.sandbox import Exchange

Connect = Callable[..., Client]
START = "2026-09-01"
KEYS = ["readonly", "unified", "demo"]


def truth(exchange: Exchange, account: str, market: str, now_ms: int, start: str) -> list[tuple[str, int]]:
    """Return id and time of every fill the sandbox knows of one market, oldest first."""
    since = pd.Timestamp(start, tz="UTC").value // 1_000_000
    fills = exchange.accounts[account].fills(now_ms)
    return sorted((str(f.fill_id), f.ts_ms) for f in fills if f.market.kind == market and f.ts_ms >= since)


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("market", ["spot", "usdt-futures"])
@pytest.mark.parametrize("key", KEYS)
def test_every_fill_comes_once(connect: Connect, exchange: Exchange, clock: ManualClock, key: str, market: str) -> None:
    account = {"readonly": "classic"}.get(key, key)
    got = connect(key=key).account.fills(START, market=market)
    expected = truth(exchange, account, market, clock.now_ms(), START)
    assert len(expected) > 100  # more than one page
    assert sorted(zip(got.fill_id, got.index.as_unit("ms").asi8, strict=True)) == expected
    assert got.index.is_monotonic_increasing
    assert got.fill_id.is_unique


def test_fills_have_the_same_shape_whichever_version_answers(connect: Connect, tmp_path: Path) -> None:
    frames = [
        connect(key=key, data_dir=tmp_path / key).account.fills(START, market=market)
        for key in KEYS
        for market in ("spot", "usdt-futures")
    ]
    assert len({tuple(frame.columns) for frame in frames}) == 1
    for frame in frames:
        types = frame.dtypes.astype(str).to_dict()
        assert {types[name] for name in ("price", "amount", "value", "fee", "profit")} == {"float64"}
        assert {types[name] for name in ("side", "role", "fee_coin", "symbol", "market")} == {"category"}
        assert str(frame.index.dtype) == "datetime64[ms, UTC]"
        assert set(frame.side) == {"buy", "sell"}
        assert set(frame.role) <= {"maker", "taker"}
        assert (frame.fee >= 0).all()
        assert (frame.price * frame.amount - frame.value).abs().max() <= 0.01


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("market", ["spot", "usdt-futures"])
def test_the_same_trades_look_the_same_in_classic_and_unified_accounts(connect: Connect, market: str) -> None:
    classic, unified = (connect(key=key).account.fills(START, market=market) for key in ("readonly", "unified"))
    assert len(classic) > 100
    pd.testing.assert_frame_equal(classic, unified)


def test_sides_are_those_of_the_market_and_not_of_the_position(
    connect: Connect, exchange: Exchange, clock: ManualClock
) -> None:
    known = {str(f.fill_id): f.buy for f in exchange.accounts["classic"].fills(clock.now_ms())}
    got = connect().account.fills(START, market="usdt-futures")
    assert all((row.side == "buy") == known[row.fill_id] for row in got.itertuples())


def test_fees_are_what_the_world_charged(connect: Connect, exchange: Exchange, clock: ManualClock) -> None:
    known = {str(f.fill_id): f for f in exchange.accounts["classic"].fills(clock.now_ms())}
    got = connect().account.fills(START)
    assert all(row.fee == known[row.fill_id].fee / 1e8 for row in got.itertuples())
    assert all((row.side == "buy") == known[row.fill_id].buy for row in got.itertuples())


def test_a_second_call_asks_for_nothing_that_is_final(connect: Connect, clock: ManualClock) -> None:
    client = connect()
    first = client.account.fills(START, "2026-11-20T08:00")
    other, offline = connect(), connect(offline=True)
    pd.testing.assert_frame_equal(other.account.fills(START, "2026-11-20T08:00"), first)
    pd.testing.assert_frame_equal(offline.account.fills(START, "2026-11-20T08:00"), first)
    assert (other.requests_sent, offline.requests_sent) == (0, 0)
    with pytest.raises(OfflineError, match=r"not complete in the store: \[2026-11-20T08:00:00Z"):
        offline.account.fills(START, "2026-11-20T09:00")


def test_the_last_minutes_are_shown_but_asked_again(connect: Connect, clock: ManualClock) -> None:
    client = connect()
    client.account.fills("2026-11-19")
    before = client.requests_sent
    client.account.fills("2026-11-19")
    assert client.requests_sent > before


def test_a_symbol_narrows_what_is_shown_not_what_is_kept(connect: Connect) -> None:
    client = connect()
    everything = client.account.fills(START, "2026-11-01")
    some = everything.symbol.iloc[0]
    before = client.requests_sent
    only = client.account.fills(START, "2026-11-01", symbol=some)
    assert client.requests_sent == before
    assert set(only.symbol) == {some}
    assert len(only) == (everything.symbol == some).sum() < len(everything)


def test_fills_older_than_the_exchange_remembers_are_an_error_that_says_from_when(connect: Connect) -> None:
    client = connect()
    with pytest.raises(IncompleteData, match=r"last 90 days; .* was never stored.* Start at 2026-08-22") as caught:
        client.account.fills("2026-01-01")
    assert str(caught.value.missing[0]).startswith("[2026-01-01T00:00:00Z, 2026-08-22T")


def test_fills_that_were_kept_outlive_the_exchange(connect: Connect, clock: ManualClock) -> None:
    first = connect().account.fills(START, "2026-10-01")
    clock.advance(200 * 86_400)
    pd.testing.assert_frame_equal(connect().account.fills(START, "2026-10-01"), first)


def test_an_empty_window_is_asked_again_and_duplicates_count_once(
    connect: Connect, exchange: Exchange, clock: ManualClock
) -> None:
    exchange.faults.inject("false_empty", endpoint="uta.trade_fills", times=1)
    exchange.faults.inject("duplicates", endpoint="uta.trade_fills", probability=0.5)
    got = connect(key="unified").account.fills(START)
    expected = truth(exchange, "unified", "spot", clock.now_ms(), START)
    assert sorted(zip(got.fill_id, got.index.as_unit("ms").asi8, strict=True)) == expected


@pytest.mark.parametrize("key", KEYS)
def test_assets_are_what_the_wallets_hold(connect: Connect, exchange: Exchange, clock: ManualClock, key: str) -> None:
    got = connect(key=key).account.assets()
    account = exchange.accounts[{"readonly": "classic"}.get(key, key)]
    wallet = "unified" if key == "unified" else "spot"
    holdings = {coin: held for coin, held in account.holdings(wallet, clock.now_ms()).items() if held.total}
    mine = got[got.account == wallet].set_index("coin")
    assert set(mine.index) == set(holdings)
    for coin, held in holdings.items():  # a unified account also binds margin
        free = mine.loc[coin, "available"]
        assert free == pytest.approx(held.free / 1e8) if wallet == "spot" else free <= held.free / 1e8


def test_assets_have_the_same_shape_whichever_version_answers(connect: Connect, tmp_path: Path) -> None:
    frames = [connect(key=key, data_dir=tmp_path / key).account.assets() for key in KEYS]
    columns = ["account", "coin", "available", "frozen", "locked", "total", "usd_value"]
    for frame in frames:
        assert list(frame.columns) == columns
        assert [str(kind) for kind in frame.dtypes[2:]] == ["float64"] * 5
        assert str(frame.account.dtype) == "category"
        assert frame.attrs["bgresearch"]["age_s"] == 0


def test_a_snapshot_answers_when_it_is_young_enough_or_nobody_may_ask(connect: Connect, clock: ManualClock) -> None:
    client = connect()
    first = client.account.assets()
    before = client.requests_sent
    clock.advance(60)
    young = client.account.assets(max_age=3600)
    assert client.requests_sent == before
    assert young.equals(first)
    assert young.attrs["bgresearch"]["age_s"] >= 60
    offline = connect(offline=True).account.assets()
    assert offline.equals(first)
    client.account.assets(max_age=1)
    assert client.requests_sent > before
    with pytest.raises(InvalidInput, match="max_age: -1 is negative"):
        client.account.assets(max_age=-1)


def test_what_a_key_may_not_see_is_said(connect: Connect) -> None:
    with pytest.warns(UserWarning, match="may not see these accounts: usdt-futures, usdc-futures, coin-futures"):
        got = connect(key="spot_only").account.assets()
    assert "usdt-futures" not in set(got.account)
    assert got.attrs["bgresearch"]["skipped"] == ["usdt-futures", "usdc-futures", "coin-futures"]
    with pytest.raises(PermissionDenied):
        connect(key="spot_only").account.fills("2026-11-01", market="usdt-futures")


def test_account_data_is_private_and_holds_no_secret(connect: Connect, tmp_path: Path) -> None:
    client = connect()
    client.account.assets()
    client.account.fills("2026-11-01", "2026-11-10")
    account = tmp_path / "data" / "account"
    for path in account.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    keys = json.loads((account / "keys.json").read_text())
    marks = keys.pop("fingerprints http://127.0.0.1:1")
    assert keys == {"http://127.0.0.1:1": {"readonly": "4100200301"}}
    assert len(marks["readonly"]) == 16
    assert sorted(path.name for path in (account / "4100200301").iterdir()) == ["assets", "fills"]


def test_without_a_key_the_verbs_say_how_to_get_one(tmp_path: Path) -> None:
    client = bgresearch.connect(data_dir=tmp_path)
    for ask in (lambda: client.account.assets(), lambda: client.permissions()):  # noqa: PLW0108 - account itself raises
        with pytest.raises(ConfigurationError, match=r"needs a key.*Connect with key="):
            ask()


def test_a_wrong_market_is_refused_before_anything_is_asked(connect: Connect) -> None:
    client = connect()
    with pytest.raises(InvalidInput, match="market: 'moon' is unknown"):
        client.account.fills("2026-11-01", market="moon")
    assert client.requests_sent == 0


def test_offline_without_a_snapshot_says_so(connect: Connect) -> None:
    with pytest.raises(OfflineError, match="no snapshot"):
        connect(offline=True).account.assets()
    with pytest.raises(OfflineError, match="nothing is stored for the key 'readonly'"):
        connect(offline=True).account.fills("2026-11-01")
