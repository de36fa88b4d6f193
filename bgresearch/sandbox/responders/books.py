"""Order books and public trades around the price of the moment."""

from __future__ import annotations

from itertools import islice
from typing import Any

from bgresearch.core.intervals import DAY_MS, MINUTE_MS
from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.lookup import market_of, markets_of
from bgresearch.sandbox.traders.records import text
from bgresearch.sandbox.world.markets import Market
from bgresearch.sandbox.world.order_books import Level, order_book
from bgresearch.sandbox.world.trades import Trade, instant_of
from bgresearch.sandbox.world.world import World

_MOST_LEVELS = 200
_RECENT_MS = 3 * DAY_MS
_HISTORY_MS = 90 * DAY_MS  # public trades further back are a web download only
_SPAN_MS = 7 * DAY_MS


def book(world: World, market: Market, now_ms: int, *, levels: int) -> tuple[list[Level], list[Level]]:
    """Return bids and asks, best first; the last price is between them."""
    image = order_book(world, market, now_ms, levels=levels)
    return image.bids() or [(market.price_step, 1)], image.asks()


def best(world: World, market: Market, now_ms: int) -> tuple[Level, Level]:
    """Return the best bid and the best ask."""
    bids, asks = book(world, market, now_ms, levels=1)
    return bids[0], asks[0]


def level_texts(market: Market, levels: list[Level]) -> list[list[str]]:
    return [[text(price, market.price_places), text(size, market.size_places)] for price, size in levels]


def orderbook(call: Call) -> dict[str, Any]:
    """Return the order book, levels merged to the asked step."""
    market = market_of(call)
    bids, asks = book(call.world, market, call.now_ms, levels=int(call.params.get("limit", "150")))
    merged = int(call.params.get("type", "step0")[-1])
    return {
        "asks": level_texts(market, _merged(market, asks, merged, up=True)),
        "bids": level_texts(market, _merged(market, bids, merged, up=False)),
        "ts": str(call.now_ms),
    }


def unified_orderbook(call: Call) -> dict[str, Any]:
    """Return the order book in v3 spelling."""
    market = market_of(call)
    bids, asks = book(call.world, market, call.now_ms, levels=int(call.params.get("limit", "5")))
    return {"a": level_texts(market, asks), "b": level_texts(market, bids), "ts": str(call.now_ms)}


def merged_depth(call: Call) -> dict[str, Any]:
    """Return the order book merged to a scale, with numbers in it where other routes have strings."""
    market = market_of(call)
    wanted = call.params.get("limit", "100")
    count = _MOST_LEVELS if wanted == "max" else int(wanted)
    precision = call.params.get("precision", "scale0")
    scale = int(precision[-1])
    bids, asks = book(call.world, market, call.now_ms, levels=_MOST_LEVELS)
    sides = {"asks": _merged(market, asks, scale, up=True), "bids": _merged(market, bids, scale, up=False)}
    numbers: dict[str, Any] = {
        name: [[float(price), float(size)] for price, size in level_texts(market, levels[:count])]
        for name, levels in sides.items()
    }
    return {
        **numbers, "precision": precision, "scale": text(market.price_step * 10**scale, market.price_places),
        "isMaxPrecision": "YES" if scale == 3 else "NO", "ts": str(call.now_ms),
    }  # fmt: skip


def _merged(market: Market, levels: list[Level], scale: int, *, up: bool) -> list[Level]:
    """Return levels of tens, hundreds ... of the smallest price change, away from the middle."""
    step = market.price_step * int(10**scale)
    totals: dict[int, int] = {}
    for price, size in levels:
        at = -(-price // step) * step if up else price // step * step
        totals[at] = totals.get(at, 0) + size
    return [level for level in totals.items() if level[0] > 0]


def trade_row(market: Market, trade: Trade, *, second: bool = False, title: bool = False) -> dict[str, str]:
    """Return a trade in v2 spelling."""
    side = "buy" if trade.buy else "sell"
    return {
        "symbol": market.symbol, "tradeId": str(trade.trade_id), "side": side.title() if title else side,
        "price": text(trade.price, market.price_places), "size": text(trade.size, market.size_places),
        "ts": str(trade.ts_ms // 1000 * 1000 if second else trade.ts_ms),
    }  # fmt: skip


def recent_trades(call: Call) -> list[dict[str, str]]:
    """Return the latest public trades, newest first."""
    market = market_of(call)
    return [trade_row(market, trade) for trade in _latest(call, market)]


def unified_trades(call: Call) -> list[dict[str, str]]:
    """Return the latest public trades in v3 spelling, newest first; without a symbol those of all markets."""
    latest = [(trade, market) for market in markets_of(call) for trade in _latest(call, market)]
    latest.sort(key=lambda pair: pair[0].trade_id, reverse=True)
    return [unified_trade_row(trade_row(market, trade)) for trade, market in latest[: _asked(call)]]


def unified_trade_row(row: dict[str, str]) -> dict[str, str]:
    """Return a v2 trade in v3 spelling."""
    return {
        "execId": row["tradeId"], "execLinkId": row["tradeId"], "price": row["price"], "size": row["size"],
        "side": row["side"], "ts": row["ts"], "isRPI": "no",
    }  # fmt: skip


def _asked(call: Call) -> int:
    return int(call.params.get("limit", "100"))


def _latest(call: Call, market: Market) -> list[Trade]:
    return list(islice(call.world.trades(market, call.now_ms - _RECENT_MS, call.now_ms + 1), _asked(call)))


def past_trades(call: Call) -> list[dict[str, str]]:
    """Return public trades of up to seven days, newest first, to the second.

    For contracts the limit wins over startTime, and endTime counts only together with startTime.
    """
    market = market_of(call)
    contract = call.endpoint.area == "futures"
    oldest = call.now_ms - _HISTORY_MS
    end = call.now_ms
    if "endTime" in call.params and ("startTime" in call.params or not contract):
        end = min(end, int(call.params["endTime"]))
    start = max(int(call.params.get("startTime", end - _SPAN_MS)), oldest)
    if contract:
        start = max(end - _SPAN_MS, oldest)
    below = int(call.params["idLessThan"]) if "idLessThan" in call.params else None
    if below is not None:
        end = min(end, instant_of(below) + MINUTE_MS)
    rows = (
        trade_row(market, trade, second=True, title=contract)
        for trade in call.world.trades(market, start, end + 1)
        if below is None or trade.trade_id < below
    )
    return list(islice(rows, int(call.params.get("limit", "500"))))


BOOK_RESPONDERS: dict[str, Responder] = {
    "spot.orderbook": orderbook,
    "spot.merge_depth": merged_depth,
    "spot.fills": recent_trades,
    "spot.fills_history": past_trades,
    "futures.merge_depth": merged_depth,
    "futures.fills": recent_trades,
    "futures.fills_history": past_trades,
    "uta.orderbook": unified_orderbook,
    "uta.fills": unified_trades,
}
