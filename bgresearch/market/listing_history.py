"""Lists of what can be traded, stored with the time they were seen, so that studies are free of survivorship bias.

A list is stored whole, only when it changed; while it stays the same, the span over which it was seen is extended.
Delisted symbols stay in the older lists, and a ticker that is used again is another row: its listing time differs.
Series: ``lists/kind=symbols/market=spot``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from bgresearch.catalogue.value_types import TIME
from bgresearch.core.spans import Span, iso
from bgresearch.core.timestamps import Moment, moment_ms
from bgresearch.errors import BadResponse, InvalidInput, OfflineError, UndocumentedData
from bgresearch.session.cached_sender import checked_age
from bgresearch.session.session import Session
from bgresearch.store import LostRows, Series, digest_of

_ATTEMPTS = 3  # a list that lost most of its rows is accepted when it was received so often
_MOST_NAMED = 5
_SEEN, _PLACE = "seen", "place"
_SINCE_MS = 1_514_764_800_000  # 2018-01-01: no list of the exchange is older than it

Ask = Callable[[], pa.Table]
Absent = Callable[[pa.Table], list[str]]


class _State(NamedTuple):
    """One list: when it was seen first and last, and when another one was; None if none was."""

    since_ms: int
    until_ms: int
    next_ms: int | None


@dataclass(frozen=True)
class Seen:
    """A list as it was seen.

    Attributes
    ----------
    table : pyarrow.Table
        Its rows, in the order of their symbols.
    since_ms, until_ms : int
        When it was seen so for the first and for the last time.
    next_ms : int or None
        When another one was seen.
    basis : str
        ``seen``: it was seen like this before and after the requested moment. ``seen before``: it was seen like this
        before that moment and differently after it, and when it changed is unknown. ``listing times``: no list of that
        moment is stored; these rows of the first stored one were listed by then.
    """

    table: pa.Table
    since_ms: int
    until_ms: int
    next_ms: int | None
    basis: str

    def words(self, now_ms: int) -> dict[str, Any]:
        """Return what belongs into ``df.attrs``."""
        return {
            "seen": [iso(self.since_ms), iso(self.until_ms)], "age_s": max(0, now_ms - self.until_ms) / 1000,
            "next_seen": None if self.next_ms is None else iso(self.next_ms), "basis": self.basis,
        }  # fmt: skip


def listed(
    source: Session, kind: str, market: str, ask: Ask, *, at: Moment | None = None, max_age: float | None = None,
    absent: Absent | None = None, listing: str = "listed", delisting: str = "delisted",
) -> Seen:  # fmt: skip
    """Return a list as it is now, or as it was at some moment, and keep what is seen on the way.

    Parameters
    ----------
    source : Session
        Exchange and store.
    kind, market : str
        Which list: ``symbols``, ``coins``...; ``spot``, ``usdt-futures``...
    ask : callable
        Requests the list; returns one row per thing, with a column ``symbol`` (or another one first) and plain types:
        text, float64, int64, bool, timestamp[ms, UTC].
    at : str, datetime, Timestamp or int, optional
        The moment; now by default.
    max_age : float, optional
        Seconds: a list younger than that is returned without a request. By default every call for now sends one.
    absent : callable, optional
        Requests what shows whether a list is complete, and returns the names it lacks; called for the first list of a
        kind and market, and for one that is shorter than the one before.
    listing, delisting : str
        The columns with the times; rows without one count as always listed, and never delisted.

    Raises
    ------
    OfflineError
        Offline, and no list is kept.
    InvalidInput
        A negative age, or a moment in the future.
    """
    now = source.clock.now_ms()
    at_ms = _moment(at, now)
    series = _series(kind, market)
    confirmed = _confirmed(source, series)
    if not source.offline and _must_ask(confirmed, at_ms, checked_age(max_age), now):
        _look(source, series, ask, absent)
    now = source.clock.now_ms()
    states = _states(source, series, now)
    if not states:
        raise OfflineError(
            f"no list of {market} {kind} is kept.",
            hint=f"Run client.{kind}(market={market!r}) once on a client that is connected without offline=True.",
        )
    if at_ms is None:
        at_ms = states[-1].until_ms
    before = [state for state in states if state.since_ms <= at_ms]
    source.store.refuse_lost(series, Span(before[-1].since_ms if before else 0, at_ms + 1))
    if before:
        return _as_seen(source, series, before[-1], at_ms)
    return _by_listing_times(source, series, states[0], at_ms, (listing, delisting))


def was_listed(source: Session, symbol: str, market: str) -> bool:
    """Return whether a stored list of a market's symbols has this one; only the store is read."""
    try:
        return symbol in ever_listed(source, "symbols", market).column("symbol").to_pylist()
    except (OfflineError, LostRows):
        return False


