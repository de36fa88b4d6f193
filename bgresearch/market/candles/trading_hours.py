"""When a market is closed, learned from the candles of many days. Sends nothing itself, touches no files.

Stock contracts are closed at night, at weekends, over lunch: a hole a day, at the same time of day and of the same
length. Requesting every hole from every route would cost more than the candles. So the holes of all pages of a
partition are examined together: those that recur on several days, and whose both ends more than one route showed, are
the market's closed hours. A hole of that kind needs no response beyond the one that lacks it; any other hole, such as
a holiday, is confirmed one by one (`page_fetcher`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from bgresearch.core.intervals import DAY_MS, MINUTE_MS
from bgresearch.core.spans import Span, union
from bgresearch.market.candles.longer_candles import Hole
from bgresearch.market.candles.plan import CandleSeries, Page, Route
from bgresearch.store.candle_checks import Checked

_RECURS = 3  # holes of the same time of day and length that make it a habit of the market
_SHORTEST_MS = 30 * MINUTE_MS  # shorter holes may recur by chance where little is traded
_SAMPLES = 2  # requests to one route about one kind of closed hours that is left unconfirmed

_Opens = np.ndarray[Any, np.dtype[np.int64]]


class View(NamedTuple):
    """What a response shows: every candle within ``span``, which open at ``opens``."""

    endpoint: str
    span: Span
    opens: _Opens


class Kind(NamedTuple):
    """Closed hours: when in the day they begin, and how long they last."""

    begins_ms: int
    lasts_ms: int

    @property
    def ends_ms(self) -> int:
        """When in the day it opens again."""
        return (self.begins_ms + self.lasts_ms) % DAY_MS


class RequestedPage(Protocol):
    """A page after its first response."""

    @property
    def page(self) -> Page: ...
    @property
    def views(self) -> Sequence[View]: ...


Sample = Callable[[Route, Span, Any], View | None]


@dataclass
class _Seen:
    """How often closed hours of one kind were seen, and which routes showed their beginning and their end."""

    times: int = 0
    closing: set[str] = field(default_factory=set)
    opening: set[str] = field(default_factory=set)

    def is_usual(self, routes: int) -> bool:
        return self.times >= _RECURS and min(len(self.closing), len(self.opening)) >= routes


def view_of(route: Route, span: Span, checked: Checked) -> View | None:
    """Return what a response about a span shows; None for one without rows, which may be empty by mistake."""
    if checked.seen is None:
        return None
    came = checked.seen
    if checked.cut_off:  # rows beyond its own may have been left out
        return View(route.endpoint, Span(came.start_ms, came.end_ms + 1), checked.times)
    start_ms = min(span.start_ms, came.start_ms) if route.starts else came.start_ms
    return View(route.endpoint, Span(start_ms, max(span.end_ms, came.end_ms + 1)), checked.times)


def hours_of(what: CandleSeries) -> ClosedHours | None:
    """Return what is to be learned of a series; None for candles of a day and longer, which span the hours."""
    length = what.interval.length_ms
    return ClosedHours(length) if length is not None and not what.interval.anchored else None


class ClosedHours:
    """The closed hours of one market; used by one thread at a time.

    Parameters
    ----------
    length_ms : int
        Of a candle.
    """

    def __init__(self, length_ms: int) -> None:
        self._length_ms = length_ms
        self._kinds: defaultdict[Kind, _Seen] = defaultdict(_Seen)
        self._tries: defaultdict[tuple[Kind, str], int] = defaultdict(int)

    def learn(self, pages: Sequence[RequestedPage], sample: Sample) -> _Opens:
        """Return when candles open in these pages, after learning from the holes between them.

        Parameters
        ----------
        pages : sequence
            Pages that were requested once, oldest first.
        sample : callable
            Requests a span from a route, for closed hours that no other route has shown.
        """
        views = [view for one in pages for view in one.views]
        opens = np.unique(np.concatenate([np.empty(0, np.int64), *(view.opens for view in views)]))
        holes = [hole for hole in self._between(opens) if hole.duration_ms >= _SHORTEST_MS]
        for hole in holes:
            self._kinds[self._kind(hole)].times += 1
        self._take_in(views, holes)
        for kind, seen in sorted(self._kinds.items(), key=lambda one: -one[0].lasts_ms):
            newest = next((hole for hole in reversed(holes) if self._kind(hole) == kind), None)
            if newest is not None and seen.times >= _RECURS:
                self._confirm(newest, holes, pages, sample)
        return opens

    def closed(self, holes: Iterable[Hole], opens: _Opens, routes: int) -> list[Span]:
        """Return the parts of requested holes that are closed hours which so many routes have shown."""
        usual = {kind for kind, seen in self._kinds.items() if seen.is_usual(routes)}
        asked = [hole.span for hole in holes if (hole.asked or hole.blanks) and not hole.odd]
        found = []
        for span in asked if usual else ():
            place = int(np.searchsorted(opens, span.start_ms))
            before = int(opens[place - 1]) + self._length_ms if place else None
            after = int(opens[place]) if place < len(opens) else None
            if self._is_usual(span, before, after, usual):
                found.append(span)
        return list(union(found))

    def _is_usual(self, span: Span, before: int | None, after: int | None, usual: set[Kind]) -> bool:
        """Return whether the hole around a span, which the pages may show in part, is one of the usual kinds."""
        if before is not None and after is not None:
            return self._kind(Span(before, after)) in usual
        if before is not None:
            return any(one.begins_ms == before % DAY_MS and span.end_ms - before <= one.lasts_ms for one in usual)
        return after is not None and any(
            one.ends_ms == after % DAY_MS and after - span.start_ms <= one.lasts_ms for one in usual
        )

    def _between(self, opens: _Opens) -> list[Span]:
        ends = np.flatnonzero(np.diff(opens) > self._length_ms)
        return [Span(int(opens[at]) + self._length_ms, int(opens[at + 1])) for at in ends]

    def _kind(self, hole: Span) -> Kind:
        return Kind(hole.start_ms % DAY_MS, hole.duration_ms)

    def _take_in(self, views: Iterable[View], holes: Sequence[Span]) -> None:
        """Note which routes showed the beginnings and the ends of holes, each next to a candle."""
        for view in views:
            own = set(view.opens.tolist())
            for hole in holes:
                if hole.end_ms < view.span.start_ms or hole.start_ms > view.span.end_ms:
                    continue
                seen = self._kinds[self._kind(hole)]
                if hole.start_ms - self._length_ms in own and hole.start_ms < view.span.end_ms:
                    seen.closing.add(view.endpoint)
                if hole.end_ms in own and hole.end_ms - self._length_ms >= view.span.start_ms:
                    seen.opening.add(view.endpoint)

    def _confirm(self, hole: Span, holes: Sequence[Span], pages: Sequence[RequestedPage], sample: Sample) -> None:
        """Ask one further route about closed hours that only one has shown."""
        kind, page = self._kind(hole), next(one for one in reversed(pages) if one.page.span.start_ms < hole.end_ms)
        routes, seen = page.page.routes, self._kinds[self._kind(hole)]
        for route in sorted(routes, key=lambda one: (one.starts, -one.rows)):
            known = route.endpoint in seen.closing and route.endpoint in seen.opening
            if seen.is_usual(min(2, len(routes))) or known or self._tries[kind, route.endpoint] >= _SAMPLES:
                continue
            self._tries[kind, route.endpoint] += 1
            views = [view for part in self._ends(hole, route) if (view := sample(route, part, page)) is not None]
            self._take_in([view for view in views if not self._contradicts(view, hole)], holes)

    def _contradicts(self, view: View, hole: Span) -> bool:
        return bool(((view.opens >= hole.start_ms) & (view.opens < hole.end_ms)).any())

    def _ends(self, hole: Span, route: Route) -> list[Span]:
        """Return what to request of a route to see where a hole begins and ends."""
        step = self._length_ms
        if not route.starts:  # its response goes back from the end until it is full
            end_ms = hole.end_ms + 2 * step
            return [Span(end_ms - route.rows * step, end_ms)]
        if hole.duration_ms + 4 * step <= route.rows * step:
            return [Span(hole.start_ms - 2 * step, hole.end_ms + 2 * step)]
        return [Span(at - 2 * step, at + 2 * step) for at in (hole.start_ms, hole.end_ms)]
