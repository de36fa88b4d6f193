"""The verbs of an account's past: what it traded, moved and paid, kept for good. One table, one frame, either mode."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.candles import Source
from bgresearch.history import History
from bgresearch.identity import Whose
from bgresearch.kinds import KINDS
from bgresearch.moments import Moment, span_of
from bgresearch.progress import Wish
from bgresearch.records import RecordKind
from bgresearch.spans import Span, iso
from bgresearch.tables import Shape


class RecordVerbs:
    """The windowed histories of one account.

    Parameters
    ----------
    source : Source
        Exchange and store.
    whose : Whose
        Learns the account's mode and user id.
    progress : "auto", bool or callable
        As on `connect`.
    """

    def __init__(self, source: Source, whose: Whose, progress: Wish = "auto") -> None:
        self._source = source
        self._history = History(source, whose, progress)

    def fills(
        self, start: Moment, end: Moment | None = None, *, market: str = "spot", symbol: str | None = None
    ) -> pd.DataFrame:
        """Return the account's own trades in ``[start, end)``.

        Parameters
        ----------
        start, end : str, datetime, Timestamp or int
            Naive means UTC, numbers are epoch milliseconds; without an end up to now.
        market : str
            ``spot``, ``usdt-futures``, ``usdc-futures`` or ``coin-futures``.
        symbol : str, optional
            Only this one. All symbols are fetched and kept whichever is asked for.

        Returns
        -------
        DataFrame
            Index ``time`` (UTC, ascending, not unique: one order may fill many times in a millisecond). Columns
            fill_id, order_id (text), market, symbol, side, role (category), price, amount (base coin), value (quote
            coin), fee (positive is paid), profit (realised by futures; float64), fee_coin (category). The side is what
            was done in the market: closing a long position is a sell.

        Raises
        ------
        IncompleteData
            Part of it is neither kept nor on the exchange any more (it answers 90 days back), or could not be
            fetched.
        OfflineError
            Offline, and part of it is not kept.

        Notes
        -----
        Disk: kept under ``account/<uid>/fills``; a second call asks only for the last five minutes.
        Budget: one request per 100 fills, one or two more per 90 days (classic) or 30 days (unified).
        Source: spot/trade/Get-Fills, contract/trade/Get-Order-Fills, uta/trade/Get-Order-Fills.

        Examples
        --------
        >>> client.account.fills("2026-01-01", "2026-02-01").groupby("symbol").fee.sum()  # doctest: +SKIP
        """
        return self._records("fills", start, end, market, symbol=symbol)

    def _records(
        self, name: str, start: Moment, end: Moment | None, lot: str | None = None, **only: str | None
    ) -> pd.DataFrame:  # fmt: skip
        """Return the records of one lot, or of all lots, in order; ``only`` narrows what is shown, not what is kept."""
        kind = KINDS[name]
        if lot is not None:
            kind.checked(lot)  # a wrong market is named before anything is asked
        now = self._source.clock.now_ms()
        asked = span_of(start, end, now)
        span = Span(asked.start_ms, min(asked.end_ms, now))
        lots = self._history.lots(kind) if lot is None else (lot,)
        tables = [self._history.table(kind, one, span) for one in lots]
        table = pa.concat_tables([kind.shape.schema.empty_table(), *tables])
        table = table.sort_by([(kind.time, "ascending"), (kind.id, "ascending")])
        for column, value in only.items():
            if value is not None:
                table = table.filter(pc.equal(table.column(column), value))
        words = {kind.lot: lot, **only} if kind.lot else only
        return self._told(kind.shape, table, **words, asked=[iso(span.start_ms), iso(span.end_ms)])

    def _told(self, shape: Shape, table: pa.Table, **words: Any) -> pd.DataFrame:
        sender = self._source.sender
        return shape.frame(table, host=sender.host, label=sender.label, demo=sender.demo, **words)


__all__ = ["RecordKind", "RecordVerbs"]
