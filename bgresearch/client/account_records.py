"""How the verbs of an account read records: of one lot or of all, through the store, in order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.account.kinds import KINDS
from bgresearch.account.record_history import RecordHistory
from bgresearch.account.record_type import RecordKind
from bgresearch.client.context import ClientContext
from bgresearch.core.intervals import HOUR_MS
from bgresearch.core.spans import Span, iso
from bgresearch.core.symbols import MARKETS, checked_coin, own_symbol
from bgresearch.core.timestamps import Moment, moment_ms, span_of
from bgresearch.errors import InvalidInput
from bgresearch.market.listing_history import was_listed
from bgresearch.session.unknown_symbol import unlisted_anywhere, unlisted_coin

_NAME_NEEDED = "The exchange lists no {} of this account unless a {} is named, and none are stored: the frame is empty."
_READING_MS = HOUR_MS  # what the look-backs may move on while several lists are read
_log = logging.getLogger(__name__)


class AccountRecords:
    """The records of one account; all parts of ``client.account`` share it.

    Attributes
    ----------
    source : Session
        Exchange and store.
    history : RecordHistory
        Reads the store, then the exchange.
    """

    def __init__(self, context: ClientContext) -> None:
        self.source = context.source
        self.history = RecordHistory(context.source, context.identity, context.progress)

    def frame(
        self, name: str, start: Moment | None, end: Moment | None, lot: str | None = None, **only: str | None
    ) -> pd.DataFrame:  # fmt: skip
        """Return the records of one lot, or of all lots, in order; ``only`` narrows what is shown, not what is kept."""
        kind = KINDS[name]
        for name_of, value in only.items():
            if name_of != "symbol":
                only[name_of] = checked_coin(value, name_of)
        market, symbol = own_symbol(lot if kind.lot == "market" else None, only.get("symbol"))
        lot = market if kind.lot == "market" else lot
        if "symbol" in only:
            only["symbol"] = symbol
        if lot is not None:
            kind.checked(lot)  # a wrong market is named before anything is asked
        now = self.source.clock.now_ms()
        asked = None if start is None else span_of(start, end, now)
        last_ms = now if end is None else min(moment_ms(end, "end", now)[0], now)
        named = self._named_by(kind, lot)
        if named and not self.source.offline and lot not in self.history.kept_lots(kind):
            self.must_be_listed(kind, lot, named)  # before an empty list of something unknown is stored
        lots = self.history.lots(kind) if lot is None else (lot,)
        table, span = self._read(kind, lots, None if asked is None else Span(asked.start_ms, last_ms), last_ms)
        for column, value in only.items():
            if value is not None:
                table = table.filter(pc.equal(pc.utf8_upper(table.column(column)), value.upper()))
        if lots and not table.num_rows:
            self.must_be_listed(kind, lot, {name: value for name, value in only.items() if value is not None})
        words: dict[str, Any] = {kind.lot: lot, **only} if kind.lot else dict(only)
        if not lots:  # the frame is empty, although there may be records
            words["not_told"] = _NAME_NEEDED.format(kind.title, kind.lot)
            _log.warning(words["not_told"])
        return self.source.framed(kind.shape, table, **words, asked=[iso(span.start_ms), iso(span.end_ms)])

    def _read(
        self, kind: RecordKind, lots: Sequence[str], asked: Span | None, last_ms: int
    ) -> tuple[pa.Table, Span]:  # fmt: skip
        """Return the records of several lots in order, and the span that they are of."""
        tables, since_ms = [kind.shape.schema.empty_table()], last_ms if asked is None else asked.start_ms
        for lot in lots:  # each look-back is taken just before its list is read: it moves on meanwhile
            part = asked or self._answered(kind, lot, last_ms)
            since_ms = min(since_ms, part.start_ms)
            tables.append(self.history.table(kind, lot, part))
        table = pa.concat_tables(tables).sort_by([(kind.time, "ascending"), (kind.id, "ascending")])
        return table, Span(since_ms, last_ms)

    def available_since(self, *names: str) -> int:
        """Return the first instant from which records of several kinds can all be had, while they are read."""
        return _READING_MS + max(
            self.history.available_since(KINDS[name], lot) for name in names for lot in self.history.lots(KINDS[name])
        )

    def _answered(self, kind: RecordKind, lot: str, last_ms: int) -> Span:
        """Return what can be had of a lot up to an instant: the exchange's look-back, and what is stored before it."""
        since_ms = self.history.available_since(kind, lot)
        if last_ms <= since_ms:
            cause = f"{iso(last_ms)} is before the first {kind.title} that can be had, {iso(since_ms)}."
            raise InvalidInput("end", cause, hint="Give a start as well.")
        return Span(since_ms, last_ms)

    def _named_by(self, kind: RecordKind, lot: str | None) -> dict[str, str]:
        """Return the symbol or the coins of a lot, by what they are; none for a market or a book."""
        if lot is None or lot in kind.all_lots:
            return {}
        if kind.lot == "pair":
            return dict(zip(("source_coin", "target_coin"), lot.split("/"), strict=False))
        return {"symbol" if kind.lot == "margin" else kind.lot: lot}

    def must_be_listed(self, kind: RecordKind, lot: str | None, named: Mapping[str, str]) -> None:
        """Raise `UnknownSymbol` if the exchange never listed the requested symbol or coin."""
        sender, source = self.source.sender, kind.shape.sources[0]
        if self.source.offline:
            return
        for name, value in named.items():
            if name == "symbol":
                markets = [lot] if lot in MARKETS else [one for one in MARKETS if one in kind.all_lots] or ["spot"]
                if any(was_listed(self.source, value, market) for market in markets):
                    continue
                error = unlisted_anywhere(sender, value, markets, source)
            else:
                error = unlisted_coin(sender, value, source)
            if error is not None:
                raise error
