"""How the list behind a row of the table is read: what turns pages, how wide a window may be, what identifies rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bgresearch.catalogue import Endpoint
from bgresearch.catalogue.endpoint import END, START
from bgresearch.catalogue.response import rows_of
from bgresearch.core.intervals import DAY_MS, INTERVALS, Family, windows
from bgresearch.core.spans import Span
from bgresearch.errors import InvalidInput
from bgresearch.http.pagination.cursor import next_cursor

Kind = Literal["once", "window", "ids", "cursor", "page", "bars"]

EDGE_MS = 60_000  # windows and look-backs stay this far inside the exchange's own limits, which move with the time
SLACK_MS = 2  # how far outside a window a row may be, as windows are requested a little wider
_MOST_DIGITS = 40  # of an id; Python reads no number of thousands
_SECOND_MS = 1000  # some times are cut to the second: windows meet at full ones
_SPARE_BARS = 3  # of a page of candles: those next to the window, as the ends may be included or not
_USUAL_PAGE = 100  # rows to ask for where no page states how many there may be
_SIZES = ("limit", "pageSize")
_NUMBERS = ("pageNo", "pageNum", "cursor")
_LIMIT_WINS = frozenset({"futures.fills_history"})  # rows come from before startTime too (seen, not documented)
_OWNERS = frozenset({
    "userId", "uid", "subUid", "traderId", "masterUserId", "parentId", "fromUserId", "toUserId", "fromUid", "toUid",
    "followerUid", "merchantId", "productId", "inviterId", "subAccountUid", "clientOid",
})  # fmt: skip
_CURSORS = ("endId", "minId", "cursor", "idLessThan", "nextCursor")


@dataclass(frozen=True)
class Way:
    """How the rows behind one call are read.

    Attributes
    ----------
    endpoint : Endpoint
        The row of the table.
    kind : str
        ``once`` (one answer holds all), ``window`` (only time can be narrowed), ``ids`` and ``cursor`` (an answer
        says where the next page begins), ``page`` (numbers from 1), ``bars`` (candles: a page is a span of time).
    turn : str
        The parameter that turns the page, empty if there is none.
    size_name : str
        The parameter that says how many rows a page has, empty if there is none.
    size : int
        How many rows a page should have.
    longest_ms : int or None
        The longest window of one request.
    bar_ms : int
        Length of a candle, 0 for anything else.
    known_by : tuple of str
        The columns that identify a record; without any, equal rows may be different records.
    """

    endpoint: Endpoint
    kind: Kind
    turn: str
    size_name: str
    size: int
    longest_ms: int | None
    bar_ms: int
    known_by: tuple[str, ...]

    @property
    def strict(self) -> bool:
        """Whether answers hold rows from outside the window that have to be cut off."""
        return self.kind == "bars" or self.endpoint.id in _LIMIT_WINS

    @property
    def one_more(self) -> int:
        """How many rows to ask for to see whether a full page is all that there is: more, as far as may be asked."""
        if not self.size_name:
            return 0
        param = self.endpoint.param(self.size_name)
        most = (param.maximum if param else None) or self.endpoint.paging.max_rows or self.size
        return max(self.size, min(self.size + 1, most))

    @property
    def cut_to_seconds(self) -> bool:
        """Whether rows show times cut to seconds, which they are cut to the window by."""
        return self.endpoint.id in _LIMIT_WINS

    def time_of(self, row: Any) -> int | None:
        """Return a row's own time in epoch milliseconds, or None if it names none."""
        name = self.endpoint.time
        if isinstance(row, list):
            place = int(name[6:-1]) if name.startswith("index[") else len(row)
            value = row[place] if place < len(row) else None
        else:
            value = row.get(name) if isinstance(row, dict) else None
        text = str(value)
        if not (text.isascii() and text.isdecimal()) or text == "0" or len(text) > 14:
            return None
        return int(text) * 1000 if len(text) == 10 else int(text)

    def inside(self, row: Any, span: Span | None) -> bool:
        """Return whether a row belongs to this window and not to an adjacent one.

        Rows whose own time is far outside are kept, unless the exchange is known to send such: it may compare another
        time than the one that it shows.
        """
        at = self.time_of(row) if span is not None else None
        if at is None or span is None or span.start_ms <= at < span.end_ms:
            return True
        return not (self.strict or span.start_ms - SLACK_MS <= at <= span.end_ms + SLACK_MS)

    def following(self, data: Any, rows: Sequence[Any]) -> str:
        """Return the value that asks for the page after this one, empty at the end.

        Where ids are compared, it is the smallest one, in whatever order the rows came.
        """
        source = self.endpoint.paging.cursor_from
        if not source:
            return self._guessed(data, rows)
        field = source.rpartition(" row ")[2]
        if source.startswith("smallest "):
            field = source.split()[1]
        elif not source.startswith("last row "):
            return next_cursor(source, data, rows)
        numbers = [str(row.get(field)) for row in rows if isinstance(row, dict)]
        compared = self.kind == "ids" or source.startswith("smallest ")
        if (
            compared
            and numbers
            and all(one.isascii() and one.isdecimal() and len(one) < _MOST_DIGITS for one in numbers)
        ):
            return str(min(map(int, numbers)))
        return next_cursor(f"last row {field}", data, rows)

    def goes_on(self, data: Any) -> bool | None:
        """Return what the answer says about further pages, None if it says nothing."""
        flag = self.endpoint.paging.cursor_from.partition(" while data.")[2]
        said = data.get(flag) if flag and isinstance(data, dict) else None
        return None if said is None else str(said).lower() in ("true", "1", "yes")

    def rows(self, data: Any) -> list[Any]:
        """Return the rows of an answer."""
        return rows_of(self.endpoint, data)

    def _guessed(self, data: Any, rows: Sequence[Any]) -> str:
        """Return the cursor where its field is undocumented: one next to the rows, else the last row's only id."""
        if isinstance(data, dict):
            for field in (self.turn, *_CURSORS):
                if field in data and data.get(self.endpoint.rows_at) is not data[field]:
                    return next_cursor(f"data.{field}", data, rows)
        return next_cursor(f"last row {self.known_by[0]}", data, rows) if len(self.known_by) == 1 else ""

    @property
    def turns(self) -> bool:
        """Whether it is known how to come to the next page."""
        return bool(self.endpoint.paging.cursor_from) or self.kind == "page"


