"""freqtrade downloads candles and funding rates from the served sandbox by its own means.

Runs where its program is on the PATH.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from bgresearch.core.clock import SystemClock
from bgresearch.sandbox import Exchange
from bgresearch.sandbox.server import Server

pytestmark = pytest.mark.slow

_FAMILIES = ("spot", "mix", "user", "p2p", "broker", "margin", "common", "tax", "convert", "copy", "earn", "uta", "cfd")


@pytest.mark.parametrize(
    ("mode", "pair", "files"),
    [
        ("spot", "BTC/USDT", ["BTC_USDT-1h.feather"]),
        ("futures", "BTC/USDT:USDT", [f"futures/BTC_USDT_USDT-1h-{kind}.feather" for kind in ("futures", "mark")]),
    ],
)
def test_download_data_fetches_what_was_asked_for(tmp_path: Path, mode: str, pair: str, files: list[str]) -> None:
    program = shutil.which("freqtrade")
    if program is None:
        pytest.skip("freqtrade is not on the PATH")
    end = pd.Timestamp(SystemClock().now_ms(), unit="ms", tz="UTC").floor("D")
    start = end - pd.Timedelta("20D")
    with Server(Exchange(clock=SystemClock())) as server:
        own = {"urls": {"api": dict.fromkeys(_FAMILIES, server.url)}}
        config = tmp_path / "config.json"
        config.write_text(json.dumps({
            "exchange": {"name": "bitget", "pair_whitelist": [pair], "ccxt_config": own},
            "trading_mode": mode, "margin_mode": "isolated" if mode == "futures" else "", "stake_currency": "USDT",
            "dry_run": True,
        }))  # fmt: skip
        subprocess.run(  # noqa: S603 - the program that PATH names
            [program, "download-data", "-c", str(config), "--userdir", str(tmp_path), "--timeframes", "1h",
             "--timerange", f"{start:%Y%m%d}-{end:%Y%m%d}", "--pairs", pair],
            check=True, capture_output=True, env={**os.environ, "NO_PROXY": "*", "no_proxy": "*"},
        )  # fmt: skip
    hours = pd.date_range(start, end, freq="h", inclusive="left")
    for name in files:
        frame = pd.read_feather(tmp_path / "data" / "bitget" / name)
        assert set(hours) <= set(pd.DatetimeIndex(frame["date"])), name
