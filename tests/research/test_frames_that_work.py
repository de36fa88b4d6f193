"""Frames go where one would take them: charts of any numbers, volatility of panels, exports, pins."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bgresearch
from bgresearch.client.client import Client
from bgresearch.errors import InvalidInput
from bgresearch.research import volatility
from tests.conftest import Connect

FRAMES: dict[str, tuple[Callable[[Client], pd.DataFrame], int]] = {
    "depth": (lambda c: c.order_book("BTCUSDT"), 2), "open interest of all": (lambda c: c.open_interest(), 1),
    "open interest of one": (lambda c: c.open_interest("BTCUSDT"), 1), "tickers": (lambda c: c.tickers(), 1),
    "funding rates": (lambda c: c.funding_rates("BTCUSDT", last="30d"), 1),
    "funding": (lambda c: c.funding("BTCUSDT"), 1),
    "ratios": (lambda c: c.long_short("BTCUSDT"), 2), "trades": (lambda c: c.trades("BTCUSDT"), 2),
    "assets": (lambda c: c.account.assets(), 1), "fills": (lambda c: c.account.fills(last="7d"), 2),
    "panel": (lambda c: c.panel(["BTCUSDT", "ETHUSDT"], "1h", last="2d"), 2),
    "tiers": (lambda c: c.position_tiers("BTCUSDT"), 1), "plain": (lambda _: pd.DataFrame({"x": [1, 2]}), 1),
    "balance": (lambda c: c.account.bills(last="7d").balance.resample("1D").last().to_frame(), 1),
    "naive times": (lambda _: pd.DataFrame({"x": [1.0]}, index=pd.DatetimeIndex(["2026-01-01"])), 1),
    "equity": (lambda _: pd.DataFrame({"equity": [1.0, 2.0]}, index=pd.date_range("2026", periods=2, tz="UTC")), 1),
}  # fmt: skip


@pytest.mark.quick_cases(8)
@pytest.mark.parametrize("what", FRAMES)
def test_every_frame_with_numbers_has_a_chart(client: Client, what: str, tmp_path: Path) -> None:
    ask, least = FRAMES[what]
    chart = ask(client).bg.chart()
    assert len(chart.figure.data) >= least
    assert any(value is not None for trace in chart.figure.data for value in trace.y or ())
    assert chart.figure.layout.paper_bgcolor == "rgba(0,0,0,0)"  # no white box in a dark notebook
    assert chart.save(tmp_path / "page.html").stat().st_size > 100_000


@pytest.mark.parametrize("frame", [pd.DataFrame(), pd.DataFrame({"name": ["a"]}), pd.DataFrame({"x": []}, dtype=float)])
def test_a_frame_without_numbers_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(InvalidInput, match="nothing to draw"):
        frame.bg.chart()
    with pytest.raises(InvalidInput, match="go with candles"):
        pd.DataFrame({"x": [1]}).bg.chart(overlays=[20])


def test_depth_adds_up_from_the_best_price_outwards(client: Client) -> None:
    book = client.order_book("BTCUSDT", levels=20)
    bids, asks = book.bg.chart().figure.data
    assert bids.x[0] == book[book.side == "bid"].price.max()
    assert asks.x[0] == book[book.side == "ask"].price.min()
    assert asks.y[-1] == pytest.approx(book[book.side == "ask"].amount.sum())


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("candles", [True, False])
def test_a_chart_shows_itself_outside_a_notebook(tmp_path: Path, candles: bool) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\ncp "$(echo "$1" | sed s,file://,,)" {tmp_path}/shown.html\n', encoding="utf-8")
    browser.chmod(0o755)
    columns = "open=1.0, high=2.0, low=0.5, close=1.5" if candles else "x=1.0"
    index = "index=pd.date_range('2026', periods=3, tz='UTC', name='open_time')"
    code = f"import pandas as pd, bgresearch.accessor\npd.DataFrame(dict({columns}), {index}).bg.chart().show()"
    places = {**os.environ, "BROWSER": f"{browser} %s", "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=places)  # noqa: S603 - our own code
    assert "plotly" in (tmp_path / "shown.html").read_text(encoding="utf-8")


ESTIMATORS = [getattr(volatility, name) for name in
              ("close_to_close", "parkinson", "garman_klass", "rogers_satchell", "yang_zhang")]  # fmt: skip
SYMBOLS = ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize("estimate", ESTIMATORS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("window", [None, 12])
def test_volatility_of_a_panel_is_that_of_each_symbol(client: Client, estimate: Any, window: int | None) -> None:
    asked: dict[str, Any] = {"start": "2026-11-10", "end": "2026-11-14", "fields": ["open", "high", "low", "close"]}
    wide = client.panel(SYMBOLS, "1h", **asked)
    alone = {name: estimate(client.candles(name, "1h", "2026-11-10", "2026-11-14"), window) for name in SYMBOLS}
    for panel in (wide, client.panel(SYMBOLS, "1h", **asked, long=True)):
        found = estimate(panel, window)
        for name in SYMBOLS:
            if window is None:
                assert found[name] == pytest.approx(alone[name])
            else:
                assert found[name].to_numpy() == pytest.approx(alone[name].to_numpy(), nan_ok=True)
                assert found.index.name == "known_at"
    if estimate is volatility.close_to_close:
        pd.testing.assert_series_equal(estimate(wide["close"]), estimate(wide))


def test_spot_coins_have_a_value_in_dollars(client: Client) -> None:
    assets = client.account.assets()
    held = assets[assets.total > 0]
    assert held.usd_value.notna().all()
    price = client.tickers("BTCUSDT").set_index("symbol").loc["BTCUSDT", "last"]
    (spot,) = held[(held.account == "spot") & (held.coin == "BTC")].itertuples()
    assert spot.usd_value == pytest.approx(spot.total * price, rel=0.01)


def test_a_client_pins_what_it_holds(client: Client, connect: Connect, tmp_path: Path) -> None:
    bars = client.candles("BTCUSDT", "1h", last="2d")
    pin = client.pin("paper")
    assert len(pin.digest) == 64
    frozen = bgresearch.connect(pin="paper", data_dir=tmp_path / "data", base_url=client.host)
    assert len(frozen.candles("BTCUSDT", "1h", bars.index[0], bars.index[-1])) == len(bars) - 1
    with pytest.raises(InvalidInput, match="already"):
        client.pin("paper")
    with pytest.raises(bgresearch.ConfigurationError, match="frozen already"):
        frozen.pin("again")


@pytest.mark.parametrize(
    ("market", "name"), [("spot", "BTC_USDT-1h.feather"), ("usdt-futures", "futures/BTC_USDT_USDT-1h-futures.feather")]
)
def test_freqtrades_folder_is_made(client: Client, tmp_path: Path, market: str, name: str) -> None:
    bars = client.candles("BTCUSDT", "1h", last="2d", market=market)
    folder = tmp_path / "user_data" / "data" / "bitget"
    assert bars.bg.export(folder, format="freqtrade") == folder / name
