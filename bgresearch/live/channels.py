"""The WebSocket channels, one row each: which verb they belong to, what is subscribed, how a push is decoded. Pure.

The same list serves both versions of the protocol. A row says what the exchange calls the channel; `CHANNELS` is
searched in order, so that the first row that offers what was asked for is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Literal

from bgresearch.account.holdings import ASSETS
from bgresearch.account.kinds import FILLS, ORDERS
from bgresearch.account.kinds.positions import OPEN_POSITIONS
from bgresearch.core.intervals import INTERVALS
from bgresearch.core.symbols import FUTURES, MARKETS, Named
from bgresearch.errors import InvalidInput
from bgresearch.live.decoding import (
    CANDLES,
    bar_v2,
    bar_v3,
    liquidation,
    ticker_v2,
    ticker_v3,
    trade_v2,
    trade_v3,
)
from bgresearch.live.hosts import Version
from bgresearch.live.private_decoding import (
    classic_coins,
    fills_of,
    orders_of,
    positions_of,
    unified_coins,
)
from bgresearch.market.contract_events import LIQUIDATIONS
from bgresearch.market.history import TRADES
from bgresearch.market.quotes import ORDER_BOOK, TICKERS
from bgresearch.schemas import Row, Shape

Kind = Literal["trades", "bars", "state", "book", "records", "account"]
Decode = Callable[[Any, Named], "Row | list[Row]"]
_V2_INTERVALS = frozenset(INTERVALS) - {"2h", "3m"}
_V3_INTERVALS = frozenset({"1m", "3m", "5m", "15m", "30m", "1h", "4h"})  # from 6h on v3 opens on UTC+8 alone


@dataclass(frozen=True)
class Channel:
    """One channel of the exchange.

    Attributes
    ----------
    name : str
        As `Client.stream` is asked for it.
    version, topic : str
        Of the protocol, and the exchange's own name; ``{interval}`` in it is replaced.
    kind : str
        What its rows are: ``trades`` (each once), ``bars``, ``state`` (the newest counts), ``book``, ``records``, or
        ``account``: reconciled over REST after each reconnect.
    shape : Shape
        Columns of the REST verb of the same name.
    decode : callable or None
        One pushed row to a row of the shape; None for order books, which have their own code.
    markets : tuple of str
        Where it exists.
    depth : int or None
        Levels of each side of an order book; None is the incremental channel.
    intervals : frozenset of str
        Of candles.
    by_symbol : bool
        Whether it is subscribed per symbol; else one subscription serves a whole market or account.
    private : bool
        Whether it needs a login.
    identity : tuple of str
        Columns that identify a row of an account: each combination is given once. Empty for current states.
    pushes_first : bool
        Whether a push follows the subscription at once. Silence after it then means that something is wrong.
    """

    name: str
    version: Version
    topic: str
    kind: Kind
    shape: Shape
    decode: Decode | None = None
    markets: tuple[str, ...] = MARKETS
    depth: int | None = None
    intervals: frozenset[str] = field(default=frozenset(), repr=False)
    by_symbol: bool = True
    private: bool = False
    identity: tuple[str, ...] = ()
    pushes_first: bool = True

    @cached_property
    def sides(self) -> tuple[str, str]:
        """Keys of asks and bids in a push."""
        return ("asks", "bids") if self.version == "v2" else ("a", "b")


@dataclass(frozen=True)
class Subscription:
    """One argument of a subscribe message.

    Attributes
    ----------
    channel : Channel
        What is subscribed to.
    named : Named
        Symbol and market; of private channels the market alone.
    interval : str
        Of candles.
    only : frozenset of str
        Symbols that are given, of a private channel; empty for all.
    """

    channel: Channel
    named: Named
    interval: str = ""
    only: frozenset[str] = frozenset()

    @cached_property
    def argument(self) -> dict[str, str]:
        """What is sent; the reply and every push echo it."""
        return _ARGUMENTS[self.channel.version](self)

    @cached_property
    def key(self) -> tuple[str, ...]:
        """What identifies a subscription on its connection."""
        return key_of(self.argument)

    def __str__(self) -> str:
        return f"{self.channel.name} of {self.named.symbol or 'the account'} ({self.named.market})"


def key_of(argument: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what identifies the subscription that a reply or a push echoes, in whichever spelling."""
    symbol = argument.get("instId") or argument.get("symbol") or ""
    topic = argument.get("channel") or argument.get("topic") or ""
    return _key(str(argument.get("instType", "")), str(topic), str(symbol), str(argument.get("interval", "")))


@lru_cache(10_000)
def _key(market: str, topic: str, symbol: str, interval: str) -> tuple[str, ...]:
    return (market.lower(), topic, "" if symbol == "default" else symbol, interval)


def _argument_v2(subscription: Subscription) -> dict[str, str]:
    channel, named = subscription.channel, subscription.named
    topic = channel.topic.replace("{interval}", _spelled(subscription.interval))
    key = "coin" if channel.topic == "account" else "instId"
    return {"instType": named.market.upper(), "channel": topic, key: named.symbol or "default"}


