"""Rows of single answers: one request, or a list without times to its end. Asks the exchange, keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from bgresearch.catalogue import load
from bgresearch.confirming import confirming
from bgresearch.envelope import rows_of
from bgresearch.errors import BadResponse
from bgresearch.paginator import PagedList
from bgresearch.tables import Row, Shape
from bgresearch.wire import Sender

Rows = list[Mapping[str, Any]]


def rows_from(
    sender: Sender, row_id: str, params: Mapping[str, object] | None = None, *, rows_at: str | None = None
) -> Rows:  # fmt: skip
    """Return the rows of one answer.

    Parameters
    ----------
    sender : Sender
        Who asks.
    row_id : str
        Id of the table row.
    params : mapping, optional
        In the exchange's spelling.
    rows_at : str, optional
        ``""`` for what stands around the rows, as one row.

    Raises
    ------
    BadResponse
        A row is no object.
    """
    endpoint = load()[row_id]
    data = confirming(sender).send(endpoint, params or {}).data
    rows = [data] if rows_at == "" else rows_of(endpoint, data)
    return _objects(row_id, rows)


def all_rows(sender: Sender, row_id: str, params: Mapping[str, object] | None = None) -> Rows:
    """Return the rows of a list that goes by cursors, all pages of it, each row once.

    Raises
    ------
    BadResponse
        A row is no object, or the list has no end.
    """
    paged = PagedList(sender, load()[row_id], params or {}, partial(_objects, row_id), _spelled)
    return [row for page in paged.pages() for row in page]


def _spelled(row: Mapping[str, Any]) -> str:
    return repr(sorted(row.items()))


def shaped(shape: Shape, row_id: str, make: Any, rows: Rows) -> list[Row]:
    """Return the exchange's rows as rows of a shape.

    Raises
    ------
    BadResponse
        A row lacks a field, or holds something else than numbers.
    """
    try:
        return [made for row in rows for made in _listed(make(row))]
    except (KeyError, ValueError, TypeError, IndexError, AttributeError):
        raise BadResponse(
            row_id, f"a row for {shape.verb} lacks a field or holds something else than numbers."
        ) from None


def _listed(made: Row | list[Row]) -> list[Row]:
    return made if isinstance(made, list) else [made]


def _objects(row_id: str, rows: list[Any]) -> Rows:
    if any(not isinstance(row, dict) for row in rows):
        raise BadResponse(row_id, "a row is no object.")
    return rows
