"""An account with more records than a page holds: thousands, many in one instant, more while they are read. Pure.

An account of `history` has about as many records a day as one person makes. One of heavy trading has any number of
fills, ledger lines, transfers and deposits, placed where pagination goes wrong: bursts that share a millisecond and are
longer than a page, rows that differ only in their id, and records that arrive while pages are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

from bgresearch.core.intervals import DAY_MS
from bgresearch.sandbox.traders.accounts import Account, TraderLife
from bgresearch.sandbox.traders.history import TraderHistory
from bgresearch.sandbox.traders.ledger import Line, balanced
from bgresearch.sandbox.traders.records import UNIT, Fill, Movement, Order, Transfer, scaled
from bgresearch.sandbox.world.hash_random import bits_at, key_of
from bgresearch.sandbox.world.markets import Market, find
from bgresearch.sandbox.world.trades import id_at

_LONGEST_BURST = 160  # records of one millisecond; pages hold 100
_BURST_SHARE = 6  # of 256 instants: most have one record
_PRICES, _SIZES = 3, 2  # so few different ones that many rows are equal but for their ids


@dataclass(frozen=True)
class HeavyTrading:
    """How many records there are, and when.

    Attributes
    ----------
    now_ms : int
        When the reading begins.
    days : float
        How long the past before that is.
    fills, entries, transfers, movements : int
        How many records of each kind the past holds.
    arrivals : int
        How many of each come later.
    every_ms : int
        How far apart they come.
    """

    now_ms: int
    days: float = 85
    fills: int = 0
    entries: int = 0
    transfers: int = 0
    movements: int = 0
    arrivals: int = 0
    every_ms: int = 250

    def until(self, now_ms: int) -> TraderHistory:
        """Return the whole history, whatever the time is; later records are in it."""
        return self._history

    @cached_property
    def _history(self) -> TraderHistory:
        return _history_of(self)


def with_heavy_trading(account: Account, trading: HeavyTrading) -> Account:
    """Return the same account with this history."""
    return Account(account.name, account.uid, account.mode, account.demo, cast(TraderLife, trading))


def _history_of(trading: HeavyTrading) -> TraderHistory:
    history = TraderHistory()
    market, contract = find("spot", "BTCUSDT"), find("usdt-futures", "BTCUSDT")
    if market is None or contract is None:
        raise LookupError("the world has no BTCUSDT")
    for serial, at in enumerate(_instants(trading, "fills", trading.fills)):
        history.fills.append(_fill(contract if serial % 4 == 3 else market, at, serial))
    for fill in history.fills:
        action = fill.action
        history.orders.append(
            Order(fill.order_id, fill.ts_ms, fill.ts_ms, fill.market, fill.buy, action, None, fill.size, (fill,))
        )
    lines: list[Line] = [
        (id_at(at, serial), at, "spot", "USDT", "buy" if serial % 3 else "sell", "BTCUSDT", UNIT // 4, 0, False)
        for serial, at in enumerate(_instants(trading, "entries", trading.entries))
    ]
    history.entries = balanced(lines)
    history.transfers = [
        Transfer(id_at(at, serial), at, "USDT", "spot", "usdt-futures", UNIT)
        for serial, at in enumerate(_instants(trading, "transfers", trading.transfers))
    ]
    history.movements = [
        Movement(id_at(at, serial), at, "USDT", UNIT, 0, incoming=True)
        for serial, at in enumerate(_instants(trading, "movements", trading.movements))
    ]
    return history


def _fill(market: Market, at: int, serial: int) -> Fill:
    price = 60_000 * int(10**market.price_places) + serial % _PRICES
    size = 10 + serial % _SIZES
    return Fill(
        fill_id=id_at(at, serial), order_id=id_at(at, serial), ts_ms=at, market=market, buy=True,
        action="open_long" if market.futures else "", maker=False, price=price, size=size,
        value=scaled(market, price, size), fee=0, fee_coin="BTC",
    )  # fmt: skip


def _instants(trading: HeavyTrading, what: str, count: int) -> list[int]:
    """Return the times of the past, oldest first and with bursts, and of what comes later."""
    if not count:
        return []
    key, first = key_of(7, "crowd", what), trading.now_ms - int(trading.days * DAY_MS)
    times: list[int] = []
    while len(times) < count:
        word = bits_at(key, len(times))
        burst = 1 + (word >> 8) % _LONGEST_BURST if word % 256 < _BURST_SHARE else 1
        at = first + (word >> 16) % int(trading.days * DAY_MS)
        times += [at] * min(burst, count - len(times))
    later = [trading.now_ms + (1 + at) * trading.every_ms for at in range(trading.arrivals)]
    return sorted(times) + later
