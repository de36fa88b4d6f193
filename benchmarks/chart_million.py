"""How a million one-minute candles become a page that opens in Chromium without a window, and how it zooms and pans.

python benchmarks/chart_million.py [--bars N] [--pictures FOLDER]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from playwright.sync_api import Page, sync_playwright

import bgresearch.accessor  # noqa: F401 - makes df.bg

DRAWN = "document.querySelector('#figure-0-0').dataset"
PATIENCE_MS = 60_000
PROMISED_S = 15
HOLE = 1440  # candles that are absent


def candles(bars: int) -> pd.DataFrame:
    """A seeded walk with prices of one decimal and amounts of three, as an exchange has them; one hole of a day."""
    random = np.random.default_rng(7)
    close = np.round(50_000 * np.exp(np.cumsum(random.normal(0, 0.0006, bars))), 1)
    opened = np.r_[50_000.0, close[:-1]]
    high = np.round(np.maximum(opened, close) * (1 + random.exponential(0.0003, bars)), 1)
    low = np.round(np.minimum(opened, close) * (1 - random.exponential(0.0003, bars)), 1)
    index = pd.date_range("2024-01-01", periods=bars, freq="1min", tz="UTC", name="open_time")
    prices = {"open": opened, "high": high, "low": low, "close": close, "volume": np.round(random.gamma(2, 1, bars), 3)}
    frame = pd.DataFrame(prices, index=index)
    return frame.drop(index=index[bars // 2 : bars // 2 + HOLE])


def timed(words: str, begun: float) -> float:
    took = time.perf_counter() - begun
    print(f"{words:<64} {took:6.2f} s")
    return took


def redrawn(page: Page, before: str | None) -> None:
    page.wait_for_function(f"before => ({DRAWN}.drawn ?? null) !== before", arg=before, timeout=PATIENCE_MS)


def pan(page: Page) -> str:
    """Drag the chart to the right by 400 pixels; return how the frames of the browser came meanwhile."""
    box = page.locator("#figure-0-0 .nsewdrag").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate(
        """() => { window.frames_ms = []; let last = performance.now();
             const tick = now => { window.frames_ms.push(now - last); last = now; requestAnimationFrame(tick); };
             requestAnimationFrame(tick); }"""
    )
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 400, y, steps=20)
    page.mouse.up()
    frames = sorted(page.evaluate("() => window.frames_ms"))
    return f"{len(frames)} frames, the median after {frames[len(frames) // 2]:.0f} ms, the longest {frames[-1]:.0f} ms"


def main() -> int:
    wishes = argparse.ArgumentParser(description=__doc__)
    wishes.add_argument("--bars", type=int, default=1_000_000)
    wishes.add_argument("--pictures", type=Path, help="where screenshots are put")
    asked = wishes.parse_args()
    frame = candles(asked.bars + HOLE)
    print(f"{len(frame):,} candles")
    begun = time.perf_counter()
    chart = frame.bg.chart(overlays={"average of a day": 1440}, title=f"{len(frame):,} one-minute candles")
    timed("levels and figure", begun)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        begun = time.perf_counter()
        page = chart.save(Path(folder) / "chart.html")
        timed(f"page of {page.stat().st_size / 1e6:.1f} MB written", begun)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": 1240, "height": 760})

        def look(name: str) -> None:
            if asked.pictures:
                tab.screenshot(path=str(asked.pictures / f"{name}.png"))

        begun = time.perf_counter()
        tab.goto(page.as_uri())
        tab.wait_for_selector("#figure-0-0 .boxes path", timeout=PATIENCE_MS)
        opened_s = timed("opened: everything drawn", begun)
        look("million")
        begun = time.perf_counter()
        tab.get_by_text("1 day", exact=True).click()
        redrawn(tab, None)
        day_s = timed(f"one day of it, in {tab.evaluate(f'() => {DRAWN}.level')} bars", begun)
        tab.evaluate(
            """() => Plotly.relayout('figure-0-0', {'xaxis.range': ['2024-06-01 06:00', '2024-06-01 12:00']})"""
        )
        tab.wait_for_function(f"() => {DRAWN}.level === '1m'", timeout=PATIENCE_MS)
        timed("six hours of it, the finest level unpacked, in 1m bars", begun)
        before = tab.evaluate(f"() => {DRAWN}.drawn")
        begun = time.perf_counter()
        words = pan(tab)
        redrawn(tab, before)
        pan_s = timed("dragged by 400 pixels and drawn again", begun)
        print(words)
        look("million-panned")
        browser.close()
    return int(max(opened_s, day_s, pan_s) > PROMISED_S)


if __name__ == "__main__":
    sys.exit(main())
