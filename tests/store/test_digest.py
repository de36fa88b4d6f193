"""Digests of rows: the same for the same rows however Arrow cuts them, another for any other rows."""

from __future__ import annotations

import io
import shutil
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.core.spans import Span
from bgresearch.store import Series, Store, digest_of
from bgresearch.store import parquet_file as kinds
from bgresearch.store import parquet_file as partition

SERIES = Series("fills", (), "time", unique=("id",))
SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ms", "UTC")),
        ("id", pa.string()),
        ("role", pa.string()),
        ("price", pa.float64()),
        ("open", pa.bool_()),
    ]
)
OLD = Path(__file__).parents[1] / "vectors" / "partition_format_1.parquet"
ROWS: list[tuple[object, ...]] = [
    (1_000, "a", "maker", 1.5, True),
    (2_000, "ü", None, None, None),
    (3_000, "c", "", -0.0, False),
]
numbers = st.none() | st.floats(allow_nan=False)
row = st.tuples(
    st.integers(0, 2**40), st.text(max_size=3), st.none() | st.text(max_size=3), numbers, st.none() | st.booleans()
)
rows = st.lists(row, max_size=8)


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, one, strict=True)) for one in rows], SCHEMA)


@given(rows, st.lists(st.integers(0, 8), max_size=3))
def test_chunks_and_slices_change_no_digest(rows: list[tuple[object, ...]], cuts: list[int]) -> None:
    table = table_of(rows)
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    padded = pa.concat_tables([table.slice(0, 1), table, table.slice(0, 1)])
    whole = padded.combine_chunks().slice(min(1, len(rows)), len(rows))
    pieces = [whole.slice(start, end - start) for start, end in pairwise(edges)]
    cut = pa.concat_tables([SCHEMA.empty_table(), *pieces])
    assert digest_of(cut) == digest_of(table)


@given(rows, rows)
def test_other_rows_have_another_digest(one: list[tuple[object, ...]], other: list[tuple[object, ...]]) -> None:
    same = repr(one) == repr(other)
    assert (digest_of(table_of(one)) == digest_of(table_of(other))) == same


def test_a_null_a_text_that_is_empty_and_a_border_that_moved_are_distinguished() -> None:
    texts = [["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None], [None, "abc"]]
    assert len({digest_of(pa.table({"id": pa.array(two, pa.string())})) for two in texts}) == len(texts)


def test_rows_beyond_the_first_slice_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_AT_ONCE", 2)
    assert digest_of(pa.table({"a": [1, 2, 3]})) != digest_of(pa.table({"a": [1, 2, 4]}))


def old_store(folder: Path) -> Store:
    """Return a store of one file as it was written before digests went over buffers."""
    (folder / "fills").mkdir()
    shutil.copy(OLD, folder / "fills" / "1970-01.parquet")
    return Store(folder)


def test_files_of_format_1_are_read_and_their_digest_is_compared(tmp_path: Path) -> None:
    store = old_store(tmp_path)
    table, ledger = partition.decode(io.BytesIO(OLD.read_bytes()), SERIES, deep=True)
    assert ":" not in ledger.checksum
    assert table == table_of(ROWS)
    assert store.read(SERIES, Span(0, 4_000)) == table_of(ROWS)
    forged = table_of([*ROWS[:2], (3_000, "c", None, -0.0, False)])
    assert not kinds.matches(forged, ledger.checksum)


def test_a_file_of_format_1_that_is_written_again_has_the_newer_digest(tmp_path: Path) -> None:
    store = old_store(tmp_path)
    store.write(SERIES, table_of([(5_000, "b", "taker", 2.0, True)]), [Span(4_000, 6_000)])
    with (tmp_path / "fills" / "1970-01.parquet").open("rb") as file:
        table, ledger = partition.decode(file, SERIES, deep=True)
    assert table == table_of([*ROWS, (5_000, "b", "taker", 2.0, True)])
    assert ledger.checksum == digest_of(table)
    assert ledger.covered == (Span(0, 6_000),)


@given(st.integers(0, 40), st.integers(0, 3), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 8)), max_size=3))
def test_new_rows_replace_the_old_ones_within_their_spans_alone(
    many: int, each: int, covered: list[tuple[int, int]]
) -> None:
    spans = [Span(start, start + length) for start, length in covered]

    def within(at: int) -> bool:
        return any(span.start_ms <= at < span.end_ms for span in spans)

    old = sorted((place * 7 % 31, f"{place:02}", None, 1.0, True) for place in range(many))
    new = [(at, f"n{place}", "", 2.0, None) for place in range(each) for at in range(31) if within(at)]
    merged = partition.overlaid(SERIES, table_of(list(old)), table_of([*new, *new]), spans)
    expected = sorted([*(one for one in old if not within(one[0])), *new], key=lambda one: one[:2])
    assert merged.to_pylist() == table_of(list(expected)).to_pylist()
