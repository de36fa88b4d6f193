"""A trader's history: what one invented person did every day, booked to the last digit. Pure.

It has a large deposit, a starting portfolio, then every day small round trips in spot and in long and short contracts
with fees and funding, a weekly limit order that is never filled, monthly deposits, transfers and withdrawals.
Each day is drawn from the seed alone; balances are the running sums of the ledger, so a longer history begins with
the same bytes as a shorter one. Every fill is at the close of the minute in which it happens.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from bgresearch.core.intervals import DAY_MS, MINUTE_MS
from bgresearch.sandbox.traders.ledger import Line, balanced
from bgresearch.sandbox.traders.records import (
    UNIT,
    Fill,
    LedgerEntry,
    Movement,
    Order,
    PositionRecord,
    Transfer,
    base_units,
    scaled,
)  # fmt: skip
from bgresearch.sandbox.world.funding import FUNDING_MS, RATE_PLACES, funding_rate
from bgresearch.sandbox.world.hash_random import Ints, bits_at, key_of
from bgresearch.sandbox.world.markets import MAINTENANCE, Kind, Market, find, utc_ms
from bgresearch.sandbox.world.trades import id_at
from bgresearch.sandbox.world.world import World

EPOCH_MS = utc_ms(2026, 1, 1)
_EPOCH_DAY = EPOCH_MS // DAY_MS
_SPOT_FEE, _TAKER_FEE, _MAKER_FEE = 1000, 600, 200  # units of 1e-6
_FEE_UNIT = 10**6
_DEDUCTED_FEE = 800  # a fifth less for paying in BGB
_DEDUCTED_DAY = 2  # of a week; spot sells of that day pay in BGB
_SERIALS_A_DAY = 5_000
_ORDER, _FILL, _ENTRY, _FUNDING, _MOVE = (serial * 10_000 for serial in range(1, 6))


@dataclass(slots=True)
class TraderHistory:
    """Everything that happened until some day, each list in the order of its ids."""

    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    positions: list[PositionRecord] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    movements: list[Movement] = field(default_factory=list)


def history_of(world: World, trader: str, last_day: int) -> TraderHistory:
    """Return the history of a trader from `EPOCH_MS` to the end of that day, counted from the epoch."""
    return _HistoryMaker(world, trader).until(last_day)


class _HistoryMaker:
    def __init__(self, world: World, trader: str) -> None:
        self._world = world
        self._key = key_of(world.seed, "trader", trader)
        self._history = TraderHistory()
        self._booked: list[Line] = []
        self._serial = 0
        self._closes: dict[tuple[str, str, int], Ints] = {}
        self._funding: dict[tuple[str, int], int] = {}
        self._spot, self._contracts = _traded("spot"), _traded("usdt-futures")
        self._deducts = _listed("spot", "BGBUSDT")

    def until(self, last_day: int) -> TraderHistory:
        for day in range(_EPOCH_DAY, last_day + 1):
            self._serial = day % 2 * _SERIALS_A_DAY  # orders placed for the next day have ids of their own
            self._money(day)
            self._trade_spot(day)
            self._trade_contracts(day)
            if (day + 3) % 7 == 0:  # Mondays: day 0 was a Thursday
                self._hopeful_order(day, self._spot["BTC"], "")
                self._hopeful_order(day, self._contracts["ETH"], "open_long")
            for key in [key for key in self._closes if key[2] < day]:
                del self._closes[key]
        made = self._history
        for rows in (made.orders, made.fills, made.positions, made.transfers, made.movements):
            rows.sort(key=lambda row: row[0])
        made.entries = balanced(self._booked)
        return made

    # what is drawn

    def _next(self) -> int:
        self._serial += 1
        return self._serial

    def _draw(self, day: int, *place: int) -> int:
        counter = day
        for word in place:
            counter = counter * 64 + word
        return bits_at(self._key, counter)

    def _close(self, market: Market, ts_ms: int) -> int:
        day, rest = divmod(ts_ms, DAY_MS)
        key = (market.kind, market.symbol, day)
        if key not in self._closes:
            self._closes[key] = self._world.minute_closes(market, day)
        return int(self._closes[key][rest // MINUTE_MS])

    # spot

    def _trade_spot(self, day: int) -> None:
        first = day == _EPOCH_DAY
        for name, worth in (("BTC", 20_000), ("ETH", 8_000), ("SOL", 8_000)) if first else ():
            market = self._spot[name]
            minute = day * DAY_MS + (60 + 7 * len(name) + worth // 1000) * MINUTE_MS
            self._spot_order(market, minute, buy=True, size=self._size(market, minute, worth), draw=0)
        for lane, name in enumerate(("BTC", "SOL" if day % 2 else "ETH")):
            market = self._spot[name]
            for trip in range(5 + self._draw(day, lane) % 3):
                draw = self._draw(day, lane, trip, 1)
                bought = 120 + draw % 900
                sold = bought + 20 + (draw >> 16) % 380
                start = day * DAY_MS
                size = self._size(market, start + bought * MINUTE_MS, 50 + (draw >> 32) % 550)
                self._spot_order(market, start + bought * MINUTE_MS, buy=True, size=size, draw=draw >> 8)
                self._spot_order(market, start + sold * MINUTE_MS, buy=False, size=size, draw=draw >> 24)

    def _size(self, market: Market, minute_ms: int, worth: int) -> int:
        places = market.price_places + market.size_places
        return max(worth * int(10**places) // self._close(market, minute_ms), 2)

    def _spot_order(self, market: Market, minute_ms: int, *, buy: bool, size: int, draw: int) -> None:
        order = self._order(market, minute_ms, buy=buy, action="", size=size, draw=draw)
        for fill in order.fills:
            base = base_units(market, fill.size)
            lines = ((market.base, base), (market.quote, fill.value))
            (gained, gain), (given, gift) = lines if buy else lines[::-1]
            reason = "buy" if buy else "sell"
            fee = 0 if fill.deducted else -fill.fee
            self._book(fill.ts_ms, "spot", gained, reason, gain, symbol=market.symbol, fee=fee)
            self._book(fill.ts_ms, "spot", given, reason, -gift, symbol=market.symbol)
            if fill.deducted:
                self._book(fill.ts_ms, "spot", fill.fee_coin, "deduction", -fill.fee, symbol=market.symbol)

    def _order(
        self, market: Market, minute_ms: int, *, buy: bool, action: str, size: int, draw: int,
        opened: tuple[Fill, ...] = (),
    ) -> Order:  # fmt: skip
        """Return an order that is filled in one or two parts, at the closes of one or two minutes."""
        minute_ms = _after_maintenance(minute_ms)
        limit_order = draw % 4 == 0
        split = draw % 3 != 0 if market.futures else draw % 3 == 0
        parts = [size // 2, size - size // 2] if split else [size]
        done = minute_ms + MINUTE_MS - 900 + draw % 800
        times = [done + at * ((1 + draw % 5) * MINUTE_MS if limit_order else 7) for at in range(len(parts))]
        placed = done - ((1 + draw % 9) * MINUTE_MS if limit_order else 40)
        order_id = id_at(placed, _ORDER + self._next())
        fills = tuple(
            self._fill(
                order_id,
                ts,
                market,
                buy=buy,
                action=action,
                maker=limit_order,
                size=part,
                cost=_cost(opened, sum(parts[:at]), part),
            )
            for at, (ts, part) in enumerate(zip(times, parts, strict=True))
        )
        prices = [fill.price for fill in fills]
        limit = (max(prices) if buy else min(prices)) if limit_order else None
        order = Order(order_id, placed, times[-1], market, buy, action, limit, size, fills)
        self._history.orders.append(order)
        self._history.fills += fills
        return order

    def _fill(
        self, order_id: int, ts_ms: int, market: Market, *, buy: bool, action: str, maker: bool, size: int,
        cost: int | None,
    ) -> Fill:  # fmt: skip
        price = self._close(market, ts_ms)
        value = scaled(market, price, size)
        fee_coin, rate, charged, profit = market.quote, _SPOT_FEE, value, 0
        if market.futures:
            rate = _MAKER_FEE if maker else _TAKER_FEE
            if cost is not None:
                profit = cost - value if buy else value - cost
        elif buy:
            fee_coin, charged = market.base, base_units(market, size)
        deducted = not market.futures and not buy and ts_ms // DAY_MS % 7 == _DEDUCTED_DAY
        if deducted:
            rate, fee_coin = _DEDUCTED_FEE, "BGB"
            charged = value * int(10**self._deducts.price_places) // self._close(self._deducts, ts_ms)
        fee = charged * rate // _FEE_UNIT
        fill_id = id_at(ts_ms, _FILL + self._next())
        return Fill(
            fill_id, order_id, ts_ms, market, buy, action, maker, price, size, value, fee, fee_coin, profit, deducted
        )  # fmt: skip

    def _hopeful_order(self, day: int, market: Market, action: str) -> None:
        """Place a limit order at half the price on a Monday; it is cancelled on the Sunday after."""
        placed = day * DAY_MS + 5 * MINUTE_MS
        price = self._close(market, placed) // (2 * market.price_step) * market.price_step
        size = max(100 * 10 ** (market.price_places + market.size_places) // price, 1)
        order_id = id_at(placed, _ORDER + self._next())
        done = placed + 7 * DAY_MS - 65 * MINUTE_MS
        self._history.orders.append(Order(order_id, placed, done, market, True, action, price, size, ()))

    # contracts

    def _trade_contracts(self, day: int) -> None:
        for lane, name in enumerate(("BTC", "BTC", "SOL" if day % 2 else "ETH", "SOL" if day % 2 else "ETH")):
            draw = self._draw(day, 10 + lane)
            major = name == "BTC"
            if major and day % 4 == 1:
                continue  # yesterday's position is still open
            overnight = day % 4 == 0 if major else draw % 2 == 0
            opened = day * DAY_MS + (10 + (draw >> 4) % 500) * MINUTE_MS
            closed = day * DAY_MS + (560 + (draw >> 20) % 860) * MINUTE_MS
            if overnight:
                closed = (day + 1) * DAY_MS + (10 + (draw >> 20) % 900) * MINUTE_MS
            self._position(self._contracts[name], (opened, closed), long=lane % 2 == 0, draw=draw)

    def _position(self, market: Market, times: tuple[int, int], *, long: bool, draw: int) -> None:
        side = "long" if long else "short"
        size = self._size(market, times[0], 300 + (draw >> 40) % 2700)
        opening = self._order(
            market, times[0], buy=long, action=f"open_{side}", size=size, draw=draw >> 10
        ).fills  # fmt: skip
        closing = self._order(
            market, times[1], buy=not long, action=f"close_{side}", size=size, draw=draw >> 30, opened=opening
        ).fills  # fmt: skip
        for fill in (*opening, *closing):
            self._book(
                fill.ts_ms, "usdt-futures", "USDT", fill.action, fill.profit, symbol=market.symbol, fee=-fill.fee
            )  # fmt: skip
        settled = []
        instant = opening[-1].ts_ms + FUNDING_MS - opening[-1].ts_ms % FUNDING_MS
        while instant < closing[0].ts_ms:
            worth = scaled(market, self._close(market, instant - 1), size)
            paid = worth * self._rate(market, instant) // 10**RATE_PLACES
            received = -paid if long else paid
            settled.append((instant, received))
            self._book(instant, "usdt-futures", "USDT", "funding", received, symbol=market.symbol)
            instant += FUNDING_MS
        position_id = id_at(opening[0].ts_ms, self._next())
        self._history.positions.append(PositionRecord(position_id, market, long, opening, closing, tuple(settled)))

    def _rate(self, market: Market, instant_ms: int) -> int:
        key = (market.symbol, instant_ms)
        if key not in self._funding:
            self._funding[key] = funding_rate(self._world.seed, market, instant_ms)
        return self._funding[key]

    # money

    def _money(self, day: int) -> None:
        start = day * DAY_MS
        date = dt.datetime.fromtimestamp(start / 1000, tz=dt.UTC)
        if day == _EPOCH_DAY:
            self._move(start + 10 * MINUTE_MS, "USDT", 120_000, incoming=True)
            self._move(start + 12 * MINUTE_MS, "BGB", 200, incoming=True)
            self._transfer(start + 20 * MINUTE_MS, "spot", "usdt-futures", 30_000)
            self._transfer(start + 30 * MINUTE_MS, "spot", "funding", 500)
        elif date.day == 1:
            self._move(start + 15 * MINUTE_MS, "USDT", 2_500, incoming=True)
        elif date.day == 2:
            self._transfer(start + 95 * MINUTE_MS, "spot", "usdt-futures", 900)
        elif date.day == 15:
            self._move(start + 45 * MINUTE_MS, "USDT", 200, incoming=False)
        elif date.day == 20:
            self._transfer(start + 50 * MINUTE_MS, "usdt-futures", "spot", 150)
        elif date.day == 25:
            self._transfer(start + 55 * MINUTE_MS, "spot", "funding", 25)

    def _move(self, ts_ms: int, coin: str, amount: int, *, incoming: bool) -> None:
        fee = 0 if incoming else UNIT
        movement_id = id_at(ts_ms, _MOVE + self._next())
        self._history.movements.append(Movement(movement_id, ts_ms, coin, amount * UNIT, fee, incoming))
        change = amount * UNIT if incoming else -amount * UNIT
        self._book(ts_ms, "spot", coin, "deposit" if incoming else "withdraw", change, fee=-fee)

    def _transfer(self, ts_ms: int, source: str, target: str, amount: int) -> None:
        transfer_id = id_at(ts_ms, _MOVE + self._next())
        self._history.transfers.append(Transfer(transfer_id, ts_ms, "USDT", source, target, amount * UNIT))
        internal = "funding" not in (source, target)
        self._book(ts_ms, source, "USDT", "transfer_out", -amount * UNIT, internal=internal)
        self._book(ts_ms, target, "USDT", "transfer_in", amount * UNIT, internal=internal)

    def _book(
        self, ts_ms: int, wallet: str, coin: str, reason: str, change: int, *, symbol: str = "", fee: int = 0,
        internal: bool = False,
    ) -> None:  # fmt: skip
        kind = _FUNDING if reason == "funding" else _ENTRY
        self._booked.append(
            (id_at(ts_ms, kind + self._next()), ts_ms, wallet, coin, reason, symbol, change, fee, internal)
        )


def _cost(opened: tuple[Fill, ...], done: int, size: int) -> int | None:
    """Return what the part of a position cost that is closed after ``done``: the parts together cost what it did."""
    if not opened:
        return None
    cost, whole = sum(fill.value for fill in opened), sum(fill.size for fill in opened)
    return cost * (done + size) // whole - cost * done // whole


def _traded(kind: Kind) -> dict[str, Market]:
    """Return the trader's markets of one kind: prices and sizes there have at most 8 decimals together."""
    return {name: _listed(kind, f"{name}USDT") for name in ("BTC", "ETH", "SOL")}


def _listed(kind: Kind, symbol: str) -> Market:
    market = find(kind, symbol)
    if market is None:
        raise LookupError(symbol)
    return market


def _after_maintenance(minute_ms: int) -> int:
    """Return the minute, or one after the closed hour if an order placed then would still be filling in it."""
    closed = any(start - 10 * MINUTE_MS <= minute_ms < stop for start, stop in MAINTENANCE)
    return minute_ms + 70 * MINUTE_MS if closed else minute_ms
