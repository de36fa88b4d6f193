"""Private history through the store: what is missing is fetched window by window and stored for good.

Most of it is gone from the exchange after 90 days. A span is stored as covered only where no further record can appear:
not in the last minutes, and not at the instants at which something began that is not over (an open order, an open
position, a pending withdrawal), because its record appears later and with that time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from bgresearch.account.holdings import Skipped, classic_assets, said_of
from bgresearch.account.record_type import RecordKind, RecordRoute
from bgresearch.catalogue.answer_row import UNREADABLE, AnswerRow, KeyMissing, Problems
from bgresearch.core.intervals import DAY_MS
from bgresearch.core.progress import Wish, shown
from bgresearch.core.spans import Span, after_instant, halves, iso, subtract, union, whole_seconds
from bgresearch.errors import BadResponse, ExchangeError, IncompleteData, InvalidInput, NetworkError, OfflineError
from bgresearch.http.pagination.paged_list import EndUnknown, PagedList
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row
from bgresearch.session.identity import AccountIdentity, Identity, Mode
from bgresearch.session.session import Session
from bgresearch.session.stored_identity import known_mode, known_uid, remember_mode, remember_uid

_TOO_DEEP = "40303"  # spot/error-code/restapi
Found = dict[str, Row]


SAFETY_MS = 60_000  # the look-back moves during the walk
FINAL_MS = 5 * 60_000  # a younger record may still be missing from a response: returned, but not stored
_AT_ONCE = 20_000  # records that a window should not exceed by far
_FIRST_MS = DAY_MS  # of an account with a million fills in 90 days, 11,000 records
_SHORTEST_MS = DAY_MS // 24
_USUAL_PAGE = 100  # rows of a page where the table states no size
_LONG_DAYS = 14  # a progress bar is shown for spans of at least this length
_log = logging.getLogger(__name__)


class _Task(NamedTuple):
    """What fetching the windows of one lot needs."""

    kind: RecordKind
    lot: str
    routes: tuple[RecordRoute, ...]
    begun: set[int]
    final_ms: int


# Why a walk has this order. Spans and windows are fetched oldest first, and every window is stored as soon as it is
# complete (records of a `late` kind at the end, in one write): an interruption then leaves a covered span without
# holes behind, and what the exchange forgets next is safe first. What is still open (orders, positions, withdrawals)
# is asked for before the first window: what ends during the walk is then still excluded from the covered spans, so its
# record is fetched by the next run. Asked for afterwards, a record that appeared behind the walk would never be
# fetched. Within a window, pages come newest first, as the exchange sends them; of an interrupted window only the
# newer part, which is complete, is stored. A window with more rows than the exchange serves is halved, newer half
# first.
class RecordHistory:
    """The records of one account: the store first, then the exchange.

    Parameters
    ----------
    source : Session
        Exchange and store.

    whose : AccountIdentity
        Learns the account's mode and user id.
    progress : "auto", bool or callable
        As on `connect`.
    """

    def __init__(self, source: Session, whose: AccountIdentity, progress: Wish = "auto") -> None:
        self.source, self._whose, self._progress = source, whose, progress

    def identity(self) -> Identity:
        """Return the account of the key, and remember the user id for offline use.

        Raises
        ------
        OfflineError
            Offline: only the exchange knows.
        """
        sender = self.source.sender
        if self.source.offline:
            raise OfflineError(
                f"the account of key {sender.label!r} is not known offline.", hint="Connect without offline=True."
            )
        identity = self._whose.identity()
        remember_uid(self.source.store, sender, identity.uid)
        remember_mode(self.source.store, identity)
        return identity

    def mode(self) -> Mode:
        """Return the account's mode; offline the one that was remembered.

        Raises
        ------
        OfflineError
            Offline, and the mode was never fetched.
        """
        if not self.source.offline:
            return self.identity().mode
        known = known_mode(self.source.store, self.uid())
        if known is None:
            raise OfflineError("the account's mode is not known.", hint="Connect without offline=True once.")
        return known

    def uid(self) -> str:
        """Return the user id, the remembered one if possible."""
        sender = self.source.sender
        uid = known_uid(self.source.store, sender)
        if uid is not None:
            return uid
        if self.source.offline:
            raise OfflineError(
                f"nothing is stored for the key {sender.label!r}.", hint="Connect without offline=True once."
            )
        return self.identity().uid

    def lots(self, kind: RecordKind) -> tuple[str, ...]:
        """Return the lots of a kind that this account has: markets, or the coins that it holds or held."""
        if self.source.offline:
            return self.kept_lots(kind)
        mode = self.identity().mode
        lots = kind.lots[mode]
        if lots == "coins":
            lots = tuple(sorted({"USDT", *(row["coin"] for row in self._held())}))
        return tuple(dict.fromkeys((*lots, *self.kept_lots(kind))))  # also former ones

    def _held(self) -> list[Row]:
        """Return the assets of the wallets; a warning names the wallets that cannot be read."""
        skipped: Skipped = {}
        rows = classic_assets(self.source.sender, skipped)
        if skipped:
            _log.warning("%s Coins held only there are not fetched.", said_of(skipped))
        return rows

    def kept_lots(self, kind: RecordKind) -> tuple[str, ...]:
        """Return the lots of a kind that have stored records."""
        if not kind.lot:
            return ("",)
        return self.source.store.values(f"account/{self.uid()}/{kind.name}", kind.lot)

    def answered(self, kind: RecordKind, lot: str) -> Span:
        """Return the span that the exchange still serves, by its documentation."""
        now = self.source.clock.now_ms()
        return Span(now - kind.lookback_ms(self.mode(), lot), now)

    def available_since(self, kind: RecordKind, lot: str) -> int:
        """Return the first instant from which records are served or stored up to now without a hole."""
        answered, stored = self.answered(kind, lot), self.source.store.known(kind.series(self.uid(), lot))
        if not answered.duration_ms:  # a list of the account's former mode: nothing more is served
            return stored[-1].start_ms if stored else answered.start_ms - 1
        return union([*stored, Span(answered.start_ms + SAFETY_MS, answered.end_ms)])[-1].start_ms

    def missing(self, kind: RecordKind, lot: str, span: Span) -> tuple[Span, ...]:
        """Return the parts of the span that are not stored; reads file footers only."""
        return self.source.store.missing(kind.series(self.uid(), lot), span)

    def table(self, kind: RecordKind, lot: str, span: Span) -> pa.Table:
        """Return the records of a span in order; what is missing is fetched and stored.

        Raises
        ------
        IncompleteData
            Part of it is neither stored nor on the exchange any more, or could not be fetched.
        OfflineError
            Offline, and part of it is not stored.
        """
        series = kind.series(self.uid(), lot)
        kept, tail = self.source.store.read_after(lambda: self._tail(kind, lot, span), series, span)
        if kept is None:
            return tail.sort_by([(kind.time, "ascending"), (kind.id, "ascending")])
        kept = _of_shape(kept, kind.shape.schema)
        if not tail.num_rows:
            return kept  # sorted already; sorting again would copy what may be millions of rows
        return pa.concat_tables([kept, tail]).sort_by([(kind.time, "ascending"), (kind.id, "ascending")])

    def _tail(self, kind: RecordKind, lot: str, span: Span) -> pa.Table:
        """Fetch and store what is missing of a span; return the records that are not final and so not stored."""
        series = kind.series(self.uid(), lot)
        missing = self.source.store.missing(series, span)
        if missing and not kind.routes(self.mode(), lot):
            if lot not in self.kept_lots(kind):
                raise InvalidInput(kind.lot, f"a {self.mode()} account has no {kind.title} of {lot!r}.")
            self.source.store.refuse_lost(series, span)
            missing = ()  # from before the account's mode was changed: no further record can be fetched
        return self.ensure_cached(kind, lot, missing) if missing else kind.shape.schema.empty_table()

    def ensure_cached(self, kind: RecordKind, lot: str, missing: Sequence[Span], *, shown_too: bool = True) -> pa.Table:
        """Fetch spans and store them window by window; return the records that are not final and so not stored.

        Parameters
        ----------
        kind : RecordKind
            The kind of record.
        lot : str
            The market, coin or book.
        missing : sequence of Span
            Spans that are not stored.
        shown_too : bool
            Whether the returned records are used. If records are only stored, instants at which something began that
            is not over need no request: their records are stored once it is over.

        Raises
        ------
        IncompleteData
            Part of it is older than the exchange's look-back; no request was made.
        OfflineError
            Offline.
        """
        store, series = self.source.store, kind.series(self.uid(), lot)
        if self.source.offline:
            raise OfflineError(
                f"{kind.title} are not complete in the store: {missing[0]} is missing.", missing=missing,
                hint="Connect without offline=True to fetch them." + store.aside_hint(series, _around(missing)),
            )  # fmt: skip
        mode, now = self.identity().mode, self.source.clock.now_ms()
        lookback = kind.lookback_ms(mode, lot)
        gone = subtract(missing, [Span(now - lookback, now)])
        if gone:
            aside = store.aside_hint(series, _around(gone))
            raise IncompleteData(
                f"the exchange serves {kind.title} of the last {round(lookback / DAY_MS)} days; {gone[0]} is older and "
                f"{'is no longer in the store' if aside else 'was never stored'}.",
                missing=gone, hint=f"Start at {iso(now - lookback + 60_000)} or later.{aside}",
            )  # fmt: skip
        task = _Task(kind, lot, kind.routes(mode, lot), self._begun(kind, mode, lot), now - FINAL_MS)
        begun = [Span(at, at + 1) for at in task.begun]
        missing = [span for span in missing if shown_too or subtract([span], begun)]
        if not missing:
            return kind.shape.schema.empty_table()
        spans = [Span(missing[0].start_ms, now)] if kind.late else missing
        young = [kind.shape.schema.empty_table()]
        late: dict[str, Row] = {}
        days = sum(_days(span) for span in spans)
        with shown(self._progress, days, f"{lot} {kind.name}".strip(), unit="days", least=_LONG_DAYS) as done:
            for piece, rows in self._windows(task, spans):
                if kind.late:
                    late |= rows
                else:
                    young.append(self._kept(task, [piece], rows))
                done(_days(piece))
        if kind.late:
            young.append(self._kept(task, missing, late))
        return pa.concat_tables(young)

    def _windows(self, task: _Task, spans: Sequence[Span]) -> Iterator[tuple[Span, dict[str, Row]]]:
        """Yield windows with their records; windows are shorter where records are dense, to bound memory."""
        longest = min(route.longest_ms for route in task.routes)
        length = min(longest, _FIRST_MS) if task.kind.many else longest
        for span in spans:
            at = span.start_ms
            while at < span.end_ms:
                piece = Span(at, min(at + length, span.end_ms))
                rows: dict[str, Row] = {}
                try:
                    self._rows(task, piece, rows)
                except (ExchangeError, NetworkError):
                    if whole := _whole(task, piece, list(rows.values())):
                        yield whole, rows  # the pages that arrived
                    raise
                yield piece, rows
                at = piece.end_ms
                if len(rows) > _AT_ONCE:
                    length = max(length // 2, _SHORTEST_MS)
                elif len(rows) < _AT_ONCE // 4:
                    length = min(length * 2, longest)

    def _rows(self, task: _Task, piece: Span, rows: dict[str, Row]) -> None:
        """Add the records of one window by id, from every list that holds them."""
        for route in task.routes:
            walked(task.kind, route, self.source.sender, piece, trim=not task.kind.late, found=rows)

    def _kept(self, task: _Task, spans: Sequence[Span], rows: dict[str, Row]) -> pa.Table:
        """Store what is final in some spans; return the other records of these spans."""
        kind, time = task.kind, task.kind.time
        rows = {key: row for key, row in rows.items() if any(s.start_ms <= row[time] < s.end_ms for s in spans)}
        changing = {
            row[time]
            for row in rows.values()
            if UNREADABLE in row or (kind.changing and row["status"] in kind.changing)
        }
        holes = [Span(at, at + 1) for at in sorted(task.begun | changing)]
        final = [part for part in (span.intersect(Span(0, task.final_ms)) for span in spans) if part]
        covered = subtract(final, holes)
        sure = {key for key, row in rows.items() if any(s.start_ms <= row[time] < s.end_ms for s in covered)}
        if covered:
            source = ",".join(dict.fromkeys(route.endpoint for route in task.routes))
            table = kind.shape.table(rows[key] for key in rows if key in sure)
            self.source.store.write(kind.series(self.uid(), task.lot), table, covered, source=source)
        return kind.shape.table(row for key, row in rows.items() if key not in sure)

    def _begun(self, kind: RecordKind, mode: Mode, lot: str) -> set[int]:
        """Return when everything began that is not over; fetched before the walk, for what ends during it."""
        found: Iterable[Row] = (
            row for route in kind.open(mode, lot) for row in walked(kind, route, self.source.sender)
        )  # fmt: skip
        return {row[kind.time] for row in found}


def _whole(task: _Task, piece: Span, rows: Sequence[Row]) -> Span | None:
    """Return the complete part of an interrupted window: of a single list whose rows came ordered by time.

    The last page may end with a misplaced time, so its older half is not used.
    """
    times = [row[task.kind.time] for row in rows]
    if not times or len(task.routes) > 1 or task.kind.late or times != sorted(times, reverse=True):
        return None
    half = (task.routes[0].row.paging.max_rows or _USUAL_PAGE) // 2
    return Span(times[-half:][0] + 1, piece.end_ms).intersect(piece)


def _of_shape(kept: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return stored records with the current columns; columns that an older version did not store are null."""
    columns = [
        kept.column(field.name).cast(field.type)
        if field.name in kept.column_names
        else pa.nulls(kept.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _around(spans: Sequence[Span]) -> Span:
    return Span(min(span.start_ms for span in spans), max(span.end_ms for span in spans))


def _days(span: Span) -> int:
    return -(-span.duration_ms // DAY_MS)


def walked(
    kind: RecordKind, route: RecordRoute, sender: Sender, span: Span | None = None, *, trim: bool = True,
    found: Found | None = None,
) -> list[Row]:  # fmt: skip
    """Return every record of a window, each once, in any order; without a window every record of the list.

    A window that holds more than the exchange serves in one list (20,000 rows, or however many pages) is halved.

    Parameters
    ----------
    kind : RecordKind
        The kind of record.
    route : RecordRoute
        The list.
    sender : Sender
        Sends the requests.
    span : Span, optional
        The window.
    trim : bool
        Whether records outside the window are dropped: the request is wider at both ends.
    found : dict, optional
        Filled with the records by id as pages arrive, not trimmed; it keeps what arrived even if the walk fails.

    Raises
    ------
    BadResponse
        If the list has no end, its end cannot be determined, or a row is not a record.
    """
    found = {} if found is None else found
    _walk(kind, route, sender, span, found)
    if span is None or not trim:
        return list(found.values())
    return [record for record in found.values() if span.start_ms <= record[kind.time] < span.end_ms]


def _walk(kind: RecordKind, route: RecordRoute, sender: Sender, span: Span | None, found: Found) -> None:
    here: Found = {}
    try:
        for page in _paged(kind, route, sender, span, here).pages():
            new = {record[kind.id]: record for record in page if record[kind.id] not in here}
            here |= new
            found |= new
        return
    except (EndUnknown, ExchangeError) as error:
        too_deep = isinstance(error, EndUnknown) or error.code == _TOO_DEEP
        parts = halves(span) if too_deep and span is not None else None
        if parts is None:
            raise
    for half in reversed(parts):
        _walk(kind, route, sender, half, found)


def _paged(kind: RecordKind, route: RecordRoute, sender: Sender, span: Span | None, here: Found) -> PagedList[Row]:
    last: list[int] = []  # times of the last page, sorted

    def read(rows: list[Any]) -> list[Row]:
        return _records(kind, route, rows, money=span is not None)

    def remembered(rows: list[Any]) -> list[Row]:
        records = read(rows)
        last[:] = sorted(record[kind.time] for record in records) or last
        return records

    def key(record: Row) -> str:
        return str(record[kind.id])

    def goes_on() -> bool:
        """Request the older part of the window without a cursor, from the median time of the last page on."""
        start = span.start_ms if span is not None else 0
        older = Span(start, after_instant(max(start, last[len(last) // 2])))
        again = PagedList(sender, route.row, {**route.fixed, **_times(older)}, read, key)
        records = (record for page in again.pages() for record in page)
        # records newer than requested do not answer the question, so they are ignored
        return any(record[kind.time] > older.end_ms or key(record) not in here for record in records)

    params = {**route.fixed, **(_times(span) if span is not None else {})}
    return PagedList(sender, route.row, params, remembered, key, goes_on if span is not None else None)


def _times(span: Span) -> dict[str, str]:
    # whether the exchange's ends are inclusive is not documented: both are asked for and trimmed
    asked = whole_seconds(Span(span.start_ms - 1, span.end_ms))
    return {"startTime": str(asked.start_ms), "endTime": str(asked.end_ms)}


def _records(kind: RecordKind, route: RecordRoute, rows: list[Any], *, money: bool) -> list[Row]:
    """Return the records of a page; lists of open items (``money=False``) hold nothing that is booked."""
    problems = Problems(route.endpoint, money=money)
    records = [_checked_record(kind, route, row, problems, place) for place, row in enumerate(rows, start=1)]
    problems.warn()
    return records


def _checked_record(kind: RecordKind, route: RecordRoute, row: object, problems: Problems, place: int) -> Row:
    if not isinstance(row, dict):
        raise BadResponse(route.endpoint, f"row {place} of {kind.title} is not an object.")
    read, before = AnswerRow(row, problems, f"row {place}"), len(problems.found)
    try:
        record = route.shape(read)
    except KeyMissing:
        raise BadResponse(route.endpoint, f"{problems.found[-1]}, in a list of {kind.title}.") from None
    for needed in (kind.id, kind.time):
        if record[needed] is None:
            found = problems.found[before:] or [f"{read.name}: {needed} is missing"]
            raise BadResponse(route.endpoint, f"{'; '.join(found)}, in a list of {kind.title}.")
    return record | ({UNREADABLE: True} if len(problems.found) > before else {})