def way_of(endpoint: Endpoint, params: Mapping[str, object]) -> Way:
    """Return how a call is walked.

    Parameters
    ----------
    endpoint : Endpoint
        The row of the table.
    params : mapping
        Checked parameters; the size of a page may be among them.
    """
    kind = _kind(endpoint)
    size_name = next((name for name in _SIZES if endpoint.param(name) is not None), "") if kind != "once" else ""
    asked = params.get(size_name)
    size = int(str(asked)) if asked is not None else (endpoint.paging.max_rows or _usual(endpoint, size_name))
    longest = None if endpoint.max_span_days is None else endpoint.max_span_days * DAY_MS - EDGE_MS
    bar_ms = _bar_ms(endpoint, params) if kind == "bars" else 0
    if bar_ms:
        fitting = max(1, size - _SPARE_BARS) * bar_ms
        longest = fitting if longest is None else min(longest - _SPARE_BARS * bar_ms, fitting)
    return Way(endpoint, kind, _turn(endpoint, kind), size_name, size, longest, bar_ms, _known_by(endpoint))


def spans_of(way: Way, params: Mapping[str, object], now_ms: int) -> list[Span]:
    """Return the windows of a walk in the order in which they are walked; none if it needs no times.

    Candles go forward in time, as their answers do, everything else backward.

    Raises
    ------
    InvalidInput
        If nothing says how far back to go.
    """
    endpoint = way.endpoint
    if way.kind == "once" or endpoint.param(END) is None:
        return []
    start, end = params.get(START), params.get(END)
    if start is None and endpoint.lookback_days is not None:
        start = now_ms - endpoint.lookback_days * DAY_MS + EDGE_MS
    if start is None and (end is not None or way.longest_ms is not None or way.kind in ("window", "bars")):
        raise InvalidInput(
            START, f"is needed to read all of {endpoint.id}: its look-back is undocumented.",
            hint="Give the start: a date, a Timestamp or epoch milliseconds.",
        )  # fmt: skip
    if start is None:
        return []
    span = Span(int(str(start)), now_ms if end is None else int(str(end)))
    return cut(way, span)


def cut(way: Way, span: Span) -> list[Span]:
    """Return a span in windows, in the order in which they are walked."""
    if span.duration_ms == 0:
        return []
    if way.longest_ms is None:
        return [span]
    pieces = list(windows(span, way.longest_ms) if way.bar_ms else _meeting_at_seconds(span, way.longest_ms))
    return pieces if way.kind == "bars" else pieces[::-1]


def _meeting_at_seconds(span: Span, longest_ms: int) -> list[Span]:
    first = span.start_ms // _SECOND_MS * _SECOND_MS
    step = longest_ms // _SECOND_MS * _SECOND_MS
    edges = [span.start_ms, *range(first + step, span.end_ms, step), span.end_ms]
    return [Span(start, end) for start, end in itertools.pairwise(edges)]


def _kind(endpoint: Endpoint) -> Kind:
    kind = endpoint.paging.kind
    if kind == "none":
        return "once"
    if kind == "time-window":
        return "bars" if endpoint.response == "array-rows" else "window"
    return "ids" if kind == "id-cursor" else kind


def _turn(endpoint: Endpoint, kind: Kind) -> str:
    if kind == "ids":
        return "idLessThan"
    if kind == "cursor":
        return "cursor"
    return next((name for name in _NUMBERS if name in endpoint.paging.params), "") if kind == "page" else ""


def _usual(endpoint: Endpoint, size_name: str) -> int:
    param = endpoint.param(size_name)
    if param is None:
        return 0
    return param.maximum or (int(param.default) if param.default and param.default.isdecimal() else _USUAL_PAGE)


def _known_by(endpoint: Endpoint) -> tuple[str, ...]:
    """Return the ids that are in the row itself and are not those of a person."""
    prefix = f"{endpoint.rows_at}." if endpoint.rows_at else ""
    return tuple(
        column.name
        for column in endpoint.columns
        if column.kind == "id" and column.path == f"{prefix}{column.name}" and column.name not in _OWNERS
    )


def _bar_ms(endpoint: Endpoint, params: Mapping[str, object]) -> int:
    families: dict[str, Family] = {"spot": "spot", "futures": "futures"}
    family = families.get(endpoint.area, "uta")
    word = str(params.get("granularity") or params.get("interval") or "")
    for interval in INTERVALS.values():
        if word in (interval.spelling(family, "utc"), interval.spelling(family, "exchange")):
            return interval.length_ms or 28 * DAY_MS  # the shortest month: a window never holds too many
    raise InvalidInput("granularity", f"{word!r} is no length of a candle that can be walked.")
