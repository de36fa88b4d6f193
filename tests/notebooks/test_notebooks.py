"""Every notebook runs from top to bottom on the sandbox, and is kept the way a reader wants to find it."""

from __future__ import annotations

import ast
import asyncio
import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from bgresearch.cli.run_notebook import NotebookFailed, execute
from bgresearch.core.clock import AHEAD
from tests.conftest import ahead_of
from tests.house.blocks import not_installed

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LEAP_DAY = dt.datetime(2028, 2, 29, 12, tzinfo=dt.UTC)
LONGEST_FUNCTION = 5  # lines; what is longer belongs into the package

HEAVY = {  # compile, start clusters and servers, compute or listen for long
    "04_account.ipynb", "06_universe_volatility.ipynb", "07_own_pnl.ipynb", "08_store_to_backtest.ipynb",
    "09_scale_out.ipynb", "10_reproducible_paper.ipynb", "11_live.ipynb", "12_ticks_to_bars.ipynb",
}  # fmt: skip
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def timed(path: Path) -> Any:
    return pytest.param(path, marks=[pytest.mark.slow] if path.name in HEAVY else [], id=path.name)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: Any) -> Iterator[Any]:
    return (cell for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("path", [timed(path) for path in NOTEBOOKS])
def test_it_runs_from_top_to_bottom_without_a_warning(path: Path, tmp_path: Path) -> None:
    sources = (re.sub(r"^%.*", "", cell.source, flags=re.MULTILINE) for cell in code_cells(read(path)))
    if gone := not_installed(sources):
        pytest.skip(f"{', '.join(gone)} of the group exports, for make test-all")
    before = path.read_bytes()
    places = {"BGRESEARCH_DATA_DIR": str(tmp_path / "data"), "IPYTHONDIR": str(tmp_path), "PYTHONWARNINGS": "default"}
    done = execute(path, tmp_path, places)
    for cell in code_cells(done):
        assert cell.execution_count, cell.source
        assert [output.text for output in cell.outputs if output.get("name") == "stderr"] == [], cell.source
    assert "widgets" not in done.metadata
    assert path.read_bytes() == before


@pytest.mark.slow
@each
def test_it_runs_on_the_day_that_few_years_have(path: Path, tmp_path: Path) -> None:
    places = {"BGRESEARCH_DATA_DIR": str(tmp_path / "data"), "IPYTHONDIR": str(tmp_path), AHEAD: ahead_of(LEAP_DAY)}
    assert all(cell.execution_count for cell in code_cells(execute(path, tmp_path, places)))


@each
def test_it_is_valid_and_its_cells_have_lasting_ids(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@each
def test_its_outputs_are_stripped(path: Path) -> None:
    for cell in code_cells(read(path)):
        assert (cell.outputs, cell.execution_count) == ([], None), f"{cell.source}\n\n(make fmt strips outputs)"


@each
def test_it_starts_with_a_title_and_explains_before_it_does(path: Path) -> None:
    first, second, third = read(path).cells[:3]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert [second.cell_type, third.cell_type] == ["markdown", "code"]


@each
def test_it_defines_nothing_that_belongs_into_the_package(path: Path) -> None:
    for cell in code_cells(read(path)):
        for node in ast.walk(ast.parse(cell.source.replace("%", "#"))):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name


@each
def test_it_names_the_one_line_to_change_for_the_real_exchange(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells)
    assert text.count("bg.connect(sandbox=True)") == 1
    assert "bg.connect()" in text


class OtherLoop(asyncio.SelectorEventLoop):
    """A loop that takes signals in the main thread alone and says so in its own way, as uvloop's does."""

    def add_signal_handler(self, *_: object) -> None:
        raise ValueError("add_signal_handler() can only be called from the main thread")


class OtherPolicy(asyncio.DefaultEventLoopPolicy):
    """Stands for a library that makes that loop the default of the process."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return OtherLoop()


def test_it_runs_whatever_loop_another_library_has_made_the_default(tmp_path: Path) -> None:
    path = NOTEBOOKS[0]
    notebook = read(path)
    notebook.cells = notebook.cells[:1]
    nbformat.write(notebook, tmp_path / path.name)
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(OtherPolicy())
    try:
        execute(tmp_path / path.name, tmp_path, {"IPYTHONDIR": str(tmp_path)})
    finally:
        asyncio.set_event_loop_policy(before)


def test_a_cell_that_raises_is_named(tmp_path: Path) -> None:
    path = NOTEBOOKS[0]
    notebook = read(path)
    notebook.cells[2].source = "raise ValueError('on purpose')"
    broken = tmp_path / path.name
    nbformat.write(notebook, broken)
    with pytest.raises(NotebookFailed, match=f"{path.name}: ValueError: on purpose"):
        execute(broken, tmp_path, {"IPYTHONDIR": str(tmp_path)})
