"""A history larger than memory: read in pieces, with one provenance for all. No network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pandas as pd

from bgresearch.core.spans import Span
from bgresearch.errors import StoreError

PIECE_ROWS = 250_000  # candles in memory at a time: 14 MB as numbers
Ask = Callable[[int, int], pd.DataFrame]


class ChunkedCandles:
    """Candles in pieces; read once to count them and to collect their provenance, and again to write them.

    Parameters
    ----------
    ask : callable
        Returns the candles of ``[start_ms, end_ms)``; the second time from the store.
    span : Span
        The requested span.
    step_ms : int
        Length of a candle.
    piece_rows : int
        Candles in memory at a time.

    Attributes
    ----------
    rows : int
        Number of rows of all pieces.
    about : dict
        Provenance of the whole: that of the pieces, with gaps joined and requests added up.

    Raises
    ------
    StoreError
        While iterating: the number of candles changed since they were counted.
    """

    def __init__(self, ask: Ask, span: Span, step_ms: int, *, piece_rows: int = PIECE_ROWS) -> None:
        self._ask, length = ask, step_ms * piece_rows
        cuts = [*range(span.start_ms, span.end_ms, length), span.end_ms] if span.duration_ms else [span.start_ms] * 2
        self._spans = [Span(start, end) for start, end in pairwise(cuts)]
        self._counts: list[int] = []
        provenance: list[dict[str, Any]] = []
        for piece in self._spans:
            frame = ask(piece.start_ms, piece.end_ms)
            self._counts.append(len(frame))
            provenance.append(frame.attrs["bgresearch"])
        self.rows, self.about = sum(self._counts), _together(provenance)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for piece, count in zip(self._spans, self._counts, strict=True):
            frame = self._ask(piece.start_ms, piece.end_ms)
            if len(frame) != count:
                raise StoreError(
                    f"{piece}: {count} candles became {len(frame)} while exporting.", hint="Export once more."
                )
            yield frame


def _together(provenance: list[dict[str, Any]]) -> dict[str, Any]:
    requests: Counter[str] = Counter()
    for about in provenance:
        requests.update(about["requests"])
    return provenance[0] | {
        "asked": [provenance[0]["asked"][0], provenance[-1]["asked"][1]],
        "closed": [provenance[0]["closed"][0], provenance[-1]["closed"][1]],
        "endpoints": sorted({endpoint for about in provenance for endpoint in about["endpoints"]}),
        "requests": dict(requests),
        "gaps": _joined([gap for about in provenance for gap in about["gaps"]]),
    }


def _joined(gaps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the gaps, joined where the end of a piece split them."""
    joined: list[dict[str, Any]] = []
    for gap in gaps:
        last = joined[-1] if joined else {}
        if {**gap, "start": last.get("start"), "end": None} == {**last, "end": None} and last["end"] == gap["start"]:
            last["end"] = gap["end"]
        else:
            joined.append(dict(gap))
    return joined
