"""One list walked to its end, page by page, every record once. Asks the exchange, keeps nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bgresearch.account.records import RecordKind, Road
from bgresearch.answer_row import UNREADABLE, AnswerRow, KeyMissing, Problems
from bgresearch.envelope import rows_of
from bgresearch.errors import BadResponse, ExchangeError
from bgresearch.paging import next_cursor
from bgresearch.spans import Span
from bgresearch.tables import Row
from bgresearch.wire import Sender

_TOO_DEEP = "40303"  # spot/error-code/restapi
_EMPTY_ANSWERS = 3  # an empty page is believed after this many, one that follows a short page at once


def walked(
    kind: RecordKind, road: Road, sender: Sender, span: Span | None = None, *, trim: bool = True
) -> list[Row]:  # fmt: skip
    """Return every record of a window, each once, in any order; without a window every record of the list.

    A window that holds more than the exchange serves in one list (20,000 rows) is halved.

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

    Raises
    ------
    BadResponse
        If the list has no end or a row is no record.
    """
    try:
        return _walked(kind, road, sender, span, trim=trim)
    except ExchangeError as error:
        if error.code != _TOO_DEEP or span is None or span.duration_ms < 2:
            raise
    middle = (span.start_ms + span.end_ms) // 2
    halves = (Span(span.start_ms, middle), Span(middle, span.end_ms))
    found = {row[kind.id]: row for half in halves for row in walked(kind, road, sender, half, trim=trim)}
    return list(found.values())


def _walked(kind: RecordKind, road: Road, sender: Sender, span: Span | None, *, trim: bool) -> list[Row]:
    found: dict[str, Row] = {}
    cursor, empty, limit, short = _first(road), 0, _limit(road), False
    while True:
        data = _page(road, sender, span, cursor)
        records = _records(kind, road, rows_of(road.row, data), money=span is not None)
        if not records:
            empty += 1
            if short or empty >= _EMPTY_ANSWERS:
                break
            continue
        new = {record[kind.id]: record for record in records if record[kind.id] not in found}
        found |= new
        following = _following(road, data, [record[kind.id] for record in records], cursor)
        # a short page is the last one, unless the exchange's pages are shorter than documented: one more tells
        short = len({record[kind.id] for record in records}) < limit
        if (not new or following == cursor) and not short:
            raise BadResponse(road.endpoint, f"the page after {cursor} came twice; the list has no end.")
        if not new or following in ("", cursor):
            break
        cursor, empty = following, 0
    if span is None or not trim:
        return list(found.values())
    return [record for record in found.values() if span.start_ms <= record[kind.time] < span.end_ms]


def _limit(road: Road) -> int:
    return road.row.paging.max_rows or 100


def _numbered(road: Road) -> str:
    """Return the parameter that takes the number of a page, or "" where pages are not numbered."""
    if road.row.paging.kind != "page":
        return ""
    return next(name for name in ("pageNum", "pageNo", "cursor") if road.row.param(name))


def _first(road: Road) -> str:
    return "1" if _numbered(road) else ""


def _following(road: Road, data: Any, ids: Sequence[str], cursor: str) -> str:
    """Return the cursor of the page after this one: the smallest id where ids are compared, in whatever order."""
    if _numbered(road):
        return str(int(cursor) + 1)
    paging = road.row.paging
    if paging.kind in ("none", "time-window"):
        return ""
    compared = road.row.param("idLessThan") is not None or paging.cursor_from.startswith("smallest")
    if compared and all(one.isascii() and one.isdecimal() for one in ids):
        return str(min(map(int, ids)))
    return next_cursor(paging.cursor_from, data, rows_of(road.row, data))


def _page(road: Road, sender: Sender, span: Span | None, cursor: str) -> Any:
    params = dict(road.fixed)
    if span is not None:
        # whether the exchange's ends are inclusive is not documented: both are asked for and trimmed
        params |= {"startTime": str(span.start_ms - 1), "endTime": str(span.end_ms)}
    size = next((name for name in ("limit", "pageSize") if road.row.param(name)), None)
    if size:
        params[size] = str(_limit(road))
    takes = _numbered(road) or next((name for name in ("idLessThan", "cursor") if road.row.param(name)), "")
    if cursor and takes:
        params[takes] = cursor
    return sender.send(road.row, params).data


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
