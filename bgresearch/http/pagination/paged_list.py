"""One list of the exchange, page by page to its end: progress is checked, and so is the end. Stores nothing.

Every flat list goes through here: private records, own orders, public trades, funding rates, announcements. (The raw
namespace reads lists without ids and resumes interrupted runs; `http.pagination.paginator` follows the same rules.)

The end is accepted when a page was short, or after a second kind of request: for a window of time, rows older than the
oldest one so far are requested without a cursor. An empty page after a full one is no end by itself: exchanges stop
serving pages at some depth without an error. A page without a new row is no progress.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bgresearch.catalogue import Endpoint
from bgresearch.catalogue.response import rows_of
from bgresearch.errors import BadResponse
from bgresearch.http.confirming_sender import confirming
from bgresearch.http.pagination.cursor import next_cursor
from bgresearch.http.sender import Sender

T = TypeVar("T")

_USUAL_PAGE = 100  # rows of a page where the table states none
_MOST_DIGITS = 40  # of an id; Python reads no number of thousands
_REMEMBERED = 4  # pages that a page is compared with, and the first one: duplicates are close together


class EndUnknown(BadResponse):
    """The exchange serves no further pages, and there are older rows, or nothing shows that there are none."""


@dataclass(frozen=True)
class PagedList(Generic[T]):
    """A list, how its rows are parsed and what identifies them.

    Attributes
    ----------
    sender : Sender
        Talks to the exchange.
    endpoint : Endpoint
        The row of the table.
    params : mapping
        Parameters that are the same for every page, in the exchange's spelling.
    read : callable
        Makes records out of the rows of a page, or raises `BadResponse`.
    key : callable
        Function from a record to its id.
    goes_on : callable, optional
        Called when a list seems to end right after a full page: returns whether another way of asking finds records
        that were on no page so far.
    """

    sender: Sender
    endpoint: Endpoint
    params: Mapping[str, object]
    read: Callable[[list[Any]], list[T]]
    key: Callable[[T], str]
    goes_on: Callable[[], bool] | None = None

    def pages(self) -> Iterator[list[T]]:
        """Yield the records that are new on each page, as the exchange orders them.

        Raises
        ------
        EndUnknown
            The pages end, but there is evidence that the list does not.
        BadResponse
            A page came again, or no cursor leads on: the list has no end.
        """
        first: set[str] = set()
        recent: deque[list[str]] = deque(maxlen=_REMEMBERED)
        cursor, short = self._first, False
        while True:
            data, records = self._page(cursor)
            if not records and first and not short:
                data, records = self._after_a_full_page(cursor)
            if not records:
                return
            keys = [self.key(record) for record in records]
            seen = first.union(*recent)
            fresh = {key: record for key, record in zip(keys, records, strict=True) if key not in seen}
            short = len(set(keys)) < self._size
            recent.append(keys)
            first = first or set(keys)
            if fresh:
                yield list(fresh.values())
            following = self._following(data, keys, cursor)
            if not fresh or following in ("", cursor) or not self._advances(cursor, following):
                self._accept_end(cursor, short=short, said=following == "" and bool(fresh))
                return
            cursor = following

    @property
    def _size(self) -> int:
        return self.endpoint.paging.max_rows or _USUAL_PAGE

    @property
    def _numbered(self) -> str:
        """The parameter that takes the number of a page, "" where pages are not numbered."""
        if self.endpoint.paging.kind != "page":
            return ""
        return next(name for name in ("pageNum", "pageNo", "cursor") if self.endpoint.param(name))

    @property
    def _first(self) -> str:
        return "1" if self._numbered else ""

    def _page(self, cursor: str) -> tuple[Any, list[T]]:
        params = dict(self.params)
        size = next((name for name in ("limit", "pageSize") if self.endpoint.param(name)), None)
        if size:
            params[size] = str(self._size)
        takes = self._numbered or next((name for name in ("idLessThan", "cursor") if self.endpoint.param(name)), "")
        if cursor and takes:
            params[takes] = cursor
        data = confirming(self.sender).send(self.endpoint, params).data
        return data, self.read(rows_of(self.endpoint, data))

    def _following(self, data: Any, keys: Sequence[str], cursor: str) -> str:
        """Return the cursor of the page after this one: the smallest id where ids are compared, in whatever order."""
        paging = self.endpoint.paging
        if self._numbered:
            return str(int(cursor) + 1)
        if paging.kind in ("none", "time-window"):
            return ""
        compared = self.endpoint.param("idLessThan") is not None or paging.cursor_from.startswith("smallest")
        if compared and all(map(_is_number, keys)):
            return str(min(map(int, keys)))
        return next_cursor(paging.cursor_from, data, rows_of(self.endpoint, data))

    def _advances(self, cursor: str, following: str) -> bool:
        """Return whether ids that are compared go down."""
        compared = self.endpoint.param("idLessThan") is not None and not self._numbered
        return not (compared and _is_number(cursor) and _is_number(following)) or int(following) < int(cursor)

    def _after_a_full_page(self, cursor: str) -> tuple[Any, list[T]]:
        """Return an empty page once more, if its list goes on after all; nothing if the end is proved."""
        goes_on = None if self.goes_on is None else self.goes_on()
        if goes_on is False:
            return None, []
        data, records = self._page(cursor)
        if records or goes_on is None:
            return data, records
        raise EndUnknown(
            self.endpoint.id, f"nothing is served after page {cursor}, and the list goes on.",
            hint="Ask for a shorter time where there is one.",
        )  # fmt: skip

    def _accept_end(self, cursor: str, *, short: bool, said: bool) -> None:
        """Believe that a page was the last one: it came again, or leads nowhere, which the exchange may have said."""
        if said and (short or self.endpoint.paging.kind == "none"):
            return
        may_be = short or said or bool(self._numbered)  # some exchanges answer a number behind the last page with it
        goes_on = self.goes_on() if may_be and self.goes_on is not None else not (short or said)
        if goes_on and said:
            raise EndUnknown(self.endpoint.id, "no further page is named after a full one, and the list goes on.")
        if goes_on:
            which = f"after {cursor}" if cursor else "after the first"
            raise BadResponse(self.endpoint.id, f"the page {which} came twice; the list has no end.")


def _is_number(one: str) -> bool:
    return one.isascii() and one.isdecimal() and len(one) < _MOST_DIGITS