def ever_listed(source: Session, kind: str, market: str, *, listing: str = "listed") -> pa.Table:
    """Return every row of any stored list, also of delisted symbols: the newest of each, and when it was seen.

    Parameters
    ----------
    source : Session
        Only its store is read.
    kind, market : str
        As of `listed`.
    listing : str
        The column that distinguishes two uses of one symbol.

    Returns
    -------
    pyarrow.Table
        The columns of the list, then ``first_seen``, ``last_seen`` (timestamp[ms, UTC]) and ``gone`` (bool: it is not
        in the newest list).
    """
    series, now = _series(kind, market), source.clock.now_ms()
    table = source.store.read(series, Span(_SINCE_MS, now + 1))
    source.store.refuse_lost(series, Span(_SINCE_MS, now + 1))
    if table is None or not table.num_rows:
        raise OfflineError(f"no list of {market} {kind} is kept.", hint=f"Run client.{kind}(market={market!r}) once.")
    until = {state.since_ms: state.until_ms for state in _states(source, series, now)}
    name = next(name for name in table.column_names if name not in {_SEEN, _PLACE})
    symbols, times = table.column(name).to_pylist(), table.column(_SEEN).cast(pa.int64()).to_pylist()
    marks = table.column(listing).to_pylist() if listing in table.column_names else [None] * len(times)
    first: dict[Any, int] = {}
    newest: dict[Any, int] = {}
    for place, (key, seen) in enumerate(zip(zip(symbols, marks, strict=True), times, strict=True)):
        first.setdefault(key, seen)
        newest[key] = place
    keys = sorted(newest, key=lambda key: (key[0] or "", first[key]))
    last = [until[times[newest[key]]] for key in keys]
    rows = table.take([newest[key] for key in keys]).drop_columns([_SEEN, _PLACE])
    for column, values in (("first_seen", [first[key] for key in keys]), ("last_seen", last)):
        rows = rows.append_column(column, pa.array(values, pa.int64()).cast(TIME))
    return rows.append_column("gone", pa.array([at < max(until.values()) for at in last], pa.bool_()))


def _series(kind: str, market: str) -> Series:
    return Series("lists", (("kind", kind), ("market", market)), _SEEN, unique=(_PLACE,))


def _moment(at: Moment | None, now: int) -> int | None:
    at_ms = None if at is None else moment_ms(at, "at", now)[0]
    if at_ms is not None and at_ms > now:
        raise InvalidInput("at", f"{iso(at_ms)} is in the future; it is now {iso(now)}.")
    return at_ms


def _must_ask(confirmed: int | None, at_ms: int | None, max_age: float | None, now: int) -> bool:
    if confirmed is None:
        return True
    if at_ms is not None:
        return at_ms > confirmed
    return max_age is None or abs(now - confirmed) > max_age * 1000


def _confirmed(source: Session, series: Series) -> int | None:
    """Return when the list was seen last; the known spans are those over which it was seen not to change."""
    spans = source.store.known(series)
    return spans[-1].end_ms - 1 if spans else None


def _look(source: Session, series: Series, ask: Ask, absent: Absent | None) -> None:
    """Request and store the whole list if it changed, else only that it was seen again."""
    kept = _latest(source, series)
    seen = source.clock.now_ms()  # before the request: a slow response never replaces a newer one
    table = _plausible(ask, 0 if kept is None else kept.num_rows)
    if absent is not None and (kept is None or table.num_rows < kept.num_rows):
        table = _complete(series, ask, table, absent)
    stamped = _stamped(table, seen)
    with source.store.alone(series):
        kept, confirmed = _latest(source, series), _confirmed(source, series)
        if confirmed is not None and seen <= confirmed:
            return  # another process has requested it since
        if kept is not None and confirmed is not None and _same(kept, stamped):
            source.store.write(series, stamped.slice(0, 0), [Span(confirmed + 1, seen + 1)])
        else:
            source.store.write(series, stamped, [Span(seen, seen + 1)])


