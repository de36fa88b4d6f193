"""The sandbox's accounts: whose they are, and what they hold and have done at any instant."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bgresearch.core.intervals import DAY_MS
from bgresearch.sandbox.traders.history import EPOCH_MS, TraderHistory, history_of
from bgresearch.sandbox.traders.records import (
    Fill,
    LedgerEntry,
    Movement,
    Order,
    PositionRecord,
    Transfer,
    base_units,
    scaled,
)
from bgresearch.sandbox.world.world import World

WALLETS = ("spot", "usdt-futures", "funding")
LEVERAGE = 10
_AHEAD_DAYS = 7  # a history is made in whole weeks, so that a moving clock seldom makes it again


class Holding(NamedTuple):
    """A wallet's balance of one coin and the part of it in open orders, in units of 1e-8."""

    total: int
    frozen: int
    changed_ms: int

    @property
    def free(self) -> int:
        """What can be spent."""
        return self.total - self.frozen


class TraderLife:
    """A trader's history, made on first use and made again, longer, when the clock has passed its end."""

    def __init__(self, world: World, trader: str) -> None:
        self._world, self._trader = world, trader
        self._last_day, self._history = -1, TraderHistory()
        self._lock = threading.Lock()

    def until(self, now_ms: int) -> TraderHistory:
        """Return a history that covers at least this instant."""
        day = now_ms // DAY_MS
        with self._lock:
            if day > self._last_day:
                self._last_day = day + _AHEAD_DAYS - day % _AHEAD_DAYS
                self._history = history_of(self._world, self._trader, self._last_day)
            return self._history


@dataclass(eq=False, slots=True)
class Account:
    """One account with its history, which is made on first use.

    Attributes
    ----------
    uid : str
        Digits.
    mode : str
        ``classic`` answers on v2, ``unified`` on v3.
    demo : bool
        Whether it belongs to the demo environment.
    registered_ms : int
        When it was opened.
    """

    name: str
    uid: str
    mode: Literal["classic", "unified"]
    demo: bool
    life: TraderLife = field(repr=False)
    registered_ms: int = EPOCH_MS - 40 * DAY_MS

    def history(self, now_ms: int) -> TraderHistory:
        """Return a history of at least everything up to this instant; it may go on beyond it."""
        return self.life.until(now_ms)

    def fills(self, now_ms: int) -> list[Fill]:
        """Return the executions up to now, oldest first."""
        fills = self.history(now_ms).fills
        return fills[: bisect.bisect_right(fills, now_ms, key=lambda fill: fill.ts_ms)]

    def orders(self, now_ms: int, *, pending: bool) -> list[Order]:
        """Return the open orders placed up to now, or the closed ones; with their fills up to now."""
        orders = self.history(now_ms).orders
        placed = orders[: bisect.bisect_right(orders, now_ms, key=lambda order: order.ts_ms)]
        if not pending:
            return [order for order in placed if order.done_ms <= now_ms]
        return [
            order._replace(fills=tuple(fill for fill in order.fills if fill.ts_ms <= now_ms))
            for order in placed
            if order.done_ms > now_ms
        ]

    def entries(self, now_ms: int) -> list[LedgerEntry]:
        """Return the ledger up to now, oldest first."""
        entries = self.history(now_ms).entries
        return entries[: bisect.bisect_right(entries, now_ms, key=lambda entry: entry.ts_ms)]

    def movements(self, now_ms: int) -> list[Movement]:
        """Return the deposits and withdrawals up to now, oldest first."""
        return [row for row in self.history(now_ms).movements if row.ts_ms <= now_ms]

    def transfers(self, now_ms: int) -> list[Transfer]:
        """Return the transfers up to now, oldest first."""
        return [row for row in self.history(now_ms).transfers if row.ts_ms <= now_ms]

    def positions(self, now_ms: int, *, closed: bool) -> list[PositionRecord]:
        """Return the positions that were closed up to now, or that are open; with what had happened by now."""
        rows = self.history(now_ms).positions
        if closed:
            return [row for row in rows if row.closed_ms <= now_ms]
        return [_so_far(row, now_ms) for row in rows if row.opened_ms <= now_ms < row.closed_ms]

    def holdings(self, wallet: str, now_ms: int) -> dict[str, Holding]:
        """Return what a wallet holds, by coin; ``unified`` is spot and contracts in one."""
        wallets = ("spot", "usdt-futures") if wallet == "unified" else (wallet,)
        latest: dict[str, LedgerEntry] = {}
        for entry in self.entries(now_ms):
            if entry.wallet in wallets:
                latest[entry.coin] = entry
        frozen = self._frozen(wallets, now_ms)
        return {
            coin: Holding(entry.unified if wallet == "unified" else entry.balance, frozen.get(coin, 0), entry.ts_ms)
            for coin, entry in sorted(latest.items())
        }

    def _frozen(self, wallets: Iterable[str], now_ms: int) -> dict[str, int]:
        frozen: dict[str, int] = {}
        for order in self.orders(now_ms, pending=True):
            market = order.market
            if market.kind not in wallets or order.limit is None or order.action.startswith("close"):
                continue
            left = order.size - sum(fill.size for fill in order.fills)
            coin, amount = market.quote, scaled(market, order.limit, left)
            if market.futures:
                amount //= LEVERAGE
            elif not order.buy:
                coin, amount = market.base, base_units(market, left)
            frozen[coin] = frozen.get(coin, 0) + amount
        return frozen


def make_accounts(world: World) -> dict[str, Account]:
    """Return the accounts by name: ``classic`` and ``unified`` lived the same life, ``demo`` another."""
    shared = TraderLife(world, "live")
    return {
        "classic": Account("classic", "4100200301", "classic", demo=False, life=shared),
        "unified": Account("unified", "4100200302", "unified", demo=False, life=shared),
        "demo": Account("demo", "4100200303", "classic", demo=True, life=TraderLife(world, "demo")),
    }


def _so_far(position: PositionRecord, now_ms: int) -> PositionRecord:
    return position._replace(
        opening=tuple(fill for fill in position.opening if fill.ts_ms <= now_ms),
        closing=tuple(fill for fill in position.closing if fill.ts_ms <= now_ms),
        funding=tuple(row for row in position.funding if row[0] <= now_ms),
    )
