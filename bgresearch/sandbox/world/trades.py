"""The public trades inside one minute: they open, touch, close and sum up to its bar. Pure."""

from __future__ import annotations

from typing import NamedTuple

from bgresearch.core.intervals import MINUTE_MS
from bgresearch.sandbox.world.hash_random import bits_at, key_of
from bgresearch.sandbox.world.markets import Market
from bgresearch.sandbox.world.minute_bars import CLOSE, HIGH, LOW, OPEN, VOLUME

_ID_EPOCH_MS = 1_435_725_920_677  # ids are snowflakes: measured on real trades, documented nowhere
_ID_SERIAL_BITS = 22
_MOST_EXTRA = 4  # trades in a minute besides those at its open, high, low and close


class Trade(NamedTuple):
    """One public trade; price and size in units of their last decimals."""

    trade_id: int
    ts_ms: int
    price: int
    size: int
    buy: bool


def id_at(ts_ms: int, serial: int = 0) -> int:
    """Return the id of the serial-th thing that happened in this millisecond."""
    return ((ts_ms - _ID_EPOCH_MS) << _ID_SERIAL_BITS) + serial


def instant_of(id_number: int) -> int:
    """Return the millisecond that an id was given out in."""
    return (id_number >> _ID_SERIAL_BITS) + _ID_EPOCH_MS


def trades_of_minute(market: Market, minute_ms: int, bar: list[int]) -> tuple[Trade, ...]:
    """Return the trades of a bar, oldest first; none if nothing was traded."""
    volume = bar[VOLUME]
    if volume == 0:
        return ()
    key = key_of(market.kind, market.symbol, "trades")
    word = bits_at(key, minute_ms)
    prices = [bar[OPEN], bar[HIGH], bar[LOW], bar[CLOSE]]
    if word & 1:
        prices[1], prices[2] = prices[2], prices[1]
    extra = min((word >> 1) % (_MOST_EXTRA + 1), volume - 4)
    step = market.price_step
    for serial in range(extra):
        steps = (bar[HIGH] - bar[LOW]) // step
        prices.insert(3, bar[LOW] + step * (bits_at(key, minute_ms + serial + 1) % (steps + 1)))
    count = len(prices)
    shares = [1 + (bits_at(key, minute_ms + 10 + serial) & 0xFFFF) for serial in range(count)]
    sizes = [1 + (volume - count) * share // sum(shares) for share in shares]
    sizes[-1] += volume - sum(sizes)
    slot = MINUTE_MS // count
    times = [minute_ms + slot * at + bits_at(key, minute_ms + 20 + at) % slot for at in range(count)]
    buys = [prices[at] > prices[at - 1] if at and prices[at] != prices[at - 1] else bool(word >> 8 + at & 1)
            for at in range(count)]  # fmt: skip
    return tuple(
        Trade(id_at(ts, serial), ts, price, size, buy)
        for serial, (ts, price, size, buy) in enumerate(zip(times, prices, sizes, buys, strict=True))
    )
