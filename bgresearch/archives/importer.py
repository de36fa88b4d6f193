"""Files of the archive into the store: read, checked, written a partition at a time. Nothing doubtful is written.

What a file holds of spans that are stored already is compared with that and never replaces it.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.archives.archive_reader import BOOK_SCHEMA, QUOTE_SCHEMA, TRADE_SCHEMA, read_file
from bgresearch.archives.checks import (
    NO_ROWS,
    CheckedFile,
    ForeignRows,
    Reference,
    checked_books,
    checked_klines,
    checked_trades,
    days_in,
    in_order,
    lacking,
    may_be_empty,
    sorted_trades,
    volumes_of,
)
from bgresearch.archives.container import UnreadableFile
from bgresearch.archives.fetched_files import FOLDER, FetchedFile, remember
from bgresearch.archives.fetcher import Delivered
from bgresearch.core.clock import Clock
from bgresearch.core.spans import Span, iso, subtract, union
from bgresearch.core.thread_pool import ThreadPool
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.store import Series, Store
from bgresearch.store.atomic_files import in_words
from bgresearch.store.coverage import ARCHIVE
from bgresearch.store.parquet_file import times_of, within

FOREIGN = "the file of the archive holds other rows and was set aside"
LAST_PART_FULL = "the last part that the archive has is full, so there is more that it has not"
SHORT = "the trades of the file fall short of the volume of the day"
UNREADABLE = "the file of the archive cannot be read and was set aside"
SCHEMAS = {"klines": CANDLE_SCHEMA, "trades": TRADE_SCHEMA, "quotes": QUOTE_SCHEMA, "books": BOOK_SCHEMA}
_PENDING_BYTES = 1024**3  # of trades on this disk before they are written, though their month is not complete
_PART_ROWS = 100_000  # of every part but the last
_LACKING, _TOLD = 0.01, 1e-6  # shares of a day's volume
_MOST_SORTED_BYTES = 200 * 1024**2  # of a packed month of trades that is not in order

_T = TypeVar("_T")
Alive = Callable[[], None]


@dataclass
class Imported:
    """The result of importing files into the store.

    Attributes
    ----------
    rows, files : int
        Rows stored, files read.
    problems : list of (Span, str)
        What is not stored, and why.
    set_aside : list of (str, str)
        Files that are not believed, or not wholly, by key or path, and why.
    differences : list of str
        Where a file differs from what is stored already, in words.
    """

    rows: int = 0
    files: int = 0
    problems: list[tuple[Span, str]] = field(default_factory=list)
    set_aside: list[tuple[str, str]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


class ArchiveImporter:
    """Imports files of one series into the store.

    Parameters
    ----------
    store : Store
        Where they go.
    clock : Clock
        For the time of fetching.
    series : Series
        What the rows belong to.
    reference : Reference
        What prices are compared with.
    wanted : sequence of Span
        What may be written; the rest is compared with what is stored.
    keep_files : bool
        Whether files are the user's own, and are neither moved nor deleted.
    alive : callable
        Raises where the caller wants the work to end.
    """

    def __init__(
        self, store: Store, clock: Clock, series: Series, reference: Reference, wanted: Iterable[Span], *,
        keep_files: bool = False, alive: Alive = lambda: None,
    ) -> None:  # fmt: skip
        self._store, self._clock, self._series, self._reference = store, clock, series, reference
        self._wanted, self._keep_files, self._alive = union(wanted), keep_files, alive
        self.result = Imported()
        self._pending: list[tuple[pa.Table, tuple[Span, ...]]] = []
        self._entries: list[FetchedFile] = []
        self._fetched_ms = clock.now_ms()

    def run(self, deliveries: Iterable[Delivered], done: Callable[[int], None] = lambda _more: None) -> Imported:
        """Read, check and write files, which come in order of time; return the result.

        Raises
        ------
        StoreError
            The folder cannot be written.
        """
        take = self._take_trades if self._series.name == "trades" else self._take
        waiting: list[Delivered] = []
        for delivered in deliveries:
            self._alive()
            if delivered.problem:
                self._problem(delivered.file.span, delivered.problem)
            else:
                self.result.files += len(delivered.parts)
                waiting = take(waiting, delivered)
            done(1)
        self._finish(waiting)
        return self.result

    def _finish(self, waiting: list[Delivered]) -> None:
        if self._series.name == "trades":
            self._write_trades(waiting, everything=True)
        self._flush()
        remember(self._store, self._entries)
        self._entries = []

    def _problem(self, span: Span, why: str) -> None:
        for part in subtract([span], subtract([span], self._wanted)):
            self.result.problems.append((part, why))

    # candles, quotes and books: a file at a time in memory

    def _take(self, waiting: list[Delivered], delivered: Delivered) -> list[Delivered]:
        file, (info, path) = delivered.file, delivered.parts[0]
        check = checked_klines if file.data == "klines" else checked_books
        try:
            empty = SCHEMAS[file.data].empty_table()
            table = pa.concat_tables([empty, *_numbered(read_file(path, file.data))])
            if not table.num_rows:
                raise UnreadableFile("it has no rows")
            checked: CheckedFile = check(file, table, self._reference)
        except (ForeignRows, UnreadableFile) as error:
            self._set_aside(delivered, error)
            return waiting
        for span, why in checked.problems:
            self._problem(span, why)
        fresh = subtract(checked.covered, subtract(checked.covered, self._wanted))
        if file.data == "klines":
            self._compare(info.key, checked.table, subtract(checked.covered, self._wanted))
            if (
                self._pending
                and self._series.period_at(self._pending[0][1][0].start_ms)[1].end_ms <= file.span.start_ms
            ):
                self._flush()
        rows = [within(checked.table, self._series.time, part) for part in fresh]
        kept = pa.concat_tables([table.slice(0, 0), *rows])
        if fresh:
            self._pending.append((kept, fresh))
        why = next((why for _span, why in checked.problems), "") if checked.foreign else ""
        self.result.rows += kept.num_rows
        self._note(delivered, why, aside=checked.foreign)
        if file.data != "klines":
            self._flush()
        return waiting

    def _flush(self) -> None:
        """Write what is pending."""
        if self._pending:
            table = pa.concat_tables([rows for rows, _covered in self._pending])
            covered = union(span for _rows, spans in self._pending for span in spans)
            self._store.write(self._series, table, covered, source=ARCHIVE)
            self._pending = []
        remember(self._store, self._entries)
        self._entries = []

    def _compare(self, key: str, table: pa.Table, spans: Sequence[Span]) -> None:
        """Name candles that are stored otherwise than they are in a file."""
        for span in spans:
            ours = self._store.read(self._series, span)
            if ours is None:
                continue
            theirs = within(table, self._series.time, span)
            mine, other = times_of(ours, self._series.time), times_of(theirs, self._series.time)
            both, at, there = np.intersect1d(mine, other, return_indices=True)
            different = np.zeros(len(both), dtype=bool)
            for name in table.column_names[1:]:
                different |= ours.column(name).to_numpy()[at] != theirs.column(name).to_numpy()[there]
            if different.any():
                first = iso(int(both[different][0]))
                self.result.differences.append(
                    f"{key}: {int(different.sum())} candles differ from those that are stored, the first at {first}; "
                    "the stored ones stay"
                )

    # trades: streamed, as a month of them does not fit into memory

    def _take_trades(self, waiting: list[Delivered], delivered: Delivered) -> list[Delivered]:
        waiting = [*waiting, delivered]
        self._compare_trades(delivered)
        period = self._series.period_at(waiting[0].file.span.start_ms)[1]
        everything = sum(one.size for one in waiting) > _PENDING_BYTES
        if everything or delivered.file.span.end_ms >= period.end_ms:
            return self._write_trades(waiting, everything=everything)
        return waiting

    def _write_trades(self, waiting: list[Delivered], *, everything: bool) -> list[Delivered]:
        """Write the trades of files, partition by partition; return the files of which a partition is still open."""
        if not waiting:
            return []
        until_ms = end_ms = waiting[-1].file.span.end_ms
        for period in dict.fromkeys(part for one in waiting for _name, part in self._series.periods(one.file.span)):
            if everything or period.end_ms <= end_ms:
                self._write_period(waiting, period)
            else:
                until_ms = min(until_ms, period.start_ms)
        for one in waiting:
            if not one.problem and one.file.span.end_ms <= until_ms:
                self._note(one, "")
                for span, why in one.short:
                    self._problem(span, why)
        remember(self._store, self._entries)
        self._entries = []
        return [one for one in waiting if not one.problem and one.file.span.end_ms > until_ms]

    def _compare_trades(self, delivered: Delivered) -> None:
        """Name trades of a file that are stored otherwise, or not at all where all of them should be."""
        while self._stored_parts(delivered):
            try:
                days = by_day(self._trades_of(delivered))
                parts = [
                    self._compared(rows, span) for day, rows in days for span in self._stored_parts(delivered, day)
                ]
            except _ReadAgain:
                continue  # now its order is known, or where it lacks trades
            except (ForeignRows, UnreadableFile):
                return  # reported when it is read to be written
            self.result.differences += [f"{delivered.file}: {words}; the stored ones stay" for words in parts if words]
            return

    def _stored_parts(self, delivered: Delivered, day: Span | None = None) -> tuple[Span, ...]:
        """Return what of a file, or of one day of it, is stored and not to be written."""
        spans = [part for one in delivered.whole if (part := one.intersect(day or one))]
        kept = [part for span in subtract(spans, self._wanted) for part in self._store.kept(self._series, span)]
        return union(kept)

    def _compared(self, rows: pa.Table, span: Span) -> str:
        """Return in words how trades of a file differ from the stored ones of a span, or ""."""
        stored, theirs = self._store.read(self._series, span), within(rows, "time", span)
        ours = TRADE_SCHEMA.empty_table() if stored is None else stored.select(TRADE_SCHEMA.names).cast(TRADE_SCHEMA)
        if ours.equals(theirs):
            return ""
        both = [
            one.filter(pc.is_in(one.column("trade_id"), value_set=two.column("trade_id"))).sort_by("trade_id")
            for one, two in ((ours, theirs), (theirs, ours))
        ]
        lone = ours.num_rows + theirs.num_rows - sum(table.num_rows for table in both)
        other = np.zeros(both[0].num_rows, dtype=bool)
        for name in TRADE_SCHEMA.names:
            other |= pc.not_equal(*(table.column(name) for table in both)).to_numpy()
        said = [f"{lone} trades of {span} are stored or in the file alone"] if lone else []
        said += [f"{int(other.sum())} trades of {span} differ from those that are stored"] if other.any() else []
        return ", ".join(said)

    def _write_period(self, waiting: list[Delivered], period: Span) -> None:
        while True:
            files = [one for one in waiting if not one.problem and one.file.span.intersect(period)]
            spans = [part for one in files for whole in one.whole if (part := whole.intersect(period))]
            covered = subtract(spans, subtract(spans, self._wanted))
            if not covered:
                return
            counted = _Counted()
            try:
                rows = counted.of(self._trades(files, covered))
                self._store.write_in_order(
                    self._series, rows, covered, schema=TRADE_SCHEMA, source=ARCHIVE, lacking=partial(_short, files)
                )
            except _BadFile as bad:
                self._set_aside(bad.delivered, bad.error)
            except _ReadAgain:
                pass  # now its order is known, or where it lacks trades
            else:
                self.result.rows += counted.rows
                self._wanted = subtract(self._wanted, subtract(covered, _short(files)))
                return
            self._examine(files)

    def _examine(self, files: Sequence[Delivered]) -> None:
        """Read files until all is known of each: if one after the other turned out unfit, each would cost a rewrite."""
        for one in files:
            while not one.problem:
                self._alive()
                try:
                    for _rows in self._trades_of(one):
                        pass
                    break
                except _ReadAgain:
                    continue
                except (ForeignRows, UnreadableFile) as error:
                    self._set_aside(one, error)

    def _trades(self, files: Sequence[Delivered], covered: Sequence[Span]) -> Iterator[pa.Table]:
        """Yield the trades of files that are to be written, clipped to that; the next day is read meanwhile."""
        needed = [one for one in files if any(part.intersect(one.file.span) for part in covered)]
        for delivered, table in read_ahead(self._checked_days(needed)):
            for span in covered:
                if clip := span.intersect(delivered.file.span):
                    yield within(table, "time", clip)

    def _checked_days(self, files: Sequence[Delivered]) -> Iterator[tuple[Delivered, pa.Table]]:
        for delivered in files:
            self._alive()
            try:
                for table in self._trades_of(delivered):
                    yield delivered, table
            except (ForeignRows, UnreadableFile) as error:
                raise _BadFile(delivered, error) from error

    def _judge(self, delivered: Delivered, volumes: Mapping[int, float], parts: Sequence[int], last_ms: int) -> None:
        """Compare the volume of a day's trades with the day's candle: much less means that the last ones lack.

        A last part that is as full as the others is a reason to look closer; where the volume of the day is not known,
        what may follow such a part is a gap. ``parts`` are the rows of each, ``last_ms`` is the second of the last one.
        """
        span = delivered.file.span
        if delivered.file.length != "day" or not volumes:
            self._judge_days(delivered, volumes)
            return
        share = lacking(volumes[span.start_ms], span, self._reference)
        last_full = delivered.file.parts and parts[-1] >= (parts[0] if len(parts) > 1 else _PART_ROWS)
        doubtful = last_full and share is None
        if not delivered.short and (doubtful or (share or 0.0) > (_TOLD if last_full else _LACKING)):
            delivered.short.append((Span(last_ms, span.end_ms), LAST_PART_FULL if last_full else SHORT))
            if last_ms == span.start_ms:
                raise _ReadAgain  # nothing of it is to be written
        if share is not None and abs(share) > _TOLD:
            words = f"{delivered.file}: its trades add up to {1 - share:.4%} of the volume of the daily candle"
            if words not in self.result.differences:
                self.result.differences.append(words)

    def _judge_days(self, delivered: Delivered, volumes: Mapping[int, float]) -> None:
        """Look for days that lack trades, given the volume of each day that has some: of those nothing is believed."""
        if delivered.short:
            return
        for day in days_in(delivered.file.span):
            if day.start_ms in volumes:
                short = (lacking(volumes[day.start_ms], day, self._reference) or 0.0) > _LACKING
            else:
                short = not may_be_empty(day, self._reference, trades=True)
            if short:
                delivered.short.append((day, SHORT if day.start_ms in volumes else NO_ROWS))
        if delivered.short and not volumes:
            raise UnreadableFile("it has no rows")
        if delivered.short:
            raise _ReadAgain

    def _trades_of(self, delivered: Delivered) -> Iterator[pa.Table]:
        """Yield the trades of a file in order, as they come; those that are in no order are sorted in memory.

        The ids of a day ascend, so that each occurs once; over a month only those of one second are compared.
        """
        file, parts = delivered.file, [0] * len(delivered.parts)
        tables: Iterator[pa.Table] = (
            checked_trades(file, rows, self._reference) for rows in _batches(delivered, parts)
        )
        if delivered.sort_whole:
            if delivered.size > _MOST_SORTED_BYTES:
                raise UnreadableFile("it is not in order of time, and too large to be sorted: fetch its days")
            tables = iter([sorted_trades(pa.concat_tables([TRADE_SCHEMA.empty_table(), *tables]))])
        by_id, volumes = file.length == "day", Counter[int]()
        previous: pa.Table | None = None
        held: list[pa.Table] = []  # of the last second so far, which is not complete if more trades lack
        last_ms = 0
        for rows in tables:
            if not delivered.sort_whole and not in_order(rows, after=previous, by_id=by_id):
                delivered.sort_whole = True
                raise _ReadAgain
            volumes.update(volumes_of(rows))
            previous = rows
            times = times_of(rows, "time")
            if (second_ms := int(times[-1]) // 1000 * 1000) != last_ms:
                yield from held
                held, last_ms, first = [], second_ms, int(np.searchsorted(times, second_ms))
                if first:
                    yield rows.slice(0, first)
                rows = rows.slice(first)  # noqa: PLW2901
            held.append(rows)
        self._judge(delivered, volumes, parts, last_ms)
        if not delivered.short or file.length != "day":
            yield from held

    # what becomes of a file

    def _set_aside(self, delivered: Delivered, error: ForeignRows | UnreadableFile) -> None:
        foreign = isinstance(error, ForeignRows)
        delivered.problem = FOREIGN if foreign else UNREADABLE
        self._problem(delivered.file.span, delivered.problem)
        self._note(delivered, str(error), aside=True)

    def _note(self, delivered: Delivered, why: str, *, aside: bool = False) -> None:
        """Remember what was fetched, and put it away."""
        for info, path in delivered.parts:
            place = str(path) if self._keep_files else info.key
            if aside:
                self.result.set_aside.append((place, why))
            if self._keep_files:
                continue
            self._entries.append(
                FetchedFile(info.key, info.length or 0, info.etag, info.modified, info.sha256, self._fetched_ms, why)
            )
            self._put_away(info.key, path, aside=aside)

    def _put_away(self, key: str, path: Path, *, aside: bool) -> None:
        with in_words("move", path):
            if aside:
                folder = self._store.data_dir / FOLDER / "aside"
                folder.mkdir(parents=True, exist_ok=True)
                shutil.move(path, folder / key.replace("/", "__"))
            path.unlink(missing_ok=True)


def _short(files: Sequence[Delivered]) -> list[Span]:
    """Return where files are known to lack rows."""
    return [span for one in files for span, _why in one.short]


def _batches(delivered: Delivered, counts: list[int]) -> Iterator[pa.Table]:
    """Yield the rows of the parts of a file that has some, and add their number to that of the part."""
    for number, (_info, path) in enumerate(delivered.parts):
        for rows in read_file(path, "trades"):
            counts[number] += rows.num_rows
            if rows.num_rows:
                yield rows


def by_day(tables: Iterable[pa.Table]) -> Iterator[tuple[Span, pa.Table]]:
    """Yield trades, which come in order, day by day of files; days without any are passed over."""
    waiting: list[pa.Table] = []
    for table in tables:
        first, last = (int(times_of(table, "time")[place]) for place in (0, -1))
        for day in days_in(Span(first, last + 1)):
            if waiting and int(times_of(waiting[0], "time")[0]) < day.start_ms:
                yield _one_day(waiting)
                waiting = []
            waiting.append(within(table, "time", day))
    if waiting:
        yield _one_day(waiting)


def _one_day(tables: list[pa.Table]) -> tuple[Span, pa.Table]:
    first_ms = int(times_of(tables[0], "time")[0])
    return next(days_in(Span(first_ms, first_ms + 1))), pa.concat_tables(tables).combine_chunks()


def read_ahead(items: Iterator[_T]) -> Iterator[_T]:
    """Yield what comes, while another thread already reads the next: reading and writing alternate otherwise."""
    pool = ThreadPool(1, "bgresearch-read")
    coming = pool.submit(next, items, None)
    try:
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
    finally:
        pool.dismiss()
        wait([coming])


class _BadFile(Exception):
    def __init__(self, delivered: Delivered, error: ForeignRows | UnreadableFile) -> None:
        super().__init__(str(error))
        self.delivered, self.error = delivered, error


class _ReadAgain(Exception):
    """More is known of a file than before: that its rows are in no order, or where some lack."""


class _Counted:
    """Counts the rows that pass."""

    def __init__(self) -> None:
        self.rows = 0

    def of(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        for table in tables:
            self.rows += table.num_rows
            yield table


def _numbered(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield tables with the numbers of their order books counted on from table to table."""
    count = 0
    for table in tables:
        if table.schema == BOOK_SCHEMA and table.num_rows:
            places = table.column("place").to_numpy() + count
            count = int(places.max()) + 1
            table = table.set_column(1, "place", pa.array(places))  # noqa: PLW2901
        yield table
