"""The table against the collected facts, read here independently of how the rows were made."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bgresearch.catalogue import Endpoint, load

FACTS = Path(__file__).parents[3] / "shared" / "bitget" / "endpoints.json"

pytestmark = pytest.mark.skipif(not FACTS.exists(), reason=f"no fact base at {FACTS}")

# Told apart on purpose: a fee object whose keys are coin names is kept as JSON text; one page strikes a name through.
DROPPED_COLUMNS = {
    "spot.trade_history_orders": "feeDetail.",
    "spot.trade_order_info": "feeDetail.",
    "margin.crossed_fills": "feeDetail",
    "margin.currencies": "~~isBorrowable~~",
    "broker.manage_subaccount_apikey_list": "secretKey",
}

LEFT_OUT = {
    "/api/v3/broker/query-sub-apikey",  # its answer is a key with its SecretKey; no documentation page names it
    "/api/v3/account/max-open-available",  # a POST in all current clients but one
}
# What clients of November 2026 know better than the facts of December 2025.
ADDED = {"data.margin_isolated_borrow_rate", "uta.market_time"}
LATER = {  # rows whose parameters, pages and rows later clients know, of which the facts have little or nothing
    "uta.cash_dividend_records", "uta.liquidations", "copy.mix_broker_query_traders",
    "copy.mix_broker_query_history_traces", "copy.mix_broker_query_current_traces",
    "uta.account_eligible_discount_rate", "uta.account_funding_financial_records", "uta.convert_small_assets",
    "uta.convert_small_assets_history", "uta.stockplus_trade_order_detail", "uta.trade_grid_bot_detail",
    "uta.trade_grid_list_details", "uta.trade_grid_neutral_bot_detail", "uta.trade_grid_neutral_list_details",
    "uta.trade_strategy_sub_orders", "uta.p2p_all_orders", "uta.p2p_my_ads", "uta.p2p_pending_orders",
    *(f"uta.reality_{name}" for name in (
        "company_overview", "dividends", "earnings_forecast", "executive_shareholdings", "inner_trades",
        "share_capital_change", "sharehold_detail", "stock_info", "suspension_resumption_info", "valuation_indicators",
    )),
}  # fmt: skip
OPTIONAL_NOW = {
    ("uta.current_fund_rate", "symbol"), ("uta.fills", "symbol"), ("common.all_trade_rate", "symbol"),
    ("uta.account_convert_records", "fromCoin"), ("uta.account_convert_records", "toCoin"),
}  # fmt: skip


# The page counts by user id, but the row is public and nobody says who asks.
COUNTED_BY_ADDRESS = {"futures.symbol_price"}


@pytest.fixture(scope="module")
def facts() -> list[dict[str, Any]]:
    entries = [entry for entry in json.loads(FACTS.read_text("utf-8")) if entry["method"] == "GET"]
    assert not [entry["path"] for entry in entries if entry["path"] in LEFT_OUT and entry["documented"]]
    return [entry for entry in entries if entry["path"] not in LEFT_OUT]


@pytest.fixture(scope="module")
def pairs(facts: list[dict[str, Any]]) -> list[tuple[dict[str, Any], Endpoint]]:
    found = [(entry, load().at_path(entry["path"])) for entry in facts]
    assert not [entry["path"] for entry, row in found if row is None]
    return [(entry, row) for entry, row in found if row is not None]


def test_every_documented_get_has_a_row_and_nothing_else_is_called_documented(facts, pairs):
    documented = {row.id for entry, row in pairs if entry["documented"]}
    print(f"\ncompared {len(documented)} documented rows and {len(pairs) - len(documented)} known to clients alone")
    assert len(documented) == 269
    assert documented == {row.id for row in load() if row.documented}
    assert len(load()) == len(facts) + len(ADDED)


def test_the_clients_that_know_a_row_are_named(pairs):
    names = {"ccxt": "ccxt", "tiagosiebler": "bitget-api", "jkorf": "Bitget.Net"}
    wrong = [
        (row.id, entry["sources"], row.sources)
        for entry, row in pairs
        if not entry["documented"] and {names[one] for one in entry["sources"]} - set(row.sources)
    ]
    assert not wrong


def test_pages_and_titles_are_the_documentation_s(pairs):
    documented = [(entry, row) for entry, row in pairs if entry["documented"]]
    assert not [
        row.id
        for entry, row in documented
        if (row.page, row.title.replace("\u2019", "'")) != (entry["page"], entry["name"])
    ]


def test_limits_are_as_stated(pairs):
    wrong = []
    for entry, row in pairs:
        limit = entry["limit"]
        if entry["documented"]:
            scope = "ip" if row.id in COUNTED_BY_ADDRESS else limit["scope"] or row.limit.scope
            stated = (limit["count"], limit["seconds"], scope)
            if stated != (row.limit.count, row.limit.seconds, row.limit.scope):
                wrong.append((row.id, stated, row.limit))
        elif row.limit.count / row.limit.seconds > 5:
            wrong.append((row.id, "a guess above 5 per second", row.limit))
    assert not wrong


def test_permissions_are_as_stated_and_only_unsigned_rows_are_public(pairs):
    wrong = []
    for entry, row in pairs:
        if entry["permission"] and entry["auth"] and row.permission != entry["permission"]:
            wrong.append((row.id, entry["permission"], row.permission))
        if entry["auth"] is not None and row.private != entry["auth"]:
            wrong.append((row.id, entry["auth"], row.permission))
        if entry["auth"] is None and not row.private:
            wrong.append((row.id, "unknown, so it must be taken for private", row.permission))
    assert not wrong


def test_parameters_keep_name_obligation_maximum_default_and_values(pairs):
    wrong = []
    for entry, row in pairs:
        if row.id in LATER:
            continue
        for stated in entry["params"]:
            param = row.param(stated["name"])
            if param is None:
                wrong.append((row.id, stated["name"], "missing"))
                continue
            seen = (param.required, param.maximum, param.default, param.enum)
            default = stated.get("default")
            enum = tuple(str(value) for value in stated.get("enum") or ())
            required = bool(stated["required"]) and (row.id, stated["name"]) not in OPTIONAL_NOW
            want = (required, stated.get("max"), None if default is None else str(default), enum)
            if seen != want:
                wrong.append((row.id, stated["name"], want, seen))
        if len(row.params) != len(entry["params"]):
            wrong.append((row.id, "count", len(entry["params"]), len(row.params)))
    assert not wrong


def test_paging_is_as_stated(pairs):
    wrong = []
    for entry, row in pairs:
        if row.id in LATER:
            continue
        stated = entry["pagination"] or {"kind": "none", "params": []}
        paged = stated["kind"] != "none"
        sized = paged and stated.get("max_page_size") is not None
        want = (
            stated["kind"],
            tuple(stated["params"]) if paged else (),
            stated.get("default_page_size") if sized else None,
            stated.get("max_page_size") if sized else None,
            (stated.get("cursor_from") or "").partition(" (")[0],
        )
        seen = row.paging
        if want != (seen.kind, seen.params, seen.default_rows, seen.max_rows, seen.cursor_from):
            wrong.append((row.id, want, seen))
    assert not wrong


def test_history_windows_are_as_stated(pairs):
    wrong = []
    for entry, row in pairs:
        if row.id in LATER:
            continue
        history = entry["history"] or {}
        want = (history.get("max_span_days"), history.get("lookback_days"))
        if want != (row.max_span_days, row.lookback_days):
            wrong.append((row.id, want, (row.max_span_days, row.lookback_days)))
    assert not wrong


def test_shapes_are_as_stated(pairs):
    wrong = []
    for entry, row in pairs:
        if row.id in LATER:
            continue
        if not entry["fields"]:  # nothing is known of it but what clients have
            continue
        want = (entry["response"] or "object", entry["rows_at"] or "", entry["time_field"] or "")
        if want != (row.response, row.rows_at, row.time):
            wrong.append((row.id, want, (row.response, row.rows_at, row.time)))
    assert not wrong


def test_every_documented_field_is_a_column(pairs):
    missing = []
    fields = 0
    for entry, row in pairs:
        names = {column.name for column in row.columns} | {column.path for column in row.columns}
        for field in entry["fields"]:
            fields += 1
            path = f"{field['in']}.{field['name']}" if field.get("in") else field["name"]
            dropped = DROPPED_COLUMNS.get(row.id)
            if field["name"] not in names and not (dropped and path.startswith(dropped)):
                missing.append((row.id, path))
    print(f"\ncompared {fields} fields")
    assert not missing


def test_no_row_is_invented_and_no_call_writes(facts):
    everything = json.loads(FACTS.read_text("utf-8"))
    writes = {entry["path"] for entry in everything if entry["write"]}
    assert not [row.path for row in load() if row.path in writes and row.path not in {e["path"] for e in facts}]
    assert Counter(row.method for row in load()) == {"GET": len(load())}
