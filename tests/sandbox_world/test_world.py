"""The synthetic markets: the same from the same seed, any time alone, and shaped like real ones."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgresearch.core.intervals import DAY_MS, HOUR_MS, INTERVALS, MINUTE_MS
from bgresearch.sandbox.traders.records import text
from bgresearch.sandbox.world.markets import KINDS, MAINTENANCE, MARKETS, find, of_kind, utc_ms
from bgresearch.sandbox.world.minute_bars import CLOSE, HIGH, LOW, OPEN, QUOTE_VOLUME, VOLUME
from bgresearch.sandbox.world.world import Bars, World

from .conftest import NOW_MS, SEED

FAR_MS = utc_ms(2027, 1, 1)
LIQUID = [m for m in MARKETS if m.trading == 1.0 and m.delisted_ms is None]


def minutes(world: World, market, start_ms: int, end_ms: int, *, now_ms: int = FAR_MS, price: str = "last") -> Bars:
    return world.bars(market, INTERVALS["1m"], start_ms, end_ms, now_ms=now_ms, price=price)


DIGEST = """
import hashlib
from bgresearch.core.intervals import INTERVALS
from bgresearch.sandbox.world.markets import find, utc_ms
from bgresearch.sandbox.world.world import World
world, digest = World(7), hashlib.sha256()
names = ("spot", "BTCUSDT"), ("usdt-futures", "PEPEUSDT"), ("spot", "STILLUSDT"), ("coin-futures", "ETHUSD")
for kind, symbol in names:
    for price in ("last", "mark", "index"):
        bars = world.bars(find(kind, symbol), INTERVALS["1m"], utc_ms(2026, 4, 1), utc_ms(2026, 4, 3),
                          now_ms=utc_ms(2027, 1, 1), price=price)
        digest.update(bars.open_ms.astype("<i8").tobytes() + bars.values.astype("<i8").tobytes())
