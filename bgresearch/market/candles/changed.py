"""Whether a candle was stored before it was final: it is compared when it comes again next to what is fetched.

Pages begin one candle before what is missing. So the newest candle of an earlier call is in the next one's response,
without a request of its own; where the two differ, the exchange changes candles for longer than is assumed.
"""

from __future__ import annotations

import contextlib
import threading

import pyarrow as pa

from bgresearch.catalogue.assumptions import FINAL_AFTER_MS
from bgresearch.core.intervals import DAY_MS, MINUTE_MS, Grid
from bgresearch.core.spans import Span, iso
from bgresearch.market.candles.plan import CandleSeries
from bgresearch.session.differences import differences, remember
from bgresearch.session.session import Session
from bgresearch.store.lost_rows import LostRows

_COMPARED = ("high", "low", "close", "volume")
_SAME = 1e-6  # relative; routes may round differently
_LONGEST_MS = 10 * MINUTE_MS  # for which candles are held back because of what was seen
_BACK = 3  # candles before what is missing
MAY_CHANGE_MS = DAY_MS  # older candles are not compared


class StoredCandles:
    """The newest stored candles before what is missing; `compare` notes those that come again with other values.

    Parameters
    ----------
    source : Session
        Exchange and store.
    what : CandleSeries
        The series.
    missing_ms : int
        Where the newest missing span begins.
    """

    def __init__(self, source: Session, what: CandleSeries, missing_ms: int) -> None:
        self._source, self._what = source, what
        self._rows: dict[int, tuple[float, ...]] = {}
        self._changed: set[int] = set()
        self._lock = threading.Lock()
        length_ms = what.interval.nominal_ms
        with contextlib.suppress(LostRows):  # those who read them fetch them again: there is nothing to compare with
            kept = source.store.read(what.stored, Span(missing_ms - _BACK * length_ms, missing_ms))
            self._rows = {} if kept is None else _rows(kept)

    def compare(self, table: pa.Table, grid: Grid) -> None:
        """Compare a response; called from several threads, and for longer candles as well."""
        if not self._rows or grid != self._what.grid:
            return
        for opened, values in _rows(table).items():
            if opened in self._rows and not _alike(self._rows[opened], values):
                with self._lock:
                    self._changed.add(opened)

    def forget_changed(self) -> str:
        """Remove the candles that changed from the store, and return what to report; empty if none did."""
        if not self._changed:
            return ""
        grid, now_ms, first = self._what.interval, self._source.clock.now_ms(), min(self._changed)
        self._source.store.forget(self._what.stored, Span(first, grid.next_open(max(self._changed), self._what.anchor)))
        late_ms = min(_LONGEST_MS, now_ms - grid.next_open(max(self._changed), self._what.anchor))
        seen = differences(self._source)
        known = {price: seen.value(FINAL_AFTER_MS.name, price) for price in FINAL_AFTER_MS.value}
        values = {price: late for price, late in known.items() if late is not None}
        values[self._what.price] = max(values.get(self._what.price, 0), late_ms, 1)
        text = f"the candle of {iso(first)} had other values {late_ms / 1000:.0f} s after its close than before."
        remember(self._source.store, {FINAL_AFTER_MS.name: {"text": text, "values": values}}, (), now_ms)
        return f"{FINAL_AFTER_MS.name} does not hold at {self._source.sender.host}: {text} It is fetched again."


def _rows(table: pa.Table) -> dict[int, tuple[float, ...]]:
    opened = table.column("open_time").cast(pa.int64()).to_pylist()
    values = zip(*(table.column(name).to_pylist() for name in _COMPARED), strict=True)
    return {at: row for at, row in zip(opened, values, strict=True) if at is not None and None not in row}


def _alike(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a == b or abs(a - b) <= _SAME * max(abs(a), abs(b)) for a, b in zip(one, other, strict=True))
