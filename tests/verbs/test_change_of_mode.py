"""An account that was made a unified one: what was kept before stays, and what it is not reported is said."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import InvalidInput, PermissionDenied
from bgresearch.sandbox import Exchange

Connect = Callable[..., Client]
SPAN = ("2026-11-15", "2026-11-18")


def test_what_a_classic_account_kept_is_still_given_after_it_became_a_unified_one(
    connect: Connect, exchange: Exchange, clock: ManualClock
) -> None:
    before = connect()
    kept = before.account.earn_records("2026-11-15")
    assert len(kept) > 10
    exchange.accounts = {**exchange.accounts, "classic": copy.copy(exchange.accounts["classic"])}
    object.__setattr__(exchange.accounts["classic"], "mode", "unified")
    clock.advance(600)
    with pytest.raises(PermissionDenied, match="connect again"):
        before.account.earn_records("2026-11-15")
    after = connect().account.earn_records("2026-11-15")
    assert set(kept.index) == set(after.index[: len(kept)])


def test_a_list_that_an_account_is_not_reported_is_not_silently_empty(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    account = connect(key="unified").account
    for verb, said in (
        ("earn_records", "lists no savings records of this account unless a product is named"),
        ("conversions", "lists no conversions of this account unless a pair is named"),
    ):
        frame = getattr(account, verb)(*SPAN)
        assert frame.empty
        assert said in frame.attrs["bgresearch"]["not_told"]
        assert said in caplog.text
    with pytest.raises(InvalidInput, match="product: a unified account has no savings records of 'flexible'"):
        account.earn_records(*SPAN, product="flexible")


@pytest.mark.parametrize("verb", ["fund_flow", "net_flow", "margin_series"])
def test_figures_of_spot_are_not_given_for_a_contract(client: Client, verb: str) -> None:
    with pytest.raises(InvalidInput, match="names the usdt-futures market, but this verb supports only spot"):
        getattr(client, verb)("BTC/USDT:USDT")
    assert client.requests_sent == 0


def test_figures_of_contracts_are_not_given_for_spot(client: Client) -> None:
    for ask in (client.long_short, client.taker_volume):
        with pytest.raises(InvalidInput, match="names the spot market, but this verb supports only usdt-futures"):
            ask("BTC/USDT")
    assert client.long_short("BTC/USDT", of="margin", period="24h").attrs["bgresearch"]["market"] == "spot"
