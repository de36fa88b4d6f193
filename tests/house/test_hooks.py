"""How pages are fitted into the site: navigation, links, pictures, notebooks."""

from __future__ import annotations

import base64
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from mkdocs.structure.files import File, Files
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.house.blocks import ROOT

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ON_THE_SITE = (
    "index.md", "raw.md", "security.md", "images/key.png", "images/key-dark.png", "notebooks/03_market.md",
)  # fmt: skip


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "docs" / "hooks")
    return pytest.importorskip("making")


@pytest.fixture
def files() -> Files:
    return Files([File(place, None, "site", use_directory_urls=False) for place in ON_THE_SITE])


def test_an_asterisk_stands_for_what_no_other_line_names(making: ModuleType) -> None:
    nav = [{"Home": "index.md"}, {"How-to": "*.md"}, {"More": ["a/first.md", "a/*.md"]}]
    assert list(making.named(nav)) == ["index.md", "a/first.md"]
    assert making.written_out(nav, ["raw.md", "a/second.md", "a/b/third.md", "keys.md"]) == [
        {"Home": "index.md"}, {"How-to": ["raw.md", "keys.md"]}, {"More": ["a/first.md", "a/second.md"]},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "written", "fitted"),
    [
        ("index.md", "[raw](docs/raw.md#whole-lists)", "[raw](raw.md#whole-lists)"),
        ("getting-started.md", "[home](../README.md#more)", "[home](index.md#more)"),
        ("benchmarks.md", "[security](../docs/security.md)", "[security](security.md)"),
        ("notebooks/01_quickstart.md", "[verbs](../docs/raw.md)", "[verbs](../raw.md)"),
        ("notebooks/01_quickstart.md", "[next](03_market.ipynb)", "[next](03_market.md)"),
        ("endpoints/spot.md", "[raw](../raw.md)", "[raw](../raw.md)"),
        ("raw.md", "[the script](../benchmarks/decode.py)", "the script"),
        ("raw.md", "[gone](../nowhere.py)", "[gone](../nowhere.py)"),  # mkdocs will complain of it
        ("raw.md", "[far](https://example.org/a)", "[far](https://example.org/a)"),
        (
            "raw.md", "![Form](images/key.png)",
            "![Form](images/key.png#only-light)![Form](images/key-dark.png#only-dark)",
        ),
        (
            "index.md",
            '<picture>...<img alt="Form" src="docs/images/key.png" width="600">\n</picture>',
            '![Form](images/key.png#only-light){ width="600" }![Form](images/key-dark.png#only-dark){ width="600" }',
        ),
    ],
)  # fmt: skip
def test_links_and_pictures_lead_to_where_they_are_on_the_site(
    making: ModuleType, files: Files, place: str, written: str, fitted: str
) -> None:
    assert making.fitted(written, place, files) == fitted


def test_code_is_left_as_it_is(making: ModuleType, files: Files) -> None:
    text = "```python\nframe[0](docs/raw.md)\n```\n[raw](docs/raw.md)"
    page = type("Page", (), {"file": files.get_file_from_path("index.md")})
    fitted = making.on_page_markdown(text, page, None, files)
    assert fitted == "```python\nframe[0](docs/raw.md)\n```\n[raw](raw.md)"


def test_a_notebook_becomes_a_page_with_the_pictures_that_are_kept_in_it(making: ModuleType, tmp_path: Path) -> None:
    shown = new_output("display_data", {"image/png": base64.b64encode(PNG).decode()})
    cells = [new_markdown_cell("# Title\n\nSee `docs/raw.md`."), new_code_cell("1 + 1", outputs=[shown])]
    nbformat.write(new_notebook(cells=cells), tmp_path / "07_some.ipynb")
    pages = dict(making.sheets.pages(tmp_path))
    (picture,) = (place for place in pages if place.endswith(".png"))
    text = pages["notebooks/07_some.md"]
    assert text.startswith("# Title\n")
    assert "[`docs/raw.md`](../docs/raw.md)" in text
    assert "1 + 1" in text
    assert f"({picture.removeprefix('notebooks/')})" in text
    assert pages[picture] == PNG
