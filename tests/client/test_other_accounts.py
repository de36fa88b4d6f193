"""Holdings, fills and permissions of an exchange that the package was not modelled on, the key in a real vault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BadResponse, PermissionDenied
from tests.client.other_exchange import DAY, HOUR, KEY, PASSPHRASE, SECRET, Habits, OtherExchange
from vault import FLOOR, Vault

NOW_MS = 1_795_165_230_000  # 2026-11-20T09:00:30Z
Start = Callable[..., tuple[OtherExchange, Client]]

PATHS = {
    "spot": "/api/v2/spot/account/assets", "futures": "/api/v2/mix/account/accounts",
    "funding": "/api/v2/account/funding-assets", "unified": "/api/v3/account/assets",
    "unified funding": "/api/v3/account/funding-assets",
}  # fmt: skip


@pytest.fixture(scope="module")
def opened_vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    path = tmp_path_factory.mktemp("vault") / "vault"
    with Vault.create(path, "correct horse battery", profile=FLOOR) as vault:
        yield vault


@pytest.fixture
def account(start: Start, opened_vault: Vault, clock: ManualClock, tmp_path: Path) -> Start:
    """Start an exchange and a client whose key a real vault holds."""

    def started(habits: Habits | None = None, seed: int = 1) -> tuple[OtherExchange, Client]:
        exchange, _public = start(habits, seed)
        for name in opened_vault.names():
            opened_vault.remove(name)
        opened_vault.add("mine", api_key=KEY, secret_key=SECRET, passphrase=PASSPHRASE, host=exchange.url)
        options: dict[str, Any] = {"clock": clock, "progress": False, "data_dir": tmp_path / exchange.url[-5:]}
        return exchange, bgresearch.connect(base_url=exchange.url, key="mine", vault=opened_vault, **options)

    return started


TRADES = [  # (what was done in the market, which position, opened or closed)
    ("buy", "long", "open"), ("sell", "long", "close"), ("sell", "short", "open"), ("buy", "short", "close"),
]  # fmt: skip


def reported(family: str, number: int) -> dict[str, Any]:
    """Return one trade as a family of endpoints tells it; the same numbers are the same trades."""
    side, position, action = TRADES[number % 4]
    trade_id, ts = str(9 * 10**17 + 7 * number), str(NOW_MS - 20 * DAY - number * HOUR)
    row = {"symbol": "BTCUSDT", "orderId": f"{number}1", "tradeScope": ("maker", "taker")[number % 2]}
    price, size, value, fee = f"{100 + number}.5", "0.25", f"{25.125 + number / 4}", f"0.00{number % 9 + 1}"
    if family == "unified":
        detail = [{"feeCoin": "USDT", "fee": fee}]
        trade_side = f"{action}_{position}"
        return {**row, "execId": trade_id, "execPrice": price, "execQty": size, "execValue": value, "side": side,
                "tradeSide": trade_side, "execPnl": "1.5", "createdTime": ts, "feeDetail": detail}  # fmt: skip
    detail = [{"feeCoin": "USDT", "totalFee": f"-{fee}", "deduction": "no"}]
    row |= {"tradeId": trade_id, "cTime": ts, "feeDetail": detail if family == "futures" else detail[0]}
    if family == "spot":
        return row | {"priceAvg": price, "size": size, "amount": value, "side": side}
    side = {"long": "buy", "short": "sell"}[position]  # hedge mode: a row names the side of the position
    row |= {"side": side, "tradeSide": action, "posMode": "hedge_mode", "profit": "1.5"}
    return row | {"price": price, "baseVolume": size, "quoteVolume": value}


FILLS_HABITS: dict[str, dict[str, Any]] = {
    "as documented": {}, "short pages": {"fills_page": 7},
    "faults": {"faults": {"duplicates": 0.2, "shuffle": 0.2, "false_empty": 0.1, "html": 0.05, "500": 0.05}},
}  # fmt: skip


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("habits", FILLS_HABITS.values(), ids=FILLS_HABITS)
@pytest.mark.parametrize("market", ["spot", "usdt-futures"])
def test_classic_and_unified_accounts_tell_the_same_fills(account: Start, habits: dict[str, Any], market: str) -> None:
    frames = []
    for mode in ("classic", "unified"):
        exchange, client = account(Habits(mode=mode, **habits))
        family = mode if mode == "unified" else market.removeprefix("usdt-")
        exchange.fills = [reported(family, number) for number in range(230)]
        frames.append(client.account.fills(NOW_MS - 60 * DAY, NOW_MS - 10 * DAY, market=market))
        assert len(frames[-1]) == 230
        before = len(exchange.requests)
        again = client.account.fills(NOW_MS - 60 * DAY, NOW_MS - 10 * DAY, market=market)
        pd.testing.assert_frame_equal(again, frames[-1])
        assert len(exchange.requests) == before
    classic, unified = frames
    pd.testing.assert_frame_equal(classic, unified)
    assert list(unified.side[::-1][:4]) == ["buy", "sell", "sell", "buy"]
    assert (unified.fee > 0).all()


@pytest.mark.parametrize("empty_at", [(1,), (2,), (2, 3), (3,)], ids=str)
def test_a_false_end_of_the_list_is_not_believed(account: Start, empty_at: tuple[int, ...]) -> None:
    exchange, client = account()
    exchange.fills = [reported("spot", number) for number in range(230)]
    pages = 0

    def sometimes_nothing(rows: list[Any]) -> list[Any]:
        nonlocal pages
        pages += 1
        return [] if pages in empty_at else rows

    exchange._spoilt = sometimes_nothing  # type: ignore[method-assign]
    assert len(client.account.fills(NOW_MS - 60 * DAY, NOW_MS - 10 * DAY)) == 230


@pytest.mark.parametrize(
    ("side", "trade", "mode", "traded"),
    [
        ("buy", "close", "hedge_mode", "sell"), ("sell", "close", "hedge_mode", "buy"),
        ("buy", "open", "hedge_mode", "buy"),
        ("buy", "burst_close_long", "hedge_mode", "sell"), ("sell", "reduce_close_short", "hedge_mode", "buy"),
        ("sell", "sell_single", "one_way_mode", "sell"), ("buy", "close", "one_way_mode", "buy"),
        ("buy", "dte_sys_adl_buy_in_single_side_mode", "one_way_mode", "buy"),
    ],
)  # fmt: skip
def test_the_side_is_what_was_done_in_the_market(account: Start, side: str, trade: str, mode: str, traded: str) -> None:
    exchange, client = account()
    exchange.fills = [reported("futures", 0) | {"side": side, "tradeSide": trade, "posMode": mode}]
    got = client.account.fills(NOW_MS - 30 * DAY, NOW_MS - 10 * DAY, market="usdt-futures")
    assert list(got.side) == [traded]


@pytest.mark.parametrize("refusal", ["40014", "25620", "absent"])
def test_assets_that_cannot_be_seen_are_named_and_the_others_come(account: Start, refusal: str) -> None:
    habits = Habits(absent=(PATHS["funding"],)) if refusal == "absent" else Habits(refuse={PATHS["funding"]: refusal})
    exchange, client = account(habits)
    exchange.assets[PATHS["spot"]] = [{"coin": "BTC", "available": "1", "frozen": "0.5", "locked": "", "uTime": "1"}]
    with pytest.warns(UserWarning, match="funding"):
        got = client.account.assets()
    assert got[["account", "coin", "total"]].to_numpy().tolist() == [["spot", "BTC", 1.5]]
    assert got.attrs["bgresearch"]["skipped"] == ["funding"]


def test_where_nothing_can_be_seen_the_refusal_is_raised(account: Start) -> None:
    _exchange, client = account(Habits(refuse=dict.fromkeys(PATHS.values(), "40014")))
    with pytest.raises(PermissionDenied, match="40014"):
        client.account.assets()


def test_an_exchange_without_the_other_family_is_understood(account: Start) -> None:
    _exchange, client = account(Habits(absent=("/api/v3",)))
    assert client.permissions().mode == "classic"
    exchange, client = account(
        Habits(mode="unified", absent=("/api/v2/spot/account", "/api/v2/mix", "/api/v2/account"))
    )
    exchange.assets[PATHS["unified"]] = [{"coin": "USDT", "available": "3", "locked": "0", "equity": "4"}]
    assert client.permissions().mode == "unified"
    assert client.account.assets().total.tolist() == [4.0]


@pytest.mark.parametrize("mode", ["classic", "unified"])
@pytest.mark.parametrize(
    ("ips", "addresses"),
    [("", ()), (None, ()), ("1.2.3.4", ("1.2.3.4",)), ("1.2.3.4, 5.6.7.8", ("1.2.3.4", "5.6.7.8")), ([], ()),
     (["1.2.3.4"], ("1.2.3.4",))],
)  # fmt: skip
def test_addresses_are_read_in_every_spelling(
    account: Start, mode: str, ips: object, addresses: tuple[str, ...]
) -> None:
    _exchange, client = account(Habits(mode=mode, info={"ips": ips}))
    assert client.permissions().addresses == addresses


@pytest.mark.parametrize(
    ("mode", "info", "verdict"),
    [
        ("classic", {"authorities": ["coor", "stor"]}, "read-only"), ("classic", {"authorities": []}, "read-only"),
        ("classic", {"authorities": ["readonly"]}, "read-only"),
        ("classic", {"authorities": "stor,wtow"}, "can transfer"),
        ("classic", {"authorities": ["trade", "readonly"]}, "can trade"),
        ("classic", {"authorities": ["new"]}, "can trade"),
        ("unified", {"permType": "read_only"}, "read-only"), ("unified", {"permType": "READ-ONLY"}, "read-only"),
        ("unified", {"permType": "read only"}, "read-only"), ("unified", {"permType": "read_write"}, "can withdraw"),
        ("unified", {"permType": None}, "can withdraw"), ("unified", {"permissions": ["new"]}, "can trade"),
    ],
    ids=str,
)  # fmt: skip
def test_what_a_key_can_do_is_read_in_every_spelling(
    account: Start, mode: str, info: dict[str, Any], verdict: str
) -> None:
    _exchange, client = account(Habits(mode=mode, info=info))
    assert client.permissions().verdict == verdict


def test_an_answer_without_authorities_is_no_verdict(account: Start) -> None:
    _exchange, client = account(Habits(info={"authorities": None}))
    with pytest.raises(BadResponse, match="no authorities in the answer"):
        client.permissions()
