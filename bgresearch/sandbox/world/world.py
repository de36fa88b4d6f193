"""The synthetic markets: deterministic from a seed, random access in time, independent of when they are read.

Any bar can be computed alone; longer candles are made from the minutes, exactly. The present time only says where to
stop: the minute that is forming is made of the trades that have happened in it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from bgresearch.core.intervals import DAY_MS, HOUR_MS, MINUTE_MS, Anchor, Interval
from bgresearch.core.spans import Span
from bgresearch.sandbox.world.daily_prices import PriceWalk
from bgresearch.sandbox.world.hash_random import Ints
from bgresearch.sandbox.world.markets import COINS, STOCKS, Market, coin_of
from bgresearch.sandbox.world.minute_bars import CLOSE, HIGH, LOW, OPEN, QUOTE_VOLUME, VOLUME, MinuteMaker
from bgresearch.sandbox.world.trades import Trade, trades_of_minute

_MINUTE_DAYS_KEPT = 512  # of one market each, 69 KB: at most 35 MB
_HOUR_DAYS_KEPT = 24_000  # 1.2 KB each: at most 28 MB
_MINUTES_KEPT = 4096  # of one market each, with their trades: at most 12 MB
_NOTHING = np.empty((6, 0), dtype=np.int64)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Bars:
    """Candles of one market, oldest first.

    Attributes
    ----------
    open_ms : array of int64
        When each opens.
    values : array of int64, shape (6, n)
        Open, high, low, close in units of the last price decimal; volume in units of the last size decimal; quote
        volume in units of 1e-4 quote coin.
    """

    open_ms: Ints
    values: Ints

    def __len__(self) -> int:
        return len(self.open_ms)

    def tail(self, count: int) -> Bars:
        """Return the newest ``count`` of them."""
        first = max(len(self) - count, 0)
        return Bars(self.open_ms[first:], self.values[:, first:])


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of one market, whole.

    Attributes
    ----------
    bar : list of int
        Open, high, low, close, volume, quote volume in the units of `Bars`.
    trades : tuple of Trade
        What happened in it, oldest first.
    """

    bar: list[int]
    trades: tuple[Trade, ...]


