"""The shape of the package: how much lies at its top, how deep imports go, and that none goes in a circle."""

from __future__ import annotations

import ast
import graphlib
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import grimp
import pytest

PACKAGE = Path(__file__).parents[2] / "bgresearch"
MIRRORS = ("client", "cli", "sandbox", "forms")  # folders whose files mirror those of the packages that they show
Arrows = dict[str, set[str]]


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("bgresearch", cache_dir=None)


def arrows(package: str) -> Arrows:
    """Return the imports between the direct children of a package."""
    found: Arrows = defaultdict(set)
    for importer in graph().modules:
        for imported in graph().find_modules_directly_imported_by(importer):
            if importer.startswith(f"{package}.") and imported.startswith(f"{package}."):
                one, other = (name.removeprefix(f"{package}.").split(".")[0] for name in (importer, imported))
                if one != other:
                    found[one].add(other)
    return found


def level(unit: str, found: Arrows) -> int:
    return 1 + max((level(below, found) for below in found.get(unit, ())), default=0)


def test_the_top_of_the_package_can_be_held_in_the_head() -> None:
    modules = [path.name for path in PACKAGE.glob("*.py")]
    packages = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
    print(f"{len(modules)} modules, {len(packages)} packages at the top")
    assert len(modules) <= 8, sorted(modules)
    assert len(packages) <= 19, sorted(packages)


def test_imports_between_the_units_at_the_top_are_few_and_run_one_way() -> None:
    found = arrows("bgresearch")
    tuple(graphlib.TopologicalSorter(found).static_order())  # raises CycleError
    count, levels = sum(map(len, found.values())), max(level(unit, found) for unit in found)
    print(f"{count} arrows, {levels} levels")
    assert count <= 150
    assert levels <= 12


@pytest.mark.parametrize(
    "package", sorted(name for name in graph().modules if graph().find_children(name) and name != "bgresearch")
)
def test_no_package_has_a_cycle_inside(package: str) -> None:
    tuple(graphlib.TopologicalSorter(arrows(package)).static_order())


def test_a_file_name_occurs_once_outside_folders_that_mirror_each_other() -> None:
    names = Counter(
        path.name
        for path in PACKAGE.rglob("*.py")
        if not path.name.startswith("__") and path.relative_to(PACKAGE).parts[0] not in MIRRORS
    )
    assert {name: count for name, count in names.items() if count > 1} == {}


def test_a_public_class_name_occurs_once() -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                names[node.name].append(str(path.relative_to(PACKAGE)))
    assert {name: where for name, where in names.items() if len(where) > 1} == {}


def test_every_package_says_in_a_sentence_what_it_is_for() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
