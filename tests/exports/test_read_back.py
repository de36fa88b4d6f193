"""What is written is what is read, with other people's readers: verbs of the sandbox, and any frame at all."""

from __future__ import annotations

import hashlib
import math
import tempfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.exports import export
from tests.exports.reading import READERS, Columns, expected, provenance

VERBS = ("candles", "fills", "tickers", "symbols", "raw")


def compare(found: Columns, wanted: Columns, suffix: str) -> None:
    assert list(found) == list(wanted)
    no_empty_texts = suffix in (".csv", ".xlsx")  # neither tells them from missing ones
    for name, reported in wanted.items():
        values = [None if value == "" and no_empty_texts else value for value in reported]
        if suffix == ".xlsx":
            assert len(found[name]) == len(values)
            assert all(map(_same_in_excel, found[name], values)), name
        else:
            assert found[name] == values, name


def _same_in_excel(found: object, wanted: object) -> bool:
    """Whether two values are equal to the 15 digits that Excel promises; a new line in a cell is one sign."""
    if isinstance(wanted, float):
        return isinstance(found, float) and math.isclose(found, wanted, rel_tol=1e-15)
    return found == (wanted.replace("\r\n", "\n").replace("\r", "\n") if isinstance(wanted, str) else wanted)


@pytest.mark.quick_cases(8)
@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("verb", VERBS)
def test_what_a_verb_returned_reads_back_equal(
    frames: dict[str, pd.DataFrame], verb: str, suffix: str, tmp_path: Path
) -> None:
    frame = frames[verb]
    written = export(frame, tmp_path / f"rows{suffix}")
    wanted = expected(frame)
    compare(READERS[suffix](written, wanted), wanted, suffix)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("suffix", "read"), [(".parquet", pd.read_parquet), (".feather", pd.read_feather)])
def test_parquet_and_feather_give_the_very_frame_back(
    frames: dict[str, pd.DataFrame], verb: str, suffix: str, read, tmp_path: Path
) -> None:
    back = read(export(frames[verb], tmp_path / f"rows{suffix}"))
    void = [name for name, kind in frames[verb].dtypes.items() if kind == "category" and not len(kind.categories)]
    back = back.astype({name: frames[verb].dtypes[name] for name in void})  # pyarrow does not say no categories of what
    pd.testing.assert_frame_equal(back, frames[verb], check_exact=True)
    assert back.attrs["bgresearch"]["label"] == frames[verb].attrs["bgresearch"]["label"]


def test_candles_in_csv_need_no_more_than_the_plainest_reader(candles: pd.DataFrame, tmp_path: Path) -> None:
    back = pd.read_csv(export(candles, tmp_path / "rows.csv"), index_col="open_time", parse_dates=True)
    assert str(back.index.tz) == "UTC"
    pd.testing.assert_frame_equal(back.set_axis(candles.index, axis=0), candles, check_exact=True)
    assert (back.index == candles.index).all()


def test_whole_numbers_of_a_csv_stay_the_kind_of_number_they_are(tmp_path: Path) -> None:
    frame = pd.DataFrame({"amount": [1.0, -0.0, 4e14], "count": [1, 2, 3], "huge": [1e300, 5e-324, 0.1 + 0.2]})
    back = pd.read_csv(export(frame, tmp_path / "rows.csv"))
    pd.testing.assert_frame_equal(back, frame, check_exact=True)


@pytest.mark.parametrize("suffix", [".csv", ".sqlite", ".duckdb", ".xlsx"])
def test_times_of_another_zone_are_written_as_utc(suffix: str, tmp_path: Path) -> None:
    times = pd.date_range("2026-01-01 08:00", periods=2, freq="h", tz="Asia/Singapore", unit="ms")
    frame = pd.DataFrame({"time": times})
    wanted = expected(pd.DataFrame({"time": times.tz_convert("UTC")}))
    assert wanted["time"][0].isoformat() == "2026-01-01T00:00:00+00:00"
    assert READERS[suffix](export(frame, tmp_path / f"rows{suffix}"), wanted) == wanted


def test_times_without_a_zone_get_none(tmp_path: Path) -> None:
    frame = pd.DataFrame({"time": pd.date_range("2026-01-01", periods=2, freq="500ms", unit="ms")})
    text = export(frame, tmp_path / "rows.csv").read_text("utf-8")
    assert text == "time\n2026-01-01 00:00:00.000\n2026-01-01 00:00:00.500\n"


