"""What ``make`` installs for a command, and when it does so again; nothing is installed here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.blocks import ROOT

MADE_NS = 1_767_225_600_000_000_000  # of every file that is there before
PURPOSES = ("demo", "lab", "dashboard", "docs", "test", "test-all")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make on this machine")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with what the installation depends on, and an environment without any packages."""
    (tmp_path / "constraints").mkdir()
    (tmp_path / ".venv").mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints/usual.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, ns=(MADE_NS, MADE_NS))
    stamp(tmp_path, "made")
    return tmp_path


def stamp(clone: Path, purpose: str) -> None:
    (clone / ".venv" / f".{purpose}").touch()
    os.utime(clone / ".venv" / f".{purpose}", ns=(MADE_NS, MADE_NS))


def planned(clone: Path, purpose: str, *options: str) -> str:
    """Return what make would type to install what a command needs."""
    return dry_run(clone, *options, f".venv/.{purpose}")


def dry_run(clone: Path, *arguments: str) -> str:
    """Return what make would type."""
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(command, cwd=clone, env=own, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_command_installs_once_and_again_when_the_ranges_or_versions_change(clone: Path, purpose: str) -> None:
    assert "--editable" in planned(clone, purpose, "UV=uv")
    stamp(clone, purpose)
    assert "--editable" not in planned(clone, purpose, "UV=uv")
    for name in ("pyproject.toml", "constraints/usual.txt"):
        os.utime(clone / name, ns=(MADE_NS + 10**9, MADE_NS + 10**9))
        assert "--editable" in planned(clone, purpose, "UV=uv"), name
        os.utime(clone / name, ns=(MADE_NS, MADE_NS))


@pytest.mark.parametrize(("installer", "typed"), [("uv", "uv pip install"), ("", ".venv/bin/python -m pip install")])
@pytest.mark.parametrize("purpose", PURPOSES)
def test_uv_installs_where_it_is_there_and_pip_otherwise(clone: Path, purpose: str, installer: str, typed: str) -> None:
    lines = [line for line in planned(clone, purpose, f"UV={installer}").splitlines() if "--editable" in line]
    assert len(lines) == 1
    assert lines[0].startswith(typed)
    assert "--constraint constraints/usual.txt" in lines[0]


def test_the_demo_asks_for_its_own_extra_and_no_group(clone: Path) -> None:
    [line] = [line for line in planned(clone, "demo", "UV=uv").splitlines() if "--editable" in line]
    assert "'.[demo]'" in line
    assert "--group" not in line
    assert not any(each in planned(clone, "test", "UV=uv") for each in ("--group exports", "--group docs"))


def test_without_constraints_the_newest_versions_are_taken(clone: Path) -> None:
    assert "--constraint" not in planned(clone, "test", "UV=uv", "CONSTRAINTS=")


def test_every_hook_before_a_commit_is_a_static_check_of_make(clone: Path) -> None:
    stamp(clone, "test")
    checks = dry_run(clone, "check") + dry_run(clone, "fmt")
    hooks = re.findall(r"entry: (.*)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert len(hooks) == 5
    for hook in hooks:
        assert re.split(r" --", hook)[0] in checks, hook


def test_all_tests_begin_with_the_static_checks(clone: Path) -> None:
    stamp(clone, "test")
    checks, tests = dry_run(clone, "check").splitlines(), dry_run(clone, "test").splitlines()
    assert tests[: len(checks)] == checks
    assert "-m pytest" in tests[-1]
