from __future__ import annotations

import re
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bgresearch.charts import static_image as picture
from bgresearch.errors import ConfigurationError, InvalidInput, StoreError
from tests.charts.random_candles import walk

needs_chromium = pytest.mark.skipif(
    not (shutil.which("chromium") or shutil.which("google-chrome")), reason="Chromium is not installed"
)


@pytest.mark.slow
@needs_chromium
def test_a_png_has_the_size_that_was_asked_for_and_a_white_ground(tmp_path: Path) -> None:
    made = walk(100).bg.picture(tmp_path / "chart.png", width=400, height=300)
    data = made.read_bytes()
    assert struct.unpack(">II", data[16:24]) == (1200, 900)
    assert [entry.name for entry in tmp_path.iterdir()] == ["chart.png"]


@pytest.mark.slow
@needs_chromium
def test_an_svg_holds_its_words_as_text_and_loads_nothing(tmp_path: Path) -> None:
    text = walk(100).bg.picture(tmp_path / "chart.svg", title="A title").read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "A title" in text
    assert 'href="http' not in text


@pytest.mark.slow
@needs_chromium
def test_the_axis_of_funding_rates_has_more_numbers_than_0(tmp_path: Path) -> None:
    candles = walk(100)
    rates = pd.DataFrame({"funding_rate": np.linspace(-0.000348, 0.00038, 10)}, index=candles.index[::10])
    text = candles.bg.picture(tmp_path / "chart.svg", funding=rates).read_text(encoding="utf-8")
    assert len(re.findall(r'<g class="y3tick"[^>]*><text', text)) >= 3


def test_a_picture_is_drawn_with_bars_that_are_wide_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(picture, "rendered", lambda figure, *_: seen.append(figure) or b"picture")
    walk(5_000).bg.picture(tmp_path / "chart.png", width=900)
    (figure,) = seen
    assert len(figure.data[0].x) == 167
    assert figure.layout.title.subtitle.text == "1m candles shown as 30m bars, UTC"
    assert figure.layout.xaxis.rangeselector.visible is False


def test_an_older_file_stays_unless_one_insists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "rendered", lambda *_: b"new")
    place = tmp_path / "chart.png"
    place.write_bytes(b"old")
    with pytest.raises(StoreError, match=r"chart\.png exists already.*force=True"):
        walk(5).bg.picture(place)
    assert place.read_bytes() == b"old"
    walk(5).bg.picture(place, force=True)
    assert place.read_bytes() == b"new"


def test_wrong_input_is_named_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"path: chart\.gif is not an image file"):
        walk(5).bg.picture(tmp_path / "chart.gif")
    with pytest.raises(InvalidInput, match="too small to read"):
        walk(5).bg.picture(tmp_path / "chart.png", width=20)
    with pytest.raises(StoreError, match=r"the folder .* does not exist"):
        walk(5).bg.picture(tmp_path / "nowhere" / "chart.png")


def test_without_kaleido_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(ConfigurationError, match="pip install 'bgresearch\\[pictures\\]'"):
        walk(5).bg.picture(tmp_path / "chart.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("browser", "words"), [("/nowhere", "need Chromium"), ("/bin/false", "returned no image")])
def test_without_a_browser_that_draws_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: str, words: str
) -> None:  # fmt: skip
    monkeypatch.setenv("BROWSER_PATH", browser)
    with pytest.raises(ConfigurationError, match=words):
        walk(5).bg.picture(tmp_path / "chart.png")
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_not_written_over_another(tmp_path: Path) -> None:
    place = walk(5).bg.chart().save(tmp_path / "chart.html")
    with pytest.raises(StoreError, match="exists already"):
        walk(5).bg.chart().save(place)
