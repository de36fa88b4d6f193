"""The Dockerfile without an engine: its files are there, and its steps do in a folder what they say."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_serving import patient
from tests.conftest import PATIENCE_S

ROOT = Path(__file__).parents[2]
STEPS = [
    (kind, text.replace("\\\n", " ").strip())
    for kind, text in re.findall(r"^([A-Z]+) ((?:.*\\\n)*.*)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
]
VARIABLES = dict(one.split("=", 1) for kind, text in STEPS if kind == "ENV" for one in text.split())


def test_it_copies_only_what_is_there_and_no_secret_or_root_user_is_in_it() -> None:
    assert STEPS[0] == ("FROM", "python:3.12-slim")
    for kind, text in STEPS:
        if kind == "COPY":
            assert all((ROOT / source).exists() for source in text.split()[:-1]), text
    kinds = [kind for kind, _ in STEPS]
    assert kinds.index("USER") < kinds.index("CMD")
    kept = {Path(VARIABLES["BGRESEARCH_DATA_DIR"]), Path(VARIABLES["BGRESEARCH_VAULT"]).parent}
    assert kept == {Path("/data"), Path("/keys")}
    assert dict(STEPS)["VOLUME"] == '["/data", "/keys"]'
    page = (ROOT / "docs/living-with-it.md").read_text("utf-8")
    assert "docker build" in page
    assert "-v bgresearch-data:/data -v bgresearch-keys:/keys" in page


@pytest.mark.slow
def test_its_steps_end_in_a_lab_that_answers(tmp_path: Path) -> None:
    folder, venv = tmp_path / "image", tmp_path / "venv"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)  # noqa: S603
    places = {name: str(tmp_path / text[1:]) if text.startswith("/") else text for name, text in VARIABLES.items()}
    inside = {**os.environ, **places, "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    for kind, text in STEPS:
        if kind == "COPY":
            *sources, target = text.split()
            for source in sources:
                place = folder / target / (Path(source).name if target == "./" else "")
                (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, place)
        elif kind == "RUN" and text.startswith("pip "):  # the others make a user, which only an image should
            subprocess.run(shlex.split(text), cwd=folder, env=inside, check=True)  # noqa: S603
    asked = [str(venv / "bin" / "bgresearch"), "--version"]
    said = subprocess.run(asked, env=inside, cwd=tmp_path, capture_output=True, text=True, check=True)  # noqa: S603
    assert said.stdout.startswith("bgresearch ")
    command = [one.strip(' "') for one in dict(STEPS)["CMD"].strip("[]").split(",")]
    command = [one.replace("0.0.0.0", "127.0.0.1").replace("8888", "0") for one in command]  # noqa: S104 - not bound to
    command[0] = str(venv / "bin" / command[0])
    as_root = ["--ServerApp.allow_root=True"] if os.geteuid() == 0 else []
    with subprocess.Popen([*command, *as_root], env=inside, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as lab:  # noqa: S603
        try:
            assert lab.stderr is not None
            lines = (re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", line) for line in lab.stderr)
            address = next(found[0] for found in lines if found)
            assert patient().get(address, timeout=PATIENCE_S).status_code == 200
        finally:
            lab.terminate()
