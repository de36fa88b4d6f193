"""The cursor of the next page, from an answer and its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def next_cursor(cursor_from: str, data: Any, rows: Sequence[Any]) -> str:
    """Return the value that asks for the page after this one, or "" at the end.

    Parameters
    ----------
    cursor_from : str
        Where the table row says the cursor is read: ``data.endId``, ``data.cursor`` or ``last row tradeId``.
    data : Any
        The value of ``data`` in the answer.
    rows : sequence
        Its rows.
    """
    if not rows:
        return ""
    where, _, field = cursor_from.partition(" while ")[0].rpartition(".")
    if where == "data":
        found = data.get(field) if isinstance(data, dict) else None
    else:
        name = cursor_from.rsplit(maxsplit=1)[-1]
        found = rows[-1].get(name) if isinstance(rows[-1], dict) else None
    return "" if found in (None, "", "0", 0) else str(found)
