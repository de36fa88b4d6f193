"""A market that is closed at night and at weekends costs hardly more than its plan says, and nothing of it is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.client.other_exchange import DAY, HOUR, MINUTE, Habits, Market
from tests.client.test_other_exchange import TODAY, Start, gaps, same, truth

MONTHS = {"recent": (TODAY - 28 * DAY, TODAY), "old": (TODAY - 150 * DAY, TODAY - 120 * DAY)}
SESSIONS = {  # when it opens and closes, minutes of the day in UTC
    "New York": ((13 * 60 + 30, 20 * 60),), "Hong Kong": ((90, 4 * 60), (5 * 60, 8 * 60)),
    "always but weekends": ((0, 1440),),
}  # fmt: skip
WORTH = {"recent": 2.0, "old": 1.7}  # how much dearer than planned: where two routes reach, both confirm an absence


def closed(sessions: tuple[tuple[int, int], ...], span: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return when the market is closed, for some days around the span."""
    at, holes = span[0] - 10 * DAY, []
    for day in range(span[0] - 10 * DAY, span[1] + 10 * DAY, DAY):
        if (day // DAY + 3) % 7 >= 5:  # Saturday and Sunday
            continue
        for opened, until in sessions:
            if at < day + opened * MINUTE:
                holes.append((at, day + opened * MINUTE))
            at = day + until * MINUTE
    return tuple(holes)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False], ids=["whole candles", "candles that open in a session"])
@pytest.mark.parametrize("market", ["spot", "usdt-futures"])
@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("sessions", SESSIONS.values(), ids=SESSIONS)
def test_minutes_cost_what_is_planned(
    start: Start, sessions: tuple[tuple[int, int], ...], month: str, market: str, *, whole: bool
) -> None:
    span = MONTHS[month]
    exchange, client = start(Habits(whole_candles=whole))
    exchange.markets["BTCUSDT"] = Market(TODAY - 900 * DAY, gaps=closed(sessions, span))
    planned = sum(client.plan("BTCUSDT", "1m", *span, market=market).requests.values())
    got = client.candles("BTCUSDT", "1m", *span, market=market)
    real = len(exchange.requests)
    same(got, truth(exchange, span))
    assert all(cause == "exchange has none" or end == span[1] for _start, end, cause in gaps(got))
    assert planned / WORTH[month] <= real <= planned * WORTH[month]
    assert client.plan("BTCUSDT", "1m", *span, market=market).requests == {}
    same(client.candles("BTCUSDT", "1m", *span, market=market), got)
    assert len(exchange.requests) == real


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("seed", range(2))
def test_false_blanks_do_not_hide_a_session(start: Start, seed: int) -> None:
    habits: dict[str, Any] = {"whole_candles": True, "faults": {"false_empty": 0.1, "duplicates": 0.1, "shuffle": 0.1}}
    exchange, client = start(Habits(**habits), seed)
    span = MONTHS["old"][0], MONTHS["old"][0] + 10 * DAY
    exchange.markets["BTCUSDT"] = Market(TODAY - 900 * DAY, gaps=closed(SESSIONS["New York"], span))
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))


def test_longer_candles_that_lack_what_minutes_have_hide_nothing(start: Start) -> None:
    exchange, client = start()
    answer = exchange._candles
    exchange.markets["BTCUSDT"] = Market(TODAY - 900 * DAY, gaps=closed(SESSIONS["New York"], MONTHS["recent"]))

    def forgetful(path: str, params: dict[str, str]) -> list[list[Any]]:
        hours = params.get("granularity", params.get("interval")) not in ("1min", "1m")
        return [row for row in answer(path, params) if not hours or int(row[0]) // HOUR % 24 < 15]

    exchange._candles = forgetful  # type: ignore[method-assign]
    span = MONTHS["recent"][0], MONTHS["recent"][0] + 7 * DAY
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))
