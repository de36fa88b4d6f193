"""One answer that is empty for no reason changes nothing: every verb, every list, both kinds of account."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.catalogue import Endpoint, load
from bgresearch.client.account import AccountVerbs
from bgresearch.client.api_signatures import turning
from bgresearch.client.client import Client
from bgresearch.client.contract_events import ContractEventVerbs
from bgresearch.core.clock import ManualClock
from bgresearch.sandbox import Exchange
from bgresearch.schemas import Shape
from tests.contract.test_every_row import DAY_MS, NOW_MS, suitable
from tests.verbs.test_account_verbs import CALLS as ACCOUNT
from tests.verbs.test_market_verbs import CALLS as PUBLIC

Connect = Callable[..., Client]
Ask = Callable[[Client], pd.DataFrame]

KINDS = {"classic": "readonly", "unified": "unified_trader"}


def account_verb(verb: str) -> Ask:
    return lambda client: ACCOUNT[verb](client.account)


VERBS: dict[str, tuple[Ask, Shape]] = {
    **{verb: (ask, getattr(ContractEventVerbs, verb).shape) for verb, ask in PUBLIC.items()},
    "tickers of futures": (lambda c: c.tickers(market="usdt-futures"), ContractEventVerbs.tickers.shape),
    "ticker of a contract": (lambda c: c.tickers("BTCUSDT", market="usdt-futures"), ContractEventVerbs.tickers.shape),
    "all open interest": (lambda c: c.open_interest(), ContractEventVerbs.open_interest.shape),
    "trades of a span": (lambda c: c.trades("BTCUSDT", "2026-11-20 08:30"), ContractEventVerbs.trades.shape),
    "trades of a contract": (
        lambda c: c.trades("BTCUSDT", "2026-11-20 08:30", market="usdt-futures"), ContractEventVerbs.trades.shape,
    ),
    **{f"long_short {of}": (lambda c, of=of: c.long_short("BTCUSDT", of=of), ContractEventVerbs.long_short.shape)
       for of in ("accounts", "positions")},
    "interest_rates history": (
        lambda c: c.interest_rates("USDT", history=True), ContractEventVerbs.interest_rates.shape,
    ),
    "discount_rates classic": (lambda c: c.discount_rates("classic"), ContractEventVerbs.discount_rates.shape),
    **{f"account.{verb}": (account_verb(verb), getattr(AccountVerbs, verb).shape) for verb in ACCOUNT},
    "account.assets": (lambda c: c.account.assets(), AccountVerbs.assets.shape),
}  # type: ignore[attr-defined]  # fmt: skip


def test_every_verb_that_gives_a_frame_is_here() -> None:
    public = {name for cls in ContractEventVerbs.__mro__ for name, verb in vars(cls).items() if hasattr(verb, "shape")}
    private = {name for cls in AccountVerbs.__mro__ for name, verb in vars(cls).items() if hasattr(verb, "shape")}
    assert set(VERBS) >= public | {f"account.{name}" for name in private}


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        pytest.param(verb, kind, marks=[pytest.mark.slow] if kind == "unified" else [])
        for verb in VERBS
        for kind in (KINDS if "." in verb else ["classic"])  # without a key there is one kind
    ],
)
def test_one_false_empty_answer_changes_nothing_in_a_verb(
    exchange: Exchange, connect: Connect, tmp_path: Path, verb: str, kind: str
) -> None:
    ask, shape = VERBS[verb]
    whole = ask(connect(key=KINDS[kind], data_dir=tmp_path / "whole"))
    for place, source in enumerate(shape.sources):
        client = connect(key=KINDS[kind], data_dir=tmp_path / str(place))
        exchange.faults.inject("false_empty", endpoint=source, times=1)
        found = ask(client)
        assert [found.shape, *found.dtypes] == [whole.shape, *whole.dtypes]
        text = [name for name in whole if whole[name].dtype != float]  # prices of now move while it is asked again
        pd.testing.assert_frame_equal(found[text], whole[text])
        exchange.faults.clear()


@pytest.mark.parametrize("verb", ["tickers", "coins", "position_tiers", "announcements", "long_short", "fee_rates"])
def test_a_kept_answer_is_not_replaced_by_an_empty_one(
    exchange: Exchange, connect: Connect, clock: ManualClock, verb: str
) -> None:
    ask, shape = VERBS[verb]
    whole = ask(connect())
    clock.advance(30)
    for source in shape.sources:
        exchange.faults.inject("false_empty", endpoint=source, times=1)
    assert len(ask(connect())) == len(whole)
    assert len(ask(connect(offline=True))) == len(whole)


def test_a_list_that_is_empty_costs_one_more_request(exchange: Exchange, client: Client) -> None:
    client.tickers()
    sent = client.requests_sent
    exchange.faults.inject("false_empty", endpoint="spot.tickers")
    assert len(client.tickers()) == 0
    assert client.requests_sent == sent + 2


ROWS = [row for row in load() if row.columns]
QUICK = [row for row in ROWS if row.area in ("spot", "data", "notice")]


def differing(rows: list[Endpoint], folder: Path) -> dict[str, Any]:
    """Return of each row of the table how a walk and a call differ when their first answer is empty."""
    clock = ManualClock(NOW_MS)
    exchange = Exchange(clock=clock, limits=False)
    clients = {
        key: bgresearch.connect(sandbox=exchange, key=key, clock=clock, data_dir=folder / key, progress=False)
        for key in ("readonly", "unified", "unified_trader")
    }
    found: dict[str, Any] = {}
    for row in rows:
        key = "readonly" if row.version == "v2" else "unified"
        key = "unified_trader" if row.permission.endswith(":read_write") else key
        call = getattr(getattr(clients[key].api, row.area), row.name)
        times = {"startTime": NOW_MS - DAY_MS // 12, "endTime": NOW_MS} if row.param("endTime") else {}
        walk = suitable(row, without=turning(row)) | times
        for ask, params in ((call, suitable(row)), (call.all, walk)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                whole = ask(**params)
                exchange.faults.inject("false_empty", endpoint=row.id, times=1)
                again = ask(**params)
            exchange.faults.clear()
            if len(again) != len(whole):
                found[f"{row.id} {ask!r}"] = (len(whole), len(again))
    return found


def test_one_false_empty_answer_changes_nothing_in_the_raw_namespace(tmp_path: Path) -> None:
    assert differing(QUICK, tmp_path) == {}


@pytest.mark.slow
def test_one_false_empty_answer_changes_nothing_in_any_row_of_the_table(tmp_path: Path) -> None:
    assert len(ROWS) > 350
    assert differing(ROWS, tmp_path) == {}
