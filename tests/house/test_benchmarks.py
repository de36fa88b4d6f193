"""Benchmarks run by hand and seldom: what they import from here has to be there all the same."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.py"))
OURS = ("bgresearch", "tests", "vault")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_imports_what_there_is(script: Path) -> None:
    missing = []
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in OURS:
            module = importlib.import_module(node.module)
            below = {one.name for one in pkgutil.iter_modules(getattr(module, "__path__", []))}
            missing += [f"{node.module}.{one.name}" for one in node.names if one.name not in below | set(dir(module))]
    assert missing == []
