"""What the documentation says exists, and what exists is in the documentation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from bgresearch.cli import app
from tests.house.blocks import PAGES, ROOT


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


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_file_that_documents_name_exists() -> None:
    for page in PAGES:
        named = re.findall(
            r"(?<![\w/.])((?:tests|benchmarks|notebooks|docs|bgresearch|vault|\.ci)/[\w/.]*\w\.(?:py|md|ipynb|toml|js|yml))\b",
            page.read_text(encoding="utf-8"),
        )
        missing = sorted({name for name in named if not (ROOT / name).exists()})
        assert missing == [], page.name


def test_every_make_target_that_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"`?\bmake ([a-z-]+)`", page.read_text(encoding="utf-8"))) <= targets, page.name
