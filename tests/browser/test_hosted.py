"""What hosted notebooks have that a notebook at home has not: another base URL behind JupyterHub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from bgresearch.keys.onboarding import messages as words
from tests.browser import harness
from tests.browser.harness import Home, JupyterServer, Sheet
from tests.browser.walkthrough import SETUP, by_keyboard

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """JupyterLab below the address that JupyterHub gives each user."""
    server = harness.start_server(tmp_path_factory.mktemp("hub"), base="/user/anna/")
    yield server
    server.end()


def test_the_wizard_works_below_a_base_url_as_jupyterhub_gives_it(
    browser: Browser, hub: JupyterServer, person: Home
) -> None:
    context = browser.new_context(viewport={"width": 1240, "height": 1000})
    name = hub.write("wizard.ipynb", [person.cell, SETUP])
    sheet = harness.listen(Sheet(context.new_page(), hub, name, "lab"))
    sheet.open()
    sheet.run()
    assert list(by_keyboard(sheet.page)) == list(words.STEP_NAMES.values())
    assert "/user/anna/" in sheet.page.url
    hub.end_kernels()
    context.close()
