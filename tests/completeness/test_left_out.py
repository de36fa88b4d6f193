"""A part of an account is left out for a permission that the key lacks, and for nothing else."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bgresearch.account.holdings import NOT_OFFERED, NOT_PERMITTED, Skipped, classic_assets, said_of, unified_assets
from bgresearch.catalogue import load
from bgresearch.catalogue.error_codes import error_codes
from bgresearch.catalogue.response import unwrap
from bgresearch.client.client import Client
from bgresearch.errors import ExchangeError, PermissionDenied
from bgresearch.sandbox import Exchange, Request, Response
from bgresearch.session.identity import ABSENT, NO_PERMISSION
from tests.verbs.scripted_answers import ScriptedSender

PARTS = {
    classic_assets: ("spot.account_assets", "futures.account_accounts", "common.account_funding_assets"),
    unified_assets: ("uta.account_assets", "uta.account_funding_assets"),
}
CASES = [(load_assets, part) for load_assets, parts in PARTS.items() for part in parts]
REFUSALS = sorted(code for code, about in error_codes().items() if about.group == "permission")


def refusing(part: str, code: str) -> ScriptedSender:
    def answer(row_id: str, _params: Mapping[str, object]) -> Any:
        if row_id == part:
            status = int(code) if code in ("404", "405") else 400
            unwrap(load()[row_id], status, json.dumps({"code": code, "msg": "no", "data": None}).encode())
        return {"assets": []} if row_id == "uta.account_assets" else []

    return ScriptedSender(answer)


@pytest.mark.parametrize("code", [*REFUSALS, *sorted(ABSENT)])
@pytest.mark.parametrize(("load_assets", "part"), CASES)
def test_no_code_but_a_missing_permission_leaves_a_part_out(
    load_assets: Callable[..., Any], part: str, code: str
) -> None:
    skipped: Skipped = {}
    if code in NO_PERMISSION | ABSENT:
        load_assets(refusing(part, code), skipped)
        assert set(skipped.values()) == {NOT_PERMITTED if code in NO_PERMISSION else NOT_OFFERED}
        return
    with pytest.raises(PermissionDenied) as caught:
        load_assets(refusing(part, code), skipped)
    assert (caught.value.code, skipped) == (code, {})


def test_what_is_left_out_is_said_by_reason() -> None:
    assert {"40014", "25620"} == NO_PERMISSION
    assert len(REFUSALS) > 15
    said = said_of({"spot": NOT_PERMITTED, "funding": NOT_OFFERED, "usdt-futures": NOT_PERMITTED})
    assert (
        said == "The key may not see these accounts: spot, usdt-futures. This exchange has no such accounts: funding."
    )


class Refusing(Exchange):
    """Refuses one path with one code."""

    path, code = "", ""

    def handle(self, request: Request) -> Response:
        if self.path and request.target.startswith(self.path):
            body = {"code": self.code, "msg": "no", "requestTime": 1, "data": None}
            return Response(400, {"Content-Type": "application/json"}, json.dumps(body).encode())
        return super().handle(request)


@pytest.mark.parametrize("code", ["40022", "40068", "40084", "40085", "40099"])
def test_a_refusal_is_named_as_what_it_is_by_every_verb_that_goes_on_after_one(
    model: Exchange, connect: Callable[..., Client], clock: Any, code: str
) -> None:
    exchange = Refusing(clock=clock)
    exchange.world, exchange.accounts = model.world, dict(model.accounts)
    client = connect(sandbox=exchange)
    client.account.balances()
    exchange.path, exchange.code = "/api/v2/spot/account/assets", code
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ExchangeError, match=code):
            client.account.assets()
        archive = client.account.archive(kinds=["transfers"])
    assert [code in line.problem and "may not" not in line.problem for line in archive.lines] == [True]
    exchange.path = "/api/v2/spot/trade/fills"
    archive = client.account.archive("2026-11-19", kinds=["fills"])
    assert [line.lot for line in archive.failed] == ["spot"]
    assert code in archive.failed[0].problem
    assert "may not read" not in archive.failed[0].problem
