"""The forms in the widget manager that VS Code, Colab and saved pages use instead of Jupyter's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import comm
import pytest
from ipywidgets import Widget
from playwright.sync_api import Browser

from bgresearch.agent.client import Agent
from bgresearch.agent.socket_path import Place
from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.background import at_once
from bgresearch.forms.key_manager import Manager
from bgresearch.forms.unlock import Unlock
from bgresearch.forms.wizard import Wizard
from bgresearch.keys.onboarding import messages as words
from tests.browser import html_manager
from tests.browser.conftest import FOREIGN_NAME
from tests.browser.harness import Home, assert_accessible
from tests.browser.html_manager import Kernel, Notebook
from tests.browser.walkthrough import PASSWORD, Walk, by_keyboard, prepare

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("npm is missing, and CI runs everything")
        pytest.skip("npm is not installed")
    return html_manager.packages(tmp_path_factory.mktemp("npm"))


@pytest.fixture
def access(person: Home, monkeypatch: pytest.MonkeyPatch) -> AgentAccess:
    """What `bg.setup()` works with, for somebody in this process."""
    for name, value in person.variables.items():
        monkeypatch.setenv(name, value)
    return AgentAccess(
        agent=Agent(Place(person.agent)), vault=person.vault, run=at_once, memory=person.folder / "state" / "setup.json"
    )


Open = Callable[..., Notebook]


@pytest.fixture
def show(browser: Browser, packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Make a widget and show it: ``show(lambda: Wizard(access))``."""
    kernel, contexts = Kernel(), []
    monkeypatch.setattr(comm, "create_comm", kernel.create_comm)  # as every kernel sets it

    def one(make: Callable[[], Widget], *, origin: str = html_manager.ORIGIN) -> Notebook:
        contexts.append(browser.new_context(viewport={"width": 900, "height": 1000}))
        notebook = Notebook(contexts[-1], kernel, packages, origin)
        notebook.show(make())
        return notebook

    yield one
    for context in contexts:
        context.close()


def test_the_whole_wizard_by_keyboard(show: Open, access: AgentAccess) -> None:
    notebook = show(lambda: Wizard(access))
    assert_accessible(notebook.page)
    assert list(by_keyboard(notebook.page)) == list(words.STEP_NAMES.values())
    assert_accessible(notebook.page)
    assert [key.label for key in access.status().keys] == ["research"]
    assert notebook.complaints == []


def test_keys_and_unlocking(show: Open, access: AgentAccess, person: Home) -> None:
    prepare(person, keys={"old": "readonly"})
    walk = Walk(show(lambda: Manager(access)).page)
    walk.see("Keys in the vault")
    walk.see("old")
    access.agent.lock()
    notebook = show(lambda: Unlock(access))
    walk = Walk(notebook.page)
    walk.type(words.MASTER_PASSWORD, PASSWORD)
    walk.press(words.UNLOCK)
    walk.see("The vault is open.")
    assert_accessible(notebook.page)
    assert notebook.complaints == []


def test_a_page_that_is_not_secure_names_the_command_and_takes_no_text(show: Open, access: AgentAccess) -> None:
    notebook = show(lambda: Wizard(access), origin=f"http://{FOREIGN_NAME}:9")
    walk = Walk(notebook.page)
    walk.press(words.QUICK)
    walk.at("address")
    walk.type(words.ADDRESS_QUESTION, "8.8.8.8")
    walk.press(words.NEXT)
    walk.see("came over plain http")
    walk.see("bgresearch setup")
    assert notebook.page.locator(".bgs :is(input, textarea)").count() == 0
