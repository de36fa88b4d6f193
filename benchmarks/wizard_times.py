"""How long one waits in the wizard, step by step, in a real JupyterLab and a real browser. Linux, Chromium.

    python benchmarks/wizard_times.py --walks 10
    python benchmarks/wizard_times.py --walks 1 --clone

Every walk is a new person without a vault who goes the short way by keyboard, without pauses for reading and thinking:
what is measured is the waiting, typing by script included. With ``--clone`` the first walk begins with `git clone` of
this repository and `make lab` (what it installs comes from where uv or pip finds it), and its total has to stay under
two minutes; so has every other one.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from bgresearch.sandbox.server import Server  # noqa: E402
from tests.browser import harness  # noqa: E402
from tests.browser.conftest import QUIET, chromium  # noqa: E402
from tests.browser.harness import JupyterServer, Sheet  # noqa: E402
from tests.browser.walkthrough import ANSWER_MS, SETUP, by_keyboard  # noqa: E402

MOST_S = 120
OPENED = "Notebook opened and run"
INSTALLED = "git clone, make lab's installation"
Times = dict[str, float]


def installed(folder: Path) -> float:
    """Return how long cloning and installing for `make lab` takes."""
    begun = time.perf_counter()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)  # noqa: S603, S607
    subprocess.run(["make", "--silent", ".venv/.lab"], cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S607
    return time.perf_counter() - begun


def walk(browser: Browser, lab: JupyterServer, exchange_url: str, number: int) -> Times:
    """Return the seconds of each step of one walk."""
    times: Times = {}
    context = browser.new_context(viewport={"width": 1240, "height": 1000})
    context.set_default_timeout(ANSWER_MS)
    with harness.home(exchange_url) as person:
        name = lab.write(f"walk-{number}.ipynb", [person.cell, SETUP])
        before = time.perf_counter()
        sheet = Sheet(context.new_page(), lab, name, "lab")
        sheet.open()
        sheet.run()
        sheet.page.locator(".bg-heading").last.wait_for()
        times[OPENED] = time.perf_counter() - before
        before = time.perf_counter()
        for step in by_keyboard(sheet.page):
            times[step], before = time.perf_counter() - before, time.perf_counter()
        context.close()
        lab.end_kernels()
    sys.stderr.write(f"walk {number + 1}: {', '.join(f'{step} {seconds:.1f}' for step, seconds in times.items())}\n")
    return times


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--walks", type=int, default=10)
    arguments.add_argument("--clone", action="store_true")
    said = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="bg-") as folder, Server() as exchange, sync_playwright() as playwright:
        clone = Path(folder) / "clone"
        first = {INSTALLED: installed(clone)} if said.clone else {}
        python = str(clone / ".venv" / "bin" / "python") if said.clone else sys.executable
        begun = time.perf_counter()
        lab = harness.start_server(Path(folder) / "lab", python=python)
        first["JupyterLab started"] = time.perf_counter() - begun
        try:
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
            walks = [walk(browser, lab, exchange.url, number) for number in range(said.walks)]
            browser.close()
        finally:
            lab.end()
    return show(first, walks)


def show(first: Times, walks: list[Times]) -> int:
    """Print the table; return 1 if a walk took too long."""
    print("| step | median s | longest s |\n|---|---|---|")
    for step, seconds in first.items():
        print(f"| {step} | {seconds:.1f} | {seconds:.1f} |")
    for step in walks[0]:
        seen = [one[step] for one in walks]
        print(f"| {step} | {statistics.median(seen):.1f} | {max(seen):.1f} |")
    totals = [sum(one.values()) for one in walks]
    totals[0] += sum(first.values())
    print(f"| in all | {statistics.median(totals):.1f} | {max(totals):.1f} |")
    return int(max(totals) > MOST_S)


if __name__ == "__main__":
    sys.exit(main())
