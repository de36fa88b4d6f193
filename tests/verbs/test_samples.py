"""Recorded answers through the shapes of the verbs: every row becomes a row, in the columns that are promised."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bgresearch.account.holdings import balances, classic_assets, unified_assets
from bgresearch.account.kinds import CLOSED_POSITIONS, KINDS, ORDERS, PLAN_ORDERS
from bgresearch.account.kinds.orders import OPEN_ORDERS, OPEN_PLAN_ORDERS
from bgresearch.account.kinds.positions import OPEN_POSITIONS
from bgresearch.account.record_history import walked
from bgresearch.account.record_type import RecordKind, RecordRoute
from bgresearch.catalogue import Endpoint, load
from bgresearch.catalogue.response import rows_of
from bgresearch.core.symbols import Named
from bgresearch.http.sender import Sender
from bgresearch.market.fees_and_tiers import discount_rates, fee_rates, position_tiers
from bgresearch.market.history import FUNDING_RATES, _rate, funding, recent_trades
from bgresearch.market.listings import coins, symbols
from bgresearch.market.quotes import open_interest
from bgresearch.schemas import Shape
from tests.verbs.rows import answer_row
from tests.verbs.scripted_answers import ScriptedSender

SAMPLES = Path(__file__).parents[3] / "shared" / "bitget" / "samples"
FILES = sorted(SAMPLES.glob("*.json"))
CONTRACT, SAMPLED = Named("BTCUSDT", "usdt-futures"), Named("BFTUSDT", "spot")

pytestmark = pytest.mark.skipif(not FILES, reason=f"no recorded answers at {SAMPLES}")

Ask = Callable[[Sender], Any]
MARKET: dict[str, Ask] = {
    "spot.symbols": lambda s: symbols(s, "spot"), "futures.contracts": lambda s: symbols(s, "usdt-futures"),
    "spot.coins": lambda s: coins(s, None), "spot.fills": lambda s: recent_trades(s, SAMPLED),
    "futures.fills": lambda s: recent_trades(s, CONTRACT), "futures.current_fund_rate": lambda s: funding(s, CONTRACT),
    "futures.open_interest": lambda s: open_interest(s, "usdt-futures", "BTCUSDT"),
    "uta.open_interest": lambda s: open_interest(s, "usdt-futures", None),
    "futures.query_position_lever": lambda s: position_tiers(s, CONTRACT),
    "spot.vip_fee_rate": lambda s: fee_rates(s, "spot"),
    "uta.discount_rate": lambda s: discount_rates(s, "unified"),
    "common.account_all_account_balance": lambda s: balances(s, "classic"),
}  # fmt: skip
ASSETS = {
    "spot.account_assets": classic_assets, "futures.account_accounts": classic_assets,
    "common.account_funding_assets": classic_assets, "uta.account_assets": unified_assets,
    "uta.account_funding_assets": unified_assets,
}  # fmt: skip


def row_of(file: Path) -> Endpoint:
    path = "/" + re.sub(r"\.\d$", "", file.stem).replace(".", "/")
    return {row.path.lower(): row for row in load()}[path.lower()]


def all_routes() -> dict[str, tuple[RecordKind, RecordRoute, Shape]]:
    """Endpoint → the kind and the route that read it."""
    found: dict[str, tuple[RecordKind, RecordRoute, Shape]] = {}
    now = {ORDERS.name: OPEN_ORDERS, PLAN_ORDERS.name: OPEN_PLAN_ORDERS, CLOSED_POSITIONS.name: OPEN_POSITIONS}
    for kind in KINDS.values():
        for mode in ("classic", "unified"):
            lots = kind.lots[mode]
            for lot in ("USDT", "BTCUSDT") if lots == "coins" or not lots else (*lots, "BTCUSDT"):
                for route in kind.routes(mode, lot) if kind.free or lot in lots else ():
                    found.setdefault(route.endpoint, (kind, route, kind.shape))
                for route in kind.open(mode, lot) if lot in lots else ():
                    found.setdefault(route.endpoint, (kind, route, now[kind.name]))
    return found


ROUTES = all_routes()


def test_most_recorded_answers_of_histories_are_read_by_a_verb() -> None:
    read = [file for file in FILES if row_of(file).id in {*ROUTES, *MARKET, *ASSETS, "futures.history_fund_rate"}]
    print(f"\n{len(read)} of {len(FILES)} recorded answers are read by a verb")
    assert len(read) >= 40


@pytest.mark.parametrize("file", [file for file in FILES if row_of(file).id in ROUTES], ids=lambda file: file.stem)
def test_a_recorded_list_becomes_records(file: Path) -> None:
    endpoint, data = row_of(file), json.loads(file.read_text("utf-8"))["data"]
    kind, route, shape = ROUTES[endpoint.id]
    route = replace(route, fixed={})  # what was asked for is not recorded
    first = True

    def answer(_row_id: str, _params: Mapping[str, object]) -> Any:
        nonlocal first
        data_part, first = (data if first else None), False
        return data_part

    records = walked(kind, route, ScriptedSender(answer))
    rows = rows_of(endpoint, data)
    assert len(records) == len({record[kind.id] for record in records})
    assert len(records) == len(rows) or len({json.dumps(row) for row in rows}) == len(records) or _hidden_ids(rows)
    table = shape.table(records)
    assert table.column("time").null_count == 0
    assert table.column("coin" if "coin" in table.schema.names else "symbol" if "symbol" in table.schema.names
                        else "source_coin").null_count == 0  # fmt: skip
    assert len(shape.frame(table)) == len(records)


def _hidden_ids(rows: list[Any]) -> bool:
    """Whether the recording blots out ids, so that two rows look like one."""
    return any(str(row.get("orderId", "")).startswith("*") for row in rows)


@pytest.mark.parametrize("file", [file for file in FILES if row_of(file).id in MARKET], ids=lambda file: file.stem)
def test_a_recorded_answer_becomes_rows(file: Path) -> None:
    data = json.loads(file.read_text("utf-8"))["data"]
    data_part = MARKET[row_of(file).id](ScriptedSender(lambda _id, _params: data))
    assert len(data_part) >= len(rows_of(row_of(file), data)) > 0


@pytest.mark.parametrize("file", [file for file in FILES if row_of(file).id in ASSETS], ids=lambda file: file.stem)
def test_recorded_holdings_become_assets(file: Path) -> None:
    row, data = row_of(file), json.loads(file.read_text("utf-8"))["data"]
    data_part = ASSETS[row.id](ScriptedSender(lambda row_id, _params: data if row_id == row.id else []), [])
    assert {holding["coin"] for holding in data_part} == {
        (each.get("coin") or each["marginCoin"]).upper() for each in rows_of(row, data)
    }


def test_recorded_funding_rates_become_a_history() -> None:
    row = load()["futures.history_fund_rate"]
    file = next(file for file in FILES if row_of(file).id == row.id)
    rows = rows_of(row, json.loads(file.read_text("utf-8"))["data"])
    table = FUNDING_RATES.table(_rate(answer_row(each)) for each in rows)
    assert table.num_rows == len(rows) > 0
    assert table.column("funding_rate").null_count == 0
