"""The wheel: what is in it, and that it works in an empty environment away from the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.house.blocks import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LONGEST_S = 900  # for an installation from the network, on a loaded machine


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_has_every_file_of_the_packages_and_every_notebook(wheel: Path) -> None:
    packages = {
        path.relative_to(ROOT).as_posix()
        for package in ("bgresearch", "vault")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    notebooks = {f"bgresearch/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
        texts = {name: archive.read(name) for name in inside if name.endswith(".ipynb")}
    assert inside == packages | notebooks
    assert all(text == (ROOT / "notebooks" / Path(name).name).read_bytes() for name, text in texts.items())


def test_the_wheel_asks_for_nothing_that_only_development_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        lines = archive.read(name).decode().splitlines()
    asked = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    assert not [line for line in asked if line.startswith(("pytest", "vectorbt", "ccxt", "backtesting", "mkdocs"))]


def interpreter(version: str) -> str:
    """Return a Python of that version, or skip the test."""
    names = [sys.executable] if sys.version_info[:2] == tuple(map(int, version.split("."))) else [f"python{version}"]
    for name in names:
        code = "import sys, ensurepip; print(sys.executable)"
        path = shutil.which(name)
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False) if path else None  # noqa: S603
        if done and done.returncode == 0:
            return done.stdout.strip()
    pytest.skip(f"there is no Python {version} on this machine")


def run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_works_in_an_empty_environment(version: str, wheel: Path, tmp_path: Path) -> None:
    python, place, folder = interpreter(version), tmp_path / "environment", tmp_path / "elsewhere"
    folder.mkdir()
    away = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BGRESEARCH_"))}
    away |= {"HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}
    run([python, "-m", "venv", str(place)], folder, away)
    own, asked = str(place / "bin" / "python"), [f"{wheel}[demo]", "--constraint", str(ROOT / "constraints/usual.txt")]
    uv = shutil.which("uv")
    install = [uv, "pip", "install", "--python", own] if uv else [own, "-m", "pip", "install", "--no-compile"]
    run([*install, "--quiet", *asked], folder, dict(os.environ))

    code = "import bgresearch, vault; print(bgresearch.__file__)"
    assert run([own, "-W", "error", "-c", code], folder, away).startswith(str(place.resolve()))
    output = run([str(place / "bin" / "bgresearch"), "demo"], folder, away)
    assert "01_quickstart.ipynb ran from top to bottom" in output
    assert "Next: bgresearch lab" in output
    assert (folder / "bgresearch-demo.html").is_file()
    lab = [str(place / "bin" / "bgresearch"), "lab", "--no-browser"]
    refused = subprocess.run(lab, cwd=folder, env=away, capture_output=True, text=True, check=False)  # noqa: S603
    assert refused.returncode == 1
    assert "pip install 'bgresearch[lab]'" in refused.stderr
