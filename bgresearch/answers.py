"""Rows of single answers: one request, or a list without times to its end. Asks the exchange, keeps nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bgresearch import exact_json
from bgresearch.answer_row import AnswerRow, Make, Problems, Row, read_rows
from bgresearch.catalogue import load
from bgresearch.envelope import rows_of
from bgresearch.errors import BadResponse
from bgresearch.paging import next_cursor
from bgresearch.wire import Sender

_MOST_PAGES = 1_000


def rows_from(sender: Sender, row_id: str, params: Mapping[str, object] | None = None) -> list[Any]:
    """Return the rows of one answer, whatever they are; `shaped` reads them.

    Parameters
    ----------
    sender : Sender
        Who asks.
    row_id : str
        Id of the table row.
    params : mapping, optional
        In the exchange's spelling.
    """
    endpoint = load()[row_id]
    return rows_of(endpoint, sender.send(endpoint, params or {}).data)


def all_rows(sender: Sender, row_id: str, params: Mapping[str, object] | None = None) -> list[Any]:
    """Return the rows of a list that goes by cursors, all pages of it, each row once.

    Raises
    ------
    BadResponse
        The list has no end.
    """
    endpoint, cursor = load()[row_id], ""
    found: dict[str, Any] = {}
    takes = next(name for name in ("cursor", "idLessThan") if endpoint.param(name))
    size = {"limit": str(endpoint.paging.max_rows)} if endpoint.paging.max_rows and endpoint.param("limit") else {}
    for _ in range(_MOST_PAGES):
        data = sender.send(endpoint, {**(params or {}), **size, **({takes: cursor} if cursor else {})}).data
        rows = rows_of(endpoint, data)
        new = {exact_json.dumps(row, sort_keys=True): row for row in rows}
        following = next_cursor(endpoint.paging.cursor_from, data, rows)
        if new.keys() <= found.keys() or following in ("", cursor):
            return list((found | new).values())
        found |= new
        cursor = following
    raise BadResponse(row_id, f"the list did not end after {_MOST_PAGES} pages.")


def shaped(row_id: str, make: Make, rows: Iterable[Any], *, whole: bool = False) -> list[Row]:
    """Return the exchange's rows as rows of a shape; what cannot be read is missing, and one warning names it.

    Parameters
    ----------
    row_id : str
        Id of the table row.
    make : callable
        Makes one row, or several, of one of the exchange's.
    rows : iterable
        From `rows_from` or `all_rows`.
    whole : bool
        Whether the list is kept for complete: a row that would have to be left out raises.

    Raises
    ------
    BadResponse
        No row can be read.
    """
    return read_rows(make, rows, Problems(row_id, whole=whole))


def around(sender: Sender, row_id: str, params: Mapping[str, object] | None = None) -> AnswerRow:
    """Return what stands around the rows of one answer; whoever reads it calls ``problems.warn()`` at the end.

    Raises
    ------
    BadResponse
        It is no object.
    """
    data = sender.send(load()[row_id], params or {}).data
    if not isinstance(data, dict):
        raise BadResponse(row_id, "the answer is no object.")
    return AnswerRow(data, Problems(row_id), "the answer")
