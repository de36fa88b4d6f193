"""Funding rates, open interest and leverage tiers of the synthetic contracts. Pure."""

from __future__ import annotations

from bgresearch.core.intervals import HOUR_MS
from bgresearch.sandbox.world.hash_random import key_of, normal_at
from bgresearch.sandbox.world.markets import Market, coin_of

FUNDING_MS = 8 * HOUR_MS
FUNDING_HOURS = 8
RATE_PLACES = 6
HIGHEST_RATE = 3000  # 0.3 % a settlement, either way
_USUAL_RATE, _SPREAD = 70, 160  # units of 1e-6
_MEMORY = 3  # settlements that a rate remembers: a day


def funding_rate(seed: int, market: Market, settlement_ms: int) -> int:
    """Return the rate of one settlement in units of 1e-6; long positions pay it if it is positive."""
    key = key_of(seed, "funding", market.kind, market.symbol)
    place = settlement_ms // FUNDING_MS
    drawn = sum(normal_at(key, place - back) for back in range(_MEMORY)) / _MEMORY**0.5
    return int(max(-HIGHEST_RATE, min(HIGHEST_RATE, round(_USUAL_RATE + _SPREAD * drawn))))


def next_funding_ms(now_ms: int) -> int:
    """Return when the next settlement is."""
    return now_ms - now_ms % FUNDING_MS + FUNDING_MS


def open_interest(seed: int, market: Market, now_ms: int) -> int:
    """Return the open interest in units of the last size decimal; it moves slowly."""
    key = key_of(seed, "interest", market.kind, market.symbol)
    place, rest = divmod(now_ms, HOUR_MS)
    before, after = normal_at(key, place), normal_at(key, place + 1)
    coin = coin_of(market)
    price = coin.base_price * market.share_factor(now_ms)
    usual = 0.35 * coin.turnover * market.turnover_share / price * 10.0**market.size_places
    return round(usual * (1 + 0.03 * (before + (after - before) * rest / HOUR_MS)))


def tiers(market: Market) -> list[tuple[int, int, int, str]]:
    """Return the leverage tiers: value from and to in quote coin, highest leverage, maintenance margin ratio."""
    rows: list[tuple[int, int, int, str]] = []
    start, size = 0, 50_000
    for share in (1, 2, 4, 10, 20):
        leverage = max(market.max_leverage // share, 1)
        ratio = f"{0.5 / leverage:.4f}"
        rows.append((start, start + size, leverage, ratio))
        start, size = start + size, size * 4
    return rows
