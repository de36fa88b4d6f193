"""The key manager, the permission report, unlocking and the explorer in a real browser."""

from __future__ import annotations

import pytest

from bgresearch.agent.client import Agent
from bgresearch.agent.socket_path import Place as AgentPlace
from bgresearch.keys.onboarding import messages as words
from tests.browser.conftest import Open
from tests.browser.harness import PATIENCE_MS, Home, Place
from tests.browser.test_wizard import Inspector
from tests.browser.walkthrough import CHART_FILLS, PASSWORD, Walk, prepare

pytestmark = pytest.mark.slow

KEYS = {"research": "readonly", "risky": "unified_trader"}


def test_keys_are_checked_renamed_and_removed_and_unlocked_without_a_barrier(open_sheet: Open, person: Home) -> None:
    prepare(person, keys=KEYS)
    sheet = open_sheet([person.cell, "import bgresearch as bg\nbg.keys()"])
    walk = Walk(sheet.page, Inspector(sheet.page))
    walk.see("Keys in the vault")
    walk.look("keys")
    walk.press("Check")
    walk.see("What the key may do")
    walk.look("report")
    walk.press("Back to the table")
    walk.see("read-only")
    walk.press("Rename")
    walk.type("New name", "archive")
    walk.look("rename")
    walk.press("Rename")
    walk.see("'research' was renamed to 'archive'.")
    walk.press("It may have leaked")
    walk.see(words.COMPROMISED_FIRST)
    walk.look("leaked")
    walk.tick(words.COMPROMISED_DELETED)
    walk.press(words.NEXT)
    walk.press("Remove it here")
    walk.see("Removed 'archive' here too.")
    with Agent(AgentPlace(person.agent)) as agent:
        assert [key.label for key in agent.status().keys] == ["risky"]
        agent.lock()
    walk.press("Replace")
    walk.see(words.OPEN_VAULT)
    walk.type(words.MASTER_PASSWORD, PASSWORD)
    walk.look("locked")
    walk.press(words.UNLOCK)
    walk.see("Keys in the vault")


@pytest.mark.parametrize("place", ["lab", "voila"])
def test_the_explorer_leads_from_a_cost_to_a_chart(open_sheet: Open, person: Home, place: Place) -> None:
    sheet = open_sheet([person.cell, "import bgresearch as bg\nbg.explore()"], place=place)
    walk = Walk(sheet.page, Inspector(sheet.page))
    walk.see("Explore candles")
    walk.type("Symbol", "ethusdt")
    walk.press("Show the cost")
    walk.see("168 candles are missing")
    walk.look("cost")
    walk.press("Download")
    walk.see("168 closed candles of ETHUSDT, 1h")
    walk.form.locator(".js-plotly-plot .boxes path").first.wait_for(timeout=PATIENCE_MS, state="attached")
    walk.look("chart")
    for width in (1240, 700):
        sheet.page.set_viewport_size({"width": width, "height": 1000})
        sheet.page.wait_for_function(CHART_FILLS, timeout=PATIENCE_MS)
