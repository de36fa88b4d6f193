"""What a stream missed: spans with their cause, and whether they were repaired. Keeps nothing on disk."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pandas as pd

from bgresearch.schemas import Shape, fields

MOST_GAPS = 10_000

_SHAPE = Shape(
    "gaps",
    fields("""
        symbol text as the exchange spells it
        start time last instant before it that is known to be complete
        end time first instant after it that is known to be complete
        cause category why it came to be
        repaired flag whether what was missing was fetched over REST
    """),
    (),
)


@dataclass
class LiveGap:
    """A span of a symbol in which the stream may have missed something."""

    symbol: str
    start_ms: int
    end_ms: int
    cause: str
    repaired: bool = False


class GapLog:
    """The gaps of a stream, oldest first; safe to share between threads."""

    def __init__(self) -> None:
        self._gaps: list[LiveGap] = []
        self._lock = threading.Lock()
        self._count = 0

    def __len__(self) -> int:
        """Return how many gaps there were, those that are forgotten by now among them."""
        return self._count

    def add(self, gap: LiveGap) -> LiveGap:
        """Take note of a gap; the oldest is forgotten after ten thousand."""
        with self._lock:
            self._count += 1
            self._gaps.append(gap)
            del self._gaps[:-MOST_GAPS]
        return gap

    def frame(self) -> pd.DataFrame:
        """Return a row per gap: symbol, start, end, cause, repaired."""
        with self._lock:
            rows = [
                {"symbol": gap.symbol, "start": gap.start_ms, "end": gap.end_ms, "cause": gap.cause,
                 "repaired": gap.repaired}
                for gap in self._gaps
            ]  # fmt: skip
        return _SHAPE.frame(_SHAPE.table(rows))
