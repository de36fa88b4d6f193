"""What everything costs now: tickers, order books, mark and index prices, open interest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from bgresearch.answers import rows_from, shaped
from bgresearch.catalogue import load
from bgresearch.errors import BadResponse
from bgresearch.symbols import Named
from bgresearch.tables import Row, Shape, fields, instant, number
from bgresearch.wire import Sender

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
    return shaped(TICKERS, row_id, partial(_ticker, market), rows_from(sender, row_id, params))


def prices(sender: Sender, market: str, symbol: str | None) -> list[Row]:
    """Return last, mark and index prices of a market, or of one symbol."""
    if market == "spot" or symbol is None:
        names = [field.name for field in PRICES.fields]
        return [{name: row.get(name) for name in names} for row in tickers(sender, market, symbol)]
    answer = rows_from(sender, "futures.symbol_price", {"symbol": symbol, "productType": market.upper()})
    return shaped(PRICES, "futures.symbol_price", partial(_prices, market), answer)


def order_book(sender: Sender, named: Named, levels: int) -> tuple[list[Row], int | None]:
    """Return the levels of an order book, best first, and when it was so."""
    endpoint = load()["uta.orderbook"]
    params = {"category": named.market.upper(), "symbol": named.symbol, "limit": str(levels)}
    data = sender.send(endpoint, params).data
    try:
        rows = [
            {"side": side, "level": place, "price": number(level[0]), "amount": number(level[1])}
            for side, key in (("bid", "b"), ("ask", "a"))
            for place, level in enumerate(data[key], start=1)
        ]
        return rows, instant(data.get("ts"))
    except (KeyError, ValueError, TypeError, IndexError, AttributeError):
        raise BadResponse(endpoint.id, "an order book lacks a side or holds something else than numbers.") from None


def open_interest(sender: Sender, market: str, symbol: str | None) -> list[Row]:
    """Return how much is held open: of one contract, or of all in one request."""
    if symbol is None:
        row_id, params, key = "uta.open_interest", {"category": market.upper()}, "openInterest"
    else:
        row_id, params, key = "futures.open_interest", {"symbol": symbol, "productType": market.upper()}, "size"
    endpoint = load()[row_id]
    data = sender.send(endpoint, params).data
    try:
        time = instant(data.get("ts"))
        return [
            {"symbol": str(row["symbol"]), "market": market, "time": time, "open_interest": number(row[key])}
            for row in data[endpoint.rows_at] or []
        ]
    except (KeyError, ValueError, TypeError, AttributeError):
        raise BadResponse(row_id, "open interest lacks a field or holds something else than numbers.") from None


def _ticker(market: str, row: Mapping[str, Any]) -> Row:
    return {
        "symbol": str(row["symbol"]), "market": market, "time": instant(row.get("ts")), "last": number(row["lastPr"]),
        "bid": number(row.get("bidPr")), "bid_size": number(row.get("bidSz")), "ask": number(row.get("askPr")),
        "ask_size": number(row.get("askSz")), "open_24h": number(row.get("open24h", row.get("open"))),
        "high_24h": number(row.get("high24h")), "low_24h": number(row.get("low24h")),
        "change_24h": number(row.get("change24h")), "volume_24h": number(row.get("baseVolume")),
        "quote_volume_24h": number(row.get("quoteVolume")), "mark": number(row.get("markPrice")),
        "index": number(row.get("indexPrice")), "funding_rate": number(row.get("fundingRate")),
        "open_interest": number(row.get("holdingAmount")),
    }  # fmt: skip


def _prices(market: str, row: Mapping[str, Any]) -> Row:
    return {
        "symbol": str(row["symbol"]), "market": market, "time": instant(row.get("ts")), "last": number(row["price"]),
        "mark": number(row.get("markPrice")), "index": number(row.get("indexPrice")),
    }  # fmt: skip
