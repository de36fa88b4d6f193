"""Write, ask what is missing, read; damage is set aside, refusals leave the old file and say what to do."""

from __future__ import annotations

import errno
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import filelock
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgresearch.core.clock import ManualClock
from bgresearch.core.spans import Span, subtract, union
from bgresearch.errors import ConfigurationError, StoreError
from bgresearch.store import Gap, LostRows, Series, Store, StoreWarning
from bgresearch.store import parquet_file as partition
from bgresearch.store.atomic_files import Disk, LockWarning

JAN_MS = 1_704_067_200_000
DAY_MS = 86_400_000
MONTH_MS = 31 * DAY_MS
Minutes = Callable[..., pa.Table]


def hours(start: int, end: int) -> Span:
    return Span(JAN_MS + start * 3_600_000, JAN_MS + end * 3_600_000)


def file_of(store: Store) -> Path:
    return next(store.data_dir.rglob("*.parquet"))


def test_what_was_written_is_read_and_no_longer_missing(store: Store, series: Series, minutes: Minutes) -> None:
    store.write(series, minutes(hours(2, 5)), [hours(2, 5)], source="spot.candles")
    assert store.missing(series, hours(0, 24)) == (hours(0, 2), hours(5, 24))
    assert store.read(series, hours(3, 4)) == minutes(hours(3, 4))
    assert store.routes(series, hours(0, 24)) == ("spot.candles",)


def test_a_span_over_two_months_lands_in_two_files_and_reads_as_one(
    store: Store, series: Series, minutes: Minutes
) -> None:
    span = Span(JAN_MS + MONTH_MS - DAY_MS, JAN_MS + MONTH_MS + DAY_MS)
    store.write(series, minutes(span), [span])
    assert sorted(path.name for path in store.data_dir.rglob("*.parquet")) == ["2024-01.parquet", "2024-02.parquet"]
    read = store.read(series, span)
    assert read is not None
    assert read.combine_chunks() == minutes(span)


def test_newer_rows_replace_older_ones_within_what_they_cover(store: Store, series: Series, minutes: Minutes) -> None:
    store.write(series, minutes(hours(0, 4)), [hours(0, 4)])
    store.write(series, minutes(hours(1, 2), 500.0), [hours(1, 3)])
    read = store.read(series, hours(0, 4))
    assert read is not None
    assert read.num_rows == 180  # the third hour turned out to be empty
    assert read.slice(60, 60).combine_chunks() == minutes(hours(1, 2), 500.0)


def test_a_gap_is_known_with_its_cause_and_asked_no_more(store: Store, series: Series, minutes: Minutes) -> None:
    gap = Gap(hours(1, 2), "exchange has none", 7)
    rows = pa.concat_tables([minutes(hours(0, 1)), minutes(hours(2, 3))])
    store.write(series, rows, [hours(0, 3)], [gap])
    assert store.missing(series, hours(0, 3)) == ()
    assert store.gaps(series, hours(0, 3)) == (gap,)
    assert store.gaps(series, Span(hours(1, 2).start_ms + 1, hours(1, 2).end_ms))[0].span.start_ms == JAN_MS + 3_600_001


def test_a_gap_is_due_from_the_instant_of_its_next_check_on(
    store: Store, series: Series, minutes: Minutes, clock: ManualClock
) -> None:
    gap = Gap(hours(1, 2), "exchange has none", 7, again_ms=clock.now_ms() + 1)
    store.write(series, minutes(hours(0, 1)), [hours(0, 2)], [gap])
    assert store.due(series, hours(0, 2)) == ()
    clock.sleep(0.001)
    assert store.due(series, hours(0, 2)) == (gap,)
    assert store.due(series, hours(0, 1)) == ()


def test_what_lies_before_the_listing_costs_one_file_not_a_hundred(
    store: Store, series: Series, minutes: Minutes
) -> None:
    decade = Span(JAN_MS - 3650 * DAY_MS, JAN_MS)
    store.write(series, minutes(hours(0, 1)), [hours(0, 1)], [Gap(decade, "before listing", 1)])
    assert len(list(store.data_dir.rglob("*.parquet"))) == 1
    assert store.missing(series, Span(decade.start_ms, decade.start_ms + DAY_MS)) == ()
    assert store.gaps(series, decade) == (Gap(decade, "before listing", 1),)


def test_rows_outside_what_is_claimed_are_refused(store: Store, series: Series, minutes: Minutes) -> None:
    with pytest.raises(ValueError, match="outside the covered"):
        store.write(series, minutes(hours(0, 2)), [hours(0, 1)])
    assert store.missing(series, hours(0, 2)) == (hours(0, 2),)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 40)), min_size=1, max_size=5))
