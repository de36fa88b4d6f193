"""Chromium without a window, without a network: on a page from disk, or on Jupyter's own servers on loopback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Playwright, expect, sync_playwright

from bgresearch.sandbox.server import Server
from tests.browser import harness
from tests.browser.harness import Home, JupyterServer, Place, Sheet

FOREIGN_NAME = "notebooks.example"  # a name that leads to this machine and is not localhost, so not a secure context
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--host-resolver-rules=MAP {FOREIGN_NAME} 127.0.0.1",
)  # fmt: skip

Open = Callable[..., Sheet]


# Chromium keeps the machine's clock where the tests run on another day: with a replaced one its threads never rest.
ENVIRONMENT: dict[str, str | float | bool] = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, where Chromium is; where CI says that it runs everything, its absence is a failure.

    For one module alone: while it lasts, Playwright keeps an event loop running in this thread.
    """
    if chromium() is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is missing, and CI runs everything: apt-get install chromium")
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A started Chromium."""
    expect.set_options(timeout=harness.ANSWER_MS)
    started = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET), env=ENVIRONMENT)
    started.on("context", lambda context: context.set_default_timeout(harness.ANSWER_MS))
    yield started
    started.close()


@pytest.fixture(scope="session")
def exchange_url() -> Iterator[str]:
    with Server() as server:
        yield server.url


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """JupyterLab and Notebook; widget state is saved with notebooks."""
    server = harness.start_server(tmp_path_factory.mktemp("lab"))
    yield server
    server.end()


@pytest.fixture(scope="session")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    server = harness.start_server(tmp_path_factory.mktemp("voila"), voila=True)
    yield server
    server.end()


@pytest.fixture
def person(exchange_url: str) -> Iterator[Home]:
    """Somebody without a vault yet."""
    with harness.home(exchange_url) as made:
        yield made


@pytest.fixture
def profile(playwright: Playwright, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser with a profile on disk, which is at ``tmp_path / "profile"``."""
    context = playwright.chromium.launch_persistent_context(
        tmp_path / "profile", executable_path=chromium(), args=list(QUIET), env=ENVIRONMENT,
        viewport={"width": 1240, "height": 1000},
    )  # fmt: skip
    context.set_default_timeout(harness.ANSWER_MS)
    yield context
    context.close()


@pytest.fixture
def open_sheet(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open a notebook of these cells: ``open_sheet(cells)``, in JupyterLab unless asked otherwise, and run it."""
    contexts, sheets = [], []

    def one(
        cells: list[str], *, place: Place = "lab", width: int = 1240, host: str = "127.0.0.1",
        context: BrowserContext | None = None,
    ) -> Sheet:  # fmt: skip
        server: JupyterServer = request.getfixturevalue("voila" if place == "voila" else "lab")
        if context is None:
            context = browser.new_context(viewport={"width": width, "height": 1000})
            contexts.append(context)
        name = server.write(f"sheet-{len(list(server.notebooks.glob('*.ipynb')))}.ipynb", cells)
        sheet = harness.listen(Sheet(context.new_page(), server, name, place))
        sheets.append(sheet)
        sheet.open(host=host)
        sheet.run()
        return sheet

    yield one
    for context in contexts:
        context.close()
    for server in {sheet.server.port: sheet.server for sheet in sheets if sheet.place != "voila"}.values():
        server.end_kernels()
