"""Whether a stream goes on where it stopped: trades by their ids, candles by their opens. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from bgresearch.core.intervals import Interval
from bgresearch.core.spans import Span
from bgresearch.schemas import Row

REMEMBERED_TRADES = 5_000  # a snapshot holds at most a few hundred


@dataclass
class TradeTail:
    """The trades of one symbol: each is given once, and a new snapshot either joins the old tail or leaves a gap.

    Attributes
    ----------
    newest_ms : int
        Time of the newest trade that was seen, 0 before the first.
    """

    newest_ms: int = 0
    _ids: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def joins(self, rows: Sequence[Row]) -> bool:
        """Return whether a snapshot goes on where the tail ends: they share a trade, or nothing came before."""
        return not self._ids or any(row["trade_id"] in self._ids for row in rows)

    def known(self) -> frozenset[str]:
        """Return the ids that are remembered."""
        return frozenset(self._ids)

    def fresh(self, rows: Sequence[Row]) -> list[Row]:
        """Return the trades that were not seen before, oldest first, and remember them."""
        new: list[Row] = []
        for row in sorted(rows, key=_order):
            key = row["trade_id"]
            if key is not None:
                if key in self._ids:
                    continue
                self._ids[key] = None
            new.append(row)
        while len(self._ids) > REMEMBERED_TRADES:
            self._ids.popitem(last=False)
        if new:
            self.newest_ms = max(self.newest_ms, *(row["time"] for row in new))
        return new


@dataclass
class BarTail:
    """The candles of one symbol: a candle is final when a newer one starts.

    Attributes
    ----------
    forming : dict or None
        The candle that may still change.
    """

    interval: Interval
    forming: Row | None = None
    _final_ms: int = 0

    def closed(self, rows: Sequence[Row]) -> list[Row]:
        """Take in pushed candles and return those that are final now, oldest first, each once."""
        done: dict[int, Row] = {}
        for row in sorted(rows, key=lambda one: int(one["open_time"])):
            opened = row["open_time"]
            if opened <= self._final_ms:
                continue
            if self.forming is not None and opened > self.forming["open_time"]:
                done[self.forming["open_time"]] = self.forming
                self._final_ms = self.forming["open_time"]
            if self.forming is None or opened >= self.forming["open_time"]:
                self.forming = row
        return list(done.values())

    def missing(self, done: Sequence[Row], before_ms: int) -> Span | None:
        """Return the opens between the newest final candle before and the first of these that did not come."""
        if not before_ms or not done:
            return None
        expected, first = self.interval.next_open(before_ms), int(done[0]["open_time"])
        return Span(expected, first) if first > expected else None

    @property
    def final_ms(self) -> int:
        """Open of the newest candle that is final, 0 before the first."""
        return self._final_ms


def _order(row: Row) -> tuple[int, int, str]:
    key = row["trade_id"] or ""
    return row["time"], len(key), key
