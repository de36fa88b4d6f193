"""The fenced blocks of the documentation, and a command line taken apart as the real one does."""

from __future__ import annotations

import ast
import contextlib
import doctest
import functools
import io
import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import typer.main

from bgresearch.cli import app
from bgresearch.cli.output import WrongUsage

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


@functools.cache
def _whole() -> Any:
    return typer.main.get_command(app)


class _Shown(doctest.OutputChecker):
    """Compares what an example shows; where it shows nothing, nothing is claimed."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return not want or super().check_output(want, got, optionflags)


def not_installed(sources: Iterable[str]) -> list[str]:
    """Return the packages that code imports and that are not there."""
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return sorted({name.partition(".")[0] for name in names if find_spec(name.partition(".")[0]) is None})


def failures(text: str, space: dict[str, Any], where: str) -> str:
    """Run the examples in a text with these names, new ones among them afterwards; return what went otherwise."""
    examples = doctest.DocTestParser().get_doctest(text, {}, where, None, 0)
    examples.globs = space
    for one in examples.examples:
        one.options.pop(doctest.SKIP, None)  # it keeps other runners from examples that show no output
    said: list[str] = []
    runner = doctest.DocTestRunner(_Shown(), verbose=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(examples, out=said.append, clear_globs=False)
    return "".join(said)


def run(page: Path) -> None:
    """Run the code of a page from top to bottom, in one namespace, and hold what it shows to what the page says."""
    space: dict[str, Any] = {"__name__": "__page__"}
    said = None
    for block in blocks(page):
        if block.language == "python":
            said = _shown(block, space)
        elif block.language == "output":
            assert said is not None, f"{block.where}: nothing was run that could say this"
            assert said.split() == block.text.split(), f"{block.where}: it says now\n{said}"


def _shown(block: Block, space: dict[str, Any]) -> str:
    """Run a block as a notebook does a cell, and return what it prints and the value of its last line."""
    tree = ast.parse("\n" * (block.line - 1) + block.text, str(block.page))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(tree, block.page, "exec"), space)  # noqa: S102
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), block.page, "eval"), space)  # noqa: S307
            said.write("" if value is None else repr(value))
    return said.getvalue()


def understood(words: Sequence[str]) -> str | None:
    """What the command line finds wrong with a command's words, or None."""
    command = _whole()
    left = list(words)
    while left and left[0] in getattr(command, "commands", {}):
        command = command.commands[left.pop(0)]
    if getattr(command, "commands", None) and not [word for word in left if word.startswith("-")]:
        return f"there is no command {left[0]}" if left else None
    try:
        command.make_context(" ".join(words), left)
    except WrongUsage as error:
        return error.format_message()
    except typer.Exit:  # --help and --version
        return None
    return None
