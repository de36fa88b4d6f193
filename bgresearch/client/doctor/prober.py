"""Asks through the ordinary sender and its rate limits, and never more than so many requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bgresearch.catalogue import load
from bgresearch.catalogue.response import rows_of
from bgresearch.core.clock import Clock
from bgresearch.errors import BadResponse, BgresearchError, ExchangeError, NetworkError
from bgresearch.frames import candle_table
from bgresearch.http.confirming_sender import plain
from bgresearch.http.sender import ATTEMPTS, Reply, Sender

MOST = 80
"""Requests of one examination, repeated ones and those for files included."""

_PATIENCE = 3  # requests in a row without an answer, after which nothing more is asked


class CouldNotAsk(BgresearchError):
    """A question was not asked, or its answer says nothing about the assumption."""


class Prober:
    """Asks single questions; counts what they cost.

    Parameters
    ----------
    sender : Sender
        Talks to the exchange.
    clock : Clock
        What time it is.
    sent : callable
        Returns how many requests left so far, those for files included.

    Attributes
    ----------
    remaining : list of (str, int, int or None)
        Of every answer: its row, the row's limit, and how many calls are left by the exchange's own count.
    """

    def __init__(self, sender: Sender, clock: Clock, sent: Callable[[], int]) -> None:
        self.clock = clock
        self.remaining: list[tuple[str, int, int | None]] = []
        self._sender, self._sent, self._before, self._unanswered = plain(sender), sent, sent(), 0

    @property
    def asked(self) -> int:
        """Requests sent so far."""
        return self._sent() - self._before

    def check_budget(self) -> None:
        """Raise `CouldNotAsk` if the next question may be one too many, or nothing answers."""
        self.check_answered()
        if self.asked > MOST - ATTEMPTS:
            raise CouldNotAsk(f"{MOST} requests are used up.")

    def check_answered(self) -> None:
        """Raise `CouldNotAsk` if nothing answered for a while."""
        if self._unanswered >= _PATIENCE:
            raise CouldNotAsk("the exchange did not answer.")

    def reply(self, row_id: str, **params: object) -> Reply:
        """Return one answer.

        Raises
        ------
        CouldNotAsk
            The budget is used up, or nothing answers.
        BgresearchError
            As the sender.
        """
        self.check_budget()
        endpoint = load()[row_id]
        try:
            reply = self._sender.send(endpoint, params)
        except NetworkError:
            self._unanswered += 1
            raise
        except ExchangeError:
            self._unanswered = 0
            raise
        self._unanswered = 0
        self.remaining.append((row_id, endpoint.limit.count, reply.remaining))
        return reply

    def rows(self, row_id: str, **params: object) -> list[Any]:
        """Return the rows of one answer."""
        reply = self.reply(row_id, **params)
        return rows_of(reply.endpoint, reply.data)

    def candles(self, row_id: str, **params: object) -> pa.Table:
        """Return candles as they came, in their order."""
        return candle_table(load()[row_id], self.rows(row_id, **params))

    def opens(self, row_id: str, **params: object) -> list[int]:
        """Return when candles open, in their order."""
        return opens_of(self.candles(row_id, **params))


def opens_of(candles: pa.Table) -> list[int]:
    """Return when candles open, in their order; those without a time are left out."""
    times: npt.NDArray[np.int64] = candles.column("open_time").drop_null().cast(pa.int64()).to_numpy()
    return [int(time) for time in times]


def texts_of(rows: list[Any], name: str, row_id: str) -> list[str]:
    """Return one field of every row.

    Raises
    ------
    BadResponse
        A row is no object, or lacks it.
    """
    if not all(isinstance(row, dict) and name in row for row in rows):
        raise BadResponse(row_id, f"a row has no {name}.")
    return [str(row[name]) for row in rows]


def numbers_of(rows: list[Any], name: str, row_id: str) -> list[int]:
    """Return one field of every row as whole numbers.

    Raises
    ------
    BadResponse
        A row is no object, or the field is no whole number.
    """
    texts = texts_of(rows, name, row_id)
    if not all(text.isascii() and text.isdecimal() and len(text) < 20 for text in texts):
        raise BadResponse(row_id, f"{name} is not a whole number.")
    return [int(text) for text in texts]
