"""Snapshot-only endpoints that can be recorded: how each is requested and parsed. Stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from bgresearch.catalogue import Endpoint, load
from bgresearch.catalogue.answer_row import AnswerRow, Problems
from bgresearch.catalogue.response import rows_of
from bgresearch.core.intervals import MINUTE_MS
from bgresearch.core.symbols import FUTURES, MARKETS, category, product
from bgresearch.errors import BadResponse, InvalidInput
from bgresearch.http.sender import Reply, Sender
from bgresearch.schemas import Row, Shape, fields
from bgresearch.store.layout import LIVE_BOOKS

DEPTH = 20  # levels of each side of an order book; 200 is the most (uta/public/OrderBook)
LIVE_BOOK_EVERY, LIVE_BOOK_LEVELS = "1s", 50  # of a recorded stream of order books
_ROWS = "rows of the answer"
_PERIOD = "5m"  # the shortest one of the ratios (common/apidata/Long-Short)
_EVERY = """
    time time the instant it was recorded for: a multiple of the length between two
    told time the exchange's own time of the value, where it sends one
    asked time when the response was received
"""

Ask = Callable[[Endpoint, AnswerRow], list[Row]]


@dataclass(frozen=True)
class Recordable:
    """One series that can be recorded.

    Attributes
    ----------
    name : str
        ``open-interest``.
    title : str
        In words, for messages.
    markets : tuple of str
        Where it exists; the first one is the default.
    shape : Shape
        The columns.
    endpoint : str
        Id of the table row.
    params : callable
        Symbol and market to the parameters of one request.
    rows : callable
        Row of the table and ``data`` to the rows of one instant, without ``time`` and ``asked``.
    unique : tuple of str
        The columns that distinguish rows of one instant.
    least_ms : int
        The shortest length between two.
    """

    name: str
    title: str
    markets: tuple[str, ...]
    shape: Shape
    endpoint: str
    params: Callable[[str, str], Mapping[str, str]]
    rows: Ask
    unique: tuple[str, ...] = ()
    least_ms: int = 1_000

    def ask(self, sender: Sender, symbol: str, market: str, time_ms: int) -> tuple[pa.Table, int]:
        """Return the present snapshot as rows of the instant ``time_ms``, and when the response was received.

        Raises
        ------
        BadResponse
            The response is empty or malformed.
        """
        row = load()[self.endpoint]
        reply = sender.send(row, self.params(symbol, market))
        return self.shape.table(self._parsed(row, reply, time_ms)), reply.received_ms

    def _parsed(self, row: Endpoint, reply: Reply, time_ms: int) -> list[Row]:
        problems = Problems(row.id, money=True)  # a recorded snapshot cannot be requested again
        rows = self.rows(row, AnswerRow(around_rows(row, reply.data), problems, "the answer"))
        if not rows:
            raise BadResponse(row.id, f"{self.title}: the answer is empty.")
        problems.warn()
        return [{"time": time_ms, "asked": reply.received_ms, **one} for one in rows]

    def market(self, name: str | None) -> str:
        """Return the market of that name, the first one without a name.

        Raises
        ------
        InvalidInput
            If it does not exist there.
        """
        if name is not None and name not in self.markets:
            hint = f"Use one of {', '.join(self.markets)}."
            raise InvalidInput("market", f"{name!r} has no {self.title}.", hint=hint)
        return name or self.markets[0]


def recordable(name: str) -> Recordable:
    """Return what can be recorded under that name.

    Raises
    ------
    InvalidInput
        If nothing can.
    """
    try:
        return RECORDABLE[name]
    except (KeyError, TypeError):
        raise InvalidInput("kind", f"{name!r} is unknown.", hint=f"Use one of {', '.join(RECORDABLE)}.") from None


def around_rows(row: Endpoint, data: Any) -> dict[str, Any]:
    """Return a response as an object with its rows under one name, whether or not they were nested in an object."""
    return (data if isinstance(data, dict) else {}) | {_ROWS: rows_of(row, data)}


def _open_interest(_row: Endpoint, answer: AnswerRow) -> list[Row]:
    return [
        {"told": answer.time("ts"), "open_interest": one.number("size", needed=True)}
        for one in answer.nested(_ROWS)[:1]
    ]


def _funding_rate(_row: Endpoint, answer: AnswerRow) -> list[Row]:
    return [
        {
            "rate": one.number("fundingRate", needed=True), "interval_hours": one.number("fundingRateInterval"),
            "next_funding": one.time("nextUpdate"), "least": one.number("minFundingRate"),
            "most": one.number("maxFundingRate"),
        }
        for one in answer.nested(_ROWS)[:1]
    ]  # fmt: skip


def _newest(columns: Mapping[str, str]) -> Ask:
    """Return how the newest row of a short series is read."""

    def read(_row: Endpoint, answer: AnswerRow) -> list[Row]:
        timed = [(one.time("ts", needed=True) or 0, one) for one in answer.nested(_ROWS)]
        newest = max(timed, key=lambda pair: pair[0], default=None)
        if newest is None:
            return []
        values = {ours: newest[1].number(theirs, needed=True) for ours, theirs in columns.items()}
        return [{"told": newest[0], **values}]

    return read


def _order_book(first: int, _row: Endpoint, answer: AnswerRow) -> list[Row]:
    return [
        {"told": answer.time("ts"), "side": side, "level": place, "price": level.number("price", needed=True),
         "amount": level.number("amount", needed=True)}
        for side, key in (("ask", "a"), ("bid", "b"))
        for place, level in enumerate(answer.lists(key, "price", "amount")[:DEPTH], start=first)
    ]  # fmt: skip


def _shape(columns: str, endpoint: str) -> Shape:
    return Shape("recorded", fields(_EVERY + columns), (endpoint,), index="time")


def _of_futures(symbol: str, market: str) -> dict[str, str]:
    return {"symbol": symbol, **product(market)}


def _ratio(symbol: str, _market: str) -> dict[str, str]:
    return {"symbol": symbol, "period": _PERIOD}


def _book(symbol: str, market: str) -> dict[str, str]:
    return {"symbol": symbol, **category(market), "limit": str(DEPTH)}


def _ratios(name: str, title: str, endpoint: str, word: str) -> Recordable:
    columns = "long number share of all\nshort number share of all\nratio number long divided by short"
    theirs = {"long": f"long{word}Ratio", "short": f"short{word}Ratio", "ratio": f"longShort{word}Ratio"}
    return Recordable(
        name, title, FUTURES[:1], _shape(columns, endpoint), endpoint, _ratio, _newest(theirs), least_ms=MINUTE_MS
    )


RECORDABLE = {
    one.name: one
    for one in (
        Recordable(
            "open-interest", "open interest", FUTURES,
            _shape("open_interest number base coin", "futures.open_interest"), "futures.open_interest",
            _of_futures, _open_interest,
        ),
        Recordable(
            "funding-rate", "current funding rates", FUTURES,
            _shape(
                "rate number per interval\ninterval_hours number hours\nnext_funding time when it is settled next\n"
                "least number lowest rate possible\nmost number highest rate possible", "futures.current_fund_rate",
            ),
            "futures.current_fund_rate", _of_futures, _funding_rate,
        ),
        _ratios("long-short", "long and short shares", "data.futures_long_short", ""),
        _ratios("account-long-short", "accounts long and short", "data.futures_account_long_short", "Account"),
        _ratios("position-long-short", "positions long and short", "data.futures_position_long_short", "Position"),
        Recordable(
            "taker-volume", "taker volumes", FUTURES[:1],
            _shape("buy_volume number bought by takers\nsell_volume number sold by takers",
                   "data.futures_taker_buy_sell"),
            "data.futures_taker_buy_sell", _ratio,
            _newest({"buy_volume": "buyVolume", "sell_volume": "sellVolume"}), least_ms=MINUTE_MS,
        ),
        Recordable(
            "order-book", "order books", MARKETS,
            _shape(
                "side category ask or bid\nlevel count 0 is the best\nprice number quote coin\n"
                "amount number base coin", "uta.orderbook",
            ),
            "uta.orderbook", _book, partial(_order_book, 0), unique=("side", "level"), least_ms=10_000,
        ),
        Recordable(
            LIVE_BOOKS, "live order books", MARKETS,
            _shape(
                "side category ask or bid\nlevel count 1 is the best\nprice number quote coin\n"
                "amount number base coin", "uta.orderbook",
            ),
            "uta.orderbook", _book, partial(_order_book, 1), unique=("side", "level"), least_ms=10_000,
        ),
    )
}  # fmt: skip
"""Everything that can be recorded, by name."""
