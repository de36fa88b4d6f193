"""Half-open UTC intervals in epoch milliseconds and their arithmetic. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

_SECOND_MS = 1_000


class Span(NamedTuple):
    """A half-open interval ``[start_ms, end_ms)`` of epoch milliseconds, UTC."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds, never negative."""
        return max(0, self.end_ms - self.start_ms)

    def intersect(self, other: Span) -> Span | None:
        """Return the intersection, or None if it is empty."""
        start, end = max(self.start_ms, other.start_ms), min(self.end_ms, other.end_ms)
        return Span(start, end) if start < end else None

    def __str__(self) -> str:
        return f"[{iso(self.start_ms)}, {iso(self.end_ms)})"


def after_instant(shown_ms: int) -> int:
    """Return an instant later than everything that a list shows with this time.

    Some lists show times cut to the second and compare windows with the exact ones. So a time at a full second may
    mean any time within that second.
    """
    return shown_ms + (1 if shown_ms % _SECOND_MS else _SECOND_MS)


def whole_seconds(span: Span) -> Span:
    """Return a span widened to whole seconds, to be requested where times may be cut to seconds.

    Rows that it adds are recognised by their own time and left out.
    """
    return Span(span.start_ms // _SECOND_MS * _SECOND_MS, -(-span.end_ms // _SECOND_MS) * _SECOND_MS)


def halves(span: Span) -> tuple[Span, Span] | None:
    """Return the older and the newer half of a span, which meet at a full second; None if it is too short for that."""
    if span.duration_ms < 2 * _SECOND_MS:
        return None
    middle = (span.start_ms + span.end_ms) // 2 // _SECOND_MS * _SECOND_MS
    return Span(span.start_ms, middle), Span(middle, span.end_ms)


def iso(timestamp_ms: int) -> str:
    """Return epoch milliseconds as ISO 8601 text in UTC, without a fraction if there is none."""
    moment = dt.datetime.fromtimestamp(timestamp_ms / 1000, tz=dt.UTC)
    return moment.isoformat(timespec="milliseconds" if timestamp_ms % 1000 else "seconds").replace("+00:00", "Z")


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the union as sorted, disjoint, non-adjacent spans."""
    merged: list[Span] = []
    for span in sorted(s for s in spans if s.end_ms > s.start_ms):
        if merged and span.start_ms <= merged[-1].end_ms:
            merged[-1] = Span(merged[-1].start_ms, max(merged[-1].end_ms, span.end_ms))
        else:
            merged.append(span)
    return tuple(merged)


def subtract(spans: Iterable[Span], holes: Iterable[Span]) -> tuple[Span, ...]:
    """Return the parts of ``spans`` that are outside all ``holes``."""
    left: list[Span] = []
    cuts = union(holes)
    for span in union(spans):
        start = span.start_ms
        for cut in cuts:
            if cut.end_ms <= start or cut.start_ms >= span.end_ms:
                continue
            if cut.start_ms > start:
                left.append(Span(start, cut.start_ms))
            start = max(start, cut.end_ms)
        if start < span.end_ms:
            left.append(Span(start, span.end_ms))
    return tuple(left)
