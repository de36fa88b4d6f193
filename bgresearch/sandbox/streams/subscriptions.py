"""From the argument of a subscribe message to a feed, or to the refusal that the socket of that version gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from bgresearch.core.intervals import Anchor, Interval
from bgresearch.sandbox.responders.candles import SPELLINGS
from bgresearch.sandbox.streams.book_feeds import BookFeed
from bgresearch.sandbox.streams.feed import Feed, Silence
from bgresearch.sandbox.streams.market_feeds import CandleFeed, LiquidationFeed, TickerFeed, TradeFeed
from bgresearch.sandbox.world.markets import KINDS, Kind, Market, find
from bgresearch.sandbox.world.world import World

UNKNOWN, BAD_PARAMETER = 30001, 30016

_V2_CANDLES = (
    "1m", "5m", "15m", "30m", "1H", "4H", "6H", "12H", "1D", "3D", "1W", "1M", "6Hutc", "12Hutc", "1Dutc", "3Dutc",
    "1Wutc", "1Mutc",
)  # fmt: skip
_V3_CANDLES = ("1m", "3m", "5m", "15m", "30m", "1H", "4H", "6H", "12H", "1D")
_V2_BOOKS = ("books", "books1", "books5", "books15")
_V3_BOOKS = ("books", "books1", "books5", "books50")
_NOTHING_HAPPENS = {  # offered, and nothing of the kind happens here
    "v2": ("auction", "index-price"),
    "v3": ("rpi-books", "rpi-books1", "rpi-books5", "rpi-books50"),
}
_UNIFIED_COIN_SUFFIX = "_CM"  # of contracts margined in the coin, on v3 sockets alone
V2_PRODUCTS: dict[str, Kind] = {kind.upper(): kind for kind in KINDS}
V3_PRODUCTS: dict[str, Kind] = {kind: kind for kind in KINDS}


class StreamRefusal(Exception):
    """The socket refuses an argument: becomes an error event; the connection stays open."""

    def __init__(self, code: int, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code}: {message}")


class Wanted(NamedTuple):
    """One argument of a subscribe message, taken apart.

    Attributes
    ----------
    version : {"v2", "v3"}
        Of the socket.
    arg : dict
        As it was sent; every reply and push repeats it.
    channel : str
        ``channel`` of v2, ``topic`` of v3.
    product : str
        ``instType``.
    """

    version: str
    arg: dict[str, str]
    channel: str
    product: str

    @property
    def key(self) -> str:
        """What distinguishes it from other arguments."""
        return json.dumps(self.arg, sort_keys=True)


def read(version: str, arg: object) -> Wanted:
    """Return an argument taken apart.

    Raises
    ------
    StreamRefusal
        30016 if it is no object of texts with a channel and a product.
    """
    name = "topic" if version == "v3" else "channel"
    texts = {str(key): value for key, value in arg.items()} if isinstance(arg, Mapping) else {}
    if not texts or not all(isinstance(value, str) for value in texts.values()):
        raise StreamRefusal(BAD_PARAMETER, "Param error")
    if not texts.get(name) or not texts.get("instType"):
        raise StreamRefusal(BAD_PARAMETER, "Param error")
    return Wanted(version, texts, texts[name], texts["instType"])


def is_book(arg: object) -> bool:
    """Return whether an argument asks for an order book."""
    return isinstance(arg, Mapping) and arg.get("topic", arg.get("channel")) in (*_V2_BOOKS, *_V3_BOOKS)


def public_feed(world: World, wanted: Wanted, now_ms: int) -> Feed:
    """Return the feed of a public subscription.

    A real symbol under the wrong product is accepted and stays silent, as on the exchange.

    Raises
    ------
    StreamRefusal
        30016 for a channel that this version does not have, 30001 for a symbol that no product has.
    """
    check = _v3_channel if wanted.version == "v3" else _v2_channel
    candle = check(wanted)
    if wanted.channel in _NOTHING_HAPPENS[wanted.version]:
        return Silence()
    kind = (V3_PRODUCTS if wanted.version == "v3" else V2_PRODUCTS).get(wanted.product)
    if wanted.channel == "liquidation":
        return Silence() if kind in (None, "spot") else LiquidationFeed(world, kind)
    market = _market(wanted, kind, now_ms)
    if market is None:
        return Silence()
    v3 = wanted.version == "v3"
    if candle is not None:
        return CandleFeed(world, market, *candle, v3=v3)
    if is_book(wanted.arg):
        return BookFeed(world, market, wanted.channel, wanted.version)
    return TickerFeed(world, market, v3=v3) if wanted.channel == "ticker" else TradeFeed(world, market, v3=v3)


def _v2_channel(wanted: Wanted) -> tuple[Interval, Anchor] | None:
    """Return the candle that the channel names, or None for another channel of v2."""
    _only(wanted, {"instType", "channel", "instId"})
    word = wanted.channel.removeprefix("candle")
    if word != wanted.channel and word in _V2_CANDLES:
        return SPELLINGS["futures", word]
    if wanted.channel in ("trade", "ticker", *_V2_BOOKS, *_NOTHING_HAPPENS["v2"]):
        return None
    raise StreamRefusal(BAD_PARAMETER, "Param error")


def _v3_channel(wanted: Wanted) -> tuple[Interval, Anchor] | None:
    """Return the candle that topic and interval name, or None for another topic of v3."""
    if wanted.channel == "kline":
        _only(wanted, {"instType", "topic", "symbol", "interval"})
        if wanted.arg["interval"] not in _V3_CANDLES:
            raise StreamRefusal(BAD_PARAMETER, "Param error")
        return SPELLINGS["uta", wanted.arg["interval"]]
    if wanted.channel == "liquidation":
        _only(wanted, {"instType", "topic"})
        return None
    if wanted.channel not in ("publicTrade", "ticker", *_V3_BOOKS, *_NOTHING_HAPPENS["v3"]):
        raise StreamRefusal(BAD_PARAMETER, "Param error")
    _only(wanted, {"instType", "topic", "symbol"})
    return None


def _only(wanted: Wanted, names: set[str]) -> None:
    if set(wanted.arg) != names or not all(wanted.arg.values()):
        raise StreamRefusal(BAD_PARAMETER, "Param error")


def _market(wanted: Wanted, kind: Kind | None, now_ms: int) -> Market | None:
    """Return the market, or None for a real symbol under another product."""
    symbol = wanted.arg["symbol" if wanted.version == "v3" else "instId"]
    found = _listed(wanted.version, kind, symbol, now_ms) if kind is not None else None
    if found is None and not any(_listed(wanted.version, other, symbol, now_ms) for other in KINDS):
        raise StreamRefusal(UNKNOWN, _unknown(wanted))
    return found


def _listed(version: str, kind: Kind, symbol: str, now_ms: int) -> Market | None:
    name = symbol
    if version == "v3" and kind == "coin-futures":
        name = symbol.removesuffix(_UNIFIED_COIN_SUFFIX)
        if name == symbol:
            return None
    market = find(kind, name)
    return market if market is not None and market.symbol == name and market.listed_at(now_ms) else None


def _unknown(wanted: Wanted) -> str:
    if wanted.version == "v3":
        return json.dumps(wanted.arg, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + " doesn't exist"
    shown = ",".join(f"{name}:{value}" for name, value in wanted.arg.items())
    return f"{shown},precision:null doesn't exist"


def error_event(version: str, refusal: StreamRefusal, arg: Any, connection_id: str) -> dict[str, Any]:
    """Return the event of a refused subscription: v2 repeats the argument, v3 says it in the message."""
    if version == "v2":
        return {"event": "error", "arg": arg, "code": refusal.code, "msg": refusal.message, "op": "subscribe"}
    return {"event": "error", "code": refusal.code, "msg": refusal.message, "connId": connection_id}
