"""What a stream missed, fetched over REST: trades by their ids, candles by their opens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa

from bgresearch.core.spans import Span
from bgresearch.core.symbols import Named
from bgresearch.market.candles.read_through import candles
from bgresearch.market.history import past_trades, recent_trades
from bgresearch.schemas import Row
from bgresearch.session.session import Session

_SECOND_MS = 1_000
_NUMBERS = ("open", "high", "low", "close", "volume", "quote_volume")
_ATTEMPTS, _PAUSE_S = 4, 1.5  # REST may show a trade later than the stream does


@dataclass(frozen=True)
class TradeGap:
    """Trades between a tail and the snapshot after it."""

    named: Named
    before: Collection[str]
    after: tuple[Row, ...]
    newest_ms: int


def missing_trades(source: Session, gap: TradeGap) -> tuple[list[Row], bool]:
    """Return the trades of a gap, oldest first, and whether they join both ends.

    Raises
    ------
    BgresearchError
        As ``client.trades``.
    """
    after = {row["trade_id"] for row in gap.after}
    rows: list[Row] = []
    for attempt in range(_ATTEMPTS):
        if attempt:
            source.clock.sleep(_PAUSE_S)
        rows = recent_trades(source.sender, gap.named)
        if not any(row["trade_id"] in gap.before for row in rows):
            rows = _history(source, gap)
        joins_before = any(row["trade_id"] in gap.before for row in rows)
        if joins_before and any(row["trade_id"] in after for row in rows):
            return _between(rows, gap, after), True
    return _between(rows, gap, after), False


def _history(source: Session, gap: TradeGap) -> list[Row]:
    last_ms = max(row["time"] for row in gap.after)
    start_ms = gap.newest_ms // _SECOND_MS * _SECOND_MS
    span = Span(start_ms, max(start_ms, last_ms // _SECOND_MS * _SECOND_MS) + _SECOND_MS)
    return in_milliseconds(past_trades(source, gap.named, span, False))


def _between(rows: list[Row], gap: TradeGap, after: Collection[Any]) -> list[Row]:
    """Return the rows that neither end has; what is older than the newest trade before the gap is of no interest."""
    start_ms = gap.newest_ms // _SECOND_MS * _SECOND_MS
    return [
        row for row in rows
        if row["trade_id"] not in gap.before and row["trade_id"] not in after and row["time"] >= start_ms
    ]  # fmt: skip


def in_milliseconds(table: pa.Table) -> list[Row]:
    """Return the rows of a table, with times as epoch milliseconds."""
    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            table = table.set_column(place, column.name, table.column(place).cast(pa.int64()))
    return cast("list[Row]", table.to_pylist())


def missing_bars(source: Session, named: Named, interval: str, span: Span) -> list[Row]:
    """Return the closed candles that open in a span, as REST has them.

    Raises
    ------
    BgresearchError
        As ``client.candles``.
    """
    frame = candles(
        source, named.symbol, interval, span.start_ms, span.end_ms, market=named.market, price="last", anchor="utc",
        include_open=False, progress=False,
    )  # fmt: skip
    columns = [frame[name].tolist() for name in _NUMBERS]
    opens = [moment.value // 1_000_000 for moment in frame.index]
    return [
        {"open_time": at, **dict(zip(_NUMBERS, values, strict=True))}
        for at, *values in zip(opens, *columns, strict=True)
    ]
