"""What recordings, lists and archives need of the store: days, what is known, locks, columns that came later."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow as pa
import pytest

from bgresearch.catalogue.value_types import TIME
from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span
from bgresearch.store import Gap, Series, Store

DAY_MS = 86_400_000
JAN_MS = 1_704_067_200_000  # 2024-01-01


@pytest.fixture
def recording() -> Series:
    return Series("recorded", (("symbol", "BTCUSDT"), ("every", "5m")), "time")


def rows(*times: int, **columns: object) -> pa.Table:
    names = {"time": pa.array(times, pa.int64()).cast(TIME)}
    return pa.table(names | {name: pa.array([value] * len(times)) for name, value in columns.items()})


def test_a_recording_lies_in_days(store: Store, recording: Series) -> None:
    span = Span(JAN_MS, JAN_MS + 3 * DAY_MS)
    store.write(recording, rows(JAN_MS, JAN_MS + DAY_MS, JAN_MS + 2 * DAY_MS, value=1.0), [span])
    names = sorted(path.name for path in (store.data_dir / recording.folder).iterdir())
    assert names == ["2024-01-01.parquet", "2024-01-02.parquet", "2024-01-03.parquet"]
    read = store.read(recording, Span(JAN_MS + 1, span.end_ms))
    assert read is not None
    assert read.num_rows == 2


def test_what_is_known_is_reported_over_all_partitions_and_rows_are_counted(store: Store, recording: Series) -> None:
    assert (store.known(recording), store.count(recording)) == ((), 0)
    first, last = Span(JAN_MS, JAN_MS + DAY_MS + 5), Span(JAN_MS + 40 * DAY_MS, JAN_MS + 41 * DAY_MS)
    store.write(recording, rows(JAN_MS, JAN_MS + DAY_MS, value=1.0), [first])
    missed = Span(last.end_ms, last.end_ms + 60_000)
    store.write(recording, rows(last.start_ms, value=1.0), [last], [Gap(missed, "no connection", missed.end_ms)])
    assert store.known(recording) == (first, Span(last.start_ms, missed.end_ms))
    assert store.count(recording) == 3


def test_a_cause_of_a_recording_survives_the_file(store: Store, recording: Series, tmp_path: Path) -> None:
    span = Span(JAN_MS, JAN_MS + 60_000)
    empty = rows(value=1.0).slice(0, 0)
    for cause in ("no connection", "too many requests", "maintenance", "refused", "late"):
        store.write(recording, empty, [], [Gap(span, cause, JAN_MS)])  # type: ignore[arg-type]
        assert [gap.cause for gap in Store(store.data_dir).gaps(recording, span)] == [cause]


def test_a_column_that_came_later_is_missing_in_older_rows_and_none_is_lost(store: Store, recording: Series) -> None:
    one, two = Span(JAN_MS, JAN_MS + 1), Span(JAN_MS + 5, JAN_MS + 6)
    store.write(recording, rows(JAN_MS, old="a"), [one])
    store.write(recording, rows(JAN_MS + 5, new=2.0), [two])
    read = store.read(recording, Span(JAN_MS, JAN_MS + DAY_MS))
    assert read is not None
    pairs = [(row.get("old"), row.get("new")) for row in read.to_pylist()]
    assert pairs == [("a", None), (None, 2.0)]


def test_whoever_holds_a_series_alone_keeps_the_others_waiting(store: Store, recording: Series) -> None:
    other, order = Store(store.data_dir), []

    def second() -> None:
        with other.alone(recording):
            order.append("second")

    with store.alone(recording):
        thread = threading.Thread(target=second)
        thread.start()
        store.write(recording, rows(JAN_MS, value=1.0), [Span(JAN_MS, JAN_MS + 1)])  # plain writing goes on
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_small_file_is_replaced_whole_and_private_where_it_must_be(store: Store, clock: ManualClock) -> None:
    for name, private, mode in (("snapshots/a", False, None), ("account/1/snapshots/a", True, 0o600)):
        assert store.read_file(name) is None
        for data in (b"long before", b"now"):
            store.replace_file(name, data, private=private)
        assert store.read_file(name) == b"now"
        if mode is not None:
            assert (store.data_dir / name).stat().st_mode & 0o777 == mode
