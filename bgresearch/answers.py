"""Rows of single answers: one request, or a list without times to its end. Asks the exchange, keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgresearch.catalogue import load
from bgresearch.envelope import rows_of
from bgresearch.errors import BadResponse
from bgresearch.paging import next_cursor
from bgresearch.tables import Row, Shape
from bgresearch.wire import Sender

_MOST_PAGES = 1_000

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
    data = sender.send(endpoint, params or {}).data
    rows = [data] if rows_at == "" else rows_of(endpoint, data)
    return _objects(row_id, rows)


def all_rows(sender: Sender, row_id: str, params: Mapping[str, object] | None = None) -> Rows:
    """Return the rows of a list that goes by cursors, all pages of it, each row once.

    Raises
    ------
    BadResponse
        A row is no object, or the list has no end.
    """
    endpoint, cursor = load()[row_id], ""
    found: dict[str, Mapping[str, Any]] = {}
    takes = next(name for name in ("cursor", "idLessThan") if endpoint.param(name))
    size = {"limit": str(endpoint.paging.max_rows)} if endpoint.paging.max_rows and endpoint.param("limit") else {}
    for _ in range(_MOST_PAGES):
        data = sender.send(endpoint, {**(params or {}), **size, **({takes: cursor} if cursor else {})}).data
        rows = _objects(row_id, rows_of(endpoint, data))
        new = {repr(sorted(row.items())): row for row in rows}
        following = next_cursor(endpoint.paging.cursor_from, data, rows)
        if new.keys() <= found.keys() or following in ("", cursor):
            return list((found | new).values())
        found |= new
        cursor = following
    raise BadResponse(row_id, f"the list did not end after {_MOST_PAGES} pages.")


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