def _argument_v3(subscription: Subscription) -> dict[str, str]:
    channel, named = subscription.channel, subscription.named
    argument = {"instType": "UTA" if channel.private else named.market, "topic": channel.topic}
    if channel.by_symbol:
        argument["symbol"] = named.symbol
    if channel.kind == "bars":
        argument["interval"] = _spelled(subscription.interval)
    return argument


_ARGUMENTS: Mapping[str, Callable[[Subscription], dict[str, str]]] = {"v2": _argument_v2, "v3": _argument_v3}


def _spelled(interval: str) -> str:
    return (INTERVALS[interval].spelling("futures") or interval) if interval else ""


_UPDATE = ("order_id", "status", "filled", "price", "amount")  # what changes while an order is open


def _private(
    name: str, topics: tuple[str, str], shape: Shape, decoders: tuple[Decode, Decode], *,
    markets: tuple[str, ...] = MARKETS, identity: tuple[str, ...] = (),
) -> tuple[Channel, ...]:  # fmt: skip
    """Return the two rows of a private channel: of classic accounts and of unified ones."""
    versions: tuple[Version, Version] = ("v2", "v3")
    return tuple(
        Channel(name, version, topic, "account", shape, decode, markets=markets, by_symbol=False, private=True,
                identity=identity, pushes_first=False)
        for version, topic, decode in zip(versions, topics, decoders, strict=True)
    )  # fmt: skip


def _books(version: Version, depths: tuple[int | None, ...]) -> tuple[Channel, ...]:
    return tuple(
        Channel("order_book", version, f"books{depth or ''}", "book", ORDER_BOOK, depth=depth) for depth in depths
    )


CHANNELS: tuple[Channel, ...] = (
    Channel("trades", "v2", "trade", "trades", TRADES, trade_v2),
    Channel("trades", "v3", "publicTrade", "trades", TRADES, trade_v3),
    Channel("candles", "v2", "candle{interval}", "bars", CANDLES, bar_v2, intervals=_V2_INTERVALS),
    Channel("candles", "v3", "kline", "bars", CANDLES, bar_v3, intervals=_V3_INTERVALS),
    Channel("tickers", "v2", "ticker", "state", TICKERS, ticker_v2),
    Channel("tickers", "v3", "ticker", "state", TICKERS, ticker_v3),
    *_books("v2", (None, 1, 5, 15)),
    *_books("v3", (None, 1, 5, 50)),
    Channel(
        "liquidations", "v3", "liquidation", "records", LIQUIDATIONS, liquidation, markets=FUTURES, by_symbol=False,
        pushes_first=False,
    ),
    *_private("fills", ("fill", "fill"), FILLS.shape, (fills_of("classic"), fills_of("unified")),
              identity=("fill_id",)),
    *_private("orders", ("orders", "order"), ORDERS.shape, (orders_of("classic"), orders_of("unified")),
              identity=_UPDATE),
    *_private("positions", ("positions", "position"), OPEN_POSITIONS,
              (positions_of("classic"), positions_of("unified")), markets=FUTURES),
    *_private("account", ("account", "account"), ASSETS, (classic_coins, unified_coins)),
)  # fmt: skip
"""Every channel that can be streamed, best first where two versions offer the same."""


def chosen_channel(
    name: str, market: str, *, interval: str | None = None, depth: int | None = None, version: Version | None = None
) -> Channel:
    """Return the channel that offers what is asked for.

    Raises
    ------
    InvalidInput
        None does; the message names what there is.
    """
    rows = [row for row in CHANNELS if row.name == name and version in (None, row.version)]
    if not rows:
        known = ", ".join(dict.fromkeys(row.name for row in CHANNELS))
        raise InvalidInput("channel", f"{name!r} is unknown.", hint=f"Use one of {known}.")
    if not (there := [row for row in rows if market in row.markets]):
        raise InvalidInput("market", f"{market!r} has no {name}.", hint=f"Use one of {', '.join(rows[0].markets)}.")
    if (interval is None) == (rows[0].kind == "bars"):
        problem = "is missing" if interval is None else f"{interval!r} is given, and {name} have none"
        raise InvalidInput("interval", f"{problem}.", hint='Candles need one: interval="1m".')
    if depth is not None and rows[0].kind != "book":
        raise InvalidInput("depth", f"{depth!r} is given, and {name} have none.", hint="Leave it out.")
    lengths = [row for row in there if interval is None or interval in row.intervals]
    if not lengths:
        offered = [one for one in INTERVALS if any(one in row.intervals for row in there)]
        raise InvalidInput("interval", f"{interval!r} is not offered live.", hint=f"Use one of {', '.join(offered)}.")
    found = [row for row in lengths if row.depth == depth and not isinstance(depth, bool)]
    if not found:
        depths = sorted({row.depth for row in lengths if row.depth is not None})
        raise InvalidInput("depth", f"{depth!r} is not offered.", hint=f"Use None or one of {depths}.")
    return found[0]
