"""The accounts' history: one story, booked to the last digit, the same however far it is reported."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS
from bgresearch.sandbox.traders.accounts import WALLETS, Account, make_accounts
from bgresearch.sandbox.traders.history import EPOCH_MS, TraderHistory, history_of
from bgresearch.sandbox.traders.records import UNIT, scaled
from bgresearch.sandbox.world.funding import RATE_PLACES, funding_rate
from bgresearch.sandbox.world.markets import MAINTENANCE, of_kind, utc_ms
from bgresearch.sandbox.world.minute_bars import HIGH, LOW, VOLUME
from bgresearch.sandbox.world.trades import id_at
from bgresearch.sandbox.world.world import World

from .conftest import NOW_MS, SEED

BGB = next(market for market in of_kind("spot", NOW_MS) if market.symbol == "BGBUSDT")


@pytest.fixture(scope="module")
def history(accounts: dict[str, Account]) -> TraderHistory:
    return accounts["classic"].history(NOW_MS)


def test_a_longer_history_begins_with_the_shorter_one(world: World) -> None:
    day = EPOCH_MS // DAY_MS + 40
    end = (day + 1) * DAY_MS
    short, long = history_of(world, "live", day), history_of(World(SEED), "live", day + 15)
    for name in ("orders", "fills", "entries", "transfers", "movements", "positions"):
        before = [row for row in getattr(short, name) if row[0] < id_at(end)]
        assert before == getattr(long, name)[: len(before)], name
        assert before


def test_every_fill_lies_inside_the_bar_of_its_minute(world: World, history: TraderHistory) -> None:
    for fill in history.fills[::7]:
        minute = fill.ts_ms - fill.ts_ms % MINUTE_MS
        if any(start <= minute < stop for start, stop in MAINTENANCE):
            continue
        bar = world.bars(fill.market, INTERVALS["1m"], minute, minute + 1, now_ms=minute + HOUR_MS).values[:, 0]
        assert bar[LOW] <= fill.price <= bar[HIGH]
        assert bar[VOLUME] > 0


def test_nobody_trades_during_maintenance(history: TraderHistory) -> None:
    assert not [f for f in history.fills if any(start <= f.ts_ms < stop for start, stop in MAINTENANCE)]


@pytest.mark.slow
def test_balances_never_fall_below_zero_even_after_years() -> None:
    long_history = history_of(World(SEED), "live", utc_ms(2028, 1, 1) // DAY_MS)
    assert min(entry.balance for entry in long_history.entries) >= 0
    assert min(entry.unified for entry in long_history.entries) >= 0


def test_the_ledger_is_the_running_sum_of_itself(history: TraderHistory) -> None:
    wallets: defaultdict[tuple[str, str], int] = defaultdict(int)
    unified: defaultdict[str, int] = defaultdict(int)
    for entry in history.entries:
        wallets[entry.wallet, entry.coin] += entry.change + entry.fee
        assert entry.balance == wallets[entry.wallet, entry.coin]
        if entry.wallet != "funding":
            unified[entry.coin] += entry.change + entry.fee
        assert entry.unified == unified[entry.coin]


def test_holdings_follow_from_fills_money_and_funding_alone(accounts: dict[str, Account]) -> None:
    account = accounts["classic"]
    held: defaultdict[tuple[str, str], int] = defaultdict(int)
    for fill in account.fills(NOW_MS):
        if fill.market.futures:
            held["usdt-futures", "USDT"] += fill.profit - fill.fee
            continue
        base = fill.size * 10 ** (8 - fill.market.size_places)
        sign = 1 if fill.buy else -1
        held["spot", fill.market.base] += sign * base
        held["spot", "USDT"] -= sign * fill.value
        held["spot", fill.fee_coin] -= fill.fee
    for move in account.movements(NOW_MS):
        held["spot", move.coin] += move.size if move.incoming else -move.size - move.fee
    for moved in account.transfers(NOW_MS):
        held[moved.source, moved.coin] -= moved.size
        held[moved.target, moved.coin] += moved.size
    for position in account.history(NOW_MS).positions:
        held["usdt-futures", "USDT"] += sum(paid for instant, paid in position.funding if instant <= NOW_MS)
    shown = {(wallet, coin): row.total for wallet in WALLETS for coin, row in account.holdings(wallet, NOW_MS).items()}
    assert shown == dict(held)


def test_a_unified_account_holds_what_the_classic_one_holds_together(accounts: dict[str, Account]) -> None:
    classic, unified = accounts["classic"], accounts["unified"]
    together = Counter()
    for wallet in ("spot", "usdt-futures"):
        together.update({coin: row.total for coin, row in classic.holdings(wallet, NOW_MS).items()})
    assert {coin: row.total for coin, row in unified.holdings("unified", NOW_MS).items()} == together
    assert classic.fills(NOW_MS) == unified.fills(NOW_MS)
    assert classic.fills(NOW_MS) != accounts["demo"].fills(NOW_MS)


def test_positions_open_and_close_in_full_and_never_overlap(history: TraderHistory) -> None:
    until: dict[tuple[str, bool], int] = {}
    for position in history.positions:
        opened = sum(fill.size for fill in position.opening)
        assert opened == sum(fill.size for fill in position.closing)
        cost = sum(fill.value for fill in position.opening)
        back = sum(fill.value for fill in position.closing)
        profit = sum(fill.profit for fill in position.closing)
        assert profit == (back - cost if position.long else cost - back)
        key = (position.market.symbol, position.long)
        assert until.get(key, 0) < position.opened_ms < position.closed_ms
        until[key] = position.closed_ms


def test_funding_is_size_times_price_times_rate_at_every_settlement_it_was_open(
    world: World, history: TraderHistory
) -> None:
    settled = [position for position in history.positions if position.funding]
    assert len(settled) > 100
    for position in settled[::10]:
        size = sum(fill.size for fill in position.opening)
        for instant, received in position.funding:
            assert instant % (8 * HOUR_MS) == 0
            price = int(
                world.minute_closes(position.market, (instant - 1) // DAY_MS)[(instant - 1) % DAY_MS // MINUTE_MS]
            )
            rate = funding_rate(SEED, position.market, instant)
            paid = scaled(position.market, price, size) * rate // 10**RATE_PLACES
            assert received == (-paid if position.long else paid)


def test_fees_are_what_the_rates_say(world: World, history: TraderHistory) -> None:
    for fill in history.fills:
        charged = fill.value
        if not fill.market.futures and fill.buy:
            charged = fill.size * 10 ** (8 - fill.market.size_places)
        rate = (200 if fill.maker else 600) if fill.market.futures else 1000
        if fill.deducted:
            assert fill.fee_coin == "BGB"
            assert not fill.buy
            price = int(world.minute_closes(BGB, fill.ts_ms // DAY_MS)[fill.ts_ms % DAY_MS // MINUTE_MS])
            charged, rate = fill.value * 10**BGB.price_places // price, 800
        assert fill.fee == charged * rate // 10**6
        assert fill.value == scaled(fill.market, fill.price, fill.size)


def test_a_day_is_as_busy_as_a_trader(history: TraderHistory) -> None:
    days = Counter((fill.ts_ms // DAY_MS, fill.market.kind) for fill in history.fills)
    for kind, low, high in (("spot", 20, 45), ("usdt-futures", 1, 24)):
        counts = [count for (_, one), count in days.items() if one == kind]
        assert low <= min(counts)
        assert max(counts) <= high
    assert {fill.market.symbol for fill in history.fills} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}


def test_ids_have_19_digits_ascend_with_time_and_are_never_used_twice(history: TraderHistory) -> None:
    seen: list[int] = []
    for rows in (
        history.orders,
        history.fills,
        history.entries,
        history.transfers,
        history.movements,
        history.positions,
    ):
        ids = [row[0] for row in rows]
        assert ids == sorted(ids)
        seen += ids
    assert len(set(seen)) == len(seen)
    assert {len(str(number)) for number in seen} == {19}


def test_nothing_of_the_future_is_reported(accounts: dict[str, Account]) -> None:
    account = accounts["classic"]
    noon = utc_ms(2026, 3, 3, 12)
    assert max(fill.ts_ms for fill in account.fills(noon)) <= noon
    assert max(entry.ts_ms for entry in account.entries(noon)) <= noon
    assert account.fills(EPOCH_MS - 1) == []
    assert account.holdings("spot", EPOCH_MS - 1) == {}


def test_open_positions_and_orders_show_only_what_happened_so_far(world: World) -> None:
    account = make_accounts(world)["classic"]
    position = next(p for p in account.history(NOW_MS).positions if len(p.opening) == 2 and p.opening[0].maker)
    between = position.opening[0].ts_ms
    shown = next(p for p in account.positions(between, closed=False) if p.position_id == position.position_id)
    assert shown.opening == position.opening[:1]
    assert shown.closing == ()
    order = next(o for o in account.orders(between, pending=True) if o.order_id == position.opening[0].order_id)
    assert len(order.fills) == 1
    assert account.holdings("usdt-futures", between)["USDT"].frozen > 0


def test_money_waits_in_the_order_that_is_never_reached(accounts: dict[str, Account]) -> None:
    account = accounts["classic"]
    waiting = [order for order in account.orders(NOW_MS, pending=True) if not order.market.futures and order.buy]
    frozen = sum(scaled(order.market, order.limit or 0, order.size) for order in waiting)
    assert account.holdings("spot", NOW_MS)["USDT"].frozen == frozen
    assert 0 < frozen < 200 * UNIT
    assert [order for order in account.orders(NOW_MS, pending=False) if not order.fills]