print(digest.hexdigest()[:16])
"""


def test_a_seed_gives_the_same_bytes_in_a_fresh_process() -> None:
    done = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert done.stdout.strip() == "e4f14ae203f09d82"


def test_another_seed_gives_another_world(world: World) -> None:
    bitcoin = find("spot", "BTCUSDT")
    day = utc_ms(2026, 4, 1)
    ours, theirs = (minutes(one, bitcoin, day, day + DAY_MS).values for one in (world, World(SEED + 1)))
    assert (ours[CLOSE] != theirs[CLOSE]).mean() > 0.99


def test_any_day_alone_equals_the_same_day_after_all_the_days_before_it() -> None:
    market = find("usdt-futures", "SOLUSDT")
    start = utc_ms(2026, 2, 1)
    sequential = minutes(World(SEED), market, start, start + 20 * DAY_MS)
    alone = minutes(World(SEED), market, start + 13 * DAY_MS, start + 14 * DAY_MS)
    at = np.searchsorted(sequential.open_ms, alone.open_ms)
    assert np.array_equal(sequential.values[:, at], alone.values)


@pytest.mark.parametrize("price", ["last", "mark", "index"])
@given(place=st.integers(0, len(MARKETS) - 1), day=st.integers(18_000, 21_000))
@settings(max_examples=60, deadline=None)
def test_bars_are_believable(place: int, day: int, price: str) -> None:
    market = MARKETS[place]
    values = minutes(World(SEED), market, day * DAY_MS, (day + 2) * DAY_MS, price=price).values
    opened, high, low, close, volume, quote = values
    assert (low >= 1).all()
    assert (low <= np.minimum(opened, close)).all()
    assert (high >= np.maximum(opened, close)).all()
    assert (values[:VOLUME] % market.price_step == 0).all()
    idle = volume == 0
    assert (quote[idle] == 0).all()
    if price != "last":
        assert idle.all()
        return
    assert (opened[idle] == close[idle]).all()
    assert (high[idle] == low[idle]).all()
    worth = volume * 10.0 ** (4 - market.price_places - market.size_places)
    assert (quote >= np.floor(low * worth) - 1).all()
    assert (quote <= np.ceil(high * worth) + 1).all()


@pytest.mark.parametrize("market", LIQUID[::5], ids=lambda m: f"{m.kind}-{m.symbol}")
def test_days_join_up(world: World, market) -> None:
    day = utc_ms(2026, 8, 3)
    values = minutes(world, market, day - 10 * DAY_MS, day).values
    gaps = np.abs(values[OPEN, 1:] - values[CLOSE, :-1])
    ranges = values[HIGH] - values[LOW]
    at_midnight = gaps[1439::1440]
    assert (at_midnight == 0).all()
    assert gaps.max() <= max(ranges.max(), 2 * market.price_step)


def test_a_minute_without_trades_stands_at_the_close_before_it(world: World, market) -> None:
    still = market("STILLUSDT")
    values = minutes(world, still, utc_ms(2026, 5, 1), utc_ms(2026, 5, 8)).values
    idle = np.flatnonzero(values[VOLUME] == 0)
    idle = idle[idle > 0]
    assert 0.9 < len(idle) / values.shape[1] < 0.99
    for which in (OPEN, HIGH, LOW, CLOSE):
        assert np.array_equal(values[which, idle], values[CLOSE, idle - 1])


def test_volatility_clusters_and_volume_follows_it(world: World, market) -> None:
    days = world.bars(market("BTCUSDT"), INTERVALS["1d"], utc_ms(2021, 1, 1), utc_ms(2026, 1, 1), now_ms=FAR_MS).values
    moved = np.abs(np.diff(np.log(days[CLOSE])))
    spread = np.log(days[HIGH] / days[LOW])
    assert np.corrcoef(spread[1:], spread[:-1])[0, 1] > 0.4
    assert np.corrcoef(spread, days[VOLUME] * (days[OPEN] / days[OPEN].mean()))[0, 1] > 0.3
    assert moved.max() > 4 * moved.mean()


def test_new_york_is_livelier_than_the_asian_morning(world: World, market) -> None:
    bars = world.bars(market("ETHUSDT"), INTERVALS["1h"], utc_ms(2026, 1, 1), utc_ms(2026, 5, 1), now_ms=FAR_MS)
    hour = bars.open_ms % DAY_MS // HOUR_MS
    assert bars.values[VOLUME, hour == 14].mean() > 1.5 * bars.values[VOLUME, hour == 5].mean()


@pytest.mark.parametrize("name", ["3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d", "3d", "1w", "1M"])
@pytest.mark.parametrize("anchor", ["utc", "exchange"])
def test_longer_candles_are_made_of_minutes_exactly(world: World, market, name: str, anchor) -> None:
    interval, one = INTERVALS[name], market("DOGEUSDT", "usdt-futures")
    start = interval.floor(MAINTENANCE[1][0], anchor)  # holds an hour that does not exist
    for _ in range(2):
        end = interval.next_open(start, anchor)
        made = world.bars(one, interval, start, end, now_ms=FAR_MS, anchor=anchor)
        of = minutes(world, one, start, end).values
        if not of.size:
            assert not len(made)
        else:
            assert made.open_ms.tolist() == [start]
            expected = [of[OPEN, 0], of[HIGH].max(), of[LOW].min(), of[CLOSE, -1], of[VOLUME].sum()]
            assert made.values[:QUOTE_VOLUME, 0].tolist() == [int(value) for value in expected]
            assert int(made.values[QUOTE_VOLUME, 0]) == int(of[QUOTE_VOLUME].sum())
        start = end


def test_every_market_misses_the_hours_of_maintenance(world: World, market) -> None:
    for start, stop in MAINTENANCE:
        for symbol in ("BTCUSDT", "STILLUSDT"):
            opens = minutes(world, market(symbol), start - HOUR_MS, stop + HOUR_MS).open_ms
            assert opens.tolist() == [
                *range(start - HOUR_MS, start, MINUTE_MS),
                *range(stop, stop + HOUR_MS, MINUTE_MS),
            ]
            hours = world.bars(market(symbol), INTERVALS["1h"], start - HOUR_MS, stop + HOUR_MS, now_ms=FAR_MS).open_ms
            assert hours.tolist() == [start - HOUR_MS, stop]


@pytest.mark.parametrize(
    ("symbol", "listed_ms"), [("FRESHUSDT", utc_ms(2025, 12, 29)), ("JUNEUSDT", utc_ms(2026, 6, 15))]
)
def test_nothing_exists_before_the_listing(world: World, market, symbol: str, listed_ms: int) -> None:
    bars = minutes(world, market(symbol), listed_ms - 3 * DAY_MS, listed_ms + HOUR_MS)
    assert bars.open_ms[0] == listed_ms
    assert len(bars) == 60
    assert len(minutes(world, market(symbol), 0, listed_ms)) == 0


def test_nothing_exists_after_the_delisting(world: World, market) -> None:
    gone = market("GONEUSDT")
    assert gone.delisted_ms is not None
    bars = minutes(world, gone, gone.delisted_ms - HOUR_MS, gone.delisted_ms + DAY_MS)
    assert bars.open_ms[-1] == gone.delisted_ms - MINUTE_MS


def test_nothing_is_known_of_the_future(world: World, market) -> None:
    bars = minutes(world, market("BTCUSDT"), NOW_MS - HOUR_MS, NOW_MS + DAY_MS, now_ms=NOW_MS)
    assert bars.open_ms[-1] == NOW_MS - NOW_MS % MINUTE_MS
    assert len(minutes(world, market("BTCUSDT"), NOW_MS + 1, NOW_MS + DAY_MS, now_ms=NOW_MS)) == 0


@given(passed_ms=st.integers(0, MINUTE_MS - 1))
@settings(max_examples=40, deadline=None)
def test_a_forming_minute_is_made_of_its_trades_and_ends_as_the_bar(passed_ms: int) -> None:
    world, ether = World(SEED), find("spot", "ETHUSDT")
    start = utc_ms(2026, 5, 28, 11)
    forming = minutes(world, ether, start, start + MINUTE_MS, now_ms=start + passed_ms).values[:, 0].tolist()
    trades = list(world.trades(ether, start, start + passed_ms + 1))[::-1]
    if trades:
        prices = [trade.price for trade in trades]
        assert forming[:VOLUME] == [prices[0], max(prices), min(prices), prices[-1]]
    else:
        assert len(set(forming[:VOLUME])) == 1
    assert forming[VOLUME] == sum(trade.size for trade in trades)
    whole = minutes(world, ether, start, start + MINUTE_MS).values[:, 0].tolist()
    at_the_end = minutes(world, ether, start, start + MINUTE_MS, now_ms=start + MINUTE_MS - 1).values[:, 0].tolist()
    assert at_the_end == whole


def test_the_trades_of_a_day_sum_up_to_its_candle(world: World, market) -> None:
    for symbol in ("PEPEUSDT", "STILLUSDT", "GIGAUSDT"):
        one, day = market(symbol), utc_ms(2026, 4, 7)
        trades = list(world.trades(one, day, day + DAY_MS))
        bar = world.bars(one, INTERVALS["1d"], day, day + DAY_MS, now_ms=FAR_MS).values[:, 0]
        assert sum(trade.size for trade in trades) == bar[VOLUME]
        assert max(trade.price for trade in trades) == bar[HIGH]
        assert min(trade.price for trade in trades) == bar[LOW]
        ids = [trade.trade_id for trade in trades]
        assert ids == sorted(set(ids), reverse=True)
        assert all(len(str(number)) == 19 for number in ids)


def test_mark_and_index_stay_near_the_last_price(world: World, market) -> None:
    one, day = market("BTCUSDT", "usdt-futures"), utc_ms(2026, 5, 5)
    last, mark, index = (minutes(world, one, day, day + DAY_MS, price=p).values for p in ("last", "mark", "index"))
    for other in (mark, index):
        assert (np.abs(other[CLOSE] / last[CLOSE] - 1) < 0.005).all()
        assert not np.array_equal(other[CLOSE], last[CLOSE])
        assert (other[HIGH] - other[LOW]).mean() < (last[HIGH] - last[LOW]).mean()


def test_prices_span_fifteen_orders_of_ten(world: World, market) -> None:
    tiny = world.price(market("PEPEUSDT"), NOW_MS)
    assert market("PEPEUSDT").price_places == 10
    assert 10**3 < tiny < 10**5
    assert float(text(world.price(market("GIGAUSDT"), NOW_MS), 1)) > 2e4


def test_the_listing_is_as_wide_as_a_researcher_needs() -> None:
    counts = {kind: len(of_kind(kind, NOW_MS)) for kind in KINDS}
    assert counts == {"spot": 39, "usdt-futures": 30, "usdc-futures": 4, "coin-futures": 4}
    names = {(market.kind, market.symbol) for market in MARKETS}
    assert len(names) == len(MARKETS)
    for spot, contract in (("LUNAUSDT", "LUNA2USDT"), ("$ALTUSDT", "ALTUSDT"), ("MEMECOINUSDT", "MEMEUSDT")):
        assert {("spot", spot), ("usdt-futures", contract)} <= names
        assert ("spot", contract) not in names
    assert any(not symbol.isascii() for _, symbol in names)


def test_a_world_keeps_a_bounded_memory() -> None:
    world, bitcoin = World(SEED), find("spot", "BTCUSDT")
    world.bars(bitcoin, INTERVALS["1d"], utc_ms(2023, 1, 1), utc_ms(2026, 1, 1), now_ms=FAR_MS)
    assert world.kept_days() <= 512
    digest = hashlib.sha256(minutes(world, bitcoin, utc_ms(2023, 1, 1), utc_ms(2023, 1, 2)).values.tobytes())
    fresh = hashlib.sha256(minutes(World(SEED), bitcoin, utc_ms(2023, 1, 1), utc_ms(2023, 1, 2)).values.tobytes())
    assert digest.hexdigest() == fresh.hexdigest()
