"""Candle intervals: lengths, names in each product family, and the grid of times at which candles open. Pure.

Fixed lengths up to a day open on multiples of themselves since the epoch; weeks open on Monday; months on the first.
``anchor="utc"`` opens on UTC boundaries. ``anchor="exchange"`` opens on boundaries of UTC+8, as the exchange's plain
6h and longer candles do (documentation: spot/market/Get-Candle-Data names the UTC ones separately).
Where three-day candles open is not documented; here they count from the epoch, and readers must accept another phase.
"""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bgresearch.core.spans import Span
from bgresearch.core.timestamps import Length, length_of
from bgresearch.errors import InvalidInput

Anchor = Literal["utc", "exchange"]
Family = Literal["spot", "futures", "uta"]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
EXCHANGE_OFFSET_MS = 8 * HOUR_MS  # UTC+8
_MONDAY_MS = 4 * DAY_MS  # 1970-01-05, the first Monday after the epoch
_THREE_DAYS_MS = 3 * DAY_MS
_FEW = 5  # candles to request at least while it is not known on which days they open


@dataclass(frozen=True, slots=True)
class Interval:
    """One candle interval.

    Attributes
    ----------
    name : str
        ``1m`` ... ``1M`` in this package's spelling.
    length_ms : int or None
        Fixed length in milliseconds; None for a calendar month.
    """

    name: str
    length_ms: int | None

    @property
    def nominal_ms(self) -> int:
        """Length for planning: exact for fixed lengths, 31 days for a month."""
        return self.length_ms if self.length_ms is not None else 31 * DAY_MS

    @property
    def anchored(self) -> bool:
        """Whether UTC and UTC+8 boundaries differ (6h and longer)."""
        return self.nominal_ms >= 6 * HOUR_MS

    def floor(self, timestamp_ms: int, anchor: Anchor = "utc") -> int:
        """Return the open of the candle that contains this instant."""
        shift = EXCHANGE_OFFSET_MS if anchor == "exchange" and self.anchored else 0
        local = timestamp_ms + shift
        if self.length_ms is None:
            moment = dt.datetime.fromtimestamp(local / 1000, tz=dt.UTC)
            local = int(dt.datetime(moment.year, moment.month, 1, tzinfo=dt.UTC).timestamp()) * 1000
        else:
            phase = _MONDAY_MS if self.length_ms == WEEK_MS else 0
            local -= (local - phase) % self.length_ms
        return local - shift

    def next_open(self, open_ms: int, anchor: Anchor = "utc") -> int:
        """Return the open of the candle after the one that opens at ``open_ms``."""
        if self.length_ms is not None:
            return open_ms + self.length_ms
        return self.floor(open_ms + 32 * DAY_MS, anchor)

    def ceil(self, timestamp_ms: int, anchor: Anchor = "utc") -> int:
        """Return the first open at or after this instant."""
        opened = self.floor(timestamp_ms, anchor)
        return opened if opened == timestamp_ms else self.next_open(opened, anchor)

    def spelling(self, family: Family, anchor: Anchor = "utc") -> str | None:
        """Return the exchange's name of this interval, or None if the family does not offer it.

        v3 pages have no UTC variants and stop at one day (the enum page lists more; not relied upon).
        """
        if family == "spot":
            return _SPOT_UTC.get(self.name, _SPOT.get(self.name)) if anchor == "utc" else _SPOT.get(self.name)
        if family == "uta":
            return None if self.anchored and anchor == "utc" else _UTA.get(self.name)
        return _SPOT_UTC.get(self.name, _FUTURES[self.name]) if anchor == "utc" else _FUTURES[self.name]


_SPOT = {
    "1m": "1min", "3m": "3min", "5m": "5min", "15m": "15min", "30m": "30min", "1h": "1h", "4h": "4h", "6h": "6h",
    "12h": "12h", "1d": "1day", "3d": "3day", "1w": "1week", "1M": "1M",
}  # fmt: skip
_SPOT_UTC = {"6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc", "3d": "3Dutc", "1w": "1Wutc", "1M": "1Mutc"}
_FUTURES = {
    "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "2h": "2H", "4h": "4H", "6h": "6H",
    "12h": "12H", "1d": "1D", "3d": "3D", "1w": "1W", "1M": "1M",
}  # fmt: skip
_UTA = {name: word for name, word in _FUTURES.items() if name not in {"2h", "3d", "1w", "1M"}}

