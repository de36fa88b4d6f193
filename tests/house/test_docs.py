"""What the documentation says exists, and what exists is in the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bgresearch.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def commands(command: Any, name: str) -> Iterator[tuple[str, set[str]]]:
    """Every command with its options."""
    inner = getattr(command, "commands", {})
    for word, one in inner.items():
        yield from commands(one, f"{name} {word}")
    if not inner:
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        options |= {option for parameter in command.params for option in parameter.secondary_opts}
        yield name, options - {"--help"}


ALL = dict(commands(typer.main.get_command(app), "bgresearch"))


def sections() -> dict[str, str]:
    parts = re.split(
        r"^## `(bgresearch [a-z -]+)`$", (ROOT / "docs/cli.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    assert set(sections()) == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_option_is_documented_and_every_documented_option_exists(name: str) -> None:
    assert set(re.findall(r"--[a-z][a-z-]+", sections()[name])) == ALL[name]


def test_every_command_that_documents_call_by_name_exists() -> None:
    for page in PAGES:
        for called in re.findall(
            r"^(?:\$ )?(bgresearch [a-z].*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE
        ):
            assert any(called == name or called.startswith(f"{name} ") for name in ALL), f"{page.name}: {called}"


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def python_blocks(page: Path) -> str:
    return "\n".join(
        re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    )


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if python_blocks(page) and page.name != "architecture.md"],
    ids=lambda page: page.name,
)
def test_the_code_on_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "BGRESEARCH_DATA_DIR": str(tmp_path / "data"), "HOME": str(tmp_path)}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", python_blocks(page)],
        capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_every_make_target_that_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`?\bmake ([a-z]+)`", page.read_text(encoding="utf-8"))) <= targets, page.name
