"""No text of an export is a formula for a spreadsheet, and no number is touched for that."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from bgresearch.exports import export
from tests.exports.reading import READERS, expected, provenance

DANGEROUS = [
    "=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("http://x","y")', "'=1", "''-x",  # noqa: RUF001
    "a;=1+1", "a\t@x", "a\r\n+x", "a; -x", "a;;＝1",  # noqa: RUF001
]  # fmt: skip
HARMLESS = ["1=1", "a", "", "-1.5", "+1e-7", "-.5", "'tis", "2-1", "#N/A", "1e5"]


def test_no_cell_of_a_csv_begins_like_a_formula_unless_it_is_a_number(tmp_path: Path) -> None:
    frame = pd.DataFrame({"=note": DANGEROUS, "amount": [-1.5] * len(DANGEROUS)})
    with export(frame, tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["'=note", "amount"]
    for note, amount in rows[1:]:
        assert not re.search(r"(^|[;\t\r\n])\s*[=+\-@＝]", note)  # noqa: RUF001
        assert "'" in note
        assert amount == "-1.5"


def test_what_was_changed_is_counted_in_the_provenance(tmp_path: Path) -> None:
    frame = pd.DataFrame({"note": DANGEROUS + HARMLESS, "other": "a"})
    assert provenance(export(frame, tmp_path / "rows.csv"))["guarded"] == {"note": len(DANGEROUS)}
    assert "guarded" not in provenance(export(frame[["other"]], tmp_path / "other.csv"))


def test_harmless_texts_and_numbers_written_as_text_stay_as_they_are(tmp_path: Path) -> None:
    back = pd.read_csv(
        export(pd.DataFrame({"note": HARMLESS}), tmp_path / "rows.csv"), dtype="str", keep_default_na=False
    )
    assert back.note.tolist() == HARMLESS


@pytest.mark.parametrize("suffix", READERS)
def test_every_text_reads_back_as_it_was(suffix: str, tmp_path: Path) -> None:
    texts = [text for text in DANGEROUS + HARMLESS if not (suffix == ".xlsx" and "\r" in text)]
    wanted = expected(pd.DataFrame({"note": texts}))
    found = READERS[suffix](export(pd.DataFrame({"note": texts}), tmp_path / f"rows{suffix}"), wanted)
    empty = "" if suffix not in (".csv", ".xlsx") else None
    assert found["note"] == [text or empty for text in texts]


def test_every_text_is_a_text_in_excel(tmp_path: Path) -> None:
    texts = DANGEROUS + [text for text in HARMLESS if text]
    book = openpyxl.load_workbook(export(pd.DataFrame({"=1": texts}), tmp_path / "rows.xlsx"))
    (cells,) = book.worksheets[0].iter_cols()
    assert {cell.data_type for cell in cells} == {"s"}
    assert {cell.data_type for row in book["provenance"].iter_rows() for cell in row} == {"s"}
