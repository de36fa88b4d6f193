"""Candles of every route, each with its own look-back, page size, end and columns.

Sources: spot/market/Get-Candle-Data, contract/market/Get-Candle-Data, uta/public/Get-Candle-Data and their history
pages; what only third parties measured (ends, ignored starts, empty answers) is taken at its strictest.
"""

from __future__ import annotations

import numpy as np

from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, Anchor, Family, Interval
from bgresearch.sandbox.call import Call, Responder
from bgresearch.sandbox.responders.lookup import market_of
from bgresearch.sandbox.traders.records import text
from bgresearch.sandbox.world.markets import Market
from bgresearch.sandbox.world.minute_bars import CLOSE, OPEN, QUOTE_PLACES
from bgresearch.sandbox.world.world import Bars, World

_LOOKBACK_DAYS = {
    "1m": 30, "3m": 30, "5m": 30, "15m": 52, "30m": 62, "1h": 83, "2h": 120, "4h": 240, "6h": 360, "12h": 720,
    "1d": 1440, "3d": 4320, "1w": 10_080, "1M": 43_200,
}  # fmt: skip
"""Look-backs of recent candles: the documentation's values to 6h, beyond that those that a client relies upon."""

_UTA_CANDLES = 1000  # in all that the recent route of v3 serves
_UTA_HISTORY_DAYS = 90
_FAMILIES: dict[str, Family] = {"spot": "spot", "futures": "futures", "uta": "uta"}
_PREMIUM_PLACES = 8


def _spellings() -> dict[tuple[Family, str], tuple[Interval, Anchor]]:
    found: dict[tuple[Family, str], tuple[Interval, Anchor]] = {}
    for interval in INTERVALS.values():
        for family in _FAMILIES.values():
            for anchor in ("utc", "exchange"):
                word = interval.spelling(family, anchor)
                if word is not None:
                    found[family, word] = (interval, anchor)
    return found


SPELLINGS = _spellings()
"""Interval and anchor by product family and the exchange's word."""


def recent(call: Call) -> list[list[str]]:
    """Return recent candles, oldest first, the forming one included.

    Candles beyond the look-back are absent without an error, and so are all if the window could hold more candles than
    the limit.
    """
    interval, anchor = interval_of(call)
    market = market_of(call)
    limit = int(call.params.get("limit", "100"))
    start, end = _window(call, interval, anchor, limit)
    if end - start > limit * interval.nominal_ms and "startTime" in call.params:
        return []
    end = _last(call, interval, anchor, end)
    if call.endpoint.area == "uta":
        lookback_ms = _UTA_CANDLES * interval.nominal_ms
    else:
        lookback_ms = _LOOKBACK_DAYS[interval.name] * DAY_MS
    bars = _bars(call, market, (max(start, call.now_ms - lookback_ms), end), interval=interval, anchor=anchor)
    return _rows(call, market, bars.tail(limit))


def history(call: Call) -> list[list[str]]:
    """Return closed candles that open before endTime, oldest first; startTime does not filter."""
    interval, anchor = interval_of(call)
    market = market_of(call)
    limit = int(call.params.get("limit", "100"))
    end = _floored(call, interval, anchor, int(call.params.get("endTime", call.now_ms + 1)))
    end = _last(call, interval, anchor, end)
    if "candles.history_has_no_open_bar" not in call.habits:
        end = min(end, interval.floor(call.now_ms, anchor))
    if market.delisted_ms is not None:
        end = min(end, interval.ceil(market.delisted_ms, anchor))
    start = _earlier(interval, anchor, end, limit)
    if call.endpoint.area == "uta":
        start = max(start, call.now_ms - _UTA_HISTORY_DAYS * DAY_MS)
    bars = _bars(call, market, (start, end), interval=interval, anchor=anchor)
    return _rows(call, market, bars.tail(limit))


def interval_of(call: Call) -> tuple[Interval, Anchor]:
    """Return the interval that a call asks for, and where its candles open."""
    word = call.params.get("granularity") or call.params["interval"]
    interval, anchor = SPELLINGS[_FAMILIES[call.endpoint.area], word]
    if f"candles.{anchor}_anchor" in call.habits:
        anchor = "utc" if anchor == "exchange" else "exchange"
    return interval, anchor


def _floored(call: Call, interval: Interval, anchor: Anchor, timestamp_ms: int) -> int:
    """Return the time as the route takes it: the contract routes round down to the granularity."""
    return interval.floor(timestamp_ms, anchor) if call.endpoint.area == "futures" else timestamp_ms


