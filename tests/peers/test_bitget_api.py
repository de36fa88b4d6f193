"""Every GET method of another client, the npm package bitget-api, against the served sandbox.

Which method asks which path is read from the package itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bgresearch.catalogue import Endpoint, load
from bgresearch.core.clock import SystemClock
from bgresearch.sandbox import SANDBOX_KEYS, Exchange
from bgresearch.sandbox.server import Server

pytestmark = pytest.mark.slow

_CALL = """
const {RestClientV2, RestClientV3} = require('bitget-api');
const {url, keys, calls} = JSON.parse(require('fs').readFileSync(0));
const clients = {};
(async () => {
  const refused = {};
  for (const [version, method, label, params] of calls) {
    const [apiKey, apiSecret, apiPass] = keys[label] || [];
    const name = version + label;
    clients[name] ??= new (version === 'v2' ? RestClientV2 : RestClientV3)({apiKey, apiSecret, apiPass, baseUrl: url});
    try {
      const answer = await clients[name][method](params);
      if (answer.code !== '00000') refused[method] = answer.code;
    } catch (error) { refused[method] = error?.body?.code || error?.code || String(error?.message || error); }
  }
  console.log(JSON.stringify(refused));
})();
"""
METHOD = re.compile(
    r"^    (?:async )?(\w+)\([^)]*\) \{\s*\n?\s*return this\.(?:get|getPrivate)\(\s*[`']([^`']+)[`']", re.MULTILINE
)


def suitable(endpoint: Endpoint, now_ms: int) -> dict[str, str]:
    usual = {
        "symbol": "BTCUSDT", "coin": "USDT", "marginCoin": "USDT", "loanCoin": "USDT", "pledgeCoin": "BTC",
        "fromCoin": "BTC", "toCoin": "USDT", "startTime": str(now_ms - 86_400_000), "endTime": str(now_ms),
        "requestTime": str(now_ms), "receiveWindow": "1000", "category": "USDT-FUTURES",
    }  # fmt: skip
    chosen = {}
    for param in endpoint.params:
        if param.required:
            fits = usual.get(param.name)
            chosen[param.name] = (fits if fits in param.enum else next(iter(param.enum), None)) or fits or "1"
    return chosen


def key_for(endpoint: Endpoint) -> str:
    if not endpoint.private:
        return ""
    if endpoint.version == "v2":
        return "readonly"
    return "unified_trader" if endpoint.permission.endswith(":read_write") else "unified"


def test_every_method_that_reads_is_answered(installed: Path) -> None:
    modules = installed / "node_modules"
    folder = modules / "bitget-api" / "dist" / "cjs"
    table, now_ms = load(), SystemClock().now_ms()
    calls = []
    for version in ("v2", "v3"):
        for method, path in METHOD.findall((folder / f"rest-client-{version}.js").read_text()):
            if (endpoint := table.at_path(path)) is not None:
                calls.append((version, method, key_for(endpoint), suitable(endpoint, now_ms)))
    keys = {name: (key.api_key, key.secret_key, key.passphrase) for name, key in SANDBOX_KEYS.items()}
    with Server(Exchange(limits=False, clock=SystemClock())) as server:
        asked = json.dumps({"url": server.url, "keys": keys, "calls": calls})
        done = subprocess.run(  # noqa: S603 - as above
            [str(shutil.which("node")), "-e", _CALL], input=asked, capture_output=True, text=True, check=True,
            env={**os.environ, "NO_PROXY": "*", "NODE_PATH": str(modules)},
        )  # fmt: skip
    assert len(calls) > 300
    assert json.loads(done.stdout) == {}
