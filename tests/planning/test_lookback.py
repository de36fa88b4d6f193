"""How far back roads answer: learned from what came and from what did not, and unlearned when it turns out wrong."""

from __future__ import annotations

from bgresearch.core.intervals import DAY_MS
from bgresearch.market.candles.lookback import Learned, Lookbacks, from_json, to_json

NOW_MS = 1_795_165_230_000
ROAD = ("spot.candles", "1m")


def test_the_documentation_is_the_first_guess() -> None:
    assert Lookbacks().lookback_ms(*ROAD, 30 * DAY_MS) == 30 * DAY_MS


def test_rows_that_came_from_further_back_move_the_reach() -> None:
    reaches = Lookbacks()
    reaches.saw(*ROAD, 10 * DAY_MS)
    assert reaches.lookback_ms(*ROAD, 30 * DAY_MS) == 30 * DAY_MS
    reaches.saw(*ROAD, 44 * DAY_MS)
    assert reaches.lookback_ms(*ROAD, 30 * DAY_MS) == 44 * DAY_MS
    assert reaches.lookback_ms("spot.candles", "1h", 30 * DAY_MS) == 30 * DAY_MS


def test_one_blank_answer_is_no_reach_but_three_are() -> None:
    reaches = Lookbacks()
    reaches.saw(*ROAD, 9 * DAY_MS)
    for age in (28, 25):
        reaches.missed(*ROAD, age * DAY_MS, NOW_MS)
        assert reaches.lookback_ms(*ROAD, 30 * DAY_MS) == 30 * DAY_MS
    reaches.missed(*ROAD, 26 * DAY_MS, NOW_MS)
    assert reaches.lookback_ms(*ROAD, 30 * DAY_MS) == 25 * DAY_MS


def test_rows_from_beyond_what_was_missed_make_the_misses_mishaps() -> None:
    reaches = Lookbacks()
    for _ in range(3):
        reaches.missed(*ROAD, 20 * DAY_MS, NOW_MS)
    reaches.saw(*ROAD, 21 * DAY_MS)
    assert reaches.lookback_ms(*ROAD, 30 * DAY_MS) == 30 * DAY_MS


def test_a_blank_answer_younger_than_rows_that_came_says_nothing() -> None:
    reaches = Lookbacks()
    reaches.saw(*ROAD, 20 * DAY_MS)
    for _ in range(5):
        reaches.missed(*ROAD, 10 * DAY_MS, NOW_MS)
    assert reaches.lookback_ms(*ROAD, 30 * DAY_MS) == 30 * DAY_MS


def test_a_road_is_tried_further_until_it_failed_and_again_a_month_later() -> None:
    reaches = Lookbacks()
    assert reaches.may_extend(*ROAD, NOW_MS)
    reaches.missed(*ROAD, 40 * DAY_MS, NOW_MS)
    assert not reaches.may_extend(*ROAD, NOW_MS + DAY_MS)
    assert reaches.may_extend(*ROAD, NOW_MS + 31 * DAY_MS)


def test_what_was_learned_is_told_once_and_survives_its_file() -> None:
    reaches = Lookbacks()
    reaches.saw(*ROAD, 44 * DAY_MS)
    reaches.missed(*ROAD, 50 * DAY_MS, NOW_MS)
    news = reaches.news()
    assert from_json(to_json(news)) == {"spot.candles 1m": Learned(44 * DAY_MS, 50 * DAY_MS, 1, NOW_MS)}
    assert reaches.news() == {}


def test_a_file_that_makes_no_sense_is_learned_anew() -> None:
    for told in (None, [], {"x": 3}, {"x": [1, 2, 3, 4, 5]}, {"x": ["a"]}, {"x": [None]}, "x"):
        assert from_json(told) == {}
