"""A kind of private record as data: its columns, and its routes for each account mode.

A kind does not say how lists are paged (`http.pagination`) or how records are stored (`record_history`).
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

LOOKBACK_DAYS = 90  # spot/trade/Get-Fills, uta/trade/Get-Order-Fills; assumed where no page states it
EDGE_MS = 60_000  # windows stay this far inside the exchange's own limits, which move during the walk

Lots = tuple[str, ...] | Literal["coins"]


@dataclass(frozen=True)
class RecordRoute:
    """One list of the exchange that holds records of a kind.

    Attributes
    ----------
    endpoint : str
        Id of the table row.
    shape : callable
        Makes a record from one of the exchange's rows.
    fixed : mapping
        Parameters that are the same for every page.
    lookback_days : int
        Look-back where the table does not state one.
    """

    endpoint: str
    shape: Callable[[AnswerRow], Row]
    fixed: Mapping[str, str] = field(default_factory=dict)
    lookback_days: int = LOOKBACK_DAYS

    @property
    def row(self) -> Endpoint:
        """The row of the table."""
        return load()[self.endpoint]

    @property
    def longest_ms(self) -> int:
        """Longest span of one window."""
        return (self.row.max_span_days or self.lookback_days) * DAY_MS - EDGE_MS

    @property
    def lookback_ms(self) -> int:
        """The exchange's look-back."""
        return (self.row.lookback_days or self.lookback_days) * DAY_MS - EDGE_MS


Routes = Callable[[Mode, str], tuple[RecordRoute, ...]]


def _no_routes(_mode: Mode, _lot: str) -> tuple[RecordRoute, ...]:
    return ()


@dataclass(frozen=True)
class RecordKind:
    """One kind of private record that the exchange deletes after a while.

    Attributes
    ----------
    name : str
        Name of the folder and of the verb: ``fills``.
    title : str
        Title for messages: ``own trades``.
    shape : Shape
        The columns; the index is the time that the exchange's windows select by.
    id : str
        The column that identifies a record within its lot.
    lot : str
        What is fetched one at a time (``market``, ``coin``) and names the subfolder; empty if there is one list only.
    lots : mapping of mode to tuple of str, or "coins"
        The lots of an account; ``coins`` means those that the account has or had.
    routes : callable
        Mode and lot to the lists that together hold every record of it; none if this mode has no such list.
    open : callable
        Mode and lot to the lists of what is still open: its record appears later, with the time it began.
    changing : frozenset of str
        Values of the column ``status`` of records that still change.
    late : bool
        Whether a window may select by another time than the record's index (when a position was closed): then
            everything up to now is fetched, so that neither reading of the documentation loses a record.
    free : bool
        Whether lots that are not listed are accepted.
    many : bool
        Whether an account may have so many that a whole window does not fit in memory.
    """

    name: str
    title: str
    shape: Shape
    id: str
    lot: str
    lots: Mapping[Mode, Lots]
    routes: Routes
    open: Routes = _no_routes
    changing: frozenset[str] = frozenset()
    late: bool = False
    free: bool = False
    many: bool = False

    @property
    def time(self) -> str:
        """The column that the exchange's windows select by."""
        return self.shape.index

    @property
    def all_lots(self) -> tuple[str, ...]:
        """The named lots of both account modes, without coins and symbols."""
        return tuple(dict.fromkeys(name for lots in self.lots.values() if lots != "coins" for name in lots))

    def series(self, uid: str, lot: str) -> Series:
        """Return the store's series for the records of one lot."""
        keys = ((self.lot, lot),) if self.lot else ()
        return Series(f"account/{uid}/{self.name}", keys, self.time, private=True, unique=(self.id,))

    def checked(self, lot: str) -> str:
        """Return the lot if it is valid.

        Raises
        ------
        InvalidInput
            If neither account mode has such a lot.
        """
        if lot not in self.all_lots and not self.free:
            raise InvalidInput.unknown(self.lot, lot, self.all_lots)
        return lot

    def lookback_ms(self, mode: Mode, lot: str) -> int:
        """Return the exchange's look-back: the shortest of the routes."""
        return min((route.lookback_ms for route in self.routes(mode, lot)), default=0)


def by_market(lots: tuple[str, ...] = MARKETS) -> dict[Mode, Lots]:
    """Return the same lots for both account modes."""
    return {"classic": lots, "unified": lots}
