"""What a kind of private record is, as data: its columns, and the roads on which each kind of account tells it.

A kind says nothing about how roads are walked (`walks`) or where records are kept (`history`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bgresearch.catalogue import Endpoint, load
from bgresearch.catalogue.answer_row import AnswerRow
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.symbols import MARKETS
from bgresearch.errors import InvalidInput
from bgresearch.schemas import Row, Shape
from bgresearch.session.identity import Mode
from bgresearch.store import Series

LOOKBACK_DAYS = 90  # spot/trade/Get-Fills, uta/trade/Get-Order-Fills; where no page states it, it is the same
EDGE_MS = 60_000  # windows stay this far inside the exchange's own limits, which move while one walks

Lots = tuple[str, ...] | Literal["coins"]


@dataclass(frozen=True)
class RecordRoute:
    """One list of the exchange that tells records of a kind.

    Attributes
    ----------
    endpoint : str
        Id of the table row.
    shape : callable
        Makes a record out of one of the exchange's rows.
    fixed : mapping
        Parameters that are the same for every page.
    reach_days : int or None
        How far back it answers where the table does not say.
    """

    endpoint: str
    shape: Callable[[AnswerRow], Row]
    fixed: Mapping[str, str] = field(default_factory=dict)
    reach_days: int = LOOKBACK_DAYS

    @property
    def row(self) -> Endpoint:
        """The row of the table."""
        return load()[self.endpoint]

    @property
    def longest_ms(self) -> int:
        """Longest span of one window."""
        return (self.row.max_span_days or self.reach_days) * DAY_MS - EDGE_MS

    @property
    def lookback_ms(self) -> int:
        """How far back the exchange answers."""
        return (self.row.lookback_days or self.reach_days) * DAY_MS - EDGE_MS


Roads = Callable[[Mode, str], tuple[RecordRoute, ...]]


def _no_roads(_mode: Mode, _lot: str) -> tuple[RecordRoute, ...]:
    return ()


@dataclass(frozen=True)
class RecordKind:
    """One kind of private record that the exchange forgets after a while.

    Attributes
    ----------
    name : str
        Of the folder that keeps it and of the verb: ``fills``.
    title : str
        In words, for messages: ``own trades``.
    shape : Shape
        The columns; the index is the time that the exchange's windows go by.
    id : str
        The column that tells records of one lot apart.
    lot : str
        What a walk takes one of at a time (``market``, ``coin``); it names the folder below; empty for one walk.
    lots : mapping of mode to tuple of str, or "coins"
        The lots of an account; ``coins`` means those that the account has or had.
    roads : callable
        Mode and lot to the lists that together hold every record of it; none if this mode has no such list.
    open : callable
        Mode and lot to the lists of what has begun and is not over: its record comes later, at the time it began.
    changing : frozenset of str
        Values of the column ``status`` of records that still change.
    late : bool
        Whether a window may go by another time than the one the record is kept at (when a position was closed): then
        everything up to now is asked for, so that neither reading of the documentation loses a record.
    free : bool
        Whether other lots than the listed ones can be named.
    many : bool
        Whether an account may have so many that a whole window is too much to hold at once.
    """

    name: str
    title: str
    shape: Shape
    id: str
    lot: str
    lots: Mapping[Mode, Lots]
    roads: Roads
    open: Roads = _no_roads
    changing: frozenset[str] = frozenset()
    late: bool = False
    free: bool = False
    many: bool = False

    @property
    def time(self) -> str:
        """The column that the exchange's windows go by."""
        return self.shape.index

    @property
    def all_lots(self) -> tuple[str, ...]:
        """The lots of either kind of account that have a name of their own, coins and symbols excepted."""
        return tuple(dict.fromkeys(name for lots in self.lots.values() if lots != "coins" for name in lots))

    def series(self, uid: str, lot: str) -> Series:
        """Return where the records of one lot are kept."""
        keys = ((self.lot, lot),) if self.lot else ()
        return Series(f"account/{uid}/{self.name}", keys, self.time, private=True, unique=(self.id,))

    def checked(self, lot: str) -> str:
        """Return the lot.

        Raises
        ------
        InvalidInput
            If neither kind of account has one of that name.
        """
        if lot not in self.all_lots and not self.free:
            raise InvalidInput(self.lot, f"{lot!r} is unknown.", hint=f"Use one of {', '.join(self.all_lots)}.")
        return lot

    def lookback_ms(self, mode: Mode, lot: str) -> int:
        """Return how far back the exchange answers: as far as its shortest road."""
        return min((road.lookback_ms for road in self.roads(mode, lot)), default=0)


def by_market(lots: tuple[str, ...] = MARKETS) -> dict[Mode, Lots]:
    """Return the same lots for both kinds of account."""
    return {"classic": lots, "unified": lots}
