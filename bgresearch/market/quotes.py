"""Present prices: tickers, order books, mark and index prices, open interest."""

from __future__ import annotations

from functools import partial
from math import isnan

from bgresearch.catalogue import load
from bgresearch.catalogue.answer_row import AnswerRow, read_rows
from bgresearch.core.symbols import Named
from bgresearch.errors import BadResponse
from bgresearch.http.rows import around, rows_from, shaped
from bgresearch.http.sender import Sender
from bgresearch.schemas import Row, Shape, fields

TICKERS = Shape(
    "tickers",
    fields("""
        symbol text as the exchange spells it
        market category spot or one of the futures markets
        time time when it was so
        last number quote coin, price of the last trade
        bid number quote coin
        bid_size number base coin
        ask number quote coin
        ask_size number base coin
        open_24h number quote coin, 24 hours ago
        high_24h number quote coin
        low_24h number quote coin
        change_24h number ratio, rolling
        volume_24h number base coin
        quote_volume_24h number quote coin
        mark number quote coin, futures
        index number quote coin, futures
        funding_rate number ratio for the running interval, futures
        open_interest number base coin, futures
    """),
    ("spot.tickers", "futures.tickers", "futures.ticker"),
)
ORDER_BOOK = Shape(
    "order_book",
    fields("""
        side category bid or ask
        level count 1 is the best
        price number quote coin
        amount number base coin
    """),
    ("uta.orderbook",),
)
PRICES = Shape(
    "prices",
    fields("""
        symbol text as the exchange spells it
        market category spot or one of the futures markets
        time time when it was so
        last number quote coin, price of the last trade
        mark number quote coin, what positions are valued at; futures
        index number quote coin, average of other exchanges; futures
    """),
    ("futures.symbol_price", "futures.tickers", "spot.tickers"),
)
OPEN_INTEREST = Shape(
    "open_interest",
    fields("""
        symbol text as the exchange spells it
        market category futures market
        time time when it was so
        open_interest number base coin
    """),
    ("futures.open_interest", "uta.open_interest"),
)


def tickers(sender: Sender, market: str, symbol: str | None) -> list[Row]:
    """Return the tickers of a market, or one."""
    row_id, params = "spot.tickers", {} if symbol is None else {"symbol": symbol}
    if market != "spot":
        row_id = "futures.tickers" if symbol is None else "futures.ticker"
        params |= {"productType": market.upper()}
    return shaped(row_id, partial(_ticker, market), rows_from(sender, row_id, params))


def prices(sender: Sender, market: str, symbol: str | None) -> list[Row]:
    """Return last, mark and index prices of a market, or of one symbol."""
    if market == "spot" or symbol is None:
        names = [field.name for field in PRICES.fields]
        return [{name: row.get(name) for name in names} for row in tickers(sender, market, symbol)]
    answer = rows_from(sender, "futures.symbol_price", {"symbol": symbol, "productType": market.upper()})
    return shaped("futures.symbol_price", partial(_prices, market), answer)


def order_book(sender: Sender, named: Named, levels: int) -> tuple[list[Row], int | None]:
    """Return the levels of an order book, best first, and its time."""
    params = {"category": named.market.upper(), "symbol": named.symbol, "limit": str(levels)}
    book = around(sender, "uta.orderbook", params)
    rows: list[Row] = []
    for side, key, upwards in (("bid", "b", False), ("ask", "a", True)):
        read = [
            {"side": side, "price": level.number("price", needed=True), "amount": level.number("amount", needed=True)}
            for level in book.lists(key, "price", "amount")
        ]  # fmt: skip
        rows += [{**level, "level": place} for place, level in enumerate(_best_first(read, upwards=upwards), start=1)]
    time = book.time("ts")
    book.problems.warn()
    return rows, time


def _best_first(levels: list[Row], *, upwards: bool) -> list[Row]:
    """Return levels in the order of their prices; if a price cannot be read, as they came."""
    prices = [level["price"] for level in levels]
    if any(price is None or isnan(price) for price in prices):
        return levels
    return sorted(levels, key=lambda level: float(level["price"]), reverse=not upwards)


def open_interest(sender: Sender, market: str, symbol: str | None) -> list[Row]:
    """Return the open interest of one contract, or of all in one request."""
    if symbol is None:
        row_id, params, key = "uta.open_interest", {"category": market.upper()}, "openInterest"
    else:
        row_id, params, key = "futures.open_interest", {"symbol": symbol, "productType": market.upper()}, "size"
    answer = around(sender, row_id, params)
    rows_at = load()[row_id].rows_at
    if rows_at not in answer:
        raise BadResponse(row_id, f"{rows_at} is missing in the answer.")
    rows = answer.nested(rows_at)
    time = answer.time("ts", needed=bool(rows))

    def row_of(row: AnswerRow) -> Row:
        amount = row.number(key, needed=True)
        return {"symbol": row.key("symbol"), "market": market, "time": time, "open_interest": amount}

    return read_rows(row_of, rows, answer.problems)


def _ticker(market: str, row: AnswerRow) -> Row:
    return {
        "symbol": row.key("symbol"), "market": market, "time": row.time("ts"),
        "last": row.number("lastPr", needed=True),
        "bid": row.number("bidPr"), "bid_size": row.number("bidSz"), "ask": row.number("askPr"),
        "ask_size": row.number("askSz"), "open_24h": row.number("open24h", "open"),
        "high_24h": row.number("high24h"), "low_24h": row.number("low24h"),
        "change_24h": row.number("change24h"), "volume_24h": row.number("baseVolume"),
        "quote_volume_24h": row.number("quoteVolume"), "mark": row.number("markPrice"),
        "index": row.number("indexPrice"), "funding_rate": row.number("fundingRate"),
        "open_interest": row.number("holdingAmount"),
    }  # fmt: skip


def _prices(market: str, row: AnswerRow) -> Row:
    return {
        "symbol": row.key("symbol"), "market": market, "time": row.time("ts"), "last": row.number("price", needed=True),
        "mark": row.number("markPrice"), "index": row.number("indexPrice"),
    }  # fmt: skip