INTERVALS = {
    name: Interval(name, length_ms)
    for name, length_ms in {
        "1m": MINUTE_MS, "3m": 3 * MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "30m": 30 * MINUTE_MS,
        "1h": HOUR_MS, "2h": 2 * HOUR_MS, "4h": 4 * HOUR_MS, "6h": 6 * HOUR_MS, "12h": 12 * HOUR_MS, "1d": DAY_MS,
        "3d": 3 * DAY_MS, "1w": WEEK_MS, "1M": None,
    }.items()
}  # fmt: skip


_UTC = re.compile(r"utc$", re.IGNORECASE)


def interval(name: str) -> Interval:
    """Return the interval of that name, in any spelling that `interval_name` takes.

    Raises
    ------
    InvalidInput
        If there is none; the message lists them all.
    """
    return INTERVALS[interval_name(name)]


def interval_name(value: object, *, anchor: object = "utc") -> str:
    """Return this package's name of an interval: ``1h`` of ``1H``, ``60min``, ``1hour``, ``Timedelta("1h")``.

    Parameters
    ----------
    value : str or timedelta
        In any common spelling; the exchange's ``1Dutc`` only where ``anchor`` is "utc".
    anchor : str
        Where candles open.

    Raises
    ------
    InvalidInput
        There is no such interval; the message lists them all.
    """
    known = known_interval(value, anchor=anchor)
    if known is not None:
        return known
    length = _length(value, anchor)
    cause = f"{value!r} is unknown."
    if length is not None and length.months > 1 and isinstance(value, str) and value.endswith("M"):
        cause = f"{value!r} is {length.months} months, as M is a month; minutes are written {value[:-1]}m."
    raise InvalidInput("interval", cause, hint=f"Use one of {', '.join(INTERVALS)}.")


def known_interval(value: object, *, anchor: object = "utc") -> str | None:
    """Return this package's name of an interval, in any spelling that `interval_name` takes; None if there is none."""
    if isinstance(value, str) and value in INTERVALS:
        return value
    length = _length(value, anchor)
    for one in INTERVALS.values():
        if length == (Length(one.length_ms, 0) if one.length_ms is not None else Length(0, 1)):
            return one.name
    return None


def _length(value: object, anchor: object) -> Length | None:
    return length_of(_UTC.sub("", value) if isinstance(value, str) and anchor == "utc" else value)


