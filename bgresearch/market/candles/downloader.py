"""Carries out a plan: fetches pages in parallel and commits partition by partition. Decides nothing about a page.

What could not be fetched is reported; what is complete stays in the store, whatever happens to the rest.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace

import pyarrow as pa

from bgresearch.core.clock import Clock
from bgresearch.core.spans import Span, subtract, union
from bgresearch.core.thread_pool import ThreadPool
from bgresearch.frames import CANDLE_SCHEMA
from bgresearch.market.archived import Stopped
from bgresearch.market.candles.page_fetcher import Failure, Fetched, Fetcher
from bgresearch.market.candles.plan import Page, Plan, Route
from bgresearch.store import Gap, Series, Store
from bgresearch.store.coverage import Cause
from bgresearch.store.pending_pages import PendingPages

_IN_FLIGHT = 24  # requests of one route at a time: slots come free in bursts of a whole window, of 20 for candles
_WORKERS = 4 * _IN_FLIGHT  # there are four routes
_EXPLORE_FROM = 20  # pages left: more than one burst of requests
_SETTLED_MS = 10 * 60_000  # a younger absence may just be late: reported, but requested again next time
_FAREWELL_S = 0.3  # an interruption waits this long for responses on their way
_LOOK_S = 0.05  # how often a waiting download checks whether to stop

Progress = Callable[[int], None]


@dataclass
class Outcome:
    """The result of a plan: what failed, absences too young to be stored, skipped spans that have to be fetched."""

    failed: list[Failure] = field(default_factory=list)
    late: list[Gap] = field(default_factory=list)
    refuted: tuple[Span, ...] = ()


class Download:
    """One download of one series.

    Parameters
    ----------
    fetcher : Fetcher
        Fetches single pages.
    store : Store
        Complete partitions are written to it.
    clock : Clock
        Decides which absences are settled.
    series : Series
        Where they belong in the store.
    routes : iterable of Route
        Every route to them.
    stop : Event, optional
        Set by the caller to end the download soon.
    """

    def __init__(
        self, fetcher: Fetcher, store: Store, clock: Clock, series: Series, routes: Iterable[Route],
        *, stop: threading.Event | None = None,
    ) -> None:  # fmt: skip
        self._fetcher, self._store, self._clock, self._series = fetcher, store, clock, series
        self._routes, self._stop = tuple(routes), stop or threading.Event()
        self._spool = PendingPages(store, series)
        self._outcome = Outcome()
        self._unlisted: list[Gap] = []
        self._skipped: list[Span] = []

    def run(self, plan: Plan, progress: Progress) -> Outcome:
        """Return the outcome of the plan; by then everything that was confirmed is in the store.

        Raises
        ------
        BgresearchError
            If the exchange refuses the request itself (an unknown symbol, a refused parameter).
        StoreError
            If the store cannot be written.
        Stopped
            If ``stop`` was set.
        """
        waiting: Counter[Span] = Counter()
        for page in plan.pages:
            waiting[self._period(page)] += page.rows
        done: defaultdict[Span, list[Fetched]] = defaultdict(list)
        running: dict[Future[Fetched], str] = {}
        pool = ThreadPool(_WORKERS, "bgresearch")
        try:
            for fetched in self._completed(pool, plan, running):
                period = self._period(fetched.page)
                done[period].append(fetched)
                waiting[period] -= fetched.page.rows
                progress(fetched.page.rows)
                if not waiting[period]:
                    self._commit(done.pop(period))
                else:
                    self._keep(fetched)
        finally:
            self._fetcher.stop()
            pool.dismiss()
            wait(running, timeout=_FAREWELL_S)
            for future in running:  # an interruption: what was received is kept
                if future.done() and not future.cancelled() and future.exception() is None:
                    done[self._period(future.result().page)].append(future.result())
            for rest in done.values():
                self._commit(rest)
            self._forget_refuted()
            self._commit_listing()
        return self._outcome

    def _completed(self, pool: ThreadPool, plan: Plan, running: dict[Future[Fetched], str]) -> Iterator[Fetched]:
        """Yield pages as they complete, with enough requests per route in flight or queued to use its whole limit."""
        queues = Queues(plan.pages, self._routes, self._period)
        trusted: Counter[str] = Counter()
        while queues or running:
            for endpoint, page in self._claimed(queues, Counter(running.values()), trusted):
                running[pool.submit(self._fetcher.fetch, page)] = endpoint
            done, _pending = wait(running, timeout=_LOOK_S, return_when="FIRST_COMPLETED")
            if self._stop.is_set():
                raise Stopped
            for future in done:
                fetched = future.result()
                trusted[running.pop(future)] += 1
                yield fetched

    def _claimed(self, queues: Queues, busy: Counter[str], trusted: Counter[str]) -> Iterator[tuple[str, Page]]:
        """Yield the endpoints to ask next, each with a page; a route takes its own pages before those of others.

        A route without pages first tries one beyond its documented look-back, and more of these as it serves them.
        """

        def explored(endpoint: str) -> Page | None:
            may = queues.may_explore(endpoint) and busy[endpoint] <= trusted[endpoint]
            return queues.newest(endpoint) if may and self._fetcher.may_explore(endpoint) else None

        for next_page in (explored, queues.own, queues.shared):
            for endpoint in queues.endpoints:
                while busy[endpoint] < _IN_FLIGHT and (page := next_page(endpoint)):
                    busy[endpoint] += 1
                    yield endpoint, page

    def _period(self, page: Page) -> Span:
        return self._series.period_at(page.span.start_ms)[1]

    def _gap(self, span: Span, cause: Cause) -> Gap:
        now = self._clock.now_ms()
        return Gap(span, cause, now).looked_at(now)

    def _gaps(self, fetched: Fetched) -> Iterator[Gap]:
        """Yield the gaps of a page with their causes."""
        for span in union(fetched.gaps):
            yield self._gap(span, self._fetcher.cause(span))
        for span in union(fetched.contradictory):
            yield self._gap(span, "contradictory answer")

    def _commit(self, pages: list[Fetched]) -> None:
        """Write what is confirmed of one partition."""
        if self._fetcher.unknown is not None:
            return  # nothing is kept of a symbol that may be mistyped
        settled = Span(-(2**53), self._clock.now_ms() - _SETTLED_MS)
        covered: list[Span] = []
        gaps: list[Gap] = []
        for fetched in pages:
            self._outcome.failed += fetched.failed
            unknown = [failure.span for failure in fetched.failed]
            self._skipped += fetched.skipped
            for gap in self._gaps(fetched):
                late = subtract([gap.span], [settled])
                self._outcome.late += [gap._replace(span=span, again_ms=gap.noticed_ms) for span in late]
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
            endpoints = sorted({endpoint for fetched in pages for endpoint in fetched.endpoints})
            self._store.write(self._series, _unique(table), covered, gaps, ",".join(endpoints))
            self._spool.drop(fetched.kept for fetched in pages if fetched.kept)

    def _keep(self, fetched: Fetched) -> None:
        """Save a page so that it survives a kill until its partition is complete; absences are not saved."""
        if fetched.tables and self._fetcher.unknown is None:
            doubtful = [*fetched.gaps, *fetched.contradictory, *(failure.span for failure in fetched.failed)]
            covered = subtract([fetched.page.span], doubtful)
            table = _unique(pa.concat_tables(fetched.tables))
            fetched.kept = self._spool.keep(table, covered, ",".join(sorted(fetched.endpoints)))

    def _forget_refuted(self) -> None:
        """Forget the gaps that were skipped without a request and in which candles were found since."""
        self._outcome.refuted = self._fetcher.refuted(self._skipped) if self._skipped else ()
        for span in self._outcome.refuted:
            self._store.forget(self._series, span)

    def _commit_listing(self) -> None:
        """Write the gap before the listing once, not into every partition that would stay empty."""
        spans = subtract([gap.span for gap in self._unlisted], self._outcome.refuted)
        if not spans or self._fetcher.unknown is not None:
            return
        first_ms = self._fetcher.first_ms()
        if first_ms is not None and spans[0].start_ms < first_ms:
            spans = (*spans, Span(spans[0].start_ms, first_ms))
        gaps = [self._gap(span, "before listing") for span in union(spans)]
        self._store.write(self._series, CANDLE_SCHEMA.empty_table(), (), gaps)


def _unique(table: pa.Table) -> pa.Table:
    """Return the rows without duplicates: a later request may have returned neighbours of its span."""
    table = table.sort_by("open_time").combine_chunks()
    times = table.column("open_time").cast(pa.int64()).to_numpy()
    keep = [True, *(times[1:] != times[:-1])][: len(times)]
    return table.filter(pa.array(keep, pa.bool_()))


class Queues:
    """The pages of a plan by the route they are planned for; a route that has no more takes some of the others'.

    Parameters
    ----------
    pages : iterable of Page
        Oldest first.
    routes : iterable of Route
        Every route, also those that the plan does not use.
    period_of : callable
        Returns the partition of a page; pages are only joined within one.
    """

    def __init__(self, pages: Iterable[Page], routes: Iterable[Route], period_of: Callable[[Page], Span]) -> None:
        self._routes = {route.endpoint: route for route in routes}
        self._waiting: dict[str, deque[Page]] = {endpoint: deque() for endpoint in self._routes}
        for page in pages:
            self._waiting[page.routes[0].endpoint].append(page)
        self._period_of = period_of
        self.endpoints = tuple(self._routes)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def own(self, endpoint: str) -> Page | None:
        """Return the oldest page that is planned for a route."""
        return self._waiting[endpoint].popleft() if self._waiting[endpoint] else None

    def shared(self, endpoint: str) -> Page | None:
        """Return the newest pages of another route that a route can serve."""
        return self.newest(endpoint, lambda page: any(endpoint == one.endpoint for one in page.routes))

    def may_explore(self, endpoint: str) -> bool:
        """Return whether a route is idle and enough is left to learn whether it serves pages beyond its look-back."""
        return not self._waiting[endpoint] and len(self) > _EXPLORE_FROM

    def newest(self, endpoint: str, may: Callable[[Page], bool] = lambda _page: True) -> Page | None:
        """Take the newest pages of the longest queue, as many as one response of the route holds."""
        route, longest = self._routes[endpoint], max(self._waiting.values(), key=len)
        taken: Page | None = None
        while len(longest) > 1 and may(longest[-1]):
            together = _joined(longest[-1], taken)
            if together is None or together.rows > route.rows:
                break
            if taken is not None and self._period_of(taken) != self._period_of(together):
                break
            longest.pop()
            taken = together
        return taken and replace(taken, routes=(route, *(one for one in taken.routes if one.endpoint != endpoint)))


def _joined(earlier: Page, later: Page | None) -> Page | None:
    """Return both as one page, None if they do not touch."""
    if later is None:
        return earlier
    if earlier.span.end_ms != later.span.start_ms:
        return None
    return Page(Span(earlier.span.start_ms, later.span.end_ms), earlier.rows + later.rows, earlier.routes)
