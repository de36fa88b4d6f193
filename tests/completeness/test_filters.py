"""A symbol or coin that the exchange never listed is named, whatever list it narrows; a partial snapshot stays one."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import UnknownSymbol
from bgresearch.sandbox import Exchange, Request, Response

Connect = Callable[..., Client]
SINCE = "2026-11-16"

SYMBOL: dict[str, Callable[[Client, str], Any]] = {
    "fills": lambda c, s: c.account.fills(SINCE, symbol=s),
    "fills of contracts": lambda c, s: c.account.fills(SINCE, market="usdt-futures", symbol=s),
    "fills of all": lambda c, s: c.account.fills(SINCE, market=None, symbol=s),
    "orders": lambda c, s: c.account.orders(SINCE, symbol=s),
    "plan_orders": lambda c, s: c.account.plan_orders(SINCE, market="usdt-futures", symbol=s),
    "closed_positions": lambda c, s: c.account.closed_positions(SINCE, symbol=s),
    "positions": lambda c, s: c.account.positions(symbol=s),
    "open_orders": lambda c, s: c.account.open_orders(symbol=s),
    "open_plan_orders": lambda c, s: c.account.open_plan_orders(market="usdt-futures", symbol=s),
    "loans": lambda c, s: c.account.loans(SINCE, symbol=s),
    "interest": lambda c, s: c.account.interest(SINCE, symbol=s),
    "repayments": lambda c, s: c.account.repayments(SINCE, symbol=s),
}  # fmt: skip
COIN: dict[str, Callable[[Client, str], Any]] = {
    "bills": lambda c, s: c.account.bills(SINCE, book="spot", coin=s),
    "transfers": lambda c, s: c.account.transfers(SINCE, coin=s),
    "deposits": lambda c, s: c.account.deposits(SINCE, coin=s),
    "withdrawals": lambda c, s: c.account.withdrawals(SINCE, coin=s),
    "conversions": lambda c, s: c.account.conversions(SINCE, source="USDT", target=s),
    "interest_rates": lambda c, s: c.interest_rates(s),
    "interest_rates before": lambda c, s: c.interest_rates(s, history=True),
}  # fmt: skip
CASES = [(key, verb) for key in ("readonly", "unified_trader") for verb in [*SYMBOL, *COIN]]


@pytest.mark.quick_cases(15)
@pytest.mark.parametrize(("key", "verb"), CASES)
def test_a_filter_that_names_nothing_listed_is_an_error_with_near_names_every_time(
    connect: Connect, key: str, verb: str
) -> None:
    client = connect(key=key)
    for _ in range(2):
        with pytest.raises(UnknownSymbol, match=r"Did you mean .*(BTCUSDT|USDC)"):
            SYMBOL[verb](client, "BTCUSTD") if verb in SYMBOL else COIN[verb](client, "USDX")


@pytest.mark.quick_cases(18)
@pytest.mark.parametrize(("key", "verb"), CASES)
def test_a_filter_that_names_something_listed_may_find_nothing(
    connect: Connect, exchange: Exchange, key: str, verb: str
) -> None:
    client = connect(key=key)
    frame = SYMBOL[verb](client, "XRPUSDT") if verb in SYMBOL else COIN[verb](client, "XRP")
    assert frame is not None


class Relisting(Exchange):
    """Lists BTCUSDT no more once it is configured so."""

    delisted = False

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        if not self.delisted or not request.target.startswith("/api/v2/spot/public/symbols"):
            return response
        answer = json.loads(response.body)
        answer["data"] = [row for row in answer["data"] if row["symbol"] != "BTCUSDT"]
        return response._replace(body=json.dumps(answer).encode())


def test_a_symbol_that_was_listed_once_is_known(model: Exchange, connect: Connect, clock: ManualClock) -> None:
    exchange = Relisting(clock=clock)
    exchange.world, exchange.accounts = model.world, dict(model.accounts)
    client = connect(sandbox=exchange)
    last = ("2026-11-20 08:59:59", "2026-11-20 09:00")
    exchange.delisted = True
    with pytest.raises(UnknownSymbol):
        client.account.fills(*last, symbol="BTCUSDT")
    exchange.delisted = False
    client.symbols()
    exchange.delisted = True
    assert client.account.fills(*last, symbol="BTCUSDT").empty


@pytest.mark.parametrize("again", [{"max_age": 60.0}, {}], ids=["by age", "offline"])
def test_a_kept_snapshot_says_which_accounts_it_is_without(connect: Connect, again: dict[str, float]) -> None:
    def asked(client: Client, **options: float) -> tuple[Any, list[str]]:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            return client.account.assets(**options), [str(one.message) for one in said]

    first, said = asked(connect(key="spot_only"))
    assert first.attrs["bgresearch"]["skipped"]
    assert said
    kept, said_again = asked(connect(key="spot_only", **({} if again else {"offline": True})), **again)
    assert kept.attrs["bgresearch"]["skipped"] == first.attrs["bgresearch"]["skipped"]
    assert said_again == said
    assert list(kept.columns) == list(first.columns)