@dataclass(frozen=True, slots=True)
class Grid:
    """The possible opens of candles of one interval and anchor.

    Where three-day candles open is not documented: any day is possible, but the same for all. Spans of three-day
    candles are therefore cut at days, and ``phase_ms`` is taken from the first response.
    """

    interval: Interval
    anchor: Anchor = "utc"
    phase_ms: int | None = None

    @property
    def unaligned(self) -> bool:
        """Whether spans are cut at days instead of opens."""
        return self.interval.length_ms == _THREE_DAYS_MS

    @property
    def phase_unknown(self) -> bool:
        """Whether the phase is still unknown."""
        return self.unaligned and self.phase_ms is None

    def learned(self, open_ms: int) -> Grid:
        """Return the grid on which a candle opens at ``open_ms``."""
        return replace(self, phase_ms=open_ms % _THREE_DAYS_MS) if self.phase_unknown else self

    def edge(self, timestamp_ms: int) -> int:
        """Return the first instant at or after this one where a span of candles may be cut."""
        if self.unaligned:
            shift = EXCHANGE_OFFSET_MS if self.anchor == "exchange" else 0
            return -(-(timestamp_ms + shift) // DAY_MS) * DAY_MS - shift
        return self.interval.ceil(timestamp_ms, self.anchor)

    def outer(self, span: Span) -> Span:
        """Return the span, cut at opens, that contains the same opens."""
        return Span(self.edge(span.start_ms), self.edge(span.end_ms))

    def closed_before(self, now_ms: int) -> int:
        """Return the instant before which every candle is closed now."""
        if self.unaligned:
            return self.edge(now_ms - _THREE_DAYS_MS + 1)
        return self.interval.floor(now_ms, self.anchor)

    def opens(self, span: Span) -> list[int]:
        """Return every open within the span."""
        if self.unaligned:
            phase = self.phase_ms if self.phase_ms is not None else self.interval.floor(0, self.anchor) % _THREE_DAYS_MS
            first = span.start_ms + (phase - span.start_ms) % _THREE_DAYS_MS
            return list(range(first, span.end_ms, _THREE_DAYS_MS))
        first = self.interval.ceil(span.start_ms, self.anchor)
        if self.interval.length_ms is not None:
            return list(range(first, span.end_ms, self.interval.length_ms))
        opens = []
        while first < span.end_ms:
            opens.append(first)
            first = self.interval.next_open(first, self.anchor)
        return opens

    def count(self, span: Span) -> int:
        """Return how many candles open within the span."""
        length = self.interval.length_ms
        if length is None or self.unaligned:
            return len(self.opens(span))
        return max(0, -(-(span.end_ms - self.interval.ceil(span.start_ms, self.anchor)) // length))

    def holds(self, timestamp_ms: int) -> bool:
        """Return whether a candle may open at this instant."""
        if self.unaligned:
            if self.phase_ms is not None:
                return timestamp_ms % _THREE_DAYS_MS == self.phase_ms
            return self.edge(timestamp_ms) == timestamp_ms
        return self.interval.floor(timestamp_ms, self.anchor) == timestamp_ms

    def cut(self, span: Span, rows: int) -> Iterator[Span]:
        """Yield the span in pieces of at most this many candles, oldest first, cut at opens."""
        length = self.interval.length_ms
        if length is not None:
            yield from windows(span, rows * length)
            return
        opens = self.opens(span)
        edges = [*opens[::rows], span.end_ms]
        edges[0] = span.start_ms
        yield from (Span(start, end) for start, end in itertools.pairwise(edges) if start < end)

    def runs(self, opens: Sequence[int]) -> list[Span]:
        """Return sorted opens as spans: consecutive candles are one span."""
        step = self._step
        spans: list[Span] = []
        for at in opens:
            if spans and spans[-1].end_ms >= at:
                spans[-1] = Span(spans[-1].start_ms, step(at))
            else:
                spans.append(Span(at, step(at)))
        return spans

    def asked(self, span: Span, neighbours: int = 0, now_ms: int | None = None) -> tuple[Span, int]:
        """Return the span and the number of candles to request, so that the response covers every open of ``span``.

        The exchange rounds times down to opens. If the phase is unknown, more is requested at both ends,
        enough to determine it.

        Parameters
        ----------
        span : Span
            The required span.
        neighbours : int
            Candles to request in addition on both sides: whether the ends are included is not documented, and a
            response with a neighbour shows that it is not spuriously empty.
        now_ms : int, optional
            Neighbours newer than the last closed candle are not requested.
        """
        if not self.unaligned:
            end = self._moved(span.end_ms, neighbours)
            if now_ms is not None:
                end = max(span.end_ms, min(end, self.interval.floor(now_ms, self.anchor)))
            return Span(max(0, self._moved(span.start_ms, -neighbours)), end), self.count(span) + 2 * neighbours
        earlier = _FEW * _THREE_DAYS_MS if self.phase_unknown and span.duration_ms < _FEW * _THREE_DAYS_MS else 0
        wide = Span(span.start_ms - earlier - neighbours * _THREE_DAYS_MS, span.end_ms + 2 * DAY_MS)
        return wide, -(-(wide.duration_ms + 2 * DAY_MS) // _THREE_DAYS_MS)

    def absent(self, span: Span, present: Sequence[int]) -> list[Span]:
        """Return the parts of the span with missing opens; ``present`` is sorted."""
        opens = self.opens(span)
        missing = [at for at in opens if not _contains(present, at)] if len(present) < len(opens) else []
        runs = self.runs(missing)
        if not present:
            return [span] if missing or self.phase_unknown else []
        return [run for run in (part.intersect(span) for part in runs) if run]

    def _step(self, open_ms: int) -> int:
        return self.interval.next_open(open_ms, self.anchor)

    def _moved(self, open_ms: int, candles: int) -> int:
        if self.interval.length_ms is not None:
            return open_ms + candles * self.interval.length_ms
        for _ in range(abs(candles)):
            open_ms = self._step(open_ms) if candles > 0 else self.interval.floor(open_ms - 1, self.anchor)
        return open_ms


def windows(span: Span, longest_ms: int) -> Iterator[Span]:
    """Yield the span in pieces of at most that length, oldest first."""
    for start in range(span.start_ms, span.end_ms, longest_ms):
        yield Span(start, min(start + longest_ms, span.end_ms))


def _contains(numbers: Sequence[int], number: int) -> bool:
    at = bisect.bisect_left(numbers, number)
    return at < len(numbers) and numbers[at] == number
