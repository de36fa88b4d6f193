"""A home folder that cannot be written, as on some hubs: everything that needs a folder names its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

import bgresearch as bg
from bgresearch.errors import StoreError
from bgresearch.forms.agent_access import AgentAccess
from bgresearch.forms.background import at_once
from bgresearch.forms.page_vault import VaultPage
from bgresearch.forms.wizard import Wizard
from bgresearch.keys.onboarding import messages as words
from bgresearch.sandbox import Exchange
from tests.forms.conftest import PASSWORD, end_agent, fill, problems
from tests.forms.reading import press


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path) -> Path:
    """A home below a file: no user, not even root, can make a folder there."""
    home = tmp_path / "file" / "home"
    home.parent.write_text("", encoding="utf-8")
    for name in ("BGRESEARCH_DATA_DIR", "BGRESEARCH_VAULT", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    return home


def test_the_store_names_its_variable(no_home: Path, model: Exchange) -> None:
    client = bg.connect(sandbox=model, progress=False)
    with pytest.raises(StoreError, match="BGRESEARCH_DATA_DIR"):
        client.candles("BTCUSDT", "1h", last="2d")


def test_the_wizard_names_the_vaults_variable_next_to_the_password(no_home: Path, folder: Path) -> None:
    access = AgentAccess(run=at_once)
    wizard = Wizard(access)
    press(wizard, words.QUICK)
    wizard.page.typed.control.value = "8.8.8.8"  # type: ignore[attr-defined]
    press(wizard, words.NEXT)
    assert isinstance(wizard.page, VaultPage)
    try:
        assert "BGRESEARCH_VAULT" in problems(fill(wizard.page.sealed, {"password": PASSWORD}))[""]
    finally:
        end_agent(access.agent)
