"""Every body of the served sandbox against the type that the npm package bitget-api declares for it.

The bodies are written into a TypeScript file, one constant each with the declared type, and the compiler checks them.
More fields than declared are allowed; missing ones, other types and other values of enums are not.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bgresearch.catalogue import load
from bgresearch.core.clock import SystemClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.server import Server
from tests.peers.test_bitget_api import METHOD, key_for, suitable

pytestmark = pytest.mark.slow

_SEVEN_CELLS = "its rows have seven cells: page and recorded answer; the client declares eight"
_ITS_OWN_WORDS = "a recorded answer and the page have process, success, fail; the client runs word and meaning together"
CONTRADICTED = {  # where the page or a recorded answer says otherwise than the client: the sandbox follows the former
    "tax.p2p_record": "the page has balance, the client total",
    "spot.coins": "a recorded answer has true and false as texts",
    "spot.merge_depth": "a recorded answer (of futures, same page) has JSON numbers in the levels",
    "spot.trade_order_info": "feeDetail is JSON inside a text: page, and a recorded answer of the same orders",
    "spot.trade_history_orders": "feeDetail is JSON inside a text: page and recorded answer",
    "spot.account_upgrade_status": _ITS_OWN_WORDS,
    "uta.account_switch_status": _ITS_OWN_WORDS,
    "futures.candles": _SEVEN_CELLS,
    "futures.history_candles": _SEVEN_CELLS,
    "futures.history_index_candles": _SEVEN_CELLS,
    "futures.history_mark_candles": _SEVEN_CELLS,
    "futures.account_interest_history": "the page has one object with interestList, the client a list of them",
    "futures.position_history_position": "a recorded answer has ctime and utime, the client cTime and uTime",
    "broker.subaccount_deposit": "the page has a list, the client one object",
    "broker.manage_subaccount_apikey_list": "secretKey is left out on purpose: no column is a secret",
    "copy.mix_trader_order_history_track": "the page has one object with trackingList, the client puts it into itself",
    "copy.spot_trader_order_total_detail": "the lists of returns have rate on the page, amount in the client",
    "loan.repay_history": "the page has a list, the client one object",
    "uta.history_fund_rate": "page and recorded answer have resultList, the client a bare list",
    "uta.cash_dividend_records": "go-bitget, tested on the exchange, reads an object with list; bitget-api a bare list",
    "uta.account_sub_unified_assets": "the page has rows of subUid, cursor, assets; the client puts them into assets",
    "uta.account_sub_transfer_record": "the page has list, the client items",
}
_CALL = """
const {RestClientV2, RestClientV3} = require('bitget-api');
const {url, keys, calls} = JSON.parse(require('fs').readFileSync(0));
(async () => {
  const bodies = [];
  for (const [version, method, label, params] of calls) {
    const [apiKey, apiSecret, apiPass] = keys[label] || [];
    const client = new (version === 'v2' ? RestClientV2 : RestClientV3)({apiKey, apiSecret, apiPass, baseUrl: url});
    bodies.push((await client[method](params)).data);
  }
  console.log(JSON.stringify(bodies));
})();
"""
_TYPES = """\
import {RestClientV2, RestClientV3} from 'bitget-api';
type More<T> = unknown extends T ? T : T extends readonly string[] ? T
  : T extends string | number | boolean | null | undefined ? T
  : T extends readonly unknown[] ? {[K in keyof T]: More<T[K]>}
  : {[K in keyof T]: More<T[K]>} & {[other: string]: unknown};
"""
_COMPILE = ["--noEmit", "--strict", "--skipLibCheck", "--module", "node16", "--moduleResolution", "node16"]


def calls_of(folder: Path, now_ms: int) -> list[tuple[str, str, str, dict[str, str], str]]:
    """Version, method, key, parameters and row of each method whose path the table has."""
    table, calls = load(), []
    for version in ("v2", "v3"):
        for method, path in METHOD.findall((folder / f"rest-client-{version}.js").read_text()):
            if (row := table.at_path(path)) is not None:
                calls.append((version, method, key_for(row), suitable(row, now_ms), row.id))
    return calls


def bodies_of(calls: list[Any], modules: Path) -> list[Any]:
    keys = {name: (key.api_key, key.secret_key, key.passphrase) for name, key in SANDBOX_KEYS.items()}
    with Server(Exchange(limits=False, clock=SystemClock())) as server:
        asked = json.dumps({"url": server.url, "keys": keys, "calls": [call[:4] for call in calls]})
        done = subprocess.run(  # noqa: S603 - node of this machine, text of this file
            [str(shutil.which("node")), "-e", _CALL], input=asked, capture_output=True, text=True, check=True,
            env={**os.environ, "NO_PROXY": "*", "NODE_PATH": str(modules)},
        )  # fmt: skip
    found: list[Any] = json.loads(done.stdout)
    return found


def failing(calls: list[Any], bodies: list[Any], folder: Path) -> dict[str, str]:
    """Row of every body that is not of its declared type, and what the compiler says of it."""
    lines = [
        f"export const body{number}: More<Awaited<ReturnType<RestClient{call[0].upper()}['{call[1]}']>>['data']>"
        f" = {json.dumps(body)};"
        for number, (call, body) in enumerate(zip(calls, bodies, strict=True))
    ]
    (folder / "bodies.ts").write_text(_TYPES + "\n".join(lines), encoding="utf-8")
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(  # noqa: S603 - as above
        [str(shutil.which("node")), str(compiler), *_COMPILE, "bodies.ts"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {}
    for line, text in re.findall(r"^bodies\.ts\((\d+),\d+\): error (.*)$", done.stdout, re.MULTILINE):
        place = int(line) - 1 - _TYPES.count("\n")
        found.setdefault(calls[place][4] if place >= 0 else "the types", text)
    assert found or not done.returncode, done.stdout + done.stderr
    return found


def test_every_body_has_the_type_that_the_client_declares(installed: Path) -> None:
    modules = installed / "node_modules"
    calls = calls_of(modules / "bitget-api" / "dist" / "cjs", SystemClock().now_ms())
    wrong = failing(calls, bodies_of(calls, modules), installed)
    print(f"\n{len(calls)} bodies checked; {len(wrong)} differ from the client's types, each with a reason")
    assert len(calls) > 300
    assert {row: text for row, text in wrong.items() if row not in CONTRADICTED} == {}
    assert sorted(CONTRADICTED.keys() - wrong.keys()) == [], "these need no exception any more"
