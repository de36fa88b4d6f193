"""Whatever an exchange hides, and by which route: each candle that it can give is in the frame, or it is said."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bgresearch.errors import BgresearchError
from tests.client.other_exchange import DAY, HOUR, MINUTE, Habits, Lack, Market, OtherExchange, _merged
from tests.client.test_other_exchange import NOW_MS, TODAY, Start, gaps

RECENT, HISTORY, V3 = "/api/v2/spot/market/candles", "/api/v2/spot/market/history-candles", "/api/v3/market"
ALL = (MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, DAY)
LONGER = ALL[1:]


def sessions(rng: random.Random, span: tuple[int, int]) -> list[tuple[int, int]]:
    """Return when a market with random hours is closed."""
    opened = rng.randrange(0, 20) * 30 * MINUTE + rng.choice((0, 0, 7 * MINUTE))
    lasts, pause = rng.randrange(2, 16) * 30 * MINUTE, rng.choice((0, HOUR, 17 * MINUTE))
    found, at = [], span[0] - 9 * DAY
    for day in range(span[0] - 9 * DAY, span[1] + 9 * DAY, DAY):
        if (day // DAY + 3) % 7 >= 5 and pause:
            continue
        found.append((at, day + opened))
        at = day + opened + lasts
        if pause and lasts > 3 * pause:
            found.append((day + opened + lasts // 2, day + opened + lasts // 2 + pause))
    return found


def part(rng: random.Random, span: tuple[int, int]) -> tuple[int, int]:
    """Return some minutes, hours or days of a span."""
    start = rng.randrange(*span, MINUTE)
    return start, start + rng.choice((3 * MINUTE, 40 * MINUTE, HOUR, 7 * HOUR, DAY, 3 * DAY, 12 * DAY))


def world(rng: random.Random) -> tuple[Habits, Market, tuple[int, int]]:
    """Return an exchange and a question: sessions, lives, and what one route or longer candles lack."""
    begin = TODAY - rng.choice((4, 12, 29, 45, 100, 140)) * DAY
    span = begin, begin + rng.choice((2, 4, 10, 20)) * DAY
    span = span[0], min(span[1], TODAY)
    holes = sessions(rng, span) if rng.random() < 0.6 else []
    holes += [part(rng, span) for _ in range(rng.randrange(3))]
    listed = rng.choice((TODAY - 900 * DAY, part(rng, span)[0]))
    gone = rng.choice((2**53, 2**53, max(listed + DAY, part(rng, span)[1])))
    poorer = rng.choice((RECENT, HISTORY))
    lacks = [Lack(poorer, rng.choice((ALL, ALL, (MINUTE,))), *part(rng, span)) for _ in range(rng.randrange(4))]
    lacks += [Lack(rng.choice(("/api", HISTORY, V3)), LONGER, *part(rng, span)) for _ in range(rng.randrange(4))]
    habits: dict[str, Any] = {
        "unified_markets": rng.random() < 0.3, "whole_candles": rng.random() < 0.5,
        "history_reaches_only_its_limit": rng.random() < 0.2, "lacks": tuple(lacks),
        "look_back_days": rng.choice((None, None, 1.0, 9.0)),
        "faults": {"false_empty": rng.choice((0, 0, 0.05)), "500": rng.choice((0, 0.02))},
    }  # fmt: skip
    return Habits(**habits), Market(listed, gone, gaps=_merged(holes)), span


def can_give(exchange: OtherExchange, span: tuple[int, int]) -> set[int]:
    """Return the minutes that one of its two classic routes can give."""
    habits, market = exchange.habits, exchange.markets["BTCUSDT"]
    hidden: dict[str, list[tuple[int, int]]] = {RECENT: [], HISTORY: []}
    for one in habits.lacks:
        for path, spans in hidden.items():
            if path.startswith(one.path) and MINUTE in one.lengths:
                spans.append((one.start_ms, one.end_ms))
    oldest = {RECENT: NOW_MS - (habits.look_back_days or 30) * DAY, HISTORY: 0}
    return {
        at for at in range(*span, MINUTE) if market.trades_at(at) and any(
            at >= oldest[path] and not any(start <= at < end for start, end in spans)
            for path, spans in hidden.items()
        )
    }  # fmt: skip


def check(start: Start, seed: int) -> None:
    """Ask one random exchange and hold the frame against what it can give."""
    rng = random.Random(seed)  # noqa: S311 - a made up exchange, not a secret
    habits, market, span = world(rng)
    exchange, client = start(habits, seed)
    exchange.markets["BTCUSDT"] = market
    try:
        got = client.candles("BTCUSDT", "1m", *span)
    except BgresearchError:
        return
    came = {int(at.value) // 10**6 for at in got.index}
    unknown = [(first, last) for first, last, cause in gaps(got) if cause == "unknown"]
    lost = [
        at for at in sorted(can_give(exchange, span) - came) if not any(first <= at < last for first, last in unknown)
    ]
    assert not lost, f"{len(lost)} minutes from {lost[0]}, {gaps(got)[:5]}"


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("seed", range(30))
def test_nothing_that_a_route_can_give_is_lost(start: Start, seed: int) -> None:
    check(start, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(1000, 1150), 5023])  # the last one: pages may arrive in any order
def test_nothing_that_a_route_can_give_is_lost_in_many_exchanges(start: Start, seed: int) -> None:
    check(start, seed)
