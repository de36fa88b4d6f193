"""Private history through the store: what is kept, what is missing, fetched window by window, and kept for good.

Most of it is gone from the exchange after 90 days. A span is kept as covered only where nothing can come any more: not
in the last minutes, and not at the instants at which something began that is not over (an open order, a position, a
withdrawal on its way), because its record comes later and with that time.
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
from bgresearch.core.spans import Span, after_instant, halves, iso, subtract, whole_seconds
from bgresearch.errors import BadResponse, ExchangeError, IncompleteData, InvalidInput, NetworkError, OfflineError
from bgresearch.http.pagination.paged_list import EndUnknown, PagedList
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row
from bgresearch.session.identity import AccountIdentity, Identity, Mode
from bgresearch.session.known_accounts import known_mode, known_uid, remember_mode, remember_uid
from bgresearch.session.session import Session

_TOO_DEEP = "40303"  # spot/error-code/restapi
Found = dict[str, Row]


FINAL_MS = 5 * 60_000  # a younger record may still be missing from an answer: shown, but not kept
_AT_ONCE = 20_000  # records that a window should not exceed by much
_FIRST_MS = DAY_MS  # of an account with a million fills in 90 days, 11,000 records
_SHORTEST_MS = DAY_MS // 24
_USUAL_PAGE = 100  # rows of a page where the table states none
_LONG_DAYS = 14  # from which length on a bar is worth it
_log = logging.getLogger(__name__)


class _Task(NamedTuple):
    """What a walk through the windows of one lot needs to know."""

    kind: RecordKind
    lot: str
    roads: tuple[RecordRoute, ...]
    begun: set[int]
    final_ms: int


class RecordHistory:
    """The records of one account: the store first, then the exchange.

    Parameters
    ----------
    source : Source
        Exchange and store.
    whose : Whose
        Learns the account's mode and user id.
    progress : "auto", bool or callable
        As on `connect`.
    """

    def __init__(self, source: Session, whose: AccountIdentity, progress: Wish = "auto") -> None:
        self.source, self._whose, self._progress = source, whose, progress

    def identity(self) -> Identity:
        """Return whose key it is, and remember the user id for work offline.

        Raises
        ------
        OfflineError
            Offline: the exchange alone knows.
        """
        sender = self.source.sender
        if self.source.offline:
            raise OfflineError(
                f"whose key {sender.label!r} is, the exchange alone knows.", hint="Connect without offline=True."
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
            Offline, and it was never asked.
        """
        if not self.source.offline:
            return self.identity().mode
        known = known_mode(self.source.store, self.uid())
        if known is None:
            raise OfflineError("the account's mode is not known.", hint="Connect without offline=True once.")
        return known

    def uid(self) -> str:
        """Return the user id, from the remembered ones if possible."""
        sender = self.source.sender
        uid = known_uid(self.source.store, sender)
        if uid is not None:
            return uid
        if self.source.offline:
            raise OfflineError(
                f"nothing is kept for the key {sender.label!r}.", hint="Connect without offline=True once."
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
        return tuple(dict.fromkeys((*lots, *self.kept_lots(kind))))  # kept: named once, or of a former mode

    def _held(self) -> list[Row]:
        """Return what the wallets hold; wallets that cannot be looked into are named."""
        skipped: Skipped = {}
        rows = classic_assets(self.source.sender, skipped)
        if skipped:
            _log.warning("%s Coins that are only there are not asked for.", said_of(skipped))
        return rows

    def kept_lots(self, kind: RecordKind) -> tuple[str, ...]:
        """Return the lots of a kind that something is kept of."""
        if not kind.lot:
            return ("",)
        return self.source.store.values(f"account/{self.uid()}/{kind.name}", kind.lot)

    def missing(self, kind: RecordKind, lot: str, span: Span) -> tuple[Span, ...]:
        """Return the parts of the span that are not kept; reads footers only."""
        return self.source.store.missing(kind.series(self.uid(), lot), span)

    def table(self, kind: RecordKind, lot: str, span: Span) -> pa.Table:
        """Return the records of a span in order, fetching and keeping what is missing.

        Raises
        ------
        IncompleteData
            Part of it is neither kept nor on the exchange any more, or could not be fetched.
        OfflineError
            Offline, and part of it is not kept.
        """
        series = kind.series(self.uid(), lot)
        kept, tail = self.source.store.read_after(lambda: self._tail(kind, lot, span), series, span)
        if kept is None:
            return tail.sort_by([(kind.time, "ascending"), (kind.id, "ascending")])
        kept = _of_shape(kept, kind.shape.schema)
        if not tail.num_rows:
            return kept  # in order already, and perhaps very many: sorting would copy them
        return pa.concat_tables([kept, tail]).sort_by([(kind.time, "ascending"), (kind.id, "ascending")])

    def _tail(self, kind: RecordKind, lot: str, span: Span) -> pa.Table:
        """Fetch and keep what is missing of a span; return the records that are not final and so not kept."""
        series = kind.series(self.uid(), lot)
        missing = self.source.store.missing(series, span)
        if missing and not kind.roads(self.mode(), lot):
            if lot not in self.kept_lots(kind):
                raise InvalidInput(kind.lot, f"a {self.mode()} account is told no {kind.title} of {lot!r}.")
            self.source.store.refuse_lost(series, span)
            missing = ()  # from before the account's mode was changed: what is kept is all that there will be
        return self.bring(kind, lot, missing) if missing else kind.shape.schema.empty_table()

    def bring(self, kind: RecordKind, lot: str, missing: Sequence[Span], *, shown_too: bool = True) -> pa.Table:
        """Fetch spans and keep them window by window; return the records that are not final and so not kept.

        Parameters
        ----------
        kind : RecordKind
            What the records are.
        lot : str
            Of which market, coin or book.
        missing : sequence of Span
            What is not kept.
        shown_too : bool
            Whether somebody looks at what is returned. To keep records alone, nothing need be asked at instants at
            which something began that is not over: whatever else belongs there is kept when it is.

        Raises
        ------
        IncompleteData
            Part of it is older than the exchange remembers; nothing was asked.
        OfflineError
            Offline.
        """
        store, series = self.source.store, kind.series(self.uid(), lot)
        if self.source.offline:
            raise OfflineError(
                f"{kind.title} are not all kept: {missing[0]} is missing.", missing=missing,
                hint="Connect without offline=True to fetch them." + store.aside_hint(series, _around(missing)),
            )  # fmt: skip
        mode, now = self.identity().mode, self.source.clock.now_ms()
        lookback = kind.lookback_ms(mode, lot)
        gone = subtract(missing, [Span(now - lookback, now)])
        if gone:
            aside = store.aside_hint(series, _around(gone))
            raise IncompleteData(
                f"the exchange answers {kind.title} {round(lookback / DAY_MS)} days back; {gone[0]} is older and "
                f"{'is not kept any more' if aside else 'was never kept'}.",
                missing=gone, hint=f"Ask from {iso(now - lookback + 60_000)} on.{aside}",
            )  # fmt: skip
        task = _Task(kind, lot, kind.roads(mode, lot), self._begun(kind, mode, lot), now - FINAL_MS)
        begun = [Span(at, at + 1) for at in task.begun]
        missing = [span for span in missing if shown_too or subtract([span], begun)]
        if not missing:
            return kind.shape.schema.empty_table()
        spans = [Span(missing[0].start_ms, now)] if kind.late else missing
        young = [kind.shape.schema.empty_table()]
        late: dict[str, Row] = {}
        days = sum(_days(span) for span in spans)
        with shown(self._progress, days, f"{lot} {kind.name}".strip(), unit="days", least=_LONG_DAYS) as done:
            for piece, rows in self._walked(task, spans):
                if kind.late:
                    late |= rows
                else:
                    young.append(self._kept(task, [piece], rows))
                done(_days(piece))
        if kind.late:
            young.append(self._kept(task, missing, late))
        return pa.concat_tables(young)

    def _walked(self, task: _Task, spans: Sequence[Span]) -> Iterator[tuple[Span, dict[str, Row]]]:
        """Yield windows with their records: short ones where there are so many that a long one fills the memory."""
        longest = min(road.longest_ms for road in task.roads)
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
                        yield whole, rows  # the pages that came
                    raise
                yield piece, rows
                at = piece.end_ms
                if len(rows) > _AT_ONCE:
                    length = max(length // 2, _SHORTEST_MS)
                elif len(rows) < _AT_ONCE // 4:
                    length = min(length * 2, longest)

    def _rows(self, task: _Task, piece: Span, rows: dict[str, Row]) -> None:
        """Fill in the records of one window by id, from every list that has some of them."""
        for road in task.roads:
            walked(task.kind, road, self.source.sender, piece, trim=not task.kind.late, found=rows)

    def _kept(self, task: _Task, spans: Sequence[Span], rows: dict[str, Row]) -> pa.Table:
        """Keep what is final in some spans, return the rest of what lies in them."""
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
            source = ",".join(dict.fromkeys(road.endpoint for road in task.roads))
            table = kind.shape.table(rows[key] for key in rows if key in sure)
            self.source.store.write(kind.series(self.uid(), task.lot), table, covered, source=source)
        return kind.shape.table(row for key, row in rows.items() if key not in sure)

    def _begun(self, kind: RecordKind, mode: Mode, lot: str) -> set[int]:
        """Return when everything began that is not over; asked before the walk, so that what ends meanwhile counts."""
        found: Iterable[Row] = (
            row for road in kind.open(mode, lot) for row in walked(kind, road, self.source.sender)
        )  # fmt: skip
        return {row[kind.time] for row in found}


def _whole(task: _Task, piece: Span, rows: Sequence[Row]) -> Span | None:
    """Return the part of an interrupted window that is complete: of one list that came in the order of its times.

    Its last page may end with an odd time, so the older half of that is not believed.
    """
    times = [row[task.kind.time] for row in rows]
    if not times or len(task.roads) > 1 or task.kind.late or times != sorted(times, reverse=True):
        return None
    half = (task.roads[0].row.paging.max_rows or _USUAL_PAGE) // 2
    return Span(times[-half:][0] + 1, piece.end_ms).intersect(piece)


def _of_shape(kept: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return kept records with the columns of today: what another version did not keep yet is null."""
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
    kind: RecordKind, road: RecordRoute, sender: Sender, span: Span | None = None, *, trim: bool = True,
    found: Found | None = None,
) -> list[Row]:  # fmt: skip
    """Return every record of a window, each once, in any order; without a window every record of the list.

    A window that holds more than the exchange serves in one list (20,000 rows, or however many pages) is halved.

    Parameters
    ----------
    kind : RecordKind
        What the records are.
    road : Road
        Which list.
    sender : Sender
        Who asks.
    span : Span, optional
        The window.
    trim : bool
        Whether records outside the window are left out: its ends are asked for generously.
    found : dict, optional
        Filled with the records by id as their pages come, and not trimmed; what came is there even if the walk fails.

    Raises
    ------
    BadResponse
        If the list has no end, its end cannot be told, or a row is no record.
    """
    found = {} if found is None else found
    _walk(kind, road, sender, span, found)
    if span is None or not trim:
        return list(found.values())
    return [record for record in found.values() if span.start_ms <= record[kind.time] < span.end_ms]


def _walk(kind: RecordKind, road: RecordRoute, sender: Sender, span: Span | None, found: Found) -> None:
    here: Found = {}
    try:
        for page in _paged(kind, road, sender, span, here).pages():
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
        _walk(kind, road, sender, half, found)


def _paged(kind: RecordKind, road: RecordRoute, sender: Sender, span: Span | None, here: Found) -> PagedList[Row]:
    last: list[int] = []  # times of the last page, sorted

    def read(rows: list[Any]) -> list[Row]:
        return _records(kind, road, rows, money=span is not None)

    def remembered(rows: list[Any]) -> list[Row]:
        records = read(rows)
        last[:] = sorted(record[kind.time] for record in records) or last
        return records

    def key(record: Row) -> str:
        return str(record[kind.id])

    def goes_on() -> bool:
        """Ask for the older part of the window without a cursor: half of the last page, whatever odd times it has."""
        start = span.start_ms if span is not None else 0
        older = Span(start, after_instant(max(start, last[len(last) // 2])))
        again = PagedList(sender, road.row, {**road.fixed, **_times(older)}, read, key)
        records = (record for page in again.pages() for record in page)
        # a newer one than asked for is no answer to the question, and so no evidence
        return any(record[kind.time] > older.end_ms or key(record) not in here for record in records)

    params = {**road.fixed, **(_times(span) if span is not None else {})}
    return PagedList(sender, road.row, params, remembered, key, goes_on if span is not None else None)


def _times(span: Span) -> dict[str, str]:
    # whether the exchange's ends are inclusive is not documented: both are asked for and trimmed
    asked = whole_seconds(Span(span.start_ms - 1, span.end_ms))
    return {"startTime": str(asked.start_ms), "endTime": str(asked.end_ms)}


def _records(kind: RecordKind, road: RecordRoute, rows: list[Any], *, money: bool) -> list[Row]:
    """Return the records of a page; lists of what stands open now (``money=False``) are nothing that is booked."""
    problems = Problems(road.endpoint, money=money)
    records = [_believed(kind, road, row, problems, place) for place, row in enumerate(rows, start=1)]
    problems.warn()
    return records


def _believed(kind: RecordKind, road: RecordRoute, row: object, problems: Problems, place: int) -> Row:
    if not isinstance(row, dict):
        raise BadResponse(road.endpoint, f"row {place} of {kind.title} is no object.")
    read, before = AnswerRow(row, problems, f"row {place}"), len(problems.found)
    try:
        record = road.shape(read)
    except KeyMissing:
        raise BadResponse(road.endpoint, f"{problems.found[-1]}, in a list of {kind.title}.") from None
    for needed in (kind.id, kind.time):
        if record[needed] is None:
            found = problems.found[before:] or [f"{read.name}: {needed} is missing"]
            raise BadResponse(road.endpoint, f"{'; '.join(found)}, in a list of {kind.title}.")
    return record | ({UNREADABLE: True} if len(problems.found) > before else {})