def test_any_order_of_writes_ends_in_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, series: Series, minutes: Minutes, parts: list[tuple[int, int]]
) -> None:
    store = Store(tmp_path_factory.mktemp("data"))
    spans = [hours(start, start + length) for start, length in parts]
    for span in spans:
        store.write(series, minutes(span), [span])
    whole = hours(0, 1600)
    assert store.missing(series, whole) == subtract([whole], spans)
    read = store.read(series, whole)
    assert read is not None
    assert read.combine_chunks() == pa.concat_tables([minutes(span) for span in union(spans)]).combine_chunks()


def damages() -> list[tuple[str, Callable[[bytes], bytes]]]:
    return [
        ("cut short", lambda data: data[: len(data) // 2]),
        ("empty", lambda _data: b""),
        ("a changed ledger", lambda data: data.replace(b'"rows":', b'"rOws":')),
        ("not Parquet", lambda _data: b"<html>"),
    ]


@pytest.mark.parametrize(("_name", "damage"), damages())
def test_a_damaged_file_is_set_aside_said_and_missing_again(
    store: Store, series: Series, minutes: Minutes, _name: str, damage: Callable[[bytes], bytes]
) -> None:
    store.write(series, minutes(hours(0, 24)), [hours(0, 24)])
    path = file_of(store)
    bad = damage(path.read_bytes())
    path.write_bytes(bad)
    said = r"is damaged .* set aside as 2024-01\.parquet\.damaged-2024"
    with pytest.warns(StoreWarning, match=said), pytest.raises(LostRows, match=r"\.damaged-2024") as caught:
        store.read(series, hours(0, 24))
    assert caught.value.missing
    assert store.missing(series, hours(0, 24)) == (hours(0, 24),)
    aside = [one for one in path.parent.iterdir() if ".damaged-" in one.name]
    assert [one.read_bytes() for one in aside] == [bad]
    store.write(series, minutes(hours(0, 24)), [hours(0, 24)])
    assert store.read(series, hours(0, 24)) == minutes(hours(0, 24))


def test_wrong_rows_under_right_checksums_of_pages_are_found_when_merging(
    store: Store, series: Series, minutes: Minutes, tmp_path: Path
) -> None:
    store.write(series, minutes(hours(0, 24)), [hours(0, 24)])
    other = Store(tmp_path / "other")
    other.write(series, minutes(hours(0, 24), 555.0), [hours(0, 24)])
    with file_of(store).open("rb") as mine, file_of(other).open("rb") as theirs:
        ledger = partition.read_ledger(mine)
        table, _ = partition.decode(theirs, series)
    forged = table.replace_schema_metadata({partition.KEY: ledger.to_json()})
    pq.write_table(forged, file_of(store))
    with pytest.warns(StoreWarning, match="digest of the rows"):
        store.write(series, minutes(hours(24, 25)), [hours(24, 25)])
    assert store.missing(series, hours(0, 25)) == (hours(0, 24),)


def test_a_flipped_bit_anywhere_never_becomes_a_wrong_row(store: Store, series: Series, minutes: Minutes) -> None:
    store.write(series, minutes(hours(0, 24)), [hours(0, 24)])
    path, rows = file_of(store), minutes(hours(0, 24))
    good = path.read_bytes()
    lost: list[tuple[Span, ...]] = []
    for place in range(3, len(good), 23):
        path.write_bytes(good[:place] + bytes([good[place] ^ 16]) + good[place + 1 :])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StoreWarning)
            try:
                assert Store(store.data_dir).read(series, hours(0, 24)) == rows, place
            except LostRows as error:
                lost.append(error.missing)
        for aside in path.parent.glob("*.damaged-*"):
            aside.unlink()
    assert all(lost)
    assert len(lost) > 100


class FullDisk(Disk):
    """Takes so many bytes and no more."""

    space = 10**9

    def write(self, file: BinaryIO, data: bytes) -> None:
        file.write(data[: self.space])
        if len(data) > self.space:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(
    tmp_path: Path, series: Series, minutes: Minutes, clock: ManualClock
) -> None:
    disk = FullDisk(tmp_path)
    store = Store(tmp_path, clock=clock, disk=disk)
    store.write(series, minutes(hours(0, 1)), [hours(0, 1)])
    before = file_of(store).read_bytes()
    disk.space = 500
    with pytest.raises(StoreError, match=r"cannot write .*2024-01\.parquet: No space left.*free some space"):
        store.write(series, minutes(hours(1, 9)), [hours(1, 9)])
    assert file_of(store).read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, series: Series, minutes: Minutes) -> None:
    (tmp_path / "data").write_text("in the way")
    store = Store(tmp_path / "data")
    with pytest.raises(StoreError, match=r"data.* choose another folder"):
        store.write(series, minutes(hours(0, 1)), [hours(0, 1)])