def test_a_frame_is_not_changed_by_being_written(candles: pd.DataFrame, tmp_path: Path) -> None:
    before, attrs = candles.copy(deep=True), repr(candles.attrs)
    for suffix in READERS:
        export(candles, tmp_path / f"rows{suffix}")
    pd.testing.assert_frame_equal(candles, before)
    assert repr(candles.attrs) == attrs


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".feather", ".sqlite", ".json"])
def test_the_same_rows_make_the_same_bytes(candles: pd.DataFrame, suffix: str, tmp_path: Path) -> None:
    first, second = (export(candles, tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("suffix", [*READERS, ".json"])
def test_a_file_says_where_its_rows_come_from(candles: pd.DataFrame, suffix: str, tmp_path: Path) -> None:
    reported = provenance(export(candles, tmp_path / f"rows{suffix}"))
    source = candles.attrs["bgresearch"]
    assert {name: reported[name] for name in source} == source
    assert reported["rows"] == len(candles)
    assert reported["made_by"].startswith("bgresearch/")
    assert "UTC" in reported["times"]


def test_the_file_next_to_a_csv_names_its_digest(candles: pd.DataFrame, tmp_path: Path) -> None:
    written = export(candles, tmp_path / "rows.csv")
    reported = provenance(written)
    assert reported["sha256"] == hashlib.sha256(written.read_bytes()).hexdigest()
    assert reported["file"] == "rows.csv"


def test_names_in_two_levels_are_kept_by_parquet_and_joined_elsewhere(candles: pd.DataFrame, tmp_path: Path) -> None:
    panel = pd.concat({"BTC": candles[["close"]], "ETH": candles[["open"]]}, axis=1)
    back = pd.read_parquet(export(panel, tmp_path / "rows.parquet"))
    pd.testing.assert_frame_equal(back, panel)
    assert list(pd.read_csv(export(panel, tmp_path / "rows.csv"))) == ["open_time", "BTC.close", "ETH.open"]


def test_an_excel_sheet_has_times_that_excel_knows(candles: pd.DataFrame, tmp_path: Path) -> None:
    back = pd.read_excel(
        export(candles, tmp_path / "rows.xlsx"), sheet_name="candles", index_col="open_time", engine="openpyxl"
    )
    assert (pd.DatetimeIndex(back.index).tz_localize("UTC") == candles.index).all()


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("=+-@'\",;\n\r\t"))
SIDES = pd.Index(["buy", "sell", "=1"], dtype="str")
UTC_MS = pd.DatetimeTZDtype("ms", "UTC")
TIMES = st.integers(0, 4_102_444_800_000)  # until 2100


def columns(length: int) -> st.SearchStrategy[pd.DataFrame]:
    """Every kind of column that a verb may have."""

    def many(one: st.SearchStrategy) -> st.SearchStrategy:
        return st.lists(st.none() | one, min_size=length, max_size=length)

    made = {
        "row": st.just(np.arange(length, dtype="int64")),  # a line of nothing but missing values is none in Excel
        "number": many(st.floats(allow_nan=False)).map(lambda values: np.array(values, dtype="float64")),
        "count": many(st.integers(-(2**63), 2**63 - 1)).map(lambda values: pd.array(values, dtype="Int64")),
        "flag": many(st.booleans()).map(lambda values: pd.array(values, dtype="boolean")),
        "note": many(TEXTS).map(lambda values: pd.array(values, dtype="str")),
        "side": many(st.sampled_from(list(SIDES))).map(lambda values: pd.Categorical(values, SIDES)),
        "time": many(TIMES).map(lambda values: pd.DatetimeIndex(pd.array(values, dtype="Int64").astype(UTC_MS))),
    }  # fmt: skip
    return st.fixed_dictionaries(made).map(pd.DataFrame)


FRAMES = st.integers(0, 8).flatmap(columns)


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("suffix", READERS)
@settings(max_examples=15)
@given(frame=FRAMES, indexed=st.booleans())
def test_any_frame_reads_back_equal(suffix: str, frame: pd.DataFrame, indexed: bool) -> None:
    frame = frame.set_index("time") if indexed else frame
    wanted = expected(frame)
    with tempfile.TemporaryDirectory() as folder:
        found = READERS[suffix](export(frame, Path(folder) / f"rows{suffix}"), wanted)
    compare(found, wanted, suffix)


@settings(max_examples=15)
@given(frame=st.integers(1, 8).flatmap(columns))  # without rows, Parquet forgets which categories there are
def test_parquet_keeps_every_type(frame: pd.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        back = pd.read_parquet(export(frame, Path(folder) / "rows.parquet"))
    pd.testing.assert_frame_equal(back, frame, check_exact=True)


@pytest.mark.parametrize("number", [1.7976931348623157e308, -1.2e308])
def test_what_excel_calls_too_large_for_a_number_is_text_there(number: float, tmp_path: Path) -> None:
    written = export(pd.DataFrame({"number": [number, 9e307]}), tmp_path / "rows.xlsx")
    cells = [cell.value for cell in openpyxl.load_workbook(written)["data"]["A"][1:]]
    assert cells == [str(number), 9e307]
