"""The verb ``download``: candles of many symbols into the store, in parallel, and a summary of what is stored.

No rows are read back: the footers of the files have the counts.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from bgresearch.catalogue.value_types import TIME
from bgresearch.core.progress import Wish, shown
from bgresearch.core.spans import Span, iso, union
from bgresearch.core.symbols import several, wire_symbol
from bgresearch.core.thread_pool import ThreadPool
from bgresearch.core.timestamps import Moment, span_of
from bgresearch.errors import (
    BgresearchError,
    ExchangeError,
    IncompleteData,
    InvalidInput,
    NetworkError,
    OfflineError,
    UnknownSymbol,
)
from bgresearch.market.archived import ArchiveUse, Choice, Stopped, checked_choice
from bgresearch.market.candles.plan import CandleSeries, subject
from bgresearch.market.candles.read_through import (
    CandleReport,
    closed_part,
    ensure_stored,
    gap_in_words,
    planned,
)
from bgresearch.session.session import Session
from bgresearch.session.unknown_symbol import symbols_of
from bgresearch.store import Gap

ALL = "ALL"
WORKERS = 16  # symbols at a time
_AHEAD_S = 4.0  # of work by the limits, in one market: enough to keep every route busy, so no further symbol begins
_PATIENCE = 8  # symbols in a row that fail with a network error
_LOOK_S = 0.1  # between two updates of the progress
_FAREWELL_S = 0.7  # an interruption waits this long for complete pages to be stored
_OF_ONE_SYMBOL = (ExchangeError, IncompleteData, InvalidInput, NetworkError, OfflineError)  # others may succeed
_COLUMNS = ("symbol", "candles", "first", "last", "gaps", "requests", "error")
_LISTED_GAPS = 1_000  # of one symbol, in the report


@dataclass
class SymbolResult:
    """The result of one symbol.

    Attributes
    ----------
    symbol : str
        As the caller wrote it.
    candles : int
        How many are in the store now.
    first_ms, last_ms : int or None
        When the oldest and the newest of them open.
    gaps : tuple of Gap
        What the exchange does not have.
    requests : int
        Requests that were sent.
    error : BgresearchError or None
        Why something is missing.
    unlisted : bool
        Whether the exchange no longer lists the symbol, and only the store has it.
    archive : ArchiveUse
        What came from the bulk archive.
    unarchived : list of dict
        With ``source="archive"``: what it lacks, and why.
    """

    symbol: str
    candles: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    gaps: tuple[Gap, ...] = ()
    requests: int = 0
    error: BgresearchError | None = None
    unlisted: bool = False
    archive: ArchiveUse = field(default_factory=ArchiveUse)
    unarchived: list[dict[str, str | None]] = field(default_factory=list)


@dataclass
class _Task:
    """One symbol in progress: rows done of how many, and the seconds that the limits require for them."""

    name: str
    what: CandleSeries
    span: Span
    rows: int = 0
    seconds: float = 0.0
    done: int = 0
    only_kept: bool = False
    result: SymbolResult = field(init=False)

    def __post_init__(self) -> None:
        self.result = SymbolResult(self.name)

    def seconds_left(self) -> float:
        return self.seconds * (1 - self.done / self.rows) if self.rows else 0.0

    def progress(self, done: int, _total: int) -> None:
        self.done = min(done, self.rows)


def download(
    source: Session, symbols: str | Sequence[str], interval: str, start: Moment | None, end: Moment | None, *,
    market: str, price: str, workers: int, progress: Wish, choice: str = "auto",
) -> pd.DataFrame:  # fmt: skip
    """Return the result of every symbol; the verb of the client, which documents it."""
    if not isinstance(workers, int) or workers < 1:
        raise InvalidInput("workers", f"{workers!r} is no number of symbols.", hint="1 or more; 16 by default.")
    chosen = checked_choice(choice, source)
    any_symbol = subject("BTCUSDT", interval, market, price, "utc")  # errors in the other arguments concern all symbols
    if chosen == "archive" and not any_symbol.archivable:
        raise InvalidInput("source", "the archive has only 1m candles of last prices.", hint='Use source="rest".')
    now = source.clock.now_ms()
    asked = span_of(start, end, now)
    source.store.check_host()
    closed = closed_part(source, any_symbol, asked, now)
    tasks = [_task(name, any_symbol, closed, only_kept=only) for name, only in _named(source, symbols, market).items()]
    _price(source, tasks)
    total, limit_s = sum(task.rows for task in tasks), sum(task.seconds for task in tasks)
    title = f"{len(tasks)} symbols {interval}" if len(tasks) != 1 else f"{tasks[0].name} {interval}"
    with shown(progress, total, title, limit_s=limit_s) as grow:
        _BulkDownload(source, tasks, workers, grow, chosen).run()
    results = [task.result for task in tasks]
    if isinstance(symbols, str) and symbols != ALL and results[0].error:
        raise results[0].error
    about = {
        "verb": "download", "host": source.sender.host, "label": source.sender.label, "market": market,
        "price": price, "interval": interval, "asked": [iso(asked.start_ms), iso(asked.end_ms)],
    }  # fmt: skip
    return _frame(results, about)


def _named(source: Session, symbols: str | Sequence[str], market: str) -> dict[str, bool]:
    """Return the requested symbols, each once, and whether only the store has them."""
    if symbols != ALL:
        names = several("symbols", symbols)
        if not names:
            raise InvalidInput("symbols", "no symbol is named.", hint="Name some, or ALL.")
        return dict.fromkeys((name.upper() for name in names), False)
    kept = source.store.symbols(market)
    if source.offline:
        return dict.fromkeys(kept, True)
    now = symbols_of(source.sender, market)
    return dict.fromkeys(now, False) | {name: True for name in kept if name not in set(now)}


def _task(name: str, like: CandleSeries, span: Span, *, only_kept: bool) -> _Task:
    try:
        named = wire_symbol(name, like.market)
        what = subject(named.symbol, like.interval.name, named.market, like.price, like.anchor)
    except InvalidInput as error:
        refused = _Task(str(name), like, span)
        refused.result.error = error
        return refused
    return _Task(name, what, span, only_kept=only_kept)


def _price(source: Session, tasks: Iterable[_Task]) -> None:
    """Set the cost of every symbol; it is computed once for symbols that miss the same spans, and no plan is kept."""
    known: dict[tuple[Span, ...], tuple[int, float]] = {}
    for task in tasks:
        if task.result.error or not task.span.duration_ms:
            continue
        base = task.what.base
        missing = source.store.missing(base.stored, task.span)
        if missing not in known:
            todo = planned(source, base, task.span)
            known[missing] = todo.rows, todo.seconds
        task.rows, task.seconds = known[missing]


class _BulkDownload:
    """Downloads symbols in parallel: as many as keep the routes busy, and no more.

    Parameters
    ----------
    source : Session
        One exchange, one store.
    tasks : list of _Task
        The symbols, in this order.
    workers : int
        Symbols at a time at most.
    grow : callable
        Called in the calling thread with the number of further rows that are done.
    """

    def __init__(
        self, source: Session, tasks: list[_Task], workers: int, grow: Callable[[int], None], choice: Choice
    ) -> None:
        self._source, self._tasks, self._workers, self._grow = source, tasks, workers, grow
        self._choice: Choice = choice
        self._stop = threading.Event()
        self._reported = self._dead = 0

    def run(self) -> None:
        """Return when every symbol is done; raise the first error that concerns all of them."""
        waiting = [task for task in self._tasks if not task.result.error]
        running: dict[Future[None], _Task] = {}
        pool = ThreadPool(self._workers, "bgresearch-symbol")
        try:
            while waiting or running:
                while task := self._next(waiting, running.values()):
                    waiting.remove(task)
                    running[pool.submit(self._download, task)] = task
                done, _pending = wait(running, timeout=_LOOK_S, return_when="FIRST_COMPLETED")
                for future in done:
                    self._finished(running.pop(future), future)
                self._report_progress()
        finally:
            self._stop.set()
            pool.dismiss()
            wait(running, timeout=_FAREWELL_S)

    def _next(self, waiting: Sequence[_Task], running: Iterable[_Task]) -> _Task | None:
        """Return the next symbol to begin with, if the routes of its market will soon be idle."""
        at_work, ahead_s = list(running), defaultdict[str, float](float)
        for task in at_work:
            ahead_s[task.what.market] += task.seconds_left()
        if len(at_work) >= self._workers:
            return None
        return next((task for task in waiting if ahead_s[task.what.market] < _AHEAD_S), None)

    def _finished(self, task: _Task, future: Future[None]) -> None:
        future.result()
        dead = task.result.error is not None and not task.result.candles and _is_network(task.result.error)
        self._dead = self._dead + 1 if dead else 0
        task.done = task.rows
        if self._dead >= _PATIENCE and task.result.error:
            raise task.result.error

    def _report_progress(self) -> None:
        done = sum(task.done for task in self._tasks)
        if done > self._reported:
            self._grow(done - self._reported)
            self._reported = done

    def _download(self, task: _Task) -> None:
        """Download one symbol; errors of this symbol alone are recorded, all others are raised."""
        result, report = task.result, CandleReport(self._source, task.what, task.span, self._choice)
        try:
            if task.span.duration_ms:
                self._fetch(task, report)
        except UnknownSymbol as error:
            result.unlisted = task.only_kept
            result.error = None if task.only_kept else error
        except _OF_ONE_SYMBOL as error:
            result.error = error
        except Stopped:
            return
        result.requests = report.requests.total()
        result.archive = report.archive or result.archive
        self._count(task, report)

    def _fetch(self, task: _Task, report: CandleReport) -> None:
        base = task.what.base

        def fetch() -> None:
            ensure_stored(self._source, base, task.span, task.progress, report, stop=self._stop)

        store, series = self._source.store, base.stored
        if task.what.grid.unaligned:  # `_count` reads its rows
            store.read_after(fetch, series, task.span)
        else:
            store.fetch_whole(fetch, series, task.span)

    def _count(self, task: _Task, report: CandleReport) -> None:
        """Count the stored candles; a longer candle made of shorter ones counts if one of those is stored."""
        series, grid, result = task.what.base.stored, task.what.grid, task.result
        if grid.unaligned and (table := self._source.store.read(series, task.span)) is not None and table.num_rows:
            grid = grid.learned(table.column("open_time")[0].value)  # only the rows show the phase, and there are few
        kept = union(grid.outer(part) if task.what.base == task.what else _around(part, task.what) for part in
                     self._source.store.kept(series, task.span))  # fmt: skip
        counted = [part for part in kept if grid.count(part)]
        result.candles = sum(map(grid.count, counted))
        if counted:
            result.first_ms, result.last_ms = grid.opens(counted[0])[0], grid.opens(counted[-1])[-1]
        report.gaps = self._source.store.gaps(series, task.span)
        result.gaps = report.all_gaps()
        if self._choice == "archive" and result.error is None:
            result.unarchived = result.archive.causes(self._source.store.missing(series, task.span))


def _around(part: Span, what: CandleSeries) -> Span:
    """Return the longer candles that a span of shorter ones is part of."""
    length = what.interval.nominal_ms
    return Span(part.start_ms - part.start_ms % length, -(-part.end_ms // length) * length)


def _is_network(error: BgresearchError) -> bool:
    return isinstance(error, NetworkError) or isinstance(error.__cause__, NetworkError)


def _frame(results: Sequence[SymbolResult], about: dict[str, Any]) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "symbol": pd.array([one.symbol for one in results], dtype="str"),
        "candles": pd.array([one.candles for one in results], dtype="int64"),
        "first": _moments(one.first_ms for one in results),
        "last": _moments(one.last_ms for one in results),
        "gaps": pd.array([len(one.gaps) + len(one.unarchived) for one in results], dtype="int64"),
        "requests": pd.array([one.requests for one in results], dtype="int64"),
        "error": pd.array([str(one.error) if one.error else None for one in results], dtype="str"),
    }
    frame = pd.DataFrame({name: columns[name] for name in _COLUMNS})
    gaps = {
        one.symbol: [*map(gap_in_words, one.gaps[:_LISTED_GAPS]), *one.unarchived[:_LISTED_GAPS]]
        for one in results if one.gaps or one.unarchived
    }  # fmt: skip
    errors = {
        one.symbol: {"kind": type(one.error).__name__, "message": str(one.error)} for one in results if one.error
    }  # fmt: skip
    unlisted = [one.symbol for one in results if one.unlisted]
    archived = {one.symbol: words["archive"] for one in results if (words := one.archive.words())}
    about |= {"archive": archived} if archived else {}
    frame.attrs["bgresearch"] = about | {"gaps": gaps, "errors": errors, "no_longer_listed": unlisted}
    return frame


def _moments(times_ms: Iterable[int | None]) -> Any:
    return pd.arrays.ArrowExtensionArray(pa.array(times_ms, TIME)).astype("datetime64[ms, UTC]")