def _last(call: Call, interval: Interval, anchor: Anchor, end_ms: int) -> int:
    """Return the end of what is answered: one candle later where the candle at endTime is included."""
    if "candles.end_excluded" not in call.habits or "endTime" not in call.params:
        return end_ms
    return interval.next_open(interval.floor(end_ms, anchor), anchor)


def _earlier(interval: Interval, anchor: Anchor, end_ms: int, count: int) -> int:
    """Return an instant so that at least ``count`` candles open between it and ``end_ms``, a closed hour left out."""
    closed = 60 if interval.nominal_ms < HOUR_MS else 1
    return interval.floor(end_ms - (count + closed) * interval.nominal_ms, anchor)


def _window(call: Call, interval: Interval, anchor: Anchor, limit: int) -> tuple[int, int]:
    given = {
        name: _floored(call, interval, anchor, int(call.params[name]))
        for name in ("startTime", "endTime")
        if name in call.params
    }
    latest = call.now_ms + 1
    if "startTime" in given:
        start = given["startTime"]
        return start, given.get("endTime", start + limit * interval.nominal_ms)
    end = min(given.get("endTime", latest), latest)
    return _earlier(interval, anchor, end, limit), end


def _price(call: Call) -> str:
    if call.endpoint.id in ("futures.history_mark_candles", "futures.history_index_candles"):
        return call.endpoint.id.split("_")[1]
    word = (call.params.get("kLineType") or call.params.get("type") or "market").lower()
    return "last" if word == "market" else word


def _bars(call: Call, market: Market, window: tuple[int, int], *, interval: Interval, anchor: Anchor) -> Bars:
    price = _price(call)
    return call.world.bars(
        market, interval, *window, now_ms=call.now_ms, price="last" if price == "premium" else price, anchor=anchor
    )  # fmt: skip


def _rows(call: Call, market: Market, bars: Bars) -> list[list[str]]:
    if _price(call) == "premium":
        return _premium_rows(call.world, market, bars, call)
    if "candles.splits_as_traded" in call.habits:
        bars = _adjusted(market, bars, call.now_ms)
    rows = candle_rows(market, bars)
    if call.endpoint.area == "spot":  # every spot market here is quoted in USDT
        rows = [[*row, row[-1]] for row in rows]
    return rows


def _adjusted(market: Market, bars: Bars, now_ms: int) -> Bars:
    """Return candles in shares of today, as an exchange has them that adjusts them itself."""
    shares = np.array([market.share_factor(at) for at in bars.open_ms.tolist()]) / market.share_factor(now_ms)
    values = bars.values.copy()
    values[: CLOSE + 1] = np.rint(values[: CLOSE + 1] / shares)
    values[CLOSE + 1] = np.rint(values[CLOSE + 1] * shares)
    return Bars(bars.open_ms, values)


def candle_rows(market: Market, bars: Bars) -> list[list[str]]:
    """Return candles as the exchange writes them: open time, four prices, volume, quote volume."""
    places, sizes = market.price_places, market.size_places
    rows = []
    for opened, values in zip(bars.open_ms.tolist(), bars.values.T.tolist(), strict=True):
        prices = [text(value, places) for value in values[: CLOSE + 1]]
        rows.append([str(opened), *prices, text(values[4], sizes), text(values[5], QUOTE_PLACES)])
    return rows


def _premium_rows(world: World, market: Market, bars: Bars, call: Call) -> list[list[str]]:
    """Return how far the last price stood from the index at open and close, as shares of the index."""
    if not len(bars):
        return []
    interval, anchor = interval_of(call)
    first, last = int(bars.open_ms[0]), int(bars.open_ms[-1])
    index = world.bars(market, interval, first, last + 1, now_ms=call.now_ms, price="index", anchor=anchor)
    rows = []
    for at, opened in enumerate(bars.open_ms.tolist()):
        ends = [
            (int(bars.values[which, at]) - int(index.values[which, at])) * 10**_PREMIUM_PLACES
            // int(index.values[which, at])
            for which in (OPEN, CLOSE)
        ]  # fmt: skip
        shown = [text(value, _PREMIUM_PLACES) for value in (ends[0], max(ends), min(ends), ends[1])]
        rows.append([str(opened), *shown, "0", "0"])
    return rows


CANDLE_RESPONDERS: dict[str, Responder] = {
    "spot.candles": recent,
    "spot.history_candles": history,
    "futures.candles": recent,
    "futures.history_candles": history,
    "futures.history_mark_candles": history,
    "futures.history_index_candles": history,
    "uta.candles": recent,
    "uta.history_candles": history,
}
