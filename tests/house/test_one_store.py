"""All pages run one after another on one store, as a reader runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.blocks import PAGES, ROOT, blocks

RUN = [page for page in PAGES if any(block.language == "python" for block in blocks(page))]
LONGEST_S = 600
CODE = "import pathlib, sys, tests.house.blocks as it; it.run(pathlib.Path(sys.argv[1]))"


@pytest.mark.slow
def test_pages_run_one_after_another_on_one_store(tmp_path: Path) -> None:
    places = {"HOME": str(tmp_path), "BGRESEARCH_DATA_DIR": str(tmp_path / "data"), "PYTHONPATH": str(ROOT)}
    for page in RUN:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-W", "error", "-c", CODE, str(page)],
            cwd=tmp_path, env={**os.environ, **places}, capture_output=True, text=True, timeout=LONGEST_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{page.name}\n{done.stderr}"
