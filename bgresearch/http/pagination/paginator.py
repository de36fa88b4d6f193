"""Reads a list of the exchange to its end, page by page: no row lost, no row twice, no page requested twice.

Every page is saved before the next one is requested, so that an interrupted run resumes where it stopped. Memory holds
the last few pages only. Parsing of rows is left to the caller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from bgresearch.catalogue.endpoint import END, START
from bgresearch.core import exact_json
from bgresearch.core.clock import Clock
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.spans import Span, after_instant, subtract, whole_seconds
from bgresearch.errors import BadResponse, BgresearchError, ExchangeError, IncompleteData
from bgresearch.http.confirming_sender import EMPTY_ANSWERS_OF_THE_PAST
from bgresearch.http.pagination.strategy import EDGE_MS, Way

_REMEMBERED = 4  # pages to compare rows with: duplicates are on pages that follow each other
_DEEPEST = "40303"  # deeper than 20,000 rows is not served
_MOST_BARREN = 50  # pages in a row without a new row before the cursor is considered circular
_LOOKS = 5  # at the first page, while rows keep coming
_FAR = 500  # pages ahead, to see whether an exchange repeats its last page
_OTHER_SIZES = 3  # of a page, to look over the end of a numbered list with
_CUT_SHORT = 100  # candles that an exchange with smaller pages than documented may have stopped at

Ask = Callable[[Mapping[str, object]], Any]
Line = dict[str, Any]


class Checkpoint(Protocol):
    """Where pages are kept until the list is complete; on disk: `bgresearch.store.checkpoints.CheckpointFile`."""

    header: Line

    def keep(self, line: Line) -> None:
        """Write one page."""

    def lines(self) -> Iterator[Line]:
        """Yield the kept pages in their order."""


@dataclass
class State:
    """The position in a list; it is saved with every page.

    Attributes
    ----------
    todo : list of Span or None
        The windows that are left, the current one first; None for a list that is walked without times.
    cursor : str
        The cursor of the next page; empty for the first.
    turned : int
        Pages of this window so far.
    largest : int
        Rows of its largest page.
    short : bool
        Whether its last page had fewer rows than it should, so that an empty one behind it is the end.
    oldest_ms : int or None
        The earliest time in this window so far.
    shift : int
        By how many rows newer ones have pushed the numbered pages on, as far as that was looked after.
    until_ms : int
        Up to when it walks, where the end was left open.
    """

    todo: list[Span | None]
    cursor: str = ""
    turned: int = 0
    largest: int = 0
    short: bool = False
    oldest_ms: int | None = None
    shift: int = 0
    until_ms: int = 0

    def line(self) -> list[Any]:
        """Return it as JSON can hold it."""
        return [
            self.todo, self.cursor, self.turned, self.largest, self.short, self.oldest_ms, self.shift, self.until_ms,
        ]  # fmt: skip

    @classmethod
    def of(cls, line: list[Any]) -> State:
        """Return what `line` gave."""
        todo, *rest = line
        return cls([None if span is None else Span(*span) for span in todo], *rest)

    def next_window(self, *instead: Span) -> None:
        """Leave this window, or narrow it down."""
        self.todo[:1] = instead
        self.cursor, self.turned, self.largest, self.short = "", 0, 0, False
        self.oldest_ms, self.shift = None, 0


@dataclass
class _Page:
    rows: list[Any]
    keys: list[str]
    data: Any = field(repr=False)
    distinct: int  # records: equal rows are one where they have ids
    repeats: bool = False
    pushed: int = 0  # rows at the top that were on the page before


class Paginator:
    """One walk, from its first page or from where it was interrupted.

    Parameters
    ----------
    way : Way
        How the list is walked.
    fixed : mapping
        Parameters that are the same for every page.
    ask : callable
        Sends parameters, returns the value of ``data``.
    spool : Checkpoint
        Where pages are kept.
    clock : Clock
        What the exchange forgets moves on while one walks.

    Attributes
    ----------
    asked : int
        Requests of this process.
    extended : bool
        Whether what was added since an interruption is walked, too, and out of order.
    forgotten : Span or None
        What the exchange stopped answering while it was walked.
    """

    def __init__(self, way: Way, fixed: Mapping[str, object], ask: Ask, spool: Checkpoint, clock: Clock) -> None:
        self._way, self._fixed, self._ask, self._spool, self._clock = way, dict(fixed), ask, spool, clock
        self._recent: deque[list[str]] = deque(maxlen=_REMEMBERED)  # of the rows that were taken
        self._head: list[str] = []  # all rows of the first page, and of the one before
        self._last: list[str] = []
        self._state = State.of(spool.header["state"])
        self._barren = 0
        self._by_time = True  # whether each page of this window is older than the one before
        self._promised = False  # whether the last page said that there are more
        self._cursors: set[str] = set()  # of this window: one that comes again goes in circles
        self.asked = 0
        self.extended = False
        self.forgotten: Span | None = None

    @property
    def until_ms(self) -> int:
        """Up to when it walks, where the end was left open; else 0."""
        return self._state.until_ms

    def replay(self) -> None:
        """Take up the state of the kept pages."""
        for line in self._spool.lines():
            before, self._state = self._state, State.of(line["state"])
            if line["rows"]:
                keys = [_key(row) for row in line["rows"]]
                if before.turned == 0:
                    self._head = keys
                self._last = keys
                self._recent.append([_key(row) for row in fresh_rows(line)])

    def extend(self, spans: list[Span], until_ms: int) -> None:
        """Walk these windows, too: what was added since an interrupted walk began."""
        todo = self._state.todo
        at = len(todo) if self._way.kind == "bars" else min(1 if self._state.turned else 0, len(todo))
        todo[at:at] = spans
        self._state.until_ms, self.extended = until_ms, self._way.kind != "bars"
        self._keep([], [])

    def pages(self) -> Iterator[list[Any]]:
        """Yield the rows that each further request adds, as soon as they are kept.

        Raises
        ------
        BadResponse
            The list has no end: a page comes again and again.
        IncompleteData
            The exchange does not serve the rest of the list.
        """
        empty = 0
        while self._state.todo:
            page = self._page()
            if page is None:  # the window was narrowed down instead
                continue
            if not page.rows:
                empty += 1
                if not self._state.turned or self._state.short or empty >= EMPTY_ANSWERS_OF_THE_PAST:
                    empty = 0
                    self._end_of_window()
                    self._keep([], [])
                continue
            empty = 0
            page.repeats = self._repeats(page)
            if self._way.kind == "page" and self._state.turned and not (self._way.known_by or page.repeats):
                page = self._settled(page)
            fresh = self._fresh(page)
            problem: BgresearchError | None = None
            try:
                self._move(page, fresh)
            except (BadResponse, IncompleteData) as error:
                problem = error  # what came is given out first
            else:
                self._keep(page.rows, fresh)
            yield [page.rows[at] for at in fresh]
            if problem is not None:
                raise problem

    def _keep(self, rows: list[Any], fresh: list[int]) -> None:
        kept = None if len(fresh) == len(rows) else fresh
        self._spool.keep({"rows": rows, "fresh": kept, "state": self._state.line()})

    # asking

    def _page(self) -> _Page | None:
        try:
            data = self._send(self._params())
        except ExchangeError as error:
            if error.code != _DEEPEST or not self._state.turned:
                raise
            self._narrow()
            return None
        rows = self._way.rows(data)
        keys = [_key(row) for row in rows]
        return _Page(rows, keys, data, len(set(keys)) if self._way.known_by else len(rows))

    def _send(self, params: Mapping[str, object]) -> Any:
        self.asked += 1
        return self._ask(params)

    def _params(self, number: str | None = None) -> dict[str, object]:
        way, span = self._way, self._state.todo[0]
        params = dict(self._fixed)
        if way.size_name:
            params[way.size_name] = str(way.size)
        if span is not None:
            span = whole_seconds(span) if way.cut_to_seconds else span
            # whether the ends are inclusive is not documented: the window is requested a little wider
            start = self._remembered(span)
            if way.endpoint.param(START) is not None:
                params[START] = str(max(0, start - (way.bar_ms or 1)))
            params[END] = str(span.end_ms)
        if way.kind == "page":
            params[way.turn] = number or self._state.cursor or "1"
        elif self._state.cursor:
            params[way.turn] = self._state.cursor
        return params

    def _remembered(self, span: Span) -> int:
        """Return where to ask from: what is older than the look-back by now would be refused."""
        lookback = self._way.endpoint.lookback_days
        if lookback is None or not self._way.endpoint.private:
            return span.start_ms
        oldest = self._clock.now_ms() - lookback * DAY_MS + EDGE_MS // 2
        if oldest > span.start_ms:
            self.forgotten = Span(span.start_ms, oldest)
        return min(max(span.start_ms, oldest), span.end_ms)

    # what is new on a page

    def _fresh(self, page: _Page) -> list[int]:
        """Return the places of the rows that were not on an earlier page and are in the window."""
        way, span = self._way, self._state.todo[0]
        if page.repeats:
            places: list[int] = []
        elif way.known_by or way.kind == "bars":
            places = self._unseen(page.keys)
        else:
            places = list(range(page.pushed, len(page.rows)))
        return [at for at in places if way.inside(page.rows[at], span)]

    def _unseen(self, keys: list[str]) -> list[int]:
        seen = {key for earlier in self._recent for key in earlier}
        first = {key: at for at, key in reversed(list(enumerate(keys)))}
        return [at for at, key in enumerate(keys) if key not in seen and first[key] == at]

    def _repeats(self, page: _Page) -> bool:
        """Return whether this is the previous page again, or the first one: some lists end like that.

        Where rows have no ids, two different pages may look equal; then a page far behind shows whether the exchange
        repeats itself, or the cursor shows whether it moved.
        """
        state, way = self._state, self._way
        alike = [keys for keys in (self._last, self._head) if keys] if state.turned else []
        again = sorted(page.keys)
        if not any(again == sorted(keys) for keys in alike):
            return False
        if way.known_by:
            return True
        if way.kind != "page":
            return way.following(page.data, page.rows) == state.cursor
        try:
            far = way.rows(self._send(self._params(str(int(state.cursor) + _FAR))))
        except ExchangeError:
            return False
        return sorted(map(_key, far)) == again

    def _settled(self, page: _Page) -> _Page:
        """Return a numbered page with the number of rows at its top that were on the page before.

        New rows at the head of a list shift it. But equal rows on both sides of a border may also be different
        records: then the first page has not moved. The page is requested again until the list did not move between it
        and the check of the first page.
        """
        state, seen = self._state, self._state.shift
        if not any(self._last[-size:] == page.keys[:size] for size in range(1, len(page.keys) + 1)):
            return page
        for _ in range(_LOOKS):
            moved = self._moved()
            if moved <= seen:
                break
            seen = moved
            again = self._page()
            page = again if again is not None and again.rows else page
        page.pushed = min(seen - state.shift, len(page.rows))
        state.shift += page.pushed
        return page

    # where to go on

    def _move(self, page: _Page, fresh: list[int]) -> None:
        """Go to the next page, the next window, or into a narrower one."""
        state, way = self._state, self._way
        earlier = state.short
        if state.turned == 0:
            self._head = page.keys
            self._cursors.clear()
            self._by_time = True
        times = [at for row in page.rows if (at := way.time_of(row)) is not None]
        if times and state.oldest_ms is not None:
            self._by_time = self._by_time and max(times) <= state.oldest_ms
        state.oldest_ms = min([*times, *([] if state.oldest_ms is None else [state.oldest_ms])], default=None)
        full = page.distinct >= way.size if way.size else True
        state.short = not full and (state.turned == 0 or page.distinct < state.largest)
        state.largest = max(state.largest, page.distinct)
        state.turned += 1
        self._last = page.keys
        self._recent.append([page.keys[at] for at in fresh])
        if way.kind == "bars":
            self._rest_of_bars(page, times)
        elif way.kind == "window":
            self._narrow() if way.size and full else state.next_window()
        elif page.repeats:
            self._accept_end(full=full and not earlier)
        elif way.kind == "page":
            self._turn_number()
        else:
            self._turn_cursor(page, times, fresh)

    def _turn_number(self) -> None:
        number = int(self._state.cursor or "1")
        most = self._way.endpoint.paging.max_pages
        if most is not None and number >= most and not self._state.short:
            self._narrow()
        else:
            self._state.cursor = str(number + 1)

    def _turn_cursor(self, page: _Page, times: list[int], fresh: list[int]) -> None:
        state, span = self._state, self._state.todo[0]
        following = self._way.following(page.data, page.rows)
        self._promised = self._way.goes_on(page.data) is True
        self._barren = 0 if fresh else self._barren + 1
        beyond = self._way.strict and span is not None and bool(times) and max(times) < span.start_ms
        once_more = following == state.cursor and state.short  # the row that the cursor names comes along again
        if following == "" and not self._way.turns and page.distinct >= self._way.size:
            raise IncompleteData(
                f"{self._way.endpoint.id}: no page documents how to request the next page, and this one is full.",
                missing=[] if span is None else [span], hint="Ask for larger pages or less time; .pages(...) gives it.",
            )  # fmt: skip
        unsaid = following == "" and self._way.goes_on(page.data) is None and page.distinct >= self._way.size > 0
        if unsaid and (self._can_narrow() or self._goes_on()):
            self._narrow()  # a full page without a hint of another one: older rows are requested as a new window
        elif self._way.goes_on(page.data) is False or following == "" or beyond or once_more:
            state.next_window()
        elif following in {state.cursor, *self._cursors} or self._barren > _MOST_BARREN:
            self._no_end()
        else:
            self._cursors.add(following)
            state.cursor = following

    def _end_of_window(self) -> None:
        """Take an empty page as the end of the window, or go on below it: after a full page it may not be the end."""
        state = self._state
        if not state.turned or state.short:
            state.next_window()
        elif self._can_narrow():
            self._narrow()
        elif self._goes_on() if self._way.kind != "page" else not self._is_past_the_end():
            span = state.todo[0]
            raise IncompleteData(
                f"{self._way.endpoint.id}: nothing is served after page {state.turned}, which is full: whether the "
                "list ends there is not known.", missing=[] if span is None else [span],
                hint="Ask for a shorter time where there is one; .pages(...) gives what there is.",
            )  # fmt: skip
        else:
            state.next_window()

    def _accept_end(self, *, full: bool) -> None:
        """Take a repeated page as the end, if it is short or requests of another kind confirm it."""
        state = self._state
        if full and state.turned == 2:
            self._no_end()  # the first page: nothing was turned
        if full and self._can_narrow():
            self._narrow()
        elif full and not (self._way.kind == "page" and self._is_past_the_end()):
            self._no_end()
        else:
            state.next_window()

    def _is_past_the_end(self) -> bool:
        """Return whether a page of another size that begins before the end of a numbered list is short.

        A list that goes on fills such a page; where no page of that number is served, it is empty.
        """
        state, way = self._state, self._way
        if not way.size_name:
            return False
        length = (int(state.cursor or "1") - 1) * state.largest - state.shift + self._moved()
        sizes = [*range(state.largest - 1, 1, -1), *range(state.largest + 1, state.largest + 1 + 2 * _OTHER_SIZES)]
        known = {key for page in (*self._recent, self._last) for key in page}
        for size in [size for size in sizes if length % size][:_OTHER_SIZES]:
            params = self._params(str(length // size + 1)) | {way.size_name: str(size)}
            try:
                rows = way.rows(self._send(params))
            except ExchangeError:
                continue
            if rows:
                new = len(rows) > length % size if not way.known_by else any(_key(row) not in known for row in rows)
                return len(rows) < size and not new
        return False

    def _moved(self) -> int:
        """Return by how many rows newer ones have pushed the list on since its first page; one request."""
        head = [_key(row) for row in self._way.rows(self._send(self._params("1")))]
        return next(by for by in range(len(head) + 1) if self._head[: len(head) - by] == head[by:])

    def _goes_on(self) -> bool:
        """Return whether there is evidence that an empty page after a full one is not the end of a list with cursors.

        The page before may have announced more, or there are older rows than the oldest one, or others of its time.
        A page that is full of rows of that time leaves no space for others: then the end is unknown.
        """
        span, oldest = self._state.todo[0], self._state.oldest_ms
        if self._promised or span is None or oldest is None or oldest < span.start_ms:
            return self._promised
        params = {name: value for name, value in self._params().items() if name != self._way.turn}
        size = self._way.one_more
        params |= {self._way.size_name: str(size)} if size else {}
        rows = self._way.rows(self._send(params | {END: str(after_instant(oldest))}))
        if any(at is not None and at < oldest for at in map(self._way.time_of, rows)):
            return True
        known = {key for page in (*self._recent, self._last) for key in page}
        same = [_key(row) for row in rows if self._way.time_of(row) == oldest]
        return len(same) >= size > 0 or (self._by_time and not known.issuperset(same))

    def _no_end(self) -> NoReturn:
        raise BadResponse(
            self._way.endpoint.id, f"the page after {self._state.cursor or 'the first'} came twice; "
            "the list has no end.", hint="The pages before it are kept; .pages(...) gives them.",
        )  # fmt: skip

    def _rest_of_bars(self, page: _Page, times: list[int]) -> None:
        """Ask for what a page of candles left out, if it may have been cut short."""
        state, span, length = self._state, self._state.todo[0], self._way.bar_ms
        inside = [at for at in times if span is not None and span.start_ms <= at < span.end_ms]
        rest: tuple[Span, ...] = ()
        if span is not None and inside and page.distinct >= min(_CUT_SHORT, self._way.size):
            holes = subtract([span], [Span(min(inside), max(inside) + length)])
            rest = tuple(hole for hole in holes if hole.duration_ms >= length)
        state.next_window(*rest)

    def _narrow(self) -> None:
        """Go on with the older part of the window, without the part that is complete.

        Rows of its latest instant come again; they are known by their ids.
        """
        span, oldest = self._state.todo[0], self._state.oldest_ms
        if span is None or oldest is None or not self._can_narrow():
            missing = [] if span is None else [Span(span.start_ms, max(span.start_ms, oldest or span.end_ms))]
            raise IncompleteData(
                f"{self._way.endpoint.id}: the exchange does not serve the list any deeper than the pages so far.",
                missing=missing, hint="Ask for a shorter time where there is one; .pages(...) gives what there is.",
            )  # fmt: skip
        self._state.next_window(Span(span.start_ms, after_instant(oldest)))

    def _can_narrow(self) -> bool:
        span, oldest = self._state.todo[0], self._state.oldest_ms
        if span is None or oldest is None or not self._way.known_by or not self._by_time:
            return False
        return span.start_ms < after_instant(oldest) < span.end_ms


def _key(row: Any) -> str:
    """Return what equals that of another row if every field does."""
    return exact_json.dumps(row, sort_keys=True)


def fresh_rows(line: Line) -> list[Any]:
    """Return the rows of a kept page that were on no earlier one."""
    rows: list[Any] = line["rows"]
    return rows if line["fresh"] is None else [rows[at] for at in line["fresh"]]
