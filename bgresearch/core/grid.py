"""The time grid of candles: cutting spans into pages and windows, and finding missing opens. Pure."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from bgresearch.core.intervals import DAY_MS, Anchor, Interval
from bgresearch.core.spans import Span

_THREE_DAYS_MS = 3 * DAY_MS
_FEW = 5  # candles to request at least while it is not known on which days they open
_UTC8_MS = 8 * 3_600_000


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
            shift = _UTC8_MS if self.anchor == "exchange" else 0
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