def _latest(source: Session, series: Series) -> pa.Table | None:
    """Return the newest list; None if it was in a damaged file: then the next one is stored whole."""
    try:
        return source.store.latest(series)
    except LostRows:
        return None


def _plausible(ask: Ask, before: int) -> pa.Table:
    """Return the list; one that is empty or lost most of its rows is requested again, and the longest is taken."""
    table = ask()
    for _ in range(_ATTEMPTS - 1):
        if table.num_rows and table.num_rows * 2 >= before:
            break
        table = max(table, ask(), key=lambda one: int(one.num_rows))
    if not table.num_rows and before:
        raise BadResponse("lists", f"the list was empty {_ATTEMPTS} times and had {before} rows before.")
    return table


def _complete(series: Series, ask: Ask, table: pa.Table, absent: Absent) -> pa.Table:
    """Return the list; one that lacks names is requested once more, and what it still lacks is reported."""
    if not absent(table):
        return table
    table = max(table, ask(), key=lambda one: int(one.num_rows))
    if lacking := absent(table):
        some = ", ".join(lacking[:_MOST_NAMED]) + (" ..." if len(lacking) > _MOST_NAMED else "")
        warnings.warn(
            f"The list of {dict(series.keys)['market']} symbols is not complete: {len(lacking)} that have a price are "
            f"not in it ({some}). What follows from the list, as delistings, is unknown.",
            UndocumentedData, stacklevel=6,
        )  # fmt: skip
    return table


def _stamped(table: pa.Table, seen: int) -> pa.Table:
    table = table.replace_schema_metadata(None).sort_by(table.column_names[0])
    places = pa.array(range(table.num_rows), pa.int32())
    times = pa.array([seen] * table.num_rows, pa.int64()).cast(TIME)
    return table.append_column(_SEEN, times).append_column(_PLACE, places)


def _same(one: pa.Table, other: pa.Table) -> bool:
    return digest_of(one.drop_columns([_SEEN])) == digest_of(other.drop_columns([_SEEN]))


def _states(source: Session, series: Series, now: int) -> list[_State]:
    """Return the readable lists in order; callers check whether one between two of them is lost."""
    span = Span(_SINCE_MS, now + 1)
    try:
        table = source.store.read(series, span)
    except LostRows:  # the damaged files are set aside now; callers report them
        table = source.store.read(series, span)
    if table is None:
        return []
    spans = source.store.known(series)
    starts = pc.unique(table.column(_SEEN)).cast(pa.int64()).to_pylist()
    if not starts and spans:  # a market that never listed anything
        return [_State(spans[0].start_ms, spans[-1].end_ms - 1, None)]
    states = []
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        end = next(span.end_ms for span in spans if span.start_ms <= start < span.end_ms) - 1
        states.append(_State(start, end if following is None else min(end, following - 1), following))
    return states


def _rows(source: Session, series: Series, state: _State) -> pa.Table:
    table = source.store.read(series, Span(state.since_ms, state.since_ms + 1))
    if table is None:
        raise OfflineError("the stored list was deleted while it was read.", hint="Call again.")
    return table.drop_columns([_SEEN, _PLACE])


def _as_seen(source: Session, series: Series, state: _State, at_ms: int) -> Seen:
    basis = "seen" if at_ms <= state.until_ms else "seen before"
    return Seen(_rows(source, series, state), state.since_ms, state.until_ms, state.next_ms, basis)


def _by_listing_times(source: Session, series: Series, first: _State, at_ms: int, columns: tuple[str, str]) -> Seen:
    table = _rows(source, series, first)
    moment = pa.scalar(at_ms, pa.int64()).cast(TIME)
    listing, delisting = columns
    if listing in table.column_names:
        table = table.filter(pc.fill_null(pc.less_equal(table.column(listing), moment), fill_value=True))
    if delisting in table.column_names:
        table = table.filter(pc.fill_null(pc.greater(table.column(delisting), moment), fill_value=True))
    warnings.warn(
        f"No list of {iso(at_ms)} is stored, the first one is of {iso(first.since_ms)}: the result is what that list "
        "has of symbols listed by then. Those delisted in between are missing.",
        UserWarning,
        stacklevel=4,
    )
    return Seen(table, first.since_ms, first.until_ms, first.next_ms, "listing times")
