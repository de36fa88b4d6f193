"""Answers are held against the question: another symbol, coin or order is refused, an unknown symbol is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bgresearch
from bgresearch.catalogue import Endpoint, load
from bgresearch.client.client import Client
from bgresearch.core.clock import ManualClock
from bgresearch.errors import BadResponse, UnknownSymbol
from bgresearch.http.confirming_sender import confirming
from bgresearch.sandbox import Exchange, Request, Response
from tests.conftest import NOW_MS
from tests.verbs.scripted_answers import ScriptedSender

Ask = Callable[[Client], Any]
KEYS = ("symbol", "coin", "productType", "category", "marginCoin", "orderId", "language")


def keyed() -> list[tuple[Endpoint, str]]:
    """Return the rows of the table that are asked for a key which their answers carry."""
    found = []
    for row in load():
        prefix = f"{row.rows_at}." if row.rows_at else ""
        paths = {column.path for column in row.columns}
        found += [(row, key) for key in KEYS if row.param(key) and paths & {key, prefix + key}]
    return found


@pytest.mark.parametrize(("row", "key"), keyed(), ids=lambda one: getattr(one, "id", one))
def test_an_answer_about_something_else_is_refused_by_every_row_that_carries_the_key(row: Endpoint, key: str) -> None:
    def answered(value: str) -> Any:
        inside = any(column.path == f"{row.rows_at}.{key}" for column in row.columns)
        if row.rows_at:
            return {row.rows_at: [{key: value}]} if inside else {key: value, row.rows_at: [{"x": "1"}]}
        return {key: value} if row.response == "object" else [{key: value}]

    with pytest.raises(BadResponse, match=f"asked for {key} ASKED, the response is about OTHER"):
        confirming(ScriptedSender(lambda _id, _params: answered("OTHER"))).send(row, {key: "ASKED"})
    for same in ("ASKED", "asked", ""):  # spelled in another case, or not reported
        assert confirming(ScriptedSender(lambda _id, _params, same=same: answered(same))).send(row, {key: "ASKED"})


def test_there_are_many_such_rows() -> None:
    assert len(keyed()) > 120


class Mistaken(Exchange):
    """Answers about ETHUSDT, whatever was asked, while it is configured to."""

    mistaken = False

    def handle(self, request: Request) -> Response:
        target = request.target.replace("symbol=BTCUSDT", "symbol=ETHUSDT") if self.mistaken else request.target
        return super().handle(request._replace(target=target))


SYMBOLS: dict[str, Ask] = {
    "tickers": lambda c: c.tickers("BTCUSDT"), "futures": lambda c: c.tickers("BTCUSDT", market="usdt-futures"),
    "prices": lambda c: c.prices("BTCUSDT"), "funding": lambda c: c.funding("BTCUSDT"),
    "funding_rates": lambda c: c.funding_rates("BTCUSDT", "2026-11-10"), "trades": lambda c: c.trades("BTCUSDT"),
    "past trades": lambda c: c.trades("BTCUSDT", "2026-11-20 08:50"),
    "open_interest": lambda c: c.open_interest("BTCUSDT"), "position_tiers": lambda c: c.position_tiers("BTCUSDT"),
    "raw": lambda c: c.api.spot.tickers(symbol="BTCUSDT"), "raw all": lambda c: c.api.spot.fills.all(symbol="BTCUSDT"),
}  # fmt: skip


@pytest.fixture
def mistaken(model: Exchange, clock: ManualClock) -> Mistaken:
    new = Mistaken(clock=clock)
    new.world, new.accounts = model.world, dict(model.accounts)
    return new


@pytest.mark.parametrize("verb", SYMBOLS)
def test_an_answer_about_another_symbol_is_refused_and_not_kept(
    mistaken: Mistaken, clock: ManualClock, tmp_path: Path, verb: str
) -> None:
    client = bgresearch.connect(sandbox=mistaken, clock=clock, data_dir=tmp_path, progress=False)
    mistaken.mistaken = True
    with pytest.raises(BadResponse, match="asked for symbol BTCUSDT, the response is about ETHUSDT"):
        SYMBOLS[verb](client)
    mistaken.mistaken = False
    assert len(SYMBOLS[verb](client)) > 0


class Silent(Exchange):
    """Answers nothing about symbols that it does not know, instead of refusing them."""

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        if "BTCUSTD" not in request.target or "instruments" in request.target:
            return response
        endpoint = load().at_path(request.target.partition("?")[0])
        assert endpoint is not None
        rows: Any = {endpoint.rows_at: []} if endpoint.rows_at else []
        body = {"code": "00000", "msg": "success", "requestTime": NOW_MS, "data": rows}
        return Response(200, response.headers, json.dumps(body).encode())


UNKNOWN: dict[str, Ask] = {
    "tickers": lambda c: c.tickers("BTCUSTD"), "futures": lambda c: c.tickers("BTCUSTD", market="usdt-futures"),
    "prices": lambda c: c.prices("BTCUSTD"), "funding": lambda c: c.funding("BTCUSTD"),
    "funding_rates": lambda c: c.funding_rates("BTCUSTD", "2026-11-10"), "trades": lambda c: c.trades("BTCUSTD"),
    "past trades": lambda c: c.trades("BTCUSTD", "2026-11-20 08:50"),
    "open_interest": lambda c: c.open_interest("BTCUSTD"), "position_tiers": lambda c: c.position_tiers("BTCUSTD"),
    "risk_reserve": lambda c: c.risk_reserve("BTCUSTD"), "long_short": lambda c: c.long_short("BTCUSTD"),
    "taker_volume": lambda c: c.taker_volume("BTCUSTD"), "fund_flow": lambda c: c.fund_flow("BTCUSTD"),
    "net_flow": lambda c: c.net_flow("BTCUSTD"), "margin_series": lambda c: c.margin_series("BTCUSTD"),
    "account.fee_rates": lambda c: c.account.fee_rates("BTCUSTD"),
}  # fmt: skip


@pytest.mark.parametrize("verb", UNKNOWN)
def test_an_empty_answer_about_an_unknown_symbol_is_an_error_with_near_names_every_time(
    model: Exchange, clock: ManualClock, tmp_path: Path, verb: str
) -> None:
    silent = Silent(clock=clock)
    silent.world, silent.accounts = model.world, dict(model.accounts)
    client = bgresearch.connect(sandbox=silent, clock=clock, data_dir=tmp_path, progress=False)
    for _ in range(2):
        with pytest.raises(UnknownSymbol, match=r"'BTCUSTD' is not listed in the .* market.*Did you mean .*BTCUSDT"):
            UNKNOWN[verb](client)


def test_an_empty_answer_about_an_unknown_coin_is_an_error(connect: Callable[..., Client], exchange: Exchange) -> None:
    exchange.faults.inject("false_empty", endpoint="spot.coins")
    with pytest.raises(UnknownSymbol, match="'XYZ' is no coin of the exchange"):
        connect().coins("XYZ")
