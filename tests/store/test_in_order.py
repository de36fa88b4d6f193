"""Rows written as they come are the same file in every respect that matters: rows, coverage, digest, what was there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span, subtract, union
from bgresearch.errors import StoreError
from bgresearch.store import Series, Store
from bgresearch.store.atomic_files import Disk
from bgresearch.store.in_order import overlaid_in_order
from bgresearch.store.parquet_file import StreamedDigest, matches

SCHEMA = pa.schema([("time", pa.timestamp("ms", "UTC")), ("trade_id", pa.string()), ("price", pa.float64())])
SERIES = Series("trades", (("market", "spot"), ("symbol", "BTCUSDT")), "time", unique=("trade_id",))
START = 1_788_220_800_000  # 2026-09-01


def rows(*times: int) -> pa.Table:
    stamps = pa.array([START + at for at in times]).cast(SCHEMA.field("time").type)
    return pa.table([stamps, [str(at) for at in times], [float(at) for at in times]], schema=SCHEMA)


def span(start: int, end: int) -> Span:
    return Span(START + start, START + end)


def kept(store: Store, end: int = 1_000_000) -> list[int]:
    table = store.read(SERIES, span(0, end))
    return [] if table is None else [int(text) for text in table.column("trade_id").to_pylist()]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, clock=ManualClock(START + 10**9))


def test_rows_take_the_place_of_those_in_the_span_and_leave_the_others(store: Store) -> None:
    store.write(SERIES, rows(1, 5, 9), [span(0, 10)], source="spot.fills_history")
    parts = [rows(4), rows(6, 7)]
    store.write_in_order(SERIES, parts, [span(4, 8)], schema=SCHEMA, source="archive")
    assert kept(store) == [1, 4, 6, 7, 9]
    assert store.missing(SERIES, span(0, 10)) == ()
    assert store.archived(SERIES, span(0, 10)) == (span(4, 8),)
    assert store.routes(SERIES, span(0, 10)) == ("archive", "spot.fills_history")
    assert [flaw for path in store.files() for flaw in store.inspected(path)] == []
    store.write(SERIES, rows(5), [span(5, 6)], source="spot.fills_history")  # what REST tells later wins
    assert store.archived(SERIES, span(0, 10)) == (span(4, 5), span(6, 8))
    assert kept(store) == [1, 4, 5, 6, 7, 9]
    store.forget(SERIES, span(6, 8))
    assert store.archived(SERIES, span(0, 10)) == (span(4, 5),)


def test_what_is_wrong_leaves_what_was_there(store: Store) -> None:
    store.write(SERIES, rows(1), [span(0, 10)])
    for bad in ([rows(7, 6)], [rows(6), rows(5)], [rows(11)]):
        with pytest.raises(ValueError, match=r"out of order|outside"):
            store.write_in_order(SERIES, bad, [span(4, 8)], schema=SCHEMA, source="archive")

    def broken() -> Iterator[pa.Table]:
        yield rows(5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.write_in_order(SERIES, broken(), [span(4, 8)], schema=SCHEMA, source="archive")
    assert kept(store) == [1]
    assert not list(store.data_dir.rglob("*.tmp"))


def test_a_damaged_file_below_is_set_aside_first(store: Store) -> None:
    store.write(SERIES, rows(1), [span(0, 10)])
    [path] = [store.data_dir / one for one in store.files()]
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(UserWarning, match="set aside"):
        Store(store.data_dir).write_in_order(SERIES, [rows(20)], [span(20, 30)], schema=SCHEMA, source="archive")
    assert Store(store.data_dir).missing(SERIES, span(0, 30)) == (span(0, 20),)


def test_a_full_disk_is_reported_in_words_and_nothing_is_lost(store: Store, tmp_path: Path) -> None:
    class Full(Disk):
        def replace_by(self, path: Path, fill: object) -> None:
            raise StoreError(f"cannot write {path}")

    store.write(SERIES, rows(1), [span(0, 10)])
    full = Store(tmp_path, disk=Full(tmp_path))
    with pytest.raises(StoreError, match="cannot write"):
        full.write_in_order(SERIES, [rows(20)], [span(20, 30)], schema=SCHEMA, source="archive")
    assert kept(store) == [1]


def test_a_changed_value_is_noticed_by_the_digest() -> None:
    table = rows(*range(200))
    digest = StreamedDigest(SCHEMA)
    digest.add(table)
    assert matches(table, digest.text())
    assert not matches(table.slice(0, 199), digest.text())
    assert not matches(rows(*range(199), 200), digest.text())


@given(
    old=st.lists(st.integers(0, 40), unique=True), new=st.lists(st.integers(0, 40), unique=True),
    covered=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 10)), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 40), max_size=3),
)  # fmt: skip
def test_any_rows_over_any_others(
    old: list[int], new: list[int], covered: list[tuple[int, int]], cuts: list[int]
) -> None:
    spans = union(span(start, start + length) for start, length in covered)
    inside = sorted(at for at in new if any(one.start_ms <= START + at < one.end_ms for one in spans))
    outside = [at for at in old if not any(one.start_ms <= START + at < one.end_ms for one in spans)]
    pieces = [rows(*[at for at in inside if low <= at < high]) for low, high in
              zip([0, *sorted(cuts)], [*sorted(cuts), 99], strict=True)]  # fmt: skip
    found = overlaid_in_order("time", iter([rows(*sorted(old))]), pieces, spans)
    assert [int(text) for table in found for text in table.column("trade_id").to_pylist()] == sorted(inside + outside)
    assert subtract(spans, spans) == ()
