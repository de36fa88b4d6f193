"""environment.yml and pyproject.toml describe one environment."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
EXTRAS_IN_CONDA = ("charts", "dask", "duckdb", "excel", "forms", "polars", "s3", "sandbox", "lab")
BY_PIP_ALONE = ("pictures",)  # conda-forge calls kaleido otherwise
BROUGHT_FOR_OTHERS = {"distributed", "ipykernel", "jupyterlab", "s3fs"}
# a cluster that the user starts, a kernel, a command, what fsspec imports
IMPORTED_AS = {"python_dotenv": "dotenv"}


def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


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
    extras = [line for extra in EXTRAS_IN_CONDA for line in table["optional-dependencies"][extra]]
    expected = ranges([*table["dependencies"], *extras])
    plain, _ = conda()
    assert plain.pop("python") == table["requires-python"].replace(" ", "")
    assert plain.pop("pip") == ""
    assert plain == expected


def test_conda_installs_the_package_itself() -> None:
    assert conda()[1] == ["--editable ."]


def test_every_requirement_has_a_floor_and_a_ceiling() -> None:
    table = project()
    listed = [*table["dependencies"], *(line for lines in table["optional-dependencies"].values() for line in lines)]
    open_ended = [line for line in listed if "[" not in line and not (">=" in line and "<" in line.split(">=")[1])]
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
    extras = [line for extra in (*EXTRAS_IN_CONDA, *BY_PIP_ALONE) for line in table["optional-dependencies"][extra]]
    names = (name.replace("-", "_") for name in ranges([*table["dependencies"], *extras]))
    asked = {IMPORTED_AS.get(name, name) for name in names}
    files = [file for package in ("bgresearch", "vault") for file in (ROOT / package).rglob("*.py")]
    foreign = set().union(*map(imported, files)) - sys.stdlib_module_names - {"bgresearch", "vault"}
    assert foreign <= asked
    assert asked - foreign == BROUGHT_FOR_OTHERS
