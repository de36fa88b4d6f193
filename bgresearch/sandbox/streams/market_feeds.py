"""Trades, candles, tickers and liquidations as pushes: the rows of REST in the spelling of the sockets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from bgresearch.catalogue import load
from bgresearch.core.intervals import DAY_MS, MINUTE_MS, Anchor, Interval
from bgresearch.sandbox.call import Call
from bgresearch.sandbox.responders.books import trade_row, unified_trade_row
from bgresearch.sandbox.responders.candles import candle_rows
from bgresearch.sandbox.responders.contract_events import liquidation_row
from bgresearch.sandbox.responders.tickers import futures_ticker_row, spot_ticker_row, unified_ticker_row
from bgresearch.sandbox.streams.feed import Push
from bgresearch.sandbox.world.funding import next_funding_ms
from bgresearch.sandbox.world.liquidations import liquidation
from bgresearch.sandbox.world.markets import Kind, Market, of_kind
from bgresearch.sandbox.world.trades import Trade
from bgresearch.sandbox.world.world import Bars, World

_RECENT_TRADES = 50  # of the first push
_RECENT_MS = 3 * DAY_MS
_TRADE_SLOT_MS = 100  # trades are pushed together at its end
_CANDLES = 1000  # of the first push, and no more than so many days of them
_CANDLE_DAYS = 200
_FEWEST_CANDLES = 12
_CANDLE_STEP_MS = 1000
_CLOSED_AFTER_MS = 430  # last push of a closed bar, measured in a recording
_TICKER_STEP_MS = 1000  # what a ticker is made of changes as often

_SPOT_TICKER = (
    "instId", "lastPr", "open24h", "high24h", "low24h", "change24h", "bidPr", "askPr", "bidSz", "askSz", "baseVolume",
    "quoteVolume", "openUtc", "changeUtc24h", "ts",
)  # fmt: skip
_FUTURES_TICKER = (
    "instId", "lastPr", "bidPr", "askPr", "bidSz", "askSz", "open24h", "high24h", "low24h", "change24h", "fundingRate",
    "nextFundingTime", "markPrice", "indexPrice", "holdingAmount", "baseVolume", "quoteVolume", "openUtc",
    "symbolType", "symbol", "deliveryPrice", "ts",
)  # fmt: skip
_UNIFIED_TICKER = (
    "highPrice24h", "lowPrice24h", "openPrice24h", "lastPrice", "turnover24h", "volume24h", "bid1Price", "ask1Price",
    "bid1Size", "ask1Size", "price24hPcnt",
)  # fmt: skip
_UNIFIED_CONTRACT = (
    "indexPrice", "markPrice", "fundingRate", "nextFundingTime", "openInterest", "deliveryTime", "deliveryStartTime",
    "deliveryStatus",
)  # fmt: skip


def trades_after(world: World, market: Market, after_ms: int) -> Iterator[Trade]:
    """Yield the trades after an instant, oldest first, for as long as the market trades."""
    minute_ms = after_ms - after_ms % MINUTE_MS
    while market.delisted_ms is None or minute_ms < market.delisted_ms:
        if world.exists(market, minute_ms):
            for trade in world.minute(market, minute_ms).trades:
                if trade.ts_ms > after_ms:
                    yield trade
        minute_ms += MINUTE_MS


class TradeFeed:
    """Public trades: the latest at first, then each as it happens, newest first in a push."""

    stream = "stream.trades"

    def __init__(self, world: World, market: Market, *, v3: bool) -> None:
        self._world, self._market, self._v3 = world, market, v3
        self._coming: Iterator[Trade] = iter(())
        self._next: Trade | None = None
        self.due_ms: int | None = None

    def first(self, now_ms: int) -> Push | None:
        recent = self._world.trades(self._market, now_ms - _RECENT_MS, now_ms + 1)
        rows = [self._row(trade) for trade in islice(recent, _RECENT_TRADES)]
        self._coming = trades_after(self._world, self._market, now_ms)
        self._step()
        return Push("snapshot", rows, now_ms)

    def push(self, now_ms: int) -> Push | None:
        moment, found = self.due_ms or now_ms, []
        while self._next is not None and self._next.ts_ms < moment:
            found.append(self._next)
            self._step()
        return Push("update", [self._row(trade) for trade in reversed(found)], moment) if found else None

    def _step(self) -> None:
        self._next = next(self._coming, None)
        self.due_ms = None if self._next is None else (self._next.ts_ms // _TRADE_SLOT_MS + 1) * _TRADE_SLOT_MS

    def _row(self, trade: Trade) -> dict[str, str]:
        row = trade_row(self._market, trade)
        if self._v3:
            row = unified_trade_row(row)
            return {
                "i": row["execId"], "p": row["price"], "v": row["size"], "S": row["side"], "T": row["ts"],
                "L": row["execLinkId"], "isRPI": row["isRPI"],
            }  # fmt: skip
        return {name: row[name] for name in ("ts", "price", "size", "side", "tradeId")}


class CandleFeed:
    """Candles of one length: a thousand at first, then the forming one after its trades, and each once more, closed.

    A closed bar is pushed a moment after its end, before the first push of the one that follows.
    """

    stream = "stream.candles"

    def __init__(self, world: World, market: Market, interval: Interval, anchor: Anchor, *, v3: bool) -> None:
        self._world, self._market, self._v3 = world, market, v3
        self._interval, self._anchor = interval, anchor
        self._moments: Iterator[tuple[int, int]] = iter(())
        self._opened_ms = 0
        self.due_ms: int | None = None

    def first(self, now_ms: int) -> Push | None:
        length = self._interval.nominal_ms
        count = min(_CANDLES, max(_CANDLE_DAYS * DAY_MS // length, _FEWEST_CANDLES))
        start = self._interval.floor(now_ms - count * length, self._anchor)
        bars = self._world.bars(
            self._market, self._interval, start, now_ms + 1, now_ms=now_ms, anchor=self._anchor
        ).tail(count)  # fmt: skip
        self._moments = self._later(now_ms)
        self._step()
        return Push("snapshot", self._rows(bars), now_ms)

    def push(self, now_ms: int) -> Push | None:
        moment = self.due_ms or now_ms
        bars = self._world.bar_at(
            self._market, self._interval, self._opened_ms, now_ms=moment, anchor=self._anchor
        )  # fmt: skip
        self._step()
        return Push("update", self._rows(bars), moment) if len(bars) else None

    def _step(self) -> None:
        found = next(self._moments, None)
        self.due_ms, self._opened_ms = (None, 0) if found is None else found

    def _later(self, after_ms: int) -> Iterator[tuple[int, int]]:
        """Yield when to push, and which bar, ascending."""
        market, minute_ms = self._market, after_ms - after_ms % MINUTE_MS
        while market.delisted_ms is None or minute_ms <= market.delisted_ms:
            for moment, opened_ms in self._of_minute(minute_ms):
                if moment > after_ms:
                    yield moment, opened_ms
            minute_ms += MINUTE_MS

    def _of_minute(self, minute_ms: int) -> Iterator[tuple[int, int]]:
        opened_ms = self._interval.floor(minute_ms, self._anchor)
        opens = opened_ms == minute_ms
        if opens:
            yield minute_ms + _CLOSED_AFTER_MS, self._interval.floor(minute_ms - 1, self._anchor)
        if not self._world.exists(self._market, minute_ms):
            return
        trades = self._world.minute(self._market, minute_ms).trades
        seconds = {(trade.ts_ms // _CANDLE_STEP_MS + 1) * _CANDLE_STEP_MS for trade in trades}
        if opens:
            seconds.add(minute_ms + _CANDLE_STEP_MS)
        end_ms = minute_ms + MINUTE_MS
        if self._interval.floor(end_ms, self._anchor) == end_ms:
            seconds.discard(end_ms)  # the closing push says it
        for moment in sorted(seconds):
            yield moment, opened_ms

    def _rows(self, bars: Bars) -> list[Any]:
        rows = candle_rows(self._market, bars)
        if not self._v3:
            return [[*row, row[-1]] for row in rows]  # quote coin, then USDT
        names = ("start", "open", "high", "low", "close", "volume", "turnover")
        return [dict(zip(names, row, strict=True)) for row in rows]


class TickerFeed:
    """The whole ticker once a second; what is late is left out, as only the newest matters."""

    stream = "stream.tickers"

    def __init__(self, world: World, market: Market, *, v3: bool) -> None:
        self._world, self._market, self._v3 = world, market, v3
        self.due_ms: int | None = None

    def first(self, now_ms: int) -> Push | None:
        self.due_ms = (now_ms // _TICKER_STEP_MS + 1) * _TICKER_STEP_MS
        return Push("snapshot", [self._row(now_ms)], now_ms)

    def push(self, now_ms: int) -> Push | None:
        moment = now_ms - now_ms % _TICKER_STEP_MS
        self.due_ms = moment + _TICKER_STEP_MS
        if self._market.delisted_at(moment):
            self.due_ms = None
            return None
        return Push("snapshot", [self._row(moment)], moment)

    def _row(self, now_ms: int) -> dict[str, str]:
        market, futures = self._market, self._market.futures
        call = Call(load()["spot.tickers"], {}, None, now_ms, self._world)
        names: tuple[str, ...]
        extra = {"nextFundingTime": str(next_funding_ms(now_ms))}
        if self._v3:
            row = {**unified_ticker_row(call, market), **extra}
            names = (*_UNIFIED_TICKER, *_UNIFIED_CONTRACT) if futures else _UNIFIED_TICKER
        elif futures:
            row = {**futures_ticker_row(call, market), **extra, "symbolType": "1", "deliveryPrice": ""}
            names = _FUTURES_TICKER
        else:
            row = spot_ticker_row(call, market)
            row["open24h"] = row["open"]
            names = _SPOT_TICKER
        row["instId"] = market.symbol
        return {name: row[name] for name in names}


class LiquidationFeed:
    """Positions that were closed by force, of a whole product: each at a trade of its contract."""

    stream = "stream.liquidations"

    def __init__(self, world: World, kind: Kind) -> None:
        self._world, self._kind = world, kind
        self._coming: Iterator[tuple[int, dict[str, str]]] = iter(())
        self._row: dict[str, str] = {}
        self.due_ms: int | None = None

    def first(self, now_ms: int) -> Push | None:
        self._coming = self._after(now_ms)
        self._step()
        return None

    def push(self, now_ms: int) -> Push | None:
        push = Push("update", [self._row], self.due_ms or now_ms)
        self._step()
        return push

    def _step(self) -> None:
        self.due_ms, self._row = next(self._coming)

    def _after(self, after_ms: int) -> Iterator[tuple[int, dict[str, str]]]:
        minute_ms = after_ms - after_ms % MINUTE_MS
        while True:
            markets = of_kind(self._kind, minute_ms)
            found = [
                (trade.ts_ms, market, trade)
                for market in markets
                if (trade := liquidation(self._world, market, minute_ms))
            ]
            for moment, market, trade in sorted(found, key=lambda one: one[0]):
                if moment > after_ms:
                    yield moment, liquidation_row(market, trade)
            minute_ms += MINUTE_MS