class _Kept(Generic[_Value]):
    """The most recently used values, at most so many of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()  # outside the lock: two threads may make the same one, and it is the same
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value


class World:
    """Every market of the sandbox exchange.

    Parameters
    ----------
    seed : int
        The same seed gives the same bytes, on every machine.
    """

    def __init__(self, seed: int = 7) -> None:
        self.seed = seed
        self._walks = {name: PriceWalk(seed, coin) for name, coin in {**COINS, **STOCKS}.items()}
        self._makers: dict[tuple[str, str, str], MinuteMaker] = {}
        self._minute_days: _Kept[Ints] = _Kept(_MINUTE_DAYS_KEPT)
        self._hour_days: _Kept[Ints] = _Kept(_HOUR_DAYS_KEPT)
        self._minute_parts: _Kept[Minute] = _Kept(_MINUTES_KEPT)

    def bars(
        self, market: Market, interval: Interval, start_ms: int, end_ms: int, *, now_ms: int, price: str = "last",
        anchor: Anchor = "utc",
    ) -> Bars:  # fmt: skip
        """Return the candles that open in ``[start_ms, end_ms)`` and not after ``now_ms``; the last may be forming.

        Parameters
        ----------
        price : str
            ``last``, ``mark`` or ``index``.
        anchor : str
            Whether 6h and longer candles open on UTC boundaries or on those of UTC+8.
        """
        first = max(interval.ceil(start_ms, anchor), interval.floor(market.listed_ms, anchor))
        last = min(end_ms - 1, now_ms, (market.delisted_ms or end_ms) - 1)
        if first > last:
            return Bars(np.empty(0, dtype=np.int64), _NOTHING)
        end = interval.next_open(interval.floor(last, anchor), anchor)
        opens = _opens(interval, first, end, anchor)
        whole_hours = interval.nominal_ms >= HOUR_MS
        span = Span(first, end)
        unit_ms, units = (self._hours if whole_hours else self._minutes)(market, price, span, now_ms)
        if interval.name == "1m" or not unit_ms.size:
            return Bars(unit_ms, units)
        return _grouped(opens, unit_ms, units)

    def bar_at(self, market: Market, interval: Interval, open_ms: int, *, now_ms: int, anchor: Anchor = "utc") -> Bars:
        """Return the one candle that opens at ``open_ms`` as it is at ``now_ms``; nothing if there is none."""
        if interval.name != "1m":
            return self.bars(market, interval, open_ms, open_ms + 1, now_ms=now_ms, anchor=anchor)
        if not self.exists(market, open_ms) or now_ms < open_ms:
            return Bars(np.empty(0, dtype=np.int64), _NOTHING)
        whole = self.minute(market, open_ms)
        values = whole.bar if now_ms >= open_ms + MINUTE_MS else _so_far(whole, "last", open_ms, now_ms)
        return Bars(np.array([open_ms]), np.array(values)[:, None])

    def minute_closes(self, market: Market, day: int) -> Ints:
        """Return the 1440 closing prices of a UTC day, counted from the epoch; for markets that trade every minute."""
        return self._maker(market, "last").closes(day)

    def trades(self, market: Market, start_ms: int, end_ms: int) -> Iterator[Trade]:
        """Yield the trades in ``[start_ms, end_ms)``, newest first; those of a minute make up its bar."""
        first = max(start_ms, market.listed_ms)
        for day in range((min(end_ms, market.delisted_ms or end_ms) - 1) // DAY_MS, first // DAY_MS - 1, -1):
            bars = self._minute_day(market, "last", day)
            opens = np.flatnonzero(bars[VOLUME]) * MINUTE_MS + day * DAY_MS
            opens = opens[(opens > first - MINUTE_MS) & (opens < end_ms) & self._exist(market, opens)]
            for minute_ms in opens[::-1].tolist():
                for trade in reversed(self.minute(market, minute_ms).trades):
                    if first <= trade.ts_ms < end_ms:
                        yield trade

    def trades_in_order(self, market: Market, start_ms: int, end_ms: int) -> Iterator[Trade]:
        """Yield the trades in ``[start_ms, end_ms)``, oldest first, without keeping their minutes."""
        first = start_ms - start_ms % MINUTE_MS
        opens, values = self._joined(self._minute_day, market, "last", Span(first, end_ms))
        for minute_ms, bar in zip(opens.tolist(), values.T.tolist(), strict=True):
            for trade in trades_of_minute(market, minute_ms, bar):
                if start_ms <= trade.ts_ms < end_ms:
                    yield trade

    def price(self, market: Market, now_ms: int, *, price: str = "last") -> int:
        """Return the price at this instant, in units of the last decimal: the close of the forming minute."""
        end = now_ms
        for start, stop in market.closed:
            end = start - 1 if start <= end < stop else end
        end = min(end, (market.delisted_ms or end + 1) - 1)
        minute_ms = end - end % MINUTE_MS
        if not self.exists(market, minute_ms):
            raise LookupError(f"{market.symbol} was not listed at {end}")
        part = self.minute(market, minute_ms, price=price)
        return _so_far(part, price, minute_ms, end)[CLOSE]

    def minute(self, market: Market, minute_ms: int, *, price: str = "last") -> Minute:
        """Return the minute that opens at ``minute_ms`` as it will have been, its trades included.

        Nothing is said about whether the market trades then: see `exists`.
        """
        key = (market.kind, market.symbol, price, minute_ms)
        return self._minute_parts.get(key, lambda: self._make_minute(market, price, minute_ms))

    def exists(self, market: Market, minute_ms: int) -> bool:
        """Return whether the market has a bar for this minute: it is listed, and not halted or in maintenance."""
        listed = market.listed_ms <= minute_ms and (market.delisted_ms is None or minute_ms < market.delisted_ms)
        return listed and not any(start <= minute_ms < stop for start, stop in market.closed)

    def _make_minute(self, market: Market, price: str, minute_ms: int) -> Minute:
        day, rest = divmod(minute_ms, DAY_MS)
        bar = self._minute_day(market, price, day)[:, rest // MINUTE_MS].tolist()
        return Minute(bar, trades_of_minute(market, minute_ms, bar) if price == "last" else ())

    def kept_days(self) -> int:
        """Return how many days of minutes are in memory now."""
        return len(self._minute_days)

    def _maker(self, market: Market, price: str) -> MinuteMaker:
        key = (market.kind, market.symbol, price)
        if key not in self._makers:
            coin = coin_of(market)
            self._makers[key] = MinuteMaker(self.seed, market, coin, self._walks[coin.name], price=price)
        return self._makers[key]

    def _minute_day(self, market: Market, price: str, day: int) -> Ints:
        key = (market.kind, market.symbol, price, day)
        return self._minute_days.get(key, lambda: self._maker(market, price).day(day))

    def _hour_day(self, market: Market, price: str, day: int) -> Ints:
        key = (market.kind, market.symbol, price, day)
        return self._hour_days.get(key, lambda: _hourly(self._minute_day(market, price, day)))

    def _minutes(self, market: Market, price: str, span: Span, now_ms: int) -> tuple[Ints, Ints]:
        """Return what exists of the span in minutes, the one that holds ``now_ms`` as far as it got."""
        forming = now_ms - now_ms % MINUTE_MS
        done = Span(span.start_ms, min(span.end_ms, forming))
        opens, values = self._joined(self._minute_day, market, price, done)
        if span.start_ms <= forming < span.end_ms and self.exists(market, forming):
            part = np.array(_so_far(self.minute(market, forming, price=price), price, forming, now_ms))
            opens, values = np.append(opens, forming), np.concatenate((values, part[:, None]), axis=1)
        return opens, values

    def _hours(self, market: Market, price: str, span: Span, now_ms: int) -> tuple[Ints, Ints]:
        """Return what exists of the span in hours, the one that holds ``now_ms`` as far as it got."""
        forming = now_ms - now_ms % HOUR_MS
        done = Span(span.start_ms, min(span.end_ms, forming))
        opens, values = self._joined(self._hour_day, market, price, done)
        if span.start_ms <= forming < span.end_ms:
            minute_ms, minutes = self._minutes(market, price, Span(forming, forming + HOUR_MS), now_ms)
            if minute_ms.size:
                part = _grouped(np.array([forming]), minute_ms, minutes)
                opens, values = np.append(opens, part.open_ms), np.concatenate((values, part.values), axis=1)
        return opens, values

    def _joined(
        self, day_of: Callable[[Market, str, int], Ints], market: Market, price: str, span: Span
    ) -> tuple[Ints, Ints]:
        """Return the units of the days that the span touches, those outside it or never traded left out."""
        start_ms = max(span.start_ms, market.listed_ms)
        end_ms = min(span.end_ms, market.delisted_ms or span.end_ms)
        if start_ms >= end_ms:
            return np.empty(0, dtype=np.int64), _NOTHING
        first_day, last_day = start_ms // DAY_MS, (end_ms - 1) // DAY_MS
        days = [day_of(market, price, day) for day in range(first_day, last_day + 1)]
        values = np.concatenate(days, axis=1)
        unit_ms = DAY_MS // days[0].shape[1]
        skipped = (start_ms - first_day * DAY_MS) // unit_ms
        opens = np.arange(start_ms, end_ms, unit_ms, dtype=np.int64)
        exist = self._exist(market, opens)
        return opens[exist], values[:, skipped : skipped + len(opens)][:, exist]

    @staticmethod
    def _exist(market: Market, opens: Ints) -> np.ndarray:
        exist = opens >= market.listed_ms
        if market.delisted_ms is not None:
            exist &= opens < market.delisted_ms
        for start, stop in market.closed:
            exist &= (opens < start) | (opens >= stop)
        return exist


def _so_far(minute: Minute, price: str, minute_ms: int, now_ms: int) -> list[int]:
    """Return a forming minute: what its trades up to now make of it, or a straight line for mark and index."""
    values = minute.bar
    if price != "last":
        passed = now_ms - minute_ms
        close = values[OPEN] + (values[CLOSE] - values[OPEN]) * passed // MINUTE_MS
        return [values[OPEN], max(values[OPEN], close), min(values[OPEN], close), close, 0, 0]
    done = [trade for trade in minute.trades if trade.ts_ms <= now_ms]
    if not done:
        return [*[values[OPEN]] * 4, 0, 0]
    prices = [trade.price for trade in done]
    volume = sum(trade.size for trade in done)
    quote = values[QUOTE_VOLUME] * volume // values[VOLUME]
    return [prices[0], max(prices), min(prices), prices[-1], volume, quote]


def _opens(interval: Interval, first: int, end: int, anchor: Anchor) -> Ints:
    if interval.length_ms is not None:
        return np.arange(first, end, interval.length_ms, dtype=np.int64)
    opens = []
    while first < end:
        opens.append(first)
        first = interval.next_open(first, anchor)
    return np.array(opens, dtype=np.int64)


def _hourly(day: Ints) -> Ints:
    cut = day.reshape(6, 24, 60)
    return np.stack(
        (cut[OPEN, :, 0], cut[HIGH].max(axis=1), cut[LOW].min(axis=1), cut[CLOSE, :, -1],
         cut[VOLUME].sum(axis=1), cut[QUOTE_VOLUME].sum(axis=1))
    )  # fmt: skip


def _grouped(opens: Ints, unit_ms: Ints, units: Ints) -> Bars:
    """Return longer candles made of shorter ones, sums and extremes exact; opens without any are left out."""
    group = np.searchsorted(opens, unit_ms, side="right") - 1
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ends = np.append(starts[1:], len(group)) - 1
    values = np.stack(
        (units[OPEN, starts], np.maximum.reduceat(units[HIGH], starts), np.minimum.reduceat(units[LOW], starts),
         units[CLOSE, ends], np.add.reduceat(units[VOLUME], starts), np.add.reduceat(units[QUOTE_VOLUME], starts))
    )  # fmt: skip
    return Bars(opens[group[starts]], values)
