"""The fenced blocks of the documentation, and a command line taken apart as the real one does."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import typer.main

from bgresearch.cli import app
from bgresearch.cli.words import WrongUsage

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
SHELLS = ("sh", "console", "bash")
_BLOCK = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block: its page, the line of its first words there, its language, its words."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        yield Block(page, text.count("\n", 0, found.start(3)) + 1, found[2].strip(), textwrap.dedent(found[3]))


def command_lines(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every command of a page's shell blocks, in words, with its place; comments are left out."""
    for block in blocks(page):
        if block.language in SHELLS:
            text = block.text.replace("\\\n", " ")
            for number, line in enumerate(text.splitlines(), block.line):
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if words:
                    yield f"{page.name}:{number}", words[words[0] == "exec" :]


def understood(words: Sequence[str]) -> str | None:
    """What the command line finds wrong with a command's words, or None."""
    command: Any = typer.main.get_command(app)
    left = list(words)
    while left and left[0] in getattr(command, "commands", {}):
        command = command.commands[left.pop(0)]
    if getattr(command, "commands", None) and left and not left[0].startswith("-"):
        return f"there is no command {left[0]}"
    try:
        command.make_context(" ".join(words), left)
    except WrongUsage as error:
        return error.format_message()
    except typer.Exit:  # --help and --version
        return None
    return None
