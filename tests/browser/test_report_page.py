from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page

from bgresearch.charts.chart import candles_figure
from bgresearch.charts.equity import equity_figure
from bgresearch.charts.html_page import Panel, page, write_page
from tests.charts.random_candles import walk


class Opened(NamedTuple):
    page: Page
    complaints: list[str]
    requests: list[str]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    first, second = walk(43_200), walk(43_200, seed=2)
    hourly = first["close"].iloc[::60]
    curve = pd.DataFrame({"BTC": hourly, "equity": hourly})
    panels = [
        Panel({"BTCUSDT": candles_figure(first, title="BTCUSDT"), "ETHUSDT": candles_figure(second, title="ETHUSDT")}),
        Panel({"equity": equity_figure(curve)}),
        Panel(facts={"verdict": "read-only"}),
    ]
    return write_page(tmp_path_factory.mktemp("page") / "report.html", page("Report", panels))


def opened(browser: Browser, report: Path, scheme: Literal["light", "dark"], width: int = 1240) -> Iterator[Opened]:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 1250})
    tab = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(report.as_uri())
    tab.wait_for_selector("#figure-0-0 .boxes path")
    tab.wait_for_selector("#figure-1-0 .js-line")
    yield Opened(tab, complaints, requests)
    context.close()


@pytest.fixture(params=["light", pytest.param("dark", marks=pytest.mark.slow)])
def tab(browser: Browser, report: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    yield from opened(browser, report, request.param)


@pytest.fixture
def light(browser: Browser, report: Path) -> Iterator[Opened]:
    yield from opened(browser, report, "light")


@pytest.fixture
def narrow(browser: Browser, report: Path) -> Iterator[Opened]:
    """As wide as a telephone."""
    yield from opened(browser, report, "light", width=390)


def test_the_page_opens_without_a_complaint_and_asks_for_nothing(tab: Opened, report: Path) -> None:
    assert tab.complaints == []
    assert tab.requests == [report.as_uri()]
    assert tab.page.locator("#figure-0-0 .boxes path").count() == 1440
    assert tab.page.locator("#figure-0-0 .bars .point").count() == 1440


@pytest.mark.slow
def test_text_stands_out_from_its_background(tab: Opened) -> None:
    ink, paper = tab.page.evaluate(
        """() => [getComputedStyle(document.querySelector('#figure-0-0 .ytick text')).fill,
                  getComputedStyle(document.querySelector('section')).backgroundColor]"""
    )
    assert contrast(ink, paper) > 7  # WCAG AAA


@pytest.mark.slow
def test_dragging_moves_the_time_axis_and_the_price_axis_follows(light: Opened) -> None:
    before = axes(light.page)
    light.page.get_by_text("1 day", exact=True).first.click()
    light.page.wait_for_function(
        "before => document.querySelector('#figure-0-0').layout.yaxis.range[0] !== before", arg=before[1][0]
    )
    day = axes(light.page)
    box = light.page.locator("#figure-0-0 .nsewdrag").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    light.page.mouse.move(x, y)
    light.page.mouse.down()
    light.page.mouse.move(x + 300, y, steps=5)
    light.page.mouse.up()
    light.page.wait_for_function(
        "before => document.querySelector('#figure-0-0').layout.xaxis.range[0] !== before", arg=day[0][0]
    )
    assert axes(light.page)[0][0] < day[0][0]
    assert light.complaints == []


@pytest.mark.slow
def test_on_a_telephone_no_word_is_cut_off_or_turned(narrow: Opened) -> None:
    assert narrow.page.evaluate("() => document.documentElement.scrollWidth") == 390
    assert cut_off(narrow.page) == []
    low, before = "() => document.querySelector('#figure-0-0').layout.yaxis.range[0]", axes(narrow.page)[1][0]
    narrow.page.get_by_text("1 day", exact=True).first.click()
    narrow.page.wait_for_function(f"before => ({low})() !== before", arg=before)
    assert cut_off(narrow.page) == []
    assert narrow.page.locator("#figure-0-0 .xtick text[transform*='rotate(30']").count() == 0


@pytest.mark.slow
def test_what_is_reported_of_a_candle_covers_what_lies_behind(tab: Opened) -> None:
    tab.page.locator("#figure-0-0 .nsewdrag").first.hover()
    tab.page.wait_for_selector("#figure-0-0 .hoverlayer .legend .bg")
    shown = tab.page.evaluate(
        """() => ['#figure-0-0 .hoverlayer .legend .bg', '#figure-0-0 .spikeline'].map(selector => {
             const style = getComputedStyle(document.querySelector(selector));
             return [style.fillOpacity, style.strokeWidth]})"""
    )
    assert (shown[0][0], shown[1][1]) == ("1", "1px")


@pytest.mark.slow
def test_the_other_symbol_is_one_click_away_and_fills_the_width(light: Opened) -> None:
    assert not light.page.locator("#figure-0-1").is_visible()
    light.page.get_by_role("tab", name="ETHUSDT").click()
    assert light.page.locator("#figure-0-1").is_visible()
    assert not light.page.locator("#figure-0-0").is_visible()
    assert light.page.get_by_role("tab", name="ETHUSDT").get_attribute("aria-selected") == "true"
    width = "selector => document.querySelector(selector + ' .main-svg').getBoundingClientRect().width"
    light.page.wait_for_function(f"() => ({width})('#figure-0-1') > 1000")
    assert light.complaints == []


def cut_off(page: Page) -> list[str]:
    """The words that reach out of their figure."""
    texts: list[str] = page.evaluate(
        """() => [...document.querySelectorAll('#figure-0-0 text, #figure-1-0 text')].filter(text => {
             const [inner, outer] = [text, text.closest('section')].map(one => one.getBoundingClientRect());
             return inner.width && (inner.left < outer.left || inner.right > outer.right || inner.bottom > outer.bottom)
           }).map(text => text.textContent)"""
    )
    return texts


def axes(page: Page) -> tuple[list[str], list[float]]:
    ranges = page.evaluate(
        "() => ['xaxis', 'yaxis'].map(name => document.querySelector('#figure-0-0').layout[name].range)"
    )
    return ranges[0], ranges[1]


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two ``rgb(...)`` colours, after WCAG 2."""
    brightness = sorted(luminance(colour) for colour in (first, second))
    return (brightness[1] + 0.05) / (brightness[0] + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


_LEAST_GAP = """() => {
  const lines = new Map();
  for (const text of document.querySelectorAll(".xaxislayer-above text, .xaxislayer-below text")) {
    const spans = text.querySelectorAll("tspan");
    (spans.length ? [...spans] : [text]).forEach((line, number) => {
      const box = line.getBoundingClientRect();
      if (box.width) lines.set(number, [...(lines.get(number) || []), box]);
    });
  }
  const gaps = [...lines.values()].flatMap((boxes) => boxes.sort((a, b) => a.left - b.left)
    .slice(1).map((box, at) => box.left - boxes[at].right));
  return Math.min(...gaps);
}"""


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [60, 720, 1440, 2160, 2880, 4320, 14_400, 43_200])
def test_labels_of_time_do_not_touch_in_a_narrow_pane(browser: Browser, tmp_path: Path, minutes: int) -> None:
    figure = candles_figure(walk(minutes), title="BTCUSDT")
    file = write_page(tmp_path / "page.html", page("Report", [Panel({"BTCUSDT": figure})]))
    context = browser.new_context(viewport={"width": 380, "height": 700})
    tab = context.new_page()
    tab.goto(file.as_uri())
    tab.wait_for_selector("#figure-0-0 .xaxislayer-above text, #figure-0-0 .xaxislayer-below text")
    tab.wait_for_timeout(500)  # the axis is drawn again when the page has its size
    assert tab.evaluate(_LEAST_GAP) > 0
    context.close()
