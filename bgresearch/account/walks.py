"""One list of private records walked to its end, every record once. Asks the exchange, keeps nothing."""

from __future__ import annotations

from typing import Any

from bgresearch.account.record_type import RecordKind, Road
from bgresearch.catalogue.answer_row import UNREADABLE, AnswerRow, KeyMissing, Problems
from bgresearch.core.spans import Span
from bgresearch.errors import BadResponse, ExchangeError
from bgresearch.http.pagination.paged_list import EndUnknown, PagedList
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row

_TOO_DEEP = "40303"  # spot/error-code/restapi

Found = dict[str, Row]


def walked(
    kind: RecordKind, road: Road, sender: Sender, span: Span | None = None, *, trim: bool = True,
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


def _walk(kind: RecordKind, road: Road, sender: Sender, span: Span | None, found: Found) -> None:
    here: Found = {}
    try:
        for page in _paged(kind, road, sender, span, here).pages():
            new = {record[kind.id]: record for record in page if record[kind.id] not in here}
            here |= new
            found |= new
        return
    except (EndUnknown, ExchangeError) as error:
        too_deep = isinstance(error, EndUnknown) or error.code == _TOO_DEEP
        if not too_deep or span is None or span.duration_ms < 2:
            raise
    middle = (span.start_ms + span.end_ms) // 2
    for half in (Span(middle, span.end_ms), Span(span.start_ms, middle)):
        _walk(kind, road, sender, half, found)


def _paged(kind: RecordKind, road: Road, sender: Sender, span: Span | None, here: Found) -> PagedList[Row]:
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
        older = Span(start, max(start, last[len(last) // 2]) + 1)
        again = PagedList(sender, road.row, {**road.fixed, **_times(older)}, read, key)
        records = (record for page in again.pages() for record in page)
        # a newer one than asked for is no answer to the question, and so no evidence
        return any(record[kind.time] > older.end_ms or key(record) not in here for record in records)

    params = {**road.fixed, **(_times(span) if span is not None else {})}
    return PagedList(sender, road.row, params, remembered, key, goes_on if span is not None else None)


def _times(span: Span) -> dict[str, str]:
    # whether the exchange's ends are inclusive is not documented: both are asked for and trimmed
    return {"startTime": str(span.start_ms - 1), "endTime": str(span.end_ms)}


def _records(kind: RecordKind, road: Road, rows: list[Any], *, money: bool) -> list[Row]:
    """Return the records of a page; lists of what stands open now (``money=False``) are nothing that is booked."""
    problems = Problems(road.endpoint, money=money)
    records = [_believed(kind, road, row, problems, place) for place, row in enumerate(rows, start=1)]
    problems.warn()
    return records


def _believed(kind: RecordKind, road: Road, row: object, problems: Problems, place: int) -> Row:
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
