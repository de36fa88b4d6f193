"""What is assumed of lists: fields, symbols, funding rates, trades, order books, and the header that counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bgresearch.catalogue import Endpoint, load
from bgresearch.catalogue.assumptions import (
    BOOK_SORTED,
    FIELDS,
    FUNDING_PAGES,
    FUNDING_ROWS,
    REMAINING_HEADER,
    TRADE_ID_CLOCK,
    TRADES_CURSOR,
    TRADES_DAYS,
    TRADES_NEWEST_FIRST,
    TRADES_ROWS,
    UNKNOWN_REFUSED,
    WHOLE_LISTS,
)
from bgresearch.catalogue.response import printable, rows_of
from bgresearch.catalogue.value_types import is_blank, read_value
from bgresearch.client.doctor.about_candles import SYMBOL, fixed
from bgresearch.client.doctor.findings import Observation, judged
from bgresearch.client.doctor.prober import CouldNotAsk, Prober, numbers_of, texts_of
from bgresearch.core.intervals import DAY_MS, HOUR_MS
from bgresearch.core.spans import iso
from bgresearch.errors import BadResponse, BgresearchError, ExchangeError, ExchangeUnavailable, RateLimited
from bgresearch.http.sender import Reply
from bgresearch.market.listings import FEW_LATE

_PRODUCT = {"productType": "USDT-FUTURES"}
_CONTRACT = {"symbol": SYMBOL, **_PRODUCT}
_CATEGORY = {"category": "USDT-FUTURES"}
_ASKED: Mapping[str, Mapping[str, str]] = {
    "spot.symbols": {}, "spot.tickers": {}, "spot.coins": {"coin": "BTC"}, "spot.orderbook": {"symbol": SYMBOL},
    "spot.fills": {"symbol": SYMBOL, "limit": "10"}, "futures.contracts": _PRODUCT, "futures.tickers": _PRODUCT,
    "futures.current_fund_rate": _CONTRACT, "futures.open_interest": _CONTRACT,
    "futures.fills": {**_CONTRACT, "limit": "10"},
    "futures.history_fund_rate": {**_CONTRACT, "pageSize": "100", "pageNo": "1"}, "uta.instruments": _CATEGORY,
    "uta.tickers": _CATEGORY, "uta.orderbook": {**_CATEGORY, "symbol": SYMBOL},
}  # fmt: skip
_LONGEST_PAUSE_MS = 12 * HOUR_MS  # between two settlements of funding
_SHARES = (2, 3, 6)  # of a look-back that does not answer, what to try instead
_MOST_NAMED = 5


class Answers:
    """The answers of the rows whose fields are compared, each asked once."""

    def __init__(self, prober: Prober) -> None:
        self._prober = prober
        self._known: dict[tuple[str, ...], Reply] = {}

    def reply(self, row_id: str, **params: str) -> Reply:
        """Return the answer to a question that may have been asked already."""
        key = (row_id, *sorted(params.values()))
        if key not in self._known:
            self._known[key] = self._prober.reply(row_id, **params)
        return self._known[key]

    def rows(self, row_id: str, **params: str) -> list[Any]:
        """Return its rows."""
        reply = self.reply(row_id, **params)
        return rows_of(reply.endpoint, reply.data)


def fields(answers: Answers) -> Iterator[Observation]:
    """Compare the fields of some rows with the table."""
    wrong: list[str] = []
    compared, refused = 0, []
    for row_id in FIELDS.value:
        try:
            reply = answers.reply(row_id, **_ASKED[row_id])
        except CouldNotAsk:
            raise
        except BgresearchError as error:
            refused.append(f"{row_id} ({type(error).__name__})")
            continue
        rows = rows_of(reply.endpoint, reply.data)
        compared += any(isinstance(row, dict) for row in rows)
        wrong += field_changes(reply.endpoint, rows)
    if not compared:
        raise CouldNotAsk("no list was answered.")
    without = f"; not answered: {', '.join(refused)}" if refused else ""
    yield judged(FIELDS.name, wrong, f"{compared} rows have the fields of the table{without}.")


def field_changes(endpoint: Endpoint, rows: Sequence[Any]) -> list[str]:
    """Return what is new, missing, or of another type in the rows of an answer, compared with the table."""
    objects = [row for row in rows if isinstance(row, dict)]
    if not objects:
        return []
    prefix = f"{endpoint.rows_at}." if endpoint.rows_at else ""
    inside = [column for column in endpoint.columns if column.path.startswith(prefix)]
    known = {column.name: column for column in inside if column.path == f"{prefix}{column.name}"}
    seen = {name: value for row in objects for name, value in row.items() if not is_blank(value)}
    names = {name for row in objects for name in row}
    new = sorted(names - known.keys() - {endpoint.rows_at})
    missing = sorted(name for name, column in known.items() if name not in names and not column.deprecated)
    other = sorted(name for name in known.keys() & seen.keys() if _is_other_type(known[name].kind, seen[name]))
    found = (("new", new), ("missing", missing), ("of another type", other))
    return [f"{endpoint.id}: {what} {', '.join(map(printable, some[:_MOST_NAMED]))}" for what, some in found if some]


def _is_other_type(kind: str, value: Any) -> bool:
    """Return whether a value is not of the documented kind, or a number where numbers are sent as text."""
    if kind in ("decimal", "id") and isinstance(value, int | float | Decimal):
        return True
    if kind in ("list", "object", "json", "string", "enum", "id"):
        return kind == "list" and not isinstance(value, list | str)
    return read_value(kind, value) is None and str(value) not in ("0", "-1")


def whole_lists(answers: Answers) -> Iterator[Observation]:
    """Compare the list of symbols of a market with those that have a price."""
    wrong, seen = [], []
    for market in WHOLE_LISTS.value:
        spot = market == "spot"
        listing, quotes = ("spot.symbols", "spot.tickers") if spot else ("futures.contracts", "futures.tickers")
        product = {} if spot else {"productType": market.upper()}
        listed = set(texts_of(answers.rows(listing, **product), "symbol", listing))
        priced = set(texts_of(answers.rows(quotes, **product), "symbol", quotes))
        if not priced:
            raise CouldNotAsk(f"no symbol of {market} has a price.")
        absent = sorted(priced - listed)
        if len(absent) > FEW_LATE + len(priced) // 50:
            wrong.append(f"{len(absent)} of {len(priced)} {market} symbols with a price are not listed")
        seen.append(f"{len(listed)} {market}")
    yield judged(WHOLE_LISTS.name, wrong, f"Listed: {', '.join(seen)}.")


def unknown_symbol(prober: Prober) -> Iterator[Observation]:
    """Ask for a symbol that does not exist."""
    asked = {**fixed("spot.candles", "1h"), "symbol": "NOSUCHCOINUSDT", "limit": "2"}
    try:
        found = len(prober.rows("spot.candles", **asked))
    except (RateLimited, ExchangeUnavailable):
        raise
    except ExchangeError as error:
        yield Observation(UNKNOWN_REFUSED.name, "holds", f"It is refused with {printable(error.code)}.")
        return
    yield Observation(UNKNOWN_REFUSED.name, "differs", f"It is answered with success and {found} rows.")


def funding(answers: Answers) -> Iterator[Observation]:
    """Look at two pages of funding rates: they go on from each other."""
    row_id = "futures.history_fund_rate"
    pages = [
        numbers_of(answers.rows(row_id, **{**_ASKED[row_id], "pageNo": number}), "fundingTime", row_id)
        for number in ("1", "2")
    ]
    if not all(pages):
        raise CouldNotAsk(f"there are not two pages of funding rates of {SYMBOL}.")
    first, second = pages
    wrong = [] if first == sorted(first, reverse=True) else ["page 1 is not newest first"]
    pause_ms = first[-1] - second[0]
    if not 0 < pause_ms <= _LONGEST_PAUSE_MS:
        wrong.append(f"page 1 ends at {iso(first[-1])}, and page 2 begins at {iso(second[0])}")
    yield judged(FUNDING_PAGES.name, wrong, "Page 2 goes on right behind page 1.")
    most = load()[row_id].paging.max_rows or 100
    short = [f"a page has {len(first)} rows of {most}"] if len(first) < most else []
    yield judged(FUNDING_ROWS.name, short, f"A page has {len(first)} rows.", {row_id: len(first)} if short else {})


def past_trades(prober: Prober) -> Iterator[Observation]:
    """Look at a page of past trades and the one behind it."""
    row_id = "spot.fills_history"
    most = load()[row_id].paging.max_rows or 1000
    first = prober.rows(row_id, symbol=SYMBOL, limit=str(most))
    times, ids = numbers_of(first, "ts", row_id), numbers_of(first, "tradeId", row_id)
    if not ids:
        raise CouldNotAsk(f"there are no trades of {SYMBOL}.")
    behind = numbers_of(prober.rows(row_id, symbol=SYMBOL, limit="10", idLessThan=str(min(ids))), "tradeId", row_id)
    order = [] if times == sorted(times, reverse=True) else ["a page is in another order"]
    yield judged(TRADES_NEWEST_FIRST.name, order, f"{len(times)} trades came newest first.")
    short = [f"a page has {len(ids)} rows of {most}, and there are older trades"] if len(ids) < most and behind else []
    yield judged(TRADES_ROWS.name, short, f"A page has {len(ids)} rows.", {row_id: len(ids)} if short else {})
    cursor = [f"{max(behind)} came for ids below {min(ids)}"] if behind and max(behind) >= min(ids) else []
    yield judged(TRADES_CURSOR.name, cursor, "Only older ids came.")
    epoch_ms, bits = TRADE_ID_CLOCK.value
    fitting = sum(0 <= (one >> bits) + epoch_ms - time < 1000 for one, time in zip(ids, times, strict=True))
    wrong = [f"{len(ids) - fitting} of {len(ids)} ids do not fit the time"] if fitting < 0.9 * len(ids) else []
    yield judged(TRADE_ID_CLOCK.name, wrong, f"{fitting} of {len(ids)} ids fit the time.")


def trades_lookback(prober: Prober) -> Iterator[Observation]:
    """Ask for trades near the end of their look-back; where none come, for younger ones."""
    wrong, values = [], {}
    for row_id in TRADES_DAYS.value:
        days = load()[row_id].lookback_days or 90
        if _traded(prober, row_id, days - 1):
            continue
        reached = next((days // share for share in _SHARES if _traded(prober, row_id, days // share - 1)), None)
        if reached is None:
            raise CouldNotAsk(f"{row_id} gave no trades of any age.")
        wrong.append(f"{row_id} has none of {days - 1} days ago, and some of {reached - 1} days ago")
        values[row_id] = reached
    yield judged(TRADES_DAYS.name, wrong, "Trades near the end of the look-back came.", values)


def _traded(prober: Prober, row_id: str, age_days: int) -> bool:
    start_ms = prober.clock.now_ms() - age_days * DAY_MS
    window = {"startTime": str(start_ms), "endTime": str(start_ms + 6 * HOUR_MS), "limit": "10"}
    params = {"symbol": SYMBOL} if row_id.startswith("spot.") else _CONTRACT
    times = numbers_of(prober.rows(row_id, **params, **window), "ts", row_id)
    return any(start_ms - 1000 <= time <= start_ms + 6 * HOUR_MS for time in times)


def book(answers: Answers) -> Iterator[Observation]:
    """Look at the order of the levels of a book."""
    row_id = "uta.orderbook"
    data = answers.reply(row_id, **_ASKED[row_id]).data
    if not isinstance(data, dict):
        raise BadResponse(row_id, "it is no object.")
    wrong = []
    for side, downwards in (("a", False), ("b", True)):
        levels = data.get(side) or []
        prices = [read_value("decimal", level[0]) for level in levels if isinstance(level, list) and level]
        if None in prices or not prices:
            raise BadResponse(row_id, f"{side} has no prices.")
        wrong += [] if prices == sorted(prices, reverse=downwards) else [f"{side} is in another order"]
    yield judged(BOOK_SORTED.name, wrong, "Both sides come best first.")


def remaining(prober: Prober) -> Iterator[Observation]:
    """Look at the header of every answer so far."""
    seen = prober.remaining
    if not seen:
        raise CouldNotAsk("nothing was answered.")
    absent = sorted({row for row, _count, left in seen if left is None})
    above = sorted({f"{row} says {left} of {count}" for row, count, left in seen if left is not None and left >= count})
    wrong = [f"{len(absent)} of {len({row for row, _c, _l in seen})} rows do not say it"] if absent else []
    yield judged(REMAINING_HEADER.name, [*wrong, *above], f"{len(seen)} answers say it.")
