"""Charts in a real browser: as a page that needs no kernel, and in JupyterLab, whose kernel cuts finer bars."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Open
from tests.browser.harness import PATIENCE_MS, ROOT, Home, JupyterServer
from tests.browser.walkthrough import CHART_FILLS, Walk, nothing
from tests.charts.random_candles import walk

BARS = 43_200
DRAWN = "document.querySelector('#figure-0-0')"


@pytest.fixture(scope="module")
def candles() -> pd.DataFrame:
    """A month of minutes, prices of one decimal; a hole of half a day with a cause."""
    bars = walk(BARS).round({"open": 1, "high": 1, "low": 1, "close": 1, "volume": 3})
    hole = slice(20_000, 20_720)
    start, end = bars.index[[hole.start, hole.stop]]
    bars = bars.drop(index=bars.index[hole])
    bars.attrs["bgresearch"] = {
        "symbol": "BTCUSDT", "interval": "1m",
        "gaps": [{"start": start.isoformat(), "end": end.isoformat(), "cause": "exchange has none"}],
    }  # fmt: skip
    return bars


@pytest.fixture(scope="module")
def saved(candles: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return candles.bg.chart(overlays=[60]).save(tmp_path_factory.mktemp("chart") / "chart.html")


def shown(page: Page, name: str = "close") -> pd.Series:
    """What is drawn of the candles, by time."""
    data = page.evaluate(f"() => ({{x: {DRAWN}.data[0].x, y: {DRAWN}.data[0].{name}}})")
    times = (
        pd.to_datetime(data["x"], utc=True)
        if isinstance(data["x"][0], str)
        else pd.to_datetime(data["x"], unit="ms", utc=True)
    )
    return pd.Series(data["y"], index=times)


def test_a_page_draws_what_is_in_sight_from_the_candles_themselves(
    browser: Browser, saved: Path, candles: pd.DataFrame
) -> None:  # fmt: skip
    page = browser.new_page(viewport={"width": 1240, "height": 800})
    complaints: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(saved.as_uri())
    page.wait_for_selector("#figure-0-0 .boxes path")
    assert len(shown(page)) <= 1500
    page.evaluate("() => Plotly.relayout('figure-0-0', {'xaxis.range': ['2024-01-14 20:00', '2024-01-15 04:00']})")
    page.wait_for_function(f"() => {DRAWN}.dataset.level === '1m'", timeout=PATIENCE_MS)
    own = candles.loc["2024-01-14 16:00":"2024-01-15 07:59"]
    drawn = shown(page)
    assert drawn.loc[own.index].tolist() == own["close"].tolist()
    assert len(drawn) <= len(own) + 2
    assert shown(page, "high").loc[own.index].tolist() == own["high"].tolist()
    low, high = page.evaluate(f"() => {DRAWN}.layout.yaxis.range")
    view = own.loc["2024-01-14 20:00":"2024-01-15 04:00"]
    assert low < view["low"].min() < view["high"].max() < high
    before = page.evaluate(f"() => {DRAWN}.dataset.drawn")
    box = page.locator("#figure-0-0 .nsewdrag").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 700, box["y"] + 200, steps=5)
    page.mouse.up()
    page.wait_for_function(f"before => {DRAWN}.dataset.drawn !== before", arg=before, timeout=PATIENCE_MS)
    assert shown(page).index[0] < drawn.index[0]
    page.get_by_text("all", exact=True).click()
    page.wait_for_function(f"() => {DRAWN}.dataset.level === '30m'", timeout=PATIENCE_MS)
    assert (complaints, requests) == ([], [saved.as_uri()])


@pytest.mark.slow
@pytest.mark.parametrize("theme", [pytest.param("light", marks=pytest.mark.slow), "dark"])
def test_a_page_keeps_the_theme_that_was_chosen(browser: Browser, tmp_path: Path, theme: str) -> None:
    saved = walk(30).bg.chart(theme=theme).save(tmp_path / "chart.html")
    context = browser.new_context(color_scheme="dark" if theme == "light" else "light")
    page = context.new_page()
    page.goto(saved.as_uri())
    page.wait_for_selector("#figure-0-0 .boxes path")
    ink, paper = page.evaluate(
        """() => [getComputedStyle(document.querySelector('.ytick text')).fill,
                  getComputedStyle(document.body).backgroundColor]
                 .map(colour => parseInt(colour.match(/[0-9]+/)[0]))"""
    )
    context.close()
    assert (ink < paper) == (theme == "light")


CELL = """import numpy as np, pandas as pd, bgresearch.accessor
index = pd.date_range("2024-01-01", periods=43_200, freq="1min", tz="UTC", name="open_time")
close = 50_000 + 1_000 * np.sin(np.arange(43_200) / 500)
prices = {"open": close, "high": close + 5, "low": close - 5, "close": close + 2, "volume": 1.0}
frame = pd.DataFrame(prices, index=index)
frame.bg.chart(overlays=[100])"""


@pytest.mark.slow
def test_a_notebook_draws_finer_bars_where_one_zooms_in(open_sheet: Open, person: Home) -> None:
    page = open_sheet([person.cell, CELL]).page
    plot = page.locator(".js-plotly-plot").first
    plot.locator(".boxes path").first.wait_for(timeout=PATIENCE_MS, state="attached")
    assert plot.evaluate("plot => plot.data[0].x.length") == 1440
    plot.get_by_text("1 day", exact=True).click()
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot').data[0].x.length < 1000", timeout=PATIENCE_MS
    )
    page.get_by_text("1m candles shown as 5m bars, UTC").wait_for(timeout=PATIENCE_MS)
    first, last = plot.evaluate("plot => [plot.data[0].x.at(0), plot.data[0].x.at(-1)]")
    assert (first[:13], last[:16]) == ("2024-01-29T19", "2024-01-30T23:55")
    low, high = plot.evaluate("plot => plot.layout.yaxis.range")
    assert high - low < 3_000


@pytest.mark.slow
def test_the_dashboard_is_a_page_without_code_that_ends_in_a_chart(browser: Browser, voila: JupyterServer) -> None:
    shutil.copy(ROOT / "notebooks" / "dashboard.ipynb", voila.notebooks)
    page = browser.new_page(viewport={"width": 1240, "height": 1000})
    page.goto(voila.address("dashboard.ipynb", "voila"), timeout=PATIENCE_MS)
    dashboard = Walk(page, nothing)
    dashboard.see("Explore candles")
    page.get_by_role("heading", name="Candles of any market").wait_for(timeout=PATIENCE_MS)
    assert page.get_by_text("bg.connect(sandbox=True)").count() == 0
    dashboard.press("Show the cost")
    dashboard.press("Download")
    dashboard.see("168 closed candles of BTCUSDT, 1h")
    dashboard.form.locator(".js-plotly-plot .boxes path").first.wait_for(timeout=PATIENCE_MS, state="attached")
    dashboard.see("Quality of the candles")
    page.wait_for_function(CHART_FILLS, timeout=PATIENCE_MS)


@pytest.mark.slow
def test_the_live_chart_of_the_dashboard_is_redrawn_until_its_button_is_pressed(
    browser: Browser, voila: JupyterServer
) -> None:
    shutil.copy(ROOT / "notebooks" / "dashboard.ipynb", voila.notebooks)
    page = browser.new_page(viewport={"width": 1240, "height": 1000})
    page.goto(voila.address("dashboard.ipynb", "voila"), timeout=PATIENCE_MS)
    page.get_by_role("heading", name="Live").wait_for(timeout=PATIENCE_MS)
    plot = page.locator(".js-plotly-plot").last
    plot.locator(".boxes path").first.wait_for(timeout=PATIENCE_MS, state="attached")
    title = plot.locator(".gtitle")
    title.get_by_text("candles: live").wait_for(timeout=PATIENCE_MS)
    before = title.text_content()
    page.wait_for_function(
        "before => [...document.querySelectorAll('.js-plotly-plot .gtitle')].at(-1).textContent != before", arg=before,
        timeout=PATIENCE_MS,
    )  # fmt: skip
    page.get_by_role("button", name="Stop").click()
    title.get_by_text("candles: not connected").wait_for(timeout=PATIENCE_MS)
    page.locator("button:disabled", has_text="Stop").wait_for(timeout=PATIENCE_MS)
    page.screenshot(path=Path(voila.notebooks) / "live.png")
