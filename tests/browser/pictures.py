"""Takes the pictures of README and docs: the demo's page, every step of the wizard, the other forms."""

from __future__ import annotations

import base64
import shutil
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the tests are no package that is installed

from bgresearch.cli.demo import NOTEBOOK, Demo  # noqa: E402
from bgresearch.connect import connect  # noqa: E402
from bgresearch.keys.onboarding import messages as words  # noqa: E402
from bgresearch.sandbox.server import Server  # noqa: E402
from tests.browser.harness import Sheet, home, start_server  # noqa: E402
from tests.browser.walkthrough import CHART_FILLS, Walk  # noqa: E402

IMAGES = ROOT / "docs" / "images"
HEADLESS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
TALL = {"width": 1240, "height": 2600}
SHOWN = ("before", "purpose", "address", "vault", "key", "check", "verdict", "done", "keys", "report", "explorer")
SIZE = {"width": 1180, "height": 1110}

_PALETTE = 256
_PIXELS = """async (png) => {
  const picture = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const drawn = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  drawn.drawImage(picture, 0, 0);
  const reader = new FileReader();
  reader.readAsDataURL(new Blob([drawn.getImageData(0, 0, picture.width, picture.height).data]));
  await new Promise((done) => { reader.onload = done; });
  return { data: reader.result.split(",")[1], width: picture.width, height: picture.height };
}"""


def take(browser: Browser, page: Path, scheme: Literal["light", "dark"], image: Path) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": SIZE["width"], "height": SIZE["height"]})
    tab = context.new_page()
    tab.goto(page.as_uri())
    tab.wait_for_selector("#figure-1-0 .js-line")
    tab.screenshot(path=str(image))
    context.close()


def forms(browser: Browser, folder: Path, theme: Literal["light", "dark"]) -> None:
    """Walk through the wizard and the other forms in JupyterLab, on the sandbox, and take a picture of each page."""
    with Server() as exchange, home(exchange.url) as person:
        server = start_server(folder)
        tab = browser.new_context(viewport=TALL).new_page()
        ending = "" if theme == "light" else "-dark"

        def look(name: str) -> None:
            if name in SHOWN:
                tab.locator(".bg-form").last.screenshot(
                    path=str(IMAGES / f"form-{name}{ending}.png"), animations="disabled"
                )

        def opened(call: str) -> Walk:
            name = server.write(f"{call.partition('(')[0]}.ipynb", [person.cell, f"import bgresearch as bg\nbg.{call}"])
            sheet = Sheet(tab, server, name, "lab")
            sheet.open()
            sheet.theme(theme)
            sheet.run()
            return Walk(tab, look)

        try:
            wizard(opened("setup()"))
            keys = opened("keys()")
            keys.see("Keys in the vault")
            keys.look("keys")
            report = opened('check("research")')
            report.see("What the key may do")
            report.look("report")
            explorer = opened("explore()")
            explorer.press("Show the cost")
            explorer.press("Download")
            explorer.form.locator(".js-plotly-plot .boxes path").first.wait_for(state="attached")
            tab.wait_for_function(CHART_FILLS)
            explorer.look("explorer")
        finally:
            server.end()
            tab.context.close()


def wizard(walk: Walk) -> None:
    walk.choose("My own spot history", "8.8.8.8")
    walk.make_vault()
    walk.hand_in("readonly")
    walk.see(words.CHECK_PASSED)
    walk.look("check")
    walk.press(words.SEE_VERDICT)
    walk.at("verdict")
    walk.press(words.SAVE_KEY)
    walk.see(words.BALANCES_SHOWN)
    walk.look("done")


def chart(browser: Browser, folder: Path) -> None:
    """Take the picture of docs/charts.md: twenty days of minutes with everything that can be drawn, and a hole."""
    client = connect(sandbox=True, data_dir=folder / "chart")
    end = client.now.floor("D")
    span = (end - pd.Timedelta(days=20), end)
    candles = client.candles("BTCUSDT", "1m", *span, market="usdt-futures", progress=False)
    drawn = candles.drop(index=candles.index[4_000:5_500]).bg.chart(
        overlays={"average of a day": 1440}, funding=client.funding_rates("BTCUSDT", *span, market="usdt-futures"),
        fills=client.account.fills(*span, market="usdt-futures"),
    )  # fmt: skip
    page = drawn.save(folder / "chart.html").as_uri()
    for scheme, ending in (("light", ""), ("dark", "-dark")):
        context = browser.new_context(color_scheme=scheme, viewport={"width": 1180, "height": 760})
        tab = context.new_page()
        tab.goto(page)
        tab.wait_for_selector("#figure-0-0 .boxes path")
        tab.locator("section").screenshot(path=str(IMAGES / f"chart{ending}.png"))
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
        chart(browser, Path(folder))
        for theme in ("light", "dark"):
            forms(browser, Path(folder) / theme, theme)
        for image in sorted(IMAGES.glob("form-*.png")):
            shrink(browser, image)
        browser.close()
    return 0


def shrink(browser: Browser, image: Path) -> None:
    """Write a picture again with a palette, which makes it a third as large: forms have few colours."""
    tab = browser.new_page()
    shown = tab.evaluate(_PIXELS, base64.b64encode(image.read_bytes()).decode("ascii"))
    tab.close()
    pixels = np.frombuffer(base64.b64decode(shown["data"]), np.uint8).reshape(shown["height"], shown["width"], 4)[
        ..., :3
    ]
    for lost_bits in range(8):
        step = 1 << lost_bits
        coarse = np.minimum((pixels.astype(np.uint32) + step // 2) // step * step, 255)
        colours, places = np.unique(coarse @ np.array([1 << 16, 1 << 8, 1], np.uint32), return_inverse=True)
        if len(colours) <= _PALETTE:
            break
    rows = places.astype(np.uint8).reshape(shown["height"], shown["width"])
    lines = np.hstack([np.zeros((len(rows), 1), np.uint8), rows]).tobytes()  # 0: no filter
    header = struct.pack(">IIBBBBB", shown["width"], shown["height"], 8, 3, 0, 0, 0)  # 8 bits, palette
    parts = (
        (b"IHDR", header),
        (b"PLTE", colours.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    image.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    sys.exit(main())
