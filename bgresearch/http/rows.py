"""Rows of single responses: one request, or all pages of a list without times. Stores nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bgresearch.catalogue import load
from bgresearch.catalogue.answer_row import AnswerRow, Make, Problems, Row, read_rows
from bgresearch.catalogue.response import rows_of
from bgresearch.core import exact_json
from bgresearch.errors import BadResponse
from bgresearch.http.confirming_sender import confirming
from bgresearch.http.pagination.paged_list import PagedList
from bgresearch.http.sender import Sender


def rows_from(sender: Sender, row_id: str, params: Mapping[str, object] | None = None) -> list[Any]:
    """Return the raw rows of one response; `shaped` parses them.

    Parameters
    ----------
    sender : Sender
        Sends the request.
    row_id : str
        Id of the table row.
    params : mapping, optional
        In the exchange's spelling.
    """
    endpoint = load()[row_id]
    return rows_of(endpoint, confirming(sender).send(endpoint, params or {}).data)


def all_rows(sender: Sender, row_id: str, params: Mapping[str, object] | None = None) -> list[Any]:
    """Return the rows of all pages of a cursor-paginated list, each row once.

    Raises
    ------
    BadResponse
        The list has no end.
    """
    paged = PagedList(sender, load()[row_id], params or {}, list, _spelled)
    return [row for page in paged.pages() for row in page]


def _spelled(row: Any) -> str:
    return exact_json.dumps(row, sort_keys=True)


def shaped(row_id: str, make: Make, rows: Iterable[Any], *, whole: bool = False) -> list[Row]:
    """Return the exchange's rows as rows of a shape; unreadable values are missing, and one warning names them.

    Parameters
    ----------
    row_id : str
        Id of the table row.
    make : callable
        Makes one or several rows from one of the exchange's.
    rows : iterable
        From `rows_from` or `all_rows`.
    whole : bool
        Whether the list is stored as complete: a row that would have to be skipped raises.

    Raises
    ------
    BadResponse
        No row can be read.
    """
    return read_rows(make, rows, Problems(row_id, whole=whole))


def around(sender: Sender, row_id: str, params: Mapping[str, object] | None = None) -> AnswerRow:
    """Return the object around the rows of one response; the caller finishes with ``problems.warn()``.

    Raises
    ------
    BadResponse
        It is not an object.
    """
    data = confirming(sender).send(load()[row_id], params or {}).data
    if not isinstance(data, dict):
        raise BadResponse(row_id, "the response is not an object.")
    return AnswerRow(data, Problems(row_id), "the answer")