def test_what_a_killed_writer_left_is_swept(store: Store, series: Series, minutes: Minutes) -> None:
    store.write(series, minutes(hours(0, 1)), [hours(0, 1)])
    stale = file_of(store).with_name(".2024-01.parquet.4242.dead.tmp")
    stale.write_bytes(b"half")
    store.write(series, minutes(hours(1, 2)), [hours(1, 2)])
    assert not stale.exists()


def test_two_exchanges_never_share_a_folder(store: Store, series: Series, minutes: Minutes) -> None:
    store.write(series, minutes(hours(0, 1)), [hours(0, 1)])
    other = Store(store.data_dir, host="loopback")
    with pytest.raises(ConfigurationError, match=r"holds data of https://api\.bitget\.com, not of loopback"):
        other.write(series, minutes(hours(1, 2)), [hours(1, 2)])
    with pytest.raises(ConfigurationError, match="another folder"):
        other.check_host()


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_account_data_is_for_its_owner_only(tmp_path: Path, minutes: Minutes) -> None:
    store = Store(tmp_path / "data")
    (tmp_path / "data" / "account" / "123").mkdir(parents=True, mode=0o755)  # laxer, from before
    private = Series("account/123/fills", (("market", "spot"),), "open_time", private=True)
    old = os.umask(0)
    try:
        store.write(private, minutes(hours(0, 1)), [hours(0, 1)])
        store.edit_private("account/keys.json", lambda text: text or b"{}")
    finally:
        os.umask(old)
    files = [path for path in (tmp_path / "data" / "account").rglob("*") if path.is_file()]
    folders = [path for path in (tmp_path / "data" / "account").rglob("*") if path.is_dir()]
    folders.append(tmp_path / "data" / "account")
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_rows_that_share_their_time_are_kept_apart_by_what_is_unique(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fills = Series("fills", (), "time", unique=("fill_id",))
    table = pa.table({"time": pa.array([JAN_MS] * 3, pa.timestamp("ms", "UTC")), "fill_id": ["b", "a", "b"]})
    store.write(fills, table, [hours(0, 1)])
    read = store.read(fills, hours(0, 1))
    assert read is not None
    assert read.column("fill_id").to_pylist() == ["a", "b"]
    latest = store.latest(fills)
    assert latest is not None
    assert latest.num_rows == 2


def test_reading_writes_nothing(store: Store, series: Series, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        assert store.read(series, hours(0, 1)) is None
        assert store.missing(series, hours(0, 1)) == (hours(0, 1),)
    assert not store.data_dir.exists()


def test_a_lock_that_another_process_holds_is_named_after_a_while(tmp_path: Path) -> None:
    path = tmp_path / "fills" / "2024-01.parquet"
    other = Disk(tmp_path, patience_s=0.01)
    said = pytest.raises(StoreError, match=r"2024-01\.parquet was locked by another process for 0\.01 s\.")
    with Disk(tmp_path).locked(path), said as caught, other.locked(path):
        raise AssertionError("nobody else gets in")
    assert caught.value.hint == "End it, or wait for it."
    with other.locked(path):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP])
def test_a_file_system_without_locks_is_said_once_and_a_file_takes_their_place(tmp_path: Path, code: int) -> None:
    class Refused(filelock.FileLock):
        def acquire(self, *_: object, **__: object) -> None:  # type: ignore[override]
            raise OSError(code, os.strerror(code))

    disk, other = (Disk(tmp_path, patience_s=0.01, make_lock=Refused) for _ in range(2))
    path, busy = tmp_path / "a" / "x.parquet", StoreError("busy")
    with warnings.catch_warnings(record=True, action="always") as caught:
        with disk.locked(path), pytest.raises(StoreError, match="locked by another process"), other.locked(path):
            pass
        with (
            disk.locked_by_name("walk", busy),
            pytest.raises(StoreError, match="busy"),
            other.locked_by_name("walk", busy),
        ):
            pass
        with other.locked(path):
            pass
    assert [warning.category for warning in caught] == [LockWarning]
    assert "has no locks" in str(caught[0].message)
