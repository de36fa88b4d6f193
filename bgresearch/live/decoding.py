"""Pushed rows as rows of the REST verb of the same name. Pure.

A value that cannot be read raises `Unreadable`: a live row cannot be asked for again, so the caller names a gap and
fetches what is missing over REST, instead of guessing.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from bgresearch.core.symbols import Named
from bgresearch.schemas import Field, Row, Shape, fields

CANDLES = Shape(
    "candles",
    fields("""
        open_time time when the candle opens
        open number quote coin
        high number quote coin
        low number quote coin
        close number quote coin
        volume number base coin
        quote_volume number quote coin
    """),
    ("spot.candles", "futures.candles"),
    index="open_time",
)
_MOST_DIGITS = 40

_log = logging.getLogger(__name__)


class Unreadable(ValueError):
    """A frame or a row that is not what the exchange documents."""


def live_shape(shape: Shape) -> Shape:
    """Return the columns of a REST verb with ``symbol`` (where it has none) and ``received_at`` after them."""
    names = {column.name for column in shape.fields}
    symbol = Field("symbol", "text", "as the exchange spells it")
    received = Field("received_at", "time", "when this machine received it")
    more = tuple(column for column in (symbol, received) if column.name not in names)
    return Shape(shape.verb, (*shape.fields, *more), shape.sources, shape.index)


def parsed(text: str | bytes) -> Any:
    """Return the JSON value of a frame; whole numbers of any size, fractions exact.

    Raises
    ------
    Unreadable
        It is not JSON.
    """
    try:
        whole_text = text if isinstance(text, str) else text.decode()
        if whole_text[:1] == "{" and (found := _JSON.raw_decode(whole_text))[1] == len(whole_text):
            return found[0]  # nearly always, and faster
        return _JSON.decode(whole_text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"a frame is not JSON: {error}") from None


_TRADE_V2 = ("ts", "price", "size", "side", "tradeId")


def trade_v2(row: Any, _named: Named) -> Row:
    """Return a trade; the first version of the protocol sent lists without an id."""
    if isinstance(row, list):
        time, price, size, side, *_ = (*row, None, None, None, None)
        row = {"ts": time, "price": price, "size": size, "side": side, "tradeId": "none"}
        return {**_trade(row, _TRADE_V2), "trade_id": None}
    return _trade(_object(row), _TRADE_V2)


def trade_v3(row: Any, _named: Named) -> Row:
    """Return a trade of the unified version."""
    return _trade(_object(row), ("T", "p", "v", "S", "i"))


def _trade(row: Mapping[str, Any], names: tuple[str, str, str, str, str]) -> Row:
    time, price, size, side, key = names
    if (identity := row.get(key)) in (None, ""):
        raise Unreadable("a trade has no id")
    return {
        "time": milliseconds(row.get(time)), "trade_id": str(identity),
        "side": _side(row.get(side)), "price": number(row.get(price)), "amount": number(row.get(size)),
    }  # fmt: skip


def _side(value: Any) -> str:
    word = str(value).lower()
    if word not in ("buy", "sell"):
        raise Unreadable(f"a side is {word[:20]!r}")
    return word


def bar_v2(row: Any, _named: Named) -> Row:
    """Return a candle: a list of open time, four prices, volume in base and (not in the first version) quote coin."""
    if not isinstance(row, list) or len(row) < 6:
        raise Unreadable("a candle is no list of at least six values")
    quote = number(row[6]) if len(row) > 6 else math.nan
    names = ("open", "high", "low", "close", "volume")
    prices = {name: number(value) for name, value in zip(names, row[1:6], strict=True)}
    return {"open_time": milliseconds(row[0]), **prices, "quote_volume": quote}


def bar_v3(row: Any, _named: Named) -> Row:
    """Return a candle of the unified version, which is an object."""
    row = _object(row)
    prices = {name: number(row.get(name)) for name in ("open", "high", "low", "close", "volume")}
    return {"open_time": milliseconds(row.get("start")), **prices, "quote_volume": number(row.get("turnover"))}


_TICKER_V2 = {
    "last": ("lastPr", "last"), "bid": ("bidPr", "bestBid"), "bid_size": ("bidSz",), "ask": ("askPr", "bestAsk"),
    "ask_size": ("askSz",), "open_24h": ("open24h",), "high_24h": ("high24h",), "low_24h": ("low24h",),
    "change_24h": ("change24h", "priceChangePercent"), "volume_24h": ("baseVolume",),
    "quote_volume_24h": ("quoteVolume",), "mark": ("markPrice",), "index": ("indexPrice",),
    "funding_rate": ("fundingRate", "capitalRate"), "open_interest": ("holdingAmount", "holding"),
}  # fmt: skip
_TICKER_V3 = {
    "last": ("lastPrice",), "bid": ("bid1Price",), "bid_size": ("bid1Size",), "ask": ("ask1Price",),
    "ask_size": ("ask1Size",), "open_24h": ("openPrice24h",), "high_24h": ("highPrice24h",),
    "low_24h": ("lowPrice24h",), "change_24h": ("price24hPcnt",), "volume_24h": ("volume24h",),
    "quote_volume_24h": ("turnover24h",), "mark": ("markPrice",), "index": ("indexPrice",),
    "funding_rate": ("fundingRate",), "open_interest": ("openInterest",),
}  # fmt: skip


def ticker_v2(row: Any, named: Named) -> Row:
    """Return a ticker."""
    return _ticker(_object(row), named, _TICKER_V2)


def ticker_v3(row: Any, named: Named) -> Row:
    """Return a ticker of the unified version, which names neither symbol nor time inside the row."""
    return _ticker(_object(row), named, _TICKER_V3)


def _ticker(row: Mapping[str, Any], named: Named, names: Mapping[str, tuple[str, ...]]) -> Row:
    values = {ours: _value(row, named.symbol, theirs) for ours, theirs in names.items()}
    if values["last"] is None:
        _report_once(named.symbol, names["last"][0], "the exchange sends none that can be read")
    time = milliseconds(row["ts"]) if row.get("ts") else None
    return {"symbol": named.symbol, "market": named.market, "time": time, **values}


def _value(row: Mapping[str, Any], symbol: str, names: tuple[str, ...]) -> float | None:
    """Return a number of a ticker, None where it is missing or cannot be read: the next push may repeat it for ever."""
    name, given = next(((name, row[name]) for name in names if row.get(name) not in (None, "")), (names[0], None))
    try:
        return None if given is None else number(given)
    except Unreadable as error:
        _report_once(symbol, name, str(error))
        return None


@lru_cache(maxsize=1_000)
def _report_once(symbol: str, field: str, why: str) -> None:
    _log.warning("%s of the ticker of %s is missing: %s", field, symbol, why)


def liquidation(row: Any, _named: Named) -> Row:
    """Return a liquidation; the channel serves a whole market, so the row names its symbol."""
    row = _object(row)
    symbol = row.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise Unreadable("a liquidation has no symbol")
    return {
        "time": milliseconds(row.get("ts")), "side": _side(row.get("side")), "price": number(row.get("price")),
        "amount": number(row.get("amount")), "symbol": symbol,
    }  # fmt: skip


def number(value: Any) -> float:
    """Return a number that was sent as text (or, rarely, as a number).

    Raises
    ------
    Unreadable
        It is none, or not finite.
    """
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise Unreadable(f"{str(value)[:40]!r} is not a number")


def whole(value: Any) -> int:
    """Return a whole number, sent as one or as text.

    Raises
    ------
    Unreadable
        It is none.
    """
    if type(value) is int:  # and no bool
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS:
        return int(value)
    raise Unreadable(f"{str(value)[:40]!r} is not a whole number")


def milliseconds(value: Any) -> int:
    """Return a time of this century in epoch milliseconds.

    Raises
    ------
    Unreadable
        It is none.
    """
    found = whole(value)
    if 10**12 <= found < 10**13:
        return found
    raise Unreadable(f"{found} is not a time in milliseconds")


def _object(row: Any) -> dict[str, Any]:
    if isinstance(row, dict):
        return row
    raise Unreadable(f"a row is no object: {str(row)[:40]!r}")


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(parse_float=Decimal, parse_constant=_refused)  # making one costs as much as parsing a frame
