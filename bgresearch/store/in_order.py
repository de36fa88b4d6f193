"""Rows that come in order of time laid over others, without holding either of them whole. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from bgresearch.core.spans import Span
from bgresearch.store.parquet_file import times_of, within

_NEVER_MS = 2**62


def overlaid_in_order(
    time: str, old: Iterator[pa.Table], new: Iterable[pa.Table], spans: Sequence[Span]
) -> Iterator[pa.Table]:
    """Yield the old rows outside the spans and the new ones inside, all in order of time.

    Parameters
    ----------
    time : str
        The column that orders the rows.
    old, new : iterable of pyarrow.Table
        In order of time; a table of ``new`` is within the spans, and may extend over several.
    spans : sequence of Span
        In order and disjoint; there the new rows take the place of the old ones.

    Raises
    ------
    ValueError
        New rows are out of order, or outside the spans.
    """
    cursor, last_ms = _Cursor(time, old), -_NEVER_MS
    tables = iter(new)
    table = next(tables, None)
    for span in spans:
        yield from cursor.until(span.start_ms)
        while table is not None:
            times = times_of(table, time)
            if len(times):
                if int(times[0]) < max(last_ms, span.start_ms) or (times[1:] < times[:-1]).any():
                    raise ValueError("rows out of order, or outside the covered spans")
                inside = within(table, time, Span(span.start_ms, span.end_ms))
                yield inside
                last_ms = int(times[inside.num_rows - 1]) if inside.num_rows else last_ms
                table = table.slice(inside.num_rows)
                if table.num_rows:
                    break
            table = next(tables, None)
        cursor.skip(span.end_ms)
    if table is not None:
        raise ValueError("rows outside the covered spans")
    yield from cursor.until(_NEVER_MS)


class _Cursor:
    """A place in old rows, which are read as far as they are needed."""

    def __init__(self, time: str, tables: Iterator[pa.Table]) -> None:
        self._time, self._tables = time, tables
        self._table: pa.Table | None = next(tables, None)

    def until(self, end_ms: int) -> Iterator[pa.Table]:
        """Yield the rows before an instant, and move behind them."""
        while self._table is not None:
            before = within(self._table, self._time, Span(-_NEVER_MS, end_ms))
            if before.num_rows:
                yield before
            if before.num_rows < self._table.num_rows:
                self._table = self._table.slice(before.num_rows)
                return
            self._table = next(self._tables, None)

    def skip(self, end_ms: int) -> None:
        """Move behind the rows before an instant."""
        for _rows in self.until(end_ms):
            pass
