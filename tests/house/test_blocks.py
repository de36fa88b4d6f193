"""Every block of code on a page is run, or says why it is not; every command is one that exists."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bgresearch.cli import app
from bgresearch.sandbox.server import Server
from bgresearch.sandbox.traders.keys import SANDBOX_KEYS
from tests.conftest import PATIENCE_S, search_path
from tests.house.blocks import PAGES, ROOT, SHELLS, blocks, command_lines, run, understood
from vault import FLOOR, Vault

NOT_RUN = "# not run by the tests, as "  # the first words of a block ```py
LONG = {"charts.md", "live.md", "object-storage.md", "pnl.md", "raw.md", "years_of_history.md", "exports.md"}
"""Pages whose code takes long; all of them run with ``make test-all``."""
SHOWN = {"text", "json", "toml", "yaml", "ini", "sql", "csv"}  # languages of what is only shown
APART = re.compile(r"LocalCluster|\bdask\b|s3://|\.png\b|\.svg\b")  # starts processes or servers of its own
PASSWORD = "four words which nobody guesses together"
NEED_SOMETHING = {
    "archive": "minutes, at the limits of the exchange; tests/cli runs it",
    "demo": "tests/cli runs it",
    "doctor": "listens for a minute; tests/cli runs it",
    "explore": "asks a person",
    "export ledger": "asks the agent, or for the master password; tests/cli runs it",
    "keys": "asks a person, or for the agent",
    "lab": "goes on until it is ended",
    "publish": "needs object storage",
    "record": "waits for the clock",
    "sandbox": "goes on until it is ended",
    "scan": "looks at what git has staged",
    "setup": "asks a person",
    "store move": "moves the store away; tests/cli runs it",
    "store rm": "needs stored data; tests/cli runs it",
    "uninstall": "asks a person; tests/cli runs it",
    "vault": "asks a person for the master password",
}
"""Commands that are taken apart and not run, and why. All others run, on a sandbox that is served on loopback."""


def test_every_block_says_its_language_and_one_that_is_not_run_says_why() -> None:
    for page in PAGES:
        for block in blocks(page):
            assert block.language in {"python", "output", "py", *SHELLS, *SHOWN}, f"{block.where}: {block.language!r}"
            assert block.language != "py" or block.text.startswith(NOT_RUN), f"{block.where}: begin with {NOT_RUN!r}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's own folders, and the reader in them."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BGRESEARCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("BGRESEARCH_VAULT", str(tmp_path / "keys" / "vault"))
    monkeypatch.delenv("BGRESEARCH_BASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def timed(page: Path) -> Any:
    return pytest.param(page, marks=[pytest.mark.slow] if page.name in LONG else [], id=page.name)


def code(page: Path) -> str:
    return "\n".join(block.text for block in blocks(page) if block.language == "python")


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("page", [timed(page) for page in PAGES if code(page)])
def test_the_code_on_a_page_runs_from_top_to_bottom_and_shows_what_the_page_says(page: Path, home: Path) -> None:
    if not APART.search(code(page)):
        run(page)
        return
    alone = f"import pathlib, tests.house.blocks as it; it.run(pathlib.Path({str(page)!r}))"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", alone], cwd=home, env={**os.environ, "PYTHONPATH": search_path(ROOT)},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if any(command_lines(page))], ids=lambda page: page.name)
def test_every_command_on_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for where, (name, *words) in command_lines(page):
        tool = Path(name).name or name
        if tool == "bgresearch":
            assert understood(words) is None, f"{where}: {understood(words)}"
        elif tool == "make":
            assert set(words) <= targets, where
        elif tool == "pip":
            asked = {
                extra for word in words for found in re.findall(r"\[([a-z,0-9]+)\]", word) for extra in found.split(",")
            }
            assert asked <= set(extras), where
        else:
            assert tool in {"python", "python3", "conda", "docker", "."}, f"{where}: {name} is no tool that pages use"
            files = [word for word in words if re.search(r"\.(py|yml|ipynb)$", word)]
            assert all((ROOT / file).exists() for file in files), where


def test_every_command_in_the_text_of_a_page_exists() -> None:
    others = r"sealed|intake|[A-Z]"  # names of what crosses to the agent begin so, too; COMMAND stands for any
    for page in PAGES:
        for found in re.findall(rf"`bgresearch ((?!{others})[^`]+)`", page.read_text(encoding="utf-8")):
            plain = re.sub(r"\b[A-Z]{2,}\b", "1", found.replace("...", ""))  # what is written large stands for a value
            for words in itertools.product(*(word.split("|") for word in plain.split())):
                wrong = understood(words)
                assert wrong is None or wrong.startswith("Missing"), f"{page.name}: bgresearch {found}: {wrong}"


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    with Server() as server:
        yield server.url


def runnable(page: Path) -> list[tuple[str, list[str]]]:
    return [
        (where, words[1:])
        for where, words in command_lines(page)
        if words[0] == "bgresearch" and not {words[1], " ".join(words[1:3])} & set(NEED_SOMETHING)
    ]


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("page", [timed(page) for page in PAGES if runnable(page)])
def test_the_commands_on_a_page_run_one_after_the_other(
    page: Path, home: Path, exchange: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BGRESEARCH_BASE_URL", exchange)
    (home / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
    key = SANDBOX_KEYS["readonly"]
    triple = {name: getattr(key, name) for name in ("api_key", "secret_key", "passphrase")}
    with Vault.create(Path(os.environ["BGRESEARCH_VAULT"]), PASSWORD, profile=FLOOR) as vault:
        vault.add("research", **triple, host=exchange)
    for where, words in runnable(page):
        asked = ["--password-file", str(home / "password")] if words[0] == "check" else []
        assert not app([*words, *asked], standalone_mode=False), f"{where}\n{capsys.readouterr()}"
