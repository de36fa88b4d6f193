"""Every verb of an account: its columns and types, a key without the permission, wrong arguments, empties, offline."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import InvalidInput, OfflineError, PermissionDenied
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.traders.keys import SANDBOX_KEYS
from bgresearch.schemas import Shape
from tests.verbs.test_market_verbs import has_shape

Connect = Callable[..., Client]
Ask = Callable[[AccountVerbs], pd.DataFrame]
SINCE = "2026-11-16"

PAST: dict[str, Ask] = {
    "fills": lambda a: a.fills(SINCE, market="usdt-futures"), "orders": lambda a: a.orders(SINCE),
    "plan_orders": lambda a: a.plan_orders(SINCE, market="usdt-futures"),
    "closed_positions": lambda a: a.closed_positions(SINCE), "bills": lambda a: a.bills(SINCE, book="usdt-futures"),
    "transfers": lambda a: a.transfers("2026-11-01", coin="USDT"), "deposits": lambda a: a.deposits("2026-11-01"),
    "withdrawals": lambda a: a.withdrawals("2026-11-01"),
    "conversions": lambda a: a.conversions(SINCE, source="BTC", target="BTC"), "loans": lambda a: a.loans(SINCE),
    "repayments": lambda a: a.repayments(SINCE), "interest": lambda a: a.interest(SINCE),
    "earn_records": lambda a: a.earn_records(SINCE), "tax_records": lambda a: a.tax_records(SINCE, book="spot"),
}  # fmt: skip
NOW: dict[str, Ask] = {
    "balances": lambda a: a.balances(), "positions": lambda a: a.positions(), "open_orders": lambda a: a.open_orders(),
    "open_plan_orders": lambda a: a.open_plan_orders(market="usdt-futures"), "earn": lambda a: a.earn(),
    "fee_rates": lambda a: a.fee_rates("BTCUSDT"), "sub_accounts": lambda a: a.sub_accounts(),
}  # fmt: skip
CALLS = PAST | NOW
NONE_ON_UNIFIED = {"loans", "repayments", "interest", "earn_records"}  # the trader never borrowed; no such list in v3


def shape_of(verb: str) -> Shape:
    return getattr(AccountVerbs, verb).shape  # type: ignore[no-any-return]


def test_every_verb_is_called_here() -> None:
    verbs = {name for name in dir(AccountVerbs) if hasattr(getattr(AccountVerbs, name), "shape")}
    assert verbs == {*CALLS, "assets"}


@pytest.mark.parametrize("key", ["readonly", "unified_trader"])
@pytest.mark.parametrize("verb", CALLS)
def test_a_verb_gives_its_columns_and_types(connect: Connect, key: str, verb: str) -> None:
    frame = CALLS[verb](connect(key=key).account)
    has_shape(frame, shape_of(verb))
    assert (len(frame) == 0) == (key == "unified_trader" and verb in NONE_ON_UNIFIED)
    assert frame.attrs["bgresearch"]["verb"] == f"account.{verb}"
    assert frame.attrs["bgresearch"]["label"] == key


@pytest.mark.parametrize("verb", CALLS)
def test_columns_and_pages_stand_in_the_docstring(verb: str) -> None:
    documented = getattr(AccountVerbs, verb).__doc__
    for field in shape_of(verb).fields:
        assert f"    {field.name} (" in documented
    for heading in ("Parameters\n---", "Raises\n---", "Returns\n---", "Notes\n---", "\nSource: "):
        assert heading in documented, heading


BOXES = {
    "fills": "futures orders", "plan_orders": "futures orders", "closed_positions": "futures holdings",
    "bills": "futures holdings", "transfers": "wallet transfer", "deposits": "wallet transfer",
    "withdrawals": "wallet transfer", "loans": "spot margin trade", "repayments": "spot margin trade",
    "interest": "spot margin trade", "tax_records": "tax", "positions": "futures holdings",
    "open_plan_orders": "futures orders", "sub_accounts": "sub-accounts",
}  # fmt: skip


@pytest.mark.parametrize("verb", BOXES)
def test_a_classic_key_without_the_permission_is_shown_which_box_to_tick(connect: Connect, verb: str) -> None:
    with pytest.raises(PermissionDenied, match=rf"tick the read box '{BOXES[verb]}'"):
        CALLS[verb](connect(key="spot_only").account)


UNIFIED_BOXES = {
    "uta_trade": ("uta_mgt", ["bills", "transfers", "deposits", "withdrawals", "conversions", "loans", "tax_records",
                              "balances", "fee_rates", "sub_accounts"]),
    "uta_mgt": ("uta_trade", ["fills", "orders", "plan_orders", "positions", "open_orders", "open_plan_orders"]),
}  # fmt: skip


@pytest.mark.parametrize(("has", "verb"), [(has, verb) for has, (_, verbs) in UNIFIED_BOXES.items() for verb in verbs])
def test_a_unified_key_without_the_permission_is_shown_which_box_to_tick(
    exchange: Exchange, clock: ManualClock, tmp_path: Path, has: str, verb: str
) -> None:
    key = dataclasses.replace(SANDBOX_KEYS["unified"], authorities=(has,))
    strict = Exchange(clock=clock, keys=[key])
    strict.world, strict.accounts = exchange.world, exchange.accounts
    client = bgresearch.connect(sandbox=strict, key="unified", data_dir=tmp_path, clock=clock, progress=False)
    box = {"uta_mgt": "unified account management", "uta_trade": "unified account trade"}[UNIFIED_BOXES[has][0]]
    with pytest.raises(PermissionDenied, match=f"tick the read box '{box}'"):
        CALLS[verb](client.account)


def test_closed_positions_of_a_unified_account_want_a_key_that_may_write(connect: Connect) -> None:
    with pytest.raises(PermissionDenied, match="with write, although the call only reads"):
        connect(key="unified").account.closed_positions(SINCE)


WRONG: dict[str, tuple[Ask, str]] = {
    "market": (lambda a: a.orders(SINCE, market="moon"), "market: 'moon' is unknown. Use one of spot"),
    "spot positions": (lambda a: a.closed_positions(SINCE, market="spot"), "market: 'spot' is unknown. Use"),
    "spot positions now": (lambda a: a.positions(market="spot"), "market: 'spot' is unknown"),
    "spot pair": (lambda a: a.positions(symbol="BTC/USDT"), "market: 'spot' is unknown"),
    "other pair": (lambda a: a.fills(SINCE, market="coin-futures", symbol="BTC/USDT"), "symbol: .* names the spot"),
    "book": (lambda a: a.bills(SINCE, book="red"), "book: 'red' is unknown"),
    "tax book": (lambda a: a.tax_records(SINCE, book="red"), "book: 'red' is unknown"),
    "product": (lambda a: a.earn_records(SINCE, product="gold"), "product: 'gold' is unknown. Use one of flexible"),
    "future": (lambda a: a.deposits("2027-01-01"), "start: .* is in the future"),
    "order of times": (lambda a: a.deposits("2026-11-02", "2026-11-01"), "end: .* is before the start"),
    "half a pair": (lambda a: a.conversions(SINCE, source="BTC"), "source, target: one is given"),
    "age": (lambda a: a.balances(max_age=-1), "max_age: -1 is negative"),
    "symbol": (lambda a: a.fee_rates(""), "symbol: '' is not a symbol"),
    "fee market": (lambda a: a.fee_rates("BTCUSDT", market="moon"), "market: 'moon' is unknown"),
}  # fmt: skip


@pytest.mark.parametrize(("ask", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_before_a_request_is_spent(client: Client, ask: Ask, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        ask(client.account)
    assert client.requests_sent == 0


@pytest.mark.quick_cases(20)
@pytest.mark.parametrize("key", ["readonly", "unified_trader"])
@pytest.mark.parametrize("verb", CALLS)
def test_an_account_without_anything_has_frames_of_the_same_shape(
    connect: Connect, exchange: Exchange, key: str, verb: str
) -> None:
    for source in shape_of(verb).sources:
        exchange.faults.inject("false_empty", endpoint=source, probability=1.0)
    frame = CALLS[verb](connect(key=key).account)
    has_shape(frame, shape_of(verb))
    assert len(frame) == (2 if verb == "balances" and key == "unified_trader" else 0)


@pytest.mark.parametrize("verb", NOW)
def test_what_is_reported_of_now_is_kept_and_offline_gives_it_again(
    connect: Connect, clock: ManualClock, verb: str
) -> None:
    first = NOW[verb](connect().account)
    clock.advance(60)
    offline = connect(offline=True)
    again = NOW[verb](offline.account)
    pd.testing.assert_frame_equal(again, first)
    assert again.attrs["bgresearch"]["age_s"] >= 60
    assert offline.requests_sent == 0


@pytest.mark.parametrize("verb", CALLS)
def test_offline_without_anything_kept_says_so(connect: Connect, verb: str) -> None:
    with pytest.raises(OfflineError):
        CALLS[verb](connect(offline=True).account)


def test_one_answer_tells_the_mode_for_all_verbs(connect: Connect) -> None:
    client = connect(key="unified")
    client.account.deposits("2026-11-19")
    before = client.requests_sent
    client.account.withdrawals("2026-11-19")
    assert client.requests_sent - before == 3  # an empty list is asked three times; nobody asks whose key it is again


def test_isolated_margin_is_named_by_symbol_and_remembered(connect: Connect) -> None:
    client = connect()
    isolated = client.account.loans(SINCE, symbol="BTC/USDT")
    assert set(isolated.account) == {"isolated"}
    assert set(isolated.symbol) == {"BTCUSDT"}
    assert set(client.account.loans(SINCE).account) == {"crossed", "isolated"}


def test_a_pair_that_was_asked_for_is_remembered(connect: Connect) -> None:
    client = connect(key="unified")
    assert len(client.account.conversions(SINCE)) == 0
    pair = client.account.conversions(SINCE, source="btc", target="eth")
    assert len(pair) > 0
    assert len(client.account.conversions(SINCE)) == len(pair)


def test_a_coin_narrows_what_is_shown(connect: Connect) -> None:
    for key in ("readonly", "unified"):
        account = connect(key=key).account
        assert set(account.bills(SINCE, coin="btc").coin) == {"BTC"}
        assert len(account.deposits("2026-11-01", coin="usdt")) == len(account.deposits("2026-11-01")) > 0
        assert len(account.deposits("2026-11-01", coin="BTC")) == 0
