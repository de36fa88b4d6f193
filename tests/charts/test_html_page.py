from __future__ import annotations

import re
from pathlib import Path

import pytest

from bgresearch.charts.chart import candles_figure
from bgresearch.charts.html_page import Panel, page, write_page
from bgresearch.errors import StoreError
from tests.charts.random_candles import walk

NASTY = '</script><img src=x onerror="alert(1)">'


def test_nothing_that_was_handed_over_becomes_markup() -> None:
    figure = candles_figure(walk(5), title=NASTY)
    text = page(NASTY, [Panel({NASTY: figure, "b": figure}), Panel(facts={NASTY: NASTY})], lead=NASTY, footer=NASTY)
    assert NASTY not in text
    assert text.count("&lt;/script&gt;") == 7


def test_the_page_loads_nothing() -> None:
    text = page("Title", [Panel({"a": candles_figure(walk(5))})])
    around = re.sub(r"<script>/\*.*?</script>", "", text, flags=re.DOTALL)
    assert "default-src 'none'" in around
    assert not re.search(r"\b(src|href)\s*=|https?://|@import|url\(", around)


def test_writing_replaces_an_older_page_and_leaves_nothing_else(tmp_path: Path) -> None:
    for text in ("first", "second"):
        written = write_page(tmp_path / "page.html", text)
    assert written.read_text(encoding="utf-8") == "second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"page\.html cannot be written: the folder .*nowhere does not exist"):
        write_page(tmp_path / "nowhere" / "page.html", "text")


def test_a_place_that_is_a_folder_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(StoreError, match=r"cannot write .*page\.html: Is a directory"):
        write_page(tmp_path / "page.html", "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
