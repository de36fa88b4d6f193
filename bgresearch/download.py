"""Carries out a plan: pages side by side, each believed only after a check, committed partition by partition.

A page that is empty, short or odd is asked again, smaller and by the other roads, before a gap is believed. What could
not be fetched is named; what was complete stays in the store, whatever happens to the rest.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from bgresearch.asking import Asker
from bgresearch.checks import Checked
from bgresearch.clock import Clock
from bgresearch.errors import BadResponse, BgresearchError, ExchangeUnavailable, NetworkError, RateLimited
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.listing import Life, find_life
from bgresearch.planning import Page, Plan, Route, Subject
from bgresearch.spans import Span, subtract, union
from bgresearch.store import Gap, Series, Store
from bgresearch.store.ledger import Cause

WORKERS = 8  # enough for 20 requests a second at 400 ms each; the limiter sets the pace, not this
_EVIDENCE = 6  # an absence is believed after so many blank answers by turns on every road, or half as many with rows
_TURNS = 12  # questions about one page before it is given up
_SETTLED_MS = 10 * 60_000  # a younger absence may just be late: reported, but asked again next time
_PATIENCE = 3  # questions that an endpoint may leave without an answer before it is asked no more

Progress = Callable[[int], None]


class Failure(NamedTuple):
    """A span that could not be fetched, and why."""

    span: Span
    error: BgresearchError | None
    words: str


@dataclass
class Outcome:
    """What became of a plan: what failed, and absences too young to be kept in the store."""

    failed: list[Failure] = field(default_factory=list)
    late: list[Gap] = field(default_factory=list)


@dataclass
class _Fetched:
    """What became of one page."""

    page: Page
    tables: list[pa.Table] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    roads: set[str] = field(default_factory=set)


class _Doubt(NamedTuple):
    error: BgresearchError | None
    words: str


class Download:
    """One download of one series.

    Parameters
    ----------
    asker : Asker
        Who asks the exchange.
    store : Store
        Where complete partitions go.
    clock : Clock
        Decides which absences are settled.
    what : Subject
        Which candles.
    series : Series
        Where they belong in the store.
    """

    def __init__(self, asker: Asker, store: Store, clock: Clock, what: Subject, series: Series) -> None:
        self._asker, self._store, self._clock = asker, store, clock
        self._what, self._series, self._grid = what, series, what.grid
        self._surveying, self._stop = threading.Lock(), threading.Event()
        self._life: Life | None = None
        self._surveys = 0
        self._lost: defaultdict[str, list[BgresearchError]] = defaultdict(list)
        self._outcome = Outcome()
        self._unlisted: list[Gap] = []

    def run(self, plan: Plan, progress: Progress) -> Outcome:
        """Return what became of the plan; everything believed is in the store then.

        Raises
        ------
        BgresearchError
            If the exchange refuses the question itself (an unknown symbol, a refused parameter).
        StoreError
            If the store cannot be written.
        """
        waiting = Counter(self._period(page) for page in plan.pages)
        done: defaultdict[Span, list[_Fetched]] = defaultdict(list)
        running: set[Future[_Fetched]] = set()
        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="bgresearch")
        try:
            for fetched in self._completed(pool, plan, running):
                period = self._period(fetched.page)
                done[period].append(fetched)
                waiting[period] -= 1
                progress(fetched.page.rows)
                if not waiting[period]:
                    self._commit(done.pop(period))
        finally:
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for future in running:  # an interruption: what has come is kept
                if future.done() and not future.cancelled() and future.exception() is None:
                    done[self._period(future.result().page)].append(future.result())
            for rest in done.values():
                self._commit(rest)
            self._commit_listing()
        return self._outcome

    def _completed(self, pool: ThreadPoolExecutor, plan: Plan, running: set[Future[_Fetched]]) -> Iterator[_Fetched]:
        """Yield pages as they complete, never more than a few of them on their way."""
        for page in plan.pages:
            running.add(pool.submit(self._fetch, page, plan))
            if len(running) >= 2 * WORKERS:
                yield from _finished(running)
        while running:
            yield from _finished(running)

    def _period(self, page: Page) -> Span:
        return self._series.period_at(page.span.start_ms)[1]

    def _fetch(self, page: Page, plan: Plan) -> _Fetched:
        """Fetch one page: by its first road, then by whatever confirms or fills what is absent."""
        result, evidence = _Fetched(page), 0
        holes: tuple[Span, ...] = (page.span,)
        doubt: _Doubt | None = None
        for turn in range(_TURNS):
            holes = self._cut_to_life(holes, result)
            if not holes or evidence >= _EVIDENCE or self._stop.is_set():
                break
            before = evidence
            holes, found = self._turn(page.routes[turn % len(page.routes)], holes, turn, result)
            evidence, doubt = (before + found, None) if isinstance(found, int) else (before, found)
            if before == 0 and evidence and holes == (page.span,):
                self._survey(plan.missing[0].start_ms)
        if holes and evidence < _EVIDENCE:
            result.failed = [Failure(hole, *(doubt or _Doubt(None, "the download was stopped"))) for hole in holes]
        else:
            result.gaps += [self._gap(hole, self._cause(hole)) for hole in holes]
        return result

    def _turn(
        self, road: Route, holes: tuple[Span, ...], turn: int, result: _Fetched
    ) -> tuple[tuple[Span, ...], _Doubt | int]:
        """Ask one road about all holes, later turns for less at a time.

        Returns what is still absent, and either a doubt or the weight of the evidence: 1 if an answer was blank, 2 if
        every one held rows, be they older ones than asked for.
        """
        rows = max(1, min(road.rows, result.page.rows) >> min(turn, 3))
        doubt: _Doubt | None = None
        weight = 2
        for piece in self._grid.cut(Span(holes[0].start_ms, holes[-1].end_ms), rows):
            if not any(hole.intersect(piece) for hole in holes):
                continue
            lost = self._lost[road.endpoint]
            if len(lost) >= _PATIENCE:
                doubt = _Doubt(lost[0], str(lost[0]))
                break
            try:
                checked = self._asker.ask(road, piece, self._grid)
            except BadResponse as error:
                doubt = _Doubt(error, str(error))
                continue
            except (NetworkError, RateLimited, ExchangeUnavailable) as error:
                doubt = _Doubt(error, str(error))
                lost.append(error)
                break
            except BgresearchError as error:
                if road is result.page.routes[0]:
                    raise
                doubt = _Doubt(error, str(error))  # this road does not know what the first one knows
                break
            if checked.fault:
                doubt = _Doubt(None, checked.fault)
                continue
            weight = min(weight, 1 if checked.blank else 2)
            self._accept(checked, road, result)
            holes = subtract(holes, subtract([piece], checked.absent))
        return holes, doubt or weight

    def _accept(self, checked: Checked, road: Route, result: _Fetched) -> None:
        result.roads.add(road.endpoint)
        if checked.table.num_rows:
            result.tables.append(checked.table)
            self._grid = self._grid.learned(checked.table.column("open_time")[0].value)

    def _survey(self, start_ms: int) -> None:
        """Find out between which days there are candles at all, once a whole page was empty."""
        with self._surveying:
            if self._life is not None or self._surveys >= _PATIENCE:
                return
            self._surveys += 1
            try:
                self._life = find_life(self._what, start_ms, self._asker.ask, self._clock.now_ms())
            except (NetworkError, RateLimited, ExchangeUnavailable):
                return  # the pages themselves will tell, only more slowly

    def _cut_to_life(self, holes: tuple[Span, ...], result: _Fetched) -> tuple[Span, ...]:
        if self._life is None:
            return holes
        alive = self._life.span(self._grid)
        looked = [part for part in (hole.intersect(self._life.looked) for hole in holes) if part]
        outside = subtract(looked, [alive])
        result.gaps += [self._gap(hole, self._cause(hole)) for hole in outside]
        return subtract(holes, outside)

    def _cause(self, hole: Span) -> Cause:
        if self._life is None or self._life.never:
            return "exchange has none"
        alive = self._life.span(self._grid)
        if hole.start_ms <= alive.start_ms:
            return "before listing"
        return "delisted" if hole.end_ms >= alive.end_ms else "exchange has none"

    def _gap(self, span: Span, cause: Cause) -> Gap:
        return Gap(span, cause, self._clock.now_ms())

    def _commit(self, pages: list[_Fetched]) -> None:
        """Write what is believed of one partition."""
        settled = Span(-(2**53), self._clock.now_ms() - _SETTLED_MS)
        covered: list[Span] = []
        gaps: list[Gap] = []
        for fetched in pages:
            self._outcome.failed += fetched.failed
            unknown = [failure.span for failure in fetched.failed]
            for gap in fetched.gaps:
                late = subtract([gap.span], [settled])
                self._outcome.late += [gap._replace(span=span) for span in late]
                unknown += late
                kept = [gap._replace(span=span) for span in subtract([gap.span], late)]
                if gap.cause == "before listing":
                    self._unlisted += kept
                    unknown += [one.span for one in kept]
                else:
                    gaps += kept
            covered += subtract([fetched.page.span], unknown)
        if covered:
            empty = CANDLE_SCHEMA.empty_table()
            table = pa.concat_tables([empty, *(table for fetched in pages for table in fetched.tables)])
            roads = sorted({road for fetched in pages for road in fetched.roads})
            self._store.write(self._series, _unique(table), covered, gaps, ",".join(roads))

    def _commit_listing(self) -> None:
        """Write once what lies before the listing, not into every partition that would be empty for ever."""
        if not self._unlisted:
            return
        spans = union(gap.span for gap in self._unlisted)
        empty = CANDLE_SCHEMA.empty_table()
        start, end = spans[0].start_ms, max(spans[-1].end_ms, self._life.span(self._grid).start_ms if self._life else 0)
        self._store.write(self._series, empty, (), [self._gap(Span(start, end), "before listing")])


def _unique(table: pa.Table) -> pa.Table:
    """Return the rows once each: a later turn may have brought a neighbour of what it was asked for."""
    table = table.sort_by("open_time").combine_chunks()
    times = table.column("open_time").cast(pa.int64()).to_numpy()
    keep = [True, *(times[1:] != times[:-1])][: len(times)]
    return table.filter(pa.array(keep, pa.bool_()))


def _finished(running: set[Future[_Fetched]]) -> Iterable[_Fetched]:
    done, _pending = wait(running, return_when="FIRST_COMPLETED")
    for future in done:
        fetched = future.result()
        running.discard(future)
        yield fetched
