"""A list behind one row of the table, with a switch for everything that the documentation leaves open.

It is a sender: no HTTP, so that thousands of walks are quick. Its rows are made here and shown to the test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bgresearch.catalogue import Endpoint
from bgresearch.http.sender import Reply


@dataclass
class Habits:
    """What a list may do."""

    ends_included: bool = True
    start_included: bool = True
    cursor_included: bool = False
    pages_of: int | None = None  # fewer rows than asked for, silently
    shuffled: bool = False
    last_page_repeats: bool = False
    first_page_again: bool = False
    false_empties: tuple[int, ...] = ()  # numbers of requests that are answered with nothing
    empty: Any = field(default_factory=list)
    arrivals: tuple[int, ...] = ()  # numbers of requests before which a row is added
    ignores_cursor: bool = False
    ids_as_numbers: bool = False


class ListSender:
    """Answers one row of the table from a list of rows, newest first.

    Parameters
    ----------
    endpoint : Endpoint
        The row that is answered; anything else fails.
    rows : list of dict
        Oldest first.
    time, known_by : str
        Names of the row's time and id.
    """

    label, host, demo = "lists", "http://127.0.0.1:1", False

    def __init__(
        self, endpoint: Endpoint, rows: list[dict[str, Any]], *, time: str, known_by: str, habits: Habits,
    ) -> None:  # fmt: skip
        self.endpoint, self.rows, self.habits = endpoint, rows, habits
        self.time, self.known_by = time, known_by
        self.sent = 0
        self.asked: list[dict[str, str]] = []
        self.with_rows: list[tuple[tuple[str, str], ...]] = []
        self.fails_at: int | None = None
        self.new_row: Any = None

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        assert endpoint is self.endpoint
        if self.fails_at == self.sent:
            raise KeyboardInterrupt
        asked = {name: str(value) for name, value in params.items()}
        if self.sent in self.habits.arrivals:
            self.rows.append(self.new_row(len(self.rows)))
        self.sent += 1
        self.asked.append(asked)
        data = self._data(asked)
        body = json.dumps({"code": "00000", "data": data}).encode()
        return Reply(endpoint, json.loads(body)["data"], body, 1, 0)

    def _data(self, asked: Mapping[str, str]) -> Any:
        if self.sent in self.habits.false_empties:
            return self.habits.empty
        rows = [row for row in reversed(self.rows) if self._inside(row, asked)]
        size = int(asked.get("limit") or asked.get("pageSize") or 100)
        size = min(size, self.habits.pages_of or size)
        page = self._page(rows, asked, size)
        extra = {"endId": page[-1][self.known_by], "cursor": page[-1][self.known_by]} if page and self.known_by else {}
        if self.habits.shuffled:
            page = page[len(page) // 2 :] + page[: len(page) // 2]
        if not page:
            return self.habits.empty
        self.with_rows.append(tuple(sorted(asked.items())))
        return {self.endpoint.rows_at: page, **extra} if self.endpoint.rows_at else page

    def _inside(self, row: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
        at = int(row[self.time]) if self.time else 0
        if "startTime" in asked and at < int(asked["startTime"]) + (not self.habits.start_included):
            return False
        return not ("endTime" in asked and at > int(asked["endTime"]) - (not self.habits.ends_included))

    def _page(self, rows: list[dict[str, Any]], asked: Mapping[str, str], size: int) -> list[dict[str, Any]]:
        numbered = self.endpoint.paging.kind == "page"
        turn = next((name for name in ("idLessThan", "pageNo", "pageNum", "cursor") if name in asked), None)
        if numbered:
            number = int(asked.get(turn, "1")) if turn else 1
            page = rows[(number - 1) * size : number * size]
            if not page and rows and self.habits.last_page_repeats:
                return rows[(len(rows) - 1) // size * size :]
            return rows[:size] if not page and self.habits.first_page_again else page
        if turn is None or self.habits.ignores_cursor:
            return rows[:size]
        below = int(asked[turn]) + self.habits.cursor_included
        page = [row for row in rows if int(row[self.known_by]) < below][:size]
        if not page and rows and self.habits.last_page_repeats:
            return rows[(len(rows) - 1) // size * size :]
        return page
