"""One live order book: a snapshot and the updates after it. Pure.

How it stays correct: every update says which state it belongs to (``pseq``), and is applied to that state alone. A
state that cannot be continued (a missed update, a reset, a checksum that differs, bids at or above asks) is dropped at
once and never shown; the book is empty until the next snapshot. Sequence numbers are whole numbers above 2^53, so
nothing here makes them floats. A level is stored under its price as a number, with the texts that were sent, as
the checksum is made of them.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, insort
from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

from bgresearch.live.decoding import Unreadable, milliseconds, number, whole

CHECKED_LEVELS = 25
_MOST_STALE = 3  # updates older than the book in a row: repeated ones are ignored, more mean that numbering began again


class Image(NamedTuple):
    """An order book as it was: levels best first, as numbers."""

    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]
    time_ms: int
    sequence: int


class BookBroken(Exception):
    """The book cannot be continued: ``cause`` says why, and it has to be subscribed to again."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class _Side:
    """One side: prices ascending as numbers, the text of each, and amounts by that text.

    Most changes are of levels that are there: they cost one look-up and no number. Nothing that is stored is a
    container, as the garbage collector would look at each of them again and again.
    """

    __slots__ = ("amounts", "prices", "texts")

    def __init__(self) -> None:
        self.prices: list[float] = []
        self.texts: dict[float, str] = {}
        self.amounts: dict[str, str] = {}

    def replace(self, rows: list[Any]) -> None:
        self.prices, self.texts, self.amounts = [], {}, {}
        self.change(rows)

    def change(self, rows: list[Any]) -> None:
        """Apply levels; most of the time of a busy stream is spent here, so the usual case calls nothing of ours."""
        amounts = self.amounts
        for level in rows:
            if type(level) is not list or len(level) < 2:
                raise Unreadable("a level of an order book is no price and amount")
            price, amount = level[0], level[1]
            if type(price) is not str or type(amount) is not str:
                price, amount = _text(price), _text(amount)
            try:
                size = float(amount)
            except ValueError:
                raise Unreadable(f"{amount[:40]!r} is not an amount") from None
            if price in amounts and 0.0 < size < inf:
                amounts[price] = amount
            else:
                self._set(number(price), price, number(amount), amount)

    def _set(self, at: float, price: str, size: float, amount: str) -> None:
        """Add or drop a level, or change one whose price was spelled in another way."""
        before = self.texts.pop(at, None)
        if before is not None:
            del self.amounts[before]
        if size > 0:
            self.texts[at], self.amounts[price] = price, amount
            if before is None:
                insort(self.prices, at)
        elif before is not None:
            del self.prices[bisect_left(self.prices, at)]

    def amount(self, at: float) -> float:
        return float(self.amounts[self.texts[at]])

    def sent(self, at: float) -> str:
        """Return a level as the checksum is made of it."""
        price = self.texts[at]
        return f"{price}:{self.amounts[price]}"


def _text(value: Any) -> str:
    """Return a price or an amount that was sent as a number as text."""
    number(value)
    return str(value)


class DepthBook:
    """The current order book of one symbol on one connection.

    Attributes
    ----------
    valid : bool
        Whether there is a book to show.
    time_ms, sequence : int
        The exchange's time and number of the newest state; 0 where it names none.
    """

    def __init__(self, sides: tuple[str, str] = ("asks", "bids")) -> None:
        self._keys = sides
        self._asks, self._bids = _Side(), _Side()
        self._stale, self._first = 0, False
        self.valid = False
        self.time_ms = self.sequence = 0

    def push(self, action: str, row: Mapping[str, Any], time_ms: int) -> bool:
        """Take in one push and return whether the book changed.

        Raises
        ------
        BookBroken
            The book is empty now and needs a new snapshot.
        """
        try:
            return self._taken(action, row, time_ms)
        except Unreadable as error:
            self.drop()
            raise BookBroken("unreadable") from error
        except BookBroken:
            self.drop()
            raise

    def drop(self) -> None:
        """Forget everything until the next snapshot."""
        self.valid = False
        self.sequence = self._stale = 0

    def image(self, levels: int | None = None) -> Image | None:
        """Return the book, best levels first; None while there is none."""
        if not self.valid:
            return None
        most = levels or max(len(self._bids.prices), len(self._asks.prices), 1)
        bids = [(price, self._bids.amount(price)) for price in reversed(self._bids.prices[-most:])]
        asks = [(price, self._asks.amount(price)) for price in self._asks.prices[:most]]
        return Image(bids, asks, self.time_ms, self.sequence)

    def checksum(self) -> int:
        """Return CRC32 over the best 25 levels as they were sent, as a signed number."""
        asks, bids = self._asks, self._bids
        parts: list[str] = []
        for place in range(CHECKED_LEVELS):
            if place < len(bids.prices):
                parts.append(bids.sent(bids.prices[-1 - place]))
            if place < len(asks.prices):
                parts.append(asks.sent(asks.prices[place]))
        found = zlib.crc32(":".join(parts).encode())
        return found - 2**32 if found >= 2**31 else found

    def _taken(self, action: str, row: Mapping[str, Any], time_ms: int) -> bool:
        asks, bids = row.get(self._keys[0]), row.get(self._keys[1])
        if not (isinstance(asks, list) and isinstance(bids, list)):
            raise Unreadable("an order book is no two lists of levels")
        sequence = whole(row["seq"]) if row.get("seq") is not None else 0
        if action == "snapshot":
            self._asks.replace(asks)
            self._bids.replace(bids)
            self.valid, self._first, self._stale = True, True, 0
        elif action != "update":
            raise Unreadable(f"an order book has the action {action[:20]!r}")
        elif not self.valid:
            return False  # the rest of a state that was dropped; the snapshot is on its way
        elif not self._follows(row, sequence):
            return False
        else:
            self._asks.change(asks)
            self._bids.change(bids)
        self.sequence = sequence
        self.time_ms = milliseconds(row["ts"]) if row.get("ts") else time_ms
        self._check(row)
        return True

    def _follows(self, row: Mapping[str, Any], sequence: int) -> bool:
        """Return whether an update continues this state; False for one that was taken in before."""
        if row.get("pseq") is None:
            return True  # older recordings have no numbers: their checksum decides
        before = whole(row["pseq"])
        if before == 0:
            raise BookBroken("reset")
        # documented of the first update after a snapshot: it may begin before it; measured: it begins exactly at it
        if before == self.sequence or (self._first and before < self.sequence < sequence):
            self._first, self._stale = False, 0
            return True
        if sequence <= self.sequence and self._stale < _MOST_STALE:
            self._stale += 1
            return False
        raise BookBroken("sequence gap")

    def _check(self, row: Mapping[str, Any]) -> None:
        given = row.get("checksum")
        if given not in (None, 0, "0", "") and str(given) != str(self.checksum()):
            raise BookBroken("checksum")
        if self._bids.prices and self._asks.prices and self._bids.prices[-1] >= self._asks.prices[0]:
            raise BookBroken("crossed")
