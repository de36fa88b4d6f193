"""pyproject.toml, environment.yml, the lists of versions in constraints/ and the Makefile describe the same sets."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
EXTRAS_IN_CONDA = ("dask", "duckdb", "excel", "lab", "polars", "s3")
BY_PIP_ALONE = ("pictures",)  # conda-forge calls kaleido otherwise
CONSTRAINTS = sorted((ROOT / "constraints").glob("*.txt"))
BROUGHT_FOR_OTHERS = {"distributed", "ipykernel", "jupyterlab", "s3fs"}
# a cluster that the user starts, a kernel, a command, what fsspec imports
IMPORTED_AS = {"python_dotenv": "dotenv"}


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def project() -> dict[str, Any]:
    table: dict[str, Any] = pyproject()["project"]
    return table


def extra(name: str) -> list[str]:
    """Return what an extra asks for, with what the extras that it names ask for."""
    found = []
    for line in project()["optional-dependencies"][name]:
        inner = re.fullmatch(r"bgresearch\[([a-z0-9,]+)\]", line)
        found += [each for one in inner[1].split(",") for each in extra(one)] if inner else [line]
    return found


def group(name: str) -> list[str]:
    """Return what a dependency group asks for, with the groups that it includes."""
    lines = []
    for line in pyproject()["dependency-groups"][name]:
        lines += [line] if isinstance(line, str) else group(line["include-group"])
    return lines


def everything(*groups: str) -> list[str]:
    """Return every requirement: of the package, of its extras and of these dependency groups, all by default."""
    extras = [line for name in project()["optional-dependencies"] for line in extra(name)]
    chosen = groups or pyproject()["dependency-groups"]
    return [*project()["dependencies"], *extras, *(line for name in chosen for line in group(name))]


def ranges(requirements: list[str]) -> dict[str, str]:
    split = (re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", requirement.replace(" ", "")) for requirement in requirements)
    return {match[1].lower(): match[2] for match in split if match}


def conda() -> tuple[dict[str, str], list[str]]:
    entries = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    plain = ranges([entry for entry in entries if isinstance(entry, str)])
    pip = [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]
    return plain, pip


def test_conda_and_pip_ask_for_the_same_ranges() -> None:
    table = project()
    extras = [line for name in EXTRAS_IN_CONDA for line in extra(name)]
    expected = ranges([*table["dependencies"], *extras])
    plain, _ = conda()
    assert plain.pop("python") == table["requires-python"].replace(" ", "")
    assert plain.pop("pip") == ""
    assert plain == expected


def test_conda_installs_the_package_itself() -> None:
    assert conda()[1] == ["--editable ."]


def test_every_requirement_has_a_floor_and_a_ceiling() -> None:
    open_ended = [line for line in everything() if not (">=" in line and "<" in line.split(">=")[1])]
    assert open_ended == ["certifi>=2024.7.4"]  # newer root certificates are always right


def imported(file: Path) -> set[str]:
    """The first words of what a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return found


def test_whatever_is_imported_is_asked_for_and_not_left_to_others_to_bring() -> None:
    table = project()
    extras = [line for name in (*EXTRAS_IN_CONDA, *BY_PIP_ALONE) for line in extra(name)]
    names = (name.replace("-", "_") for name in ranges([*table["dependencies"], *extras]))
    asked = {IMPORTED_AS.get(name, name) for name in names}
    files = [file for package in ("bgresearch", "vault") for file in (ROOT / package).rglob("*.py")]
    foreign = set().union(*map(imported, files)) - sys.stdlib_module_names - {"bgresearch", "vault"}
    assert foreign <= asked
    assert asked - foreign == BROUGHT_FOR_OTHERS


@pytest.mark.parametrize("path", CONSTRAINTS, ids=lambda path: path.name)
def test_a_list_of_versions_has_one_inside_every_range_and_names_no_registry(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|^ *-", text, flags=re.MULTILINE)
    pinned: dict[str, set[str]] = {}
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        one = Requirement(line)
        [exact] = one.specifier
        assert exact.operator == "==", line
        pinned.setdefault(canonicalize_name(one.name), set()).add(exact.version)
    for line in everything(*(["test"] if path.stem == "lowest" else [])):  # the readers of exports ask for newer ones
        asked = Requirement(line)
        versions = pinned[canonicalize_name(asked.name)]
        assert all(asked.specifier.contains(version, prereleases=True) for version in versions), line


def test_the_lowest_versions_are_the_floors_of_the_ranges() -> None:
    text = (ROOT / "constraints" / "lowest.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", text, flags=re.MULTILINE))
    low = {canonicalize_name(name): version for name, version in pinned.items()}
    for line in everything("test"):
        asked = Requirement(line)
        [floor] = [one.version for one in asked.specifier if one.operator == ">="]
        same_series = Requirement(f"x=={floor}.*")  # the first release that was published of it
        assert same_series.specifier.contains(low[canonicalize_name(asked.name)]), line


def makefile(prefix: str) -> dict[str, set[str]]:
    """Return what the Makefile lists per purpose, by the purpose: ``EXTRAS``, ``GROUPS`` or ``WITH``."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = re.findall(rf"^{prefix}_([a-z-]+) := (.*)$", text, flags=re.MULTILINE)
    known = {name: value for name, value in lines if "$" not in value}
    for name, value in lines:
        known[name] = re.sub(rf"\$\({prefix}_([a-z-]+)\)", lambda found: known[found[1]], value)
    return {name: set(re.split(r"[\s,]+", value)) for name, value in known.items()}


def test_a_purpose_that_comes_with_another_installs_nothing_that_the_other_does_not() -> None:
    groups, extras = makefile("GROUPS"), makefile("EXTRAS")
    sets = {}
    for purpose, names in extras.items():
        lines = [line for name in names for line in extra(name)]
        sets[purpose] = {*lines, *(line for name in groups.get(purpose, set()) for line in group(name))}
    assert {"demo", "lab", "dashboard", "docs", "test", "test-all"} == set(sets)
    for larger, smaller in makefile("WITH").items():
        for one in smaller:
            assert sets[one] <= sets[larger], (one, larger)
    assert not {line for line in sets["test"] if re.match(r"vectorbt|backtesting|ccxt", line)}
