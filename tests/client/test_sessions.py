"""A market that is closed at night and at weekends costs hardly more than its plan says, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.client.other_exchange import DAY, HOUR, MINUTE, Habits, Lack, Market
from tests.client.test_other_exchange import TODAY, Start, gaps, same, truth

MONTHS = {
    "recent": (TODAY - 28 * DAY, TODAY), "two routes": (TODAY - 60 * DAY, TODAY - 30 * DAY),
    "old": (TODAY - 150 * DAY, TODAY - 120 * DAY),
}  # fmt: skip
LENGTHS = {"1m": MINUTE, "5m": 5 * MINUTE, "15m": 15 * MINUTE, "1h": HOUR}
NEW_YORK = ((13 * 60 + 30, 20 * 60),)
SESSIONS = {  # when it opens and closes, minutes of the day in UTC, from Monday to Friday
    "nights and weekends": NEW_YORK, "lunch, nights and weekends": ((90, 4 * 60), (5 * 60, 8 * 60)),
    "weekends": ((0, 1440),), "an hour a day and weekends": ((0, 21 * 60), (22 * 60, 1440)),
}  # fmt: skip
WORTH = 1.5  # how much dearer or cheaper than planned
FEW = 4  # more for a plan of a page or two: another route, a holiday, whether there is a maintenance


def closed(
    sessions: tuple[tuple[int, int], ...], span: tuple[int, int], holidays: tuple[int, ...] = ()
) -> tuple[tuple[int, int], ...]:
    """Return when the market is closed, for some days around the span."""
    at, holes = span[0] - 10 * DAY, []
    for day in range(span[0] - 10 * DAY, span[1] + 10 * DAY, DAY):
        if (day // DAY + 3) % 7 >= 5 or day in holidays:  # Saturday and Sunday
            continue
        for opened, until in sessions:
            if at < day + opened * MINUTE:
                holes.append((at, day + opened * MINUTE))
            at = day + until * MINUTE
    return tuple(holes)


def from_sunday_to_friday(span: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return when a market is closed that trades around the clock from Sunday to Friday evening."""
    days = range(span[0] - 10 * DAY, span[1] + 10 * DAY, DAY)
    return tuple((day + 22 * HOUR, day + 70 * HOUR) for day in days if (day // DAY + 3) % 7 == 4)


def thursday_in(span: tuple[int, int]) -> int:
    return next(day for day in range(span[0] + 9 * DAY, span[1], DAY) if (day // DAY + 3) % 7 == 3)


def with_a_holiday(span: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    return closed(NEW_YORK, span, (thursday_in(span),))


PATTERNS: dict[str, Callable[[tuple[int, int]], tuple[tuple[int, int], ...]]] = {
    **{name: partial(closed, hours) for name, hours in SESSIONS.items()},
    "24/5": from_sunday_to_friday, "a holiday": with_a_holiday,
}  # fmt: skip


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize(
    ("market", "whole"), [("spot", True), ("usdt-futures", False)],
    ids=["whole candles", "candles that open in a session"],
)  # fmt: skip
@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("interval", LENGTHS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_candles_cost_what_is_planned(
    start: Start, pattern: str, interval: str, month: str, market: str, *, whole: bool
) -> None:
    span = MONTHS[month]
    exchange, client = start(Habits(whole_candles=whole))
    listed = Market(TODAY - 900 * DAY, gaps=PATTERNS[pattern](span))
    exchange.markets["BTCUSDT"] = listed
    planned = sum(client.plan("BTCUSDT", interval, *span, market=market).requests.values())
    got = client.candles("BTCUSDT", interval, *span, market=market)
    real, length = len(exchange.requests), LENGTHS[interval]
    lasts = length if whole else 1
    opens = [at for at in range(*span, length) if listed.trades_in(at, at + lasts)]
    assert [int(at.value) // 10**6 for at in got.index] == opens
    assert all(cause == "exchange has none" or end == span[1] for _start, end, cause in gaps(got))
    assert planned / WORTH <= real <= planned * WORTH + FEW
    assert client.plan("BTCUSDT", interval, *span, market=market).requests == {}
    same(client.candles("BTCUSDT", interval, *span, market=market), got)
    assert len(exchange.requests) == real


@pytest.mark.parametrize("hidden", ["a session", "every session of a week", "an hour after each opening"])
def test_what_one_route_lacks_as_if_closed_comes_from_the_other(start: Start, hidden: str) -> None:
    span, recent = MONTHS["recent"], "/api/v2/spot/market/candles"
    hours = closed(NEW_YORK, span)
    days = [day for day in range(*span, DAY) if (day // DAY + 3) % 7 < 5]
    lacks = {
        "a session": [(days[7], days[7] + DAY)],
        "every session of a week": [(day, day + DAY) for day in days[5:10]],
        "an hour after each opening": [(day + 13 * HOUR, day + 14 * HOUR + 30 * MINUTE) for day in days],
    }[hidden]
    exchange, client = start(
        Habits(whole_candles=True, lacks=tuple(Lack(recent, (5 * MINUTE,), *one) for one in lacks))
    )
    exchange.markets["BTCUSDT"] = Market(TODAY - 900 * DAY, gaps=hours)
    same(client.candles("BTCUSDT", "5m", *span), truth(exchange, span, 5 * MINUTE))


@pytest.mark.quick_cases(1)
@pytest.mark.parametrize("seed", range(2))
def test_false_blanks_do_not_hide_a_session(start: Start, seed: int) -> None:
    habits: dict[str, Any] = {"whole_candles": True, "faults": {"false_empty": 0.1, "duplicates": 0.1, "shuffle": 0.1}}
    exchange, client = start(Habits(**habits), seed)
    span = MONTHS["old"][0], MONTHS["old"][0] + 10 * DAY
    exchange.markets["BTCUSDT"] = Market(TODAY - 900 * DAY, gaps=closed(NEW_YORK, span))
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))


def test_longer_candles_that_lack_what_minutes_have_hide_nothing(start: Start) -> None:
    exchange, client = start()
    answer = exchange._candles
    exchange.markets["BTCUSDT"] = Market(TODAY - 900 * DAY, gaps=closed(NEW_YORK, MONTHS["recent"]))

    def forgetful(path: str, params: dict[str, str]) -> list[list[Any]]:
        hours = params.get("granularity", params.get("interval")) not in ("1min", "1m")
        return [row for row in answer(path, params) if not hours or int(row[0]) // HOUR % 24 < 15]

    exchange._candles = forgetful  # type: ignore[method-assign]
    span = MONTHS["recent"][0], MONTHS["recent"][0] + 7 * DAY
    same(client.candles("BTCUSDT", "1m", *span), truth(exchange, span))
