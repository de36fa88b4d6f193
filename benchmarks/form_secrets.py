"""Walk through the whole wizard in a real JupyterLab and a real browser, then look for what was typed. Linux, Chromium.

    python benchmarks/form_secrets.py --runs 20

Types a new master password and a key's three texts, has a recovery code shown and asked back, keeps the key and sees
its balances. Then looks for all of them, as UTF-8, UTF-16, hex and base64, in the memory of the kernel and of the
Jupyter server, in notebooks and checkpoints (widget state is saved), history, settings, logs, WebSocket frames, the
browser's console and its profile on disk, and the vault's and data folders. Controls: a marker that every place got
on purpose, and the agent's memory, which must hold what was typed. Prints one JSON object; exit status 1 if anything
was found, or a control found nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Playwright, sync_playwright

from bgresearch.agent.client import Agent
from bgresearch.agent.socket_path import Place
from bgresearch.keys.onboarding import messages as words
from bgresearch.sandbox import SANDBOX_KEYS
from bgresearch.sandbox.server import Server
from tests.browser import harness
from tests.browser.conftest import QUIET, chromium
from tests.browser.harness import JupyterServer, Sheet
from tests.browser.hunting import Found, Hunt
from tests.browser.walkthrough import ANSWER_MS, PASSWORD, SETUP, Walk

KEY = SANDBOX_KEYS["readonly"]


def onboard(sheet: Sheet) -> str:
    """Go through the wizard to the first balances; return the recovery code, which no process but the agent made."""
    walk = Walk(sheet.page)
    walk.choose("My own spot history", "8.8.8.8")
    walk.make_vault(with_recovery=True)
    code = walk.form.locator(".bgs-secret").inner_text(timeout=ANSWER_MS)
    walk.press("I have written it down: hide it")
    asked = walk.form.locator(".bgs-label", has_text="Group ")
    walk.form.get_by_role("button", name=words.COMPARE).wait_for()
    sheet.page.wait_for_function(
        "() => document.querySelector('.bg-form .bgs-label')?.textContent.match(/Group [0-9]/)"
    )
    for label in asked.all_inner_texts():
        walk.type(label, code.split("-")[int(label.split()[1]) - 1])
    walk.press(words.COMPARE)
    walk.hand_in("readonly")
    walk.see(words.CHECK_PASSED)
    walk.press(words.SEE_VERDICT)
    walk.press(words.SAVE_KEY)
    walk.see(words.BALANCES_SHOWN)
    return code


def once(playwright: Playwright, lab: JupyterServer, exchange_url: str, profile: Path) -> Found:
    """One person with new folders and a new profile."""
    with harness.home(exchange_url) as person:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium(), args=list(QUIET), viewport={"width": 1240, "height": 1000}
        )
        context.set_default_timeout(ANSWER_MS)
        codes: list[str] = []
        hunt = Hunt(lab, person, profile)
        sheet = hunt.walk(context, [SETUP], lambda shown: codes.append(onboard(shown)))
        with Agent(Place(person.agent)) as agent:
            pid = agent.status().pid
        typed = [KEY.secret_key, KEY.passphrase, KEY.api_key, PASSWORD, *codes]
        found = hunt.look(sheet, typed, pid, context.close)
        lab.end_kernels()
    return found


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=1)
    runs = arguments.parse_args().runs
    if chromium() is None:
        sys.stderr.write("Chromium is not installed: apt-get install chromium\n")
        return 1
    with tempfile.TemporaryDirectory(prefix="bg-") as folder, Server() as exchange, sync_playwright() as playwright:
        lab = harness.start_server(Path(folder) / "lab")
        try:
            profiles = [Path(folder) / f"profile-{number}" for number in range(runs)]
            found = [once(playwright, lab, exchange.url, profile) for profile in profiles]
        finally:
            lab.end()
    leaks: Counter[str] = Counter()
    for one in found:
        leaks.update(one.leaks)
    counted = {
        "runs": len(found), "leaks": dict(leaks), "blind": sorted({place for one in found for place in one.blind}),
        "searched": sorted(found[0].secrets), "not_searched": sorted({place for one in found for place in one.unseen}),
        "mib": sum(one.mib for one in found), "agent": [one.agent for one in found],
    }  # fmt: skip
    print(json.dumps(counted))
    return int(bool(counted["leaks"] or counted["blind"] or 0 in counted["agent"]))


if __name__ == "__main__":
    sys.exit(main())
