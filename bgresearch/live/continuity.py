"""Whether a stream goes on where it stopped: trades by their ids, candles by their opens. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bgresearch.core.intervals import Interval
from bgresearch.core.spans import Span
from bgresearch.schemas import Row

REMEMBERED_RECORDS = 20_000  # of a private channel
CLOCKS_MS = 60_000  # two clocks differ by less
OPEN_STATUS = ("open", "partially_filled")
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


@dataclass
class AccountTail:
    """The rows of a private channel: records are given once, and a position that is no longer listed is closed.

    Attributes
    ----------
    identity : tuple of str
        Columns that identify a row; empty for current states, which are all given.
    began_ms : int
        When the stream began.
    open_ms : dict of str to int
        When each order that may still change was placed, by its id.
    """

    identity: tuple[str, ...]
    began_ms: int = 0
    open_ms: dict[str, int] = field(default_factory=dict)
    _given: OrderedDict[tuple[Any, ...], None] = field(default_factory=OrderedDict)
    _earlier: set[Hashable] = field(default_factory=set)
    _positions: dict[tuple[Any, Any], Row] = field(default_factory=dict)

    def fresh(self, rows: Sequence[Row], *, fetched: bool = False) -> list[Row]:
        """Return the rows that were not given before, and remember them; ``fetched`` ones may be from before it began.

        Records come oldest first.
        """
        new: list[Row] = []
        for row in sorted(rows, key=_moment) if self.identity else rows:
            self._note(row)
            key = self._key(row)
            if key and (key in self._given or (fetched and self._is_earlier(row, key))):
                continue
            if key:
                self._given[key] = None
            new.append(row)
        while len(self._given) > REMEMBERED_RECORDS:
            self._given.popitem(last=False)
        return new

    def note_earlier(self, rows: Sequence[Row]) -> None:
        """Remember the records from before the stream began."""
        pushed = {key[0] for key in self._given}
        for row in rows:
            if _moment(row)[0] < self.began_ms:
                self._earlier.add(self._key(row))
                if row[self.identity[0]] not in pushed:
                    self._note(row)

    def closed(self, rows: Sequence[Row]) -> list[Row]:
        """Return the positions that a whole list has no more, with the amount 0."""
        listed = {_place(row) for row in rows}
        gone = [row for place, row in self._positions.items() if place not in listed]
        for row in gone:
            del self._positions[_place(row)]
        return [{**row, "amount": 0.0, "available": 0.0, "unrealised_profit": 0.0} for row in gone]

    def _is_earlier(self, row: Row, key: tuple[Any, ...]) -> bool:
        """Return whether a record is from before the stream began, by the clocks of two machines."""
        return key in self._earlier or _moment(row)[0] < self.began_ms - CLOCKS_MS

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] for name in self.identity)

    def _note(self, row: Row) -> None:
        if "status" in row and row["status"] in OPEN_STATUS:
            self.open_ms[row["order_id"]] = row["time"]
        elif "status" in row:
            self.open_ms.pop(row["order_id"], None)
        if "position_id" in row and row["amount"]:
            self._positions[_place(row)] = row
        elif "position_id" in row:
            self._positions.pop(_place(row), None)


def _place(row: Row) -> tuple[Any, Any]:
    """Return what identifies a position: lists and pushes have different ids."""
    return row["symbol"], row["side"]


def _moment(row: Row) -> tuple[int, str]:
    """Return when a record last changed; ids keep the order within an instant."""
    return int(row.get("updated") or row["time"]), str(row.get("fill_id") or row.get("order_id"))


def _order(row: Row) -> tuple[int, int, str]:
    key = row["trade_id"] or ""
    return row["time"], len(key), key
