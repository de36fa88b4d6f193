"""Takes the README's pictures of the report page that the demo writes: ``make pictures``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from bgresearch.demo import NOTEBOOK, Demo

IMAGES = Path(__file__).parents[2] / "docs" / "images"
HEADLESS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SIZE = {"width": 1180, "height": 1110}


def take(browser: Browser, page: Path, scheme: Literal["light", "dark"], image: Path) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": SIZE["width"], "height": SIZE["height"]})
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_selector("#figure-1-0 .js-line")
    tab.screenshot(path=str(image))
    context.close()


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("Chromium is not installed: apt-get install chromium\n")
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = Path(folder) / "page.html"
        Demo(Console()).run(page, NOTEBOOK)
        browser = playwright.chromium.launch(executable_path=chromium, args=HEADLESS)
        take(browser, page, "light", IMAGES / "demo-chart.png")
        take(browser, page, "dark", IMAGES / "demo-chart-dark.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
