"""Checks a response against its request: foreign rows are refused, an empty response is confirmed.

The exchange sometimes returns no rows although it has some; a repeated request then succeeds. This is handled only
here: every verb, every list and the raw namespace send through `Confirming`. Exceptions are the download of candles
(`market.candles.page_fetcher`) and the later pages of a list (`http.pagination.paginator`), with rules of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgresearch.catalogue import Endpoint
from bgresearch.catalogue.response import printable, rows_of
from bgresearch.errors import BadResponse
from bgresearch.http.sender import Reply, Sender

EMPTY_ANSWERS = 2  # an empty response on current data is accepted after this many
EMPTY_ANSWERS_OF_THE_PAST = 3  # the same for a time window: what is absent there is never requested again

_KEYS = ("symbol", "coin", "productType", "category", "marginCoin", "orderId", "language")
_PAGE_PARAMETERS = ("cursor", "idLessThan", "idGreaterThan", "pageNo", "pageNum")
_SIZES = ("limit", "pageSize")
_NAMED = 3  # number of foreign values named in a message


class Confirming:
    """A sender that confirms empty responses and refuses mismatched ones; safe to share between threads.

    Parameters
    ----------
    sender : Sender
        Talks to the exchange.

    Attributes
    ----------
    plain : Sender
        The wrapped sender, without these checks.
    confirms : bool
        Marks senders that confirm.
    """

    confirms = True

    def __init__(self, sender: Sender) -> None:
        self.plain = sender
        self.label, self.host, self.demo = sender.label, sender.host, sender.demo

    @property
    def sent(self) -> int:
        return self.plain.sent

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, "" if the sender has none."""
        return str(getattr(self.plain, "fingerprint", ""))

    def close(self) -> None:
        """Close the connections of a sender that has any."""
        close = getattr(self.plain, "close", None)
        if close is not None:
            close()

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        """Return the response; an empty first page is requested again before it is accepted.

        An empty time window is requested again with a smaller page: responses were seen that were empty for one
        page size only.

        Raises
        ------
        BadResponse
            The response does not match the request, or is empty only for one page size.
        """
        reply = self._checked(endpoint, params)
        if not is_empty(endpoint, reply.data) or _continues(params):
            return reply
        past = "endTime" in params
        left = (EMPTY_ANSWERS_OF_THE_PAST if past else EMPTY_ANSWERS) - 1
        smaller = _smaller(endpoint, params) if past else None
        has_rows = smaller is not None and not is_empty(endpoint, self._checked(endpoint, smaller).data)
        for _ in range(left if smaller is None or has_rows else left - 1):
            reply = self._checked(endpoint, params)
            if not is_empty(endpoint, reply.data):
                return reply
        if has_rows:
            raise BadResponse(endpoint.id, "the response is empty, but has rows when a smaller page is requested.")
        return reply

    def _checked(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        reply = self.plain.send(endpoint, params)
        refuse_foreign(endpoint, params, reply.data)
        return reply


def confirming(sender: Sender) -> Sender:
    """Return a sender that confirms; the same one if it already does."""
    return sender if getattr(sender, "confirms", False) else Confirming(sender)


def plain(sender: Sender) -> Sender:
    """Return the wrapped sender: for candles, which have their own rules for absent rows."""
    return sender.plain if isinstance(sender, Confirming) else sender


def is_empty(endpoint: Endpoint, data: Any) -> bool:
    """Return whether a response has no rows; for an object of lists, such as an order book, whether all are empty."""
    if not rows_of(endpoint, data):
        return True
    if not isinstance(data, dict) or endpoint.rows_at:
        return False
    lists = [data.get(column.name) for column in endpoint.columns if column.kind == "list" and column.path in data]
    return bool(lists) and all(value in ([], None, "") for value in lists)


def refuse_foreign(endpoint: Endpoint, params: Mapping[str, object], data: Any) -> None:
    """Raise if a response names another symbol, coin, market, order or language than the request.

    Raises
    ------
    BadResponse
        Some of its rows do; the message names what was received instead.
    """
    asked = {name: _spelled(params[name]) for name in _KEYS if params.get(name) not in (None, "")}
    if not asked:
        return
    rows = [row for row in [data, *rows_of(endpoint, data)] if isinstance(row, dict)]
    for name, wanted in asked.items():
        named_values = {str(row[name]): None for row in rows if isinstance(row.get(name), str) and row[name]}
        foreign = [value for value in named_values if not _spelled(value) <= wanted]
        if foreign:
            more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
            raise BadResponse(
                endpoint.id, f"asked for {name} {printable(str(params[name]))}, the response is about "
                f"{', '.join(map(printable, foreign[:_NAMED]))}{more}.", hint="None of it was used; try again.",
            )  # fmt: skip


def _spelled(value: object) -> frozenset[str]:
    """Return the names in a value, ignoring case; several are separated by commas."""
    return frozenset(part.strip().casefold() for part in str(value).split(","))


def _continues(params: Mapping[str, object]) -> bool:
    """Return whether a request is for a later page of a list, which may be empty."""
    return any(str(params.get(name) or "1") != "1" for name in _PAGE_PARAMETERS)


def _smaller(endpoint: Endpoint, params: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the same request with half the page size; None if there is no page size, or only listed ones."""
    for name in _SIZES:
        param, asked = endpoint.param(name), str(params.get(name) or "")
        if param is not None and not param.enum and asked.isdecimal() and int(asked) > 1:
            return {**params, name: str(int(asked) // 2)}
    return None
