"""How far back routes answer: learned from what came and from what did not, and unlearned when it turns out wrong."""

from __future__ import annotations

from bgresearch.core.intervals import DAY_MS
from bgresearch.market.candles.lookback import Learned, Lookbacks, from_json, to_json

NOW_MS = 1_795_165_230_000
ROUTE = ("spot.candles", "1m")


def test_the_documentation_is_the_first_guess() -> None:
    assert Lookbacks().lookback_ms(*ROUTE, 30 * DAY_MS) == 30 * DAY_MS


def test_rows_that_came_from_further_back_move_the_reach() -> None:
    lookbacks = Lookbacks()
    lookbacks.saw(*ROUTE, 10 * DAY_MS)
    assert lookbacks.lookback_ms(*ROUTE, 30 * DAY_MS) == 30 * DAY_MS
    lookbacks.saw(*ROUTE, 44 * DAY_MS)
    assert lookbacks.lookback_ms(*ROUTE, 30 * DAY_MS) == 44 * DAY_MS
    assert lookbacks.lookback_ms("spot.candles", "1h", 30 * DAY_MS) == 30 * DAY_MS


def test_one_blank_answer_is_no_reach_but_three_are() -> None:
    lookbacks = Lookbacks()
    lookbacks.saw(*ROUTE, 9 * DAY_MS)
    for age in (28, 25):
        lookbacks.missed(*ROUTE, age * DAY_MS, NOW_MS)
        assert lookbacks.lookback_ms(*ROUTE, 30 * DAY_MS) == 30 * DAY_MS
    lookbacks.missed(*ROUTE, 26 * DAY_MS, NOW_MS)
    assert lookbacks.lookback_ms(*ROUTE, 30 * DAY_MS) == 25 * DAY_MS


def test_rows_from_beyond_what_was_missed_make_the_misses_mishaps() -> None:
    lookbacks = Lookbacks()
    for _ in range(3):
        lookbacks.missed(*ROUTE, 20 * DAY_MS, NOW_MS)
    lookbacks.saw(*ROUTE, 21 * DAY_MS)
    assert lookbacks.lookback_ms(*ROUTE, 30 * DAY_MS) == 30 * DAY_MS


def test_a_blank_answer_younger_than_rows_that_came_says_nothing() -> None:
    lookbacks = Lookbacks()
    lookbacks.saw(*ROUTE, 20 * DAY_MS)
    for _ in range(5):
        lookbacks.missed(*ROUTE, 10 * DAY_MS, NOW_MS)
    assert lookbacks.lookback_ms(*ROUTE, 30 * DAY_MS) == 30 * DAY_MS


def test_a_route_is_tried_further_until_it_failed_and_again_a_month_later() -> None:
    lookbacks = Lookbacks()
    assert lookbacks.may_extend(*ROUTE, NOW_MS)
    lookbacks.missed(*ROUTE, 40 * DAY_MS, NOW_MS)
    assert not lookbacks.may_extend(*ROUTE, NOW_MS + DAY_MS)
    assert lookbacks.may_extend(*ROUTE, NOW_MS + 31 * DAY_MS)


def test_what_was_learned_is_reported_once_and_survives_its_file() -> None:
    lookbacks = Lookbacks()
    lookbacks.saw(*ROUTE, 44 * DAY_MS)
    lookbacks.missed(*ROUTE, 50 * DAY_MS, NOW_MS)
    news = lookbacks.news()
    assert from_json(to_json(news)) == {"spot.candles 1m": Learned(44 * DAY_MS, 50 * DAY_MS, 1, NOW_MS)}
    assert lookbacks.news() == {}


def test_a_file_that_makes_no_sense_is_learned_again() -> None:
    for reported in (None, [], {"x": 3}, {"x": [1, 2, 3, 4, 5]}, {"x": ["a"]}, {"x": [None]}, "x"):
        assert from_json(reported) == {}
