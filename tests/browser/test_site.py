"""The documentation site: built strictly, whole, asking nobody else for anything, and fit to be read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import TimeoutError as NothingCame

from bgresearch.catalogue import load
from bgresearch.client.account import AccountVerbs
from bgresearch.client.client import Client
from tests.conftest import PATIENCE_S

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FETCHED = {
    "script": ("src",), "link": ("href",), "img": ("src", "srcset"), "iframe": ("src",), "source": ("src", "srcset"),
    "video": ("src", "poster"), "audio": ("src",), "object": ("data",), "embed": ("src",), "use": ("href",),
    "form": ("action",),
}  # fmt: skip
SHOWN = (
    "index",
    "getting-started",
    "reference/connect",
    "endpoints/common",
    "notebooks/03_market",
)  # a page of each kind
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    place = tmp_path_factory.mktemp("site")
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(place)],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place


class Reader(HTMLParser):
    """What a page fetches by itself, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors.add(found.get("id") or "")
        self.fetched += [str(found[name]) for name in FETCHED.get(tag, ()) if found.get(name)]


def read(file: Path) -> Reader:
    return Reader(file.read_text(encoding="utf-8"))


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        abroad = [place for place in read(page).fetched if re.match(r"[a-z]+:|//", place) and place[:5] != "data:"]
        assert abroad == [], page.relative_to(site)
    for sheet in site.rglob("*.css"):
        found = re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\s]+", sheet.read_text(encoding="utf-8"))
        assert found == [], sheet.relative_to(site)


def test_every_row_of_the_table_has_its_section_with_all_its_parameters(site: Path) -> None:
    for area in {row.area for row in load()}:
        file = site / "endpoints" / f"{area}.html"
        anchors, text = read(file).anchors, file.read_text(encoding="utf-8")
        for row in (row for row in load() if row.area == area):
            assert row.id in anchors
            section = text[text.index(f'id="{row.id}"') :].partition("<h2")[0]
            assert f"GET {row.path}<" in section
            assert all(f"<code>{param.name}</code>" in section for param in row.params), row.id


def test_every_verb_has_its_place_and_shows_its_columns(site: Path) -> None:
    for page, owner in (("client", Client), ("account", AccountVerbs)):
        file = site / "reference" / f"{page}.html"
        anchors, text = read(file).anchors, file.read_text(encoding="utf-8")
        for name in (name for name in dir(owner) if not name.startswith("_")):
            where = f"{owner.__module__}.{owner.__name__}.{name}"
            assert where in anchors, where
            shape = getattr(getattr(owner, name), "shape", None)
            section = text[text.index(f'id="{where}"') :].partition('class="doc doc-object doc-')[0]
            assert all(f"<code>{field.name}</code>" in section for field in (shape.fields if shape else ())), where


def test_every_notebook_and_every_page_of_docs_is_on_the_site_and_in_its_navigation(site: Path) -> None:
    expected = {f"notebooks/{file.stem}.html" for file in (ROOT / "notebooks").glob("*.ipynb")}
    expected |= {f"{file.stem}.html" for file in (ROOT / "docs").glob("*.md")}
    reached, home = set(), (site / "index.html").read_text(encoding="utf-8")
    sections = re.findall(r'href="([^":#]+\.html)" class="md-tabs__link"', home)
    for section in ["index.html", *sections]:
        folder = os.path.dirname(section)  # noqa: PTH120  # of an address, not of a file
        for link in re.findall(r'href="([^":#]+\.html)"', (site / section).read_text(encoding="utf-8")):
            reached.add(os.path.normpath(os.path.join(folder, link)))  # noqa: PTH118
    assert expected <= reached


class Opened(NamedTuple):
    page: Page
    complaints: list[str]
    requests: list[str]

    def show(self, file: Path) -> Page:
        self.page.goto(file.as_uri())
        return self.page


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    chosen: Scheme = request.param
    return chosen


def opened(context: BrowserContext) -> Opened:
    tab, complaints, requests = context.new_page(), list[str](), list[str]()
    tab.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    return Opened(tab, complaints, requests)


@pytest.fixture(scope="module")
def wide(browser: Browser, scheme: Scheme) -> Iterator[Opened]:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    yield opened(context)
    context.close()


@pytest.fixture(scope="module")
def telephone(browser: Browser) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    context.route("**/search_index.js", lambda route: route.abort())  # most of what there is to load, and not looked at
    yield opened(context)
    context.close()


def test_pages_open_from_the_folder_without_a_complaint_and_without_an_obstacle(wide: Opened, site: Path) -> None:
    for name in SHOWN:
        page = wide.show(site / f"{name}.html")
        grave = [
            (found["id"], [node["html"][:160] for node in found["nodes"][:3]])
            for found in Axe().run(page, options={"preload": False}).response["violations"]
            if found["impact"] in ("serious", "critical")
        ]
        assert grave == [], name
    assert wide.complaints == []
    assert [url for url in wide.requests if not url.startswith((site.as_uri(), "data:"))] == []


def test_the_search_finds_a_page_from_the_folder_too(wide: Opened, site: Path) -> None:
    page = wide.show(site / "index.html")
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type("half-open")
    page.wait_for_selector(".md-search-result__item")
    assert page.locator(".md-search-result__item").count() >= 2


TYPED = (
    "uninstall", "delete", "live", "password", "lost key", "candles", "csv", "excel", "proxy", "rate limit", "timezone",
    "funding", "tax", "backup", "vscode", "colab", "docker", "websocket", "archive", "gap", "ssh", "vs code",
    "jupyterhub", "upgrade", "move", "disk", "error", "40009", "klines", "ohlcv", "testnet", "unlock", "sandbox",
    "freqtrade", "recovery code", "read-only home", "forgot", "disk space", "paper trading", "whitelist", "vip",
)  # fmt: skip


def test_the_search_finds_what_users_type(wide: Opened, site: Path) -> None:
    page = wide.show(site / "index.html")
    box = page.get_by_role("textbox", name="Search")
    box.click()
    found = page.locator(".md-search-result__item")
    missing = []
    for word in TYPED:
        box.fill("")
        found.first.wait_for(state="detached")
        box.press_sequentially(word)
        try:
            found.first.wait_for()
        except NothingCame:
            missing.append(word)
    assert missing == []


def test_on_a_telephone_no_page_is_wider_than_the_screen(telephone: Opened, site: Path) -> None:
    for file in sorted(site.rglob("*.html")):
        page = telephone.show(file)
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390, file.name
