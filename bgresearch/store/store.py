"""The store: which spans are missing, read them, replace one partition at a time. Never talks to the exchange.

Readers take no lock and see either the old file or the new one. Writers of the same partition wait for each other and
read it again under the lock, so that two processes lose nothing. A damaged file is set aside, never deleted.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.core.clock import Clock, SystemClock
from bgresearch.core.intervals import HOUR_MS
from bgresearch.core.spans import Span, subtract, union
from bgresearch.core.user_folders import expanded
from bgresearch.errors import ConfigurationError, StoreError
from bgresearch.store import parquet_file as partition
from bgresearch.store.atomic_files import Disk, matching, names_in, reading
from bgresearch.store.coverage import NEVER_MS, Gap, Ledger, explained
from bgresearch.store.in_order import overlaid_in_order
from bgresearch.store.integrity import PRIVATE, Flaw, files_of, inspect
from bgresearch.store.layout import WHOLE, NewerFormat, Series, check_format
from bgresearch.store.lost_rows import Lost, LostRows, damaged, lost_below, lost_in, refusal

_MARKER = ".bgresearch.json"
_MARKER_FORMAT = 1
_A_FEW = 8  # rows that are less than an eighth of a file are a few: adding them should be quick
_ROWS_READ_WHOLE = 1_000_000  # before they are copied; of more, only the checksums of the pages are compared
_ROUNDS = 3  # a partition found damaged while reading is fetched again, so often
_READERS = 4  # files read at the same time; Arrow and the digest let go of the interpreter
_P = TypeVar("_P")
_T = TypeVar("_T")
_FileMark = tuple[int, int, int, int]


class StoreWarning(UserWarning):
    """Something in the store was healed; the message says what."""


class Store:
    """Parquet partitions below one folder.

    Parameters
    ----------
    data_dir : Path
        The folder; made when first written to.
    host : str
        The exchange the rows come from, and its environment. A folder belongs to one for ever; empty means "do not
        look".
    clock : Clock
        Gives the time of gaps and fetches.
    disk : Disk
        The file system; tests hand in one that is full.
    pin : str
        Name and digest if it is a pin: nothing is written then, and damage is an error instead of being healed.
    """

    def __init__(
        self, data_dir: Path | str, *, host: str = "", clock: Clock | None = None, disk: Disk | None = None,
        pin: str = "",
    ) -> None:  # fmt: skip
        self.data_dir = expanded(data_dir).absolute()
        self.host = host
        self._clock = clock or SystemClock()
        self._disk = disk or Disk(self.data_dir)
        self._marked, self.pin = False, pin
        self._verified: set[_FileMark | None] = set()
        self._rested: dict[Path, int] = {}
        self._ledgers_read: dict[Path, tuple[_FileMark, Ledger]] = {}

    @property
    def place(self) -> str:
        """Where the data is, for a person."""
        return str(self.data_dir)

    @property
    def frozen_by(self) -> str:
        """The argument of `connect` that makes it a store to read only; empty if it is none."""
        return "pin=" if self.pin else ""

    def files(self) -> list[Path]:
        """Return every partition, below the folder."""
        found = files_of(self.data_dir) if self.data_dir.is_dir() else []
        return [path.relative_to(self.data_dir) for path in found]

    def check(self, paths: Sequence[Path]) -> None:
        """Read files whole and compare their digests, each once unless it changes; set nothing aside.

        For tools that read the files themselves and compare no checksums.

        Raises
        ------
        StoreError
            One is damaged, or cannot be read now.
        """

        def look(path: Path) -> None:
            mark = _mark_of(path)
            if mark in self._verified and mark is not None:
                return
            for left in (True, False):
                try:
                    self._opened(path, partition.decode_any)
                    break
                except partition.DamagedFile as cause:
                    if not left:
                        if self.frozen_by:
                            self._set_aside(path, cause)
                        raise damaged(path, cause) from cause
            self._verified.add(mark)

        side_by_side(look, paths)

    def inspected(self, path: Path) -> tuple[Flaw, ...]:
        """Return what is wrong with one of `files`; reads it whole."""
        return inspect(self.data_dir, self.data_dir / path)

    def missing(self, series: Series, span: Span) -> tuple[Span, ...]:
        """Return the parts of the span that are not known; reads footers only."""
        known: list[Span] = []
        for ledger in self._ledgers(series, span):
            known += ledger.known()
        return subtract([span], known)

    def gaps(self, series: Series, span: Span) -> tuple[Gap, ...]:
        """Return the gaps within the span, clipped to it; reads footers only."""
        found = [gap for ledger in self._ledgers(series, span) for gap in ledger.gaps]
        clipped = [(gap.span.intersect(span), gap) for gap in found]
        rows = partial(self._has_rows, series)
        return tuple(sorted(explained(gap._replace(span=part), rows) for part, gap in clipped if part))

    def _has_rows(self, series: Series, *, before_ms: int = -NEVER_MS, after_ms: int = NEVER_MS) -> bool:
        """Return whether a row older than an instant is stored, or one at or after another; reads footers only."""
        names = sorted(self._names(series), reverse=after_ms < NEVER_MS)
        return any(
            part.start_ms < before_ms or part.end_ms > after_ms
            for path in self._paths(series, names) if (ledger := self._ledger(path)) is not None
            for part in ledger.whole()
        )  # fmt: skip

    def reopen(self, series: Series, span: Span) -> None:
        """Forget that parts of a span are before the listing where older rows contradict that."""
        for path in self._paths(series, [name for name, _period in self._present(series, span)]):
            ledger = self._ledger(path)
            listed = [gap for gap in ledger.gaps if gap.cause == "before listing"] if ledger else []
            if not any(self._has_rows(series, before_ms=gap.span.end_ms) for gap in listed):
                continue
            with self._disk.locked(path):
                current = self._read_sound(path, lambda file: partition.decode(file, series), locked=True)
                if current is not None:
                    data = partition.encode(series, current[0], current[1].without_listing())
                    self._disk.replace(path, data, private=series.private)

    def due(self, series: Series, span: Span) -> tuple[Gap, ...]:
        """Return the gaps that touch the span and about which to ask again; reads footers only."""
        now = self._clock.now_ms()
        if now < self._rested.get(series.folder, 0):
            return ()
        found = [gap for ledger in self._ledgers(series, span) for gap in ledger.gaps if gap.again_ms <= now]
        return tuple(gap for gap in found if gap.span.intersect(span))

    def rest(self, series: Series) -> None:
        """Check no gap of a series again for an hour, as the exchange did not respond. Only this process remembers."""
        self._rested[series.folder] = self._clock.now_ms() + HOUR_MS

    def kept(self, series: Series, span: Span) -> tuple[Span, ...]:
        """Return the parts of the span in which no row is absent; reads footers only."""
        whole = [part for ledger in self._ledgers(series, span) for part in ledger.whole()]
        return union(part for each in whole if (part := each.intersect(span)))

    def known(self, series: Series) -> tuple[Span, ...]:
        """Return every span about which nothing needs to be asked; reads footers only."""
        return union(span for ledger in self._all_ledgers(series) for span in ledger.known())

    def count(self, series: Series) -> int:
        """Return how many rows a series has; reads footers only."""
        return sum(ledger.rows for ledger in self._all_ledgers(series))

    def routes(self, series: Series, span: Span) -> tuple[str, ...]:
        """Return the ids of the endpoints that the rows of the touched partitions came from."""
        return tuple(sorted({route for ledger in self._ledgers(series, span) for route in ledger.sources}))

    def read(self, series: Series, span: Span) -> pa.Table | None:
        """Return the rows within the span in order, or None if there is no partition.

        Raises
        ------
        LostRows
            A partition is damaged and was set aside with a warning; ``missing`` names its spans from now on.
        StoreError
            A file cannot be read now; nothing was changed.
        """
        paths = self._paths(series, [name for name, _period in self._present(series, span)])
        with reading(self._folder(series)):
            if (whole := self._read_again(paths, series)) is not None:
                return partition.within(whole, series.time, span)
            aside: list[Path] = []

            def rows_of(path: Path) -> pa.Table | None:
                read = self._read_sound(path, lambda file: self._decoded(file, series), aside=aside)
                return None if read is None else partition.within(read[0], series.time, span)

            parts = [part for part in side_by_side(rows_of, paths) if part is not None]
            if aside:
                lost = self.lost(series, span)
                raise refusal(lost or [Lost(span, path) for path in aside])
            if not parts:
                return None
            return parts[0] if len(parts) == 1 else partition.joined(parts)

    def set_damaged_aside(self, series: Series) -> None:
        """Read every partition of a series whole, each once unless it changes, and set aside those that are damaged.

        Raises
        ------
        StoreError
            A file cannot be read now; nothing was changed.
        """
        for path in self._paths(series, sorted(self._names(series))):
            if _mark_of(path) not in self._verified:
                self._read_sound(path, lambda file: self._decoded(file, series))

    def read_after(self, fetch: Callable[[], _T], series: Series, span: Span) -> tuple[pa.Table | None, _T]:
        """Return the rows within the span, and the result of ``fetch``, which fetches what is missing of it.

        Where a partition turns out to be damaged, ``fetch`` is called again.

        Raises
        ------
        LostRows
            Files that were just written are damaged again and again.
        StoreError
            A file cannot be read now; nothing was changed.
        """
        for left in reversed(range(_ROUNDS)):
            result = self.fetch_whole(fetch, series, span)
            missing = self.missing(series, span)
            try:
                rows = self.read(series, span)
            except LostRows:
                if not left:
                    raise
                continue
            if not subtract(self.missing(series, span), missing):  # else another process has set a file aside
                return rows, result
        raise refusal(self.lost(series, span))

    def fetch_whole(self, fetch: Callable[[], _T], series: Series, span: Span) -> _T:
        """Return the result of ``fetch``, which fetches what is missing of the span and writes it.

        A write may find the partition that it adds to damaged: then ``fetch`` is called again, for what was in that.

        Raises
        ------
        StoreError
            Stored rows are lost again and again.
        """
        gone: tuple[Span, ...] = ()
        for _ in range(_ROUNDS):
            missing = self.missing(series, span)
            result = fetch()
            if not (gone := subtract(self.missing(series, span), missing)):
                return result
        said = f"{self._folder(series)} loses stored rows again and again: {gone[0]}."
        raise StoreError(said, missing=gone, hint="Look at the disk, and type: bgresearch verify.")

    def lost(self, series: Series, span: Span) -> tuple[Lost, ...]:
        """Return the parts of the span that a damaged file covered and no sound file covers; reads footers only."""
        found = ((one.span.intersect(span), one.path) for one in lost_in(self._folder(series)))
        return tuple(Lost(part, path) for part, path in found if part)

    def aside_hint(self, series: Series, span: Span) -> str:
        """Return a sentence about files of the span that were set aside as damaged; empty if there are none."""
        names = sorted({str(one.path) for one in self.lost(series, span)})
        return f" Set aside as damaged: {', '.join(names)}; bgresearch verify --repair." if names else ""

    def lost_files(self) -> tuple[Lost, ...]:
        """Return the lost spans of all series, with paths below the folder."""
        found = lost_below(self.data_dir) if self.data_dir.is_dir() else ()
        return tuple(one._replace(path=one.path.relative_to(self.data_dir)) for one in found)

    def refuse_lost(self, series: Series, span: Span) -> None:
        """Raise `LostRows` if a part of the span was in a damaged file and is not covered again.

        For callers that cannot fetch it again; the others ask ``missing``.
        """
        if lost := self.lost(series, span):
            raise refusal(lost)

    def values(self, name: str, key: str) -> tuple[str, ...]:
        """Return the values of a series' first key that something is kept of, sorted."""
        names = names_in(self.data_dir / name)
        return tuple(sorted(unquote(one.removeprefix(f"{key}=")) for one in names if one.startswith(f"{key}=")))

    def symbols(self, market: str) -> list[str]:
        """Return the symbols of a market that there are candles of, whatever their price and interval."""
        folders = matching(self.data_dir, f"candles/market={market}/price=*/symbol=*")
        return sorted({unquote(folder.name.removeprefix("symbol=")) for folder in folders})

    def latest(self, series: Series) -> pa.Table | None:
        """Return the rows that share the newest time, or None if there are none.

        Raises
        ------
        LostRows
            Newer ones were in a damaged file.
        """
        found, newest = None, -1
        for name in sorted(self._names(series), reverse=True):
            read = self._read_sound(self._paths(series, [name])[0], lambda file: self._decoded(file, series))
            if read is not None and read[0].num_rows:
                newest = int(partition.times_of(read[0], series.time)[-1])
                found = partition.within(read[0], series.time, Span(newest, newest + 1))
                break
        self.refuse_lost(series, Span(newest + 1, WHOLE.end_ms))
        return found

    def write(
        self, series: Series, table: pa.Table, covered: Iterable[Span], gaps: Iterable[Gap] = (), source: str = ""
    ) -> None:
        """Commit rows and what is now known; one atomic replace per partition.

        Parameters
        ----------
        series : Series
            What the rows belong to.
        table : pyarrow.Table
            Rows in any order; all of them within ``covered``, in which they replace what was there.
        covered : iterable of Span
            Where every row that the exchange has is in ``table``.
        gaps : iterable of Gap
            Where it has none.
        source : str
            Ids of the endpoints the rows came from, separated by commas.

        Raises
        ------
        StoreError
            If the folder cannot be written; what was there before is intact.
        """
        self._refuse_frozen()
        covered, gaps = union(covered), tuple(gaps)
        table = table.sort_by(series.time)
        times = partition.times_of(table, series.time)
        if sum(partition.within(table, series.time, span).num_rows for span in covered) != len(times):
            raise ValueError("rows outside the covered spans")
        now = self._clock.now_ms()
        sources = {route: (now, now) for route in source.split(",") if route}
        self._mark()
        for name, period in self._touched(series, covered, gaps):
            spans = [part for part in (span.intersect(period) for span in covered) if part]
            self._merge(
                series, name, partition.within(table, series.time, period),
                Ledger(tuple(spans), tuple(_gaps_of(gaps, period)), sources),
            )  # fmt: skip

    def write_in_order(
        self, series: Series, rows: Iterable[pa.Table], covered: Iterable[Span], *, schema: pa.Schema, source: str,
        lacking: Callable[[], Iterable[Span]] = tuple,
    ) -> None:  # fmt: skip
        """Commit very many rows of one partition as they come; memory stays small, and the replace is atomic.

        Parameters
        ----------
        series : Series
            What the rows belong to.
        rows : iterable of pyarrow.Table
            In order of time, without duplicates; all of them within ``covered``, in which they replace old rows.
        covered : iterable of Span
            Where these are all rows that there are; within one partition.
        schema : pyarrow.Schema
            Of the rows.
        source : str
            Where they came from.
        lacking : callable
            Called after the last row: the parts of ``covered`` that turned out to be incomplete, of which no row came.

        Raises
        ------
        StoreError
            If the folder cannot be written; what was there before is intact.
        """
        self._refuse_frozen()
        spans = union(covered)
        name, period = series.period_at(spans[0].start_ms)
        if spans[-1].end_ms > period.end_ms:
            raise ValueError("spans of more than one partition")
        now = self._clock.now_ms()
        self._mark()
        path = self._folder(series) / name
        with self._disk.locked(path):
            read = self._read_sound(path, lambda file: self._sound_ledger(file, series), locked=True)
            with contextlib.ExitStack() as stack:
                old = stack.enter_context(self._disk.open(path)) if read is not None else None
                kept = partition.rows_in_order(old) if old is not None else iter(())

                def fill(file: BinaryIO) -> None:
                    with partition.StreamedFile(file, series, schema) as streamed:
                        for table in overlaid_in_order(series.time, kept, rows, spans):
                            streamed.add(table.cast(schema) if table.schema != schema else table)
                        complete = subtract(spans, lacking())
                        streamed.finish((read or Ledger()).extended(complete, (), {source: (now, now)}))

                self._disk.replace_by(path, fill)
            self._verified.add(_mark_of(path))
        pa.default_memory_pool().release_unused()

    def _sound_ledger(self, file: BinaryIO, series: Series) -> Ledger:
        """Return the ledger of a partition whose rows are going to be copied; a small one is read whole before."""
        ledger = partition.read_ledger(file)
        file.seek(0)
        if ledger.rows <= _ROWS_READ_WHOLE:
            self._decoded(file, series)
        return ledger

    def archived(self, series: Series, span: Span) -> tuple[Span, ...]:
        """Return the parts of the span whose rows came from the bulk archive; reads footers only."""
        found = [part for ledger in self._ledgers(series, span) for part in ledger.archived]
        return union(part for each in found if (part := each.intersect(span)))

    def alone(self, series: Series) -> AbstractContextManager[None]:
        """Hold the lock of a series, to read, decide and write without another caller of this method in between."""
        self._mark()
        return self._disk.locked(self._folder(series))

    def locked_by_name(self, name: str, busy: StoreError) -> AbstractContextManager[None]:
        """Hold a lock by its name without waiting, or raise what is handed in."""
        return self._disk.locked_by_name(name, busy)

    def replace_file(self, name: str, data: bytes, *, private: bool) -> None:
        """Replace a small file below the folder, all or nothing; a private one (below ``account``) is 0600."""
        self._mark()
        path = self.data_dir / name
        with self._disk.locked(path):
            self._disk.replace(path, data, private=private)

    def read_file(self, name: str) -> bytes | None:
        """Return a small file below the folder, or None if there is none."""
        path = self.data_dir / name
        with reading(path):
            try:
                with self._disk.open(path) as file:
                    return file.read()
            except FileNotFoundError:
                return None

    def edit_private(self, name: str, change: Callable[[bytes | None], bytes]) -> None:
        """Replace a small private file (0600) by what ``change`` makes of it, under its lock."""
        self._mark()
        path = self.data_dir / name
        with self._disk.locked(path):
            self._disk.replace(path, change(self.read_file(name)), private=True)

    def _merge(self, series: Series, name: str, rows: pa.Table, news: Ledger) -> None:
        path = self._folder(series) / name
        with self._disk.locked(path):
            current = self._read_sound(path, lambda file: self._decoded(file, series), locked=True)
            old, ledger = current or (None, Ledger())
            merged = partition.overlaid(series, old, rows, news.covered)
            level = partition.THOROUGH if rows.num_rows * _A_FEW >= merged.num_rows else partition.QUICK
            known = ledger.extended(news.covered, news.gaps, news.sources)
            data = partition.encode(series, merged, known, level=level)
            self._disk.replace(path, data, private=series.private)
            self._verified.add(_mark_of(path))  # its digest was made of the rows themselves
        del current, old, merged
        pa.default_memory_pool().release_unused()  # a long walk rewrites a month a hundred times

    def _touched(self, series: Series, covered: Sequence[Span], gaps: Sequence[Gap]) -> list[tuple[str, Span]]:
        found = {period: name for span in covered for name, period in series.periods(span)}
        for gap in gaps:
            # a gap before the listing is written once, with the first rows, not into a hundred empty files
            ends = Span(gap.span.end_ms, gap.span.end_ms + 1) if gap.cause == "before listing" else gap.span
            found |= {period: name for name, period in series.periods(ends)}
        return [(found[period], period) for period in sorted(found)]

    def _ledgers(self, series: Series, span: Span) -> list[Ledger]:
        names = [name for name, _period in self._present(series, span)]
        first = self._first(series)
        if first and first not in names and first > series.period_at(span.start_ms)[0]:
            names.append(first)  # it has the gap before the listing, which may cover the span
        ledgers = map(self._ledger, self._paths(series, names))
        return [ledger for ledger in ledgers if ledger is not None]

    def _all_ledgers(self, series: Series) -> list[Ledger]:
        paths = self._paths(series, sorted(self._names(series)))
        ledgers = (self._read_sound(path, partition.read_ledger) for path in paths)
        return [ledger for ledger in ledgers if ledger is not None]

    def _read_again(self, paths: Sequence[Path], series: Series) -> pa.Table | None:
        """Return the rows of files that this process has verified whole before, in one go; None if there is a doubt."""
        marks = list(map(_mark_of, paths))
        if not (series.uniform and paths and all(mark in self._verified for mark in marks)):
            return None
        ledgers = [self._ledger(path) for path in paths]
        try:
            table = partition.decode_again(paths, series)
        except (partition.DamagedFile, MemoryError, OSError, RuntimeError):
            return None  # reading file by file, without other threads, says which one
        same = marks == list(map(_mark_of, paths))
        return table if same and table.num_rows == sum(ledger.rows for ledger in ledgers if ledger) else None

    def _ledger(self, path: Path) -> Ledger | None:
        """Return the ledger of a file; a file that has not changed since is not opened again."""
        mark = _mark_of(path)
        known = self._ledgers_read.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        ledger = self._read_sound(path, partition.read_ledger)
        if ledger is not None and mark is not None and mark == _mark_of(path):
            self._ledgers_read[path] = mark, ledger
        return ledger

    def _paths(self, series: Series, names: Sequence[str]) -> list[Path]:
        """Return where files of a series can be opened."""
        return [self._folder(series) / name for name in names]

    def _folder(self, series: Series) -> Path:
        return self.data_dir / series.folder

    def _present(self, series: Series, span: Span) -> list[tuple[str, Span]]:
        names = self._names(series)
        if not names:
            return []
        return [(name, period) for name, period in series.periods(span) if name in names]

    def _first(self, series: Series) -> str | None:
        return min(self._names(series), default=None)

    def _names(self, series: Series) -> set[str]:
        return {name for name in names_in(self._folder(series)) if name.endswith(".parquet")}

    def _read_sound(
        self, path: Path, read: Callable[[Any], _T], *, locked: bool = False, aside: list[Path] | None = None
    ) -> _T | None:  # fmt: skip
        """Return what reading gives, or None if the file is not there or was damaged and is now set aside.

        Two reads must find the damage, the second under the file's lock: a writer may have replaced it since.
        """
        try:
            return self._opened(path, read)
        except partition.DamagedFile:
            pass
        with contextlib.nullcontext() if locked else self._disk.locked(path):
            try:
                return self._opened(path, read)
            except partition.DamagedFile as cause:
                moved = self._set_aside(path, cause)
                if aside is not None:
                    aside.append(moved)
                return None

    def _opened(self, path: Path, read: Callable[[Any], _T]) -> _T | None:
        with reading(path):
            try:
                file = self._disk.open(path)
            except FileNotFoundError:
                return None
            with file:
                try:
                    return read(file)
                except NewerFormat as cause:
                    said = f"{path} is newer than this version: {cause}."
                    raise StoreError(said, hint="Update bgresearch.") from cause

    def _decoded(self, file: BinaryIO, series: Series) -> tuple[pa.Table, Ledger]:
        """Read a partition; the digest of its rows is compared once per file and process, as it costs time."""
        mark = _mark(os.fstat(file.fileno()))
        read = partition.decode(file, series, deep=mark not in self._verified)
        self._verified.add(mark)
        return read

    def set_aside(self, path: Path, why: str) -> bool:
        """Put a damaged file aside; return whether it is sound by now: a writer has replaced it, or it reads well.

        Parameters
        ----------
        path : Path
            The file, below the data folder.
        why : str
            What is wrong with it.
        """
        whole = self.data_dir / path
        with self._disk.locked(whole):
            try:
                return self._opened(whole, partition.decode_any) is not None
            except partition.DamagedFile:
                self._set_aside(whole, partition.DamagedFile(why))
                return False

    def take_back(self, aside: Path) -> bool:
        """Give a file that was set aside its place again if it reads well; return whether it does.

        Where the place is taken, only what no sound file covers is added to that. The file itself is left where it is.

        Parameters
        ----------
        aside : Path
            The file that was set aside, below the data folder.

        Raises
        ------
        StoreError
            A file cannot be read or written now.
        """
        self._refuse_frozen()
        source = self.data_dir / aside
        path = source.with_name(source.name.partition(".damaged-")[0])
        with self._disk.locked(path):
            try:
                read = self._opened(source, _placed)
                current = self._opened(path, _placed)
            except partition.DamagedFile:
                return False
            if read is None or read[0].folder != aside.parent:
                return False
            series, rows, ledger = read
            known: tuple[Span, ...] = ()
            if current is not None:
                known = current[2].known()
                rows = _added(series, current[1], rows, subtract(ledger.known(), known))
            gaps = [gap._replace(span=part) for gap in ledger.gaps for part in subtract([gap.span], known)]
            whole = (current[2] if current else Ledger()).extended(
                subtract(ledger.covered, known), gaps, ledger.sources
            )  # fmt: skip
            private = aside.parts[0] == PRIVATE
            self._disk.replace(path, partition.encode(series, rows, whole), private=private)
        return True

    def forget(self, series: Series, span: Span) -> None:
        """Drop rows and ledger of a span, so that it is fetched again."""
        self._refuse_frozen()
        for name, period in self._present(series, span):
            path = self._folder(series) / name
            with self._disk.locked(path):
                current = self._read_sound(path, lambda file: partition.decode(file, series), locked=True)
                if current is None:
                    continue
                doomed = [part for part in [span.intersect(period)] if part]
                rows = partition.overlaid(series, current[0], current[0].slice(0, 0), doomed)
                self._disk.replace(
                    path, partition.encode(series, rows, current[1].without(span)), private=series.private
                )

    def _refuse_frozen(self) -> None:
        if self.pin:
            raise StoreError(f"{self.data_dir} is a pin and never changes.", hint="Connect without pin= to write.")

    def _set_aside(self, path: Path, cause: partition.DamagedFile) -> Path:
        if self.pin:
            raise damaged(path, cause)
        stamp = dt.datetime.fromtimestamp(self._clock.now_ms() / 1000, tz=dt.UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self._disk.set_aside(path, stamp)
        warnings.warn(
            f"{path} is damaged ({cause}); it was set aside as {aside.name}, and its rows are missing until they are "
            "fetched again.",
            StoreWarning,
            stacklevel=2,
        )
        return aside

    def _mark(self) -> None:
        """Write which exchange the folder belongs to, or refuse another one."""
        if self._marked or not self.host:
            return
        path = self.data_dir / _MARKER
        self.check_host()
        if not path.exists():
            with self._disk.locked(path):
                self.check_host()
                if not path.exists():
                    self._disk.replace(path, json.dumps({"format": _MARKER_FORMAT, "host": self.host}).encode())
        self._marked = True

    def owner(self) -> str | None:
        """Return the exchange whose data the folder holds, None if nothing is kept in it."""
        path = self.data_dir / _MARKER
        try:
            text = self.read_file(_MARKER)
        except StoreError as error:
            if isinstance(error.__cause__, NotADirectoryError):
                return None
            raise
        if text is None:
            return None
        try:
            marker = json.loads(text)
            check_format(marker["format"], _MARKER_FORMAT)
            return str(marker["host"])
        except NewerFormat as newer:
            raise StoreError(f"{path} was written by a newer version: {newer}.") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise StoreError(f"{path} is damaged.", hint="Delete it if the folder holds no mixed data.") from None

    def check_host(self) -> None:
        """Refuse a folder that holds the data of another exchange, or of its other environment.

        Raises
        ------
        ConfigurationError
            If it does: rows of two exchanges in one folder could never be separated again.
        """
        host = self.owner()
        if self.host and host is not None and host != self.host:
            raise ConfigurationError(
                f"the data folder {self.data_dir} holds data of {host}, not of {self.host}.",
                hint="Give another folder with data_dir=.",
            )


def _placed(file: BinaryIO) -> tuple[Series, pa.Table, Ledger]:
    """Return which series a file belongs to, its rows and its ledger; digests compared."""
    series = partition.series_of(file)
    file.seek(0)
    return series, *partition.decode(file, series, deep=True)


def _added(series: Series, rows: pa.Table, others: pa.Table, spans: Sequence[Span]) -> pa.Table:
    """Return rows and those other rows that are within the spans, in order."""
    fresh = [partition.within(others, series.time, span) for span in spans]
    whole = partition.joined([rows, *fresh])
    return whole.take(pc.sort_indices(whole, [(series.time, "ascending")]))  # stable: equal times keep order


def _mark(about: os.stat_result) -> _FileMark:
    """Return what changes when a file is replaced."""
    return about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size


def _mark_of(path: Path) -> _FileMark | None:
    try:
        return _mark(path.stat())
    except OSError:
        return None  # reading it says what is wrong


def side_by_side(work: Callable[[_P], _T], parts: Sequence[_P]) -> list[_T]:
    """Return what the work gives for each part, in order."""
    if len(parts) > 2:
        try:
            with ThreadPoolExecutor(min(_READERS, len(parts)), thread_name_prefix="bgresearch-store") as pool:
                return list(pool.map(work, parts))
        except RuntimeError as error:
            if "thread" not in str(error):
                raise
    return [work(part) for part in parts]  # few, or no thread can be started now


def _gaps_of(gaps: Iterable[Gap], period: Span) -> Iterable[Gap]:
    for gap in gaps:
        if gap.cause == "before listing":
            if period.start_ms <= gap.span.end_ms < period.end_ms:
                yield gap
        elif part := gap.span.intersect(period):
            yield gap._replace(span=part)
