"""All notebooks run one after another on one store, as a reader runs them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from bgresearch.cli.run_notebook import execute

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
READERS = ("backtesting", "vectorbt")  # of what notebook 08 exports


@pytest.mark.slow
def test_notebooks_run_one_after_another_on_one_store(tmp_path: Path) -> None:
    places = {"BGRESEARCH_DATA_DIR": str(tmp_path / "data"), "IPYTHONDIR": str(tmp_path)}
    for path in NOTEBOOKS:
        if path.stem.startswith("08_") and not all(map(find_spec, READERS)):
            continue
        (tmp_path / path.stem).mkdir()
        execute(path, tmp_path / path.stem, places)
