"""One request and its answer held against it: foreign rows are refused, an empty answer is confirmed.

The exchange answers some requests with nothing although it has rows; a repeated request is answered. This is the one
place where that is dealt with: every verb, every list and the raw namespace send through `Confirming`. Only the
download of candles has rules of its own (`fetching`), and the pages of a list after its first (`paginator`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bgresearch.catalogue import Endpoint
from bgresearch.catalogue.response import printable, rows_of
from bgresearch.errors import BadResponse
from bgresearch.http.sender import Reply, Sender

EMPTY_ANSWERS = 2  # an empty answer about now is believed after so many
EMPTY_ANSWERS_OF_THE_PAST = 3  # one about a time window: what is absent there is never asked for again

_KEYS = ("symbol", "coin", "productType", "category", "marginCoin", "orderId", "language")
_TURNS = ("cursor", "idLessThan", "idGreaterThan", "pageNo", "pageNum")
_SIZES = ("limit", "pageSize")
_NAMED = 3  # foreign values that a message names


class Confirming:
    """A sender that confirms empty answers and refuses answers to another question; safe to share between threads.

    Parameters
    ----------
    sender : Sender
        Talks to the exchange.

    Attributes
    ----------
    plain : Sender
        The same without any of this.
    confirms : bool
        What tells senders that confirm from others.
    """

    confirms = True

    def __init__(self, sender: Sender) -> None:
        self.plain = sender

    @property
    def label(self) -> str | None:
        return self.plain.label

    @property
    def host(self) -> str:
        return self.plain.host

    @property
    def demo(self) -> bool:
        return self.plain.demo

    @property
    def sent(self) -> int:
        return self.plain.sent

    @property
    def fingerprint(self) -> str:
        """The key's fingerprint, "" where the sender knows none."""
        return str(getattr(self.plain, "fingerprint", ""))

    def close(self) -> None:
        """Close the connections of a sender that has any."""
        close = getattr(self.plain, "close", None)
        if close is not None:
            close()

    def send(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        """Return the answer; an empty one to the first page of a list is asked for again before it is believed.

        An empty window of time is asked for a second time with a smaller page: answers were seen that were empty for
        one size alone.

        Raises
        ------
        BadResponse
            The answer is about something else than was asked for, or is empty only for pages of one size.
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
            raise BadResponse(endpoint.id, "the answer is empty, and has rows when a smaller page is asked for.")
        return reply

    def _checked(self, endpoint: Endpoint, params: Mapping[str, object]) -> Reply:
        reply = self.plain.send(endpoint, params)
        refuse_foreign(endpoint, params, reply.data)
        return reply


def confirming(sender: Sender) -> Sender:
    """Return a sender that confirms; the same one if it does already."""
    return sender if getattr(sender, "confirms", False) else Confirming(sender)


def plain(sender: Sender) -> Sender:
    """Return the sender beneath: for candles, whose absence is believed by other rules."""
    return sender.plain if isinstance(sender, Confirming) else sender


def is_empty(endpoint: Endpoint, data: Any) -> bool:
    """Return whether an answer holds no rows; an object made of lists alone, as an order book, when all are empty."""
    if not rows_of(endpoint, data):
        return True
    if not isinstance(data, dict) or endpoint.rows_at:
        return False
    lists = [data.get(column.name) for column in endpoint.columns if column.kind == "list" and column.path in data]
    return bool(lists) and all(value in ([], None, "") for value in lists)


def refuse_foreign(endpoint: Endpoint, params: Mapping[str, object], data: Any) -> None:
    """Raise if an answer names another symbol, coin, market, order or language than the request.

    Raises
    ------
    BadResponse
        Some of its rows do; the message names what came instead.
    """
    asked = {name: _spelled(params[name]) for name in _KEYS if params.get(name) not in (None, "")}
    if not asked:
        return
    rows = [row for row in [data, *rows_of(endpoint, data)] if isinstance(row, dict)]
    for name, wanted in asked.items():
        told = {str(row[name]): None for row in rows if isinstance(row.get(name), str) and row[name]}
        foreign = [value for value in told if not _spelled(value) <= wanted]
        if foreign:
            more = f" and {len(foreign) - _NAMED} more" if len(foreign) > _NAMED else ""
            raise BadResponse(
                endpoint.id, f"asked for {name} {printable(str(params[name]))}, the answer is about "
                f"{', '.join(map(printable, foreign[:_NAMED]))}{more}.", hint="Nothing of it was used; ask again.",
            )  # fmt: skip


def _spelled(value: object) -> frozenset[str]:
    """Return what a value names, in whatever case; several may be named at once, with commas between them."""
    return frozenset(part.strip().casefold() for part in str(value).split(","))


def _continues(params: Mapping[str, object]) -> bool:
    """Return whether a request is for a later page of a list, which may well be empty."""
    return any(str(params.get(name) or "1") != "1" for name in _TURNS)


def _smaller(endpoint: Endpoint, params: Mapping[str, object]) -> Mapping[str, object] | None:
    """Return the same request for a page half as large; None where a page has no size, or its sizes are listed."""
    for name in _SIZES:
        param, asked = endpoint.param(name), str(params.get(name) or "")
        if param is not None and not param.enum and asked.isdecimal() and int(asked) > 1:
            return {**params, name: str(int(asked) // 2)}
    return None
